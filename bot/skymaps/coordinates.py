"""Parsing of sky positions as people write them: sexagesimal in its common spellings, or decimal degrees.

It is written here and not taken from astropy's SkyCoord, which accepts ambiguous text and whose errors don't
help a person to correct it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

EXAMPLE_POSITION = "13h09m48s -23d22m53s or 197.45 -23.38"
_MAX_LENGTH = 120
"""The number of characters that are parsed; no position is longer."""

_CHARACTER_VARIANTS = str.maketrans(
    {
        "\u2212": "-",  # minus
        "\u2013": "-",  # en dash
        "\u2010": "-",  # hyphen
        "\u02b0": "h",
        "\u1d50": "m",
        "\u02e2": "s",
        "\u00b0": "d",
        "\u00ba": "d",
        "\u2032": "'",
        "\u2019": "'",
        "\u2033": '"',
        "\u201d": '"',
        "\u201c": '"',
        "\u00a0": " ",
        ";": ",",
    }
)
"""Replacements of one character by one, so that offsets in the text stay the same."""

_NUMBER = r"\d{1,9}(?:\.\d{0,15})?"
_DEGREE = r"(?:degrees|degree|degs|deg|d)"
_MINUTE = r"(?:arcmin|m|')"
_SECOND = r"(?:arcsec|s|''|\")"
_NOT_A_LENGTH = rf"(?!\s*(?:[kmg]pc|arcmin|{_DEGREE})\b)"
"""A lookahead: in "-23d22m 40 Mpc" and "-23d22m 5 deg" the last number follows the position."""
_SEPARATOR = r"(?:\s*,\s*|\s+|(?=[+-]))"
_RA_NAME = r"(?:(?:r\.?a\.?|α)\s*[=:]?\s*)?"
_DEC_NAME = r"(?:(?:decl?\.?|de|δ)\s*[=:]?\s*)?"
_HOURS = rf"(?P<h>{_NUMBER})\s*h(?:\s*(?P<hm>{_NUMBER})\s*m(?:\s*(?P<hs>{_NUMBER})\s*s?)?)?"
_RA_ARC = (
    rf"(?P<ra>[+-]?{_NUMBER})"
    rf"(?:\s*{_DEGREE}(?:\s*(?P<ram>{_NUMBER})\s*{_MINUTE}(?:\s*(?P<ras>{_NUMBER})\s*{_SECOND}?)?)?)?"
)
_DEC_ARC = (
    rf"(?P<sign>[+-]?)\s?(?P<d>{_NUMBER})"
    rf"(?:\s*{_DEGREE}(?:\s*(?P<dm>{_NUMBER})\s*{_MINUTE}"
    rf"(?:\s*(?P<ds>{_NUMBER}){_NOT_A_LENGTH}\s*{_SECOND}?)?)?)?"
)
_RA_COLONS = rf"(?P<h>\d{{1,9}}):(?P<hm>{_NUMBER})(?::(?P<hs>{_NUMBER}))?"
_DEC_COLONS = rf"(?P<sign>[+-]?)(?P<d>\d{{1,9}}):(?P<dm>{_NUMBER})(?::(?P<ds>{_NUMBER}))?"
_END = r"(?=[\s,]|$)"


def _pattern(ra: str, dec: str, separator: str = _SEPARATOR) -> re.Pattern[str]:
    return re.compile(rf"{_RA_NAME}{ra}{separator}{_DEC_NAME}{dec}{_END}", re.IGNORECASE)


_PATTERNS = (
    # 13 09 48.1 -23 22 53: the sign, or three numbers each, distinguish it from degrees and what follows.
    _pattern(
        rf"(?P<h>\d{{1,2}})\s+(?P<hm>\d{{1,2}})\s+(?P<hs>{_NUMBER})",
        rf"(?P<sign>[+-]?)(?P<d>\d{{1,2}})\s+(?P<dm>\d{{1,2}})\s+(?P<ds>{_NUMBER})",
        r"(?:\s*,\s*|\s+)",
    ),
    _pattern(
        rf"(?P<h>\d{{1,2}})\s+(?P<hm>{_NUMBER})",
        rf"(?P<sign>[+-])(?P<d>\d{{1,2}})\s+(?P<dm>{_NUMBER})",
        r"(?:\s*,\s*|\s+)",
    ),
    *(_pattern(ra, dec) for ra in (_HOURS, _RA_COLONS) for dec in (_DEC_COLONS, _DEC_ARC)),
    _pattern(_RA_ARC, _DEC_ARC),
    # J130948.1-232253, a catalogue's designation of a source by its position.
    re.compile(
        r"J(?P<h>\d\d)(?P<hm>\d\d)(?P<hs>\d\d(?:\.\d{1,15})?)"
        rf"(?P<sign>[+-])(?P<d>\d\d)(?P<dm>\d\d)(?P<ds>\d\d(?:\.\d{{1,15}})?){_END}",
        re.IGNORECASE,
    ),
)


class InvalidPosition(ValueError):
    """The words are no valid position; the message is one sentence for a person."""


class UnrecognizedPosition(InvalidPosition):
    """The words don't look like a position at all."""


