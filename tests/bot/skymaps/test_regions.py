"""Connected regions, against a walk over the pixels of one order."""

from __future__ import annotations

from typing import Any

import astropy_healpix as healpix
import numpy as np
import pytest
from astropy import units
from numpy.typing import NDArray

from bot.skymaps import regions
from bot.skymaps.regions import MAX_REGIONS, connected_regions
from formatters.models.notice import Region

Array = NDArray[Any]
ORDER = 4
PIXELS = 12 * 4**ORDER


def cover(order: int, ipix: list[int]) -> tuple[Array, Array]:
    return np.full(len(ipix), order), np.array(ipix)


def scattered(seed: int, share: float) -> tuple[Array, Array, Array]:
    """Disjoint tiles of orders 1 to 4 in order of place: some of the sky, split at random."""
    rng = np.random.default_rng(seed)
    tiles: list[tuple[int, int]] = []

    def split(order: int, ipix: int) -> None:
        if order < ORDER and rng.random() < 0.6:
            for child in range(4):
                split(order + 1, 4 * ipix + child)
        elif rng.random() < share:
            tiles.append((order, ipix))

    for ipix in range(48):
        split(1, ipix)
    orders, indices = (np.array(column) for column in zip(*tiles, strict=True))
    return orders, indices, rng.random(len(tiles)) + 0.01


def walked(order: Array, ipix: Array, probability: Array) -> list[tuple[float, float]]:
    """Probability and area of each connected part, found pixel by pixel."""
    owner = np.full(PIXELS, -1)
    for tile, (o, i) in enumerate(zip(order.tolist(), ipix.tolist(), strict=True)):
        width = 4 ** (ORDER - o)
        owner[i * width : (i + 1) * width] = tile
    with np.errstate(invalid="ignore"):
        around = np.asarray(healpix.neighbours(np.arange(PIXELS), 2**ORDER, order="nested")).T
    seen = owner < 0
    found = []
    for first in range(PIXELS):
        if seen[first]:
            continue
        seen[first] = True
        part, queue = {int(owner[first])}, [first]
        while queue:
            pixel = queue.pop()
            for other in around[pixel].tolist():
                if other >= 0 and not seen[other]:
                    seen[other] = True
                    part.add(int(owner[other]))
                    queue.append(other)
        tiles = sorted(part)
        found.append(
            (float(probability[tiles].sum()), float((4 * 180**2 / np.pi / 12 / 4.0 ** order[tiles]).sum()))
        )
    return sorted(found, reverse=True)


def shares(regions: tuple[Region, ...]) -> list[tuple[float, float]]:
    return [(region.probability, region.area) for region in regions]


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("seed", range(4))
def test_regions_are_those_of_a_walk_from_pixel_to_pixel(seed: int, share: float) -> None:
    order, ipix, probability = scattered(seed, share)
    wanted = walked(order, ipix, probability)
    assert (
        shares(connected_regions(order, ipix, probability))
        == [pytest.approx(pair) for pair in wanted][:MAX_REGIONS]
    )


def test_whole_sky_is_one_region() -> None:
    order, ipix = cover(2, list(range(192)))
    (region,) = connected_regions(order, ipix, np.full(192, 1 / 192))
    assert region.probability == pytest.approx(1)
    assert region.area == pytest.approx(4 * 180**2 / np.pi)


def test_tiles_that_touch_at_a_corner_are_one_region() -> None:
    order, ipix = cover(1, [0, 3])
    assert len(connected_regions(order, ipix, np.array([0.5, 0.5]))) == 1


def test_the_four_tiles_around_the_pole_are_one_region() -> None:
    order, ipix = cover(3, [63, 127, 191, 255])
    (region,) = connected_regions(order, ipix, np.full(4, 0.25))
    assert region.probability == 1


def test_a_region_lies_near_its_most_probable_spot_not_its_mean_direction() -> None:
    """An arc of a quarter of the sky with nearly everything at one end of it."""
    lon, lat = (angle.deg for angle in healpix.healpix_to_lonlat(np.arange(12 * 4**6), 64, order="nested"))
    ipix = np.flatnonzero((np.abs(lat) < 3) & (lon > 10) & (lon < 100))
    probability = np.where(np.abs(lon[ipix] - 95) < 1, 5.0, 1.0)
    (region,) = connected_regions(np.full(ipix.size, 6), ipix, probability / probability.sum())
    assert abs(region.ra - 95) < 1.5 and abs(region.dec) < 3


def test_a_coarse_tile_competes_by_its_density() -> None:
    order, ipix = np.array([3, 5, 5]), np.array([0, 16, 17])
    thin_first = connected_regions(order, ipix, np.array([0.5, 0.2, 0.1]))
    lon, lat = healpix.healpix_to_lonlat(16, 32, order="nested")
    assert (thin_first[0].ra, thin_first[0].dec) == pytest.approx((lon.deg, lat.deg))


