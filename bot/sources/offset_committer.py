"""A thread that commits offsets and queries the broker's watermarks, beside the reader's thread.

It has a Kafka consumer of its own: confluent-kafka allows one thread at a time on a consumer (since 2.16;
confluentinc/confluent-kafka-python pull request 2322), and the reader is nearly always on its own, so that
commits through it would wait for minutes. The consumer takes part in no group protocol, as hop's reader
doesn't either.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaException, TopicPartition

from bot.sources.offset_tracker import Partition
from bot.sources.pending_commits import PendingCommits
from bot.sources.watermarks import Watermarks, query_watermarks

RESTART_DELAY_S = 5.0
"""The pause after an error that isn't Kafka's, before the thread's work begins again."""

MAX_QUERY_RETRY_S = 5.0
"""The longest pause before the next query while the broker fails."""


class OffsetCommitter:
    """Commits offsets in a thread of its own, between `start` and `stop`; every method returns at once."""

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
        """Prepare a committer for `topics`.

        `options` are librdkafka's, with bootstrap.servers, group.id and the credential. The watermarks are
        queried every `watermark_interval_s` seconds, each request with a timeout of `timeout_s` seconds.
        `on_watermarks` and `on_error` are called in the committer's thread.
        """
        self._options = options
        self._topics = topics
        self._watermark_interval_s = watermark_interval_s
        self._timeout_s = timeout_s
        self._on_watermarks = on_watermarks
        self._on_error = on_error
        self._log = log
        self._pending = PendingCommits()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self.ended = threading.Event()
        """Set once the thread has finished."""

    def start(self) -> None:
        """Start the thread; it is a daemon, so that a broker that hangs doesn't keep the process alive."""
        threading.Thread(target=self._run, name="hopskotch-offset-committer", daemon=True).start()

    def commit(self, partition: Partition, offset: int) -> None:
        """Commit `offset`, the group's next message; retried until the broker takes it or a newer one."""
        self._pending.set(partition, offset)
        self._wake.set()

    def stop(self) -> None:
        """Try once more to commit what is pending, then end the thread."""
        self._stopping.set()
        self._wake.set()

    def _run(self) -> None:
        try:
            while True:
                try:
                    self._commit_until_stopped()
                    return
                except Exception:  # noqa: BLE001 - it is logged
                    # Nobody joins this thread: if it died, no offset would be committed any more, unnoticed.
                    self._log.exception("unexpected_error", subsystem="offset_committer")
                    if self._stopping.wait(RESTART_DELAY_S):
                        return
        finally:
            self.ended.set()

    def _commit_until_stopped(self) -> None:
        consumer = Consumer(dict(self._options))
        next_query_at = 0.0
        try:
            while not self._stopping.is_set():
                # Delivers error callbacks, and fetches a token where the credential needs one.
                consumer.poll(0)
                try:
                    self._commit(consumer)
                    if time.monotonic() >= next_query_at:
                        self._on_watermarks(self._query_watermarks(consumer))
                        next_query_at = time.monotonic() + self._watermark_interval_s
                except KafkaException as error:
                    self._on_error(error)
                    next_query_at = time.monotonic() + min(self._watermark_interval_s, MAX_QUERY_RETRY_S)
                self._wake.wait(max(0.0, next_query_at - time.monotonic()))
                self._wake.clear()
            try:
                self._commit(consumer)
            except KafkaException as error:
                self._on_error(error)
        finally:
            consumer.close()

    def _commit(self, consumer: Consumer) -> None:
        try:
            self._pending.commit(consumer, asynchronous=False)
        except KafkaException as error:
            self._log.warning("offset_commit_failed", reason=str(error), partitions=len(self._pending))
            raise

    def _query_watermarks(self, consumer: Consumer) -> Watermarks:
        partitions: list[TopicPartition] = []
        for topic in self._topics:
            metadata = consumer.list_topics(topic, timeout=self._timeout_s).topics[topic]
            if metadata.error is not None:
                raise KafkaException(metadata.error)
            partitions += [TopicPartition(topic, number) for number in metadata.partitions]
        committed = consumer.committed(partitions, timeout=self._timeout_s)
        for partition in committed:
            if partition.error is not None:
                raise KafkaException(partition.error)
        return query_watermarks(consumer, committed, self._timeout_s)
