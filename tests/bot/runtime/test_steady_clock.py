"""A clock that does not jump, whatever the wall clock does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.runtime.steady_clock import (
    DISTRUST_AFTER_JUMP_S,
    TOLERANCE_S,
    TRUSTED_WITHOUT_REFERENCE_S,
    SteadyClock,
)

BEGIN = datetime(2026, 11, 22, 12, 0, tzinfo=UTC).timestamp()
YEAR = 3.2e7


@dataclass
class Machine:
    """True time, and a wall clock with an error."""

    passed: float = 1_000.0
    wrong_by: float = 0.0

    def wall(self) -> float:
        return BEGIN + self.passed + self.wrong_by

    def elapsed(self) -> float:
        return self.passed

    def clock(self) -> SteadyClock:
        return SteadyClock(self.wall, self.elapsed)

    def slack_says(self, clock: SteadyClock, *, took: float = 0.2) -> None:
        asked = self.passed
        self.passed += took
        clock.add_reference(float(int(BEGIN + self.passed)), asked, self.passed)


def state(clock: SteadyClock) -> tuple[bool, bool, bool]:
    """Return whether the clock is confirmed, is trusted, and has jumped."""
    return clock.is_confirmed, clock.is_trusted, clock.jump is not None


def off(machine: Machine, clock: SteadyClock) -> float:
    """Return the error of the clock in seconds."""
    return (clock() - datetime.fromtimestamp(BEGIN + machine.passed, UTC)).total_seconds()


jumps = st.one_of(
    st.floats(-3 * YEAR, 3 * YEAR), st.floats(-200.0, 200.0), st.sampled_from([3600.0, -3600.0])
)
pauses = st.floats(0.0, 7_200.0)


@example([(one, 0.0, False, False) for one in (121.0, -51.0, 70.0, -63.0)])
@given(st.lists(st.tuples(jumps, pauses, st.booleans(), st.booleans()), max_size=12))
def test_no_jump_moves_it_and_nothing_is_given_up_within_an_hour(
    steps: list[tuple[float, float, bool, bool]],
) -> None:
    """Jumps of any size, with and without readings of Slack's clock, and with restarts."""
    machine = Machine()
    clock = machine.clock()
    machine.slack_says(clock)
    assert clock.is_trusted
    jumped_at = -1e9
    drift = 0.0
    for wrong_by, pause, restart, hears in steps:
        before, error = machine.wrong_by, off(machine, clock)
        machine.wrong_by = wrong_by
        machine.passed += 1.0
        if restart:
            offset, clock = clock.offset, machine.clock()
            clock.resume(offset)
            # A jump that is over is forgotten with the process; the count goes on, so no age is wrong by it.
            jumped_at = -1e9
        clock.compare_with_wall_clock()
        # Less than a minute beside the clock is followed; so such jumps may add up, as NTP's do, also where
        # the wall clock was far off in between.
        is_near = abs(wrong_by - before) <= 2 * TOLERANCE_S or abs(wrong_by - error) <= TOLERANCE_S
        drift += TOLERANCE_S if is_near else 0.0
        if hears:
            machine.slack_says(clock)
        assert abs(off(machine, clock)) <= TOLERANCE_S + 2 + drift
        if abs(wrong_by - before) > 2 * TOLERANCE_S + drift and abs(wrong_by) > 2 * TOLERANCE_S + drift:
            jumped_at = machine.passed
        told = clock.jump is not None
        if machine.passed - jumped_at < DISTRUST_AFTER_JUMP_S - 5 and not restart:
            assert told
        machine.passed += pause
        clock.compare_with_wall_clock()


@given(jumps)
def test_within_an_hour_of_a_jump_it_is_not_sure(wrong_by: float) -> None:
    machine = Machine()
    clock = machine.clock()
    machine.slack_says(clock)
    before = clock()
    machine.wrong_by = wrong_by
    clock.compare_with_wall_clock()
    if abs(wrong_by) <= TOLERANCE_S:
        assert clock.is_trusted and clock.jump is None
        return
    assert not clock.is_trusted
    assert abs((clock() - before).total_seconds()) < 1.0
    jump = clock.jump
    assert jump is not None and abs(jump.ahead_by.total_seconds() - wrong_by) <= 1.0 and not jump.corrected
    machine.passed += DISTRUST_AFTER_JUMP_S - 1.0
    clock.compare_with_wall_clock()
    assert not clock.is_trusted
    machine.wrong_by = 0.0
    clock.compare_with_wall_clock()
    machine.passed += DISTRUST_AFTER_JUMP_S - 1.0
    assert state(clock) == (True, False, True), "back again is a jump too"
    machine.passed += 2.0
    clock.compare_with_wall_clock()
    assert state(clock) == (True, True, False)


