"""The sky that fields cover, against counts of points of a fine grid and against mocpy."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.observing.field_raster import FieldRaster
from bot.observing.field_regions import (
    MAX_FIELDS,
    FieldGroup,
    SkyRegion,
    empty_region,
    parts_inside,
    region_of,
    region_of_ranges,
    union,
)
from bot.observing.footprints import bounding_radius, circle, outlines, polygon_footprint, rectangle
from bot.observing.pointing_pixels import ProbabilityCurve
from bot.skymaps import healpix
from bot.skymaps.arrays import MAX_ORDER, SKY_AREA_DEG2, Flags, Floats, Integers
from bot.skymaps.skymap import SkyMap
from formatters.models.observation import ObservedField
from formatters.models.pointing import Footprint
from tests.support.rubin_maps import gaussian
from tests.support.shared_data import NO_POINTINGS

CAMERA = polygon_footprint(
    [
        [(x, y), (x + 0.26, y), (x + 0.26, y + 0.13), (x, y + 0.13)]
        for x in np.arange(-0.95, 0.8, 0.3)
        for y in np.arange(-0.98, 0.9, 0.16)
    ],
    "camera of 72 detectors",
)
STAR = polygon_footprint(
    [
        [
            (float(r * np.sin(a)), float(r * np.cos(a)))
            for a, r in zip(np.linspace(0, 2 * np.pi, 20, endpoint=False), [2.0, 0.8] * 10, strict=True)
        ]
    ],
    "star",
)
ASIDE = polygon_footprint(
    [
        [(1.0, 1.0), (1.4, 1.0), (1.4, 1.3), (1.0, 1.3)],
        [(-2.0, -1.0), (-1.5, -1.0), (-1.5, -0.2), (-2.0, -0.2)],
    ],
    "two detectors aside",
)
FOOTPRINTS = {
    "circle": circle(1.1, "circle"),
    "rectangle": rectangle(6.8, 3.4, "rectangle"),
    "small": rectangle(0.44, 0.44, "small"),
    "camera": CAMERA,
    "star": STAR,
    "aside": ASIDE,
}


def field(ra: float, dec: float, angle: float = 0.0) -> ObservedField:
    return ObservedField(ra=ra, dec=dec, position_angle=angle)


def group(footprint: Footprint, *fields: ObservedField) -> FieldGroup:
    return FieldGroup.of(footprint, fields)


def inside(footprint: Footprint, one: ObservedField, points: Floats) -> Flags:
    """Return which points, (n, 3), lie in a field: the sky is turned, and edges' windings are summed."""
    a, d, p = np.radians([one.ra, one.dec, one.position_angle])
    axis = np.array([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)])
    east = np.array([-np.sin(a), np.cos(a), 0.0])
    north = np.cross(axis, east)
    up, right = np.cos(p) * north + np.sin(p) * east, np.cos(p) * east - np.sin(p) * north
    along = points @ axis
    found = np.zeros(len(points), np.bool_)
    # Whatever lies in the field lies near its axis; the rest of the points isn't looked at.
    around = np.flatnonzero(along > np.cos(np.radians(bounding_radius(footprint) + 0.5)))
    x, y = (np.degrees(points[around] @ side / along[around]) for side in (right, up))
    if footprint.radius is not None:
        found[around] = np.degrees(np.arctan(np.radians(np.hypot(x, y)))) <= footprint.radius
        return found
    for polygon in footprint.polygons:
        corners = np.array(polygon)
        low, high = corners.min(axis=0) - 0.01, corners.max(axis=0) + 0.01
        near = np.flatnonzero((x > low[0]) & (x < high[0]) & (y > low[1]) & (y < high[1]))
        angles = [np.arctan2(cy - y[near], cx - x[near]) for cx, cy in corners]
        turns = [
            (second - first + np.pi) % (2 * np.pi) - np.pi
            for first, second in zip(angles, [*angles[1:], angles[0]], strict=True)
        ]
        found[around[near]] |= np.abs(np.sum(turns, axis=0)) > np.pi
    return found


def grid(fields: list[ObservedField], radius: float, order: int) -> Integers:
    """Return the pixels of a fine grid around fields."""
    coarse_order = 6
    coarse = np.arange(12 * 4**coarse_order)
    points = np.stack(healpix.centre_vectors(coarse_order, coarse), axis=1)
    near = np.zeros(coarse.size, np.bool_)
    for one in fields:
        a, d = np.radians([one.ra, one.dec])
        axis = np.array([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)])
        near |= points @ axis > np.cos(np.radians(radius + 1.0))
    inner = 4 ** (order - coarse_order)
    return np.asarray((coarse[near][:, None] * inner + np.arange(inner)).ravel(), np.int64)


