"""What sites can observe of a map, held against astropy's own AltAz."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import pytest
from astropy.coordinates import AltAz, EarthLocation, SkyCoord, get_body
from astropy.time import Time
from astropy.utils import iers
from astropy_healpix import healpix_to_lonlat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.observing.ephemeris import earth_rotation, sun_and_moon
from bot.observing.observability import (
    airmass,
    altitudes,
    observability_in_two_nights,
    observable_probability,
)
from bot.observing.observatories import find_site, observatories
from bot.samples.skymaps import sky_map
from bot.skymaps.directions import unit_vector
from bot.skymaps.skymap import SkyMap, peak_tile, read_sky_map
from formatters.models.observing import (
    MIN_UP,
    NightObservability,
    ObservingConstraints,
    Site,
    SiteObservability,
)
from formatters.text.observability_line import card_line

NOW = datetime(2026, 11, 22, 12, 2, 30, tzinfo=UTC)
NOVEMBER = datetime(2024, 11, 22, 12, 2, 30, tzinfo=UTC)
"""Of the past, whose leap seconds and Earth rotation every astropy brings along."""
JUNE = datetime(2023, 6, 21, 0, 0, tzinfo=UTC)
NORTH, SOUTH = (60.0, 70.0), (100.0, -70.0)
POLAR = Site(name="Polar", latitude=86.5, longitude=-62.3, height=30)


@pytest.fixture(autouse=True)
def no_network() -> Any:
    """The reference too has to do with the tables that it brings along."""
    with iers.conf.set_temp("auto_download", False), iers.conf.set_temp("auto_max_age", None):
        yield


@cache
def lobes(*places: tuple[float, float], sigma: float = 4.0) -> SkyMap:
    """Equal round patches at these places (RA and Dec in degrees); 3,072 tiles and a few."""
    peaks = [(ra, dec, 1.0 / (1 + i), sigma) for i, (ra, dec) in enumerate(places)]
    return read_sky_map(sky_map(peaks, superevent_id="S261122a", time=NOW, base_order=3, rounds=2))


def nights(
    skymap: SkyMap, site: Site, now: datetime = NOW, min_up: timedelta = MIN_UP, **conditions: float
) -> SiteObservability:
    constraints = ObservingConstraints(**conditions)
    return observability_in_two_nights(skymap, [site], constraints, now, min_up=min_up).sites[0]


def night(
    skymap: SkyMap, site: Site, now: datetime = NOW, min_up: timedelta = MIN_UP, **conditions: float
) -> NightObservability:
    return nights(skymap, site, now, min_up, **conditions).this_night


def frame(site: Site, times: Sequence[datetime]) -> AltAz:
    place = EarthLocation.from_geodetic(site.longitude, site.latitude, site.height)
    return AltAz(obstime=Time(list(times)), location=place)


@pytest.mark.slow
@pytest.mark.parametrize("now", [NOVEMBER, JUNE])
@pytest.mark.parametrize("name", ["Palomar", "Rubin", "Dome A", "South Pole"])
def test_altitudes_agree_with_astropy(name: str, now: datetime) -> None:
    site = find_site(name)
    times = [now + timedelta(hours=2.4) * step for step in range(10)]
    ra, dec = np.random.default_rng(7).uniform([0, -90], [360, 90], (12, 2)).T
    expected = SkyCoord(ra[:, None], dec[:, None], unit="deg").transform_to(frame(site, times)).alt.deg
    ours = [altitudes(site, r, d, times) for r, d in zip(ra, dec, strict=True)]
    assert np.abs(np.array(ours) - expected).max() < 0.02


@pytest.mark.slow
@pytest.mark.parametrize(("name", "now"), [("Palomar", NOVEMBER), ("La Silla", JUNE)])
def test_peak_and_moon_of_a_window_agree_with_astropy(name: str, now: datetime) -> None:
    """Share and windows are held against astropy in test_nights."""
    site, skymap = find_site(name), lobes((60.0, 40.0), (200.0, -30.0), (250.0, 10.0), sigma=8.0)
    window = night(skymap, site, now).windows[0]
    start = window.start.astimezone(UTC)
    times = [start + timedelta(minutes=step) for step in range(int((window.stop - start).seconds / 60) + 1)]
    lon, lat = healpix_to_lonlat(skymap.ipix, 2**skymap.order, order="nested")
    peak = peak_tile(skymap)
    horizon = frame(site, times)
    there = SkyCoord(lon[peak], lat[peak]).transform_to(horizon).alt.deg
    assert abs(there.max() - window.peak_altitude) < 0.1
    best = horizon.obstime[int(there.argmax())]
    moon = get_body("moon", best, horizon.location)
    sun = get_body("sun", best, horizon.location)
    place = SkyCoord(lon[peak], lat[peak]).transform_to(moon.frame)
    assert window.moon is not None
    assert abs(moon.separation(place, origin_mismatch="ignore").deg - window.moon.distance) < 0.1
    illuminated = (1 - np.cos(moon.separation(sun).rad)) / 2
    assert abs(illuminated - window.moon.illuminated_fraction) < 0.005


def test_sun_and_plane_agree_with_astropy() -> None:
    skymap = lobes((240.0, -20.0), (83.0, 22.0), (266.0, -29.0), sigma=12.0)
    lon, lat = healpix_to_lonlat(skymap.ipix, 2**skymap.order, order="nested")
    tiles, share = SkyCoord(lon, lat), skymap.probability / skymap.probability.sum()
    sun = get_body("sun", Time(NOVEMBER))
    near = tiles.separation(SkyCoord(sun.ra, sun.dec)).deg
    plane = np.abs(tiles.galactic.b.deg)
    found = observability_in_two_nights(skymap, [], ObservingConstraints(), NOVEMBER)
    assert share[near < 44.9].sum() - 2e-5 <= found.probability_near_sun <= share[near < 45.1].sum() + 1e-6
    assert (
        share[plane < 9.99].sum() - 2e-5
        <= found.probability_near_galactic_plane
        <= share[plane < 10.01].sum() + 1e-6
    )
    assert found.sites == ()


def test_polar_night_and_midnight_sun() -> None:
    skymap = lobes(NORTH)
    summer, winter = nights(skymap, POLAR, JUNE), nights(skymap, POLAR, datetime(2026, 12, 21, tzinfo=UTC))
    assert not summer.has_darkness and summer.probability == 0
    assert summer.this_night.windows == () == summer.next_night.windows
    assert winter.this_night.probability > 0.99
    [first], [second] = winter.this_night.windows, winter.next_night.windows
    assert first.stop == second.start, "it goes on, though no window crosses noon"
    assert abs(second.stop - second.start - timedelta(hours=24)) < timedelta(minutes=1)
    # The Sun of June never reaches −18° at the South Pole's side of the world either, but stays below 0°.
    pole = Site(name="Pole", latitude=-90, longitude=0, height=2800)
    assert night(lobes(SOUTH), pole, JUNE).probability > 0.99
    assert not nights(lobes(SOUTH), pole, NOW).has_darkness


def test_map_that_never_rises_has_no_window() -> None:
    found = night(lobes(SOUTH, sigma=2.0), POLAR, datetime(2026, 12, 21, tzinfo=UTC))
    assert found.has_darkness and found.probability == 0 and found.windows == ()
    assert found.peak_altitude is not None and found.peak_altitude < 0


def test_radio_ignores_the_sun() -> None:
    sunny = lobes((238.0, -20.0), sigma=3.0)  # where the Sun is in November
    place = {"latitude": 34.0, "longitude": -107.6, "height": 2100.0}
    assert night(sunny, Site(name="Dome", **place)).probability < 0.01  # type: ignore[arg-type]
    dish = Site(name="Dish", radio=True, **place)  # type: ignore[arg-type]
    assert night(sunny, dish).probability > 0.9
    assert observable_probability(dish, sunny, NOW) == nights(sunny, dish).probability


@pytest.mark.parametrize("later", [timedelta(hours=hours) for hours in range(0, 24, 3)])
def test_a_radio_site_says_of_a_field_that_is_up_that_it_is(later: timedelta) -> None:
    dish, now = find_site("VLA"), NOW + later
    found = nights(lobes((150.0, 35.0), sigma=1.0), dish, now)
    up = altitudes(dish, 150.0, 35.0, [now])[0]
    if up > 33:
        assert found.this_night.windows[0].start == now
    elif up < 27:
        assert found.this_night.windows[0].start > now
    assert found.next_night.windows[0].start - found.this_night.windows[0].start <= timedelta(hours=24)


def test_a_night_under_way_begins_now() -> None:
    now = datetime(2026, 11, 22, 10, 2, 30, tzinfo=UTC)  # two hours after midnight at Palomar
    [window] = night(lobes((150.0, 35.0)), find_site("Palomar"), now).windows
    assert window.start == now and window.start.utcoffset() == timedelta(hours=-8)
    assert window.stop < now + timedelta(hours=5)


def test_a_field_that_is_up_now_is_said_before_tomorrows_window() -> None:
    """As of S250207bg at McDonald: up for 24 min until dawn, and for longer in the next night."""
    now = datetime(2025, 2, 7, 11, 57, 15, tzinfo=UTC)
    found = nights(lobes((245.0, 35.0)), find_site("McDonald"), now)
    [this], [following] = found.this_night.windows, found.next_night.windows
    assert this.start == now and this.probability > 0.99
    assert timedelta(minutes=23) < this.stop - now < timedelta(minutes=25)
    assert following.start.astimezone(UTC).replace(minute=0) == datetime(2025, 2, 8, 8, tzinfo=UTC)
    assert found.this_night.evening == date(2025, 2, 6) and found.next_night.evening == date(2025, 2, 7)


def test_the_line_of_s250207bg_says_that_the_field_is_up() -> None:
    now = datetime(2025, 2, 7, 11, 57, 15, tzinfo=UTC)
    found = observability_in_two_nights(
        lobes((245.0, 35.0)),
        [find_site("McDonald"), find_site("Dome A")],
        ObservingConstraints(),
        now,
        merger=datetime(2025, 2, 7, 11, 45, tzinfo=UTC),
    )
    assert card_line(found).replace("\u00a0", " ") == (
        "Sites, 7 Feb 11:57 UTC: McDonald >99 % now until 12:21 UTC (T+0.2 h),"
        " again 8 Feb 08:46 (T+21 h) · no darkness at Dome A"
    )


def test_after_dawn_this_night_is_the_coming_one() -> None:
    dawned = datetime(2025, 2, 7, 12, 30, tzinfo=UTC)
    found = nights(lobes((245.0, 35.0)), find_site("McDonald"), dawned)
    assert found.this_night.evening == date(2025, 2, 7) and found.next_night.evening == date(2025, 2, 8)
    assert found.this_night.windows[0].start > dawned + timedelta(hours=12)


@pytest.mark.slow
def test_dusk_and_dawn_lie_between_the_steps_of_time() -> None:
    """A field that is up all night is up from dusk to dawn, to the second."""
    site = find_site("Palomar")
    [window] = night(
        lobes((45.0, 75.0), sigma=1.0), site, NOVEMBER + timedelta(hours=12), altitude=15
    ).windows
    edges = [window.start, window.stop]
    for edge, sign in zip(edges, (1, -1), strict=True):
        times = [edge + timedelta(seconds=seconds) for seconds in (-4, 4)]
        sun = get_body("sun", Time(times)).transform_to(frame(site, times)).alt.deg
        assert (sun + 18)[0] * sign > 0 > (sun + 18)[1] * sign


def test_a_tile_counts_from_twenty_minutes_on_and_rubins_at_any_moment() -> None:
    """A field that sets soon after dusk: 20 min make an observation, for Rubin's rules any moment."""
    site, field = find_site("Palomar"), (300.0, 30.0)
    skymap, evening = lobes(field, sigma=0.5), datetime(2026, 11, 22, 22, tzinfo=UTC)
    long = night(skymap, site, evening, min_up=timedelta(0))
    assert long.windows and long.probability > 0.99
    height = float(altitudes(site, *field, [long.windows[0].start + timedelta(minutes=12)])[0])
    shares = [
        night(skymap, site, evening, altitude=height, min_up=timedelta(minutes=minutes)).probability
        for minutes in (0, 5, 20)
    ]
    assert shares[0] > 0.99 and shares[1] > 0.9 and shares[2] < 0.01
    assert timedelta(minutes=20) == MIN_UP


