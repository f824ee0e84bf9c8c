"""Coverage maps, areas and cones, compared with mocpy's."""

from __future__ import annotations

import json
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import Latitude, Longitude
from astropy.io.fits import Header
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.alerts.decode import extract_sky_maps
from bot.samples import edge_cases, ring, sky_map, streak
from bot.samples.skymaps import Columns, to_fits
from bot.skymaps.arrays import SKY_AREA_DEG2
from bot.skymaps.cone_search import probability_in_cone
from bot.skymaps.moc import Moc, credible_moc
from bot.skymaps.regions import merge_tiles
from bot.skymaps.skymap import MAX_TILES, SkyMap, credible_areas, localize, read_sky_map

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from mocpy import MOC

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SKIES = {
    "streak": streak(120, 30, bearing=40, length=12, width=4),
    "ring": ring(200.0, 20.0, radius=60.0, width=4.0, brightest=30.0),
}


@pytest.fixture(scope="module", params=SKIES)
def skymap(request: pytest.FixtureRequest) -> SkyMap:
    return read_sky_map(sky_map(SKIES[request.param], superevent_id="S261122a", time=NOW))


def read_moc(moc: Moc) -> Any:
    return MOC.from_string(moc.to_ascii())


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_exported_moc_is_read_by_mocpy_with_the_same_area(skymap: SkyMap, level: float) -> None:
    ours = credible_moc(skymap, level)
    theirs = read_moc(ours)
    assert theirs.max_order == ours.max_order
    assert theirs.sky_fraction * SKY_AREA_DEG2 == pytest.approx(ours.area)


def assert_read_by_mocpy(moc: Moc) -> None:
    """mocpy reads the text, finds the same cells, and writes the same text."""
    theirs = read_moc(moc)
    # mocpy refuses commas, and whatever else isn't IVOA's form.
    assert "," not in moc.to_ascii()
    assert theirs.max_order == moc.max_order
    assert theirs.sky_fraction * SKY_AREA_DEG2 == pytest.approx(moc.area, rel=1e-9, abs=1e-8)
    assert MOC.from_string(theirs.to_string()) == theirs
    cells = MOC.from_healpix_cells(moc.ipix.astype(np.uint64), moc.order.astype(np.uint8), moc.max_order)
    assert cells == theirs


@pytest.mark.slow
def test_mocpy_reads_the_moc_of_every_published_map_whose_area_is_the_cards(shared_notices: Path) -> None:
    """The message gives the card's area, and says what the cells cover where the rounded numbers differ."""
    seen = 0
    for name in json.loads((shared_notices / "expected.json").read_text()):
        for fits in extract_sky_maps((shared_notices / name).read_bytes()):
            if fits is None:
                continue
            skymap = read_sky_map(fits)
            moc = credible_moc(skymap, 0.9)
            assert_read_by_mocpy(moc)
            assert moc.area == pytest.approx(localize(skymap).area_90, rel=1e-3), name
            seen += 1
    assert seen >= 20


@pytest.mark.slow
@pytest.mark.parametrize("name", edge_cases.READABLE_MAPS)
@pytest.mark.parametrize("level", [0.5, 0.9])
def test_mocpy_reads_the_moc_of_unusual_maps(name: str, level: float) -> None:
    moc = credible_moc(read_sky_map(edge_cases.READABLE_MAPS[name]()), level)
    assert_read_by_mocpy(moc)
    assert_read_by_mocpy(moc.degrade_to_order(max(moc.max_order - 3, 0)))


@pytest.mark.slow
def test_mocpy_reads_the_moc_of_the_largest_map_that_is_read() -> None:
    """786,432 tiles of which no four merge: the longest text that a map can give."""
    order = 8
    density = np.random.default_rng(3).random(12 * 4**order)
    density /= density.sum() * np.pi / 3 / 4**order
    uniq = np.arange(density.size) + 4 * 4**order
    assert uniq.size * 4 > MAX_TILES
    columns: Columns = {"UNIQ": (uniq, None), "PROBDENSITY": (density, None)}
    assert_read_by_mocpy(credible_moc(read_sky_map(to_fits(columns, Header())), 0.9))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 29), st.integers(0, 12 * 4**29 - 1)), min_size=1, max_size=40))
def test_mocpy_reads_the_moc_of_any_cells(places: list[tuple[int, int]]) -> None:
    """Disjoint cells of any orders anywhere, the last pixel of order 29 among them."""
    taken: list[tuple[int, int]] = []
    for order, pixel in sorted(places):
        ipix = pixel >> 2 * (29 - order)
        if not any(ipix >> 2 * (order - coarse) == other for coarse, other in taken):
            taken.append((order, ipix))
    taken.sort(key=lambda cell: cell[1] << 2 * (29 - cell[0]))
    cells = np.array(taken, np.int64)
    assert_read_by_mocpy(Moc(*merge_tiles(cells[:, 0], cells[:, 1])))


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_credible_region_is_that_of_mocpy(skymap: SkyMap, level: float) -> None:
    ours = read_moc(credible_moc(skymap, level))
    theirs = MOC.from_valued_healpix_cells(
        skymap.uniq.astype(np.uint64), skymap.probability, 29, cumul_to=level
    )
    # mocpy leaves out the tile in which the level is reached, or splits it.
    (area,) = credible_areas(skymap, (level,))
    tile = float(skymap.area.max()) * (180 / np.pi) ** 2
    assert theirs.difference(ours).sky_fraction == 0
    assert theirs.sky_fraction * SKY_AREA_DEG2 == pytest.approx(area, abs=tile)


@pytest.mark.parametrize("order", [2, 3, 5])
def test_degraded_moc_is_that_of_mocpy(skymap: SkyMap, order: int) -> None:
    moc = credible_moc(skymap, 0.9)
    ours = read_moc(moc.degrade_to_order(order))
    theirs = read_moc(moc).degrade_to_order(order)
    assert ours.symmetric_difference(theirs).sky_fraction == 0


@pytest.mark.parametrize(
    ("ra", "dec", "radius"), [(120.0, 30.0, 5.0), (200.0, 80.0, 12.0), (10.0, -60.0, 3.0)]
)
def test_probability_in_cone_is_that_of_mocpy(skymap: SkyMap, ra: float, dec: float, radius: float) -> None:
    cone = MOC.from_cone(
        lon=Longitude(ra, units.deg), lat=Latitude(dec, units.deg), radius=radius * units.deg, max_depth=11
    )
    table = Table([skymap.uniq, skymap.density], names=("UNIQ", "PROBDENSITY"))
    theirs = float(cone.probability_in_multiordermap(table))
    assert probability_in_cone(skymap, ra, dec, radius) == pytest.approx(theirs, abs=2e-3)
