"""The windows of generated nights, held against astropy's Sun, AltAz and steps of 15 s.

Site, date and map are generated: polar, southern and radio sites, maps of a few tiles anywhere. The reference
knows nothing of how tiles rise and set; it looks every 15 s. Where astropy and gwevent may differ (0.02° of
altitude, a step of time), it is computed twice, a little stricter and a little looser.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import CIRS, AltAz, EarthLocation, SkyCoord, get_body
from astropy.time import Time
from astropy.utils import iers
from astropy_healpix import healpix_to_lonlat, lonlat_to_healpix
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.observing.observability import (
    WORTHWHILE_PART_OF_BEST,
    WORTHWHILE_PROBABILITY,
    observability_in_two_nights,
)
from bot.observing.observatories import find_site, observatories
from bot.skymaps.skymap import SkyMap
from formatters.models.observing import (
    MIN_UP,
    NightObservability,
    ObservingConstraints,
    Site,
    SiteObservability,
)

STEP_S = 15.0
HOUR_S = 3_600.0
ALTITUDE_SLACK_DEG = 0.05
NIGHTS = int(os.environ.get("GWEVENT_TEST_NIGHTS", "8"))
"""The nights to generate; more of them by hand."""

POLAR = [
    Site(name=f"Polar {latitude}", latitude=latitude, longitude=longitude, height=30)
    for latitude, longitude in ((90.0, 0.0), (-90.0, 0.0), (86.5, -62.3), (69.6, 19.2), (-66.7, 140.0))
]
DISH = Site(name="Dish", latitude=-63.0, longitude=170.0, height=0, radio=True)
SITES = [*(observatory.site for observatory in observatories()), *POLAR, DISH]


@pytest.fixture(autouse=True)
def no_network() -> Any:
    """The reference too has to do with the tables that it brings along."""
    with iers.conf.set_temp("auto_download", False), iers.conf.set_temp("auto_max_age", None):
        yield


def map_of(places: list[tuple[float, float, float]]) -> SkyMap:
    """Return a map of one tile of order 6 (a degree wide) for each (RA, Dec, weight)."""
    weights: dict[int, float] = {}
    for ra, dec, weight in places:
        tile = int(lonlat_to_healpix(ra * units.deg, dec * units.deg, 64, order="nested"))
        weights[tile] = weights.get(tile, 0.0) + weight
    ipix = np.array(sorted(weights), np.int64)
    order = np.full(ipix.size, 6, np.int64)
    probability = np.array([weights[tile] for tile in sorted(weights)])
    density = probability / probability.sum() / (np.pi / 3 / 4.0**6)
    return SkyMap(
        uniq=ipix + 4 * 4**order,
        order=order,
        ipix=ipix,
        density=density,
    )


@dataclass(frozen=True)
class Limits:
    """What counts as observable."""

    altitude: float = 30.0
    darkness: float = -18.0
    min_up: timedelta = MIN_UP


@dataclass(frozen=True)
class Reference:
    """What astropy says of one site from the noon before `now` on, every 15 s."""

    times: np.ndarray[Any, Any]
    sun: np.ndarray[Any, Any]
    """Altitude in degrees."""
    sun_hour_angle: np.ndarray[Any, Any]
    """Degrees, −180 to 180."""
    tiles: np.ndarray[Any, Any]
    """(tiles, times): altitudes in degrees."""
    probability: np.ndarray[Any, Any]

    def up(self, night: slice, site: Site, now: float, limits: Limits, slack: float) -> np.ndarray[Any, Any]:
        """Return (tiles, times of the night): which tiles count; a slack above 0 is stricter."""
        dark = (self.sun[night] < limits.darkness - slack) | site.radio
        high = (self.tiles[:, night] > limits.altitude + slack) & dark
        least = limits.min_up.total_seconds() + np.sign(slack) * 4 * STEP_S
        counts = np.zeros_like(high)
        for tile, row in enumerate(high):
            padded = np.concatenate([[False], row, [False]])
            edges = np.flatnonzero(padded[1:] != padded[:-1])
            for first, after in zip(edges[::2], edges[1::2], strict=True):
                counts[tile, first:after] = (after - first - 1) * STEP_S >= least
        return counts & (self.times[night] >= now)


def reference(site: Site, skymap: SkyMap, now: datetime) -> Reference:
    """Compute the reference from 25 h before `now` to 74 h after."""
    seconds = now.timestamp() + np.arange(-25 * HOUR_S, 74 * HOUR_S, STEP_S)
    times = Time(seconds, format="unix")
    place = EarthLocation.from_geodetic(site.longitude, site.latitude, site.height)
    horizon = AltAz(obstime=times, location=place)
    # The Sun's position every quarter of an hour; in between it moves by 0.01°.
    coarse = Time(np.append(seconds[::60], seconds[-1]), format="unix")
    sun = get_body("sun", coarse)
    cirs = sun.transform_to(CIRS(obstime=coarse))
    ra = np.interp(seconds, coarse.unix, np.unwrap(cirs.ra.rad))
    dec = np.interp(seconds, coarse.unix, cirs.dec.rad)
    hour_angle = times.earth_rotation_angle(site.longitude).rad - ra
    latitude = np.radians(site.latitude)
    sine = np.sin(latitude) * np.sin(dec) + np.cos(latitude) * np.cos(dec) * np.cos(hour_angle)
    lon, lat = healpix_to_lonlat(skymap.ipix, 2**skymap.order, order="nested")
    tiles = SkyCoord(lon[:, None], lat[:, None]).transform_to(horizon).alt.deg
    return Reference(
        times=seconds,
        sun=np.degrees(np.arcsin(sine)),
        sun_hour_angle=(np.degrees(hour_angle) + 180) % 360 - 180,
        tiles=np.asarray(tiles),
        probability=skymap.probability / skymap.probability.sum(),
    )


def noons(truth: Reference) -> list[int]:
    """Return the indices of the steps right after the Sun's upper culmination."""
    angle = truth.sun_hour_angle
    return [int(i) + 1 for i in np.flatnonzero((angle[:-1] < 0) & (angle[1:] >= 0) & (angle[1:] < 90))]


