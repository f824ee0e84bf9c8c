"""Payloads from SCiMMA's Hopskotch, read with hop-client.

hop's reader blocks, so it lives in a daemon thread that hands payloads to the event loop one by one. Beside
it, an `OffsetCommitter` commits offsets and queries how far the broker is ahead: a reader can fall silent
without an error (github.com/confluentinc/librdkafka/issues/5153), and then its connection is reopened. `stop`
waits for the two threads no longer than `STOP_TIMEOUT_S`.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from confluent_kafka import KafkaError, KafkaException
from hop.auth import Auth
from hop.io import Consumer as HopConsumer
from hop.io import Metadata, StartPosition, Stream

from bot.sources.base import Origin, Payload, SourceStatus
from bot.sources.broker_access import BrokerAccess
from bot.sources.credentials import KafkaUrl, load_auth, require_config_home
from bot.sources.kafka_reader import QUEUE_SIZE, KafkaReader
from bot.sources.offset_committer import OffsetCommitter
from bot.sources.offset_tracker import MessageOffset, OffsetTracker, Partition
from bot.sources.reconnect import ReconnectTiming
from bot.sources.watermarks import Watermarks

AUTHENTICATION_ERRORS = frozenset({KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED})

PERMISSION_ADVICE = "my.hop.scimma.org gives the permission, within an hour"

KAFKA_OPTIONS = {
    # 64 MB by default, read ahead of a pipeline that stores one notice after the other.
    "queued.max.messages.kbytes": 16_384,
    # By default a frozen broker is noticed after a minute.
    "socket.timeout.ms": 30_000,
    # Hours pass without a notice, and firewalls drop idle connections.
    "socket.keepalive.enable": True,
    # librdkafka's own log goes to standard error; its errors come through the callback as well.
    "log_level": 2,
}
"""librdkafka's options for which hop has no argument."""

MAX_STUCK_TIMEOUT_S = 3600.0
"""The longest time without progress before a silent connection is reopened, after fruitless attempts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HopskotchTiming(ReconnectTiming):
    """Intervals and timeouts in seconds; the defaults suit SCiMMA, tests use shorter ones."""

    watermark_interval_s: float = 30.0
    """The time between two queries of the broker's watermarks."""
    query_timeout_s: float = 5.0
    stuck_timeout_s: float = 120.0
    """How long nothing may arrive although the broker has more, before the connection is reopened."""


