"""Retry work in memory until it succeeds, with exponential back-off.

For work that nothing records, such as writing an outcome while the database is away. Work that is recorded
with a time for its next attempt (deliveries, images, webhook calls) isn't retried here: its attempts survive
a restart.

Not stamina, although it does the same: its hooks are set for the whole process and log the arguments of
what is retried, which may hold what people wrote. Here the caller logs, with the subsystem that waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def retry_until_done(
    work: Callable[[], Awaitable[T]],
    *,
    expected: type[Exception] | tuple[type[Exception], ...],
    on_failure: Callable[[Exception, float], None],
    first_wait_s: float,
    max_wait_s: float,
) -> T:
    """Call `work` until it returns, and return its result. Any error that isn't `expected` is raised.

    Each expected error is passed to `on_failure` together with the seconds until the next attempt, which
    double from `first_wait_s` up to `max_wait_s`.
    """
    wait_s = first_wait_s
    while True:
        try:
            return await work()
        except expected as error:
            on_failure(error, wait_s)
        await asyncio.sleep(wait_s)
        wait_s = min(wait_s * 2, max_wait_s)
