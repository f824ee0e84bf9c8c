"""A reader that goes on for ever: what both sources' threads do between two connections."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from bot.sources.backoff import backoff_delay
from bot.sources.thread_bridge import ThreadBridge


class ReconnectLoop:
    """Reads until nobody wants anything more, and waits longer after each failure in a row."""

    def __init__(
        self,
        bridge: ThreadBridge,
        *,
        first_backoff_s: float,
        max_backoff_s: float,
        stable_after_s: float,
        jitter: Callable[[], float],
        on_disconnect: Callable[[str], None],
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        """Seconds: the first pause, the longest, and how long a connection holds that was a good one.

        `jitter` gives 0 to 1; `lost(reason)` is told before each pause.
        """
        self._bridge = bridge
        self._first_backoff_s = first_backoff_s
        self._max_backoff_s = max_backoff_s
        self._stable_after_s = stable_after_s
        self._jitter = jitter
        self._on_disconnect = on_disconnect
        self._log = log
        self.failures = 0
        """In a row, up to now."""

    def reset_backoff(self) -> None:
        """Something came: the next failure is the first."""
        self.failures = 0

    def run(
        self,
        read: Callable[[], None],
        explain: Callable[[Exception], str],
        expected_errors: tuple[type[Exception], ...],
    ) -> None:
        """Call `read`, which opens a connection and reads until it ends, again and again.

        `ends` are the errors with which a connection may end, and `explain` says why one did. Any other is
        a fault of the reader's own and raised; the source is told that it is through in any case.
        """
        try:
            while not self._bridge.stopping.is_set():
                opened = time.monotonic()
                try:
                    read()
                    reason = "the connection is opened anew"
                except expected_errors as error:
                    reason = explain(error)
                except OSError as error:
                    # The system's, descriptors that are short say: it passes.
                    reason = error.strerror or str(error)
                if self._bridge.stopping.is_set():
                    return
                if time.monotonic() - opened > self._stable_after_s:
                    self.failures = 0
                self.failures += 1
                pause = backoff_delay(
                    self.failures, self._first_backoff_s, self._max_backoff_s, self._jitter()
                )
                self._on_disconnect(reason)
                self._log.warning(
                    "reconnecting", reason=reason, attempt=self.failures, in_seconds=round(pause, 1)
                )
                self._bridge.stopping.wait(pause)
        finally:
            self._bridge.finish()