class HopskotchSource:
    """Reads topics of one broker in a fixed consumer group until it is stopped.

    It starts at the group's committed offset, else at the oldest message the broker keeps: a group that
    starts at the newest one loses what came before its first commit.
    """

    def __init__(
        self,
        url: str,
        group: str,
        auth: Auth | bool,
        *,
        timing: HopskotchTiming | None = None,
        queue_size: int = QUEUE_SIZE,
    ) -> None:
        """Prepare a reader of `url` (kafka://host/topic) in a consumer group; nothing is opened yet.

        `auth` is hop's credential, False for a broker without, True to look for one in hop's auth.toml. At
        most `queue_size` payloads wait between reader and pipeline. Raises SourceConfigError.
        """
        self._url = KafkaUrl.parse(url)
        require_config_home()
        self._auth = load_auth(url, "hop") if auth is True else auth
        self._group = group
        self._log = structlog.get_logger().bind(source="hopskotch", broker=self._url.broker)
        self._timing = timing or HopskotchTiming()
        self._options = _AuthWithOptions(None if isinstance(self._auth, bool) else self._auth)
        self._offset_committer = OffsetCommitter(
            {
                "bootstrap.servers": self._url.broker,
                "group.id": group,
                "error_cb": self._on_error,
                **self._options(),
            },
            self._url.topics,
            watermark_interval_s=self._timing.watermark_interval_s,
            timeout_s=self._timing.query_timeout_s,
            on_watermarks=self._on_watermarks,
            on_error=self._on_committer_error,
            log=self._log,
        )
        self._reader = KafkaReader("Hopskotch", self._timing, self._log, queue_size=queue_size)
        self._connection: _Connection | None = None
        self._lag: int | None = None
        self._stuck_timeout_s = self._timing.stuck_timeout_s

    def payloads(self) -> AsyncIterator[Payload]:
        """Yield payloads in the order of each partition, reconnecting until `stop` is called.

        May be iterated once. Raises RuntimeError if the reader's thread ended because of a defect.
        """
        return self._reader.payloads(
            self._read,
            self._describe_error,
            (KafkaException, ValueError, RuntimeError, OSError),
            on_start=self._offset_committer.start,
        )

    async def acknowledge(self, payload: Payload) -> None:
        """Queue the payload's offset for a commit in the background, so that a hanging broker delays nobody.

        If the process is killed before the commit, the payload comes again, and the store recognizes it.
        """
        token = payload.ack_token
        if not isinstance(token, _AckToken):
            raise TypeError(f"{payload.origin.location} didn't come from this source.")
        self._acknowledge_offset(token.connection, token.offset)

    async def stop(self) -> None:
        """End `payloads`; threads that the broker holds for longer than STOP_TIMEOUT_S are left behind."""
        bridge = self._reader.bridge
        bridge.stop()
        if not bridge.started:
            return
        self._offset_committer.stop()
        # hop ignores a stop that comes before its first read, so it is interrupted until it has ended.
        await self._reader.wait_until_ended(
            lambda: bridge.ended.is_set() and self._offset_committer.ended.is_set(), self._interrupt
        )

    def status(self) -> SourceStatus:
        """Return whether the broker answers and since when, and the number of uncommitted messages."""
        state = self._reader.state
        topics = ",".join(self._url.topics)
        if state.reason is None:
            return SourceStatus("hopskotch", False, "not started", topic=topics)
        reads = f"reads {', '.join(self._url.topics)} from {self._url.broker} as {self._group}"
        detail = f"{reads if state.connected else state.reason} {state.since_text}"
        return SourceStatus("hopskotch", state.connected, detail, self._lag, topic=topics)

    def _read(self) -> None:
        connection = _Connection(self._open())
        self._connection = connection
        self._reader.set_state(True)
        self._log.info("source_connected", group=self._group, topics=self._url.topics)
        try:
            for body, metadata in connection.stream.read_raw(
                metadata=True, autocommit=False, batch_size=1, batch_timeout=timedelta(milliseconds=250)
            ):
                if self._reader.bridge.stopping.is_set():
                    return
                self._handle_message(connection, body, metadata)
        finally:
            self._connection = None
            connection.stream.close()

    def _open(self) -> HopConsumer:
        return Stream(auth=self._options, start_at=StartPosition.EARLIEST).open(
            self._url.without_username,
            "r",
            group_id=self._group,
            # A test message must advance the offset too, so it is dropped below, by hop's own rule.
            ignoretest=False,
            # Otherwise hop fetches a URL that the message names, without a timeout.
            fetch_external=False,
            error_callback=self._on_error,
            check_crcs=True,
        )

    def _handle_message(self, connection: _Connection, body: bytes | None, metadata: Metadata) -> None:
        location = MessageOffset(metadata.topic, metadata.partition, metadata.offset)
        connection.offsets.record_delivery(location)
        connection.positions[location[:2]] = location.offset + 1
        connection.received_count += 1
        connection.last_progress_at = time.monotonic()
        self._reader.reconnect_loop.reset_backoff()
        self._reader.set_state(True)
        if HopConsumer.is_test(metadata._raw):
            self._log.info("kafka_test_message_dropped", location=str(location))
            self._acknowledge_offset(connection, location)
            return
        connection.waiting_for_room = True
        if not self._reader.bridge.wait_for_room():
            return
        connection.last_progress_at = time.monotonic()
        connection.waiting_for_room = False
        # A tombstone has no body; as empty bytes it is quarantined like any payload that can't be read.
        origin = Origin("hopskotch", str(location), live=True)
        self._reader.bridge.put(Payload(body or b"", origin, _AckToken(connection, location)))

    def _acknowledge_offset(self, connection: _Connection, message: MessageOffset) -> None:
        next_offset = connection.offsets.acknowledge(message)
        if next_offset is not None:
            self._offset_committer.commit(message[:2], next_offset)

    def _interrupt(self) -> None:
        """End the current connection's read, if there is one."""
        connection = self._connection
        if connection is not None:
            connection.stream.stop()

    def _on_watermarks(self, watermarks: Watermarks) -> None:
        """Update lag and state, and interrupt a connection that is stuck or whose partitions changed."""
        connection = self._connection
        positions = {} if connection is None else connection.positions
        # The lag that is reported counts what isn't committed; a reader is stuck by what it didn't fetch.
        self._lag = watermarks.lag
        unread = sum(
            max(0, end - positions.get(partition, watermarks.start[partition]))
            for partition, end in watermarks.end.items()
        )
        if connection is None:
            return
        self._reader.set_state(True)
        if connection.partitions is None:
            connection.partitions = frozenset(watermarks.end)
        elif connection.partitions != frozenset(watermarks.end):
            self._log.info("source_partitions_changed", partitions=len(watermarks.end))
            self._interrupt()
        now = time.monotonic()
        if connection.received_count:
            self._stuck_timeout_s = self._timing.stuck_timeout_s
        if not unread or connection.waiting_for_room:
            connection.last_progress_at = now
        elif now - connection.last_progress_at > self._stuck_timeout_s:
            self._log.warning(
                "source_reader_stalled", lag=unread, silent_s=round(now - connection.last_progress_at)
            )
            # Where reopening doesn't help, the broker counts messages that it doesn't send: reopen less
            # often.
            self._stuck_timeout_s = min(2 * self._stuck_timeout_s, MAX_STUCK_TIMEOUT_S)
            self._interrupt()

    def _on_committer_error(self, error: KafkaException) -> None:
        self._reader.set_state(False, self._describe_error(error))

    def _on_error(self, error: KafkaError) -> None:
        """Handle an error that librdkafka reports; an exception here would come out of hop's iterator."""
        if self._reader.bridge.stopping.is_set():
            return
        self._reader.error_log(error)
        if error.code() in AUTHENTICATION_ERRORS:
            self._reader.set_state(False, f"{self._url.broker} refuses the credential")
        elif error.code() == KafkaError._ALL_BROKERS_DOWN:
            self._reader.set_state(False, f"{self._url.broker} can't be reached")

    def _describe_error(self, error: Exception) -> str:
        broker = self._url.broker
        if isinstance(error, ValueError) and "does not exist" in str(error):
            return (
                f"{', '.join(self._url.topics)} doesn't exist on {broker}, or this credential may not "
                "read it (a new permission takes up to an hour)"
            )
        cause = error.args[0] if error.args else None
        if isinstance(cause, KafkaError):
            if cause.code() in {KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._ALL_BROKERS_DOWN}:
                return (
                    f"{broker} doesn't answer, or refuses the credential (`gwevent doctor` finds out which)"
                )
            return f"{broker} says: {cause.str()}"
        return " ".join(str(error).split())


