"""A timeout that counts only time in which this process was running."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from types import TracebackType

TICK_S = 0.5
PAUSE_THRESHOLD_S = 1.0
"""A tick that is later than this means that the process was paused or got no CPU."""
GRACE_AFTER_PAUSE_S = 2.0
"""Minimum time left after a pause: a response may wait in the socket, unread."""


def running_timeout(seconds: float) -> AbstractAsyncContextManager[None]:
    """Raise TimeoutError in the `async with` block after this process has been running for `seconds`.

    asyncio.timeout fires as soon as a paused process continues, and discards the response that arrived during
    the pause: a message that was posted would count as possibly not posted.
    """
    return _RunningTimeout(seconds)


class _RunningTimeout(AbstractAsyncContextManager[None]):
    # No generator, which takes three times as long: each of a thousand posts enters one.
    def __init__(self, seconds: float) -> None:
        self._limit = asyncio.timeout(None)
        self._left = seconds
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> None:
        await self._limit.__aenter__()
        self._loop = asyncio.get_running_loop()
        self._start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        await self._limit.__aexit__(kind, error, traceback)

    def _start(self) -> None:
        wait = min(TICK_S, self._left)
        due = self._loop.time() + wait
        self._timer = self._loop.call_at(due, self._tick, due, wait)

    def _tick(self, due: float, counted: float) -> None:
        self._left -= counted
        if self._loop.time() - due > PAUSE_THRESHOLD_S:
            self._left = max(self._left, GRACE_AFTER_PAUSE_S)
        if self._left <= 0:
            self._limit.reschedule(self._loop.time())
        else:
            self._start()
