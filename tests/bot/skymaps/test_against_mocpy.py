"""Coverage maps, areas and cones, compared with mocpy's."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import Latitude, Longitude
from astropy.table import Table

from bot.samples import ring, sky_map, streak
from bot.skymaps.arrays import SKY_AREA_DEG2
from bot.skymaps.cone_search import probability_in_cone
from bot.skymaps.moc import Moc, credible_moc
from bot.skymaps.skymap import SkyMap, credible_areas, read_sky_map

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
