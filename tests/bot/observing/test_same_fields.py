"""Fields that were reported twice, against a comparison of all pairs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.observing.same_fields import SAME_TIME, Places, find_same
from formatters.models.observation import ObservedField
from formatters.text.quantities import separation

NOW = datetime(2026, 11, 15, 6, tzinfo=UTC)

fields = st.lists(
    st.builds(
        ObservedField,
        ra=st.one_of(st.floats(0, 0.2), st.floats(359.8, 360), st.just(10.0)),
        dec=st.one_of(st.floats(-0.2, 0.2), st.floats(89.8, 90), st.just(float("nan"))),
        time=st.one_of(st.none(), st.integers(0, 90).map(lambda minutes: NOW + timedelta(minutes=minutes))),
    ),
    max_size=25,
)


@given(fields, fields, st.sampled_from([1e-5, 0.02, 0.1, 3.0]))
@settings(deadline=None)
def test_what_is_found_is_what_all_pairs_say(
    some: list[ObservedField], others: list[ObservedField], radius: float
) -> None:
    def is_same(one: ObservedField, other: ObservedField) -> bool:
        if np.isnan(one.dec) or np.isnan(other.dec):
            return False
        apart = separation(one.ra, one.dec, other.ra, other.dec)
        if abs(apart - radius) < 1e-6 + 1e-3 * radius:
            # So near to the limit that rounding decides.
            return bool(found[some.index(one)])
        early = one.time is None or other.time is None or abs(one.time - other.time) <= SAME_TIME
        return apart < radius and early

    found = find_same(Places.of(some), Places.of(others), radius)
    for number, one in enumerate(some):
        if some.index(one) == number:
            assert bool(found[number]) == any(is_same(one, other) for other in others)


@pytest.mark.parametrize(("seconds", "same"), [(0, True), (1_800, True), (1_801, False), (-1_801, False)])
def test_two_times_are_of_one_exposure_up_to_half_an_hour_apart(seconds: int, same: bool) -> None:
    one = ObservedField(ra=10, dec=0, time=NOW)
    other = ObservedField(ra=10, dec=0, time=NOW + timedelta(seconds=seconds))
    assert find_same(Places.of([one]), Places.of([other]), 0.02).tolist() == [same]


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_a_hundred_thousand_pointings_are_compared_with_twenty_five_thousand_of_ones_own() -> None:
    random = np.random.default_rng(1)
    ra, dec = random.uniform(0, 360, 100_000), random.uniform(-80, 80, 100_000)
    every = [ObservedField(ra=a, dec=d) for a, d in zip(ra.tolist(), dec.tolist(), strict=True)]
    found = find_same(Places.of(every), Places.of(every[::4]), 0.001)
    assert found[::4].all() and found.sum() < 25_100
    # All in one place, at other times: no more are compared than anybody visits it.
    there = [ObservedField(ra=10, dec=0, time=NOW) for _ in range(5_000)]
    later = [ObservedField(ra=10, dec=0, time=NOW + timedelta(hours=2)) for _ in range(5_000)]
    assert not find_same(Places.of(there), Places.of(later), 0.05).any()
