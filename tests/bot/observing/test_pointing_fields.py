"""What fields cover of a map, held against counts of points."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.observing.footprints import circle, covers, parse_footprint, polygon_footprint
from bot.observing.pointing_fields import (
    BLOCK_ORDERS,
    FieldGain,
    Pixels,
    blocks_near,
    cover,
    measure,
)
from bot.observing.pointing_pixels import ProbabilityCurve, children, occupied_pixels, pixel_order
from bot.skymaps import healpix
from bot.skymaps.arrays import Floats
from bot.skymaps.skymap import SkyMap
from formatters.models.pointing import Footprint
from tests.support.rubin_maps import gaussian, tiled
from tests.support.shared_data import NO_POINTINGS

_TWO_CHIPS = polygon_footprint(
    [[(-1.2, -0.5), (-0.1, -0.5), (-0.1, 0.5), (-1.2, 0.5)], [(0.1, -0.9), (1.2, -0.9), (0.6, 0.9)]], "chips"
)
FOOTPRINTS = [parse_footprint("2.2deg circle"), parse_footprint("3x1.5deg"), _TWO_CHIPS]
PLACES = [
    (0.0, 20.0),
    (359.8, -45.0),
    (120.0, 90.0),
    (10.0, -90.0),
    (77.0, 88.9),
    (200.0, -89.4),
    (90.0, 41.8),
]


def density_at(skymap: SkyMap, points: tuple[Floats, Floats, Floats]) -> Floats:
    """Return the map's density (sr⁻¹) at points, each tile looked up."""
    ra, dec = np.degrees(np.arctan2(points[1], points[0])) % 360, np.degrees(np.arcsin(points[2]))
    place = healpix.finest_pixels(ra, dec)
    tile = skymap.by_position[np.searchsorted(skymap.start[skymap.by_position], place, side="right") - 1]
    found: Floats = skymap.density[tile]
    return found


def counted(skymap: SkyMap, footprint: Footprint, places: list[tuple[float, float]]) -> float:
    """Return the probability in a union of fields by dense points around each."""
    total = 0.0
    for number, (ra, dec) in enumerate(places):
        # Points on a plane of equal area (Lambert's) around the field.
        size, steps = 2 * np.sin(np.radians(8) / 2), 1200
        line = (np.arange(steps) + 0.5) / steps * 2 * size - size
        a, b = (one.ravel() for one in np.meshgrid(line, line))
        # Turned, so that no row of points runs along an edge.
        a, b = 0.8 * a - 0.6 * b, 0.6 * a + 0.8 * b
        inside = a * a + b * b <= size**2
        a, b = a[inside], b[inside]
        up = 1 - (a * a + b * b) / 2
        scale = np.sqrt(1 - (a * a + b * b) / 4)
        lon, lat = np.radians(ra), np.radians(dec)
        east = np.array([-np.sin(lon), np.cos(lon), 0])
        north = np.array([-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)])
        out = np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
        x, y, z = np.outer(east, a * scale) + np.outer(north, b * scale) + np.outer(out, up)
        mine = covers(footprint, ra, dec, (x, y, z))
        for other_ra, other_dec in places[:number]:
            mine &= ~covers(footprint, other_ra, other_dec, (x, y, z))
        total += float(density_at(skymap, (x[mine], y[mine], z[mine])).sum()) * (2 * size / steps) ** 2
    return total


def _pixels(skymap: SkyMap, footprint: Footprint, ra: Floats, dec: Floats) -> Pixels:
    order = pixel_order(footprint)
    ipix = children(blocks_near(ra, dec, footprint), BLOCK_ORDERS)
    points = np.stack(healpix.centre_vectors(order, ipix), axis=1)
    return Pixels(order, ipix, ProbabilityCurve(skymap).probability(order, ipix), points)


@given(st.integers(0, 2**32 - 1), st.integers(0, 6))
@settings(deadline=None, max_examples=15)
def test_pixels_of_any_order_hold_what_the_tiles_say(seed: int, order: int) -> None:
    random = np.random.default_rng(seed)
    coarse = np.arange(12 * 4**2)
    split = random.random(coarse.size) < 0.2
    fine = children(coarse[split], 3)
    orders = np.concatenate([np.full((~split).sum(), 2), np.full(fine.size, 5)])
    skymap = tiled(orders, np.concatenate([coarse[~split], fine]), random.random(orders.size) + 0.01)
    every = np.arange(12 * 4**order)
    found = ProbabilityCurve(skymap).probability(order, every)
    # The tiles' probability at the finest order of both, then added up.
    finest = max(order, 5)
    spread = np.zeros(12 * 4**finest)
    for tile_order, ipix, probability in zip(skymap.order, skymap.ipix, skymap.probability, strict=True):
        step = 4 ** (finest - int(tile_order))
        spread[ipix * step : (ipix + 1) * step] = probability / step
    expected = spread.reshape(every.size, -1).sum(axis=1)
    np.testing.assert_allclose(found, expected / expected.sum(), atol=1e-14)
    assert np.isin(np.flatnonzero(expected > 0), occupied_pixels(skymap, order, every.size)).all()


