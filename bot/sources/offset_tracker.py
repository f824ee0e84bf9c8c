"""Bookkeeping of the offsets that may be committed.

Kafka keeps one offset per partition, and committing it acknowledges every message before it. So a payload
whose acknowledgement is missing holds back those after it: they are delivered together again, and the store
recognizes them.
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from typing import NamedTuple

Partition = tuple[str, int]
"""A topic and the number of one of its partitions."""


class MessageOffset(NamedTuple):
    """The position of a message on the broker."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"


class OffsetTracker:
    """The messages of one connection that were delivered and can't be committed yet; safe in threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._delivered: defaultdict[Partition, deque[int]] = defaultdict(deque)
        self._acknowledged: defaultdict[Partition, set[int]] = defaultdict(set)

    def record_delivery(self, message: MessageOffset) -> None:
        """Add a message; call it in the order in which the broker sent them."""
        with self._lock:
            self._delivered[message[:2]].append(message.offset)

    def acknowledge(self, message: MessageOffset) -> int | None:
        """Acknowledge a message and return the offset to commit, None while an earlier one is unacknowledged.

        As Kafka wants it, the offset is that of the next message to read.
        """
        with self._lock:
            delivered, acknowledged = self._delivered[message[:2]], self._acknowledged[message[:2]]
            acknowledged.add(message.offset)
            next_offset: int | None = None
            while delivered and delivered[0] in acknowledged:
                next_offset = delivered.popleft()
                acknowledged.discard(next_offset)
                next_offset += 1
            return next_offset
