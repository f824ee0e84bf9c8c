"""Payloads of one topic of a broker, or of all topics with one beginning, read over Kafka's own client.

GCN's topics are read so, and those of Hopskotch that bring no alerts. Each topic of the settings has a reader
of its own: a daemon thread with one consumer, since Kafka's client blocks. It reads, commits, and opens the
connection again after each failure; a topic that isn't there, or may not be read, is tried again ever less
often. `stop` waits for the thread no longer than `STOP_TIMEOUT_S`.

A pattern ("hermes.*") is one reader with one consumer, because a broker may have a hundred such topics. Which
they are is asked again from time to time. One of them that may not be read is left out and tried again later,
while the others are read on.

Partitions are assigned here, as hop does, and not by the broker: after a kill, the group protocol gives them
to the next process only when the broker believes the first one dead, 45 s later.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog
from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, Message, TopicPartition
from hop.io import Consumer as HopConsumer

from bot.setting_types.topics import ALERTS, HEARTBEAT_TOPIC, ConfiguredTopic, TopicStreams
from bot.sources.base import Origin, Payload, SourceStatus
from bot.sources.broker_access import (
    ABSENT_ERRORS,
    DISCONNECT_ERRORS,
    KAFKA_OPTIONS,
    OPTIONAL_TIMING,
    REQUIRED_TIMING,
    TOPIC_ERRORS,
    BrokerAccess,
    TopicTiming,
)
from bot.sources.kafka_reader import KafkaReader
from bot.sources.offset_tracker import MessageOffset, OffsetTracker, Partition
from bot.sources.pending_commits import PendingCommits
from bot.sources.watermarks import query_watermarks

MAX_PATTERN_TOPICS = 200
"""Most topics that one pattern reads; the others are named in the status."""
MAX_NAMED = 3
"""Most topics of a pattern that a status names."""


class TopicAbsent(Exception):
    """The broker shows no such topic, which may also mean that the credential may not read it."""


class TopicSource:
    """Reads a topic, or those of a pattern, in a fixed consumer group until it is stopped.

    It starts at the group's committed offset, else at the oldest message that the broker keeps.
    """

    def __init__(
        self,
        broker: BrokerAccess,
        topic: ConfiguredTopic,
        group: str,
        streams: TopicStreams,
        *,
        not_read: frozenset[str] = frozenset(),
        has_heartbeat: bool = False,
        timing: TopicTiming | None = None,
    ) -> None:
        """Prepare a reader of `topic` in the consumer group `group`; nothing is opened yet.

        A pattern leaves out the topics of `not_read`, which have readers of their own. With `has_heartbeat`
        GCN's heartbeat is read too, and the connection reopened when it stops: a login may expire, or a
        connection time out, without an error (nasa-gcn/gcn-kafka-python issues 49 and 55).
        """
        self._broker = broker
        self._topic = topic
        self._group = group
        self._streams = streams
        self._not_read = not_read
        self._has_heartbeat = has_heartbeat
        self._log = structlog.get_logger().bind(source=broker.name, topic=topic.entry)
        self._timing = timing or (OPTIONAL_TIMING if topic.is_optional else REQUIRED_TIMING)
        self._options = {
            **broker.options,
            "group.id": group,
            "error_cb": self._on_error,
            **KAFKA_OPTIONS,
        }
        self._reader = KafkaReader(
            f"{broker.title} {topic.entry}",
            self._timing,
            self._log,
            is_optional=topic.is_optional,
        )
        self._login_error: KafkaError | None = None
        self._last_heartbeat: datetime | None = None
        self._lag: int | None = None
        self._count = 0
        self._unlisted: tuple[str, ...] = ()
        """Topics of the pattern that the broker's list denies, or that are too many."""
        self._refused: tuple[str, ...] = ()
        """Topics of the pattern that this connection was refused."""

    def payloads(self) -> AsyncIterator[Payload]:
        """Yield payloads in the order of each partition, reconnecting until `stop` is called.

        May be iterated once. Raises RuntimeError if the reader's thread ended because of a defect.
        """
        return self._reader.payloads(self._read, self._describe_error, (KafkaException, TopicAbsent))

    async def acknowledge(self, payload: Payload) -> None:
        """Queue the payload's offset for a commit in the reader's next turn.

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
        """Return whether the topic is read, since when, the heartbeat's age, and the uncommitted messages."""
        state = self._reader.state
        if state.reason is None:
            return self._status(False, "not started")
        if not state.connected:
            optional = self._topic.is_optional
            return self._status(False, state.reason if optional else f"{state.reason} {state.since_text}")
        silent_s = self._reader.bridge.heartbeat_age_s
        if silent_s > self._timing.hang_timeout_s:
            return self._status(
                False, f"its reader hangs for {silent_s:.0f} s; gwevent must be started again"
            )
        what = f"{self._count} topics of {self._topic.entry}" if self._topic.is_pattern else self._topic.entry
        detail = f"reads {what} as {self._group} {state.since_text}"
        if left_out := sorted({*self._unlisted, *self._refused}):
            more = len(left_out) - MAX_NAMED
            named = ", ".join(left_out[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")
            detail += f", but not {named}"
        if self._last_heartbeat is not None:
            age_s = max(0, round((datetime.now(UTC) - self._last_heartbeat).total_seconds()))
            detail += f", heartbeat {age_s} s ago"
        return self._status(True, detail)

    def _status(self, connected: bool, detail: str) -> SourceStatus:
        return SourceStatus(
            self._broker.name,
            connected,
            detail,
            self._lag,
            topic=self._topic.entry,
            is_optional=self._topic.is_optional,
        )

    def _read(self) -> None:
        consumer = self._broker.consumer_class(dict(self._options))
        session = _Session()
        bridge = self._reader.bridge
        try:
            session.partitions = self._list_partitions(consumer)
            self._refused = ()
            consumer.assign(self._start_partitions(session))
            while not bridge.stopping.is_set():
                bridge.heartbeat()
                message = consumer.poll(0.25)
                session.pending.commit(consumer, asynchronous=True)
                if message is not None:
                    self._handle_message(consumer, session, message)
                if not self._is_alive(consumer, session):
                    return
            session.pending.commit(consumer, asynchronous=True)
        finally:
            consumer.close()

    def _start_partitions(self, session: _Session) -> list[TopicPartition]:
        """Return the partitions at the group's offset, and the heartbeat's end: old ones prove nothing."""
        heartbeat = [TopicPartition(HEARTBEAT_TOPIC, 0, OFFSET_END)] if self._has_heartbeat else []
        return [TopicPartition(*partition) for partition in sorted(session.partitions)] + heartbeat

    def _is_alive(self, consumer: Consumer, session: _Session) -> bool:
        """Return False if the connection has to be opened again. Raises KafkaException, TopicAbsent."""
        now = time.monotonic()
        silent_s = now - session.last_message_at
        if self._has_heartbeat and silent_s > self._timing.heartbeat_timeout_s:
            self._log.warning("gcn_heartbeat_missed", silent_s=round(silent_s))
            return False
        if session.refused and now - session.refused_at > self._timing.refused_retry_s:
            return False
        if not self._refresh_lag_if_due(consumer, session):
            return True
        if now - session.listed_at > (self._timing.pattern_interval_s if self._topic.is_pattern else 0.0):
            session.listed_at = now
            if self._list_partitions(consumer) != session.partitions:
                self._log.info("source_partitions_changed")
                return False
        if session.unread and now - session.last_progress_at > self._timing.stuck_timeout_s:
            self._log.warning(
                "source_reader_stalled", lag=session.unread, silent_s=round(now - session.last_progress_at)
            )
            return False
        if session.has_proof:
            # The broker answers. Without this, a quiet topic would stay "not connected" for hours after an
            # error.
            self._set_read(session)
        return True

    def _refresh_lag_if_due(self, consumer: Consumer, session: _Session) -> bool:
        """Query the lag if the interval has passed, and return True if it had. Raises KafkaException."""
        if time.monotonic() - session.lag_queried_at <= self._timing.watermark_interval_s:
            return False
        timeout_s = self._timing.query_timeout_s
        read = [TopicPartition(*partition) for partition in sorted(session.partitions)]
        committed = []
        for partition in consumer.committed(read, timeout=timeout_s):
            if partition.error is not None:
                raise KafkaException(partition.error)
            if partition.topic not in session.refused:
                committed.append(partition)
        watermarks = query_watermarks(consumer, committed, timeout_s)
        self._lag = watermarks.lag
        session.unread = sum(
            max(0, end - session.positions.get(partition, watermarks.start[partition]))
            for partition, end in watermarks.end.items()
        )
        # A broker answers behind the fetch that it holds: the interval begins when it has, so that payloads
        # come in between however long that takes.
        session.lag_queried_at = time.monotonic()
        if not session.unread:
            session.last_progress_at = session.lag_queried_at
        return True

    def _handle_message(self, consumer: Consumer, session: _Session, message: Message) -> None:
        """Queue a message on the bridge, or handle the error in its place. Raises KafkaException."""
        topic = message.topic()
        error = message.error()
        if error is not None:
            self._handle_error(consumer, session, topic, error)
            return
        partition, offset = message.partition(), message.offset()
        assert topic is not None and partition is not None and offset is not None
        session.last_message_at = time.monotonic()
        if self._has_heartbeat and topic == HEARTBEAT_TOPIC:
            self._last_heartbeat = datetime.now(UTC)
            return
        self._reader.reconnect_loop.reset_backoff()
        self._set_read(session)
        location = MessageOffset(topic, partition, offset)
        session.offsets.record_delivery(location)
        session.positions[location[:2]] = offset + 1
        session.last_progress_at = time.monotonic()
        if self._broker.marks_tests and HopConsumer.is_test(message):
            self._log.info("kafka_test_message_dropped", location=str(location))
            session.acknowledge(location)
            return
        # While the store takes nothing, the broker's backlog grows: the lag is kept up to date.
        if not self._reader.bridge.wait_for_room(lambda: self._refresh_lag_if_due(consumer, session)):
            return
        # The wait for the store is no silence of the broker's.
        session.last_message_at = session.last_progress_at = time.monotonic()
        stream = self._streams.stream_of(topic)
        origin = Origin(
            self._broker.name, str(location), live=True, stream=None if stream == ALERTS else stream
        )
        # A tombstone has no body; as empty bytes it is quarantined like any payload that can't be read.
        self._reader.bridge.put(Payload(message.value() or b"", origin, _AckToken(session, location)))

    def _handle_error(
        self, consumer: Consumer, session: _Session, topic: str | None, error: KafkaError
    ) -> None:
        if error.code() == KafkaError._PARTITION_EOF:
            if topic != HEARTBEAT_TOPIC:
                self._set_read(session)
            return
        if topic == HEARTBEAT_TOPIC and self._has_heartbeat:
            # Without its pulse the connection is opened again; the alerts may come all the same.
            self._reader.error_log(error)
            return
        if error.code() not in TOPIC_ERRORS:
            self._on_error(error)
            return
        if not self._topic.is_pattern or topic is None:
            raise KafkaException(error)
        self._leave_out(consumer, session, topic, error)

    def _leave_out(self, consumer: Consumer, session: _Session, topic: str, error: KafkaError) -> None:
        """Stop reading one topic of a pattern for a while; the others are read on.

        Raises KafkaException if there are no others.
        """
        if not session.refused:
            session.refused_at = time.monotonic()
        session.refused.add(topic)
        if session.refused >= {name for name, _ in session.partitions}:
            raise KafkaException(error)
        self._refused = tuple(sorted(session.refused))
        self._log.warning("topic_left_out", left_out=topic, reason=error.str())
        consumer.pause(
            [TopicPartition(*partition) for partition in session.partitions if partition[0] == topic]
        )

    def _set_read(self, session: _Session) -> None:
        """Record that the topic can be read: a message came, or its end was reached."""
        if not session.has_proof:
            session.has_proof = True
            if self._topic.is_optional:
                self._log.info("topic_read", group=self._group, partitions=len(session.partitions))
            else:
                self._log.info("source_connected", group=self._group, partitions=len(session.partitions))
        self._reader.set_state(True)

    def _list_partitions(self, consumer: Consumer) -> frozenset[Partition]:
        """Return all partitions of the topics that are there. Raises KafkaException, TopicAbsent."""
        try:
            if self._topic.is_pattern:
                shown = consumer.list_topics(timeout=self._timing.query_timeout_s).topics
            else:
                shown = consumer.list_topics(self._topic.entry, timeout=self._timing.query_timeout_s).topics
        except KafkaException as error:
            # The error only tells that nobody answered; its cause, such as a refused login, comes through the
            # error callback of `poll`.
            self._login_error = None
            consumer.poll(0)
            if self._login_error is not None:
                raise KafkaException(self._login_error) from error
            raise
        found = {}
        denied: dict[str, KafkaError] = {}
        for name, metadata in shown.items():
            if not self._topic.matches(name) or (self._topic.is_pattern and name in self._not_read):
                continue
            if metadata.error is None and metadata.partitions:
                found[name] = metadata.partitions
            elif metadata.error is not None and metadata.error.code() not in ABSENT_ERRORS:
                denied[name] = metadata.error
        if not found and denied:
            raise KafkaException(next(iter(denied.values())))
        if not found:
            raise TopicAbsent
        chosen = sorted(found)[:MAX_PATTERN_TOPICS]
        self._count = len(chosen)
        self._unlisted = tuple(sorted([*sorted(found)[MAX_PATTERN_TOPICS:], *denied]))
        return frozenset((name, number) for name in chosen for number in found[name])

    def _on_error(self, error: KafkaError) -> None:
        self._reader.error_log(error)
        if error.code() in DISCONNECT_ERRORS:
            self._reader.set_state(False, self._describe_cause(error))
        if error.code() in DISCONNECT_ERRORS - {KafkaError._ALL_BROKERS_DOWN}:
            self._login_error = error

    def _describe_error(self, error: Exception) -> str:
        cause = error.args[0] if error.args else None
        if isinstance(cause, KafkaError):
            return self._describe_cause(cause)
        if isinstance(error, TopicAbsent):
            return self._describe_absence()
        return " ".join(str(error).split())

    def _describe_cause(self, cause: KafkaError) -> str:
        title = self._broker.title
        if cause.code() in ABSENT_ERRORS:
            return self._describe_absence()
        if cause.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            return f"{self._named}may not be read with this credential: {self._broker.permission_advice}"
        if cause.code() in (KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._ALL_BROKERS_DOWN):
            return f"{title} doesn't answer (`gwevent doctor` finds out why)"
        return f"{title} says: {cause.str()}"

    def _describe_absence(self) -> str:
        where = f"isn't on {self._broker.title}"
        if self._topic.is_pattern:
            where = f"no topic that begins so is on {self._broker.title}"
        advice = self._broker.permission_advice
        return f"{self._named}{where}, or this credential may not read it: {advice}"

    @property
    def _named(self) -> str:
        # Optional topics with the same problem go together in one sentence.
        return "" if self._topic.is_optional else f"{self._topic.entry} "


@dataclass(slots=True, eq=False)
class _Session:
    """One connection: the messages that it delivered, and the offsets of them that may be committed.

    The reader's thread and the event loop use it.
    """

    partitions: frozenset[Partition] = frozenset()
    offsets: OffsetTracker = field(default_factory=OffsetTracker)
    pending: PendingCommits = field(default_factory=PendingCommits)
    positions: dict[Partition, int] = field(default_factory=dict)
    """The next offset to read, per partition."""
    unread: int = 0
    """Messages that the broker has and that didn't come yet."""
    has_proof: bool = False
    """True once a message came, or the end of a partition was reached."""
    refused: set[str] = field(default_factory=set)
    """Topics of the pattern that can't be read now."""
    refused_at: float = 0.0
    """When the first of them was refused; monotonic seconds, as all times here."""
    last_message_at: float = field(default_factory=time.monotonic)
    """When the last message came, of any topic."""
    last_progress_at: float = field(default_factory=time.monotonic)
    """When the last payload arrived or was handed on, or nothing was unread."""
    lag_queried_at: float = field(default_factory=time.monotonic)
    listed_at: float = field(default_factory=time.monotonic)
    """When the broker was last asked for its topics."""

    def acknowledge(self, message: MessageOffset) -> None:
        """Queue the offset that this acknowledgement allows for a commit, if it allows one."""
        next_offset = self.offsets.acknowledge(message)
        if next_offset is not None:
            self.pending.set(message[:2], next_offset)


@dataclass(frozen=True, slots=True)
class _AckToken:
    session: _Session
    offset: MessageOffset