def test_a_gap_in_a_map_holds_nothing() -> None:
    ipix = np.arange(12 * 4**3)
    skymap = tiled(np.array(3), ipix[ipix % 5 != 0], np.ones((ipix % 5 != 0).sum()))
    found = ProbabilityCurve(skymap).probability(3, ipix)
    assert (found[ipix % 5 == 0] == 0).all()
    assert np.isclose(found.sum(), 1)


@pytest.mark.parametrize("footprint", FOOTPRINTS, ids=lambda one: one.words)
@pytest.mark.parametrize("place", PLACES)
def test_a_field_anywhere_holds_what_points_in_it_say(
    footprint: Footprint, place: tuple[float, float]
) -> None:
    skymap = gaussian(60.0, *place)
    [share] = measure(ProbabilityCurve(skymap), footprint, np.array([place[0]]), np.array([place[1]]))
    assert share == pytest.approx(counted(skymap, footprint, [place]), rel=5e-3)


@pytest.mark.slow
def test_what_fields_share_belongs_to_the_first() -> None:
    skymap, footprint = gaussian(60.0, 0.0, 0.0), FOOTPRINTS[0]
    places = [(0.0, 0.0), (1.0, 0.5), (359.3, -0.4), (0.0, 0.0)]
    ra, dec = np.array(places).T
    shares = measure(ProbabilityCurve(skymap), footprint, ra, dec)
    assert shares[3] == 0
    for number in range(1, 4):
        assert sum(shares[:number]) == pytest.approx(counted(skymap, footprint, places[:number]), rel=5e-3)


@pytest.mark.slow
def test_real_pointings_hold_what_points_in_them_say(shared_notices: Path) -> None:
    file = shared_notices.parent / "pointings" / "S251112cm-decam.csv"
    if not file.exists():
        pytest.skip(NO_POINTINGS)
    rows = list(csv.DictReader(file.read_text().splitlines()))
    places = list(dict.fromkeys((float(row["ra"]), float(row["dec"])) for row in rows))[:40]
    skymap = gaussian(600.0, *places[10])
    ra, dec = np.array(places).T
    footprint = circle(1.1, "DECam, about")
    shares = measure(ProbabilityCurve(skymap), footprint, ra, dec)
    assert sum(shares) > 0.05
    assert sum(shares) == pytest.approx(counted(skymap, footprint, places), rel=5e-3)


@given(st.sampled_from(FOOTPRINTS), st.floats(0, 359.9), st.floats(-90, 90), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=25)
def test_no_pixel_of_a_field_is_missed(footprint: Footprint, ra: float, dec: float, seed: int) -> None:
    offset = np.random.default_rng(seed).uniform(-3, 3, (2, 12))
    many_dec = np.clip(dec + offset[0], -90, 90)
    many_ra = (ra + offset[1] / np.maximum(np.cos(np.radians(many_dec)), 0.02)) % 360
    pixels = _pixels(gaussian(60.0, 30.0, 10.0), footprint, many_ra, many_dec)
    fields = cover(many_ra, many_dec, pixels, footprint)
    order = pixels.order
    everywhere = (
        np.stack(healpix.centre_vectors(order, np.arange(12 * 4**order)), axis=1) if order < 8 else None
    )
    for number, (one_ra, one_dec) in enumerate(zip(many_ra.tolist(), many_dec.tolist(), strict=True)):
        x, y, z = pixels.points.T
        mine = pixels.ipix[fields.pixels_of(number)]
        assert sorted(mine) == pixels.ipix[covers(footprint, one_ra, one_dec, (x, y, z))].tolist()
        if everywhere is not None:
            x, y, z = everywhere.T
            assert sorted(mine) == np.flatnonzero(covers(footprint, one_ra, one_dec, (x, y, z))).tolist()


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=20)
def test_gains_are_what_each_field_would_add(seed: int) -> None:
    random = np.random.default_rng(seed)
    ra, dec = random.uniform(28, 32, 15), random.uniform(8, 12, 15)
    pixels = _pixels(gaussian(60.0, 30.0, 10.0), FOOTPRINTS[0], ra, dec)
    fields = cover(ra, dec, pixels, FOOTPRINTS[0])
    gain = FieldGain(fields, pixels.probability)
    chosen: list[int] = []
    for _ in range(12):
        if chosen and random.random() < 0.4:
            gain.remove(chosen.pop(int(random.integers(len(chosen)))))
        else:
            chosen.append(int(random.integers(15)))
            gain.add(chosen[-1])
        held = np.zeros(pixels.ipix.size, np.bool_)
        for one in chosen:
            held[fields.pixels_of(one)] = True
        for field in range(15):
            mine = fields.pixels_of(field)
            expected = float(pixels.probability[mine[~held[mine]]].sum())
            assert gain.gains[field] == pytest.approx(expected, abs=1e-12)
