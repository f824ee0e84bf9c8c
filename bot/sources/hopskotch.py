"""Payloads from SCiMMA's Hopskotch, read with hop-client.

hop's reader blocks, so it lives in a daemon thread that hands payloads to the event loop one by one; a
second one watches it, because a Kafka consumer can fall silent without an error
(github.com/confluentinc/librdkafka/issues/5153). Neither is waited for longer than `STOP_SECONDS`.
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
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from hop.auth import Auth
from hop.io import Consumer as HopConsumer
from hop.io import Metadata, StartPosition, Stream

from bot.sources import Origin, Payload, SourceConfigError, SourceStatus
from bot.sources.credentials import AuthMode, KafkaUrl, group_id, load_auth, require_config_home, username_of
from bot.sources.offsets import Offsets, Place
from bot.sources.quiet import ErrorLog

__all__ = [
    "AuthMode",
    "HopskotchSource",
    "SourceConfigError",
    "Timing",
    "group_id",
    "load_auth",
    "username_of",
]

STOP_SECONDS = 3.5
"""How long `stop` waits for the reader before it leaves it behind."""

REFUSED = frozenset({KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED})

OPTIONS = {
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
class Timing:
    """Seconds between things; the defaults suit SCiMMA, tests use shorter ones."""

    first_retry: float = 0.5
    longest_retry: float = 60.0
    look_every: float = 30.0
    """Between two looks at how far the broker is ahead."""
    look_timeout: float = 5.0
    stuck_after: float = 120.0
    """How long nothing may arrive although the broker has more; then the connection is opened anew."""
    settled_after: float = 60.0
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
        timing: Timing | None = None,
        hand_over: int = 2,
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
        self._errors = ErrorLog(self._log)
        self._timing = timing or Timing()
        self._now = now
        self._jitter = jitter
        self._slots = threading.Semaphore(hand_over)
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._looking = threading.Lock()
        self._connection: _Connection | None = None
        self._state = _State(False, "not started", now())
        self._lag: int | None = None
        self._failures = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._queue: asyncio.Queue[Payload | None] = asyncio.Queue()
        self._ended = asyncio.Event()

    async def payloads(self) -> AsyncIterator[Payload]:
        """Yield payloads in the order of each partition, reconnecting for ever; ends after `stop`.

        May be iterated once. Raises RuntimeError if the reader ended by a fault of its own.
        """
        if self._loop is not None:
            raise RuntimeError("The payloads of this source are being read already.")
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._run, name="hopskotch-reader", daemon=True).start()
        threading.Thread(target=self._watch, name="hopskotch-watch", daemon=True).start()
        while True:
            payload = await self._queue.get()
            if self._stopping.is_set():
                return
            if payload is None:
                raise RuntimeError("The reader of Hopskotch ended by a fault of its own; the log has it.")
            self._slots.release()
            yield payload

    async def acknowledge(self, payload: Payload) -> None:
        """Let the broker know; it is told in the background, so that a hanging one holds nobody up.

        What isn't told within moments of a kill comes again, and so does a payload whose connection was
        lost before it was acknowledged.
        """
        ticket = payload.ticket
        if not isinstance(ticket, _Ticket):
            raise TypeError(f"{payload.origin.detail} didn't come from this source.")
        with self._lock:
            self._settle(ticket.connection, ticket.place)

    async def stop(self) -> None:
        """End `payloads`; a reader that the broker holds for longer than `STOP_SECONDS` is left behind."""
        self._stopping.set()
        self._slots.release()
        self._queue.put_nowait(None)
        if self._loop is None:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                while not self._ended.is_set():
                    self._interrupt()
                    # hop forgets a stop that comes before its first read, so it is told again
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._ended.wait(), 0.1)
        if not self._ended.is_set():
            self._log.warning("broker_hangs_at_stop", waited=STOP_SECONDS)

    def status(self) -> SourceStatus:
        """Whether the broker answers, since when, and how many payloads weren't read yet."""
        state = self._state
        since = f"since {state.since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        return SourceStatus("hopskotch", state.connected, f"{state.words} {since}", self._lag)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                opened = time.monotonic()
                try:
                    self._read()
                    reason = "the connection was opened anew"
                except (KafkaException, ValueError, RuntimeError, OSError) as error:
                    reason = self._explain(error)
                if self._stopping.is_set():
                    return
                if time.monotonic() - opened > self._timing.settled_after:
                    self._failures = 0
                self._failures += 1
                pause = backoff(self._failures, self._timing, self._jitter())
                self._lag = None
                self._turn(False, reason)
                self._log.warning(
                    "reconnecting", reason=reason, attempt=self._failures, in_seconds=round(pause, 1)
                )
                self._stopping.wait(pause)
        finally:
            self._tell(None)

    def _read(self) -> None:
        connection = self._open()
        with self._lock:
            self._connection = connection
        try:
            for body, metadata in connection.stream.read_raw(
                metadata=True, autocommit=False, batch_size=1, batch_timeout=timedelta(milliseconds=250)
            ):
                if self._stopping.is_set():
                    return
                self._deliver(connection, body, metadata)
        finally:
            with self._lock:
                self._connection = None
            with self._looking:
                connection.stream.close()

    def _open(self) -> _Connection:
        stream: HopConsumer = Stream(
            auth=_Options(None if isinstance(self._auth, bool) else self._auth),
            start_at=StartPosition.EARLIEST,
        ).open(
            self._url.anonymous,
            "r",
            group_id=self._group,
            # a test message must move the offset on too, so it is dropped here, by hop's own rule
            ignoretest=False,
            # else hop fetches a URL that the message names, without a timeout
            fetch_external=False,
            error_callback=self._on_error,
            offset_commit_interval=timedelta(milliseconds=200),
            check_crcs=True,
        )
        # hop gives no way to its consumer, and both watermarks and single offsets need it
        kafka: Consumer = stream._consumer._consumer
        self._turn(True, f"reads {', '.join(self._url.topics)} from {self._url.broker} as {self._group}")
        self._log.info("connected", group=self._group, topics=self._url.topics)
        return _Connection(stream, kafka, kafka.assignment(), time.monotonic())

    def _deliver(self, connection: _Connection, body: bytes | None, metadata: Metadata) -> None:
        place = Place(metadata.topic, metadata.partition, metadata.offset)
        with self._lock:
            connection.offsets.delivered(place)
            connection.positions[place[:2]] = place.offset + 1
            connection.arrived += 1
            connection.progress = time.monotonic()
        self._failures = 0
        self._turn_up()
        if HopConsumer.is_test(metadata._raw):
            self._log.info("test_message_dropped", place=str(place))
            with self._lock:
                self._settle(connection, place)
            return
        origin = Origin("hopskotch", str(place), live=True)
        connection.handing_over = True
        while not self._slots.acquire(timeout=1.0):
            if self._stopping.is_set():
                return
        connection.handing_over = False
        connection.progress = time.monotonic()
        # a tombstone has no body; as empty bytes it goes the way of any payload that can't be read
        self._tell(Payload(body if body is not None else b"", origin, _Ticket(connection, place)))

    def _settle(self, connection: _Connection, place: Place) -> None:
        if connection is not self._connection:
            self._log.info("acknowledged_too_late", place=str(place), then="it comes again")
            return
        upto = connection.offsets.done(place)
        if upto is None:
            return
        try:
            connection.kafka.store_offsets(offsets=[TopicPartition(place.topic, place.partition, upto)])
        except KafkaException as error:
            self._log.warning("acknowledging_failed", place=str(place), reason=str(error))

    def _tell(self, payload: Payload | None) -> None:
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(self._take, payload)
        except RuntimeError:
            # the loop closed while the broker held this thread: nobody is left to read for
            self._stopping.set()

    def _take(self, payload: Payload | None) -> None:
        if payload is None:
            self._ended.set()
        self._queue.put_nowait(payload)

    def _interrupt(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.stream.stop()

    def _watch(self) -> None:
        patience = self._timing.stuck_after
        while not self._stopping.wait(self._pause_between_looks()):
            with self._looking:
                with self._lock:
                    connection = self._connection
                if connection is None:
                    continue
                try:
                    self._look(connection)
                except KafkaException as error:
                    self._turn(False, self._explain(error))
                    continue
            idle = time.monotonic() - connection.progress
            if connection.arrived:
                patience = self._timing.stuck_after
            if self._lag and not connection.handing_over and idle > patience:
                self._log.warning("reader_stuck", lag=self._lag, idle_seconds=round(idle))
                # where reopening doesn't help, the broker counts what it doesn't send: ask less often
                patience = min(2 * patience, 3600.0)
                self._interrupt()

    def _pause_between_looks(self) -> float:
        every = self._timing.look_every
        return every if self._state.connected and self._lag is not None else min(every, 5.0)

    def _look(self, connection: _Connection) -> None:
        """Measure the lag, and notice partitions that were added. Raises KafkaException."""
        timeout = self._timing.look_timeout
        lag = 0
        for partition in connection.partitions:
            low, high = connection.kafka.get_watermark_offsets(partition, timeout=timeout)
            key = (partition.topic, partition.partition)
            if key not in connection.positions:
                (committed,) = connection.kafka.committed([partition], timeout=timeout)
                connection.positions.setdefault(key, max(committed.offset, low))
            lag += max(0, high - connection.positions[key])
        if not lag:
            connection.progress = time.monotonic()
        self._lag = lag
        self._turn_up()
        known = {(partition.topic, partition.partition) for partition in connection.partitions}
        for topic in self._url.topics:
            found = connection.kafka.list_topics(topic, timeout=timeout).topics[topic]
            if found.error is not None:
                raise KafkaException(found.error)
            if any((topic, number) not in known for number in found.partitions):
                self._log.info("partitions_added", topic=topic, partitions=len(found.partitions))
                self._interrupt()

    def _on_error(self, error: KafkaError) -> None:
        """librdkafka's callback; what it raised would come out of hop's iterator, so it raises nothing."""
        self._errors(error)
        if error.code() in REFUSED:
            self._turn(False, f"{self._url.broker} refuses the credential")
        elif error.code() == KafkaError._ALL_BROKERS_DOWN:
            self._turn(False, f"{self._url.broker} can't be reached")

    def _turn_up(self) -> None:
        if not self._state.connected:
            topics = ", ".join(self._url.topics)
            self._turn(True, f"reads {topics} from {self._url.broker} as {self._group}")

    def _turn(self, connected: bool, words: str) -> None:
        state = self._state
        since = state.since if state.connected == connected and state.words != "not started" else self._now()
        self._state = _State(connected, words, since)

    def _explain(self, error: Exception) -> str:
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


def backoff(failures: int, timing: Timing, jitter: float) -> float:
    """Return the pause in seconds after `failures` (1, 2, …) in a row; jitter 0 to 1 takes off up to half.

    Doubles from `first_retry` to `longest_retry`; the jitter keeps many readers from coming back at once.
    """
    whole = min(timing.longest_retry, timing.first_retry * 2.0 ** min(failures - 1, 30))
    return whole * (1.0 - 0.5 * jitter)


class _Options(Auth):  # type: ignore[misc]  # hop has no types
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
        return {**(self._credential() if self._credential is not None else {}), **OPTIONS}


class _Connection:
    """One open reader and what was read on it."""

    def __init__(
        self, stream: HopConsumer, kafka: Consumer, partitions: list[TopicPartition], opened: float
    ) -> None:
        self.stream = stream
        self.kafka = kafka
        self.partitions = partitions
        self.offsets = Offsets()
        self.positions: dict[tuple[str, int], int] = {}
        self.arrived = 0
        self.handing_over = False
        self.progress = opened
        """When something last arrived or went on, or nothing was missing; monotonic seconds."""


@dataclass(frozen=True, slots=True)
class _Ticket:
    connection: _Connection
    place: Place


@dataclass(frozen=True, slots=True)
class _State:
    connected: bool
    words: str
    since: datetime
