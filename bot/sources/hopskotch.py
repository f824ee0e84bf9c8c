"""Payloads from SCiMMA's Hopskotch, read with hop-client.

hop's reader blocks, so it lives in a daemon thread that hands payloads to the event loop one by one. A
clerk beside it commits offsets and sees how far the broker is ahead: a reader can fall silent without an
error (github.com/confluentinc/librdkafka/issues/5153) and is opened anew then. Neither is waited for longer
than `STOP_SECONDS`.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from confluent_kafka import KafkaError, KafkaException
from hop.auth import Auth
from hop.io import Consumer as HopConsumer
from hop.io import Metadata, StartPosition, Stream

from bot.sources.base import Origin, Payload, SourceConfigError, SourceStatus
from bot.sources.credentials import (
    AuthMode,
    KafkaUrl,
    auth_username,
    consumer_group,
    load_auth,
    require_config_home,
)
from bot.sources.error_throttle import ThrottledErrorLog
from bot.sources.offset_committer import OffsetCommitter, Partition, Watermarks
from bot.sources.offset_tracker import MessageOffset, OffsetTracker
from bot.sources.reconnect import ReconnectLoop
from bot.sources.thread_bridge import ThreadBridge

__all__ = [
    "AuthMode",
    "HopskotchSource",
    "HopskotchTiming",
    "SourceConfigError",
    "auth_username",
    "consumer_group",
    "load_auth",
]

STOP_TIMEOUT_S = 2.0
"""How long `stop` waits for the reader before it leaves it behind."""

AUTHENTICATION_ERRORS = frozenset({KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED})

KAFKA_OPTIONS = {
    # 64 MB by default, read ahead of a pipeline that stores one notice after the other
    "queued.max.messages.kbytes": 16_384,
    # a frozen broker shows after a minute by default
    "socket.timeout.ms": 30_000,
    # quiet hours are long, and firewalls forget idle connections
    "socket.keepalive.enable": True,
    # librdkafka's own log goes to standard error; its errors come through the callback as well
    "log_level": 2,
}
"""librdkafka's options for which hop has no argument."""


@dataclass(frozen=True, slots=True)
class HopskotchTiming:
    """Seconds between things; the defaults suit SCiMMA, tests use shorter ones."""

    first_backoff_s: float = 0.5
    max_backoff_s: float = 60.0
    watermark_interval_s: float = 30.0
    """Between two looks at how far the broker is ahead."""
    query_timeout_s: float = 5.0
    stuck_timeout_s: float = 120.0
    """How long nothing may arrive although the broker has more; then the connection is opened anew."""
    stable_after_s: float = 60.0
    """How long a connection must hold, if nothing arrives, for the next retry to start small again."""


