"""A timeout that counts only the time in which this process ran."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

TICK_S = 0.5
LATE_S = 1.0
"""A tick that comes so late was slept through: the process was paused, or had no processor."""
GRACE_S = 2.0
"""What is left after a pause at least: answers that came meanwhile lie in the socket, unread."""


@asynccontextmanager
async def running_timeout(seconds: float) -> AsyncIterator[None]:
    """Raise TimeoutError in the block once this process has waited `seconds` for it.

    asyncio's own timeout fires when a process that was stopped goes on, and throws away the answer that
    came meanwhile: a message that stands would be taken for one that may not.
    """
    loop = asyncio.get_running_loop()
    left = seconds
    async with asyncio.timeout(None) as limit:

        def tick(due: float, counted: float) -> None:
            nonlocal left, timer
            left -= counted
            if loop.time() - due > LATE_S:
                left = max(left, GRACE_S)
            if left <= 0:
                limit.reschedule(loop.time())
            else:
                timer = start()

        def start() -> asyncio.TimerHandle:
            wait = min(TICK_S, left)
            due = loop.time() + wait
            return loop.call_at(due, tick, due, wait)

        timer = start()
        try:
            yield
        finally:
            timer.cancel()
