"""Tables in texts of GCN Circulars: a line that names the columns RA and Dec, and the rows below it.

Columns are parted by bars, tabs, commas, semicolons, or blanks; lines of dashes may stand between. A row
counts if its cells fit the header. Tables of what was observed (fields, tiles, galaxies, exposures, limits)
give no positions, and neither does their text.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.related_messages.position_columns import Columns, columns_of, degrees_in
from bot.related_messages.position_context import containment_of, degrees_of
from bot.related_messages.position_values import DEC_VALUE, RA_VALUE, value_of
from formatters.models.related_message import ReportedPosition

_MAX_LINE = 400
"""Characters of a header or a row; longer lines are text."""
_MAX_ROWS = 300
_MAX_HEADERS = 100
"""Lines with the letters RA that are looked at."""
_LINES_BEFORE_ROWS = 3
"""Lines of units and dashes between a header and its first row."""
_RA_WORD = re.compile(
    r"(?<![A-Za-z])(?:[Rr]\.?[^\S\n]?[Aa](?![a-z])|RAJ|[Rr]ight[ _][Aa]|RIGHT A|alpha|[Cc]oord)"
)
_DEC_WORD = re.compile(r"(?<![A-Za-z])(?:[Dd]ec|DEC|DE(?:J|(?![A-Z]))|delta)|[Cc]oord")
_RULING = re.compile(r"[\s|:+=_±*-]*")
_RULING_CHARACTERS = " \t\n|:+=_±*-"
_PAIR = re.compile(rf"{RA_VALUE}\s{{0,4}},?\s{{0,4}}{DEC_VALUE}")
_RA_CELL = re.compile(RA_VALUE)
_DEC_CELL = re.compile(DEC_VALUE)
_ROW_START = re.compile(r"\d")
_BLANKS = re.compile(
    r"(?<![\d.:])(\d{1,2}) (\d{1,2}) (\d{1,2}(?:\.\d{1,9})?)\s{1,4}"
    r"([+-]\d{1,2}) (\d{1,2}) (\d{1,2}(?:\.\d{1,9})?)(?![\d:])"
)
_INSIDE_ANGLE = re.compile(r"(?<=\d[hmd°'])[^\S\n]+(?=\d)")
_INSIDE_NAME = re.compile(
    r"\b(AT|SN|GRB|FRB|IC|NGC|UGC|PGC|MASTER|OT|Swift|MAXI|EP|SDSS|WISEA?|2MASX|PSN|IGR|[Ss]ource|[Cc]andidate)"
    r" +(?=[\dJ#O])"
)
_KEPT_BLANK = "\x00"
_NAME = re.compile(r"(?=[^|]{0,40}[A-Za-z])[\w#.+*: '/()-]{2,40}")
_DECIMAL = re.compile(r"[+-]?\d{1,5}\.\d{0,9}")
_CAPTION = re.compile(
    r"(?:galaxies|fields|tiles|pointings|targets|exposures|corners|coverage|upper limits|annulus|segment)\b"
    r"[^.]{0,60}$"
    r"|(?:observed|covered|imaged|monitored|tiled)\b[^.]{0,60}$",
    re.IGNORECASE,
)
"""The end of the text before a table of what was observed."""
_BEST_NAME = re.compile(r"(?:AT|SN)[ _]?(?:19|20)\d\d[A-Za-z]{1,6}")
_VALUE = re.compile(r"(?P<value>\d{1,5}(?:\.\d{1,9})?)(?:\s?±\s?(?P<error>\d{0,5}\.?\d{1,9}))?")
_ANGLE = re.compile(
    r"[~±]?\s?(?P<value>\d{1,5}(?:\.\d{1,6})?)\s?(?P<unit>deg|°|arcmin|'|arcsec|\"|mas)?\w{0,4}"
)
_LENGTH = re.compile(
    r"(?P<value>\d{1,5}(?:\.\d{1,6})?)(?:\s?±\s?(?P<error>\d{1,5}(?:\.\d{1,6})?))?\s?(?P<unit>[MG]pc)?"
)
_MAGNITUDE = re.compile(
    r"(?P<value>\d{1,2}(?:\.\d{1,4})?)(?:\s?(?:±|\()\s?\d\.\d{1,4}\)?)?(?:\s?(?P<band>[A-Za-z]{1,6}))?"
)
_TIME = re.compile(
    r"(20\d\d)[-/](\d\d)[-/](\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6})\d{0,6})?)?"
    r"(?: ?(?:UTC?|Z))?"
)


@dataclass(frozen=True, slots=True)
class _Line:
    start: int
    text: str

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def find_tables(text: str) -> tuple[list[tuple[int, ReportedPosition]], str]:
    """Return the positions in the tables of a text with their offsets, and the text without the tables.

    The returned text has the same length: blank lines stand for the tables.
    """
    rows: list[tuple[int, ReportedPosition]] = []
    pieces: list[str] = []
    done = at = 0
    for _ in range(_MAX_HEADERS):
        word = _RA_WORD.search(text, at)
        if word is None or len(rows) >= _MAX_ROWS:
            break
        header = _line_at(text, text.rfind("\n", 0, word.start()) + 1)
        at = header.end
        columns = _columns_of_line(header.text)
        if columns is None:
            continue
        caption = text[max(done, header.start - 300) : header.start].rstrip(_RULING_CHARACTERS)
        if _CAPTION.search(caption) is not None and not columns.has_discoveries:
            columns = dataclasses.replace(columns, is_observed=True)
        found, end = _rows_below(text, header, columns)
        if not found and not columns.is_observed:
            continue
        rows += found
        pieces += (text[done : header.start], "\n" * (end - header.start))
        done = at = end
    pieces.append(text[done:])
    return rows[:_MAX_ROWS], "".join(pieces)


def _columns_of_line(line: str) -> Columns | None:
    return columns_of(line) if len(line) <= _MAX_LINE and _DEC_WORD.search(line) is not None else None


def _line_at(text: str, start: int) -> _Line:
    end = text.find("\n", start)
    return _Line(start, text[start : len(text) if end < 0 else end])


def _rows_below(text: str, header: _Line, columns: Columns) -> tuple[list[tuple[int, ReportedPosition]], int]:
    """Return the rows of a table and the offset of its end."""
    found: list[tuple[int, Sequence[str]]] = []
    line, end, others, blank = header, header.end, 0, 0
    while line.end < len(text) and len(found) < _MAX_ROWS:
        line = _line_at(text, line.end + 1)
        if not line.text.strip():
            blank += 1
            if blank > 1:
                break
            continue
        if _RULING.fullmatch(line.text) is not None:
            end, blank = line.end, 0
            continue
        cells = _cells_of_row(line.text, columns)
        if cells is None:
            others += 1
            # Mail wraps long rows, so that the end of one stands between two.
            allowed = 1 if found else _LINES_BEFORE_ROWS
            if others > allowed or _columns_of_line(line.text) is not None:
                break
            if blank and not found:
                break
            continue
        found.append((line.start, cells))
        end, blank, others = line.end, 0, 0
    if columns.is_observed:
        return [], end
    containment = columns.containment or _containment_in_legend(text[end : end + 700], columns)
    positions = [(offset, _position(cells, columns, containment)) for offset, cells in found]
    return [(offset, position) for offset, position in positions if position is not None], end


def _cells_of_row(line: str, columns: Columns) -> Sequence[str] | None:
    """Return the cells of a row by the header's columns, None for a line that is no such row."""
    if len(line) > _MAX_LINE or _ROW_START.search(line) is None:
        return None
    joined = _BLANKS.sub(r"\1:\2:\3 \4:\5:\6", line) if columns.delimiter == " " else line
    joined = _INSIDE_ANGLE.sub("", joined)
    joined = _INSIDE_NAME.sub(rf"\1{_KEPT_BLANK}", joined) if columns.delimiter == " " else joined
    for parts in columns.split(joined):
        cells = [part.replace(_KEPT_BLANK, " ").strip() for part in parts]
        if len(cells) <= columns.last_of_pair:
            continue
        match = _pair(cells, columns)
        if match is None:
            continue
        is_sexagesimal = match["ra"] is None and match["dec"] is None
        if len(cells) == columns.count and (is_sexagesimal or not _is_shifted(cells, columns)):
            return cells
        # An empty cell or a comment with blanks moves the others: only h, d or colons are surely the pair.
        if is_sexagesimal:
            return cells[: columns.last_of_pair + 1]
    return None


