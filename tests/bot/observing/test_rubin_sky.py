"""What Rubin can observe of a map, held against plain code on astropy's AltAz, get_sun and Galactic frame."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import astropy_healpix as healpix
import numpy as np
import pytest
from astropy import units
from astropy.coordinates import AltAz, EarthLocation, SkyCoord, get_sun
from astropy.time import Time
from astropy.utils import iers
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bot.alerts.decode import extract_sky_maps
from bot.observing.rubin_sky import PIXEL_AREA, RubinSky, measure_rubin_sky
from bot.samples import sky_map, streak
from bot.skymaps.directions import unit_vector
from bot.skymaps.skymap import SkyMap, credible_areas, read_sky_map
from tests.support.rubin_maps import EVENT_TIME, PLANE, SOUTH, SUN, gaussian, round_sky, tiled, top_hat

NOVEMBER = datetime(2024, 11, 22, 6, 2, 30, tzinfo=UTC)
"""In the middle of a short night, so that the 24 h hold parts of two."""
JUNE = datetime(2023, 6, 21, 15, 0, 11, tzinfo=UTC)
"""At noon before a long night."""
TOLERANCE_DEG = 0.005
"""How close altitudes are to astropy's; the difference is mostly UT1 − UTC."""
COUNT = 12 * 4**7


@pytest.fixture(autouse=True)
def no_network() -> Iterator[None]:
    """The reference has to do with the tables that it brings along."""
    with (
        iers.conf.set_temp("auto_download", False),
        iers.conf.set_temp("auto_max_age", None),
        iers.conf.set_temp("iers_degraded_accuracy", "ignore"),
    ):
        yield


def streaks(seed: int = 0) -> SkyMap:
    """Two streaks of a few hundred deg², one across the plane, one at the border of what can be seen."""
    shift = 17.0 * seed
    peaks = [
        *streak(60 + shift, -30, bearing=60, length=14, width=2.5),
        *streak(130 + shift, 15, bearing=20, length=12, width=2, weight=0.6),
    ]
    return read_sky_map(
        sky_map(peaks, superevent_id="S241122a", time=NOVEMBER, base_order=4, rounds=5, distance=None)
    )


# The plain code. It shares nothing with what it tests but the HEALPix grid.