def probability(skymap: SkyMap, order: int, pixels: Integers) -> Floats:
    """Return each pixel's probability by the density at its centre."""
    centre = (pixels << 2 * (MAX_ORDER - order)) + (1 << 2 * (MAX_ORDER - order)) // 2
    by_position = skymap.by_position
    tile = by_position[np.searchsorted(skymap.start[by_position], centre, side="right") - 1]
    return np.asarray(skymap.density[tile] * 4 * np.pi / (12 * 4**order), np.float64)


def count(
    skymap: SkyMap, footprint: Footprint, fields: list[ObservedField], order: int
) -> tuple[float, float]:
    """Return the probability and the area (deg²) of all fields together by counting points."""
    pixels = grid(fields, bounding_radius(footprint), order)
    points = np.stack(healpix.centre_vectors(order, pixels), axis=1)
    covered = np.zeros(pixels.size, np.bool_)
    for one in fields:
        covered |= inside(footprint, one, points)
    area = covered.sum() * SKY_AREA_DEG2 / (12 * 4**order)
    return float(probability(skymap, order, pixels[covered]).sum()), float(area)


@pytest.mark.slow
@pytest.mark.parametrize("name", FOOTPRINTS)
@pytest.mark.parametrize(
    "place", [(0.1, 12.0), (123.0, 89.6), (250.0, -45.0)], ids=["RA 0h", "pole", "south"]
)
def test_fields_hold_what_a_count_of_points_says(name: str, place: tuple[float, float]) -> None:
    footprint = FOOTPRINTS[name]
    random = np.random.default_rng(5)
    size = bounding_radius(footprint)
    shifts = random.uniform(-1.5 * size, 1.5 * size, (5, 2))
    fields = [
        field(
            (place[0] + east / max(np.cos(np.radians(place[1])), 0.02)) % 360,
            float(np.clip(place[1] + north, -90, 90)),
            float(random.uniform(0, 360)),
        )
        for east, north in shifts
    ]
    skymap = gaussian(60.0, *place)
    region = region_of(group(footprint, *fields))
    expected, area = count(skymap, footprint, fields, 13 if size < 1 else 12)
    assert region.probability(ProbabilityCurve(skymap)) == pytest.approx(expected, rel=5e-3)
    assert region.area == pytest.approx(area, rel=5e-3)


@pytest.mark.parametrize("name", FOOTPRINTS)
def test_one_field_has_the_area_of_its_shape(name: str) -> None:
    footprint = FOOTPRINTS[name]
    for one in (field(10, 20, 33), field(359.99, -80, 100), field(0, 90), field(45, 41.8, 45)):
        assert region_of(group(footprint, one)).area == pytest.approx(footprint.area, rel=5e-3)


@pytest.fixture(params=["made", "real"])
def decam_fields(request: pytest.FixtureRequest) -> list[ObservedField]:
    """Ninety made pointings across RA 0h, and DECam's real ones of S251112cm where the shared folder is."""
    if request.param == "made":
        return [field((-9.0 + 2.1 * i) % 360, -14.0 + 2.4 * j) for j in range(9) for i in range(10)]
    file: Path = request.getfixturevalue("shared_notices").parent / "pointings" / "S251112cm-decam.csv"
    if not file.is_file():
        pytest.skip(NO_POINTINGS)
    with file.open(encoding="utf-8") as rows:
        return [field(float(row["ra"]), float(row["dec"])) for row in csv.DictReader(rows)]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["circle", "camera"])
def test_ninety_pointings_agree_with_a_fine_grid_within_one_percent(
    decam_fields: list[ObservedField], name: str
) -> None:
    footprint = FOOTPRINTS[name]
    middle = decam_fields[40]
    skymap = gaussian(600.0, middle.ra, middle.dec)
    region = region_of(group(footprint, *decam_fields))
    expected, area = count(skymap, footprint, decam_fields, 11)
    assert expected > 0.05
    assert region.probability(ProbabilityCurve(skymap)) == pytest.approx(expected, rel=0.01)
    assert region.area == pytest.approx(area, rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["circle", "rectangle"])
def test_union_of_fields_is_that_of_mocpy(name: str) -> None:
    mocpy = pytest.importorskip("mocpy")
    from astropy import units

    footprint = FOOTPRINTS[name]
    fields = [field(10.0, 5.0), field(11.0, 5.5), field(14.2, 4.0)]
    moc = mocpy.MOC.new_empty(15)
    for one in fields:
        if footprint.radius is not None:
            lon, lat = one.ra * units.deg, one.dec * units.deg
            moc |= mocpy.MOC.from_cone(lon, lat, radius=footprint.radius * units.deg, max_depth=15)
        else:
            ((ra, dec),) = outlines(footprint, one.ra, one.dec, points_per_edge=1)
            moc |= mocpy.MOC.from_polygon(ra[:-1] * units.deg, dec[:-1] * units.deg, max_depth=15)
    area = region_of(group(footprint, *fields)).area
    assert area == pytest.approx(moc.sky_fraction * SKY_AREA_DEG2, rel=5e-3)


