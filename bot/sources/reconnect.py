"""The loop of a reader thread that opens its connection again after each failure, with exponential backoff.

It is written here and not taken from stamina, because it is no plain retry: a connection that ends without an
error is opened again too, a payload that arrives resets the backoff in the middle of an attempt, and a stop
has to end the pause at once.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from bot.sources.thread_bridge import ThreadBridge


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconnectTiming:
    """The pauses between two connections, in seconds."""

    first_backoff_s: float = 0.5
    max_backoff_s: float = 60.0
    stable_after_s: float = 60.0
    """The time for which a connection must hold, if nothing arrives, to reset the backoff."""


class ReconnectLoop:
    """Opens a connection again until the source is stopped, waiting longer after each failure in a row."""

    def __init__(
        self,
        bridge: ThreadBridge,
        timing: ReconnectTiming,
        *,
        on_disconnect: Callable[[str], None],
        log: structlog.typing.FilteringBoundLogger,
        is_optional: bool = False,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Prepare a loop that ends when `bridge` is stopped.

        `on_disconnect` is called with the reason before each pause. `jitter` returns a number from 0 to 1. A
        topic that is optional may be away for good: only a new reason is logged.
        """
        self._bridge = bridge
        self._timing = timing
        self._on_disconnect = on_disconnect
        self._log = log
        self._is_optional = is_optional
        self._logged_reason: str | None = None
        self._jitter = jitter
        self.failures = 0
        """The number of failures in a row so far."""

    def reset_backoff(self) -> None:
        """Count the next failure as the first, because a payload arrived."""
        self.failures = 0
        self._logged_reason = None

    def run(
        self,
        read: Callable[[], None],
        describe_error: Callable[[Exception], str],
        expected_errors: tuple[type[Exception], ...],
    ) -> None:
        """Call `read`, which opens a connection and reads until it ends, until the source is stopped.

        A connection may end with one of `expected_errors` or an OSError. Any other error is a defect of the
        reader and is raised; the bridge is finished in every case, so that the consumer notices.
        """
        try:
            while not self._bridge.stopping.is_set():
                opened_at = time.monotonic()
                try:
                    read()
                    reason = "the connection is being reopened"
                except expected_errors as error:
                    reason = describe_error(error)
                except OSError as error:
                    # An error of the operating system, such as too few file descriptors: it passes.
                    reason = error.strerror or str(error)
                if self._bridge.stopping.is_set():
                    return
                if time.monotonic() - opened_at > self._timing.stable_after_s:
                    self.failures = 0
                self.failures += 1
                pause_s = backoff_delay(
                    self.failures, self._timing.first_backoff_s, self._timing.max_backoff_s, self._jitter()
                )
                self._on_disconnect(reason)
                self._log_disconnect(reason, pause_s)
                self._bridge.stopping.wait(pause_s)
        finally:
            self._bridge.finish()

    def _log_disconnect(self, reason: str, pause_s: float) -> None:
        if not self._is_optional:
            self._log.warning(
                "source_disconnected", reason=reason, attempt=self.failures, retry_in_s=round(pause_s, 1)
            )
        elif reason != self._logged_reason:
            self._log.warning("topic_not_read", reason=reason, retry_in_s=round(pause_s, 1))
        self._logged_reason = reason


def backoff_delay(failures: int, first_s: float, max_s: float, jitter: float) -> float:
    """Return the seconds to wait after `failures` failures in a row (1 or more).

    The delay doubles from `first_s` up to `max_s`. `jitter` (0 to 1) takes up to half of it away, so that
    many readers don't reconnect at the same moment.
    """
    delay_s = min(max_s, first_s * 2.0 ** min(failures - 1, 30))
    return delay_s * (1.0 - 0.5 * jitter)
