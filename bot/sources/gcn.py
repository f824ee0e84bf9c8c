"""Payloads from NASA's GCN over Kafka, read with gcn-kafka: LVK's notices as JSON, and circulars.

GCN has what Hopskotch lacks: a heartbeat of its own, once a second. Kafka's client blocks, so it lives in one
daemon thread, which reads, commits, and opens the connection anew where the heartbeat stops
(nasa-gcn/gcn-kafka-python issues 49 and 55: a login that expired, or a connection that timed out, without an
error). It is waited for no longer than `STOP_SECONDS`.

Partitions are assigned here, as hop does, not by the broker: after a kill a group gives them to the next
process only once it believes the first one dead, 45 s later.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, Message, TopicPartition

from bot.sources.base import Origin, Payload, SourceConfigError, SourceStatus
from bot.sources.error_throttle import ThrottledErrorLog
from bot.sources.offset_tracker import MessageOffset, OffsetTracker
from bot.sources.reconnect import ReconnectLoop
from bot.sources.thread_bridge import ThreadBridge

HEARTBEAT_TOPIC = "gcn.heartbeat"
STOP_TIMEOUT_S = 2.0
"""How long `stop` waits for the reader before it leaves it behind."""

IGNORED_ERRORS = frozenset(
    {KafkaError._PARTITION_EOF, KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC}
)
"""What a quiet topic says (GCN makes a topic with its first message), and what ends no connection."""

DISCONNECT_ERRORS = frozenset(
    {
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._AUTHENTICATION,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
    }
)

KAFKA_OPTIONS = {
    "auto.offset.reset": "earliest",
    "enable.auto.commit": False,
    "queued.max.messages.kbytes": 16_384,
    "socket.keepalive.enable": True,
    "log_level": 2,
}


@dataclass(frozen=True, slots=True)
class GcnAccess:
    """Where GCN is and who asks."""

    client_id: str | None = None
    client_secret: str | None = None
    domain: str = "gcn.nasa.gov"
    broker: str | None = None
    """host:port of a broker without login, instead of GCN's; then there is no client id."""


@dataclass(frozen=True, slots=True)
class GcnTiming:
    """Seconds between things; tests use shorter ones."""

    first_backoff_s: float = 0.5
    max_backoff_s: float = 60.0
    watermark_interval_s: float = 30.0
    """Between two looks at how far the broker is ahead, and at what topics it has."""
    query_timeout_s: float = 10.0
    heartbeat_timeout_s: float = 120.0
    """How long the heartbeat may be missing before the connection is opened anew."""
    hang_timeout_s: float = 180.0
    """How long the reader's thread may stand still before it isn't taken for connected any more."""
    stable_after_s: float = 60.0
    """How long a connection must hold for the next retry to start small again."""


