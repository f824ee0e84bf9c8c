"""What may be committed.

Kafka keeps one number per partition, and committing it acknowledges everything before. So a payload whose
acknowledgement is withheld holds back those after it: they come again together, and the store knows them.
"""

from __future__ import annotations

from collections import defaultdict, deque
from typing import NamedTuple


class MessageOffset(NamedTuple):
    """Where a payload stands on the broker."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"


class OffsetTracker:
    """The payloads that one connection delivered and that aren't yet committed."""

    def __init__(self) -> None:
        self._delivered: defaultdict[tuple[str, int], deque[int]] = defaultdict(deque)
        self._acknowledged: defaultdict[tuple[str, int], set[int]] = defaultdict(set)

    def record_delivery(self, place: MessageOffset) -> None:
        """Note a payload, in the order in which the broker sent it."""
        self._delivered[place[:2]].append(place.offset)

    def acknowledge(self, place: MessageOffset) -> int | None:
        """Note an acknowledgement and return the offset to commit, None while an earlier payload is open.

        The offset is that of the next payload to read, as Kafka wants it.
        """
        order, done = self._delivered[place[:2]], self._acknowledged[place[:2]]
        done.add(place.offset)
        upto: int | None = None
        while order and order[0] in done:
            upto = order.popleft()
            done.discard(upto)
            upto += 1
        return upto
