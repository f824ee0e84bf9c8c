"""Payloads from NASA's GCN over Kafka, read with gcn-kafka: LVK's notices as JSON, and circulars.

GCN has what Hopskotch lacks: a heartbeat message, once a second. Kafka's client blocks, so it lives in one
daemon thread, which reads, commits, and reopens the connection if the heartbeat stops
(nasa-gcn/gcn-kafka-python issues 49 and 55: a login that expired, or a connection that timed out, without an
error). `stop` waits for the thread no longer than `STOP_TIMEOUT_S`.

Partitions are assigned here, as hop does, and not by the broker: after a kill, the group protocol gives them
to the next process only when the broker believes the first one dead, 45 s later.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, Message, TopicPartition

from bot.sources.base import Origin, Payload, SourceConfigError, SourceStatus
from bot.sources.kafka_reader import KafkaReader
from bot.sources.offset_tracker import MessageOffset, OffsetTracker, Partition
from bot.sources.pending_commits import PendingCommits
from bot.sources.reconnect import ReconnectTiming
from bot.sources.watermarks import query_watermarks

HEARTBEAT_TOPIC = "gcn.heartbeat"
IGNORED_ERRORS = frozenset(
    {KafkaError._PARTITION_EOF, KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC}
)
"""Errors of a quiet topic (GCN creates a topic with its first message), which don't end the connection."""

DISCONNECT_ERRORS = frozenset(
    {
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._AUTHENTICATION,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
    }
)
"""Errors after which the source counts as not connected."""

KAFKA_OPTIONS = {
    "auto.offset.reset": "earliest",
    "enable.auto.commit": False,
    "queued.max.messages.kbytes": 16_384,
    "socket.keepalive.enable": True,
    "log_level": 2,
}


@dataclass(frozen=True, slots=True)
class GcnAccess:
    """The address of GCN, and the credential for it."""

    client_id: str | None = None
    client_secret: str | None = None
    domain: str = "gcn.nasa.gov"
    broker: str | None = None
    """host:port of a broker without login, used instead of GCN's; then no client id is needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GcnTiming(ReconnectTiming):
    """Intervals and timeouts in seconds; tests use shorter ones."""

    watermark_interval_s: float = 30.0
    """The time between two queries of the broker's watermarks and partitions."""
    query_timeout_s: float = 10.0
    heartbeat_timeout_s: float = 120.0
    """How long the heartbeat may be missing before the connection is reopened."""
    hang_timeout_s: float = 180.0
    """How long the reader's thread may be silent before the source no longer counts as connected."""