def test_centre_across_the_meridian() -> None:
    """The quarters of a pixel whose centre has a right ascension of 0."""
    whole = int(healpix.lonlat_to_healpix(0 * units.deg, 0.597 * units.deg, 64, order="nested"))
    quarters = whole * 4 + np.arange(4)
    lon = healpix.healpix_to_lonlat(quarters, 128, order="nested")[0].deg
    assert lon.min() < 1 and lon.max() > 359
    (region,) = connected_regions(np.full(4, 7), quarters, np.full(4, 0.25))
    assert min(region.ra, 360 - region.ra) < 1e-9 and region.dec == pytest.approx(0.597, abs=0.01)


def test_only_the_most_probable_of_very_many_are_kept() -> None:
    ipix = np.arange(0, 12 * 4**5, 16) + 3
    probability = np.linspace(1, 2, ipix.size)
    found = connected_regions(np.full(ipix.size, 5), ipix, probability)
    assert len(found) == MAX_REGIONS
    assert [region.probability for region in found] == pytest.approx(
        sorted(probability, reverse=True)[:MAX_REGIONS]
    )


def test_a_million_crumbs_are_joined_more_generously(monkeypatch: pytest.MonkeyPatch) -> None:
    order = np.full(3_000, 8)
    ipix = np.arange(3_000) * 40
    probability = np.full(3_000, 1 / 3_000)
    whole = connected_regions(order, ipix, probability)
    assert len(whole) == MAX_REGIONS
    monkeypatch.setattr("bot.skymaps.regions.MAX_ADJACENCY_TILES", 300)
    (joined,) = connected_regions(order, ipix, probability)
    assert joined.probability == pytest.approx(1)
    assert joined.area == pytest.approx(3_000 * 4 * 180**2 / np.pi / 12 / 4**8)


def test_no_tiles_no_regions() -> None:
    nothing = np.array([], np.int64)
    assert connected_regions(nothing, nothing, np.array([])) == ()


def _any_tiles(rng: np.random.Generator, count: int) -> tuple[Array, Array]:
    """Disjoint tiles of mixed orders in order of place, with quarters that make larger tiles, and gaps."""
    tiles = [(0, pixel) for pixel in range(12)]
    while len(tiles) < count:
        order, pixel = tiles.pop(int(rng.integers(len(tiles))))
        tiles += (
            [(order + 1, 4 * pixel + quarter) for quarter in range(4)] if order < 12 else [(order, pixel)]
        )
    kept = [tile for tile in tiles if rng.random() < 0.9]
    kept.sort(key=lambda tile: tile[1] << 2 * (29 - tile[0]))
    order, ipix = np.array(kept).T
    return order, ipix


def _merged_one_by_one(order: Array, ipix: Array) -> list[tuple[int, int]]:
    tiles = set(zip(order.tolist(), ipix.tolist(), strict=True))
    for level in range(13, 0, -1):
        for parent in {pixel >> 2 for tile_order, pixel in tiles if tile_order == level}:
            quarters = {(level, 4 * parent + quarter) for quarter in range(4)}
            if quarters <= tiles:
                tiles = tiles - quarters | {(level - 1, parent)}
    return sorted(tiles, key=lambda tile: tile[1] << 2 * (29 - tile[0]))


@pytest.mark.parametrize("seed", range(20))
def test_merge_tiles_agrees_with_pairwise_merging(seed: int) -> None:
    order, ipix = _any_tiles(np.random.default_rng(seed), 400)
    merged_order, merged_ipix = regions.merge_tiles(order, ipix)
    found = list(zip(merged_order.tolist(), merged_ipix.tolist(), strict=True))
    assert found == _merged_one_by_one(order, ipix)


def test_between_two_quarters_finer_tiles_are_no_quarters() -> None:
    # Quarters 0 and 3, and between them two tiles that fill neither 1 nor 2.
    order, ipix = np.array([5, 6, 6, 5]), np.array([0, 4, 8, 3])
    assert [a.tolist() for a in regions.merge_tiles(order, ipix)] == [order.tolist(), ipix.tolist()]


@pytest.mark.parametrize("seed", range(6))
def test_to_common_order_equals_stepwise_coarsening(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regions, "MAX_ADJACENCY_TILES", 60)
    order, ipix = _any_tiles(np.random.default_rng(seed), 400)
    lifted = [a.tolist() for a in regions._to_common_order(order, ipix)]
    while order.size > 60:
        fine = order == order.max()
        order, ipix = np.where(fine, order.max() - 1, order), np.where(fine, ipix >> 2, ipix)
        new = np.append(True, (np.diff(order) != 0) | (np.diff(ipix) != 0))
        order, ipix = order[new], ipix[new]
    assert lifted == [order.tolist(), ipix.tolist()]
