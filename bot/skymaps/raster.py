"""Rasterizing of a sky map: each pixel of an image takes the values of the tile that contains its centre.

Tiles are looked up at order 29 of the NESTED curve; the map isn't flattened to one nside.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import astropy_healpix as healpix
import numpy as np
from astropy import units
from numpy.typing import NDArray

from bot.skymaps.arrays import MAX_ORDER, Floats, Integers
from bot.skymaps.regions import label_components
from bot.skymaps.skymap import SkyMap, credible_levels, in_credible_region
from formatters.skymap_image import Grid, ImageWindow
from formatters.skymap_image.projection import (
    plane_to_sky,
    sky_positions,
    sky_to_plane,
    window_positions,
)

MAX_WINDOW_HALF_WIDTH_DEG = 25.0
"""Degrees from the centre to an edge; a larger inset would show little more than the all-sky map."""
MIN_WINDOW_HALF_WIDTH_DEG = 0.2
"""Degrees from the centre to an edge; a smaller inset on a single tile would show no context."""
MIN_INSET_PROBABILITY = 0.3
"""The probability (0 to 1) that a region must have; an inset on one of many fragments would mislead."""
_WINDOW_MARGIN = 1.3


@dataclass(frozen=True, slots=True, eq=False)
class PixelGrid:
    """The pixels of an image grid that lie on the sky, in the order of the NESTED curve; arrays (n,)."""

    ipix: Integers
    """NESTED index of each pixel's centre at order 29, ascending."""
    grid_index: NDArray[np.int32]
    """Each pixel's index in the flattened grid."""
    shape: tuple[int, int]
    """Rows and columns of the grid."""


@dataclass(frozen=True, slots=True)
class InsetRegion:
    """The most probable connected part of the 90 % credible region, and a window around it."""

    window: ImageWindow
    probability: float
    """The region's part of the whole map's probability, 0 to 1."""


def create_pixel_grid(ra: Floats, dec: Floats) -> PixelGrid:
    """Sort a grid's pixels along the NESTED curve; `ra` and `dec` are 2-D, ICRS degrees, NaN off the sky."""
    place = np.flatnonzero(np.isfinite(ra))
    lon, lat = ra.ravel()[place] * units.deg, dec.ravel()[place] * units.deg
    ipix = np.asarray(healpix.lonlat_to_healpix(lon, lat, 2**MAX_ORDER, order="nested"), np.int64)
    ranking = np.argsort(ipix)
    return PixelGrid(ipix[ranking], place[ranking].astype(np.int32), (ra.shape[0], ra.shape[1]))


@cache
def all_sky_pixel_grid() -> PixelGrid:
    """Return the pixels of the all-sky projection; cached, because they are the same for every image."""
    return create_pixel_grid(*sky_positions())


def window_pixel_grid(window: ImageWindow) -> PixelGrid:
    """Return the pixels of an inset's window."""
    return create_pixel_grid(*window_positions(window))


def tile_index_grid(skymap: SkyMap, where: PixelGrid) -> NDArray[np.int32]:
    """Return the 2-D grid of tile indices; in gaps and off the sky the index is the number of tiles."""
    start, stop = skymap.start[skymap.by_position], skymap.stop[skymap.by_position]
    # The few thousand tiles are searched among the pixels, and not half a million pixels among the tiles.
    first, last = np.searchsorted(where.ipix, start), np.searchsorted(where.ipix, stop)
    held = last - first
    covered = np.arange(held.sum()) + np.repeat(first - np.cumsum(held) + held, held)
    tiles = np.full(where.shape, skymap.uniq.size, np.int32)
    tiles.ravel()[where.grid_index[covered]] = np.repeat(skymap.by_position, held)
    return tiles


def midpoint_levels(skymap: SkyMap) -> Floats:
    """Return for each tile the credible level at which half of it, and of tiles as dense, is inside.

    A contour at a level of this array is off by at most half a tile, to either side, and is never empty,
    because the densest tile gets half of its own probability.
    """
    levels = credible_levels(skymap)
    steps, step = np.unique(levels, return_inverse=True)
    middles: Floats = ((np.concatenate(([0.0], steps[:-1])) + steps) / 2)[step]
    return middles


def rasterize(skymap: SkyMap, where: PixelGrid) -> Grid:
    """Return density (sr⁻¹) and credible level (0 to 1) on a grid; NaN off the sky and in the map's gaps."""
    tiles = tile_index_grid(skymap, where)

    def spread(values: Floats) -> NDArray[np.float32]:
        return np.append(values, np.nan).astype(np.float32)[tiles]

    return Grid(density=spread(skymap.density), credible_level=spread(midpoint_levels(skymap)))


def inset_region(skymap: SkyMap) -> InsetRegion | None:
    """Find the most probable region of the 90 % credible region, and the window around it.

    Return None if the window would be too wide for an inset, or if no region has MIN_INSET_PROBABILITY.
    """
    part = skymap.by_position[in_credible_region(skymap, 0.9)[skymap.by_position]]
    order, ipix, probability = skymap.order[part], skymap.ipix[part], skymap.probability[part]
    label = label_components(order, ipix)
    probabilities = np.bincount(label, probability)
    highest = float(probabilities.max())
    if highest < MIN_INSET_PROBABILITY:
        return None
    main = label == probabilities.argmax()
    window = _enclosing_window(order[main], ipix[main])
    return None if window is None else InsetRegion(window, highest)


def _enclosing_window(order: Integers, ipix: Integers) -> ImageWindow | None:
    """Return the smallest window that contains these tiles, None if it is wider than the maximum."""
    lon, lat = healpix.healpix_to_lonlat(ipix, 2**order, order="nested")
    ra, dec = lon.to_value(units.deg), lat.to_value(units.deg)
    x, y, z = healpix.healpix_to_xyz(ipix, 2**order, order="nested")
    mean = np.array([np.average(axis, weights=0.25**order) for axis in (x, y, z)])
    # The mean of unit vectors that all fit into the widest window can't be shorter than this.
    if np.linalg.norm(mean) < np.cos(np.radians(2 * MAX_WINDOW_HALF_WIDTH_DEG)):
        return None
    window = ImageWindow(
        float(np.degrees(np.arctan2(mean[1], mean[0]))) % 360,
        float(np.degrees(np.arctan2(mean[2], np.hypot(mean[0], mean[1])))),
        MAX_WINDOW_HALF_WIDTH_DEG,
    )
    # Half a tile's diagonal, so that each tile is inside as a whole.
    reach = np.degrees(np.sqrt(np.pi / 3 / 2)) / 2.0**order
    east, north = sky_to_plane(window, ra, dec)
    west_most, east_most = float((east - reach).min()), float((east + reach).max())
    south_most, north_most = float((north - reach).min()), float((north + reach).max())
    half = max(east_most - west_most, north_most - south_most) / 2 * _WINDOW_MARGIN
    if half > MAX_WINDOW_HALF_WIDTH_DEG:
        return None
    shift = np.array([(west_most + east_most) / 2]), np.array([(south_most + north_most) / 2])
    middle_ra, middle_dec = plane_to_sky(window, *shift)
    return ImageWindow(float(middle_ra[0]), float(middle_dec[0]), max(half, MIN_WINDOW_HALF_WIDTH_DEG))
