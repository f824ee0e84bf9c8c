"""How far a consumer group is behind the broker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from confluent_kafka import Consumer, TopicPartition

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
    """Ask the broker for the watermarks of partitions with their committed offsets. Raises KafkaException."""
    start, end = {}, {}
    for partition in committed:
        low, high = consumer.get_watermark_offsets(partition, timeout=timeout_s)
        # A committed offset beyond the end is out of range: the group would start at the oldest message.
        in_range = low <= partition.offset <= high
        start[partition.topic, partition.partition] = partition.offset if in_range else low
        end[partition.topic, partition.partition] = high
    return Watermarks(start, end)
