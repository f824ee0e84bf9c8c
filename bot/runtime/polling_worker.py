"""The loop of polling workers: work until nothing is left, then wait for a wake-up or the next poll."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress


async def run_polling_worker(
    work: Callable[[], Awaitable[bool]],
    wakeup: asyncio.Event,
    poll_s: float,
    *,
    expected: type[Exception],
    on_expected: Callable[[Exception], None],
) -> None:
    """Repeat until cancelled: call `work` until it returns False, then wait for `wakeup` or `poll_s` seconds.

    `work` does one piece and returns whether it found one. An error of type `expected` (the store is
    unavailable) is passed to `on_expected` and retried after the wait; any other error ends the worker. The
    event is cleared before the work begins, so a wake-up that comes while it is done starts another round.
    """
    while True:
        wakeup.clear()
        try:
            while await work():
                pass
        except expected as error:
            on_expected(error)
        # Not wait_for: Python 3.11's loses a cancellation that comes together with what it waits for.
        with suppress(TimeoutError):
            async with asyncio.timeout(poll_s):
                await wakeup.wait()