class HopskotchSource:
    """Reads topics of one broker in a fixed consumer group, for ever.

    It starts at the group's committed offset, else at the oldest payload the broker keeps: a group that
    starts at the newest one loses whatever came before its first commit.
    """

    def __init__(
        self,
        url: str,
        group: str,
        auth: Auth | bool,
        *,
        logger: structlog.typing.FilteringBoundLogger | None = None,
        timing: HopskotchTiming | None = None,
        queue_size: int = 2,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Prepare a reader of `url` (kafka://host/topic) in `group`; nothing is opened yet.

        `auth` is hop's credential, False for a broker without, True to look for one in hop's auth.toml.
        `hand_over` payloads at most wait between reader and pipeline. Raises SourceConfigError.
        """
        self._url = KafkaUrl.parse(url)
        require_config_home()
        self._auth = load_auth(url, "hop") if auth is True else auth
        self._group = group
        self._log = (logger or structlog.get_logger()).bind(source="hopskotch", broker=self._url.broker)
        self._error_log = ThrottledErrorLog(self._log)
        self._timing = timing or HopskotchTiming()
        self._now = now
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
        self._bridge = ThreadBridge("Hopskotch", queue_size)
        self._reconnect_loop = ReconnectLoop(
            self._bridge,
            first_backoff_s=self._timing.first_backoff_s,
            max_backoff_s=self._timing.max_backoff_s,
            stable_after_s=self._timing.stable_after_s,
            jitter=jitter,
            on_disconnect=lambda reason: self._set_state(False, reason),
            log=self._log,
        )
        self._connection: _Connection | None = None
        self._state = _ConnectionState(False, None, now())
        self._lag: int | None = None
        self._stuck_timeout_s = self._timing.stuck_timeout_s

    def payloads(self) -> AsyncIterator[Payload]:
        """Yield payloads in the order of each partition, reconnecting for ever; ends after `stop`.

        May be iterated once. Raises RuntimeError if the reader ended by a fault of its own.
        """
        return self._bridge.payloads(self._start)

    def _start(self) -> None:
        threading.Thread(target=self._run, name="hopskotch-reader", daemon=True).start()
        self._offset_committer.start()

    async def acknowledge(self, payload: Payload) -> None:
        """Let the broker know; it is told in the background, so that a hanging one holds nobody up.

        What isn't told at the moment of a kill comes again, and the store knows it.
        """
        ticket = payload.ack_token
        if not isinstance(ticket, _AckToken):
            raise TypeError(f"{payload.origin.location} didn't come from this source.")
        self._acknowledge_offset(ticket.connection, ticket.offset)

    async def stop(self) -> None:
        """End `payloads`; what the broker holds for longer than `STOP_SECONDS` is left behind."""
        self._bridge.stop()
        if not self._bridge.started:
            return
        self._offset_committer.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_TIMEOUT_S):
                while not (self._bridge.ended.is_set() and self._offset_committer.ended.is_set()):
                    # hop forgets a stop that comes before its first read, so it is told again
                    self._interrupt()
                    await asyncio.sleep(0.02)
                return
        self._log.warning("broker_hangs_at_stop", waited=STOP_TIMEOUT_S)

    def status(self) -> SourceStatus:
        """Whether the broker answers, since when, and how many payloads weren't acknowledged yet."""
        state = self._state
        if state.reason is None:
            return SourceStatus("hopskotch", False, "not started")
        reads = f"reads {', '.join(self._url.topics)} from {self._url.broker} as {self._group}"
        since = f"since {state.since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        return SourceStatus(
            "hopskotch", state.connected, f"{reads if state.connected else state.reason} {since}", self._lag
        )

    def _run(self) -> None:
        ends = (KafkaException, ValueError, RuntimeError, OSError)
        self._reconnect_loop.run(self._read, self._describe_error, ends)

    def _read(self) -> None:
        connection = _Connection(self._open())
        self._connection = connection
        self._set_state(True, "")
        self._log.info("connected", group=self._group, topics=self._url.topics)
        try:
            for body, metadata in connection.stream.read_raw(
                metadata=True, autocommit=False, batch_size=1, batch_timeout=timedelta(milliseconds=250)
            ):
                if self._bridge.stopping.is_set():
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
            # a test message must move the offset on too, so it is dropped here, by hop's own rule
            ignoretest=False,
            # else hop fetches a URL that the message names, without a timeout
            fetch_external=False,
            error_callback=self._on_error,
            check_crcs=True,
        )

    def _handle_message(self, connection: _Connection, body: bytes | None, metadata: Metadata) -> None:
        place = MessageOffset(metadata.topic, metadata.partition, metadata.offset)
        with connection.lock:
            connection.offsets.record_delivery(place)
        connection.positions[place[:2]] = place.offset + 1
        connection.received_count += 1
        connection.last_progress_at = time.monotonic()
        self._reconnect_loop.reset_backoff()
        self._set_state(True, "")
        if HopConsumer.is_test(metadata._raw):
            self._log.info("test_message_dropped", place=str(place))
            self._acknowledge_offset(connection, place)
            return
        connection.waiting_for_room = True
        if not self._bridge.wait_for_room():
            return
        connection.last_progress_at = time.monotonic()
        connection.waiting_for_room = False
        origin = Origin("hopskotch", str(place), live=True)
        # a tombstone has no body; as empty bytes it goes the way of any payload that can't be read
        self._bridge.put(Payload(body if body is not None else b"", origin, _AckToken(connection, place)))

    def _acknowledge_offset(self, connection: _Connection, place: MessageOffset) -> None:
        with connection.lock:
            upto = connection.offsets.acknowledge(place)
        if upto is not None:
            self._offset_committer.commit(place[:2], upto)

    def _interrupt(self) -> None:
        connection = self._connection
        if connection is not None:
            connection.stream.stop()

    def _on_watermarks(self, watermarks: Watermarks) -> None:
        connection = self._connection
        positions = {} if connection is None else connection.positions
        # What is told is what isn't acknowledged; whether the reader is stuck, what it didn't fetch.
        self._lag = sum(end - watermarks.start[partition] for partition, end in watermarks.end.items())
        unread = sum(
            max(0, end - positions.get(partition, watermarks.start[partition]))
            for partition, end in watermarks.end.items()
        )
        if connection is None:
            return
        self._set_state(True, "")
        if connection.partitions is None:
            connection.partitions = frozenset(watermarks.end)
        elif connection.partitions != frozenset(watermarks.end):
            self._log.info("partitions_changed", partitions=len(watermarks.end))
            self._interrupt()
        now = time.monotonic()
        if connection.received_count:
            self._stuck_timeout_s = self._timing.stuck_timeout_s
        if not unread or connection.waiting_for_room:
            connection.last_progress_at = now
        elif now - connection.last_progress_at > self._stuck_timeout_s:
            self._log.warning("reader_stuck", lag=unread, seconds=round(now - connection.last_progress_at))
            # where opening it anew doesn't help, the broker counts what it doesn't send: try less often
            self._stuck_timeout_s = min(2 * self._stuck_timeout_s, 3600.0)
            self._interrupt()

    def _on_committer_error(self, error: KafkaException) -> None:
        self._set_state(False, self._describe_error(error))

    def _on_error(self, error: KafkaError) -> None:
        """librdkafka's callback; what it raised would come out of hop's iterator, so it raises nothing."""
        if self._bridge.stopping.is_set():
            return
        self._error_log(error)
        if error.code() in AUTHENTICATION_ERRORS:
            self._set_state(False, f"{self._url.broker} refuses the credential")
        elif error.code() == KafkaError._ALL_BROKERS_DOWN:
            self._set_state(False, f"{self._url.broker} can't be reached")

    def _set_state(self, connected: bool, reason: str) -> None:
        state = self._state
        if state.connected == connected and state.reason == reason:
            return
        since = state.since if state.connected == connected and state.reason is not None else self._now()
        self._state = _ConnectionState(connected, reason, since)

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
                return f"{broker} doesn't answer, or refuses the credential (`gwevent doctor` tells which)"
            return f"{broker} says: {cause.str()}"
        return " ".join(str(error).split())


