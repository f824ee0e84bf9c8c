"""Parsing of sky positions as people write them: sexagesimal in its usual spellings, degrees, galactic.

It is written here and not taken from astropy's SkyCoord, which accepts ambiguous text and whose errors don't
help a person to correct it. The patterns are for text in one spelling (`bot.runtime.typed_text`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from bot.runtime.typed_text import normalize_typed_text

EXAMPLE_POSITION = "13h09m48s -23d22m53s or 197.45 -23.38"
_MAX_LENGTH = 240
"""The number of characters that are parsed; no position is longer."""

_CHARACTER_VARIANTS = str.maketrans({"°": "d", ";": ",", "|": ",", **dict.fromkeys("()[]{}", " ")})
"""Replacements of one character by one, so that offsets in the text stay the same."""
_FRACTION_AFTER_UNIT = re.compile(r"(?<=\d)(h|m|s|d|''|'|\")(\.\d+)", re.IGNORECASE)
"""48s.1 and 53".3, as tables print them."""

_NUMBER = r"(?:\d{1,9}(?:\.\d{0,25})?|\.\d{1,25})"
_DECIMAL = rf"(?:\d\.\d{{1,25}}e[+-]?\d{{1,2}}|{_NUMBER})"
_SIGN = r"(?P<sign>[+\u2014-]?)(?P<gap>\s?)"
_HOUR = r"(?:hours?|hrs?|h)"
_DEGREE = r"(?:degrees|degree|degs|deg|d)"
_ARC_MINUTE = r"(?:arcmins?|amin|mins?|m|')"
_ARC_SECOND = r"(?:arcsecs?|asec|secs?|s|''|\")"
_NOT_A_LENGTH = rf"(?!\s*(?:[kmg]?pc|arcmin|{_DEGREE})\b)"
"""A lookahead: in "-23d22m 40 Mpc" and "-23d22m 5 deg" the last number follows the position."""
_SEPARATOR = r"(?:\s*[,&/]\s*(?:and\s+)?|\s+(?:and\s+)?|(?=[+-]))"
_BLANKS = r"(?:\s*,\s*|\s+)"

_EQUINOX = r"(?:equinox|epoch|eq\.?|frame)[\s=:]*+"
_GOOD_FRAME = (
    rf"(?:(?:{_EQUINOX})?(?:j\s?2000(?:\.0*+)?|icrs|fk5)|{_EQUINOX}2000(?:\.0*+)?|equatorial)(?![\w.+-])"
)
_GALACTIC_FRAME = r"(?:galactic(?:\s+coord(?:inate)?s?)?|gal\b\.?)"
_OTHER_FRAME = (
    r"(?:b\s?1[89]\d\d(?:\.\d*+)?|j\s?(?:19|20)\d\d(?:\.\d*+)?|fk[34]|jnow|of\s+date|apparent"
    rf"|{_EQUINOX}[bj]?\d{{4}}(?:\.\d*+)?|ecliptic|supergalactic|altaz|horizontal)"
)
# Atomic, so that no text is tried in more than one way.
_FRAMES = rf"(?>{_GOOD_FRAME}|{_GALACTIC_FRAME}|{_OTHER_FRAME})(?![\w.+-])"
_LABEL_SUFFIX = (
    rf"(?:[\s_]*+(?>{_GOOD_FRAME}|{_OTHER_FRAME}|2000(?:\.0*+)?|deg|hms|dms|d|h)(?!\w))*+"
    r"(?![^\W\d_])\s*+[=:]*+\s*+"
)
_RA_WORD = r"(?<![^\W\d_])(?:right\s+ascension|r\.\s?a\.?|ra|alpha|α)(?:_?j?2000(?:\.0)?+)?+"
_DEC_WORD = r"(?<![^\W\d_])(?:declination|decl?\.?|de|delta|δ)(?:_?j?2000(?:\.0)?+)?+"
_RA_LABEL = rf"(?P<ralabel>\"?{_RA_WORD}\"?{_LABEL_SUFFIX})"
_DEC_LABEL = rf"(?P<declabel>\"?{_DEC_WORD}\"?{_LABEL_SUFFIX})"
_BOTH_LABELS = rf"(?P<bothlabels>{_RA_WORD}{_LABEL_SUFFIX}[\s,/&]*(?:and\s+)?{_DEC_WORD}{_LABEL_SUFFIX})"
_L_LABEL = r"(?<!\w)(?:gal\w*\s+)?(?:glon|lii|l)\s*[=:]?\s*"
_B_LABEL = r"(?:glat|bii|b)\s*[=:]?\s*"

