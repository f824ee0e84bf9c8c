"""Looks every second for all workers at once, so that they sleep while there is nothing to do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from bot.store.database import StoreUnavailable
from bot.store.outbox.due import DueCheck, DueWork

POLL_S = 1.0
"""A wake-up is a hint: it may be lost, and another process may have stored what is due."""
FALLBACK_POLL_S = 10.0
"""How often a worker that is looked out for looks by itself."""

_EVERYTHING_DUE = DueWork(deliveries=True, images=True, deferred_routing=True)


class DuePoller:
    """Wakes whoever has something to do."""

    def __init__(
        self,
        due_check: DueCheck,
        clock: Callable[[], datetime],
        *,
        wake_deliveries: Callable[[], None],
        wake_images: Callable[[], None],
        wake_deferred_routing: Callable[[], None],
    ) -> None:
        self._due_check = due_check
        self._clock = clock
        self._wake_deliveries = wake_deliveries
        self._wake_images = wake_images
        self._wake_deferred_routing = wake_deferred_routing

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(POLL_S)
            await self.poll_due()

    async def poll_due(self) -> None:
        """Look once."""
        try:
            due = await self._due_check.check(self._clock())
        except StoreUnavailable:
            # Each of them meets the same, says so, and goes on as soon as the store is back.
            due = _EVERYTHING_DUE
        if due.deliveries:
            self._wake_deliveries()
        if due.images:
            self._wake_images()
        if due.deferred_routing:
            self._wake_deferred_routing()
