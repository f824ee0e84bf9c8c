"""Let tasks that are woken together go on a few at a time, so that others get their turn in between."""

from __future__ import annotations

import asyncio
from collections import deque


class LoopThrottle:
    """Lets at most `per_turn` tasks go on in one turn of the event loop, in the order in which they came."""

    def __init__(self, per_turn: int) -> None:
        self._per_turn = per_turn
        self._free_slots = per_turn
        self._is_turn_scheduled = False
        self._waiters: deque[asyncio.Future[None]] = deque()

    async def acquire(self) -> None:
        """Wait for a turn with a free slot; return at once if this turn has one."""
        if self._free_slots and not self._waiters:
            self._free_slots -= 1
            self._schedule_turn()
            return
        waits: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waits)
        self._schedule_turn()
        await waits

    def _schedule_turn(self) -> None:
        if not self._is_turn_scheduled:
            self._is_turn_scheduled = True
            asyncio.get_running_loop().call_soon(self._begin_turn)

    def _begin_turn(self) -> None:
        self._is_turn_scheduled = False
        self._free_slots = self._per_turn
        while self._free_slots and self._waiters:
            waits = self._waiters.popleft()
            # A task that was cancelled while it waited takes no slot.
            if not waits.done():
                waits.set_result(None)
                self._free_slots -= 1
        if self._free_slots < self._per_turn:
            self._schedule_turn()