_HOURS = (
    rf"(?P<h>{_NUMBER})\s*{_HOUR}(?:\s*(?P<hm>{_NUMBER})\s*(?:mins?|m|')"
    rf"(?:\s*(?P<hs>{_NUMBER})\s*(?:secs?|s|''|\")?)?)?"
)
_HOURS_COLONS = rf"(?P<h>\d{{1,9}}):(?P<hm>{_NUMBER})(?::(?P<hs>{_NUMBER}))?"
_HOURS_BLANKS = rf"(?P<h>\d{{1,2}})\s+(?P<hm>\d{{1,2}})\s+(?P<hs>{_NUMBER})"
_RA_DEGREES = rf"(?P<rasign>[+-]?)(?P<ra>{_DECIMAL})"
_RA_ARC = (
    rf"(?P<rasign>[+-]?)(?P<ra>{_DECIMAL})\s*(?P<raunit>{_DEGREE})"
    rf"(?:\s*(?P<ram>{_NUMBER})\s*{_ARC_MINUTE}(?:\s*(?P<ras>{_NUMBER})\s*{_ARC_SECOND}?)?)?"
)
_DEC_COLONS = rf"{_SIGN}(?P<d>\d{{1,9}}):(?P<dm>{_NUMBER})(?::(?P<ds>{_NUMBER}))?"
_DEC_ARC = (
    rf"{_SIGN}(?P<d>{_DECIMAL})\s*(?P<decunit>{_DEGREE})"
    rf"(?:\s*(?P<dm>{_NUMBER})\s*{_ARC_MINUTE}"
    rf"(?:\s*(?P<ds>{_NUMBER}){_NOT_A_LENGTH}\s*{_ARC_SECOND}?)?)?"
)
_DEC_BLANKS = rf"{_SIGN}(?P<d>\d{{1,2}})\s+(?P<dm>\d{{1,2}})\s+(?P<ds>{_NUMBER}){_NOT_A_LENGTH}"
_DEC_DEGREES = rf"{_SIGN}(?P<d>{_DECIMAL})"
_END = r"(?=[\s,]|$)"
_BEFORE = rf"\s*+(?P<framesbefore>(?:{_FRAMES}[\s,:=]*+){{0,3}}+)"
_AFTER = rf"(?P<framesafter>(?:[\s,]++{_FRAMES}){{0,3}}+)(?:\s*+$)?"


def _pattern(ra: str, dec: str, separator: str = _SEPARATOR) -> re.Pattern[str]:
    labels = rf"(?:{_BOTH_LABELS}|{_RA_LABEL})?"
    return re.compile(rf"{_BEFORE}{labels}{ra}{separator}{_DEC_LABEL}?{dec}{_END}{_AFTER}", re.IGNORECASE)


def _reversed(dec: str, ra: str) -> re.Pattern[str]:
    return re.compile(rf"{_BEFORE}{_DEC_LABEL}{dec}{_SEPARATOR}{_RA_LABEL}{ra}{_END}{_AFTER}", re.IGNORECASE)


_DEC_MARKED = (_DEC_COLONS, _DEC_ARC)


