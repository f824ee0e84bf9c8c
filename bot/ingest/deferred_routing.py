"""Works off the notices of which some filters ask the map, off the way of all others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import structlog

from bot.routing.planner import plan_after_map_queries
from bot.skymap_service.filter_queries import SkyMapQueries
from bot.store.database import StoreUnavailable
from bot.store.events.deferred import DeferredRouting

POLL_INTERVAL_S = 1.0
"""A wake-up is a hint: another process may have stored the notice."""

log = structlog.get_logger(__name__)


class DeferredRoutingWorker:
    """Asks the maps and plans what they decide; what waits survives a restart in the store."""

    def __init__(
        self,
        deferred_routing: DeferredRouting,
        skymap_queries: SkyMapQueries,
        clock: Callable[[], datetime],
        *,
        max_age: timedelta,
        wake_deliveries: Callable[[], None] = lambda: None,
        poll_s: float = POLL_INTERVAL_S,
    ) -> None:
        self._deferred_routing = deferred_routing
        self._skymap_queries = skymap_queries
        self._clock = clock
        self._max_age = max_age
        self._wake_deliveries = wake_deliveries
        self._poll_s = poll_s
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Say that a notice may wait."""
        self._woken.set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            self._woken.clear()
            try:
                await self.process_pending()
            except StoreUnavailable as error:
                log.warning("maps_wait_for_store", reason=str(error))
            try:
                async with asyncio.timeout(self._poll_s):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def process_pending(self) -> None:
        """Decide all that waits now. Raises StoreUnavailable."""
        # Looked anew each time: what comes meanwhile may go before all that waits.
        while waiting := await self._deferred_routing.pending_superevents():
            await self._route(waiting[0])

    async def _route(self, superevent_id: str) -> None:
        intents = None
        while intents is None:
            asked = await self._deferred_routing.get_map_queries(superevent_id)
            now = self._clock()
            shares = (
                {}
                if asked is None
                else await self._skymap_queries.probabilities(asked.notice_key, asked.map_queries, now)
            )
            planner = partial(plan_after_map_queries, probabilities=shares, now=now, max_age=self._max_age)
            key = None if asked is None else asked.notice_key
            intents = await self._deferred_routing.complete(superevent_id, key, planner, now)
        log.info("map_decided", superevent_id=superevent_id, questions=len(shares), intents=intents)
        if intents:
            self._wake_deliveries()