def raster_of(skymap: SkyMap) -> list[float]:
    """The probabilities at order 7, tile by tile."""
    pixels = [0.0] * COUNT
    for order, ipix, density in zip(
        skymap.order.tolist(), skymap.ipix.tolist(), skymap.density.tolist(), strict=True
    ):
        probability = density * 4 * math.pi / (12 * 4**order)
        if order > 7:
            pixels[ipix // 4 ** (order - 7)] += probability
        else:
            children = 4 ** (7 - order)
            for child in range(ipix * children, (ipix + 1) * children):
                pixels[child] = probability / children
    return pixels


def most_probable(pixels: list[float], level: float) -> list[int]:
    """The most probable pixels that hold `level`, of equals the one of highest index first."""
    found, held = [], 0.0
    for pixel in sorted(range(COUNT), key=lambda pixel: (-pixels[pixel], -pixel)):
        found.append(pixel)
        held += pixels[pixel]
        if held >= level:
            break
    return found


def highest_in_the_dark(pixels: list[int], start: datetime) -> NDArray[np.float64]:
    """The highest altitudes in degrees of pixels' centres at the dark ones of 145 moments."""
    times = Time(start) + np.arange(145) * 10 * units.min
    place = EarthLocation.from_geodetic(-70.7494, -30.2446, 2663)
    dark = times[get_sun(times).transform_to(AltAz(obstime=times, location=place)).alt.deg < -12]
    lon, lat = healpix.healpix_to_lonlat(np.array(pixels), 128, order="nested")
    positions = SkyCoord(lon, lat)
    highest = np.full(len(pixels), -90.0)
    for moment in dark:
        altitude = positions.transform_to(AltAz(obstime=moment, location=place)).alt.deg
        highest = np.maximum(highest, altitude)
    return highest


@dataclass(frozen=True)
class Reference:
    pixels: list[float]
    region: list[int]
    """The 90 % region's pixels, most probable first."""
    altitude: NDArray[np.float64]

    def omega(self, above: float = 30.0) -> list[int]:
        return [pixel for pixel, high in zip(self.region, self.altitude > above, strict=True) if high]

    def off_plane(self, area: float) -> float:
        kept = self.omega()
        if len(kept) * PIXEL_AREA > area:
            kept = kept[: math.floor(area / PIXEL_AREA)]
        lon, lat = healpix.healpix_to_lonlat(np.array(kept, np.int64), 128, order="nested")
        latitude = np.abs(SkyCoord(lon, lat).galactic.b.deg)
        return sum(self.pixels[pixel] for pixel, b in zip(kept, latitude, strict=True) if b > 10)


def reference(skymap: SkyMap, start: datetime) -> Reference:
    pixels = raster_of(skymap)
    region = most_probable(pixels, 0.9)
    return Reference(pixels, region, highest_in_the_dark(region, start))


def check_against_reference(skymap: SkyMap, start: datetime) -> tuple[RubinSky, Reference]:
    """Ω_obs is the reference's within the pixels whose altitude is within 0.005° of the limit."""
    found, expected = measure_rubin_sky(skymap, start), reference(skymap, start)
    count = round(found.observable_area / PIXEL_AREA)
    at_most, at_least = expected.omega(30 - TOLERANCE_DEG), expected.omega(30 + TOLERANCE_DEG)
    assert len(at_least) <= count <= len(at_most)
    assert abs(count - len(expected.omega())) <= 1, "a pixel of thousands"
    probability = sum(expected.pixels[pixel] for pixel in expected.omega())
    assert found.observable_probability == pytest.approx(probability, abs=2e-4)
    for area, off_plane in found.off_plane_probability.items():
        assert off_plane == pytest.approx(expected.off_plane(area), abs=2e-4)
    return found, expected


@pytest.mark.slow
@pytest.mark.parametrize("start", [EVENT_TIME, NOVEMBER, JUNE])
@pytest.mark.parametrize("seed", [0, 1])
def test_omega_agrees_with_astropy(start: datetime, seed: int) -> None:
    found, expected = check_against_reference(streaks(seed), start)
    assert 0 < found.observable_area < len(expected.region) * PIXEL_AREA, (
        "a part of the region is out of reach"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("skymap", "start"),
    [
        (top_hat(400.0, *SOUTH), EVENT_TIME),
        (top_hat(2_500.0, *SOUTH), EVENT_TIME),
        (top_hat(100.0, *PLANE), EVENT_TIME),
        (gaussian(800.0, *SOUTH), NOVEMBER),
    ],
)
def test_omega_of_round_regions_agrees_with_astropy(skymap: SkyMap, start: datetime) -> None:
    found, expected = check_against_reference(skymap, start)
    assert found.area_90 == pytest.approx(len(expected.region) * PIXEL_AREA, abs=1.5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "real/S241125n-INITIAL-RAVEN.json",
        "real/S230518h-Initial_alert.json",
        "official/MS181101ab-initial.avro",
    ],
)
def test_omega_of_published_maps_agrees_with_astropy(shared_notices: Path, name: str) -> None:
    body, _ = extract_sky_maps((shared_notices / name).read_bytes())
    assert body is not None
    check_against_reference(read_sky_map(body), JUNE)


def first_minute(start: datetime, *, dark: bool) -> datetime:
    """The first full minute after a time at which it is dark by 0.05°, or light at all."""
    times = Time(start) + np.arange(720) * units.min
    place = EarthLocation.from_geodetic(-70.7494, -30.2446, 2663)
    altitude = get_sun(times).transform_to(AltAz(obstime=times, location=place)).alt.deg
    found = altitude < -12.05 if dark else altitude > -12
    return start + timedelta(minutes=int(np.flatnonzero(found)[0]))


def at_dusk() -> datetime:
    """It is dark at the first moment of the 24 h, and just not yet at the last but one."""
    return first_minute(datetime(2024, 11, 22, 20, tzinfo=UTC), dark=True)


def at_dawn() -> datetime:
    """It is light at the first moment, and just still dark at the last."""
    return first_minute(datetime(2024, 6, 22, 8, tzinfo=UTC), dark=False)


@pytest.mark.slow
@pytest.mark.parametrize("start", [lambda: NOVEMBER, lambda: JUNE, at_dusk, at_dawn])
def test_twilight_and_both_ends_of_the_24_hours_count_as_in_astropy(start: Callable[[], datetime]) -> None:
    """A map that is even over a sample of the sky's pixels: how many of them can be observed."""
    sample = np.random.default_rng(3).choice(COUNT, 10_000, replace=False)
    found = measure_rubin_sky(tiled(np.array(7), sample, np.ones(sample.size)), start())
    count = round(found.all_observable_probability * sample.size)
    highest = highest_in_the_dark(sample.tolist(), start())
    at_least, at_most = (int((highest > 30 + less).sum()) for less in (TOLERANCE_DEG, -TOLERANCE_DEG))
    assert at_least <= count <= at_most
    assert abs(count - int((highest > 30).sum())) <= 1
    assert 0.3 * sample.size < count < 0.9 * sample.size


