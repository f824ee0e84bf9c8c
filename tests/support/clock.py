"""A clock that the tests set."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@dataclass
class Clock:
    """A clock that stands still until `advance` is called; with `runs` it also runs in real time."""

    now: datetime = NOW
    runs: bool = False
    _created_at: float = field(default_factory=time.monotonic)

    def __call__(self) -> datetime:
        if not self.runs:
            return self.now
        return self.now + timedelta(seconds=time.monotonic() - self._created_at)

    def advance(self, **by: float) -> None:
        """Move on by the arguments of `timedelta`, such as `minutes=5`."""
        self.now += timedelta(**by)


@dataclass
class SecondsClock:
    """A monotonic clock in seconds that stands still until a test sets `now`."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now
