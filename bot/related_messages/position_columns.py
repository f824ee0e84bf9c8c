"""The header of a table in a GCN Circular: which column is which, and how rows are split."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

_NOTE = re.compile(r"[(\[]([^()\[\]]{0,40})[)\]]")
_FRAMES = re.compile(r"j?2000(?:\.0)?|icrs|fk5|degrees|degree|deg|hms|dms|[_\W]")
_OTHER_FRAME = re.compile(
    r"B\s?19\d\d|FK4|JNow|[Gg]alactic[ _-]?(?:l\b|b\b|lon|lat|coord|RA|[Dd]ec)|\bglon\b|[Pp]ointing"
    r"|R\.?A\.?[ _-]*[Oo]ffset|[Oo]ffsets?[ _-]*(?:in[ _-])?(?:R\.?A|[Dd]ec)"
)
"""Coordinates in another frame, or differences. A column of offsets from a host's centre is neither."""
_TITLES = (
    "obj",
    "object",
    "source",
    "transient",
    "target",
    "candidate",
    "mean",
    "x",
    "opt",
    "optical",
    "xrt",
    "s",
)
_RA = frozenset(f"{title}{word}" for title in ("", *_TITLES) for word in ("ra", "rightascension", "alpha"))
_DEC = frozenset(
    f"{title}{word}" for title in ("", *_TITLES) for word in ("dec", "decl", "de", "declination", "delta")
)
_BOTH = frozenset(("radec", "raanddec", "coordinates", "coords", "coord", "position", "alphadelta"))
_NAMES = re.compile(
    r"name|^(?:tns|iau|survey|internal)?id$|^(?:source|object|transient|candidate|event|xrt)(?:id|no|number)?$"
    r"|alias|designation|^tns|^iau|^(?:ztf|goto|atlas|gaia|decam|des|panstarrs|ps1)(?:id|name)?$"
)
_NOT_NAMES = re.compile(r"host|galaxy|filter|telescope|instrument|site|observer|class")
_REDSHIFT = re.compile(r"(?:host|best|spec|phot)?(?:z|redshift)(?:host|best|spec|phot|sp|ph)?")
_REDSHIFT_ERROR = re.compile(
    r"(?:err|error|e|d|sigma|unc)z|z(?:err|error|unc|sigma)|redshift(?:err|error|unc\w*)"
)
_DISTANCE = re.compile(r"(?:host|lum|luminosity)?d(?:ist(?:ance)?|l)?(?:[mg]pc)?")
_RADIUS = re.compile(
    r"(?:pos(?:ition(?:al)?)?|loc|localization|angular|ra(?:dec)?|astrometric)?(?:err(?:or)?|unc(?:ertainty)?)"
    r"(?:radius|rad|circle)?\d{0,2}|(?:err(?:or)?)?rad(?:ius)?\d{0,2}|r\d\d|err\d\d"
)
_MAGNITUDE = re.compile(
    r"(?:disc(?:overy)?|first|peak|ab|last|latest)?(?:[a-z])?mag(?:nitude)?s?(?:ab)?(?:disc)?"
)
_FILTER = re.compile(r"filter|filt|flt|band")
_TIME = re.compile(r"(?:disc(?:overy)?|first|detection|det|firstdetection)(?:date|time|ut|utc|epoch)+")
_OBSERVED = re.compile(
    r"field|pointing|tile|\bgalax|exposure|\bexp\w{0,5}\.?(?:time)?\b|\blimit|upper|coverage|\bul\b|tmid|t_?start"
    r"|obs\w{0,8}[ .]{0,2}(?:start|time|date)|corner|visit|calibrator|comparison|ref(?:erence)? star|m_?lim",
    re.IGNORECASE,
)
_FOUND = re.compile(r"disc|first|transient|candidate|tns|iau|redshift|err90", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?\d[\d.:]*")
_SENTENCE = re.compile(r"\b(?:the|of|is|are|was|were|with|which|we|for|from|that|by|to)\b", re.IGNORECASE)
_WIDE = re.compile(r"\s*\t\s*|\s{2,}")
_MAX_COLUMNS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The columns of a table."""

    delimiter: str
    """A bar, a tab (also for gaps of two blanks or more), a comma, a semicolon, or a blank."""
    header_names: tuple[str, ...]
    is_tabbed: bool
    """Each tab of the header parts two columns, so that two tabs enclose an empty cell."""
    ra: int
    dec: int
    """The same index as `ra` where one column holds both."""
    is_hours: bool
    """Bare numbers of the RA column are hours."""
    names: tuple[int, ...]
    """Columns with names of sources, in their order."""
    counts_sources: bool
    """A whole number in the column of names numbers the sources."""
    others: Mapping[str, int]
    """Indices of "redshift", "redshift error", "distance", "radius", "magnitude", "filter", "time"."""
    radius_unit: str | None
    containment: float | None
    distance_unit: str | None
    band: str
    """The filter that the magnitude's column names, empty if none."""
    is_observed: bool
    """The table lists what was observed, and no sources."""
    has_discoveries: bool
    """A column says that something was found: a discovery's time or magnitude, a transient's name."""

    @property
    def count(self) -> int:
        """The number of columns."""
        return len(self.header_names)

    @property
    def last_of_pair(self) -> int:
        """Index of the last column that a row needs."""
        return max(self.ra, self.dec)

    @property
    def has_wide_gaps(self) -> bool:
        """True if tabs, or two blanks or more, separate the columns, so that a cell may hold blanks."""
        return self.delimiter == "\t"

    def split(self, line: str) -> Iterator[Sequence[str]]:
        """Yield the ways to split a row, the likeliest first."""
        if self.delimiter == " ":
            yield line.replace(",", " ").split()
            return
        if self.delimiter == "\t":
            cells = [cell.strip() for cell in line.split("\t")]
            if self.is_tabbed and not any(_WIDE.search(cell) for cell in cells):
                yield cells
            cells = _WIDE.split(line.strip())
            yield cells
            if len(cells) != self.count:
                yield line.split()
            return
        cells = _cells(line, self.delimiter)
        yield cells
        # A bar too many leaves an empty cell.
        filled = [cell for cell in cells if cell.strip()]
        if len(filled) != len(cells):
            yield filled


def columns_of(line: str) -> Columns | None:
    """Return the columns that a line names, None for a line that isn't the header of a table of positions."""
    if _OTHER_FRAME.search(line) is not None or len(line) > 400:
        return None
    for delimiter in _delimiters(line):
        header = _header_cells(line, delimiter)
        if not 2 <= len(header) <= _MAX_COLUMNS and "|" not in line:
            continue
        columns = _columns(header, delimiter, line)
        if columns is not None:
            return columns
    return None


def degrees_in(name: str) -> tuple[str, str | None]:
    """Return a column's name without its unit, and the unit of an angle if it has one."""
    unit = re.search(r"arc\s?min|arc\s?sec|\bdeg|°|\bmas\b|(?<=[(\[])['\"](?=[)\]])", name, re.IGNORECASE)
    return _NOTE.sub("", name), None if unit is None else unit[0].replace(" ", "").casefold()


def _delimiters(line: str) -> Iterator[str]:
    if line.count("|") >= 1:
        yield "|"
        return
    if ";" in line:
        yield ";"
    if line.count(",") >= 2:
        yield ","
    if _WIDE.search(line.strip()) is not None:
        yield "\t"
    if _SENTENCE.search(line) is None:
        yield " "


def _header_cells(line: str, delimiter: str) -> list[str]:
    if delimiter == "\t":
        # "p-value (generic) p-value (Bayesian)": a name ends with its unit.
        line = re.sub(r"([)\]])[ ](?=[A-Za-z])", r"\1\t", line.strip())
        return [cell.strip() for cell in _WIDE.split(line)]
    if delimiter == " ":
        line = re.sub(r"[ ]+(?=[(\[])", "", line)
        line = re.sub(r"\b(R\.?) (A\.?)(?=\W|$)", r"\1\2", line).replace(",", " ")
        # A unit in parentheses may hold blanks.
        line = _NOTE.sub(lambda note: note[0].replace(" ", ""), line)
        return line.split()
    return [cell.strip() for cell in _cells(line, delimiter)]


def _cells(line: str, delimiter: str) -> list[str]:
    if delimiter in ",;" and '"' in line:
        cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    else:
        cells = line.split(delimiter)
    if delimiter == "|":
        # A table in Markdown has a bar at both ends.
        cells = cells[not cells[0].strip() : len(cells) - (not cells[-1].strip())]
    return cells


def _columns(header: Sequence[str], delimiter: str, line: str) -> Columns | None:
    if any(_NUMBER.fullmatch(name) or "=" in name or len(name) > 60 for name in header):
        return None
    bases = [_base(name) for name in header]
    pair = _pair_columns(bases)
    if pair is None:
        return None
    ra, dec = pair
    names = tuple(
        at
        for at, base in enumerate(bases)
        if at not in pair and _NAMES.search(base) and not _NOT_NAMES.search(base)
    )
    if ra == dec and not names:
        return None
    others = _other_columns(header, bases, dec)
    radius = others.get("radius")
    radius_name = "" if radius is None else header[radius]
    percent = re.search(r"(?<!\d)([5-9]\d)(?:\s?%|\b|$)", radius_name)
    distance = others.get("distance")
    unit = None if distance is None else re.search(r"[MG]pc", header[distance])
    magnitude = others.get("magnitude")
    band = (
        None
        if magnitude is None
        else re.match(r"\s*([A-Za-z])[ _-]?mag|mag[ _-]?([A-Za-z])\b", header[magnitude])
    )
    return Columns(
        delimiter=delimiter,
        header_names=tuple(header),
        is_tabbed=len(line.split("\t")) == len(header),
        ra=ra,
        dec=dec,
        is_hours=_is_hours(header[ra]),
        names=names,
        counts_sources=bool(names) and bases[names[0]].startswith(("source", "candidate", "transient")),
        others=others,
        radius_unit=degrees_in(radius_name)[1],
        containment=None if percent is None else int(percent[1]) / 100,
        distance_unit=None if unit is None else unit[0],
        band="" if band is None else band[1] or band[2],
        is_observed=_OBSERVED.search(line) is not None and _FOUND.search(line) is None,
        has_discoveries=_FOUND.search(line) is not None,
    )


def _base(name: str) -> str:
    plain = _FRAMES.sub("", _NOTE.sub("", name).casefold())
    return plain or name.casefold()


def _is_hours(name: str) -> bool:
    return re.search(r"[(\[]\s?(?:h|hr|hrs|hours?)\s?[)\]]|_h$|\bhours\b", name, re.IGNORECASE) is not None


def _pair_columns(bases: Sequence[str]) -> tuple[int, int] | None:
    ra = [at for at, base in enumerate(bases) if base in _RA]
    dec = [at for at, base in enumerate(bases) if base in _DEC]
    if len(ra) == len(dec) == 1:
        return ra[0], dec[0]
    both = [at for at, base in enumerate(bases) if base in _BOTH]
    return (both[0], both[0]) if len(both) == 1 and not ra and not dec else None


def _other_columns(header: Sequence[str], bases: Sequence[str], dec: int) -> dict[str, int]:
    found: dict[str, int] = {}
    bands = {name.strip() for name in header} & {"g", "r", "i", "y", "u", "J", "H", "K"}
    # Among other words a capital Z is a metallicity.
    is_capital = "Z" in header and any(re.search(r"[A-Z][a-z]|^[a-z]", name) for name in header)
    for at, base in enumerate(bases):
        if _REDSHIFT.fullmatch(base) and not (base == "z" and (bands or is_capital)):
            found.setdefault("redshift", at)
        elif _REDSHIFT_ERROR.fullmatch(base):
            found.setdefault("redshift error", at)
        elif _DISTANCE.fullmatch(base):
            found.setdefault("distance", at)
        elif _RADIUS.fullmatch(base):
            # "Err" behind a magnitude is the magnitude's.
            is_of_position = at == dec + 1 or base not in ("err", "error", "unc", "uncertainty")
            if is_of_position:
                found.setdefault("radius", at)
        elif _TIME.fullmatch(base):
            found.setdefault("time", at)
        elif _MAGNITUDE.fullmatch(base):
            found.setdefault("magnitude", at)
        elif _FILTER.fullmatch(base):
            found.setdefault("filter", at)
    return found