class GcnSource:
    """Reads topics of GCN in a fixed consumer group, for ever."""

    def __init__(
        self,
        access: GcnAccess,
        topics: tuple[str, ...],
        group: str,
        *,
        logger: structlog.typing.FilteringBoundLogger | None = None,
        timing: GcnTiming | None = None,
        queue_size: int = 2,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Prepare a reader; nothing is opened yet.

        `hand_over` payloads at most wait between reader and pipeline. Raises SourceConfigError where the
        credential, a topic or the package gcn-kafka is missing.
        """
        if not [topic for topic in topics if topic != HEARTBEAT_TOPIC]:
            raise SourceConfigError("GWEVENT_GCN_TOPICS names no topic to read.")
        self._topics = topics
        self._group = group
        self._log = (logger or structlog.get_logger()).bind(source="gcn")
        self._error_log = ThrottledErrorLog(self._log)
        self._timing = timing or GcnTiming()
        self._now = now
        self._options, self._consumer_class = _connection_options(access)
        self._options |= {"group.id": group, "error_cb": self._on_error, **KAFKA_OPTIONS}
        self._bridge = ThreadBridge("GCN", queue_size)
        self._reconnect_loop = ReconnectLoop(
            self._bridge,
            first_backoff_s=self._timing.first_backoff_s,
            max_backoff_s=self._timing.max_backoff_s,
            stable_after_s=self._timing.stable_after_s,
            jitter=jitter,
            on_disconnect=lambda reason: self._set_state(False, reason),
            log=self._log,
        )
        self._session: _Session | None = None
        self._connected = False
        self._reason: str | None = None
        self._since = now()
        self._login_error: KafkaError | None = None
        self._last_heartbeat: datetime | None = None
        self._lag: int | None = None

    def payloads(self) -> AsyncIterator[Payload]:
        """Yield payloads in the order of each partition, reconnecting for ever; ends after `stop`.

        May be iterated once. Raises RuntimeError if the reader ended by a fault of its own.
        """
        return self._bridge.payloads(
            lambda: threading.Thread(target=self._run, name="gcn-reader", daemon=True).start()
        )

    async def acknowledge(self, payload: Payload) -> None:
        """Let the broker know, at the reader's next turn; what isn't told at a kill comes again."""
        ticket = payload.ack_token
        if not isinstance(ticket, _AckToken):
            raise TypeError(f"{payload.origin.location} didn't come from this source.")
        ticket.session.acknowledge(ticket.offset)

    async def stop(self) -> None:
        """End `payloads`; what the broker holds for longer than `STOP_SECONDS` is left behind."""
        self._bridge.stop()
        if self._bridge.started and not await asyncio.to_thread(self._bridge.ended.wait, STOP_TIMEOUT_S):
            self._log.warning("broker_hangs_at_stop", waited=STOP_TIMEOUT_S)

    def status(self) -> SourceStatus:
        """Whether GCN answers, since when, how old its heartbeat is, how many payloads aren't settled."""
        if self._reason is None:
            return SourceStatus("gcn", False, "not started")
        since = f"since {self._since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        if not self._connected:
            return SourceStatus("gcn", False, f"{self._reason} {since}", self._lag)
        if self._bridge.heartbeat_age_s > self._timing.hang_timeout_s:
            hangs = (
                f"its reader hangs for {self._bridge.heartbeat_age_s:.0f} s; gwevent must be started again"
            )
            return SourceStatus("gcn", False, hangs, self._lag)
        read = ", ".join(topic for topic in self._topics if topic != HEARTBEAT_TOPIC)
        said = f"reads {read} as {self._group} {since}"
        if self._last_heartbeat is not None:
            said += f", heartbeat {max(0, round((self._now() - self._last_heartbeat).total_seconds()))} s ago"
        return SourceStatus("gcn", True, said, self._lag)

    def _run(self) -> None:
        self._reconnect_loop.run(self._read, _describe_error, (KafkaException,))

    def _read(self) -> None:
        consumer = self._consumer_class(dict(self._options))
        session = _Session()
        self._session = session
        try:
            partitions = self._list_partitions(consumer)
            consumer.assign([_start_partition(*partition) for partition in sorted(partitions)])
            self._set_state(True, "")
            self._log.info("connected", group=self._group, partitions=len(partitions))
            while not self._bridge.stopping.is_set():
                self._bridge.heartbeat()
                message = consumer.poll(0.25)
                session.commit(consumer)
                now = time.monotonic()
                if message is not None and self._handle_message(consumer, session, message):
                    session.last_message_at = time.monotonic()
                elif (
                    HEARTBEAT_TOPIC in self._topics
                    and now - session.last_message_at > self._timing.heartbeat_timeout_s
                ):
                    self._log.warning("gcn_silent", seconds=round(now - session.last_message_at))
                    return
                if self._refresh_lag_if_due(consumer, session):
                    if self._list_partitions(consumer) != partitions:
                        self._log.info("partitions_changed")
                        return
                    # It answers; a quiet topic without a heartbeat would leave it "not connected" for hours.
                    self._set_state(True, "")
            session.commit(consumer)
        finally:
            self._session = None
            consumer.close()

    def _refresh_lag_if_due(self, consumer: Consumer, session: _Session) -> bool:
        """See how far the broker is ahead, if it is time to; return whether it was. Raises KafkaException."""
        if time.monotonic() - session.lag_queried_at <= self._timing.watermark_interval_s:
            return False
        session.lag_queried_at = time.monotonic()
        self._lag = _query_lag(consumer, self._timing.query_timeout_s)
        return True

    def _handle_message(self, consumer: Consumer, session: _Session, message: Message) -> bool:
        """Hand over what came; return whether anything did."""
        error = message.error()
        if error is not None:
            if error.code() not in IGNORED_ERRORS:
                self._on_error(error)
            return False
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        assert topic is not None and partition is not None and offset is not None
        self._reconnect_loop.reset_backoff()
        self._set_state(True, "")
        if topic == HEARTBEAT_TOPIC:
            self._last_heartbeat = self._now()
            return True
        place = MessageOffset(topic, partition, offset)
        session.record_delivery(place)
        # While the store takes nothing in, more comes.
        if not self._bridge.wait_for_room(lambda: self._refresh_lag_if_due(consumer, session)):
            return True
        # A tombstone has no body; as empty bytes it goes the way of any payload that can't be read.
        self._bridge.put(
            Payload(message.value() or b"", Origin("gcn", str(place), live=True), _AckToken(session, place))
        )
        return True

    def _list_partitions(self, consumer: Consumer) -> frozenset[tuple[str, int]]:
        """Every partition of the topics; a topic that isn't there yet has none. Raises KafkaException."""
        found: set[tuple[str, int]] = set()
        for topic in self._topics:
            try:
                told = consumer.list_topics(topic, timeout=self._timing.query_timeout_s).topics[topic]
            except KafkaException as error:
                # It says only that nobody answered; why, a refused login say, is told to who polls.
                self._login_error = None
                consumer.poll(0)
                if self._login_error is not None:
                    raise KafkaException(self._login_error) from error
                raise
            if told.error is not None and told.error.code() not in IGNORED_ERRORS:
                raise KafkaException(told.error)
            found |= {(topic, number) for number in told.partitions}
        return frozenset(found)

    def _on_error(self, error: KafkaError) -> None:
        self._error_log(error)
        if error.code() in DISCONNECT_ERRORS:
            self._set_state(False, error.str())
        if error.code() in DISCONNECT_ERRORS - {KafkaError._ALL_BROKERS_DOWN}:
            self._login_error = error

    def _set_state(self, connected: bool, reason: str) -> None:
        if self._reason is None or connected != self._connected:
            self._since = self._now()
        self._connected, self._reason = connected, reason


class _Session:
    """What one consumer delivered, and what of it may be committed; used by the reader and the loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._offsets = OffsetTracker()
        self._pending: dict[tuple[str, int], int] = {}
        self.last_message_at = time.monotonic()
        """When anything last came; monotonic seconds."""
        self.lag_queried_at = time.monotonic()
        """When somebody looked how far the broker is ahead."""

    def record_delivery(self, place: MessageOffset) -> None:
        with self._lock:
            self._offsets.record_delivery(place)

    def acknowledge(self, place: MessageOffset) -> None:
        with self._lock:
            upto = self._offsets.acknowledge(place)
            if upto is not None:
                self._pending[place[:2]] = upto

    def commit(self, consumer: Consumer) -> None:
        """Commit what is due; what the broker doesn't take now is tried with the next."""
        with self._lock:
            pending, self._pending = self._pending, {}
        if not pending:
            return
        offsets = [TopicPartition(topic, number, offset) for (topic, number), offset in pending.items()]
        try:
            consumer.commit(offsets=offsets, asynchronous=True)
        except KafkaException:
            with self._lock:
                self._pending = {**pending, **self._pending}
            raise


def _describe_error(error: Exception) -> str:
    return str(error.args[0].str() if error.args else error)


def _start_partition(topic: str, number: int) -> TopicPartition:
    """A partition from where the group was; a heartbeat's from now on, for those of the past are no pulse."""
    return (
        TopicPartition(topic, number, OFFSET_END)
        if topic == HEARTBEAT_TOPIC
        else TopicPartition(topic, number)
    )


def _query_lag(consumer: Consumer, timeout: float) -> int:
    """How many payloads the broker has that weren't acknowledged yet. Raises KafkaException."""
    places = [place for place in consumer.assignment() if place.topic != HEARTBEAT_TOPIC]
    lag = 0
    for place in consumer.committed(places, timeout=timeout) if places else []:
        low, high = consumer.get_watermark_offsets(place, timeout=timeout)
        lag += high - (place.offset if low <= place.offset <= high else low)
    return lag


@dataclass(frozen=True, slots=True)
class _AckToken:
    session: _Session
    offset: MessageOffset


def _connection_options(access: GcnAccess) -> tuple[dict[str, Any], type[Consumer]]:
    """The options of the connection, and the class that takes them. Raises SourceConfigError."""
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
