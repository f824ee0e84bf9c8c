"""A timeout that counts only the time in which this process ran."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from types import TracebackType

TICK_S = 0.5
PAUSE_THRESHOLD_S = 1.0
"""A tick that comes so late was slept through: the process was paused, or had no processor."""
GRACE_AFTER_PAUSE_S = 2.0
"""What is left after a pause at least: answers that came meanwhile lie in the socket, unread."""


def running_timeout(seconds: float) -> AbstractAsyncContextManager[None]:
    """Raise TimeoutError in the block once this process has waited `seconds` for it.

    asyncio's own timeout fires when a process that was stopped goes on, and throws away the answer that
    came meanwhile: a message that stands would be taken for one that may not.
    """
    return _RunningTimeout(seconds)


class _RunningTimeout(AbstractAsyncContextManager[None]):
    """A class and no generator, since one stands around every call to Slack."""

    def __init__(self, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._limit = asyncio.timeout(None)
        self._left = seconds
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> None:
        await self._limit.__aenter__()
        self._start()

    async def __aexit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        await self._limit.__aexit__(error_type, error, traceback)

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