def test_a_field_given_twice_counts_once_and_its_order_changes_nothing() -> None:
    one, two = field(10.0, 5.0), field(10.7, 5.3)
    footprint = FOOTPRINTS["circle"]
    once = region_of(group(footprint, one, two))
    again = region_of(group(footprint, two, one, two, field(370.0, 5.0, 25.0)))
    assert once.start.tolist() == again.start.tolist() and once.stop.tolist() == again.stop.tolist()


def test_turned_field_lies_where_its_position_angle_says() -> None:
    # 20° by 2°, turned from north to east: what pointed east and west then points north and south.
    long = rectangle(20.0, 2.0, "long")
    lying, standing = region_of(group(long, field(80, 0))), region_of(group(long, field(80, 0, 90)))
    north, east = healpix.finest_pixels([80.0], [8.0]), healpix.finest_pixels([88.0], [0.0])
    assert lying.holds(east).all() and not lying.holds(north).any()
    assert standing.holds(north).all() and not standing.holds(east).any()
    aslant = region_of(group(long, field(80, 0, 60)))
    # The field's east side points to the position angle 90° + 60°, so to the south-east.
    assert aslant.holds(healpix.finest_pixels([84.0], [-6.9])).all()
    assert not aslant.holds(healpix.finest_pixels([84.0], [6.9])).any()


def test_fields_that_are_nowhere_on_the_sky_are_left_out() -> None:
    nan = float("nan")
    fields = (
        field(nan, 0),
        field(0, nan),
        field(0, 91),
        field(0, 0, nan),
        field(float("inf"), 0),
        field(-1, 0),
    )
    assert group(FOOTPRINTS["small"], *fields).centres == ((359.0, 0.0, 0.0),)
    assert region_of(group(FOOTPRINTS["small"], field(nan, nan))).is_empty


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_more_fields_than_anybody_has_are_measured_in_bounded_time() -> None:
    random = np.random.default_rng(2)
    ra, dec = random.uniform(0, 360, MAX_FIELDS + 5), random.uniform(-60, 60, MAX_FIELDS + 5)
    many = group(CAMERA, *(field(a, d) for a, d in zip(ra.tolist(), dec.tolist(), strict=True)))
    assert 0 < region_of(many).area < MAX_FIELDS * CAMERA.area


def test_parts_of_fields_in_a_region_are_those_of_their_overlaps() -> None:
    square = rectangle(2.0, 2.0, "square")
    theirs = region_of(group(square, field(10, 0)))
    parts = parts_inside(group(square, field(10, 0), field(11, 0), field(10.5, 0.5), field(13, 0)), theirs)
    assert parts.tolist() == pytest.approx([1.0, 0.5, 0.5625, 0.0], abs=0.01)
    assert parts_inside(group(square, field(10, 0)), empty_region()).tolist() == [0.0]


ranges = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=8)


def made(parts: list[tuple[int, int]]) -> tuple[SkyRegion, set[int]]:
    region = region_of_ranges(
        np.array([start for start, _ in parts], np.int64),
        np.array([start + length for start, length in parts], np.int64),
    )
    return region, {pixel for start, length in parts for pixel in range(start, start + length)}


@given(ranges, ranges)
@settings(deadline=None)
def test_regions_are_sets_of_pixels(first: list[tuple[int, int]], second: list[tuple[int, int]]) -> None:
    (one, mine), (two, theirs) = made(first), made(second)

    def pixels(region: SkyRegion) -> list[int]:
        pairs = zip(region.start.tolist(), region.stop.tolist(), strict=True)
        return [pixel for start, stop in pairs for pixel in range(start, stop)]

    assert pixels(one) == sorted(mine)
    assert pixels(union([one, two])) == sorted(mine | theirs)
    assert pixels(one.without(two)) == sorted(mine - theirs)
    every = np.arange(90)
    assert every[one.holds(every)].tolist() == sorted(mine)


@given(st.integers(0, 2**32 - 1), st.floats(0.001, 3))
@settings(deadline=None, max_examples=20)
@pytest.mark.slow
def test_raster_never_calls_a_circle_inside_or_outside_that_isnt(seed: int, radius: float) -> None:
    random = np.random.default_rng(seed)
    raster = _raster()
    x, y = random.uniform(-4, 4, (2, 40))
    wholly, partly = raster.compare(x, y, radius)
    for angle in np.linspace(0, 2 * np.pi, 12):
        for part in (0.0, 0.5, 0.999):
            held = raster.holds(x + part * radius * np.cos(angle), y + part * radius * np.sin(angle))
            assert held[wholly].all()
            assert not held[~wholly & ~partly].any()


def _raster() -> FieldRaster:
    return FieldRaster(CAMERA.polygons)
