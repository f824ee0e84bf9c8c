"""Merge the queries that many deliveries make at the same moment into one (the DataLoader pattern)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BatchLoader(Generic[K, V]):
    """Collects the keys requested in one turn of the event loop and loads them with one query.

    The query runs after the last of these requests, so no caller gets a value older than its request.
    """

    def __init__(self, load: Callable[[Collection[K]], Awaitable[Mapping[K, V]]]) -> None:
        self._load = load
        self._keys: set[K] = set()
        self._next: asyncio.Task[Mapping[K, V]] | None = None

    async def __call__(self, key: K) -> V | None:
        """Return the value of a key; None if the store has none. Raises what loading raises."""
        self._keys.add(key)
        if self._next is None:
            self._next = asyncio.create_task(self._load_all())
        # Shielded: a caller that is cancelled must not take the result from the others.
        return (await asyncio.shield(self._next)).get(key)

    async def _load_all(self) -> Mapping[K, V]:
        keys, self._keys, self._next = self._keys, set(), None
        return await self._load(keys)