def hopskotch_broker(url: KafkaUrl, auth: Auth | bool) -> BrokerAccess:
    """Return Hopskotch as a broker whose other topics are read with the same credential."""
    return BrokerAccess(
        name="hopskotch",
        title=url.host,
        options={"bootstrap.servers": url.broker, **({} if isinstance(auth, bool) else auth())},
        permission_advice=PERMISSION_ADVICE,
        marks_tests=True,
    )


class _AuthWithOptions(Auth):  # type: ignore[misc]  # hop has no types
    """A credential, or none, with librdkafka's options added, because hop passes no others through."""

    def __init__(self, credential: Auth | None) -> None:
        self._credential = credential

    @property
    def hostname(self) -> str:
        """Return the empty string, which fits every broker: the credential was chosen before."""
        return ""

    @property
    def username(self) -> str:
        """Return the credential's user name, empty without a credential."""
        return "" if self._credential is None else str(self._credential.username)

    def __call__(self) -> dict[str, Any]:
        return {**(self._credential() if self._credential is not None else {}), **KAFKA_OPTIONS}


class _Connection:
    """One open connection, and what was read on it."""

    def __init__(self, stream: HopConsumer) -> None:
        self.stream = stream
        self.offsets = OffsetTracker()
        self.partitions: frozenset[Partition] | None = None
        self.positions: dict[Partition, int] = {}
        """The next offset to read, per partition."""
        self.received_count = 0
        self.waiting_for_room = False
        self.last_progress_at = time.monotonic()
        """When the last message arrived or was handed on, or nothing was unread; monotonic seconds."""


@dataclass(frozen=True, slots=True)
class _AckToken:
    connection: _Connection
    offset: MessageOffset
