"""A clock that doesn't jump: one reading of the machine's, continued by a count that nobody sets.

What waits, what is old and what is purged is decided by it. The machine's clock is only compared with it, and
so are the clocks of Slack and of a shared database: where these disagree with it again and again, they are
right. Whatever jumped is told, and for an hour nothing is given up for its age.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from bot.runtime import machine_clock

REFERENCE_INTERVAL_S = 60.0
"""While the machine's clock is off, somebody else's word is asked for so often: it may be set right."""
TOLERANCE_S = 60.0
"""Nothing here turns on a minute: clocks so near are one, and the machine's is followed."""
DISTRUST_AFTER_JUMP_S = 3_600.0
"""How long after a jump nothing is given up."""
TRUSTED_WITHOUT_REFERENCE_S = 86_400.0
"""A clock that went so long without a jump is sure, though nobody else ever said what time it is."""
MIN_REFERENCE_SPACING_S = 4.0
REFERENCE_AGREEMENT_S = 2.5
"""Two words that are farther apart than this in time, and agree so well, aren't one that was kept."""
MAX_RESPONSE_TIME_S = 1.0
"""An answer that took longer says too little of now."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockJump:
    """The newest jump, as long as it matters."""

    since: datetime
    ahead_by: timedelta
    """How much the clock that is wrong was ahead of the right one; negative: behind."""
    corrected: bool
    """Wrong was not the machine's clock but this one; it was set right by others' word."""


class SteadyClock:
    """Call it for the time. `look` compares it with the machine's, `heard` with somebody else's."""

    def __init__(
        self,
        wall: Callable[[], float] | None = None,
        elapsed: Callable[[], float] | None = None,
    ) -> None:
        """`wall` is the machine's Unix time, `elapsed` its count."""
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
        """The time."""
        return _to_datetime(self._now())

    @property
    def offset(self) -> float:
        """What the count is to be continued with after a restart, as long as the machine runs on."""
        return self._offset

    @property
    def is_confirmed(self) -> bool:
        """Whether somebody else's clock agreed, or an earlier process of this boot found it right."""
        return self._is_confirmed

    @property
    def needs_reference(self) -> bool:
        """Whether somebody else should be asked for the time now."""
        if not self._is_confirmed or self._pending_reference is not None:
            return True
        return self._wall_is_off and self._elapsed() - self._last_reference_at >= REFERENCE_INTERVAL_S

    @property
    def is_trusted(self) -> bool:
        """Whether an age is good enough to give something up, or to delete it."""
        now = self._elapsed()
        known = self._is_confirmed or now - self._started >= TRUSTED_WITHOUT_REFERENCE_S
        return known and now >= self._distrusted_until

    @property
    def jump(self) -> ClockJump | None:
        """The newest jump, until nothing was wrong for an hour."""
        if self._wall_is_off or self._elapsed() < self._distrusted_until:
            return self._jump
        return None

    def resume(self, offset: float) -> None:
        """Continue what an earlier process of this boot counted: the machine's may have jumped."""
        self._offset, self._is_confirmed = offset, True
        self.compare_with_wall_clock()

    def compare_with_wall_clock(self) -> None:
        """Compare with the machine's clock, and follow it where it only drifts."""
        ahead = self._wall() - self._now()
        if abs(ahead) <= TOLERANCE_S:
            self._offset += ahead
            if self._wall_is_off:
                # Back again is a jump too.
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
        self, said: float, asked: float, answered: float, *, only_if_unconfirmed: bool = False
    ) -> None:
        """Take note of somebody else's Unix time, said between two moments of this machine's count.

        Where it differs from this clock, the second such word in a row counts, or the first that the
        machine's clock agrees with: one answer may be an old one, that somebody kept. `only_if_new` is for
        a clock that isn't better than this one once anybody agreed with this one.
        """
        self._last_reference_at = answered
        if self._offset + asked - TOLERANCE_S <= said <= self._offset + answered + TOLERANCE_S:
            self._is_confirmed, self._pending_reference = True, None
            return
        if answered - asked > MAX_RESPONSE_TIME_S:
            return
        offset, wall = said - answered, self._wall() - self._elapsed()
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
