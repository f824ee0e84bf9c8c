"""A log of Kafka's errors that can't be flooded."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog
from confluent_kafka import KafkaError


class ThrottledErrorLog:
    """Logs each kind of error at most once in an interval, with the number that was suppressed.

    librdkafka reports up to 18 errors a second while a broker is down.
    """

    def __init__(
        self,
        logger: structlog.typing.FilteringBoundLogger,
        *,
        interval_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Log errors of one code at most once in `interval_s` seconds of `clock`."""
        self._log = logger
        self._interval_s = interval_s
        self._clock = clock
        self._next_log_at: dict[int, float] = {}
        self._suppressed: dict[int, int] = {}

    def __call__(self, error: KafkaError) -> None:
        """Log the error, or count it as suppressed."""
        code, now = error.code(), self._clock()
        if now < self._next_log_at.get(code, now):
            self._suppressed[code] = self._suppressed.get(code, 0) + 1
            return
        self._next_log_at[code] = now + self._interval_s
        self._log.warning(
            "kafka_error_reported",
            code=error.name(),
            reason=error.str(),
            suppressed=self._suppressed.pop(code, 0),
        )
