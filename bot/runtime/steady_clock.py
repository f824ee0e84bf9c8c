"""A clock that does not jump: the machine's time at startup, continued by its monotonic clock.

All ages (deliveries, notices, purges) are measured with it. The machine's wall clock, Slack's and a shared
database's are compared with it; if another clock than the machine's disagrees twice, that clock is right.
Jumps are logged, and for an hour after one nothing expires.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from bot.runtime import machine_clock

REFERENCE_INTERVAL_S = 60.0
"""Interval of reference readings while the wall clock is wrong: it may be corrected."""
TOLERANCE_S = 60.0
"""A smaller difference between clocks does not matter; the wall clock is followed."""
DISTRUST_AFTER_JUMP_S = 3_600.0
"""Seconds after a jump in which nothing expires."""
TRUSTED_WITHOUT_REFERENCE_S = 86_400.0
"""Seconds without a jump after which the clock is trusted without any reference."""
MIN_REFERENCE_SPACING_S = 4.0
REFERENCE_AGREEMENT_S = 2.5
"""Two readings that agree this well, and are MIN_REFERENCE_SPACING_S apart, are not a cached response."""
MAX_RESPONSE_TIME_S = 1.0
"""A slower response is too inaccurate as a reference."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockJump:
    """A jump of a clock."""

    since: datetime
    ahead_by: timedelta
    """How far the wrong clock was ahead of the right one; negative if it was behind."""
    corrected: bool
    """True if this clock was wrong and was corrected by a reference; False if the wall clock is wrong."""


class SteadyClock:
    """A steady clock; calling it returns the time. `add_reference` compares it with another clock."""

    def __init__(
        self,
        wall: Callable[[], float] | None = None,
        elapsed: Callable[[], float] | None = None,
    ) -> None:
        """`wall` returns the machine's Unix time, `elapsed` its monotonic time in seconds."""
        self._wall = wall or machine_clock.wall_time
        self._elapsed = elapsed or machine_clock.monotonic_time
        self._started = self._elapsed()
        self._offset = self._wall() - self._started
        self._distrusted_until = 0.0
        self._is_confirmed = False
        self._jump: ClockJump | None = None
        self._wall_is_off = False
        self._pending_reference: tuple[float, float] | None = None
        self._last_reference_at = float("-inf")

    def __call__(self) -> datetime:
        """Return the time in UTC."""
        return _to_datetime(self._now())

    @property
    def offset(self) -> float:
        """Seconds to add to the monotonic time; valid for later processes of the same boot."""
        return self._offset

    @property
    def is_confirmed(self) -> bool:
        """True if a reference, or an earlier process of this boot, has confirmed the clock."""
        return self._is_confirmed

    @property
    def needs_reference(self) -> bool:
        """True if another clock should be read now."""
        if not self._is_confirmed or self._pending_reference is not None:
            return True
        return self._wall_is_off and self._elapsed() - self._last_reference_at >= REFERENCE_INTERVAL_S

    @property
    def is_trusted(self) -> bool:
        """True if ages are reliable enough to let deliveries expire and to delete rows."""
        now = self._elapsed()
        known = self._is_confirmed or now - self._started >= TRUSTED_WITHOUT_REFERENCE_S
        return known and now >= self._distrusted_until

    @property
    def jump(self) -> ClockJump | None:
        """The newest jump; None again after an hour without problems."""
        if self._wall_is_off or self._elapsed() < self._distrusted_until:
            return self._jump
        return None

    def resume(self, offset: float) -> None:
        """Continue the clock of an earlier process of this boot; the wall clock may have jumped since."""
        self._offset, self._is_confirmed = offset, True
        self.compare_with_wall_clock()

    def compare_with_wall_clock(self) -> None:
        """Compare with the wall clock, and follow it if it only drifts."""
        ahead = self._wall() - self._now()
        if abs(ahead) <= TOLERANCE_S:
            self._offset += ahead
            if self._wall_is_off:
                # The correction is a jump too.
                self._distrusted_until = self._elapsed() + DISTRUST_AFTER_JUMP_S
            self._wall_is_off = False
            return
        known = self._jump
        if (
            not self._wall_is_off
            or known is None
            or abs(known.ahead_by.total_seconds() - ahead) > TOLERANCE_S
        ):
            self._record_jump(ahead, corrected=False)
        self._wall_is_off = True

    def add_reference(
        self, reported: float, asked: float, answered: float, *, only_if_unconfirmed: bool = False
    ) -> None:
        """Compare with another clock's Unix time, read between two monotonic times of this machine.

        If it differs, the second such reading in a row is followed, or the first that the wall clock agrees
        with: a single response may have been cached. With `only_if_unconfirmed` the reading is ignored once
        this clock is confirmed; a database's clock is no better than a confirmed one.
        """
        self._last_reference_at = answered
        if self._offset + asked - TOLERANCE_S <= reported <= self._offset + answered + TOLERANCE_S:
            self._is_confirmed, self._pending_reference = True, None
            return
        if answered - asked > MAX_RESPONSE_TIME_S:
            return
        offset, wall = reported - answered, self._wall() - self._elapsed()
        if abs(wall - offset) <= TOLERANCE_S:
            offset = wall
        elif (only_if_unconfirmed and self._is_confirmed) or not self._is_repeated(offset, answered):
            return
        wrong_by, self._offset = self._offset - offset, offset
        self._pending_reference, self._is_confirmed = None, True
        self._record_jump(wrong_by, corrected=True)
        self._wall_is_off = abs(wall - offset) > TOLERANCE_S

    def _is_repeated(self, offset: float, answered: float) -> bool:
        if (
            self._pending_reference is None
            or abs(self._pending_reference[0] - offset) > REFERENCE_AGREEMENT_S
        ):
            self._pending_reference = (offset, answered)
            return False
        return answered - self._pending_reference[1] >= MIN_REFERENCE_SPACING_S

    def _record_jump(self, ahead: float, *, corrected: bool) -> None:
        self._jump = ClockJump(since=self(), ahead_by=timedelta(seconds=round(ahead)), corrected=corrected)
        self._distrusted_until = self._elapsed() + DISTRUST_AFTER_JUMP_S
        log.warning("clock_jumped", ahead_s=round(ahead), corrected=corrected)

    def _now(self) -> float:
        return self._offset + self._elapsed()


def _to_datetime(seconds: float) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(seconds=seconds)