class GcnSource:
    """Reads topics of GCN in a fixed consumer group until it is stopped."""

    def __init__(
        self,
        access: GcnAccess,
        topics: tuple[str, ...],
        group: str,
        *,
        timing: GcnTiming | None = None,
        queue_size: int = 2,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Prepare a reader of `topics` in the consumer group `group`; nothing is opened yet.

        At most `queue_size` payloads wait between reader and pipeline. Raises SourceConfigError if the
        credential, a topic or the package gcn-kafka is missing.
        """
        if not [topic for topic in topics if topic != HEARTBEAT_TOPIC]:
            raise SourceConfigError("GWEVENT_GCN_TOPICS names no topic to read.")
        self._topics = topics
        self._group = group
        self._log = structlog.get_logger().bind(source="gcn")
        self._timing = timing or GcnTiming()
        self._now = now
        self._options, self._consumer_class = connection_options(access)
        self._options |= {"group.id": group, "error_cb": self._on_error, **KAFKA_OPTIONS}
        self._reader = KafkaReader("GCN", self._timing, self._log, queue_size=queue_size, now=now)
        self._login_error: KafkaError | None = None
        self._last_heartbeat: datetime | None = None
        self._lag: int | None = None

    def payloads(self) -> AsyncIterator[Payload]:
        """Yield payloads in the order of each partition, reconnecting until `stop` is called.

        May be iterated once. Raises RuntimeError if the reader's thread ended because of a defect.
        """
        return self._reader.payloads(self._read, _describe_error, (KafkaException,))

    async def acknowledge(self, payload: Payload) -> None:
        """Have the payload's offset committed in the reader's next turn.

        If the process is killed before the commit, the payload comes again, and the store recognizes it.
        """
        token = payload.ack_token
        if not isinstance(token, _AckToken):
            raise TypeError(f"{payload.origin.location} didn't come from this source.")
        token.session.acknowledge(token.offset)

    async def stop(self) -> None:
        """End `payloads`; a thread that the broker holds for longer than STOP_TIMEOUT_S is left behind."""
        bridge = self._reader.bridge
        bridge.stop()
        if bridge.started:
            await self._reader.wait_until_ended(bridge.ended.is_set, lambda: None)

    def status(self) -> SourceStatus:
        """Return whether GCN answers, since when, its heartbeat's age, and the uncommitted messages."""
        state = self._reader.state
        if state.reason is None:
            return SourceStatus("gcn", False, "not started")
        if not state.connected:
            return SourceStatus("gcn", False, f"{state.reason} {state.since_text}", self._lag)
        silent_s = self._reader.bridge.heartbeat_age_s
        if silent_s > self._timing.hang_timeout_s:
            problem = f"its reader hangs for {silent_s:.0f} s; gwevent must be started again"
            return SourceStatus("gcn", False, problem, self._lag)
        topics = ", ".join(topic for topic in self._topics if topic != HEARTBEAT_TOPIC)
        detail = f"reads {topics} as {self._group} {state.since_text}"
        if self._last_heartbeat is not None:
            age_s = max(0, round((self._now() - self._last_heartbeat).total_seconds()))
            detail += f", heartbeat {age_s} s ago"
        return SourceStatus("gcn", True, detail, self._lag)

    def _read(self) -> None:
        consumer = self._consumer_class(dict(self._options))
        session = _Session()
        bridge = self._reader.bridge
        try:
            partitions = self._list_partitions(consumer)
            consumer.assign([_start_partition(*partition) for partition in sorted(partitions)])
            self._reader.set_state(True)
            self._log.info("source_connected", group=self._group, partitions=len(partitions))
            while not bridge.stopping.is_set():
                bridge.heartbeat()
                message = consumer.poll(0.25)
                session.pending.commit(consumer, asynchronous=True)
                now = time.monotonic()
                if message is not None and self._handle_message(consumer, session, message):
                    session.last_message_at = time.monotonic()
                elif (
                    HEARTBEAT_TOPIC in self._topics
                    and now - session.last_message_at > self._timing.heartbeat_timeout_s
                ):
                    self._log.warning("gcn_heartbeat_missed", silent_s=round(now - session.last_message_at))
                    return
                if self._refresh_lag_if_due(consumer, session):
                    if self._list_partitions(consumer) != partitions:
                        self._log.info("source_partitions_changed")
                        return
                    # The broker answers. Without this, a quiet topic without a heartbeat would leave the
                    # source "not connected" for hours after an error.
                    self._reader.set_state(True)
            session.pending.commit(consumer, asynchronous=True)
        finally:
            consumer.close()

    def _refresh_lag_if_due(self, consumer: Consumer, session: _Session) -> bool:
        """Query the lag if the interval has passed, and return True if it had. Raises KafkaException."""
        if time.monotonic() - session.lag_queried_at <= self._timing.watermark_interval_s:
            return False
        session.lag_queried_at = time.monotonic()
        self._lag = _query_lag(consumer, self._timing.query_timeout_s)
        return True

    def _handle_message(self, consumer: Consumer, session: _Session, message: Message) -> bool:
        """Put a message on the bridge; return False if it was an error and not a message."""
        error = message.error()
        if error is not None:
            if error.code() not in IGNORED_ERRORS:
                self._on_error(error)
            return False
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        assert topic is not None and partition is not None and offset is not None
        self._reader.reconnect_loop.reset_backoff()
        self._reader.set_state(True)
        if topic == HEARTBEAT_TOPIC:
            self._last_heartbeat = self._now()
            return True
        location = MessageOffset(topic, partition, offset)
        session.offsets.record_delivery(location)
        # While the store takes nothing, the broker's backlog grows: the lag is kept up to date.
        if not self._reader.bridge.wait_for_room(lambda: self._refresh_lag_if_due(consumer, session)):
            return True
        # A tombstone has no body; as empty bytes it is quarantined like any payload that can't be read.
        origin = Origin("gcn", str(location), live=True)
        self._reader.bridge.put(Payload(message.value() or b"", origin, _AckToken(session, location)))
        return True

    def _list_partitions(self, consumer: Consumer) -> frozenset[Partition]:
        """Return all partitions of the topics; a topic that doesn't exist yet has none.

        Raises KafkaException.
        """
        partitions: set[Partition] = set()
        for topic in self._topics:
            try:
                metadata = consumer.list_topics(topic, timeout=self._timing.query_timeout_s).topics[topic]
            except KafkaException as error:
                # The error only tells that nobody answered; its cause, such as a refused login, comes through
                # the error callback of `poll`.
                self._login_error = None
                consumer.poll(0)
                if self._login_error is not None:
                    raise KafkaException(self._login_error) from error
                raise
            if metadata.error is not None and metadata.error.code() not in IGNORED_ERRORS:
                raise KafkaException(metadata.error)
            partitions |= {(topic, number) for number in metadata.partitions}
        return frozenset(partitions)

    def _on_error(self, error: KafkaError) -> None:
        self._reader.error_log(error)
        if error.code() in DISCONNECT_ERRORS:
            self._reader.set_state(False, error.str())
        if error.code() in DISCONNECT_ERRORS - {KafkaError._ALL_BROKERS_DOWN}:
            self._login_error = error


class _Session:
    """The messages that one connection delivered, and the offsets of them that may be committed.

    The reader's thread and the event loop use it.
    """

    def __init__(self) -> None:
        self.offsets = OffsetTracker()
        self.pending = PendingCommits()
        self.last_message_at = time.monotonic()
        """When the last message came, of any topic; monotonic seconds."""
        self.lag_queried_at = time.monotonic()
        """When the lag was last queried; monotonic seconds."""

    def acknowledge(self, message: MessageOffset) -> None:
        """Have the offset committed that this acknowledgement allows, if it allows one."""
        next_offset = self.offsets.acknowledge(message)
        if next_offset is not None:
            self.pending.set(message[:2], next_offset)


@dataclass(frozen=True, slots=True)
class _AckToken:
    session: _Session
    offset: MessageOffset


def _describe_error(error: Exception) -> str:
    return str(error.args[0].str() if error.args else error)


def _start_partition(topic: str, number: int) -> TopicPartition:
    """Return a partition at the group's offset, or at its end for the heartbeat: old ones prove nothing."""
    return (
        TopicPartition(topic, number, OFFSET_END)
        if topic == HEARTBEAT_TOPIC
        else TopicPartition(topic, number)
    )


def _query_lag(consumer: Consumer, timeout_s: float) -> int:
    """Return the number of messages on the broker that weren't committed. Raises KafkaException."""
    partitions = [partition for partition in consumer.assignment() if partition.topic != HEARTBEAT_TOPIC]
    committed = consumer.committed(partitions, timeout=timeout_s) if partitions else []
    return query_watermarks(consumer, committed, timeout_s).lag


def connection_options(access: GcnAccess) -> tuple[dict[str, Any], type[Consumer]]:
    """Return the connection's options and the consumer class that takes them. Raises SourceConfigError."""
    if access.broker is not None:
        return {"bootstrap.servers": access.broker}, Consumer
    if access.client_id is None or access.client_secret is None:
        raise SourceConfigError(
            "GWEVENT_GCN_CLIENT_ID and GWEVENT_GCN_CLIENT_SECRET must be set to read GCN"
            " (gcn.nasa.gov/quickstart makes them)."
        )
    try:
        from gcn_kafka import Consumer as GcnConsumer
    except ModuleNotFoundError as error:
        raise SourceConfigError(
            "GCN is read with the package gcn-kafka: pip install 'gwevent-bot[gcn]'."
        ) from error
    return {
        "client_id": access.client_id,
        "client_secret": access.client_secret,
        "domain": access.domain,
    }, GcnConsumer
