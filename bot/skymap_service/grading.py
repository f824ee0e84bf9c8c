"""Judges criteria sets with stored sky maps, off the event loop."""

from __future__ import annotations

from bot.skymap_service.cache import SkyMapCache
from formatters.models.criteria_set import CriteriaSet, GradeOutcome
from formatters.models.superevent import Superevent


class GradingService:
    """Judges superevents by criteria sets."""

    def __init__(self, maps: SkyMapCache) -> None:
        self._maps = maps

    def outcome_without_map(self, set_: CriteriaSet, superevent: Superevent) -> GradeOutcome:
        """Return what is certain without a sky map."""
        raise NotImplementedError

    def cached_outcome(self, set_: CriteriaSet, superevent: Superevent) -> GradeOutcome | None:
        """Return the outcome if it was judged before."""
        raise NotImplementedError

    async def outcome(self, set_: CriteriaSet, superevent: Superevent) -> GradeOutcome:
        """Return the outcome."""
        raise NotImplementedError
