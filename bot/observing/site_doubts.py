"""Doubts about a position that was typed: latitude and longitude swapped, or a sign that is missing.

Nothing is changed: what was typed is stored, and the doubt is said beside it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from bot.observing.gazetteer import nearest_observatory
from formatters.models.observing import Site

_NEAR_KM = 150.0
"""A site this near to a listed observatory is plausible: people build where others did."""
_FAR_KM = 500.0
"""A site beyond this from every listed observatory may be mistyped."""
_MAX_CLOCK_HOURS = 4.0
"""Most hours between a place's clock and its mean solar time, beyond which the two contradict each other."""
_NEAR_POLE_DEG = 80.0
"""Latitude beyond which clocks follow whoever brings the supplies."""


def place_doubt(site: Site) -> str | None:
    """Return a sentence on what may be mistyped in a site's position; None if nothing looks so."""
    nearest, distance = nearest_observatory(site.latitude, site.longitude)
    if distance < _NEAR_KM:
        return None
    for latitude, longitude, problem in _alternatives(site):
        other, away = nearest_observatory(latitude, longitude)
        if away < _NEAR_KM and distance > _FAR_KM:
            return (
                f"Please check the position: with {problem} it would be {_distance(away)}"
                f" {other.site.name}; as typed, it is {_distance(distance)} {nearest.site.name}, the nearest"
                " site I know."
            )
    if site.zone is not None and abs(site.latitude) < _NEAR_POLE_DEG:
        solar = site.longitude / 15
        offset = datetime(2026, 1, 1, tzinfo=UTC).astimezone(ZoneInfo(site.zone)).utcoffset()
        assert offset is not None, "a zone has an offset"
        apart = abs((offset.total_seconds() / 3600 - solar + 12) % 24 - 12)
        if apart > _MAX_CLOCK_HOURS:
            return (
                f"Please check the position: its longitude is {apart:.0f} h from the clock of {site.zone}"
                " (latitude comes first, west is negative)."
            )
    return None


def position_remark(site: Site) -> str:
    """Return a sentence by which a person notices that a position is another than they meant."""
    nearest, distance = nearest_observatory(site.latitude, site.longitude)
    where = f"{_distance(distance)} {nearest.site.name}"
    return place_doubt(site) or f"{site.name} is {where}, the nearest site I know."


def _distance(kilometres: float) -> str:
    return f"{kilometres:,.0f} km from" if kilometres >= 1 else "at"


def _alternatives(site: Site) -> list[tuple[float, float, str]]:
    """Return latitude, longitude (degrees) and what was mistyped, of positions that were perhaps meant."""
    latitude, longitude = site.latitude, site.longitude
    found = [
        (latitude, -longitude, "the other sign of the longitude"),
        (-latitude, longitude, "the other sign of the latitude"),
        (-latitude, -longitude, "both signs changed"),
    ]
    if abs(longitude) <= 90:
        found.append((longitude, latitude, "latitude and longitude swapped"))
        found.append((longitude, -latitude, "latitude and longitude swapped and a sign changed"))
    return found