def _is_shifted(cells: Sequence[str], columns: Columns) -> bool:
    """Return whether a number stands in the place of a name, or of half of a column's name before RA."""
    return any(
        _DECIMAL.fullmatch(cells[at]) is not None
        and (at in columns.names or (columns.delimiter == " " and "(" not in columns.header_names[at]))
        for at in range(columns.ra)
    )


def _pair(cells: Sequence[str], columns: Columns) -> re.Match[str] | None:
    if columns.ra == columns.dec:
        match = _PAIR.fullmatch(cells[columns.ra].strip("()"))
    else:
        ra, dec = cells[columns.ra], cells[columns.dec]
        if _RA_CELL.fullmatch(ra) is None or _DEC_CELL.fullmatch(dec) is None:
            return None
        match = _PAIR.fullmatch(f"{ra} {dec}")
    return match if match is not None and value_of(match) is not None else None


def _position(cells: Sequence[str], columns: Columns, containment: float | None) -> ReportedPosition | None:
    match = _pair(cells, columns)
    written = None if match is None else value_of(match, bare_hours=columns.is_hours)
    if written is None:
        return None
    radius = _radius(cells, columns)
    redshift, redshift_error = _number(cells, columns, "redshift", maximum=10)
    distance, distance_error = _distance(cells, columns)
    return ReportedPosition(
        ra=written.ra,
        dec=written.dec,
        name=_name(cells, columns),
        radius=radius,
        containment=None if radius is None else containment,
        redshift=redshift,
        redshift_error=redshift_error,
        distance=distance,
        distance_error=distance_error,
        time=_time(cells, columns),
        magnitude=_magnitude(cells, columns),
    )


