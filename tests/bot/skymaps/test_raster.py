"""Grids hold, pixel by pixel, what the tile has that the pixel's centre lies in."""

from __future__ import annotations

from datetime import UTC, datetime

import astropy_healpix as healpix
import numpy as np
import pytest
from astropy import units
from astropy.io import fits

from bot import samples
from bot.skymaps import raster, skymap
from bot.skymaps.skymap import SkyMap
from formatters.skymap_image import Grid, ImageWindow
from formatters.skymap_image.projection import (
    SKY_HEIGHT,
    SKY_WIDTH,
    sky_positions,
    sky_to_plane,
    window_positions,
)
from tests.support.images import SKIES, sample

WHEN = datetime(2026, 1, 1, tzinfo=UTC)


def map_of(kind: str) -> SkyMap:
    found = sample(kind)
    return skymap.read_sky_map(found.combined_map or found.gw_map)


def check_against_single_lookups(grid: Grid, found: SkyMap, ra: np.ndarray, dec: np.ndarray) -> None:
    middles = raster.midpoint_levels(found)
    on_sky = np.flatnonzero(np.isfinite(ra))
    for place in np.random.default_rng(5).choice(on_sky, 60, replace=False):
        tile = skymap.tile_at(found, float(ra.flat[place]), float(dec.flat[place]))
        assert tile is not None
        assert grid.density.flat[place] == np.float32(found.density[tile])
        assert grid.credible_level.flat[place] == np.float32(middles[tile])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["across RA 0 h", "the north pole", "several lobes"])
def test_each_pixel_has_the_values_of_its_tile(kind: str) -> None:
    found = map_of(kind)
    grid = raster.rasterize(found, raster.all_sky_pixel_grid())
    check_against_single_lookups(grid, found, *sky_positions())
    region = raster.inset_region(raster.region_pieces(found))
    assert region is not None
    close = raster.rasterize(found, raster.window_pixel_grid(region.window))
    check_against_single_lookups(close, found, *window_positions(region.window))