@cache
def _blank_patterns() -> tuple[re.Pattern[str], ...]:
    """Return the patterns with blanks in the place of units."""
    return (
        # 13 09 48.1 -23 22 53: the sign, or three numbers each, distinguish it from degrees and what follows.
        _pattern(_HOURS_BLANKS, _DEC_BLANKS, _BLANKS),
        _pattern(
            rf"(?P<h>\d{{1,2}})\s+(?P<hm>{_NUMBER})",
            rf"(?P<sign>[+-])(?P<gap>\s?)(?P<d>\d{{1,2}})\s+(?P<dm>{_NUMBER}){_NOT_A_LENGTH}",
            _BLANKS,
        ),
    )


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    """Return all patterns, compiled when the first position is parsed: that takes half a second."""
    return (
        *_blank_patterns(),
        # 130948.1-232253 and J130948.1-232253, a catalogue's designation of a source by its position.
        re.compile(
            rf"{_BEFORE}(?P<together>J?)(?P<h>\d\d)(?P<hm>\d\d)(?P<hs>\d\d(?:\.\d{{1,15}})?)"
            rf"\s?(?P<sign>[+-])(?P<d>\d\d)(?P<dm>\d\d)(?P<ds>\d\d(?:\.\d{{1,15}})?){_END}{_AFTER}",
            re.IGNORECASE,
        ),
        # J13094810-2322533, as in 2MASS: hundredths of seconds, tenths of arc seconds.
        re.compile(
            rf"{_BEFORE}(?P<together>J?)(?P<h>\d\d)(?P<hm>\d\d)(?P<hs>\d\d)(?P<hundredths>\d\d)"
            rf"(?P<sign>[+-])(?P<d>\d\d)(?P<dm>\d\d)(?P<ds>\d\d)(?P<tenths>\d){_END}{_AFTER}",
            re.IGNORECASE,
        ),
        *(
            _pattern(ra, dec)
            for ra in (_HOURS, _HOURS_COLONS)
            for dec in (*_DEC_MARKED, _DEC_BLANKS, _DEC_DEGREES)
        ),
        *(_pattern(ra, dec) for ra in (_RA_ARC, _RA_DEGREES) for dec in (*_DEC_MARKED, _DEC_DEGREES)),
        *(
            _reversed(dec, ra)
            for dec in (*_DEC_MARKED, _DEC_BLANKS, _DEC_DEGREES)
            for ra in (_HOURS, _HOURS_COLONS, _HOURS_BLANKS, _RA_ARC, _RA_DEGREES)
        ),
    )


_GALACTIC_PATTERN = re.compile(
    rf"{_BEFORE}(?:(?P<lblabel>{_L_LABEL.replace('[=:]?', '')}[,/]?\s*{_B_LABEL})|(?P<llabel>{_L_LABEL}))"
    rf"(?P<l>[+-]?{_DECIMAL})\s*{_DEGREE}?{_SEPARATOR}(?:{_B_LABEL})?{_SIGN}(?P<b>{_DECIMAL})"
    rf"(?:\s*{_DEGREE})?{_END}{_AFTER}",
    re.IGNORECASE,
)

_GALACTIC_TO_ICRS = (
    (-0.05487565771259218, 0.49410943719272665, -0.8676661375596585),
    (-0.8734370519556162, -0.4448297212232957, -0.19807633727300056),
    (-0.4838350736167156, 0.7469821839866677, 0.45598381368730206),
)
"""Rotation of unit vectors, that of astropy: Reid & Brunthaler 2004 (ApJ 616, 872), from FK5 to ICRS."""


class InvalidPosition(ValueError):
    """The words are no valid position; the message is one sentence for a person."""

    is_certain = False
    """Its spelling alone tells that a position was meant."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionMatch:
    """A position, and where it stands in a text."""

    ra: float
    """ICRS degrees, 0 to 360."""
    dec: float
    """ICRS degrees, −90 to 90."""
    start: int
    end: int
    """Offset of the first character that doesn't belong to it."""
    is_certain: bool
    """Its spelling alone tells RA and Dec from other numbers of the line: labels, colons, units."""
    has_sign: bool = True
    """Its declination or latitude has a sign."""
    is_designation: bool = False
    """It is part of a name, as in J130948.1-232253."""
    galactic: tuple[float, float] | None = None
    """Galactic longitude and latitude in degrees if it was written so."""


def parse_position(words: Sequence[str]) -> ParsedPosition:
    """Parse the position that the words begin with; words after it are left to the caller.

    RA with h, colons or blanks is in hours, a single number in degrees. Raises InvalidPosition.
    """
    text = " ".join("".join(normalize_typed_text(word).split()) for word in words)
    found = match_position(text)
    if found is None:
        raise UnrecognizedPosition(f"That is no position; write it like {EXAMPLE_POSITION}.")
    return ParsedPosition(found.ra, found.dec, text[: found.end].count(" ") + 1)


