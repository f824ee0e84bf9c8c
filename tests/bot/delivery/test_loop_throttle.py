"""Tasks that are woken together leave turns of the event loop to others."""

from __future__ import annotations

import asyncio

from bot.delivery.loop_throttle import LoopThrottle


class Loop:
    """Counts the turns of the event loop that another task gets."""

    def __init__(self) -> None:
        self.turn = 0
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(0)
            self.turn += 1

    async def end(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def test_a_few_go_on_in_each_turn_and_in_the_order_they_came() -> None:
    turns, loop, went = LoopThrottle(3), Loop(), list[tuple[int, int]]()

    async def go(number: int) -> None:
        await turns.acquire()
        went.append((number, loop.turn))

    await asyncio.gather(*(go(number) for number in range(20)))
    await loop.end()
    assert [number for number, _ in went] == list(range(20))
    taken = [turn for _, turn in went]
    assert max(taken.count(turn) for turn in taken) == 3
    assert taken[-1] - taken[0] >= 6, "others had the loop in between"


async def test_acquire_does_not_wait_while_there_is_room() -> None:
    turns = LoopThrottle(2)
    for _ in range(3):
        before = Loop()
        await turns.acquire()
        await turns.acquire()
        assert before.turn == 0
        await before.end()
        # The next turn has room again.
        await asyncio.sleep(0)
        await asyncio.sleep(0)


async def test_a_cancelled_waiter_uses_no_slot() -> None:
    turns, went = LoopThrottle(1), list[int]()

    async def go(number: int) -> None:
        await turns.acquire()
        went.append(number)

    tasks = [asyncio.create_task(go(number)) for number in range(5)]
    await asyncio.sleep(0)
    for task in tasks[1:4]:
        task.cancel()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert went == [0, 4] and sum(isinstance(one, asyncio.CancelledError) for one in done) == 3
    await asyncio.wait_for(turns.acquire(), 5)