def _cell(cells: Sequence[str], columns: Columns, kind: str) -> str:
    at = columns.others.get(kind)
    return "" if at is None or at >= len(cells) else cells[at]


def _name(cells: Sequence[str], columns: Columns) -> str:
    names = [cells[at] for at in columns.names if at < len(cells)]
    for name in names:
        best = _BEST_NAME.match(name)
        if best is not None:
            return best[0]
    for name in names:
        if name.isdecimal() and columns.counts_sources:
            return f"source {int(name)}"
        if _NAME.fullmatch(name) is not None and name.casefold() not in ("none", "n/a", "na", "nan"):
            return name
    return ""


def _number(
    cells: Sequence[str], columns: Columns, kind: str, *, maximum: float
) -> tuple[float | None, float | None]:
    match = _VALUE.fullmatch(_cell(cells, columns, kind))
    if match is None or not 0 < float(match["value"]) < maximum or "." not in match["value"]:
        return None, None
    error = match["error"] or _cell(cells, columns, f"{kind} error")
    is_error = re.fullmatch(r"\d{0,5}\.\d{1,9}", error) is not None
    return float(match["value"]), float(error) if is_error else None


def _distance(cells: Sequence[str], columns: Columns) -> tuple[float | None, float | None]:
    match = _LENGTH.fullmatch(_cell(cells, columns, "distance"))
    unit = None if match is None else match["unit"] or columns.distance_unit
    if match is None or unit is None or float(match["value"]) <= 0:
        return None, None
    factor = 1000.0 if unit == "Gpc" else 1.0
    error = match["error"]
    return float(match["value"]) * factor, None if error is None else float(error) * factor


def _radius(cells: Sequence[str], columns: Columns) -> float | None:
    match = _ANGLE.fullmatch(_cell(cells, columns, "radius"))
    unit = None if match is None else match["unit"] or columns.radius_unit
    if match is None or unit is None:
        return None
    radius = degrees_of(match["value"], unit)
    return radius if 0 < radius < 90 else None


def _magnitude(cells: Sequence[str], columns: Columns) -> str:
    match = _MAGNITUDE.fullmatch(_cell(cells, columns, "magnitude"))
    if match is None or not 5 <= float(match["value"]) <= 30:
        return ""
    band = match["band"] or _cell(cells, columns, "filter") or columns.band
    if band.casefold() in ("ab", "mag", "vega"):
        band = _cell(cells, columns, "filter") or columns.band
    return f"{band[:12]} = {match['value']}" if band else match["value"]


def _time(cells: Sequence[str], columns: Columns) -> datetime | None:
    match = _TIME.fullmatch(_cell(cells, columns, "time"))
    if match is None:
        return None
    year, month, day, hour, minute = (int(match[number]) for number in range(1, 6))
    try:
        return datetime(
            year,
            month,
            day,
            hour,
            minute,
            int(match[6] or 0),
            int((match[7] or "0").ljust(6, "0")),
            tzinfo=UTC,
        )
    except ValueError:
        return None


def _containment_in_legend(behind: str, columns: Columns) -> float | None:
    """Return the containment of a table's errors by a line below it: "… = radius of 90% containment"."""
    at = columns.others.get("radius")
    if at is None:
        return None
    name = degrees_in(columns.header_names[at])[0].strip()
    start = behind.casefold().find(name.casefold())
    if start < 0:
        return None
    legend = behind[start : start + 240].partition("\n\n")[0]
    percents = {match[1] for match in re.finditer(r"(\d\d(?:\.\d{1,2})?) ?%", legend)}
    return containment_of(percents.pop()) if len(percents) == 1 else None
