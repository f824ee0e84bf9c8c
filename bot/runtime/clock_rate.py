"""Detection of jumps of another clock by comparing its rate with this machine's monotonic clock. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

TOLERANCE_S = 0.5
"""Seconds beyond the uncertainty of two readings; a slewed clock differs by less within any lease."""


@dataclass(frozen=True, slots=True)
class ClockReading:
    """Another clock's time, read between two times of this machine's monotonic clock (seconds)."""

    reported: datetime
    monotonic_before: float
    monotonic_after: float


def clock_jumped(earlier: ClockReading, later: ClockReading) -> bool:
    """Return True if the other clock was set between two readings, however long each took.

    A pause of the whole virtual machine looks the same, because its monotonic clock stands still.
    """
    passed = (later.reported - earlier.reported).total_seconds()
    least, most = (
        later.monotonic_before - earlier.monotonic_after,
        later.monotonic_after - earlier.monotonic_before,
    )
    return not least - TOLERANCE_S <= passed <= most + TOLERANCE_S