def test_outside_the_ellipse_there_is_nothing() -> None:
    grid = raster.rasterize(map_of("one detector"), raster.all_sky_pixel_grid())
    assert grid.density.shape == grid.credible_level.shape == (SKY_HEIGHT, SKY_WIDTH)
    corner = grid.density[0, 0], grid.credible_level[-1, -1]
    assert np.isnan(corner).all()
    assert np.isfinite(grid.credible_level).mean() == pytest.approx(np.pi / 4, abs=0.002)
    assert np.isfinite(grid.credible_level[SKY_HEIGHT // 2]).all()


def test_a_gap_in_the_map_is_nothing() -> None:
    order = 3
    ipix = np.arange(12 * 4**order)[4**order :]
    density = np.full(ipix.size, 12 / 11 / (4 * np.pi))
    header = fits.Header({"ORDERING": "NUNIQ", "COORDSYS": "C"})
    columns: samples.skymaps.Columns = {
        "UNIQ": (ipix + 4 * 4**order, None),
        "PROBDENSITY": (density, "sr-1"),
    }
    found = skymap.read_sky_map(samples.skymaps.to_fits(columns, header))
    grid = raster.rasterize(found, raster.all_sky_pixel_grid())
    ra, dec = sky_positions()
    sky = np.isfinite(ra)
    base = np.full(ra.shape, -1)
    base[sky] = healpix.lonlat_to_healpix(ra[sky] * units.deg, dec[sky] * units.deg, 1, order="nested")
    assert np.array_equal(np.isnan(grid.density), ~sky | (base == 0))
    assert np.array_equal(np.isnan(grid.credible_level), ~sky | (base == 0))


@pytest.mark.slow
@pytest.mark.parametrize("kind", SKIES)
def test_the_middle_of_a_tile_is_half_of_it_below_its_level(kind: str) -> None:
    found = map_of(kind)
    middles, levels = raster.midpoint_levels(found), skymap.credible_levels(found)
    assert np.all(middles <= levels)
    assert np.all(middles >= 0)
    densest = skymap.peak_tile(found)
    assert middles[densest] == pytest.approx(levels[densest] / 2)
    ranked = middles[found.by_density]
    assert np.all(np.diff(ranked) >= 0)


def test_tiles_of_one_density_share_one_level() -> None:
    ipix = np.arange(12)
    columns: samples.skymaps.Columns = {
        "UNIQ": (ipix + 4, None),
        "PROBDENSITY": (np.full(12, 1 / (4 * np.pi)), "sr-1"),
    }
    found = skymap.read_sky_map(samples.skymaps.to_fits(columns, fits.Header({"ORDERING": "NUNIQ"})))
    assert raster.midpoint_levels(found) == pytest.approx(np.full(12, 0.5))


@pytest.mark.parametrize(
    ("kind", "share"),
    [
        ("a tile", 0.9),
        ("across RA 0 h", 0.9),
        ("the north pole", 0.9),
        ("the south pole", 0.9),
        ("several lobes", 0.6),
    ],
)
def test_the_window_holds_all_of_the_main_region(kind: str, share: float) -> None:
    found = map_of(kind)
    region = raster.inset_region(raster.region_pieces(found))
    assert region is not None
    assert region.probability == pytest.approx(share, abs=0.03)
    part = skymap.in_credible_region(found, 0.9)
    lon, lat = healpix.healpix_to_lonlat(found.ipix[part], 2 ** found.order[part], order="nested")
    east, north = sky_to_plane(region.window, lon.to_value(units.deg), lat.to_value(units.deg))
    held = (np.abs(east) < region.window.half_width) & (np.abs(north) < region.window.half_width)
    assert found.probability[part][held].sum() == pytest.approx(region.probability, abs=1e-3)
    if share == 0.9:
        assert held.all()
        # … and isn't lost in it.
        assert max(np.abs(east).max(), np.abs(north).max()) > 0.4 * region.window.half_width


@pytest.mark.parametrize("west", [80, 315])
def test_the_window_is_centred_on_a_region_with_a_long_tail_and_no_wider(west: float) -> None:
    # A patch of 2°, and a tail of single tiles 12° to the east and 6° to the south of it.
    order = np.full(40, 7)
    ra = west + np.concatenate([np.linspace(0, 2, 30), np.linspace(2.5, 14, 10)])
    dec = np.concatenate([np.tile([20.0, 21.0, 22.0], 10), np.linspace(19.5, 14, 10)])
    ipix = healpix.lonlat_to_healpix(ra * units.deg, dec * units.deg, 2**7, order="nested")
    window = raster._enclosing_window(order, ipix)
    assert window is not None
    lon, lat = healpix.healpix_to_lonlat(ipix, 2**order, order="nested")
    east, north = sky_to_plane(window, lon.to_value(units.deg), lat.to_value(units.deg))
    assert 0.72 * window.half_width < np.abs(east).max() < window.half_width
    for offset in east, north:
        assert offset.max() + offset.min() == pytest.approx(0, abs=0.06 * window.half_width)


@pytest.mark.parametrize("kind", ["one detector", "a ring"])
def test_wide_or_fragmented_map_has_no_inset(kind: str) -> None:
    assert raster.inset_region(raster.region_pieces(map_of(kind))) is None


def test_a_window_is_never_narrower_than_a_telescope() -> None:
    fits_file = samples.sky_map(
        [samples.Lobe(10, 10, 1, 0.004)], superevent_id="S261120a", time=WHEN, base_order=4, rounds=12
    )
    region = raster.inset_region(raster.region_pieces(skymap.read_sky_map(fits_file)))
    assert region is not None
    assert isinstance(region.window, ImageWindow)
    assert region.window.half_width == raster.MIN_WINDOW_HALF_WIDTH_DEG
