"""The Treasure Map's JSON to pointings, instruments and fields of view. Pure; no answer is trusted.

What stands in no list (a status, unit, band, instrument) is carried along as it was given. A pointing whose
position can't be read is left out and counted; who submitted a pointing isn't read at all.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeGuard

from bot.store.events.treasure_map import Polygons, ReportedInstrument
from bot.store.events.treasure_map_content import ReportedPointings
from bot.treasure_map.client import UnreadableAnswer
from formatters.models.observation import ObservationStatus, ObservedField
from formatters.models.treasure_map import ReportedObservation

MAX_POINTINGS = 100_000
"""The most pointings of one superevent that are kept; of more, the latest by time."""
MAX_GROUPS = 400
"""The most observations (instrument, status, band, unit) that they are kept as."""
MAX_INSTRUMENTS = 5_000
NAME_MAX = 64
"""Characters of a name or word; the rest is cut off. The Treasure Map's own names have at most 64."""
MAX_CORNER_DEG = 80.0
"""How far a corner of a field may be from its centre to be shown on a plane at all."""

_STATUSES = {1: "planned", 2: "completed", 3: "cancelled"}
_DEPTH_UNITS = {1: "ab_mag", 2: "vega_mag", 3: "flux_erg", 4: "flux_jy"}
"""The Treasure Map's numbers, from an endpoint that gives them in place of the words."""
_MAX_WKT = 200_000
_NUMBER = r"([+-]?(?:\d{1,9}(?:\.\d{0,20})?|\.\d{1,20})(?:[eE][+-]?\d{1,3})?)"
_POINT = re.compile(rf"(?:SRID=\d{{1,6}};)?POINT\s{{0,3}}\(\s{{0,3}}{_NUMBER}\s{{1,3}}{_NUMBER}\s{{0,3}}\)")
_OUTER_RING = re.compile(r"\(\s{0,3}\(([^()]+)\)")
"""Of a WKT polygon: its first ring; those behind it are holes, which no detector has."""
_CORNER = re.compile(rf"\s{{0,3}}{_NUMBER}\s{{1,3}}{_NUMBER}\s{{0,3}}")
_EARLIEST, _LATEST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_MAX_ID = 2**62


@dataclass(frozen=True, slots=True)
class RawPointing:
    """One pointing of an answer."""

    instrument_id: int
    instrument: str
    status: str
    field: ObservedField
    band: str | None
    depth: float | None
    depth_unit: str | None


@dataclass(frozen=True, slots=True)
class RawPointings:
    """The pointings of one or several answers about a superevent."""

    by_key: Mapping[Hashable, RawPointing]
    """By the Treasure Map's id; one without an id by itself."""
    unusable: int
    """The number of those that can't be used."""


def parse_pointings(answer: Any) -> RawPointings:
    """Parse the list of an answer. Raises UnreadableAnswer if it is none, or if nothing of it can be used."""
    if not isinstance(answer, list):
        raise UnreadableAnswer("The Treasure Map's answer is no list of pointings.")
    found: dict[Hashable, RawPointing] = {}
    unusable = 0
    for entry in answer:
        pointing = _parse_pointing(entry) if isinstance(entry, dict) else None
        if pointing is None:
            unusable += 1
        else:
            number = _whole_number(entry.get("id"))
            found[pointing if number is None else number] = pointing
    if unusable and not found:
        raise UnreadableAnswer("No pointing of the Treasure Map's answer can be read.")
    return RawPointings(found, unusable)


def group_pointings(raw: RawPointings) -> ReportedPointings:
    """Return the pointings as observations: those of one instrument, status, band and unit together."""
    ordered = sorted(raw.by_key.values(), key=_by_time)
    kept = ordered[-MAX_POINTINGS:]
    groups: defaultdict[tuple[object, ...], list[RawPointing]] = defaultdict(list)
    for one in kept:
        key = (one.instrument_id, one.instrument, one.status, one.band or "", one.depth_unit or "")
        groups[key].append(one)
    # Of too many, the largest: a group of one pointing each is what a broken answer would make.
    largest = sorted(groups, key=lambda key: -len(groups[key]))[:MAX_GROUPS]
    observations = [_observation(groups[key]) for key in sorted(largest, key=_group_order)]
    used = sum(len(one.fields) for one in observations)
    return ReportedPointings(tuple(observations), raw.unusable + len(ordered) - used)


def merge_pointings(answers: Iterable[RawPointings]) -> RawPointings:
    """Return the pointings of several answers about one superevent, each once."""
    merged: dict[Hashable, RawPointing] = {}
    unusable = 0
    for answer in answers:
        merged |= answer.by_key
        unusable += answer.unusable
    return RawPointings(merged, unusable)


def parse_instruments(answer: Any) -> list[ReportedInstrument]:
    """Parse the list of instruments; entries that can't be used are left out. Raises UnreadableAnswer."""
    if not isinstance(answer, list):
        raise UnreadableAnswer("The Treasure Map's answer is no list of instruments.")
    found: dict[int, ReportedInstrument] = {}
    for entry in answer[:MAX_INSTRUMENTS]:
        number = _whole_number(entry.get("id")) if isinstance(entry, dict) else None
        if number is None:
            continue
        nickname, name = _word(entry.get("nickname")), _word(entry.get("instrument_name"))
        found[number] = ReportedInstrument(number, name or nickname or f"instrument {number}", nickname)
    return list(found.values())


