"""A timeout that counts only time in which this process was running."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

TICK_S = 0.5
PAUSE_THRESHOLD_S = 1.0
"""A tick that is later than this means that the process was paused or got no CPU."""
GRACE_AFTER_PAUSE_S = 2.0
"""Minimum time left after a pause: a response may wait in the socket, unread."""


@asynccontextmanager
async def running_timeout(seconds: float) -> AsyncIterator[None]:
    """Raise TimeoutError in the block after this process has been running for `seconds`.

    asyncio.timeout fires as soon as a paused process continues, and discards the response that arrived during
    the pause: a message that was posted would count as possibly not posted.
    """
    async with asyncio.timeout(None) as limit:
        ticks = _Ticker(limit, seconds)
        ticks.start()
        try:
            yield
        finally:
            ticks.stop()


class _Ticker:
    def __init__(self, limit: asyncio.Timeout, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._limit = limit
        self._left = seconds
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        wait = min(TICK_S, self._left)
        due = self._loop.time() + wait
        self._timer = self._loop.call_at(due, self._tick, due, wait)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _tick(self, due: float, counted: float) -> None:
        self._left -= counted
        if self._loop.time() - due > PAUSE_THRESHOLD_S:
            self._left = max(self._left, GRACE_AFTER_PAUSE_S)
        if self._left <= 0:
            self._limit.reschedule(self._loop.time())
        else:
            self.start()