def match_position(text: str, start: int = 0) -> PositionMatch | None:
    """Return the position that begins at an offset of the text, None if none does.

    Raises InvalidPosition for one that is out of range, ambiguous, or in a frame that isn't converted.
    """
    piece = text[start : start + _MAX_LENGTH].translate(_CHARACTER_VARIANTS)
    piece = _FRACTION_AFTER_UNIT.sub(r"\2\1", piece)
    galactic = _GALACTIC_PATTERN.match(piece)
    if galactic is not None:
        _refuse_other_frames(galactic)
        return _from_galactic(galactic, start)
    for pattern in _patterns():
        match = pattern.match(piece)
        if match is not None:
            return _from_match(match, start)
    return None


def _from_match(match: re.Match[str], start: int) -> PositionMatch:
    groups = match.groupdict()
    if _is_galactic(match):
        if groups.get("ra") is None or groups.get("ralabel") or groups.get("ram"):
            raise InvalidPosition("A galactic position is written like l=308.4 b=39.3, in degrees.")
        return _from_galactic(match, start)
    is_certain = _is_certain(groups, match.re)
    try:
        _refuse_other_frames(match)
        ra, dec = _right_ascension(match), _declination(match)
    except InvalidPosition as error:
        error.is_certain = is_certain
        raise
    return PositionMatch(
        ra=ra,
        dec=dec,
        start=start,
        end=start + match.end(),
        is_certain=is_certain,
        has_sign=bool(groups["sign"]),
        is_designation=bool(groups.get("together")),
    )


def _is_certain(groups: dict[str, str | None], pattern: re.Pattern[str]) -> bool:
    """Return whether neither a number before the position nor one after it could be part of it."""
    if groups.get("together") is not None or groups.get("bothlabels"):
        return True
    labelled = bool(groups.get("ralabel"))
    in_blanks = pattern in _blank_patterns()
    if in_blanks and not labelled:
        # Six numbers, or four of which the last has a fraction; the sign tells where RA ends.
        complete = groups.get("ds") is not None or "." in (groups["dm"] or "")
        return bool(groups["sign"]) and complete
    ra_is_marked = labelled or groups.get("h") is not None or groups.get("raunit") is not None
    # In "0.04 12:57:13" and "12.5 -5°" the first number may be no RA, and the second the RA of the next.
    dec_is_marked = any(groups.get(name) for name in ("declabel", "decunit", "dm"))
    return ra_is_marked and dec_is_marked


def _is_galactic(match: re.Match[str]) -> bool:
    frames = f"{match['framesbefore']} {match['framesafter']}"
    return re.search(rf"(?<!super){_GALACTIC_FRAME}", frames, re.IGNORECASE) is not None


def _refuse_other_frames(match: re.Match[str]) -> None:
    """Raise InvalidPosition for a frame that isn't ICRS, FK5 at J2000 or galactic."""
    labels = (match.groupdict().get(name) or "" for name in ("bothlabels", "ralabel", "declabel"))
    frames = " ".join((match["framesbefore"], match["framesafter"], *labels))
    other = re.search(rf"(?<![\w.]){_OTHER_FRAME}|supergalactic", frames, re.IGNORECASE)
    if other is not None and not re.fullmatch(rf"{_GOOD_FRAME}", other[0].strip(), re.IGNORECASE):
        raise InvalidPosition(
            f"Positions in {other[0].strip()} aren't converted; give RA and Dec in ICRS (J2000)."
        )


def _from_galactic(match: re.Match[str], start: int) -> PositionMatch:
    groups = match.groupdict()
    longitude = float(groups.get("l") or f"{groups['rasign']}{groups['ra']}")
    latitude_text = groups.get("b") or groups["d"] or ""
    if groups.get("b") is None and groups.get("dm") is not None:
        raise InvalidPosition("A galactic position is written like l=308.4 b=39.3, in degrees.")
    _refuse_gap(groups, latitude_text)
    latitude = -float(latitude_text) if groups["sign"] == "-" else float(latitude_text)
    if not -180 <= longitude <= 360:
        raise InvalidPosition(f"Galactic longitude {longitude:.12g} isn't between 0° and 360°.")
    if abs(latitude) > 90:
        raise InvalidPosition(f"Galactic latitude {latitude:.12g} isn't between −90° and +90°.")
    ra, dec = icrs_from_galactic(longitude % 360, latitude)
    return PositionMatch(
        ra=ra,
        dec=dec,
        start=start,
        end=start + match.end(),
        is_certain=bool(groups.get("llabel") or groups.get("lblabel")),
        has_sign=bool(groups["sign"]),
        galactic=(longitude % 360, latitude),
    )


