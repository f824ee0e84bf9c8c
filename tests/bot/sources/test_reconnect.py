"""A reader goes on after each failure, waits longer after each in a row, and ends when it is told to."""

from __future__ import annotations

import asyncio

import pytest
import structlog

from bot.sources.reconnect import ReconnectLoop, ReconnectTiming, backoff_delay
from bot.sources.thread_bridge import ThreadBridge


class Broken(Exception):
    """The connection ended."""


class Reader:
    """Does what its plan says at each reading, and says to stop when the plan is through."""

    def __init__(self, *plan: Exception | str, settled_after: float = 60.0) -> None:
        self.plan = list(plan)
        self.over = ThreadBridge("The test", 2)
        self.lost: list[tuple[str, int]] = []
        self.reconnecting = ReconnectLoop(
            self.over,
            ReconnectTiming(first_backoff_s=0.001, max_backoff_s=0.004, stable_after_s=settled_after),
            jitter=lambda: 0.0,
            on_disconnect=lambda reason: self.lost.append((reason, self.reconnecting.failures)),
            log=structlog.get_logger(),
        )

    def read(self) -> None:
        if not self.plan:
            self.over.stopping.set()
            return
        done = self.plan.pop(0)
        if isinstance(done, Exception):
            raise done
        if done == "arrived":
            self.reconnecting.reset_backoff()

    async def run(self) -> None:
        """As in its thread, until it ends; the loop is there to be told."""
        waits = asyncio.ensure_future(anext(self.over.payloads(lambda: None), None))
        await asyncio.sleep(0)
        try:
            await asyncio.to_thread(
                self.reconnecting.run, self.read, lambda error: f"said {error}", (Broken,)
            )
        finally:
            waits.cancel()
            await asyncio.gather(waits, return_exceptions=True)


async def test_each_failure_in_a_row_counts_until_something_arrives() -> None:
    reader = Reader(Broken("one"), Broken("two"), "arrived", Broken("three"))
    await reader.run()
    reopened = "the connection is being reopened"
    assert reader.lost == [("said one", 1), ("said two", 2), (reopened, 1), ("said three", 2)]
    assert reader.over.ended.is_set()


async def test_a_connection_that_held_makes_the_next_failure_the_first() -> None:
    reader = Reader(Broken("one"), Broken("two"), settled_after=-1.0)
    await reader.run()
    assert [failures for _, failures in reader.lost] == [1, 1]


async def test_programming_error_is_raised_and_ends_the_source() -> None:
    reader = Reader(Broken("one"), ZeroDivisionError("a fault"), Broken("never"))
    with pytest.raises(ZeroDivisionError):
        await reader.run()
    assert reader.lost == [("said one", 1)] and reader.over.ended.is_set()


def test_backoff_doubles_up_to_the_maximum_and_is_jittered() -> None:
    assert [backoff_delay(failures, 0.5, 60.0, 0.0) for failures in (1, 2, 3, 7, 8, 1000)] == [
        0.5,
        1,
        2,
        32,
        60,
        60,
    ]
    assert backoff_delay(8, 0.5, 60.0, 1.0) == 30.0
