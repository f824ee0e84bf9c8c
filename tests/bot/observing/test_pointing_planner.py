"""Plans of pointings, held against astropy's AltAz and against what an observer expects of one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from astropy.coordinates import AltAz, EarthLocation, SkyCoord, get_body, get_sun
from astropy.time import Time
from astropy.utils import iers
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.observing.footprints import covers, parse_footprint
from bot.observing.observatories import find_site
from bot.observing.pointing_planner import MAX_FIELDS, plan_pointings
from bot.samples.skymaps import sky_map
from bot.skymaps import healpix
from bot.skymaps.skymap import SkyMap, read_sky_map
from formatters.models.observing import ObservingConstraints, Site
from formatters.models.pointing import PointingPlan, Telescope
from tests.support.rubin_maps import gaussian, tiled

NOW = datetime(2026, 11, 22, 12, 2, 30, tzinfo=UTC)
NIGHT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
"""Within the night of Paranal."""
PALOMAR, PARANAL = find_site("Palomar"), find_site("Paranal")
DISH = Site(name="Dish", latitude=50.0, longitude=7.0, height=300.0, radio=True)
LIMITS = ObservingConstraints()
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True, scope="module")
def offline() -> Iterator[None]:
    """Keep astropy from downloading the Earth's rotation; what it comes with is good enough."""
    with (
        iers.conf.set_temp("auto_download", False),
        iers.conf.set_temp("auto_max_age", None),
        iers.conf.set_temp("iers_degraded_accuracy", "ignore"),
    ):
        yield


def telescope(fov: str = "2.2deg circle", exposure: float = 2, overhead: float = 1) -> Telescope:
    return Telescope(
        site="Here",
        footprint=parse_footprint(fov),
        exposure=exposure * MINUTE,
        overhead=overhead * MINUTE,
    )


def two_lobes(*peaks: tuple[float, float, float], sigma: float = 2.0) -> SkyMap:
    return read_sky_map(sky_map([(*one, sigma) for one in peaks], superevent_id="S261122a", time=NOW))


def whole_sky(order: int) -> SkyMap:
    ipix = np.arange(12 * 4**order)
    return tiled(np.array(order), ipix, np.ones(ipix.size))


def check(plan: PointingPlan, site: Site, now: datetime, limits: ObservingConstraints = LIMITS) -> None:
    """Assert that a plan can be observed as it stands, by astropy."""
    step = plan.telescope.exposure + plan.telescope.overhead
    assert [one.number for one in plan.pointings] == list(range(1, len(plan.pointings) + 1))
    assert all(
        after.start - before.start >= step - MINUTE / 6e4 for before, after in pairwise(plan.pointings)
    )
    assert plan.covered == pytest.approx(sum(one.share for one in plan.pointings))
    assert 0 <= plan.covered <= 1.000001
    if not plan.pointings:
        return
    assert plan.pointings[0].start >= max(now, plan.begin)
    assert plan.pointings[-1].start + plan.telescope.exposure <= plan.end + MINUTE / 60
    place = EarthLocation.from_geodetic(site.longitude, site.latitude, site.height)
    targets = SkyCoord([one.ra for one in plan.pointings], [one.dec for one in plan.pointings], unit="deg")
    for part in (0.0, 0.5, 1.0):
        times = Time([one.start + part * plan.telescope.exposure for one in plan.pointings])
        frame = AltAz(obstime=times, location=place)
        altitudes = targets.transform_to(frame).alt.deg
        assert altitudes.min() > limits.altitude - 0.02
        if part == 0.5:
            assert np.abs(altitudes - [one.altitude for one in plan.pointings]).max() < 0.02
        if not site.radio:
            assert get_sun(times).transform_to(frame).alt.deg.max() < limits.darkness + 0.05
            moon = get_body("moon", times, place)
            up = moon.transform_to(frame).alt.deg > 1.5
            apart = moon.separation(targets.transform_to(moon.frame), origin_mismatch="ignore").deg
            assert (apart[up] > 9).all()