@given(jumps.filter(lambda by: abs(by) > TOLERANCE_S + 3))
def test_one_that_began_wrong_is_set_right_by_the_second_word(wrong_by: float) -> None:
    machine = Machine(wrong_by=wrong_by)
    clock = machine.clock()
    assert state(clock) == (False, False, False), "nobody agreed with it yet"
    machine.slack_says(clock)
    assert state(clock) == (False, False, False) and abs(off(machine, clock) - wrong_by) < 2
    machine.passed += 1.0
    machine.slack_says(clock)
    assert state(clock) == (False, False, False), "too soon after the first"
    assert clock.needs_reference
    machine.passed += 6.0
    machine.slack_says(clock)
    assert state(clock) == (True, False, True) and abs(off(machine, clock)) < 3
    jump = clock.jump
    assert jump is not None and jump.corrected and abs(jump.ahead_by.total_seconds() - wrong_by) < 4
    machine.passed += 10 * DISTRUST_AFTER_JUMP_S
    clock.compare_with_wall_clock()
    assert abs(off(machine, clock)) < 3, "the machine's is still wrong"
    assert state(clock) == (True, True, True) and clock.needs_reference


def test_a_machine_set_right_is_followed_at_the_first_word() -> None:
    machine = Machine(wrong_by=-YEAR)
    clock = machine.clock()
    machine.wrong_by = 0.0
    clock.compare_with_wall_clock()
    assert off(machine, clock) == pytest.approx(-YEAR), "it may as well be this jump that is wrong"
    machine.slack_says(clock)
    assert off(machine, clock) == pytest.approx(0.0, abs=0.1) and clock.is_confirmed


def test_an_old_answer_out_of_a_cache_moves_nothing() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.slack_says(clock)
    for _ in range(20):
        clock.add_reference(BEGIN - 9_000.0, machine.passed, machine.passed + 0.1)
        machine.passed += 7.0
        assert abs(off(machine, clock)) < 1.0


def test_an_answer_that_came_in_a_pause_moves_nothing() -> None:
    machine = Machine()
    clock = machine.clock()
    for _ in range(3):
        said, asked = BEGIN + machine.passed, machine.passed
        machine.passed += 4_000.0
        clock.add_reference(said, asked, machine.passed)
        assert clock.is_confirmed and abs(off(machine, clock)) < 1.0


def test_a_whole_machine_that_was_paused_is_set_right() -> None:
    """The monotonic clock and the wall clock stood still until the wall clock was set."""
    machine = Machine()
    clock = machine.clock()
    machine.slack_says(clock)
    for _ in range(2):
        clock.compare_with_wall_clock()
        clock.add_reference(BEGIN + machine.passed + 7_200.0, machine.passed, machine.passed + 0.1)
        machine.passed += 6.0
    assert off(machine, clock) == pytest.approx(7_200.0, abs=3.0) and not clock.is_trusted
    machine.wrong_by = 7_200.0
    clock.compare_with_wall_clock()
    assert off(machine, clock) == pytest.approx(7_200.0, abs=0.1)


def test_a_database_is_believed_only_until_somebody_agreed() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.slack_says(clock)
    for _ in range(5):
        machine.passed += 7.0
        clock.add_reference(
            BEGIN + machine.passed + YEAR, machine.passed, machine.passed, only_if_unconfirmed=True
        )
    assert abs(off(machine, clock)) < 1.0
    fresh = machine.clock()
    for _ in range(3):
        machine.passed += 7.0
        fresh.add_reference(
            BEGIN + machine.passed + YEAR, machine.passed, machine.passed, only_if_unconfirmed=True
        )
    assert off(machine, fresh) == pytest.approx(YEAR)


def test_a_restart_goes_on_though_the_clock_jumped_meanwhile() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.slack_says(clock)
    offset = clock.offset
    machine.passed += 30.0
    machine.wrong_by = 30 * 86_400.0
    again = machine.clock()
    again.resume(offset)
    assert abs(off(machine, again)) < 1.0 and again.is_confirmed and not again.is_trusted
    assert again.jump is not None and again.jump.ahead_by == timedelta(days=30)


def test_clock_without_reference_is_trusted_after_a_day_without_jump() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.passed += TRUSTED_WITHOUT_REFERENCE_S - 10.0
    clock.compare_with_wall_clock()
    assert state(clock) == (False, False, False)
    machine.passed += 20.0
    machine.wrong_by = YEAR
    clock.compare_with_wall_clock()
    assert state(clock) == (False, False, True)
    machine.passed += DISTRUST_AFTER_JUMP_S + 1.0
    assert clock.is_trusted