def test_a_region_that_is_never_up_at_night_has_no_omega() -> None:
    for place in (SUN, (200.0, 80.0)):
        sky = round_sky(100.0, place)
        assert sky.observable_area == 0 == sky.observable_probability
        assert sky.off_plane_probability == {500.0: 0.0, 1500.0: 0.0}
        assert sky.all_observable_probability < 0.1


def test_the_area_is_that_of_whole_tiles_and_never_below_the_interpolated_one() -> None:
    for skymap in (streaks(), top_hat(75.0, *SOUTH), gaussian(75.0, *SOUTH), tiled(*flat(0))):
        area = measure_rubin_sky(skymap, EVENT_TIME).area_90
        [interpolated] = credible_areas(skymap, (0.9,))
        largest = 129_600 / math.pi / 12 / 4.0 ** int(skymap.order.min())
        assert interpolated <= area < interpolated + largest


def flat(order: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    count = 12 * 4**order
    return np.array(order), np.arange(count), np.ones(count)


@pytest.mark.parametrize("area", [75.0, 800.0])
def test_probabilities_are_of_all_the_map_and_not_of_what_can_be_observed(area: float) -> None:
    sky = round_sky(area)
    assert sky.observable_area == pytest.approx(area, abs=1.1)
    assert sky.observable_probability == pytest.approx(0.9, abs=2e-3)
    assert 0.94 < sky.all_observable_probability < 1


def test_trimming_keeps_the_most_probable_pixels_up_to_the_area() -> None:
    """Two plateaus: 400 deg² hold 60 %, the next 2,000 hold 38 %."""
    centres = np.stack(healpix.healpix_to_xyz(np.arange(12 * 4**6), 64, order="nested"))
    nearest = np.argsort(-(unit_vector(*SOUTH) @ centres))
    tile = 4 * PIXEL_AREA
    inner, outer = int(400 / tile), int(2_400 / tile)
    density = np.full(centres.shape[1], 0.02 / (centres.shape[1] - outer))
    density[nearest[:outer]] = 0.38 / (outer - inner)
    density[nearest[:inner]] = 0.6 / inner
    sky = measure_rubin_sky(tiled(np.array(6), np.arange(density.size), density), EVENT_TIME)
    assert sky.observable_area == pytest.approx(inner * tile + (0.3 / 0.38) * (outer - inner) * tile, abs=1)
    per_area = 0.38 / ((outer - inner) * tile)
    for area, found in sky.off_plane_probability.items():
        kept = math.floor(area / PIXEL_AREA) * PIXEL_AREA
        assert found == pytest.approx(0.6 + per_area * (kept - inner * tile), abs=1e-6)


def test_of_equally_probable_pixels_the_highest_index_comes_first() -> None:
    """As the producer's code sorts them: of an even sky the 90 % region leaves out the first pixels."""
    every_third = np.arange(0, COUNT, 3)
    skymap = tiled(np.array(7), every_third, np.ones(every_third.size))
    kept = every_third[-math.ceil(0.9 * every_third.size) :]
    region = tiled(np.array(7), kept, np.ones(kept.size))
    whole, part = measure_rubin_sky(skymap, EVENT_TIME), measure_rubin_sky(region, EVENT_TIME)
    observable = round(part.all_observable_probability * kept.size)
    assert abs(round(whole.observable_area / PIXEL_AREA) - observable) <= 1


@pytest.mark.parametrize("order", [5, 8])
def test_split_and_summed_tiles_give_the_same_raster(order: int) -> None:
    """The same sky in tiles coarser and finer than the raster; the finest has as many tiles as are read."""
    coarse = top_hat(2_500.0, *SOUTH, order=5)
    copies = 4 ** (order - 5)
    skymap = tiled(np.array(order), np.arange(12 * 4**order), np.repeat(coarse.density, copies))
    expected, found = measure_rubin_sky(coarse, EVENT_TIME), measure_rubin_sky(skymap, EVENT_TIME)
    assert abs(found.observable_area - expected.observable_area) <= PIXEL_AREA * 1.5
    assert found.off_plane_probability == pytest.approx(expected.off_plane_probability)
    assert found.all_observable_probability == pytest.approx(expected.all_observable_probability)


@pytest.mark.timeout(60)
@pytest.mark.slow
def test_a_map_of_three_million_tiles_is_measured() -> None:
    fine = np.repeat(top_hat(400.0, *SOUTH, order=6).density, 64)
    skymap = tiled(np.array(9), np.arange(fine.size), fine)
    found = measure_rubin_sky(skymap, EVENT_TIME)
    assert found.observable_area == pytest.approx(400, abs=1.2)


def test_a_map_of_twelve_tiles_is_measured() -> None:
    sky = measure_rubin_sky(tiled(*flat(0)), EVENT_TIME)
    assert sky.area_90 == pytest.approx(129_600 / math.pi * 11 / 12)
    assert 0.5 < sky.all_observable_probability < 0.9
    assert sky.observable_area == pytest.approx(
        0.9 * sky.all_observable_probability * 129_600 / math.pi, rel=0.1
    )
    assert not sky.is_all_north


@pytest.mark.parametrize("order", [7, 12, 20, 29])
def test_all_probability_in_one_tile_is_one_pixel(order: int) -> None:
    tile = healpix.lonlat_to_healpix(SOUTH[0] * units.deg, SOUTH[1] * units.deg, 2**order, order="nested")
    sky = measure_rubin_sky(tiled(np.array(order), np.array([tile]), np.ones(1)), EVENT_TIME)
    assert sky.observable_area == pytest.approx(PIXEL_AREA)
    assert sky.area_90 == pytest.approx(129_600 / math.pi / 12 / 4.0**order)
    assert sky.observable_probability == sky.off_plane_probability[1500.0] == pytest.approx(1)


def test_a_map_with_gaps_is_measured_as_if_they_were_empty() -> None:
    """Of one tile in a hundred there is nothing; the region is the same, for they lie outside."""
    whole = top_hat(400.0, *SOUTH)
    kept = (whole.density == whole.density.max()) | (whole.ipix % 100 != 0)
    gappy = tiled(whole.order[kept], whole.ipix[kept], whole.density[kept])
    assert measure_rubin_sky(gappy, EVENT_TIME).observable_area == pytest.approx(400, abs=1.2)


@pytest.mark.parametrize(
    ("dec", "north"), [(60.0, True), (36.5, True), (35.0, False), (30.0, False), (-30.0, False)]
)
def test_a_region_whose_every_corner_lies_north_of_30_degrees_is_all_north(dec: float, north: bool) -> None:
    """A round region of 100 deg² reaches 5.6° south of its centre, and its corners up to 0.7° more."""
    assert round_sky(100.0, (60.0, dec)).is_all_north is north


@pytest.mark.slow
def test_the_corners_decide_about_the_north_and_not_the_centres() -> None:
    """Tiles around +30°, some of which have a corner on it: that isn't north of it."""
    tiles = np.arange(COUNT)
    _, lat = healpix.boundaries_lonlat(tiles, 1, 128, order="nested")
    lowest = lat.to_value(units.deg).min(axis=1)
    _, centre = healpix.healpix_to_lonlat(tiles, 128, order="nested")
    for least, most, north in ((29.6, 30 + 1e-9, False), (30 + 1e-9, 30.4, True)):
        close = tiles[(lowest > least) & (lowest < most) & (centre.to_value(units.deg) > 30)]
        assert close.size > 100
        for tile in close[::150]:
            sky = measure_rubin_sky(tiled(np.array(7), np.array([tile]), np.ones(1)), EVENT_TIME)
            assert sky.is_all_north is north


def test_the_order_of_a_files_tiles_changes_nothing() -> None:
    skymap = streaks()
    mixed = np.random.default_rng(1).permutation(skymap.uniq.size)
    other = tiled(skymap.order[mixed], skymap.ipix[mixed], skymap.density[mixed])
    found, expected = measure_rubin_sky(other, NOVEMBER), measure_rubin_sky(skymap, NOVEMBER)
    assert found.observable_area == expected.observable_area
    assert found.off_plane_probability == pytest.approx(expected.off_plane_probability)


def test_the_events_time_may_stand_in_any_zone() -> None:
    skymap, zone = gaussian(400.0, *SOUTH), datetime(2026, 11, 15, 0, tzinfo=UTC).astimezone().tzinfo
    assert measure_rubin_sky(skymap, EVENT_TIME.astimezone(zone)) == measure_rubin_sky(skymap, EVENT_TIME)


@pytest.mark.slow
@given(
    ra=st.floats(0, 360),
    dec=st.floats(-90, 90),
    area=st.sampled_from([0.5, 30.0, 700.0, 4_000.0]),
    minutes=st.integers(0, 20 * 365 * 1_440),
)
@settings(max_examples=25, deadline=None)
def test_what_is_trimmed_is_a_part_of_what_can_be_observed(
    ra: float, dec: float, area: float, minutes: int
) -> None:
    sky = measure_rubin_sky(gaussian(area, ra, dec), EVENT_TIME + timedelta(minutes=minutes))
    off = sky.off_plane_probability
    assert 0 <= off[500.0] <= off[1500.0] + 1e-12
    assert off[1500.0] <= sky.observable_probability + 1e-12
    assert sky.observable_probability <= sky.all_observable_probability + 1e-12 <= 1 + 1e-9
    assert (sky.observable_area == 0) == (sky.observable_probability == 0)
    assert sky.observable_area <= area * 1.3 + 3
    if sky.is_all_north:
        assert sky.observable_area == 0, "north of +30° nothing is high enough"
