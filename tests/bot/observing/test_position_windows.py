"""When sites can observe positions, held against what they can observe of a map there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.observing.observability import altitudes, observability_in_two_nights
from bot.observing.observatories import find_site
from bot.observing.position_windows import best_windows
from bot.samples.skymaps import sky_map
from bot.skymaps.skymap import peak_tile, read_sky_map
from formatters.models.observing import MIN_UP, ObservingConstraints, Site

NOW = datetime(2026, 11, 22, 12, 2, 30, tzinfo=UTC)
PALOMAR, PARANAL = find_site("Palomar"), find_site("Paranal")
NORTH, SOUTH = (60.0, 70.0), (100.0, -70.0)
DEFAULT = ObservingConstraints()


def test_the_site_that_sees_it_is_named() -> None:
    north, south, sun = best_windows([NORTH, SOUTH, (238.0, -20.0)], [PALOMAR, PARANAL], DEFAULT, NOW)
    assert north is not None and north.site == PALOMAR
    assert south is not None and south.site == PARANAL
    assert sun is None


@pytest.mark.parametrize("hours", [0, 6, 12, 18])
@pytest.mark.parametrize(
    "site", [PALOMAR, PARANAL, Site(name="Dish", latitude=50, longitude=7, height=300, radio=True)]
)
def test_it_is_the_window_of_a_map_that_is_one_point(site: Site, hours: int) -> None:
    now = NOW + timedelta(hours=hours)
    fits = sky_map([(60.0, 20.0, 1.0, 0.01)], superevent_id="S261122a", time=NOW, base_order=4, rounds=7)
    skymap = read_sky_map(fits)
    tile = peak_tile(skymap)
    assert skymap.probability[tile] > 0.1
    expected = observability_in_two_nights(skymap, [site], DEFAULT, now).sites[0].this_night.windows
    [found] = best_windows([(60.0, 20.0)], [site], DEFAULT, now)
    assert found is not None and expected
    assert any(
        abs(found.start - one.start) < timedelta(minutes=3)
        and abs(found.stop - one.stop) < timedelta(minutes=3)
        for one in expected
    )


@given(
    st.floats(0, 359.9),
    st.floats(-90, 90),
    st.floats(-89.9, 89.9),
    st.floats(-180, 180),
    st.integers(0, 366 * 24),
    st.booleans(),
)
@settings(deadline=None, max_examples=40)
def test_any_window_is_ahead_long_enough_and_high_enough(
    ra: float, dec: float, latitude: float, longitude: float, hours: int, radio: bool
) -> None:
    site = Site(name="X", latitude=latitude, longitude=longitude, height=0, radio=radio)
    now = NOW + timedelta(hours=hours)
    [found] = best_windows([(ra, dec)], [site], DEFAULT, now)
    if found is None:
        return
    assert found.start >= now and found.stop > found.start
    assert found.start > now or found.stop > now
    assert found.start == now or found.stop - found.start >= MIN_UP - timedelta(seconds=61)
    times = [found.start + (found.stop - found.start) * float(part) for part in np.linspace(0, 1, 7)]
    assert altitudes(site, ra, dec, times).min() >= DEFAULT.altitude - 0.5
    assert DEFAULT.altitude - 0.1 <= found.peak_altitude <= 90.01


def test_nothing_is_asked_about_nothing() -> None:
    assert best_windows([], [PALOMAR], DEFAULT, NOW) == ()
    assert best_windows([NORTH], [], DEFAULT, NOW) == (None,)
