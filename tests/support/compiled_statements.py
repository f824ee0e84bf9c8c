"""One cache of compiled statements for the engines of all tests in a process.

SQLAlchemy compiles a statement once for each engine. Each test has an engine of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any

from sqlalchemy.util import LRUCache

Key = tuple[Any, ...]


class SharedStatements(MutableMapping[Key, Any]):
    """A cache of compiled statements whose keys leave out the engine's dialect.

    SQLAlchemy's keys begin with the dialect, an object of the engine. The dialects of one driver and set of
    options compile alike, so only engines of one kind may share a cache.
    """

    def __init__(self) -> None:
        self._compiled: LRUCache[Key, Any] = LRUCache(5000)

    def __getitem__(self, key: Key) -> Any:
        return self._compiled[key[1:]]

    def __setitem__(self, key: Key, compiled: Any) -> None:
        self._compiled[key[1:]] = compiled

    def __delitem__(self, key: Key) -> None:
        del self._compiled[key[1:]]

    def __iter__(self) -> Iterator[Key]:
        return iter(self._compiled)

    def __len__(self) -> int:
        return len(self._compiled)
