"""What sites can observe tonight of stored notices: computed off the loop, one map at a time."""

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
    """Asks the maps of notices."""

    def __init__(self, maps: SkyMapCache) -> None:
        self._maps = maps
        # Numbers by the million: more of them at a time would only take processor and memory from the posts.
        self._lock = asyncio.Lock()

    async def get(
        self, key: NoticeKey, sites: Sequence[Site], constraints: ObservingConstraints, now: datetime
    ) -> Observability | None:
        """What these sites see of a notice's best map in the 24 hours from `now`.

        None where there is no map, or none that can be read. Raises StoreUnavailable.
        """
        maps = await self._maps.get(key)
        if maps is None or maps.best is None:
            return None
        async with self._lock:
            try:
                return await run_in_thread(observability_tonight, maps.best, sites, constraints, now)
            except ThreadHangs:
                return None
