"""Computations in threads with a time limit: one that hangs is abandoned, several end the process.

A thread can't be ended from outside and the pool is small: if all hung, computations would stop unnoticed.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import structlog

TIME_LIMIT_S = 120.0
"""Seconds for one computation: the longest known take a few."""
TIME_LIMIT_SLICES = 60
MAX_HANGING_THREADS = 3
"""The process ends at this many hanging threads; the pool has six on a machine with two cores."""
CHECK_INTERVAL_S = 1.0

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger(__name__)

_work_ids = itertools.count()
_lock = threading.Lock()
_hanging: dict[int, str] = {}
"""Names of abandoned computations that have not ended, by id."""


class ThreadHangs(RuntimeError):
    """A computation exceeded its time limit."""


async def in_thread_unless(is_short: bool, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return the result of `work`, called in a thread or, if it is short, on the event loop.

    The way to a thread and back takes a tenth of a millisecond, and more where processes share a core.
    """
    return work(*args, **kwargs) if is_short else await asyncio.to_thread(work, *args, **kwargs)


async def run_in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return the result of `work`, called in a thread. Raises its errors, and ThreadHangs if it hangs."""
    number, name = next(_work_ids), getattr(work, "__name__", "computation")
    loop, started, ended = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def watched() -> T:
        loop.call_soon_threadsafe(started.set)
        try:
            return work(*args, **kwargs)
        finally:
            with _lock:
                ended.set()
                _hanging.pop(number, None)

    running = asyncio.ensure_future(asyncio.to_thread(watched))
    starting = asyncio.ensure_future(started.wait())
    try:
        # Time in the queue does not count: the process ends before all threads hang.
        await asyncio.wait([running, starting], return_when=asyncio.FIRST_COMPLETED)
        for _ in range(TIME_LIMIT_SLICES):
            # In slices, so that a pause of the process does not use up the limit.
            done, _ = await asyncio.wait([running], timeout=TIME_LIMIT_S / TIME_LIMIT_SLICES)
            if done:
                return running.result()
    except asyncio.CancelledError:
        running.cancel()
        raise
    finally:
        starting.cancel()
    with _lock:
        if not ended.is_set():
            _hanging[number] = name
    running.cancel()
    log.error("computation_timed_out", work=name, limit_s=TIME_LIMIT_S, hanging=len(_hanging))
    raise ThreadHangs(f"{name} took longer than {TIME_LIMIT_S:g} s.")


async def watch_threads() -> None:
    """Wait until too many threads hang, then raise ThreadHangs."""
    while len(_hanging) < MAX_HANGING_THREADS:  # noqa: ASYNC110  threads send no wake-up
        await asyncio.sleep(CHECK_INTERVAL_S)
    raise ThreadHangs(f"{len(_hanging)} computations hang: {', '.join(sorted(set(_hanging.values())))}.")


def exit_if_any_hangs() -> None:
    """Exit the process if threads hang; Python would wait for them at exit."""
    if _hanging:
        log.error("hanging_threads_abandoned", work=sorted(set(_hanging.values())))
        logging.shutdown()
        os._exit(1)
