"""What sites can observe of a map, held against astropy's own AltAz."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
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

from bot.observing.observability import (
    LOOKAHEAD,
    airmass,
    altitudes,
    observability_tonight,
    observable_probability,
)
from bot.observing.observatories import find_site, observatories
from bot.samples.skymaps import sky_map
from bot.skymaps.skymap import SkyMap, peak_tile, read_sky_map
from formatters.models.observing import ObservingConstraints, Site, SiteObservability

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


def night(skymap: SkyMap, site: Site, now: datetime = NOW, **conditions: float) -> SiteObservability:
    return observability_tonight(skymap, [site], ObservingConstraints(**conditions), now).sites[0]


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
def test_a_night_agrees_with_astropy(name: str, now: datetime) -> None:
    """The share, the window, the peak's altitude and the Moon, worked out as one would by hand."""
    site, skymap = find_site(name), lobes((60.0, 40.0), (200.0, -30.0), (250.0, 10.0), sigma=8.0)
    begun = now.replace(minute=now.minute - now.minute % 5, second=0)
    times = [now, *(begun + timedelta(minutes=5 * step) for step in range(1, 289))]
    times = [time for time in times if time <= now + timedelta(hours=24)]
    horizon = frame(site, times)
    dark = get_body("sun", horizon.obstime, horizon.location).transform_to(horizon).alt.deg < -18
    lon, lat = healpix_to_lonlat(skymap.ipix, 2**skymap.order, order="nested")
    tiles = SkyCoord(lon[:, None], lat[:, None])
    altitude = tiles.transform_to(frame(site, [times[i] for i in np.flatnonzero(dark)])).alt.deg
    share = skymap.probability / skymap.probability.sum()
    found = night(skymap, site, now)
    # Tiles within 0.1° of the limit may fall to either side of it.
    lowest, highest = (share[(altitude > 30 + off).any(axis=1)].sum() for off in (0.1, -0.1))
    assert lowest - 2e-5 <= found.probability <= highest + 1e-6
    assert found.window is not None and found.peak_altitude is not None and found.moon is not None
    inside = [i for i, time in enumerate(times) if found.window.start <= time <= found.window.stop]
    assert dark[inside].all()
    up = np.zeros(len(times))
    up[dark] = share @ (altitude > 30)
    assert up[inside].min() > 0.48 * up.max() and up.argmax() in inside
    peak = peak_tile(skymap)
    there = SkyCoord(lon[peak], lat[peak]).transform_to(frame(site, [times[i] for i in inside])).alt.deg
    assert abs(there.max() - found.peak_altitude) < 0.1
    best = horizon.obstime[inside[int(there.argmax())]]
    moon = get_body("moon", best, horizon.location)
    sun = get_body("sun", best, horizon.location)
    place = SkyCoord(lon[peak], lat[peak]).transform_to(moon.frame)
    assert abs(moon.separation(place, origin_mismatch="ignore").deg - found.moon.distance) < 0.1
    assert abs((1 - np.cos(moon.separation(sun).rad)) / 2 - found.moon.illuminated_fraction) < 0.005


def test_sun_and_plane_agree_with_astropy() -> None:
    skymap = lobes((240.0, -20.0), (83.0, 22.0), (266.0, -29.0), sigma=12.0)
    lon, lat = healpix_to_lonlat(skymap.ipix, 2**skymap.order, order="nested")
    tiles, share = SkyCoord(lon, lat), skymap.probability / skymap.probability.sum()
    sun = get_body("sun", Time(NOVEMBER))
    near = tiles.separation(SkyCoord(sun.ra, sun.dec)).deg
    plane = np.abs(tiles.galactic.b.deg)
    found = observability_tonight(skymap, [], ObservingConstraints(), NOVEMBER)
    assert share[near < 44.9].sum() - 2e-5 <= found.probability_near_sun <= share[near < 45.1].sum() + 1e-6
    assert (
        share[plane < 9.99].sum() - 2e-5
        <= found.probability_near_galactic_plane
        <= share[plane < 10.01].sum() + 1e-6
    )
    assert found.sites == ()


def test_polar_night_and_midnight_sun() -> None:
    skymap = lobes(NORTH)
    summer, winter = night(skymap, POLAR, JUNE), night(skymap, POLAR, datetime(2026, 12, 21, tzinfo=UTC))
    assert (summer.has_darkness, summer.probability, summer.window, summer.moon) == (False, 0.0, None, None)
    assert winter.has_darkness and winter.probability > 0.99 and winter.window is not None
    assert winter.window.stop - winter.window.start == LOOKAHEAD
    # The Sun of June never reaches −18° at the South Pole's side of the world either, but stays below 0°.
    pole = Site(name="Pole", latitude=-90, longitude=0, height=2800)
    assert night(lobes(SOUTH), pole, JUNE).probability > 0.99
    assert night(lobes(SOUTH), pole, NOW).has_darkness is False


def test_map_that_never_rises_has_no_window() -> None:
    found = night(lobes(SOUTH, sigma=2.0), POLAR, datetime(2026, 12, 21, tzinfo=UTC))
    assert found.has_darkness and found.probability == 0 and found.window is None
    assert found.peak_altitude is not None and found.peak_altitude < 0 and found.airmass is None


def test_radio_ignores_the_sun() -> None:
    sunny = lobes((238.0, -20.0), sigma=3.0)  # where the Sun is in November
    place = {"latitude": 34.0, "longitude": -107.6, "height": 2100.0}
    assert night(sunny, Site(name="Dome", **place)).probability < 0.01  # type: ignore[arg-type]
    dish = Site(name="Dish", radio=True, **place)  # type: ignore[arg-type]
    assert night(sunny, dish).probability > 0.9
    assert observable_probability(dish, sunny, NOW) == night(sunny, dish).probability


def test_a_night_under_way_begins_now() -> None:
    now = datetime(2026, 11, 22, 10, 2, 30, tzinfo=UTC)  # two hours after midnight at Palomar
    found = night(lobes((150.0, 35.0)), find_site("Palomar"), now)
    assert found.window is not None and found.window.start == now
    assert found.window.start.utcoffset() == timedelta(hours=-8)
    assert found.window.stop < now + timedelta(hours=5)


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
    found = night(skymap, site, now, altitude=altitude, darkness=darkness)
    if found.window is not None:
        assert now <= found.window.start <= found.window.stop <= now + LOOKAHEAD


def test_sites_of_one_answer_are_as_each_alone() -> None:
    skymap, sites = lobes(NORTH, SOUTH), [o.site for o in observatories()][::9]
    together = observability_tonight(skymap, sites, ObservingConstraints(), NOW).sites
    assert list(together) == [night(skymap, site) for site in sites]


@pytest.mark.parametrize(
    ("altitude", "expected"), [(90, 1.0), (60, 1.154), (30, 1.994), (10, 5.59), (0, 37.9)]
)
def test_the_airmass(altitude: float, expected: float) -> None:
    """As in Kasten & Young's table."""
    assert airmass(altitude) == pytest.approx(expected, rel=5e-3)
