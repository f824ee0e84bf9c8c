"""The distance from a credible region, and the part of the sky near it: mocpy's, and exact ones."""

from __future__ import annotations

import warnings
from functools import cache
from math import cos, radians

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import Latitude, Longitude, SkyCoord

from bot.samples import ring, sky_map, streak
from bot.skymaps import healpix
from bot.skymaps.arrays import SKY_AREA_DEG2, Integers
from bot.skymaps.region_distance import PixelRegion, circle_of_area
from bot.skymaps.skymap import SkyMap, credible_areas, read_sky_map
from tests.support.clock import NOW
from tests.support.rubin_maps import tiled, top_hat

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from mocpy import MOC


def area_of_cap(radius: float) -> float:
    return SKY_AREA_DEG2 * (1 - cos(radians(radius))) / 2


@cache
def ring_map() -> SkyMap:
    return read_sky_map(
        sky_map(
            ring(40.0, 10.0, radius=65.0, width=3.0, brightest=80.0, contrast=3.0),
            superevent_id="S261122a",
            time=NOW,
        )
    )


@cache
def streak_map() -> SkyMap:
    return read_sky_map(
        sky_map(streak(194.3, -17.9, bearing=30, length=5, width=1.0), superevent_id="S261122a", time=NOW)
    )


@pytest.mark.parametrize(
    ("cap", "radius", "order", "tolerance"),
    [
        # A small circle of few tiles has corners, which reach further than the circle.
        (0.5, 0.3, 9, 0.05),
        (3, 0.5, 9, 0.02),
        (3, 12, 8, 0.01),
        (20, 1, 7, 0.01),
        (20, 40, 6, 0.01),
        (60, 25, 6, 0.01),
    ],
)
@pytest.mark.slow
def test_around_a_round_region_it_is_the_larger_circle(
    cap: float, radius: float, order: int, tolerance: float
) -> None:
    region = PixelRegion.from_skymap(top_hat(area_of_cap(cap), 120.0, -35.0, order), 0.9)
    # The region is of whole tiles, so it is as large as its own area says.
    whole = circle_of_area(region.area)
    assert whole == pytest.approx(cap, rel=0.02)
    exact = (1 - cos(radians(whole + radius))) / 2
    assert region.sky_share_within(radius) == pytest.approx(exact, rel=tolerance)


@pytest.mark.slow
def test_the_share_without_a_margin_is_the_regions_own_area() -> None:
    for skymap in (ring_map(), streak_map()):
        region = PixelRegion.from_skymap(skymap, 0.99)
        area = credible_areas(skymap, (0.99,))[0]
        assert region.area == pytest.approx(area, rel=0.02)
        assert region.sky_share_within(0.0) * SKY_AREA_DEG2 == pytest.approx(area, rel=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("radius", [1.0, 6.0, 15.0])
@pytest.mark.parametrize("make", [ring_map, streak_map])
def test_around_an_arc_it_is_what_mocpy_makes_of_circles_around_each_pixel(
    make: object, radius: float
) -> None:
    assert callable(make)
    skymap = make()
    region = PixelRegion.from_skymap(skymap, 0.99)
    ra, dec = healpix.centres(np.full(region.edge.shape[1], region.order), _edge_pixels(region))
    circles = MOC.from_cones(
        lon=Longitude(ra * units.deg),
        lat=Latitude(dec * units.deg),
        radius=radius * units.deg,
        max_depth=9,
        union_strategy="large_cones",
    )
    whole = circles + MOC.from_healpix_cells(
        region.pixels.astype(np.uint64), np.full(region.pixels.size, region.order, np.uint8), max_depth=9
    )
    assert region.sky_share_within(radius) == pytest.approx(whole.sky_fraction, rel=0.03)


def _edge_pixels(region: PixelRegion) -> Integers:
    x, y, z = region.edge
    lon = np.degrees(np.arctan2(y, x)) % 360
    return healpix.finest_pixels(lon, np.degrees(np.arcsin(z))) >> 2 * (29 - region.order)


@pytest.mark.parametrize("make", [ring_map, streak_map])
def test_a_distance_is_that_to_the_nearest_pixel_by_astropy(make: object) -> None:
    assert callable(make)
    region = PixelRegion.from_skymap(make(), 0.99)
    ra, dec = healpix.centres(np.full(region.pixels.size, region.order), region.pixels)
    pixels = SkyCoord(ra * units.deg, dec * units.deg)
    pixel_width = 58.6 / 2**region.order
    rng = np.random.default_rng(5)
    for lon, z in zip(rng.uniform(0, 360, 40), rng.uniform(-1, 1, 40), strict=True):
        lat = np.degrees(np.arcsin(z))
        nearest = SkyCoord(lon * units.deg, lat * units.deg).separation(pixels).deg.min()
        assert region.distance(lon, lat) == pytest.approx(nearest, abs=pixel_width)


def test_inside_the_distance_is_zero_and_the_antipode_is_far() -> None:
    region = PixelRegion.from_skymap(streak_map(), 0.99)
    assert region.distance(194.3, -17.9) == 0
    assert region.distance(14.3, 17.9) > 150
    assert region.sky_share_within(180) == 1.0


def test_a_uniform_map_is_near_everything() -> None:
    flat = tiled(np.array(3), np.arange(12 * 4**3), np.ones(12 * 4**3))
    region = PixelRegion.from_skymap(flat, 0.99)
    assert region.sky_share_within(10.0) == pytest.approx(1.0, abs=0.01)
    everything = PixelRegion.from_skymap(flat, 1.0)
    assert everything.distance(12.0, 34.0) == 0 and everything.sky_share_within(0.0) == 1.0


def test_regions_overlap_across_orders() -> None:
    streak_region = PixelRegion.from_skymap(streak_map(), 0.99)
    near = PixelRegion.from_skymap(top_hat(30.0, 194.3, -17.9, 6), 0.9)
    far = PixelRegion.from_skymap(top_hat(30.0, 14.3, 17.9, 6), 0.9)
    assert streak_region.overlaps(near) and near.overlaps(streak_region)
    assert not streak_region.overlaps(far) and not far.overlaps(streak_region)


@pytest.mark.parametrize(("area", "radius"), [(0.0, 0.0), (np.pi, 1.0), (SKY_AREA_DEG2 / 2, 90.0)])
def test_the_circle_of_an_area(area: float, radius: float) -> None:
    assert circle_of_area(area) == pytest.approx(radius, rel=1e-4)
