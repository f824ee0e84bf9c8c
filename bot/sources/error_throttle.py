"""Kafka's errors, logged without flooding."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog
from confluent_kafka import KafkaError


class ThrottledErrorLog:
    """Logs each kind of error once in a while and says how many it left out.

    A broker that is down makes librdkafka report up to 18 errors a second.
    """

    def __init__(
        self,
        logger: structlog.typing.FilteringBoundLogger,
        *,
        interval_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Log an error of one code at most once in `every` seconds of `clock`."""
        self._log = logger
        self._interval_s = interval_s
        self._clock = clock
        self._next_log_at: dict[int, float] = {}
        self._suppressed: dict[int, int] = {}

    def __call__(self, error: KafkaError) -> None:
        """Log the error, or count it."""
        code, now = error.code(), self._clock()
        if now < self._next_log_at.get(code, now):
            self._suppressed[code] = self._suppressed.get(code, 0) + 1
            return
        self._next_log_at[code] = now + self._interval_s
        self._log.warning(
            "kafka_error", code=error.name(), reason=error.str(), left_out=self._suppressed.pop(code, 0)
        )
