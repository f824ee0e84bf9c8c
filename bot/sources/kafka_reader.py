"""The common part of both Kafka sources: the reader's thread, its reconnections, the connection's state."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from bot.runtime.callbacks import no_op
from bot.sources.base import Payload
from bot.sources.error_throttle import ThrottledErrorLog
from bot.sources.reconnect import ReconnectLoop, ReconnectTiming
from bot.sources.thread_bridge import ThreadBridge

QUEUE_SIZE = 2
"""Payloads that wait between a reader and the pipeline, unless a test says otherwise."""

STOP_TIMEOUT_S = 2.0
"""How long a source's `stop` waits for the reader's thread before it leaves it behind."""


@dataclass(frozen=True, slots=True)
class ConnectionState:
    """The state of a connection to a broker, and since when it is so."""

    connected: bool
    reason: str | None
    """Why there is no connection, empty if there is one; None before the start."""
    since: datetime

    @property
    def since_text(self) -> str:
        """Return the beginning of the state in words, such as "since 2026-01-02 03:04:05 UTC"."""
        return f"since {self.since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


class KafkaReader:
    """A daemon thread in which a blocking Kafka client reads, and the state of its connection.

    A source gives it the function that opens one connection and reads it to its end; payloads go through
    `bridge`, and `set_state` and `error_log` may be called from any thread.
    """

    def __init__(
        self,
        name: str,
        timing: ReconnectTiming,
        log: structlog.typing.FilteringBoundLogger,
        *,
        queue_size: int = QUEUE_SIZE,
        is_optional: bool = False,
    ) -> None:
        """Prepare a reader called `name`; nothing is opened yet.

        At most `queue_size` payloads wait between the thread and the consumer. The connection of a reader
        that is optional may be away for long, so that only a new reason is logged.
        """
        self._name = name
        self._log = log
        self.error_log = ThrottledErrorLog(log)
        self.bridge = ThreadBridge(name, queue_size)
        self.reconnect_loop = ReconnectLoop(
            self.bridge,
            timing,
            on_disconnect=lambda reason: self.set_state(False, reason),
            log=log,
            is_optional=is_optional,
        )
        self.state = ConnectionState(False, None, datetime.now(UTC))

    def payloads(
        self,
        read: Callable[[], None],
        describe_error: Callable[[Exception], str],
        expected_errors: tuple[type[Exception], ...],
        *,
        on_start: Callable[[], None] = no_op,
    ) -> AsyncIterator[Payload]:
        """Yield the payloads that `read` puts on the bridge, reconnecting until the source is stopped.

        The thread starts, and `on_start` is called, with the first iteration. Raises RuntimeError if the
        payloads are being iterated already, or if `read` raised an error that isn't expected.
        """

        def run() -> None:
            self.reconnect_loop.run(read, describe_error, expected_errors)

        def start() -> None:
            threading.Thread(target=run, name=f"{self._name.lower()}-reader", daemon=True).start()
            on_start()

        return self.bridge.payloads(start)

    async def wait_until_ended(self, is_ended: Callable[[], bool], interrupt: Callable[[], None]) -> None:
        """Wait until `is_ended`, calling `interrupt` again and again; give up after STOP_TIMEOUT_S."""
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                while not is_ended():
                    interrupt()
                    await asyncio.sleep(0.02)
        except TimeoutError:
            self._log.warning("source_stop_timed_out", waited_s=STOP_TIMEOUT_S)

    def set_state(self, connected: bool, reason: str = "") -> None:
        """Record whether the broker answers, and if it doesn't, why."""
        state = self.state
        if state.connected == connected and state.reason == reason:
            return
        same = state.connected == connected and state.reason is not None
        self.state = ConnectionState(connected, reason, state.since if same else datetime.now(UTC))