def parse_footprint(answer: Any, instrument_id: int) -> Polygons:
    """Parse an instrument's detectors to polygons on the plane that touches the sky at the pointing.

    Corners are (x, y) in degrees, x east and y north. The result is empty if there are none, or if one can't
    be read or is too far from the centre: a part of a field would be taken for the whole. Raises
    UnreadableAnswer if the answer is no list.
    """
    if not isinstance(answer, list):
        raise UnreadableAnswer("The Treasure Map's answer is no list of footprints.")
    polygons: list[list[tuple[float, float]]] = []
    for entry in answer:
        if not isinstance(entry, dict):
            return []
        if _whole_number(entry.get("instrumentid")) not in (None, instrument_id):
            continue
        found = _parse_polygons(entry.get("footprint"))
        if not found:
            return []
        polygons += found
    return polygons


def _parse_pointing(entry: Mapping[str, Any]) -> RawPointing | None:
    position = _position(entry)
    if position is None:
        return None
    number = _whole_number(entry.get("instrumentid"))
    name = _word(entry.get("instrument_name"))
    angle = _number(entry.get("pos_angle"))
    return RawPointing(
        instrument_id=-1 if number is None else number,
        instrument=name or ("instrument unknown" if number is None else f"instrument {number}"),
        status=_named(entry.get("status"), _STATUSES) or "",
        field=ObservedField(
            ra=position[0],
            dec=position[1],
            time=_time(entry.get("time")),
            # From north to east, as astronomers count. The Treasure Map's own pages turn its fields the other
            # way (`project_footprint` in its server/utils/geometry.py takes north to the west).
            position_angle=0.0 if angle is None else round(angle % 360, 4) % 360,
        ),
        band=_word(entry.get("band")),
        depth=_number(entry.get("depth")),
        depth_unit=_named(entry.get("depth_unit"), _DEPTH_UNITS),
    )


def _position(entry: Mapping[str, Any]) -> tuple[float, float] | None:
    """Return RA and Dec in degrees; from the WKT point where they are null, as those of the server are."""
    ra, dec = _number(entry.get("ra")), _number(entry.get("dec"))
    if ra is None or dec is None:
        text = entry.get("position")
        match = _POINT.fullmatch(text.strip().upper()) if _is_short_text(text) else None
        if match is None:
            return None
        ra, dec = float(match[1]), float(match[2])
    # Its database gives right ascensions as longitudes, from -180° to 180°.
    if not (-360 <= ra <= 360 and -90 <= dec <= 90):
        return None
    return round(ra % 360, 6) % 360, round(dec, 6)


def _parse_polygons(text: object) -> list[list[tuple[float, float]]]:
    """Return the outer rings of a WKT polygon or multipolygon on the plane; nothing if one can't be used."""
    if not _is_short_text(text, _MAX_WKT) or "POLYGON" not in text[:40].upper():
        return []
    rings = [_parse_ring(ring) for ring in _OUTER_RING.findall(text)]
    return [ring for ring in rings if ring is not None] if all(rings) else []


def _parse_ring(text: str) -> list[tuple[float, float]] | None:
    corners = []
    for part in text.split(","):
        match = _CORNER.fullmatch(part)
        if match is None:
            return None
        # Longitude and latitude around (0, 0), as its database keeps them.
        lon, lat = (float(match[1]) + 180) % 360 - 180, float(match[2])
        if abs(lon) > MAX_CORNER_DEG or abs(lat) > MAX_CORNER_DEG:
            return None
        x, y = math.tan(math.radians(lon)), math.tan(math.radians(lat)) / math.cos(math.radians(lon))
        corners.append((round(math.degrees(x), 6), round(math.degrees(y), 6)))
    return corners or None


def _observation(group: Sequence[RawPointing]) -> ReportedObservation:
    first = group[0]
    depths = [one.depth for one in group if one.depth is not None]
    known = {one.value: one for one in ObservationStatus}
    return ReportedObservation(
        instrument_id=first.instrument_id,
        instrument=first.instrument,
        status=known.get(first.status),
        status_word=first.status,
        fields=tuple(one.field for one in group),
        band=first.band,
        depths=(min(depths), max(depths)) if depths else None,
        depth_unit=first.depth_unit,
    )


def _by_time(one: RawPointing) -> tuple[bool, datetime, float, float, str]:
    field = one.field
    return field.time is None, field.time or _LATEST, field.ra, field.dec, repr(one)


def _group_order(key: tuple[object, ...]) -> tuple[str, ...]:
    number, name, status, band, unit = (str(part) for part in key)
    return name.casefold(), number, status, band, unit


def _time(value: object) -> datetime | None:
    """Return a time; one without a zone, as the server's are, is UTC."""
    if not _is_short_text(value):
        return None
    try:
        at = datetime.fromisoformat(value.strip())
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return at if _EARLIEST <= at <= _LATEST else None


def _named(value: object, names: Mapping[int, str]) -> str | None:
    """Return the word of an enumeration, in small letters; its number where the word isn't known."""
    number = _whole_number(value)
    if number is not None:
        return names.get(number, str(number))
    word = _word(value)
    return None if word is None else word.casefold()


def _word(value: object) -> str | None:
    """Return a text in one line and of limited length; None for an empty one and for no text."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    try:
        text = str(value)[: 4 * NAME_MAX]
    except ValueError:
        return None
    # Surrogates and control characters can't be stored or shown.
    plain = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(plain.split())[:NAME_MAX].strip() or None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _whole_number(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int) or not -_MAX_ID < value < _MAX_ID:
        return None
    return value


def _is_short_text(value: object, limit: int = NAME_MAX * 2) -> TypeGuard[str]:
    return isinstance(value, str) and len(value) <= limit