def test_a_filter_takes_the_better_of_both_nights() -> None:
    """A few minutes before dawn, what is up now isn't all that the site will see."""
    site, skymap = find_site("McDonald"), lobes((245.0, 35.0), (120.0, 30.0))
    dawn = datetime(2025, 2, 7, 12, 15, tzinfo=UTC)
    found = nights(skymap, site, dawn)
    assert found.this_night.probability < 0.8 < 0.99 < found.next_night.probability
    assert observable_probability(site, skymap, dawn) == found.next_night.probability


@pytest.mark.parametrize("name", ["Siding Spring", "Palomar", "Rubin", "Keck", "Dome A"])
def test_the_night_of_a_date_begins_on_its_evening_at_the_site(name: str) -> None:
    site, asked = find_site(name), date(2026, 6, 21)
    found = observability_in_two_nights(
        lobes(SOUTH), [site], ObservingConstraints(altitude=5), NOW, night_of=asked
    ).sites[0]
    assert found.this_night.evening == asked and found.next_night.evening == asked + timedelta(days=1)
    noon = datetime(2026, 6, 21, 12, tzinfo=UTC) - timedelta(hours=site.longitude / 15)
    for window in found.this_night.windows:
        assert noon - timedelta(minutes=20) <= window.start <= window.stop
        assert window.stop <= noon + timedelta(hours=24, minutes=20)


