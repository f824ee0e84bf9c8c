"""Places on Earth as people type them: latitude, longitude and height in the usual spellings.

What has two readings is never guessed: a decimal comma, a sign beside a letter, two bare numbers without a
height (which may be a position on the sky). `InvalidPlace` then says the right spelling.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import pairwise

from bot.runtime.typed_text import normalize_typed_text

EXAMPLE_PLACE = "34.2N 116.9W 1700m"
_SEXAGESIMAL_EXAMPLE = "34:12:00 N 116:54:00 W"
MAX_HEIGHT_M = 8_900.0
MIN_HEIGHT_M = -500.0
"""Metres above sea level: from below the shore of the Dead Sea to above the summit of Everest."""

_EARTH_RADIUS_KM = 6_371.0
_METRES = {"km": 1_000.0, "ft": 0.3048, "feet": 0.3048}
"""Units of height other than the metre."""
_LETTER = r"(?i:north|south|east|west|[nsew])(?![^\W\d_])\.?"
_LABEL = r"(?i:latitude|lat|longitude|long|lon|lng|φ|ϕ|λ)\.?\s*[:=]?\s*"
_PART = r"\d{1,2}(?:\.\d{1,12})?"
_VALUE = (
    r"(?P<sign>[+-])?\s?(?:"
    rf"(?P<d1>\d{{1,3}}):(?P<m1>{_PART})(?::(?P<s1>{_PART}))?"
    rf"|(?P<d2>\d{{1,3}})\s?(?:°|(?i:deg))\s?(?P<m2>{_PART})\s?'(?:\s?(?P<s2>{_PART})\s?(?:\"|''))?"
    # A capital S is South, never seconds.
    rf"|(?P<d3>\d{{1,3}})(?i:d)\s?(?P<m3>{_PART})(?:m|')(?:\s?(?P<s3>{_PART})(?:s|\"))?"
    rf"|(?P<d4>\d{{1,3}})\s(?P<m4>{_PART})(?:\s(?P<s4>{_PART}))?(?=\s?{_LETTER})"
    r"|(?P<d5>\d{1,3}(?:\.\d{0,12})?|\.\d{1,12})(?:\s?(?:°|(?i:degrees?|degs?|d)(?!\w)))?"
    r")(?![\d.:])"
)
_ANGLE = re.compile(
    rf"(?P<label>{_LABEL})?(?:(?P<before>{_LETTER})\s?)?{_VALUE}"
    # A letter may touch the next number only where it touches its own: 34.2N116.9W, not 34.2 S230518h. Behind
    # N34.2 the next letter belongs to the next number.
    rf"(?(before)|(?:(?P<glued>(?i:[nsew]))(?=[\d+-])|\s?(?P<after>{_LETTER})(?!\w)|(?!\w)))"
)
_LETTER_FIRST = tuple(
    re.compile(rf"(?i:([ns]))\.?\s?{part}[\s,]{{0,3}}(?i:([ew]))\.?\s?{part}(?![\w.:])")
    for part in (rf"(\d{{1,3}})\s(\d{{1,2}})\s({_PART})", rf"(\d{{1,3}})\s({_PART})()")
)
"""N 34 12 00 W 116 54 00, N 34 12.0 W 116 54.0: as many numbers behind the one letter as behind the other."""
_HEIGHT = re.compile(
    r"(?P<label>(?i:height|elevation|elev|altitude|alt|h)\.?\s?[:=]?\s?)?"
    rf"(?P<number>[+-]?(?:\d{{1,6}}(?:\.\d{{0,12}})?|\.\d{{1,12}}))"
    rf"(?:\s?(?P<unit>(?i:masl|metres?|meters?|m|km|feet|ft)))?(?![\w.:°'])(?!\s?{_LETTER})"
)
_BETWEEN = re.compile(r"\s?[,;/]?\s?")
_NUMERIC_RUN = re.compile(r"\d[\d.,]*\d")


class InvalidPlace(ValueError):
    """Numbers that mean no one place; the message is one sentence, with the right spelling."""


@dataclass(frozen=True, slots=True)
class Place:
    """A position on Earth."""

    latitude: float
    """Geodetic latitude in degrees, north positive."""
    longitude: float
    """Longitude in degrees, -180 to 180, east positive."""
    height: float | None
    """Height in metres; None if none was given."""

    @property
    def label(self) -> str:
        """The place to two decimals: "34.20N 116.90W"."""
        north, east = "S" if self.latitude < 0 else "N", "W" if self.longitude < 0 else "E"
        return f"{abs(self.latitude):.2f}{north} {abs(self.longitude):.2f}{east}"


@dataclass(frozen=True, slots=True)
class _Angle:
    degrees: float
    axis: str | None
    """ "lat" or "lon" by its letter or label; None for a bare number."""


def normalized_characters(text: str) -> str:
    """Return typed text in one spelling (`normalize_typed_text`), in one line, with single blanks."""
    return " ".join(normalize_typed_text(text).split())


def refuse_decimal_commas(text: str) -> None:
    """Raise InvalidPlace for a comma between digits that can be a decimal comma or a separator.

    In "34.2,-116.9,1700" no comma can be one, for each stands beside a number with a point, or a sign.
    """
    for run in _NUMERIC_RUN.finditer(text):
        parts = run[0].split(",")
        for left, right in pairwise(parts):
            if left and right and "." not in left + right:
                thousands = f" (or {left}{right}, if it is thousands)" if len(right) == 3 else ""
                raise InvalidPlace(
                    f"“{left},{right}” can be read in two ways: write {left}.{right} with a point{thousands},"
                    f" or “{left} {right}” with a blank if these are two numbers."
                )


def match_place(text: str) -> tuple[Place, int] | None:
    """Match a place at the beginning of a text that `normalized_characters` returned.

    Return it with the number of characters it takes; None if the text begins with something else. Raises
    InvalidPlace for numbers that mean no one place.
    """
    opened = re.match(r"[(\[]\s?", text)
    start = 0 if opened is None else opened.end()
    found = _match_letters_first(text, start) or _match_angles(text, start)
    if found is None:
        return None
    first, second, end = found
    if opened is not None and (closed := re.match(r"\s?[)\]]", text[end:])):
        end += closed.end()
    latitude, longitude = _in_order(first, second)
    gap = _BETWEEN.match(text, end)
    assert gap is not None, "it matches nothing too"
    stated = _HEIGHT.match(text, gap.end())
    height = None
    if stated is not None:
        height = float(stated["number"]) * _METRES.get((stated["unit"] or "").casefold(), 1.0)
        end = stated.end()
        if opened is not None and (closed := re.match(r"\s?[)\]]", text[end:])):
            end += closed.end()
    _check_range(latitude, longitude, height, is_bare=first.axis is None)
    if height is None and first.axis is None:
        example = Place(latitude, _wrapped(longitude), None).label
        typed = text[start:end].strip(" ()[]")[:40]
        raise InvalidPlace(
            f"“{typed}” needs a height in metres behind it, or letters ({example}): as it is, it could be a"
            " position on the sky."
        )
    return Place(latitude, _wrapped(longitude), height), end


def distance_km(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """Return the distance between two positions (degrees) along a sphere, in kilometres."""
    phi, other = math.radians(latitude), math.radians(other_latitude)
    across = math.radians(other_longitude - longitude)
    haversine = math.sin((other - phi) / 2) ** 2 + math.cos(phi) * math.cos(other) * math.sin(across / 2) ** 2
    return 2 * _EARTH_RADIUS_KM * math.asin(math.sqrt(min(haversine, 1.0)))


def _match_letters_first(text: str, start: int) -> tuple[_Angle, _Angle, int] | None:
    for pattern in _LETTER_FIRST:
        match = pattern.match(text, start)
        if match is not None:
            values = match.groups()
            north = _lettered(values[0], _sexagesimal("", *values[1:4]))
            return north, _lettered(values[4], _sexagesimal("", *values[5:8])), match.end()
    return None


def _match_angles(text: str, start: int) -> tuple[_Angle, _Angle, int] | None:
    first = _ANGLE.match(text, start)
    if first is None:
        return None
    gap = _BETWEEN.match(text, first.end())
    assert gap is not None, "it matches nothing too"
    second = _ANGLE.match(text, gap.end())
    if second is None:
        return None
    if first["before"] and first["d4"]:
        # N 34 12 00 W 116 54: what is behind the second letter can't be told from a height.
        raise InvalidPlace(f"Write both numbers of a place alike, as in {_SEXAGESIMAL_EXAMPLE}.")
    return _angle(first), _angle(second), second.end()


def _angle(match: re.Match[str]) -> _Angle:
    form = next(n for n in "12345" if match[f"d{n}"] is not None)
    found = match.groupdict()
    degrees = _sexagesimal(
        match["sign"] or "", match[f"d{form}"], found.get(f"m{form}"), found.get(f"s{form}")
    )
    letters = [letter for letter in (match["before"], match["after"], match["glued"]) if letter]
    label = (match["label"] or "").casefold()
    axis = None if not label else "lat" if label[0] in "φϕ" or label.startswith("lat") else "lon"
    if not letters:
        return _Angle(degrees, axis)
    if match["sign"]:
        raise InvalidPlace(
            f"“{match[0].strip()}” has a sign and a letter: write only one of them, as in {EXAMPLE_PLACE}."
        )
    lettered = _lettered(letters[0], degrees)
    if axis not in (None, lettered.axis):
        raise InvalidPlace(
            f"“{match[0].strip()}” contradicts itself: N and S are latitudes, E and W longitudes."
        )
    return lettered


def _lettered(letter: str, degrees: float) -> _Angle:
    which = letter[0].casefold()
    return _Angle(-degrees if which in "sw" else degrees, "lat" if which in "ns" else "lon")


def _sexagesimal(sign: str, degrees: str, minutes: str | None, seconds: str | None) -> float:
    parts = [float(part) for part in (minutes, seconds) if part]
    if any(part >= 60 for part in parts):
        raise InvalidPlace(
            f"Minutes and seconds of arc end before 60; a place is written like {EXAMPLE_PLACE}."
        )
    if minutes and seconds and "." in minutes:
        raise InvalidPlace(f"Minutes before seconds have no point, as in {_SEXAGESIMAL_EXAMPLE}.")
    value = float(degrees) + sum(part / 60.0**power for power, part in enumerate(parts, 1))
    return -value if sign == "-" else value


def _in_order(first: _Angle, second: _Angle) -> tuple[float, float]:
    """Return latitude and longitude; bare numbers are in that order."""
    if (first.axis is None) != (second.axis is None):
        raise InvalidPlace(f"Write both numbers of a place with their letters, or neither: {EXAMPLE_PLACE}.")
    if first.axis == second.axis and first.axis is not None:
        twice = "latitudes (N, S)" if first.axis == "lat" else "longitudes (E, W)"
        raise InvalidPlace(f"These are two {twice}; a place has one of each, as in {EXAMPLE_PLACE}.")
    if first.axis == "lon":
        first, second = second, first
    return first.degrees, second.degrees


def _check_range(latitude: float, longitude: float, height: float | None, *, is_bare: bool) -> None:
    if abs(latitude) > 90:
        swapped = (
            f" The latitude comes first: {longitude:g} {latitude:g}?"
            if is_bare and abs(longitude) <= 90 and -180 <= latitude <= 360
            else ""
        )
        raise InvalidPlace(f"A latitude of {latitude:g}° doesn't exist: it goes from -90 to 90.{swapped}")
    if not -180 <= longitude <= 360:
        raise InvalidPlace(
            f"A longitude of {longitude:g}° doesn't exist: it goes from -180 to 180, east positive."
        )
    if height is not None and not MIN_HEIGHT_M <= height <= MAX_HEIGHT_M:
        raise InvalidPlace(f"A height of {height:g} m isn't on this Earth's ground.")


def _wrapped(longitude: float) -> float:
    return longitude - 360 if longitude > 180 else longitude
