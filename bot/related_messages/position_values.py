"""Spellings of right ascension and declination in texts of GCN Circulars, and their values in degrees.

`bot.skymaps.coordinates` parses what a person types to be checked, and asks where it is unsure. Here nobody
can be asked: a spelling that isn't surely a coordinate isn't matched. All patterns are for text from
`normalize_text`, and all repetitions in them are bounded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.skymaps.coordinates import icrs_from_galactic

_REPLACEMENTS = (
    *((dash, "-") for dash in "\u2010\u2011\u2012\u2013\u2014\u2212\ufe63\uff0d"),
    *((mark, "'") for mark in "\u2032\u2018\u2019\u02b9\u00b4"),
    *((mark, '"') for mark in "\u2033\u201c\u201d\u02ba"),
    *((mark, "°") for mark in "\u00ba\u02da"),
    *((blank, " ") for blank in "\u00a0\u2002\u2003\u2005\u2007\u2009\u202f\u3000"),
    *((mark, "~") for mark in "\u2248\u223c\u2243"),
    ("\u02b0", "h"), ("\u1d50", "m"), ("\u02e2", "s"), ("\u1d48", "d"),
    ("\u03b1", "alpha"), ("\u03b4", "delta"),
)  # fmt: skip
"""Characters with the same meaning in a coordinate, in one spelling."""
_ASCII_REPLACEMENTS = (
    ("\r\n", "\n"), ("\r", "\n"), ("+/-", "±"), ("''", '"'), ("**", ""), ("$", ""),
    ("\\pm", "±"), ("^{\\circ}", "°"), ("^\\circ", "°"), ("^{h}", "h"), ("^{m}", "m"), ("^{s}", "s"),
    ("^h", "h"), ("^m", "m"), ("^s", "s"), ("^d", "d"),
)  # fmt: skip


def normalize_text(text: str) -> str:
    """Return a text with one spelling of dashes, marks of minutes and seconds, blanks and ±."""
    if not text.isascii():
        for old, new in _REPLACEMENTS:
            text = text.replace(old, new)
    for old, new in _ASCII_REPLACEMENTS:
        text = text.replace(old, new)
    return text


_SECONDS = r"\d{1,2}(?:\.\d{0,9})?"
RA_VALUE = (
    r"(?:(?P<h>\d{1,2})[^\S\n]?h(?:rs?|ours?)?[:\s]?[^\S\n]?(?P<hm>\d{1,2}(?:\.\d{1,9})?)[^\S\n]?(?:min|m|')"
    rf"(?:[:\s]?[^\S\n]?(?P<hs>{_SECONDS})(?![\d.:]|[^\S\n]?[d°h])[^\S\n]?(?:(?:sec|s|\")(?P<hf>\.\d{{1,9}})?)?)?"
    rf"|(?P<ch>\d{{1,2}}):(?P<cm>\d{{1,2}}(?:\.\d{{1,9}})?+)(?::(?P<cs>{_SECONDS}))?"
    rf"|(?P<bh>\d{{1,2}})[^\S\n]{{1,2}}(?P<bm>\d{{1,2}})[^\S\n]{{1,2}}(?P<bs>{_SECONDS})"
    r"|(?P<ra>\d{1,3}(?:\.\d{0,12})?+)(?:[^\S\n]?(?P<raunit>degrees|degs?|°|d|hours?|hrs?|h)(?![\w:.]))?)"
    r"(?![\w:]|\.\d)"
)
"""A right ascension with its unit; a bare number is in degrees."""
_DEC_MARKED = (
    r"(?P<d>\d{1,2})[^\S\n]?(?:degrees|deg|d|°)[:\s]?[^\S\n]?(?P<dm>\d{1,2}(?:\.\d{1,9})?)"
    r"[^\S\n]?(?:arcmin|min|m|p|')"
    rf"(?:[:\s]?[^\S\n]?(?P<ds>{_SECONDS})(?![\d.:]|[^\S\n]?[kMG]pc)"
    r"[^\S\n]?(?:(?:arcsec|sec|s|\")(?P<df>\.\d{1,9})?)?)?"
)
_DEC_COLONS = rf"(?P<cd>\d{{1,2}}):(?P<cdm>\d{{1,2}}(?:\.\d{{1,9}})?+)(?::(?P<cds>{_SECONDS}))?"
_DEC_END = r"(?![\w:]|\.\d)(?![^\S\n]?(?:-|to\b)[^\S\n]?[+-]?\d)"
DEC_VALUE = (
    rf"(?P<sign>[+-]?)(?:{_DEC_MARKED}|{_DEC_COLONS}"
    rf"|(?P<bd>\d{{1,2}})[^\S\n]{{1,2}}(?P<bdm>\d{{1,2}})[^\S\n]{{1,2}}(?P<bds>{_SECONDS})"
    r"|(?P<dec>\d{1,2}(?:\.\d{0,12})?+)(?:[^\S\n]?(?P<decunit>degrees|degs?|°|d)(?![\w:.]))?)"
    rf"{_DEC_END}"
)
"""A declination with its sign; a range ("-20 to -10") isn't one."""
RA_HMS = (
    r"(?P<h>\d{1,2})[^\S\n]?h[^\S\n]{0,2}(?P<hm>\d{1,2})[^\S\n]?m[^\S\n]{0,2}"
    rf"(?P<hs>{_SECONDS})[^\S\n]?s(?P<hf>\.\d{{1,9}})?(?![\w:])"
)
DEC_DMS = (
    r"(?P<sign>[+-]?)(?P<d>\d{1,2})[^\S\n]?(?:deg|d|°)[^\S\n]{0,2}(?P<dm>\d{1,2})[^\S\n]?[mp'][^\S\n]{0,2}"
    rf"(?P<ds>{_SECONDS})[^\S\n]?[s\"]?(?P<df>\.\d{{1,9}})?{_DEC_END}"
)


