"""A timeout that does not count pauses of the process."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from bot.runtime.running_timeout import PAUSE_THRESHOLD_S, running_timeout


@pytest.mark.slow
async def test_timeout_fires_in_time() -> None:
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        async with running_timeout(0.7):
            await asyncio.Event().wait()
    assert 0.6 < time.monotonic() - began < 5.0


async def test_timeout_does_not_fire_after_success() -> None:
    async with running_timeout(0.2):
        await asyncio.sleep(0.05)
    # Nothing fires later.
    await asyncio.sleep(0.3)


@pytest.mark.slow
async def test_an_answer_that_came_while_the_process_was_paused_counts() -> None:
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str] = loop.create_future()
    sleeping = threading.Timer(0.2, lambda: loop.call_soon_threadsafe(answer.set_result, "done"))
    sleeping.start()
    async with running_timeout(0.3):
        await asyncio.sleep(0)
        # The loop stands still, as in a stopped process, for longer than the timeout.
        time.sleep(PAUSE_THRESHOLD_S + 0.6)
        for _ in range(20):
            # What lies in the socket takes some turns of the loop to be read.
            await asyncio.sleep(0)
        assert await answer == "done"


async def test_a_failure_within_is_passed_on() -> None:
    with pytest.raises(ValueError, match="mine"):
        async with running_timeout(1.0):
            raise ValueError("mine")
