"""Offsets that wait to be committed: set by the event loop, committed by a Kafka consumer's thread."""

from __future__ import annotations

import threading

from confluent_kafka import Consumer, KafkaException, TopicPartition

from bot.sources.offset_tracker import Partition


class PendingCommits:
    """The newest offset of each partition that the broker hasn't taken yet; safe in threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._offsets: dict[Partition, int] = {}

    def __len__(self) -> int:
        return len(self._offsets)

    def set(self, partition: Partition, offset: int) -> None:
        """Set the offset at which the consumer group is to start the next time, instead of one set before."""
        with self._lock:
            self._offsets[partition] = offset

    def commit(self, consumer: Consumer, *, asynchronous: bool) -> None:
        """Commit what is pending.

        If the broker doesn't take it, it stays pending, except where a newer offset was set. An asynchronous
        commit counts as taken once it is queued. Raises KafkaException.
        """
        with self._lock:
            offsets, self._offsets = self._offsets, {}
        if not offsets:
            return
        partitions = [TopicPartition(topic, number, offset) for (topic, number), offset in offsets.items()]
        try:
            if asynchronous:
                consumer.commit(offsets=partitions, asynchronous=True)
                return
            for result in consumer.commit(offsets=partitions, asynchronous=False):
                if result.error is not None:
                    raise KafkaException(result.error)
        except KafkaException:
            with self._lock:
                self._offsets = {**offsets, **self._offsets}
            raise