@dataclass(frozen=True, slots=True)
class WrittenPosition:
    """A position as a text gives it."""

    ra: float
    """ICRS degrees, 0 ≤ ra < 360."""
    dec: float
    """ICRS degrees."""
    step: float
    """Degrees by which the last written digit of the coarser coordinate counts."""
    is_sexagesimal: bool


def value_of(match: re.Match[str], *, bare_hours: bool = False) -> WrittenPosition | None:
    """Return the position of a match of an RA and a Dec pattern, None for one that is out of range.

    `bare_hours` says that a bare number is a right ascension in hours (a column's header says so).
    """
    groups = match.groupdict()
    ra = _right_ascension(groups, bare_hours=bare_hours)
    dec = _declination(groups)
    if ra is None or dec is None or not 0 <= ra[0] < 360 or abs(dec[0]) > 90:
        return None
    # Whole degrees in both are hardly ever a position: "RA 3, Dec 5" may number anything.
    ra_text, dec_text = groups.get("ra"), groups.get("dec")
    if (
        ra_text is not None
        and dec_text is not None
        # The dot behind the last one ends the sentence.
        and "." not in ra_text.rstrip(".") + dec_text.rstrip(".")
        and not (groups.get("raunit") or groups.get("decunit"))
    ):
        return None
    return WrittenPosition(ra[0], dec[0], max(ra[1], dec[1]), ra_text is None and dec_text is None)


def galactic_value(longitude: str, latitude: str) -> WrittenPosition | None:
    """Return the position of a Galactic longitude and latitude in degrees, None if out of range."""
    lon, lat = float(longitude), float(latitude)
    if not (0 <= lon < 360 and abs(lat) <= 90):
        return None
    ra, dec = icrs_from_galactic(lon, lat)
    return WrittenPosition(ra % 360, dec, max(_step(longitude), _step(latitude)), False)


def _right_ascension(groups: dict[str, str | None], *, bare_hours: bool) -> tuple[float, float] | None:
    whole = groups.get("ra")
    if whole is not None:
        is_hours = bare_hours or (groups.get("raunit") or "").startswith("h")
        factor = 15.0 if is_hours else 1.0
        return float(whole) * factor, _step(whole) * factor
    parts = _parts(groups, ("h", "hm", "hs", "hf"), ("ch", "cm", "cs"), ("bh", "bm", "bs"))
    angle = None if parts is None else _sexagesimal(*parts)
    return None if angle is None else (angle[0] * 15, angle[1] * 15)


def _declination(groups: dict[str, str | None]) -> tuple[float, float] | None:
    whole = groups.get("dec")
    # The sign is apart from the number, because -00d30m is south of the equator.
    sign = -1.0 if groups["sign"] == "-" else 1.0
    if whole is not None:
        return sign * float(whole), _step(whole)
    parts = _parts(groups, ("d", "dm", "ds", "df"), ("cd", "cdm", "cds"), ("bd", "bdm", "bds"))
    angle = None if parts is None else _sexagesimal(*parts)
    return None if angle is None else (sign * angle[0], angle[1])


def _parts(groups: dict[str, str | None], *names: tuple[str, ...]) -> tuple[str, str, str | None] | None:
    for whole, minutes, seconds, *fraction in names:
        first, second = groups.get(whole), groups.get(minutes)
        if first is not None and second is not None:
            third = groups.get(seconds)
            behind_unit = groups.get(fraction[0]) if fraction else None
            return first, second, third if behind_unit is None or third is None else third + behind_unit
    return None


def _sexagesimal(whole: str, minutes: str, seconds: str | None) -> tuple[float, float] | None:
    """Return an angle and the step of its last digit in the unit of the first part; None for 60 and more."""
    if seconds is not None and (seconds.count(".") > 1 or "." in minutes):
        return None
    if float(minutes) >= 60 or (seconds is not None and float(seconds) >= 60):
        return None
    if seconds is None:
        return float(whole) + float(minutes) / 60, _step(minutes) / 60
    return float(whole) + float(minutes) / 60 + float(seconds) / 3600, _step(seconds) / 3600


def _step(number: str) -> float:
    return float(10.0 ** -len(number.partition(".")[2]))