@pytest.mark.slow
@given(
    st.floats(-90, 90),
    st.floats(-180, 180),
    st.floats(0, 359.9),
    st.floats(-90, 90),
    st.integers(0, 366 * 24),
    st.sampled_from(["0.5deg circle", "2.2deg circle", "3x1.5deg", "47sqdeg"]),
    st.sampled_from([1, 12, 60]),
    st.booleans(),
)
@settings(deadline=None, max_examples=15)
def test_a_plan_can_be_observed_as_it_stands(
    latitude: float, longitude: float, ra: float, dec: float, hours: int, fov: str, count: int, radio: bool
) -> None:
    site = Site(name="Any", latitude=latitude, longitude=longitude, height=0.0, radio=radio)
    now = NOW - timedelta(hours=hours)
    skymap = two_lobes((ra, dec, 0.7), ((ra + 100) % 360, -dec, 0.3), sigma=6.0)
    plan = plan_pointings(skymap, site, telescope(fov), LIMITS, now, count=count)
    check(plan, site, now)
    assert len(plan.pointings) <= count
    # Fields at the limit of altitude reach a little below it.
    assert plan.covered <= plan.observable + 0.15


@pytest.mark.slow
@pytest.mark.parametrize(("ra", "dec"), [(0.0, -30.0), (359.9, 10.0), (30.0, -90.0)])
def test_a_map_smaller_than_a_field_takes_one_pointing_where_it_holds_most(ra: float, dec: float) -> None:
    low = ObservingConstraints(altitude=10.0)
    skymap = gaussian(1.0, ra, dec)
    plan = plan_pointings(skymap, PARANAL, telescope("47sqdeg"), low, NOW, count=20)
    [only] = plan.pointings
    assert only.share > 0.995
    best = plan_pointings(skymap, PARANAL, telescope("1.4deg circle"), low, NOW, count=1)
    assert best.covered == pytest.approx(1 - 10 ** -(0.7**2 * np.pi), abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("place", [(60.0, -30.0), (0.0, -89.9), (359.95, -20.0)])
def test_the_probability_covered_is_that_of_the_full_map(place: tuple[float, float]) -> None:
    skymap = gaussian(150.0, *place)
    limits = ObservingConstraints(altitude=15.0)
    plan = plan_pointings(skymap, PARANAL, telescope("3x1.5deg"), limits, NOW, count=12)
    order = 10
    middle = healpix.finest_pixels([place[0]], [place[1]]) >> 2 * (29 - 3)
    near = np.unique(np.concatenate([middle, healpix.neighbours(np.array([3]), middle).ravel()]))
    pixels = np.concatenate([np.arange(one * 4**7, (one + 1) * 4**7) for one in near[near >= 0].tolist()])
    points = healpix.centre_vectors(order, pixels)
    held = np.zeros(pixels.size, np.bool_)
    for one in plan.pointings:
        held |= covers(plan.telescope.footprint, one.ra, one.dec, points)
    tile = skymap.by_position[
        np.searchsorted(skymap.start[skymap.by_position], pixels[held] << 2 * (29 - order), side="right") - 1
    ]
    counted = float(skymap.density[tile].sum()) * 4 * np.pi / (12 * 4**order)
    assert plan.covered == pytest.approx(counted, rel=5e-3)
    # Never more than the densest area as large; and not much less, the map being round.
    area = 12 * plan.telescope.footprint.area
    assert 0.85 < plan.covered / (1 - 10 ** -(area / 150)) < 1.005


@pytest.mark.parametrize("exposure", [1 / 60, 2])
@pytest.mark.slow
def test_the_sum_of_many_small_fields_is_what_points_at_random_say(exposure: float) -> None:
    # Not pixels: the fields' centres are those of pixels too, so that coarse ones are wrong for all alike.
    skymap = gaussian(300.0, 60.0, -30.0)
    plan = plan_pointings(skymap, PARANAL, telescope("0.5deg circle", exposure, 0), LIMITS, NIGHT, count=60)
    random = np.random.default_rng(1)
    footprint, each, counted = plan.telescope.footprint, 4_000, 0.0
    for number, one in enumerate(plan.pointings):
        # Even on the cap around the centre, which is the field.
        height = 1 - random.random(each) * (1 - np.cos(np.radians(0.25)))
        angle, lon, lat = 2 * np.pi * random.random(each), np.radians(one.ra), np.radians(one.dec)
        width = np.sqrt(1 - height**2)
        east, north = width * np.cos(angle), width * np.sin(angle)
        outward = height * np.cos(lat) - north * np.sin(lat)
        x, y = outward * np.cos(lon) - east * np.sin(lon), outward * np.sin(lon) + east * np.cos(lon)
        z = height * np.sin(lat) + north * np.cos(lat)
        is_new = covers(footprint, one.ra, one.dec, (x, y, z))
        assert is_new.mean() > 0.999
        for before in plan.pointings[:number]:
            is_new &= ~covers(footprint, before.ra, before.dec, (x, y, z))
        pixel = healpix.finest_pixels(np.degrees(np.arctan2(y, x)) % 360, np.degrees(np.arcsin(z)))
        tile = skymap.by_position[
            np.searchsorted(skymap.start[skymap.by_position], pixel[is_new], side="right") - 1
        ]
        counted += float(skymap.density[tile].sum()) / each * np.radians(1) ** 2 * footprint.area
    assert len(plan.pointings) == 60
    assert plan.covered == pytest.approx(counted, rel=3e-3)


@pytest.mark.slow
def test_where_there_is_time_for_few_fields_more_that_are_asked_for_cost_none_of_them() -> None:
    # RA 186° rises above the limit just before dawn, and nothing else of the map is up.
    skymap = two_lobes((186.0, -25.0, 1.0), sigma=3.0)
    covered = [
        plan_pointings(skymap, PARANAL, telescope("0.5deg circle"), LIMITS, NOW, count=count).covered
        for count in (10, 30, 60, 100, 200)
    ]
    assert covered[0] > 0
    assert covered == sorted(covered)


@pytest.mark.slow
def test_what_sets_first_is_observed_first() -> None:
    # At dusk on Paranal in November RA 330° is about to set, RA 60° rises.
    skymap = two_lobes((62.0, -25.0, 0.8), (335.0, -25.0, 0.2))
    plan = plan_pointings(skymap, PARANAL, telescope(), LIMITS, NOW, count=30)
    ras = [one.ra for one in plan.pointings]
    setting = [number for number, ra in enumerate(ras) if ra > 300]
    assert 0 < len(setting) < 30
    assert setting == list(range(len(setting)))
    check(plan, PARANAL, NOW)


@pytest.mark.slow
def test_by_day_the_coming_night_is_planned_and_at_night_what_is_left_of_it() -> None:
    skymap = gaussian(100.0, 60.0, -30.0)
    day = plan_pointings(skymap, PARANAL, telescope(), LIMITS, NOW, count=5)
    assert day.begin > NOW + timedelta(hours=6)
    night = plan_pointings(skymap, PARANAL, telescope(), LIMITS, NIGHT, count=5)
    assert night.begin == NIGHT
    assert night.pointings[0].start == NIGHT
    assert abs(night.end - day.end) < MINUTE / 60
    late = plan_pointings(skymap, PARANAL, telescope(), LIMITS, day.end - MINUTE, count=5)
    assert late.begin > day.end + timedelta(hours=10)


@pytest.mark.slow
def test_minutes_are_counted_from_the_beginning() -> None:
    skymap = gaussian(300.0, 60.0, -30.0)
    plan = plan_pointings(skymap, PARANAL, telescope(), LIMITS, NIGHT, duration=20 * MINUTE)
    # 0, 3, … 18 min: the last exposure ends with the time.
    assert [one.start - NIGHT for one in plan.pointings] == [3 * step * MINUTE for step in range(7)]
    whole = plan_pointings(skymap, PARANAL, telescope(), LIMITS, NIGHT)
    assert plan.observable == pytest.approx(whole.observable, abs=0.01)
    assert len(plan.pointings) < len(whole.pointings) <= MAX_FIELDS
    nothing = plan_pointings(skymap, PARANAL, telescope(), LIMITS, NIGHT, duration=MINUTE)
    assert nothing.pointings == ()
    assert nothing.observable == 0.0


@pytest.mark.slow
def test_a_short_time_takes_what_is_up_in_it() -> None:
    # What rises later holds more, but not within an hour.
    skymap = two_lobes((150.0, -25.0, 0.9), (0.0, -25.0, 0.1))
    plan = plan_pointings(skymap, PARANAL, telescope(), LIMITS, NIGHT, duration=60 * MINUTE)
    assert len(plan.pointings) >= 10
    assert all(abs((one.ra + 180) % 360 - 180) < 40 for one in plan.pointings)


@pytest.mark.slow
def test_the_rest_of_the_night_is_used_where_the_densest_part_is_up_for_minutes_only() -> None:
    # Before dawn RA 177° has risen above the limit for about an hour; RA 60° is up for most of the night.
    skymap = two_lobes((177.0, -25.0, 0.95), (60.0, -25.0, 0.05), sigma=5.0)
    plan = plan_pointings(skymap, PARANAL, telescope("0.5deg circle", 4), LIMITS, NOW, count=90)
    check(plan, PARANAL, NOW)
    assert len(plan.pointings) == 90
    assert any(one.ra > 150 for one in plan.pointings)


@pytest.mark.parametrize("exposure", [1 / 60, 1 / 6])
@pytest.mark.slow
def test_short_exposures_begin_at_once_and_follow_each_other(exposure: float) -> None:
    skymap = gaussian(300.0, 60.0, -30.0)
    short = telescope(exposure=exposure, overhead=1 / 12)
    plan = plan_pointings(skymap, PARANAL, short, LIMITS, NIGHT, count=50)
    step = short.exposure + short.overhead
    assert len(plan.pointings) == 50
    for number, one in enumerate(plan.pointings):
        assert abs(one.start - NIGHT - number * step) < timedelta(milliseconds=10)
    check(plan, PARANAL, NIGHT)


@pytest.mark.slow
def test_without_darkness_there_is_no_plan_and_in_polar_night_there_is() -> None:
    skymap = gaussian(50.0, 80.0, -85.0)
    pole = Site(name="Pole", latitude=-90.0, longitude=0.0, height=2800.0)
    summer = plan_pointings(skymap, pole, telescope(), LIMITS, datetime(2026, 12, 21, tzinfo=UTC))
    assert (summer.pointings, summer.covered, summer.observable) == ((), 0.0, 0.0)
    assert summer.begin == summer.end
    winter = datetime(2026, 6, 21, 7, tzinfo=UTC)
    plan = plan_pointings(skymap, pole, telescope(), LIMITS, winter, count=30)
    assert len(plan.pointings) == 30
    check(plan, pole, winter)


@pytest.mark.slow
def test_a_dish_observes_by_day() -> None:
    skymap = gaussian(50.0, *(200.0, 40.0))
    plan = plan_pointings(skymap, DISH, telescope(), LIMITS, NOW, count=10)
    assert plan.begin == NOW
    assert plan.end == NOW + timedelta(days=1)
    assert len(plan.pointings) == 10
    check(plan, DISH, NOW)


def test_what_never_rises_has_no_plan() -> None:
    plan = plan_pointings(gaussian(20.0, 100.0, 80.0), PARANAL, telescope(), LIMITS, NOW, count=10)
    assert plan.pointings == ()
    assert plan.covered == 0
    assert plan.observable < 1e-3
    assert plan.begin < plan.end


@pytest.mark.slow
def test_fields_near_a_full_moon_wait_or_are_left_out() -> None:
    full = datetime(2026, 11, 25, 1, tzinfo=UTC)
    moon = get_body("moon", Time(full))
    skymap = gaussian(300.0, float(moon.ra.deg), float(moon.dec.deg))
    plan = plan_pointings(skymap, PALOMAR, telescope(), LIMITS, full, count=20)
    check(plan, PALOMAR, full)
    place = EarthLocation.from_geodetic(PALOMAR.longitude, PALOMAR.latitude, PALOMAR.height)
    for one in plan.pointings:
        there = get_body("moon", Time(one.start), place)
        field = SkyCoord(one.ra, one.dec, unit="deg").transform_to(there.frame)
        apart = there.separation(field, origin_mismatch="ignore").deg
        is_up = there.transform_to(AltAz(obstime=Time(one.start), location=place)).alt.deg > 1.5
        assert apart > 27 or not is_up
    assert plan.covered < 0.2


def test_only_fixed_fields_are_pointed_at_where_there_are_any() -> None:
    skymap = gaussian(60.0, 60.0, -30.0)
    fixed = ((60.0, -30.0), (62.0, -30.0), (61.0, -32.0), (200.0, 60.0), (58.0, -29.0), (10.0, -80.0))
    plan = plan_pointings(skymap, PARANAL, replace(telescope(), fixed_fields=fixed), LIMITS, NOW, count=3)
    chosen = {(one.ra, one.dec) for one in plan.pointings}
    # None overlap much, so the best three are those nearest to the middle.
    assert chosen == {(60.0, -30.0), (62.0, -30.0), (58.0, -29.0)}
    away = replace(telescope(), fixed_fields=((200.0, 60.0),))
    assert plan_pointings(skymap, PARANAL, away, LIMITS, NOW, count=3).pointings == ()


@pytest.mark.slow
def test_thousands_of_fixed_fields_lose_little_against_free_ones() -> None:
    dec, ra = (one.ravel() for one in np.meshgrid(np.arange(-89, 90, 1.5), np.arange(0, 360, 1.5)))
    keep = np.arange(ra.size) % np.maximum(1, np.floor(1 / np.cos(np.radians(dec))).astype(int)) == 0
    fixed = tuple(zip(ra[keep].tolist(), dec[keep].tolist(), strict=True))
    skymap = gaussian(400.0, 60.0, -30.0)
    free = plan_pointings(skymap, PARANAL, telescope(), LIMITS, NOW, count=40)
    plan = plan_pointings(skymap, PARANAL, replace(telescope(), fixed_fields=fixed), LIMITS, NOW, count=40)
    assert {(one.ra, one.dec) for one in plan.pointings} <= set(fixed)
    assert 0.8 * free.covered < plan.covered <= 1.02 * free.covered


@pytest.mark.slow
def test_a_plan_is_the_same_each_time_and_in_whatever_order_a_map_lists_its_tiles() -> None:
    skymap = two_lobes((60.0, -30.0, 0.6), (20.0, -10.0, 0.4), sigma=4.0)
    turned = tiled(skymap.order[::-1], skymap.ipix[::-1], skymap.density[::-1])
    plans = [
        plan_pointings(one, PARANAL, telescope(), LIMITS, NOW, count=25) for one in (skymap, skymap, turned)
    ]
    assert plans[0] == plans[1]
    places = [[(one.ra, one.dec, one.start) for one in plan.pointings] for plan in plans]
    assert places[0] == places[2]


@pytest.mark.slow
@pytest.mark.parametrize("order", [2, 5])
def test_whole_sky_maps_have_a_plan(order: int) -> None:
    plan = plan_pointings(whole_sky(order), PARANAL, telescope(), LIMITS, NIGHT, count=30)
    assert len(plan.pointings) == 30
    each = plan.telescope.footprint.area / (4 * np.pi * np.degrees(1) ** 2)
    assert 0.95 * 30 * each < plan.covered < 1.001 * 30 * each
    check(plan, PARANAL, NIGHT)


@pytest.mark.slow
def test_a_map_of_786_432_tiles_has_a_plan() -> None:
    ipix = np.arange(12 * 4**8)
    x, y, z = healpix.centre_vectors(8, ipix)
    skymap = tiled(np.array(8), ipix, np.exp(40 * (x * 0.4 + y * 0.75 - 0.53 * z)) + 1e-3)
    plan = plan_pointings(skymap, PARANAL, telescope(), LIMITS, NIGHT, count=100)
    assert len(plan.pointings) == 100
    check(plan, PARANAL, NIGHT)


@pytest.mark.parametrize("count", [0, -3, 10_000])
@pytest.mark.slow
def test_counts_out_of_range_are_harmless(count: int) -> None:
    plan = plan_pointings(gaussian(40.0, 60.0, -30.0), PARANAL, telescope(), LIMITS, NIGHT, count=count)
    assert len(plan.pointings) <= max(0, min(count, MAX_FIELDS))