def icrs_from_galactic(longitude: float, latitude: float) -> tuple[float, float]:
    """Return (RA, Dec), ICRS degrees, of a galactic position in degrees."""
    lon, lat = math.radians(longitude), math.radians(latitude)
    vector = (math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat))
    x, y, z = (sum(a * b for a, b in zip(row, vector, strict=True)) for row in _GALACTIC_TO_ICRS)
    return math.degrees(math.atan2(y, x)) % 360, math.degrees(math.atan2(z, math.hypot(x, y)))


def _right_ascension(match: re.Match[str]) -> float:
    groups = match.groupdict()
    if groups.get("h") is not None:
        seconds = groups.get("hs")
        if groups.get("hundredths") is not None:
            seconds = f"{seconds}.{groups['hundredths']}"
        hours = _sexagesimal("RA", groups["h"], groups.get("hm"), seconds)
        if not 0 <= hours <= 24:
            written = _outside(24, "hms", groups["h"], groups.get("hm"), seconds)
            raise InvalidPosition(f"RA {written} isn't between 0h and 24h.")
        return hours * 15 % 360
    degrees = _sexagesimal("RA", groups["ra"], groups.get("ram"), groups.get("ras"))
    if not 0 <= degrees <= 360 or groups["rasign"] == "-":
        written = _outside(360, "°′″", groups["ra"], groups.get("ram"), groups.get("ras"))
        raise InvalidPosition(f"RA {groups['rasign']}{written} isn't between 0° and 360°.")
    return degrees % 360


def _declination(match: re.Match[str]) -> float:
    groups = match.groupdict()
    _refuse_gap(groups, groups["d"])
    seconds = groups.get("ds")
    if groups.get("tenths") is not None:
        seconds = f"{seconds}.{groups['tenths']}"
    degrees = _sexagesimal("Dec", groups["d"], groups.get("dm"), seconds)
    if degrees > 90:
        written = _outside(90, "°′″", groups["d"], groups.get("dm"), seconds)
        raise InvalidPosition(f"Dec {groups['sign']}{written} isn't between −90° and +90°.")
    # The sign is parsed apart from the number, because −00°30′ is south of the equator.
    return -degrees if groups["sign"] == "-" else degrees


def _refuse_gap(groups: dict[str, str], whole: str) -> None:
    """Refuse a dash with a blank after it, which may be a minus or separate RA and Dec."""
    if groups["sign"] == "\u2014" or (groups["sign"] == "-" and groups.get("gap")):
        raise InvalidPosition(
            f"“{groups['sign']} {whole}” may be a minus or only a dash: write -{whole} or +{whole}."
        )


def _outside(limit: float, marks: str, whole: str, minutes: str | None, seconds: str | None) -> str:
    """Return a number that is beyond a limit, with as many of its parts as show that it is.

    `marks` has the signs of the whole, of minutes and of seconds. Degrees alone have none: "361".
    """
    if float(whole) > limit or minutes is None:
        return f"{whole}{'h' if marks[0] == 'h' else ''}"
    last = "" if seconds is None else f"{seconds}{marks[2]}"
    return f"{whole}{marks[0]}{minutes}{marks[1]}{last}"


def _sexagesimal(name: str, whole: str, minutes: str | None, seconds: str | None) -> float:
    for part, what in ((minutes, "minutes"), (seconds, "seconds")):
        if part is not None and float(part) >= 60:
            raise InvalidPosition(f"{name} has {part} {what}, and 60 is the next whole.")
    fractions = [("." in whole, whole, minutes), ("." in (minutes or ""), minutes, seconds)]
    for has_fraction, part, smaller in fractions:
        if has_fraction and smaller is not None:
            unit = "minutes and seconds" if part is minutes else "and minutes"
            raise InvalidPosition(f"{name} has {part} {unit} too: one of them has the fraction.")
    return float(whole) + float(minutes or 0) / 60 + float(seconds or 0) / 3600
