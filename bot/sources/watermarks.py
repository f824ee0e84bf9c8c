"""The offsets of a consumer group and of its broker, and the lag between them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaException, TopicPartition

from bot.sources.offset_tracker import Partition


@dataclass(frozen=True, slots=True)
class Watermarks:
    """The offsets on the broker, per partition."""

    start: Mapping[Partition, int]
    """The offset at which the group would start: the committed one, else the oldest that the broker keeps."""
    end: Mapping[Partition, int]
    """The offset that the next published message will get."""

    @property
    def lag(self) -> int:
        """Return the number of messages that the group hasn't committed."""
        return sum(end - self.start[partition] for partition, end in self.end.items())


def query_watermarks(consumer: Consumer, committed: Iterable[TopicPartition], timeout_s: float) -> Watermarks:
    """Ask the broker for the watermarks of partitions with their committed offsets. Raises KafkaException.

    All are asked for together: a broker answers behind the fetch that it holds, half a second each time, and
    a pattern has a hundred partitions.
    """
    groups = list(committed)
    if not groups:
        return Watermarks({}, {})
    lows = _query_offsets(consumer, groups, OFFSET_BEGINNING, timeout_s)
    highs = _query_offsets(consumer, groups, OFFSET_END, timeout_s)
    start = {}
    for partition in groups:
        key = (partition.topic, partition.partition)
        # A committed offset beyond the end is out of range: the group would start at the oldest message.
        in_range = lows[key] <= partition.offset <= highs[key]
        start[key] = partition.offset if in_range else lows[key]
    return Watermarks(start, {key: highs[key] for key in start})


def _query_offsets(
    consumer: Consumer, partitions: Sequence[TopicPartition], which: int, timeout_s: float
) -> dict[Partition, int]:
    asked = [TopicPartition(one.topic, one.partition, which) for one in partitions]
    found = {}
    for one in consumer.offsets_for_times(asked, timeout=timeout_s):
        if one.error is not None:
            raise KafkaException(one.error)
        found[one.topic, one.partition] = one.offset
    return found
