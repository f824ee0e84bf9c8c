"""Lets many that are woken at once go on a few at a time, so that the event loop hears others in between."""

from __future__ import annotations

import asyncio
from collections import deque


class LoopThrottle:
    """No more than so many go on in one turn of the event loop; the rest follow in the order they came."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._left = at_once
        self._counting = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def acquire(self) -> None:
        """Wait for a turn with room; none is waited for while there is."""
        if self._left and not self._waiting:
            self._left -= 1
            self._count()
            return
        waits: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waits)
        self._count()
        await waits

    def _count(self) -> None:
        if not self._counting:
            self._counting = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._counting = False
        self._left = self._at_once
        while self._left and self._waiting:
            waits = self._waiting.popleft()
            # One that was cancelled while it waited takes no room.
            if not waits.done():
                waits.set_result(None)
                self._left -= 1
        if self._left < self._at_once:
            self._count()
