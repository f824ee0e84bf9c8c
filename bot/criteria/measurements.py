"""What judging a criteria set needs of a notice's sky map; measured by `bot.skymap_service.grading`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.filters.evaluator import NO_PROBABILITIES, MapProbabilities
from formatters.models.notice import NoticeKey


@dataclass(frozen=True, slots=True, kw_only=True)
class RubinSky:
    """What Rubin's rules ask of a sky map. Areas in deg² on the sky, probabilities 0 to 1 of all the map."""

    area_90: float
    """Area of the whole 90 % region, the multi-order map's own."""
    observable_area: float
    """Ω_obs: area of the part of the 90 % region that Rubin can observe, before any trimming."""
    observable_probability: float
    """Probability in Ω_obs."""
    all_observable_probability: float
    """Share of all the map's probability, inside the 90 % region or not, that Rubin can observe."""
    off_plane_probability: Mapping[float, float]
    """Probability in Ω_obs at |b| > 10°, by the area in deg² to which Ω_obs is trimmed (500, 1500)."""
    is_all_north: bool
    """True if every corner of the 90 % region lies north of +30°."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MapMeasurements:
    """The answers of one notice's sky map."""

    probabilities: MapProbabilities = NO_PROBABILITIES
    rubin: RubinSky | None = None
    """None if Rubin's rules weren't asked, or if the map can't be measured."""
    is_pending: bool = False
    """True if the map is still to be measured; then what is missing is undecided instead of unknown."""


MeasuredNotices = Mapping[NoticeKey, MapMeasurements]
"""Measurements by notice; a notice without an entry has no map, or its map was purged."""
