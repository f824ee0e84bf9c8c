"""The observability of stored notices' maps from sites, computed off the event loop, one map at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import partial

from bot.observing.observability import observability_in_two_nights
from bot.observing.position_windows import best_windows, highest_altitudes
from bot.runtime.threads import ThreadHangs, run_in_thread
from bot.skymap_service.cache import SkyMapCache
from formatters.models.notice import Notice
from formatters.models.observing import (
    MIN_UP,
    Observability,
    ObservingConstraints,
    PositionAltitude,
    PositionWindow,
    Site,
)


class ObservabilityService:
    """Computes how well sites can observe the best sky map of a stored notice."""

    def __init__(self, maps: SkyMapCache, min_up: timedelta = MIN_UP) -> None:
        """`min_up` is the time for which a tile has to be up without a break to count."""
        self._maps = maps
        self._min_up = min_up
        # Millions of altitudes each: several at a time would take processor and memory from the posts.
        self._lock = asyncio.Lock()

    async def get(
        self,
        notice: Notice,
        sites: Sequence[Site],
        constraints: ObservingConstraints,
        now: datetime,
        night_of: date | None = None,
    ) -> Observability | None:
        """Return the observability of a notice's best map from these sites, in this night and in the next.

        The nights are counted from `now` (aware), or begin on the date `night_of`. Return None if the notice
        has no readable map. Raises StoreUnavailable.
        """
        maps = await self._maps.get(notice.key)
        if maps is None or maps.best is None:
            return None
        compute = partial(
            observability_in_two_nights,
            maps.best,
            sites,
            constraints,
            now,
            min_up=self._min_up,
            night_of=night_of,
            merger=None if notice.event is None else notice.event.time,
        )
        async with self._lock:
            try:
                return await run_in_thread(compute)
            except ThreadHangs:
                return None

    async def windows(
        self,
        positions: Sequence[tuple[float, float]],
        sites: Sequence[Site],
        constraints: ObservingConstraints,
        now: datetime,
    ) -> tuple[PositionWindow | None, ...] | None:
        """Return the best window of each position (RA, Dec, ICRS degrees) in this night, else in the next.

        None if that takes too long, which isn't the same as no window.
        """
        compute = partial(best_windows, positions, sites, constraints, now, min_up=self._min_up)
        async with self._lock:
            try:
                return await run_in_thread(compute)
            except ThreadHangs:
                return None

    async def altitudes(
        self, positions: Sequence[tuple[float, float]], sites: Sequence[Site], at: datetime
    ) -> tuple[PositionAltitude | None, ...]:
        """Return for each position (RA, Dec, ICRS degrees) the site where it is highest at an aware time."""
        async with self._lock:
            try:
                return await run_in_thread(highest_altitudes, positions, sites, at)
            except ThreadHangs:
                return (None,) * len(positions)