class ParsedPosition(NamedTuple):
    """A position, and the number of words that it was parsed from."""

    ra: float
    """ICRS degrees, 0 to 360."""
    dec: float
    """ICRS degrees, −90 to 90."""
    words_used: int
    """The number of leading words that belong to the position."""


def parse_position(words: Sequence[str]) -> ParsedPosition:
    """Parse the position that the words begin with; words after it are left to the caller.

    RA with h, colons or blanks is in hours, a single number in degrees. Raises InvalidPosition.
    """
    text = " ".join(words)[:_MAX_LENGTH].translate(_CHARACTER_VARIANTS)
    for pattern in _PATTERNS:
        match = pattern.match(text)
        if match is not None:
            ra, dec = _right_ascension(match), _declination(match)
            return ParsedPosition(ra, dec, text[: match.end()].count(" ") + 1)
    raise UnrecognizedPosition(f"That is no position; write it like {EXAMPLE_POSITION}.")


def _right_ascension(match: re.Match[str]) -> float:
    groups = match.groupdict()
    if groups.get("h") is not None:
        hours = _sexagesimal("RA", groups["h"], groups.get("hm"), groups.get("hs"))
        if not 0 <= hours <= 24:
            raise InvalidPosition(f"RA {groups['h']}h isn't between 0h and 24h.")
        return hours * 15 % 360
    degrees = _sexagesimal("RA", groups["ra"], groups["ram"], groups["ras"])
    if not 0 <= degrees <= 360 or groups["ra"].startswith("-"):
        raise InvalidPosition(f"RA {groups['ra']} isn't between 0° and 360°.")
    return degrees % 360


def _declination(match: re.Match[str]) -> float:
    groups = match.groupdict()
    degrees = _sexagesimal("Dec", groups["d"], groups.get("dm"), groups.get("ds"))
    if degrees > 90:
        raise InvalidPosition(f"Dec {groups['sign']}{groups['d']} isn't between −90° and +90°.")
    # The sign is parsed apart from the number, because −00°30′ is south of the equator.
    return -degrees if groups["sign"] == "-" else degrees


def _sexagesimal(name: str, whole: str, minutes: str | None, seconds: str | None) -> float:
    for part, what in ((minutes, "minutes"), (seconds, "seconds")):
        if part is not None and float(part) >= 60:
            raise InvalidPosition(f"{name} has {part} {what}, and 60 is the next whole.")
    if seconds is not None and "." in (minutes or ""):
        raise InvalidPosition(f"{name} has {minutes} minutes and seconds too: one of them has the fraction.")
    return float(whole) + float(minutes or 0) / 60 + float(seconds or 0) / 3600
