"""Commits offsets and watches the broker, beside the reader.

It has a Kafka consumer of its own, in a thread of its own: confluent-kafka lets one thread at a time onto a
consumer (since 2.16; confluentinc/confluent-kafka-python pull request 2322), and a reader is nearly always
on its, so that commits through it would wait for minutes. It takes part in no group protocol, as hop's
reader doesn't.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaException, TopicPartition

RESTART_DELAY_S = 5.0
"""Between an end by an error that isn't Kafka's and the next beginning."""

Partition = tuple[str, int]
"""Topic and number."""


@dataclass(frozen=True, slots=True)
class Watermarks:
    """What the broker has, per partition."""

    start: Mapping[Partition, int]
    """The offset at which the group would start: the committed one, else the oldest kept."""
    end: Mapping[Partition, int]
    """The offset that the next published payload will get."""


class OffsetCommitter:
    """Owns its thread between `start` and `stop`; every method returns at once."""

    def __init__(
        self,
        options: Mapping[str, Any],
        topics: tuple[str, ...],
        *,
        watermark_interval_s: float,
        timeout_s: float,
        on_watermarks: Callable[[Watermarks], None],
        on_error: Callable[[KafkaException], None],
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        """Prepare a clerk for `topics`.

        `options` are librdkafka's, with bootstrap.servers, group.id and the credential. It looks every
        `look_every` seconds, 5 at most while the broker fails, and gives each question `timeout` seconds.
        `saw` and `failed` are called in its thread.
        """
        self._options = options
        self._topics = topics
        self._watermark_interval_s = watermark_interval_s
        self._timeout_s = timeout_s
        self._on_watermarks = on_watermarks
        self._on_error = on_error
        self._log = log
        self._lock = threading.Lock()
        self._pending: dict[Partition, int] = {}
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self.ended = threading.Event()
        """Set once nothing is left to try."""

    def start(self) -> None:
        """Begin, in a daemon thread: a broker that hangs must not keep the process."""
        threading.Thread(target=self._run, name="hopskotch-clerk", daemon=True).start()

    def commit(self, partition: Partition, offset: int) -> None:
        """Have the group start at `offset` the next time; tried until the broker takes it, or a newer one."""
        with self._lock:
            self._pending[partition] = offset
        self._wake.set()

    def stop(self) -> None:
        """Try once more what is left to commit, then end."""
        self._stopping.set()
        self._wake.set()

    def _run(self) -> None:
        try:
            while True:
                try:
                    self._commit_until_stopped()
                    return
                except Exception as error:  # noqa: BLE001 - it is logged
                    # The last guard of a thread that nobody waits for: dead, it would let no offset be
                    # committed any more, and nobody would hear of it.
                    self._log.exception("clerk_starts_again", reason=str(error))
                    if self._stopping.wait(RESTART_DELAY_S):
                        return
        finally:
            self.ended.set()

    def _commit_until_stopped(self) -> None:
        consumer = Consumer(dict(self._options))
        look_at = 0.0
        try:
            while not self._stopping.is_set():
                # hands over errors, and fetches a token where the credential needs one
                consumer.poll(0)
                try:
                    self._commit(consumer)
                    if time.monotonic() >= look_at:
                        self._on_watermarks(self._query_watermarks(consumer))
                        look_at = time.monotonic() + self._watermark_interval_s
                except KafkaException as error:
                    self._on_error(error)
                    look_at = time.monotonic() + min(self._watermark_interval_s, 5.0)
                self._wake.wait(max(0.0, look_at - time.monotonic()))
                self._wake.clear()
            try:
                self._commit(consumer)
            except KafkaException as error:
                self._on_error(error)
        finally:
            consumer.close()

    def _commit(self, consumer: Consumer) -> None:
        with self._lock:
            pending, self._pending = self._pending, {}
        if not pending:
            return
        offsets = [TopicPartition(topic, number, offset) for (topic, number), offset in pending.items()]
        try:
            for result in consumer.commit(offsets=offsets, asynchronous=False):
                if result.error is not None:
                    raise KafkaException(result.error)
        except KafkaException as error:
            self._log.warning("commit_failed", reason=str(error), places=len(pending))
            with self._lock:
                self._pending = {**pending, **self._pending}
            raise

    def _query_watermarks(self, consumer: Consumer) -> Watermarks:
        partitions: list[TopicPartition] = []
        for topic in self._topics:
            found = consumer.list_topics(topic, timeout=self._timeout_s).topics[topic]
            if found.error is not None:
                raise KafkaException(found.error)
            partitions += [TopicPartition(topic, number) for number in found.partitions]
        first, end = {}, {}
        for place in consumer.committed(partitions, timeout=self._timeout_s):
            if place.error is not None:
                raise KafkaException(place.error)
            low, high = consumer.get_watermark_offsets(place, timeout=self._timeout_s)
            # One beyond the end is out of range: the group would start anew.
            known = low <= place.offset <= high
            first[place.topic, place.partition] = place.offset if known else low
            end[place.topic, place.partition] = high
        return Watermarks(first, end)
