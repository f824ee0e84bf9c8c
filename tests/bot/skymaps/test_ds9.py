"""Credible regions as DS9 polygons: together they are the coverage map."""

from __future__ import annotations

import re

import astropy_healpix as healpix
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.samples import sky_map, streak
from bot.skymaps.ds9 import polygon_lines
from bot.skymaps.moc import Moc, credible_moc
from bot.skymaps.regions import merge_tiles
from bot.skymaps.skymap import read_sky_map
from tests.support.factories import NOW

LINE = re.compile(r"polygon\((-?\d+\.\d+(?:,-?\d+\.\d+)+)\)")


def corners(line: str) -> np.ndarray:
    match = LINE.fullmatch(line)
    assert match is not None, line
    return np.array([float(number) for number in match[1].split(",")]).reshape(-1, 2)


def polygon_area(points: np.ndarray) -> float:
    """Area in deg² of a small polygon of (RA, Dec), on a cylindrical equal-area plane."""
    ra = np.degrees(np.unwrap(np.radians(points[:, 0])))
    height = np.degrees(np.sin(np.radians(points[:, 1])))
    return float(abs(np.sum(ra * np.roll(height, -1) - np.roll(ra, -1) * height)) / 2)


@settings(max_examples=40, deadline=None)
@given(st.integers(3, 9), st.sets(st.integers(0, 10**6), min_size=1, max_size=30))
def test_each_cell_is_a_polygon_around_its_centre_with_its_area(order: int, numbers: set[int]) -> None:
    ipix = np.array(sorted({number % (12 * 4**order) for number in numbers}), np.int64)
    moc = Moc(*merge_tiles(np.full(ipix.size, order), ipix))
    lines = polygon_lines(moc)
    assert len(lines) == moc.order.size
    ranked = np.lexsort((moc.ipix, moc.order))
    lon, lat = healpix.healpix_to_lonlat(moc.ipix[ranked], 2 ** moc.order[ranked], order="nested")
    for line, o, ra, dec in zip(lines, moc.order[ranked].tolist(), lon.deg, lat.deg, strict=True):
        points = corners(line)
        assert (points[:, 0] >= 0).all() and (points[:, 0] <= 360).all() and (abs(points[:, 1]) <= 90).all()
        if abs(dec) < 60:
            assert polygon_area(points) == pytest.approx(41252.96 / 12 / 4**o, rel=0.06)
            middle = points.mean(axis=0) if np.ptp(points[:, 0]) < 180 else None
            if middle is not None:
                assert abs(middle[0] - ra) < 90 / 2**o and abs(middle[1] - dec) < 60 / 2**o


def test_all_of_a_region_is_written() -> None:
    peaks = streak(120, 30, bearing=40, length=12, width=4)
    moc = credible_moc(read_sky_map(sky_map(peaks, superevent_id="S261122a", time=NOW)), 0.9)
    total = sum(polygon_area(corners(line)) for line in polygon_lines(moc))
    assert total == pytest.approx(moc.area, rel=0.01)
