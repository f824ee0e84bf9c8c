"""Worker that finishes the routing of notices whose filters need a query of the sky map.

It runs beside the pipeline, so that neither other notices nor other channels wait for the queries.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import structlog

from bot.routing.planner import plan_after_map_queries
from bot.runtime.polling_worker import run_polling_worker
from bot.runtime.wakeups import Wakeups
from bot.skymap_service.filter_queries import SkyMapQueries
from bot.store.database import StoreUnavailable
from bot.store.events.deferred import DeferredRouting
from formatters.models.subscription import Criteria

POLL_INTERVAL_S = 1.0
"""Seconds between polls: another process may have stored the notice, and cannot wake this one."""

log = structlog.get_logger(__name__)


class DeferredRoutingWorker:
    """Queries sky maps and plans what depends on them; pending notices survive a restart in the store."""

    def __init__(
        self,
        deferred_routing: DeferredRouting,
        skymap_queries: SkyMapQueries,
        clock: Callable[[], datetime],
        wakeups: Wakeups,
        *,
        max_age: timedelta,
        poll_s: float = POLL_INTERVAL_S,
        webhook_criteria: Criteria | None = None,
    ) -> None:
        """`webhook_criteria` are what the operators' webhook is called for, None if it isn't for events."""
        self._deferred_routing = deferred_routing
        self._skymap_queries = skymap_queries
        self._clock = clock
        self._wakeups = wakeups
        self._max_age = max_age
        self._poll_s = poll_s
        self._webhook_criteria = webhook_criteria

    async def run(self) -> None:
        """Route pending notices until cancelled."""
        await run_polling_worker(
            self._route_next,
            self._wakeups.deferred_routing,
            self._poll_s,
            expected=StoreUnavailable,
            on_expected=lambda error: log.warning(
                "store_unavailable", subsystem="deferred_routing", reason=str(error)
            ),
        )

    async def process_pending(self) -> None:
        """Route all notices that are pending now. Raises StoreUnavailable."""
        while await self._route_next():
            pass

    async def _route_next(self) -> bool:
        """Route the most urgent superevent that is pending; return False if none is."""
        # Asked again before each one: a notice that came since may be more urgent than all that wait.
        pending = await self._deferred_routing.pending_superevents()
        if not pending:
            return False
        await self._route(pending[0])
        return True

    async def _route(self, superevent_id: str) -> None:
        intents = None
        while intents is None:
            deferred = await self._deferred_routing.get_map_queries(superevent_id, self._webhook_criteria)
            now = self._clock()
            probabilities = (
                {}
                if deferred is None
                else await self._skymap_queries.probabilities(deferred.notice_key, deferred.map_queries, now)
            )
            planner = partial(
                plan_after_map_queries,
                probabilities=probabilities,
                now=now,
                max_age=self._max_age,
                webhook_criteria=self._webhook_criteria,
            )
            key, known = (None, None) if deferred is None else (deferred.notice_key, deferred.known)
            intents = await self._deferred_routing.complete(superevent_id, key, planner, now, known)
        log.info(
            "deferred_routing_completed",
            superevent_id=superevent_id,
            queries=len(probabilities),
            intents=intents,
        )
        if intents:
            self._wakeups.intents_planned()