def nights_of(truth: Reference, now: float, limits: Limits) -> tuple[slice, slice]:
    """Return this night and the next: once it has dawned, this night is the coming one."""
    noon = noons(truth)
    first = max(n for n, index in enumerate(noon) if truth.times[index] <= now + STEP_S)
    begun, ended = noon[first], noon[first + 1]
    later = truth.times[begun:ended] >= now
    dark_left = bool((later & (truth.sun[begun:ended] < limits.darkness)).any())
    if not dark_left and now > (truth.times[begun] + truth.times[ended]) / 2:
        first += 1
    return slice(noon[first], noon[first + 1]), slice(noon[first + 1], noon[first + 2])


def check_night(
    found: NightObservability,
    truth: Reference,
    night: slice,
    site: Site,
    now: float,
    limits: Limits,
) -> None:
    """Check share and windows of one night against what astropy sees at 15-s steps."""
    strict, loose = (
        truth.up(night, site, now, limits, slack) for slack in (ALTITUDE_SLACK_DEG, -ALTITUDE_SLACK_DEG)
    )
    p, times = truth.probability, truth.times[night]
    lowest, highest = float(p[strict.any(axis=1)].sum()), float(p[loose.any(axis=1)].sum())
    assert lowest - 2e-5 <= found.probability <= highest + 1e-6
    worthwhile = [
        min(WORTHWHILE_PROBABILITY, WORTHWHILE_PART_OF_BEST * float((p @ up).max(initial=0.0)))
        for up in (loose, strict)
    ]
    surely = (p @ strict) >= worthwhile[0] + 2e-5
    perhaps = (p @ loose) >= max(worthwhile[1] - 2e-5, 1e-9)
    inside = np.zeros(times.size, np.bool_)
    for window in found.windows:
        start, stop = window.start.timestamp(), window.stop.timestamp()
        assert times[0] - 2 * STEP_S <= start <= stop <= times[-1] + 2 * STEP_S, "a window crosses noon"
        assert start >= now
        # A window begins and ends on full minutes.
        inside |= (times >= start - 60 - STEP_S) & (times <= stop + 60 + STEP_S)
        shown = (times >= start) & (times <= stop)
        assert perhaps[shown].all(), "a window says what isn't up"
        assert p[strict[:, shown].any(axis=1)].sum() - 2e-5 <= window.probability
    assert not (surely & ~inside).any(), "a worthwhile moment is in no window"
    first = np.flatnonzero(surely)
    if first.size and times[first[0]] <= now + STEP_S:
        assert found.windows[0].start.timestamp() == pytest.approx(now, abs=0.001), "up now, and not said"


def observe(site: Site, skymap: SkyMap, now: datetime, limits: Limits) -> SiteObservability:
    constraints = ObservingConstraints(altitude=limits.altitude, darkness=limits.darkness)
    return observability_in_two_nights(skymap, [site], constraints, now, min_up=limits.min_up).sites[0]


def check(site: Site, skymap: SkyMap, now: datetime, limits: Limits) -> None:
    found, truth = observe(site, skymap, now, limits), reference(site, skymap, now)
    both = zip((found.this_night, found.next_night), nights_of(truth, now.timestamp(), limits), strict=True)
    for night, span in both:
        dark = truth.sun[span][truth.times[span] >= now.timestamp()]
        if night.has_darkness:
            assert (dark < limits.darkness + ALTITUDE_SLACK_DEG).any()
            check_night(night, truth, span, site, now.timestamp(), limits)
        else:
            assert not (dark < limits.darkness - ALTITUDE_SLACK_DEG).any()
            assert night.windows == () and night.probability == 0


