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
        over: ThreadBridge,
        *,
        first_retry: float,
        longest_retry: float,
        settled_after: float,
        jitter: Callable[[], float],
        lost: Callable[[str], None],
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        """Seconds: the first pause, the longest, and how long a connection holds that was a good one.

        `jitter` gives 0 to 1; `lost(reason)` is told before each pause.
        """
        self._over = over
        self._first_retry = first_retry
        self._longest_retry = longest_retry
        self._settled_after = settled_after
        self._jitter = jitter
        self._lost = lost
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
        ends: tuple[type[Exception], ...],
    ) -> None:
        """Call `read`, which opens a connection and reads until it ends, again and again.

        `ends` are the errors with which a connection may end, and `explain` says why one did. Any other is
        a fault of the reader's own and raised; the source is told that it is through in any case.
        """
        try:
            while not self._over.stopping.is_set():
                opened = time.monotonic()
                try:
                    read()
                    reason = "the connection is opened anew"
                except ends as error:
                    reason = explain(error)
                except OSError as error:
                    # The system's, descriptors that are short say: it passes.
                    reason = error.strerror or str(error)
                if self._over.stopping.is_set():
                    return
                if time.monotonic() - opened > self._settled_after:
                    self.failures = 0
                self.failures += 1
                pause = backoff_delay(self.failures, self._first_retry, self._longest_retry, self._jitter())
                self._lost(reason)
                self._log.warning(
                    "reconnecting", reason=reason, attempt=self.failures, in_seconds=round(pause, 1)
                )
                self._over.stopping.wait(pause)
        finally:
            self._over.finish()
