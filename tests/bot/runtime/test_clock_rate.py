"""Detection of jumps of another clock from two readings."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from bot.runtime.clock_rate import TOLERANCE_S, ClockReading, clock_jumped
from tests.support.factories import NOW

spans = st.floats(0.0, 30.0)


@given(spans, spans, spans, st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_a_clock_that_goes_on_never_jumped(
    first: float, between: float, second: float, at: float, then: float
) -> None:
    earlier = ClockReading(NOW, 0.0, first)
    read = first + between + then * second
    later = ClockReading(
        NOW + timedelta(seconds=read - at * first), first + between, first + between + second
    )
    assert not clock_jumped(earlier, later), "however slow the readings were"


@given(st.floats(-1e8, 1e8), spans, st.floats(0.0, 0.1), st.floats(0.0, 0.1))
def test_a_jump_is_seen(jump: float, between: float, first: float, second: float) -> None:
    earlier = ClockReading(NOW, 0.0, first)
    later = ClockReading(
        NOW + timedelta(seconds=first + between + jump), first + between, first + between + second
    )
    if abs(jump) > TOLERANCE_S + first + second + 0.01:
        assert clock_jumped(earlier, later)
