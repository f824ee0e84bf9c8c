"""Loads what many deliveries need at the same moment with one question to the store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BatchLoader(Generic[K, V]):
    """Collects the keys asked for in one turn of the event loop and loads them at once.

    The store is read after the last of them was asked for, so nobody gets anything older than his question.
    """

    def __init__(self, load: Callable[[Collection[K]], Awaitable[Mapping[K, V]]]) -> None:
        self._load = load
        self._keys: set[K] = set()
        self._next: asyncio.Task[Mapping[K, V]] | None = None

    async def __call__(self, key: K) -> V | None:
        """The value of a key; None where the store has none. Raises what loading raises."""
        self._keys.add(key)
        if self._next is None:
            self._next = asyncio.create_task(self._load_all())
        # Shielded: one caller that is stopped mustn't take the answer from the others.
        return (await asyncio.shield(self._next)).get(key)

    async def _load_all(self) -> Mapping[K, V]:
        keys, self._keys, self._next = self._keys, set(), None
        return await self._load(keys)
