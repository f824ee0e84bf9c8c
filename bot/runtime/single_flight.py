"""Merge concurrent calls for one key into one, and keep the results of the newest keys."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from cachetools import LRUCache

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class SingleFlight(Generic[K, V]):
    """A cache of tasks by key: one call does the work, the others wait for its result.

    A call that fails or is cancelled leaves nothing behind: whoever waits gets its error, the next call tries
    again.
    """

    def __init__(self, max_results: int) -> None:
        """Keep up to `max_results` results, least recently used first out; with 0, none."""
        self._running: dict[K, asyncio.Task[V]] = {}
        self._results: LRUCache[K, V] = LRUCache(max_results)

    async def get(self, key: K, load: Callable[[], Awaitable[V]]) -> V:
        """Return the result kept for `key`, or that of `load`, called once. Raises what `load` raises."""
        try:
            return self._results[key]
        except KeyError:
            pass
        task = self._running.get(key)
        if task is None or task.done():
            task = asyncio.create_task(self._load(key, load))
            self._running[key] = task
            task.add_done_callback(lambda task: self._forget_running(key, task))
        # Shielded: a caller that is cancelled must not take the result from the others.
        return await asyncio.shield(task)

    def is_cached(self, key: K) -> bool:
        """Return whether a result is kept for `key`, so that `get` wouldn't wait."""
        return key in self._results

    def cached(self, key: K) -> V | None:
        """Return the result kept for `key`, None if there is none."""
        return self._results.get(key)

    async def _load(self, key: K, load: Callable[[], Awaitable[V]]) -> V:
        result = await load()
        if self._results.maxsize:
            self._results[key] = result
        return result

    def _forget_running(self, key: K, task: asyncio.Task[V]) -> None:
        if self._running.get(key) is task:
            del self._running[key]
        if not task.cancelled():
            # Looked at once, so that asyncio doesn't log an error that every caller was cancelled before.
            task.exception()