@pytest.mark.slow
@given(
    latitude=st.floats(-90, 90),
    longitude=st.floats(-180, 360),
    altitude=st.floats(0, 80),
    higher=st.floats(0, 5),
    darkness=st.floats(-18, -1),
    seconds=st.integers(0, 366 * 86_400),
)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_stricter_constraints_never_increase_probability(
    latitude: float, longitude: float, altitude: float, higher: float, darkness: float, seconds: int
) -> None:
    now = NOW + timedelta(seconds=seconds)
    skymap = lobes((30.0, 10.0), (200.0, -50.0), sigma=15.0)
    site = Site(name="Any", latitude=latitude, longitude=longitude, height=0)
    dish = Site(name="Any", latitude=latitude, longitude=longitude, height=0, radio=True)
    share = observable_probability(
        site, skymap, now, ObservingConstraints(altitude=altitude, darkness=darkness)
    )
    assert 0 <= share <= 1
    for stricter in (
        ObservingConstraints(altitude=altitude + higher, darkness=darkness),
        ObservingConstraints(altitude=altitude, darkness=darkness - 3),
    ):
        assert observable_probability(site, skymap, now, stricter) <= share
    assert observable_probability(dish, skymap, now, ObservingConstraints(altitude=altitude)) >= share
    longer = nights(skymap, site, now, timedelta(minutes=40), altitude=altitude, darkness=darkness)
    assert longer.probability <= share
    found = nights(skymap, site, now, altitude=altitude, darkness=darkness)
    for window in (*found.this_night.windows, *found.next_night.windows):
        assert now <= window.start <= window.stop <= now + timedelta(hours=60)