class _AuthWithOptions(Auth):  # type: ignore[misc]  # hop has no types
    """A credential, or none, with librdkafka's options added; hop passes no others through."""

    def __init__(self, credential: Auth | None) -> None:
        self._credential = credential

    @property
    def hostname(self) -> str:
        """Fits every broker, because the credential was chosen before."""
        return ""

    @property
    def username(self) -> str:
        """The credential's."""
        return "" if self._credential is None else str(self._credential.username)

    def __call__(self) -> dict[str, Any]:
        return {**(self._credential() if self._credential is not None else {}), **KAFKA_OPTIONS}


class _Connection:
    """One open reader and what was read on it."""

    def __init__(self, stream: HopConsumer) -> None:
        self.stream = stream
        self.lock = threading.Lock()
        self.offsets = OffsetTracker()
        self.partitions: frozenset[Partition] | None = None
        self.positions: dict[Partition, int] = {}
        self.received_count = 0
        self.waiting_for_room = False
        self.last_progress_at = time.monotonic()
        """When something last arrived or went on, or nothing was missing; monotonic seconds."""


@dataclass(frozen=True, slots=True)
class _AckToken:
    connection: _Connection
    offset: MessageOffset


@dataclass(frozen=True, slots=True)
class _ConnectionState:
    connected: bool
    reason: str | None
    """Why it isn't connected; None before the start."""
    since: datetime
