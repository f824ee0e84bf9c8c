"""The observability of stored notices tonight, computed off the event loop, one map at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from bot.observing.observability import observability_tonight
from bot.runtime.threads import ThreadHangs, run_in_thread
from bot.skymap_service.cache import SkyMapCache
from formatters.models.notice import NoticeKey
from formatters.models.observing import Observability, ObservingConstraints, Site


class ObservabilityService:
    """Computes how well sites can observe the best sky map of a stored notice."""

    def __init__(self, maps: SkyMapCache) -> None:
        self._maps = maps
        # Millions of altitudes each: several at a time would take processor and memory from the posts.
        self._lock = asyncio.Lock()

    async def get(
        self, key: NoticeKey, sites: Sequence[Site], constraints: ObservingConstraints, now: datetime
    ) -> Observability | None:
        """Return what these sites can observe of a notice's best map in the 24 hours from `now` (aware).

        Return None if the notice has no readable map. Raises StoreUnavailable.
        """
        maps = await self._maps.get(key)
        if maps is None or maps.best is None:
            return None
        async with self._lock:
            try:
                return await run_in_thread(observability_tonight, maps.best, sites, constraints, now)
            except ThreadHangs:
                return None