@pytest.mark.slow
@given(
    site=st.sampled_from([observatory.site for observatory in observatories()]),
    minutes=st.integers(0, 3 * 365 * 1_440),
    east=st.floats(-60, 60),
    dec=st.floats(-85, 85),
    sigma=st.sampled_from([1.0, 5.0, 20.0]),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_up_now_is_said_to_be_up_now(
    site: Site, minutes: int, east: float, dec: float, sigma: float
) -> None:
    """For every site: a tenth of the map that is up for 20 min around now stands first in the line."""
    now = NOVEMBER + timedelta(minutes=minutes)
    # A field some hours from the meridian, so that it is often up.
    meridian = float(np.degrees(np.arctan2(*unit_vector_of_zenith(site, now)[1::-1])))
    skymap = lobes(((meridian + east) % 360, dec), sigma=sigma)
    times = [now + timedelta(minutes=21 * step) for step in (-1, 0, 1)]
    (ra, sun_dec), _ = sun_and_moon(now)
    dark = (altitudes(site, ra, sun_dec, times) < -18.3) | site.radio
    lon, lat = healpix_to_lonlat(skymap.ipix, 2**skymap.order, order="nested")
    up = np.array([altitudes(site, float(r), float(d), times) for r, d in zip(lon.deg, lat.deg, strict=True)])
    high = (up > 30.1) & dark
    share = skymap.probability / skymap.probability.sum()
    surely = share[high[:, 1] & (high[:, 0] | high[:, 2])].sum() > 0.101
    found = observability_in_two_nights(skymap, [site], ObservingConstraints(), now)
    first = [window.start for window in found.sites[0].this_night.windows][:1]
    if surely:
        assert first == [now] and any(word in card_line(found) for word in ("now until", "at any time"))
    elif not (up[:, 1] > 29.9).any():
        assert first != [now] and "now until" not in card_line(found)


def unit_vector_of_zenith(site: Site, when: datetime) -> Any:
    """Return the ICRS unit vector to the zenith."""
    return (unit_vector(site.longitude, site.latitude) @ earth_rotation([when]))[0]


def test_sites_of_one_answer_are_as_each_alone() -> None:
    skymap, sites = lobes(NORTH, SOUTH), [o.site for o in observatories()][::9]
    together = observability_in_two_nights(skymap, sites, ObservingConstraints(), NOW).sites
    assert list(together) == [nights(skymap, site) for site in sites]


@pytest.mark.parametrize(
    ("altitude", "expected"), [(90, 1.0), (60, 1.154), (30, 1.994), (10, 5.59), (0, 37.9)]
)
def test_the_airmass(altitude: float, expected: float) -> None:
    """As in Kasten & Young's table."""
    assert airmass(altitude) == pytest.approx(expected, rel=5e-3)
