"""Whether another clock goes at the pace of this machine's own count. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

TOLERANCE_S = 0.5
"""Beyond what two readings explain. Clocks that are slewed differ by less within any lease."""


@dataclass(frozen=True, slots=True)
class ClockReading:
    """What another clock said at a moment between two of this machine's own count."""

    reported: datetime
    monotonic_before: float
    monotonic_after: float


def clock_jumped(earlier: ClockReading, later: ClockReading) -> bool:
    """Whether the other clock was set between two readings, however long each of them took.

    A whole machine that was paused looks the same from inside: its own count stood still.
    """
    said = (later.reported - earlier.reported).total_seconds()
    least, most = (
        later.monotonic_before - earlier.monotonic_after,
        later.monotonic_after - earlier.monotonic_before,
    )
    return not least - TOLERANCE_S <= said <= most + TOLERANCE_S
