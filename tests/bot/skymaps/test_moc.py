"""Coverage maps of credible regions."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.samples import sky_map, streak
from bot.skymaps.moc import Moc, credible_moc
from bot.skymaps.skymap import SkyMap, credible_areas, in_credible_region, read_sky_map
from tests.support.factories import NOW


@pytest.fixture(scope="module")
def skymap() -> SkyMap:
    peaks = [*streak(120, 30, bearing=40, length=12, width=4), (300.0, -40.0, 0.3, 6.0)]
    return read_sky_map(sky_map(peaks, superevent_id="S261122a", time=NOW, base_order=2, rounds=5))


def read_ascii(text: str) -> list[tuple[int, int]]:
    """Cells (order, index) of a MOC in IVOA's ASCII."""
    cells, order = [], -1
    for part in text.split():
        head, slash, indices = part.rpartition("/")
        if slash:
            order = int(head)
        first, _, last = indices.partition("-")
        cells += [(order, ipix) for ipix in range(int(first), int(last or first) + 1)]
    return cells


def pixels(cells: list[tuple[int, int]], order: int) -> set[int]:
    """The same sky in pixels of one order."""
    return {
        pixel for o, ipix in cells for pixel in range(ipix << 2 * (order - o), (ipix + 1) << 2 * (order - o))
    }


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_moc_covers_exactly_the_credible_region(skymap: SkyMap, level: float) -> None:
    moc = credible_moc(skymap, level)
    part = in_credible_region(skymap, level)
    finest = int(skymap.order[part].max())
    tiles = list(zip(skymap.order[part].tolist(), skymap.ipix[part].tolist(), strict=True))
    cells = read_ascii(moc.to_ascii())
    assert len(cells) == len(set(cells)) == moc.order.size < len(tiles)
    assert pixels(cells, finest) == pixels(tiles, finest)
    # Up to the tile in which the level is reached.
    (interpolated,) = credible_areas(skymap, (level,))
    largest = float(skymap.area[part].max()) * (180 / np.pi) ** 2
    assert interpolated <= moc.area <= interpolated + largest
    siblings: dict[tuple[int, int], int] = {}
    for order, ipix in cells:
        siblings[order, ipix >> 2] = siblings.get((order, ipix >> 2), 0) + 1
    assert all(count < 4 for (order, _), count in siblings.items() if order > 0)


@pytest.mark.parametrize("order", [0, 1, 2, 3, 4, 9])
def test_degraded_moc_covers_the_original(skymap: SkyMap, order: int) -> None:
    moc = credible_moc(skymap, 0.9)
    coarse = moc.degrade_to_order(order)
    assert coarse.max_order <= order
    fine, finest = pixels(read_ascii(moc.to_ascii()), moc.max_order), max(moc.max_order, coarse.max_order)
    held = pixels(read_ascii(coarse.to_ascii()), finest)
    assert fine <= held
    if order >= moc.max_order:
        assert held == fine
    # No cell for nothing.
    for cell in read_ascii(coarse.to_ascii()):
        assert pixels([cell], finest) & fine


def test_ascii_serialization_follows_ivoa(skymap: SkyMap) -> None:
    written = credible_moc(skymap, 0.9).to_ascii()
    assert re.fullmatch(r"\d+/\d+(-\d+)?( (\d+/)?\d+(-\d+)?)*", written)
    assert Moc(np.array([4, 4, 4, 5]), np.array([12, 15, 16, 300])).to_ascii() == "4/12 15-16 5/300"
    orders = [int(part.partition("/")[0]) for part in written.split() if "/" in part]
    assert orders == sorted(set(orders))


@settings(max_examples=40, deadline=None)
@given(st.sets(st.integers(0, 12 * 4**3 - 1), min_size=1))
def test_any_set_of_pixels_is_kept(wanted: set[int]) -> None:
    ipix = np.array(sorted(wanted))
    moc = Moc(np.full(ipix.size, 3), ipix).degrade_to_order(3)
    assert pixels(read_ascii(moc.to_ascii()), 3) == wanted
    assert moc.area == pytest.approx(len(wanted) * 4 * 180**2 / np.pi / (12 * 4**3))
