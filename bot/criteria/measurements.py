"""The measurements of a sky map by which criteria sets judge; `bot.skymap_service.grading` makes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.filters.evaluator import MapProbabilities
from bot.observing.rubin_sky import RubinSky
from formatters.models.notice import NoticeKey

__all__ = ["MapMeasurements", "MeasuredNotices", "RubinSky"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MapMeasurements:
    """The answers of one notice's sky map."""

    probabilities: MapProbabilities = field(default_factory=dict)
    rubin: RubinSky | None = None
    """None if Rubin's rules weren't asked, or if the map can't be measured."""
    is_pending: bool = False
    """True if the map is still to be measured; then what is missing is undecided instead of unknown."""


MeasuredNotices = Mapping[NoticeKey, MapMeasurements]
"""Measurements by notice; a notice without an entry has no map, or its map was purged."""
