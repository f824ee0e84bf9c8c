"""Poll the store once for all workers of this process, so that an idle bot makes one query each second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from bot.runtime.wakeups import Wakeups
from bot.store.database import StoreUnavailable
from bot.store.outbox.due import DueCheck, DueWork

POLL_S = 1.0
"""Seconds between two polls. Wake-ups may be lost, and other processes store what becomes due."""
FALLBACK_POLL_S = 10.0
"""Seconds after which a worker looks by itself although this poller runs."""

_EVERYTHING_DUE = DueWork(deliveries=True, images=True, deferred_routing=True, escalations=True)


class DuePoller:
    """Wakes the workers that have something due."""

    def __init__(self, due_check: DueCheck, clock: Callable[[], datetime], wakeups: Wakeups) -> None:
        self._due_check = due_check
        self._clock = clock
        self._wakeups = wakeups

    async def run(self) -> None:
        """Poll until cancelled."""
        while True:
            await asyncio.sleep(POLL_S)
            await self.poll_due()

    async def poll_due(self) -> None:
        """Poll once. If the store is unavailable, wake every worker: each handles that and logs it."""
        try:
            due = await self._due_check.check(self._clock())
        except StoreUnavailable:
            due = _EVERYTHING_DUE
        if due.deliveries:
            self._wakeups.deliveries.set()
        if due.images:
            self._wakeups.images.set()
        if due.deferred_routing:
            self._wakeups.deferred_routing.set()
        if due.escalations:
            self._wakeups.escalations.set()