def check_radio(site: Site, skymap: SkyMap, now: datetime, limits: Limits) -> None:
    """Check a radio site: two passages in a row, of which each ends where the next begins."""
    found, truth = observe(site, skymap, now, limits), reference(site, skymap, now)
    assert found.has_darkness
    everything = slice(0, truth.times.size)
    # The shortest time up isn't looked at here: at a passage's limits a tile's time is cut in two.
    any_time = replace(limits, min_up=timedelta(0))
    loose = truth.up(everything, site, now.timestamp(), any_time, -ALTITUDE_SLACK_DEG)
    windows = [w for night in (found.this_night, found.next_night) for w in night.windows]
    for window, following in pairwise(windows):
        assert window.stop <= following.start + timedelta(seconds=1)
    for night in (found.this_night, found.next_night):
        for window in night.windows:
            assert window.stop - night.windows[0].start <= timedelta(hours=23, minutes=56, seconds=5)
            start, stop = window.start.timestamp(), window.stop.timestamp()
            shown = (truth.times >= start) & (truth.times <= stop)
            assert (truth.probability @ loose[:, shown] > 0).all()
    up_now = truth.up(everything, site, now.timestamp(), limits, ALTITUDE_SLACK_DEG)
    first = int(np.searchsorted(truth.times, now.timestamp()))
    if truth.probability @ up_now[:, first : first + 80].all(axis=1) >= WORTHWHILE_PROBABILITY + 2e-5:
        assert windows[0].start == now, "up now, and not said"


PLACES = st.lists(
    st.tuples(st.floats(0, 359.9), st.floats(-89, 89), st.sampled_from([0.05, 0.1, 0.3, 1.0])),
    min_size=1,
    max_size=6,
)
FIELDS = PLACES | st.builds(
    lambda ra, dec, places: [
        ((ra + x / 20) % 360, max(-89.0, min(89.0, dec + y / 9)), w) for x, y, w in places
    ],
    st.floats(0, 359.9),
    st.floats(-80, 80),
    PLACES,
)
"""A few tiles: anywhere, or close together."""


@pytest.mark.slow
@given(
    site=st.sampled_from(SITES)
    | st.builds(
        Site,
        name=st.just("Any"),
        latitude=st.floats(-90, 90),
        longitude=st.floats(-180, 180),
        height=st.just(0),
    ),
    places=FIELDS,
    minutes=st.integers(0, 9 * 365 * 1_440),
    altitude=st.sampled_from([5.0, 20.0, 30.0, 60.0]),
    darkness=st.sampled_from([-18.0, -12.0, -6.0]),
    min_up=st.sampled_from([0, 20, 60]),
)
@settings(
    max_examples=NIGHTS,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_no_worthwhile_window_is_missed_and_none_crosses_noon(
    site: Site,
    places: list[tuple[float, float, float]],
    minutes: int,
    altitude: float,
    darkness: float,
    min_up: int,
) -> None:
    now = datetime(2015, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    limits = Limits(altitude, darkness, timedelta(minutes=min_up))
    (check_radio if site.radio else check)(site, map_of(places), now, limits)


POLAR_NIGHT = datetime(2022, 12, 21, 9, 30, tzinfo=UTC)
JUNE = datetime(2023, 6, 21, 9, 30, tzinfo=UTC)
BELT = [(ra, 10.0, 1.0) for ra in range(0, 360, 4)]
"""Tiles that rise every 16 min, so that some are up for less than 20 min after dusk and before dawn."""
FEW = [(245.0, 35.0, 1.0), (247.0, 30.0, 1.0), (30.0, -60.0, 0.3), (120.0, -10.0, 0.2)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("site", "now", "places"),
    [
        (find_site("McDonald"), datetime(2023, 2, 7, 11, 57, 15, tzinfo=UTC), FEW),
        (find_site("Rubin"), JUNE, FEW),
        (find_site("VLA"), JUNE, FEW),
        (find_site("Palomar"), JUNE, BELT),
        (POLAR[2], POLAR_NIGHT, [(200.0, 80.0, 1.0)]),
        (POLAR[2], POLAR_NIGHT, BELT),
    ],
    ids=["McDonald", "Rubin", "VLA", "twilight", "never sets", "polar night"],
)
def test_known_nights(site: Site, now: datetime, places: list[tuple[float, float, float]]) -> None:
    (check_radio if site.radio else check)(site, map_of(places), now, Limits())
