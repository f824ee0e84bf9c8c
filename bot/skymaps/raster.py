"""Rasterizing of a sky map: each pixel of an image takes the values of the tile that contains its centre.

Tiles are looked up at order 29 of the NESTED curve; the map isn't flattened to one nside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from bot.skymaps import healpix
from bot.skymaps.arrays import Floats, Integers, tile_areas_deg2
from bot.skymaps.pixel_lookup import finest_pixels_of_many
from bot.skymaps.regions import label_components
from bot.skymaps.skymap import SkyMap, credible_levels, in_credible_region
from formatters.skymap_image import DrawnField, Grid, ImageWindow
from formatters.skymap_image.models import CREDIBLE_LEVELS
from formatters.skymap_image.projection import (
    SKY_PIXEL_AREA,
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
MIN_INSET_PROBABILITY_OF_50 = 0.2
"""The same for a piece of the 50 % region, if the 90 % region is too wide."""
MAX_OUTLINED_PIECES = 50
"""The most pieces of a credible region that are outlined."""
FULL_SCALE = 6.0
"""Density over that at the edge of the 50 % region, from which on colours don't change; 2 for a Gaussian's
peak.
"""
_WINDOW_MARGIN = 1.3
MAX_FIELDS_HALF_WIDTH_DEG = 40.0
"""The same for an inset on a plan's fields, which have to be told apart."""
_FIELDS_MARGIN = 1.1


@dataclass(frozen=True, slots=True, eq=False)
class PixelGrid:
    """The pixels of an image grid that lie on the sky, in the order of the NESTED curve; arrays (n,)."""

    ipix: Integers
    """NESTED index of each pixel's centre at order 29, ascending."""
    grid_index: NDArray[np.int32]
    """Each pixel's index in the flattened grid."""
    shape: tuple[int, int]
    """Rows and columns of the grid."""
    pixel_area: float
    """Area of a pixel, deg²."""


@dataclass(frozen=True, slots=True, eq=False)
class RegionPieces:
    """The tiles of a credible region along the NESTED curve, as arrays of shape (n,)."""

    order: Integers
    ipix: Integers
    """NESTED index within the order."""
    probability: Floats
    """0 to 1."""
    label: Integers
    """Number of the connected piece that each tile belongs to, from 0."""


@dataclass(frozen=True, slots=True)
class InsetRegion:
    """The part of a credible region that an inset shows, and a window around it."""

    window: ImageWindow
    probability: float
    """The region's part of the whole map's probability, 0 to 1."""


def create_pixel_grid(ra: Floats, dec: Floats, pixel_area: float) -> PixelGrid:
    """Sort a grid's pixels along the NESTED curve; `ra` and `dec` are 2-D, ICRS degrees, NaN off the sky.

    `pixel_area` is that of one pixel, deg².
    """
    place = np.flatnonzero(np.isfinite(ra))
    ipix = finest_pixels_of_many(ra.ravel()[place], dec.ravel()[place])
    ranking = np.argsort(ipix)
    return PixelGrid(ipix[ranking], place[ranking].astype(np.int32), (ra.shape[0], ra.shape[1]), pixel_area)


@cache
def all_sky_pixel_grid() -> PixelGrid:
    """Return the pixels of the all-sky projection; cached, because they are the same for every image."""
    return create_pixel_grid(*sky_positions(), SKY_PIXEL_AREA)


def window_pixel_grid(window: ImageWindow) -> PixelGrid:
    """Return the pixels of an inset's window."""
    return create_pixel_grid(*window_positions(window), window.pixel_area)


def tile_index_grid(skymap: SkyMap, where: PixelGrid) -> NDArray[np.int32]:
    """Return the 2-D grid of tile indices; in gaps and off the sky the index is the number of tiles."""
    start, stop = skymap.start[skymap.by_position], skymap.stop[skymap.by_position]
    # The few thousand tiles are searched among the pixels, and not half a million pixels among the tiles.
    first = np.searchsorted(where.ipix, start)
    last = np.append(first[1:], 0)
    before_gap = np.flatnonzero(np.append(stop[:-1] != start[1:], True))
    last[before_gap] = np.searchsorted(where.ipix, stop[before_gap])
    held = last - first
    places = where.grid_index
    if held.sum() < places.size:
        places = places[np.arange(held.sum()) + np.repeat(first - np.cumsum(held) + held, held)]
    tiles = np.full(where.shape, skymap.uniq.size, np.int32)
    tiles.ravel()[places] = np.repeat(skymap.by_position.astype(np.int32), held)
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
    return rasterizer(skymap)(where)


def rasterizer(skymap: SkyMap) -> Callable[[PixelGrid], Grid]:
    """Return `rasterize` for one map and several grids, which share what doesn't depend on them."""

    def with_gap(values: Floats) -> NDArray[np.float32]:
        return np.append(values, np.nan).astype(np.float32)

    density, level = with_gap(skymap.density), with_gap(midpoint_levels(skymap))
    widths = np.sqrt(tile_areas_deg2(skymap.order))
    full_scale = FULL_SCALE * _density_at(skymap, 0.5)

    def on(where: PixelGrid) -> Grid:
        return Grid(
            tiles=tile_index_grid(skymap, where),
            tile_density=density,
            tile_level=level,
            full_scale=full_scale,
            tile_width=with_gap(widths / np.sqrt(where.pixel_area)),
        )

    return on


def _density_at(skymap: SkyMap, level: float) -> float:
    """Return the density (sr⁻¹) of the last tile inside the credible region of a level."""
    return float(skymap.density[in_credible_region(skymap, level)].min())


def region_pieces(skymap: SkyMap) -> dict[float, RegionPieces]:
    """Return the credible regions of CREDIBLE_LEVELS with their connected pieces, by level."""
    found = {}
    for level in CREDIBLE_LEVELS:
        part = skymap.by_position[in_credible_region(skymap, level)[skymap.by_position]]
        order, ipix = skymap.order[part], skymap.ipix[part]
        found[level] = RegionPieces(order, ipix, skymap.probability[part], label_components(order, ipix))
    return found


def is_outlined(pieces: RegionPieces) -> bool:
    """Return True if a region has at most MAX_OUTLINED_PIECES pieces.

    The outlines of more are a thicket in which neither a piece nor its size can be made out.
    """
    return int(pieces.label.max()) < MAX_OUTLINED_PIECES


def inset_region(pieces: Mapping[float, RegionPieces]) -> InsetRegion | None:
    """Find the part of the map that an inset shows, and the window around it, from `region_pieces`.

    That is the most probable piece of the 90 % credible region; if it is too wide for an inset, the whole
    50 % region, or its most probable piece. Return None if all are too wide, or too improbable.
    """
    piece = _main_piece(pieces[0.9], MIN_INSET_PROBABILITY)
    if piece is not None:
        return piece
    inner = pieces[0.5]
    window = _enclosing_window(inner.order, inner.ipix)
    if window is not None:
        return InsetRegion(window, float(inner.probability.sum()))
    return _main_piece(inner, MIN_INSET_PROBABILITY_OF_50)


def _main_piece(pieces: RegionPieces, least: float) -> InsetRegion | None:
    """Return the most probable piece of a region; None if it has less than `least`, or is too wide."""
    probabilities = np.bincount(pieces.label, pieces.probability)
    highest = float(probabilities.max())
    if highest < least:
        return None
    main = pieces.label == probabilities.argmax()
    window = _enclosing_window(pieces.order[main], pieces.ipix[main])
    return None if window is None else InsetRegion(window, highest)


def region_of_fields(fields: Sequence[DrawnField]) -> InsetRegion | None:
    """Return the part of the sky that telescopes' fields take; None if it is too wide for an inset."""
    ra, dec = (
        np.array(one, np.float64)
        for one in zip(*(p for f in fields for o in f.outlines for p in o), strict=True)
    )
    window = _window_around(
        ra, dec, np.ones(ra.size), np.zeros(ra.size), MAX_FIELDS_HALF_WIDTH_DEG, _FIELDS_MARGIN
    )
    # The whole probability, since the fields are no region whose share the inset should say.
    return None if window is None else InsetRegion(window, 1.0)


def _enclosing_window(order: Integers, ipix: Integers) -> ImageWindow | None:
    """Return the smallest window that contains these tiles, None if it is wider than the maximum."""
    ra, dec = healpix.centres(order, ipix)
    # Half a tile's diagonal, so that each tile is inside as a whole.
    reach = np.asarray(np.degrees(np.sqrt(np.pi / 3 / 2)) / 2.0**order, np.float64)
    return _window_around(ra, dec, np.asarray(0.25**order, np.float64), reach)


def _window_around(
    ra: Floats,
    dec: Floats,
    weights: Floats,
    reach: Floats,
    widest: float = MAX_WINDOW_HALF_WIDTH_DEG,
    margin: float = _WINDOW_MARGIN,
) -> ImageWindow | None:
    """Return the smallest window that holds circles of radius `reach` around places, all in degrees.

    It is looked for around their weighted mean. None if its half-width is more than `widest`.
    """
    lon, lat = np.radians(ra), np.radians(dec)
    x, y, z = np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)
    mean = np.array([np.average(axis, weights=weights) for axis in (x, y, z)])
    # The mean of unit vectors that all fit into the widest window can't be shorter than this.
    if np.linalg.norm(mean) < np.cos(np.radians(2 * widest)):
        return None
    window = ImageWindow(
        float(np.degrees(np.arctan2(mean[1], mean[0]))) % 360,
        float(np.degrees(np.arctan2(mean[2], np.hypot(mean[0], mean[1])))),
        widest,
    )
    east, north = sky_to_plane(window, ra, dec)
    west_most, east_most = float((east - reach).min()), float((east + reach).max())
    south_most, north_most = float((north - reach).min()), float((north + reach).max())
    half = max(east_most - west_most, north_most - south_most) / 2 * margin
    if half > widest:
        return None
    shift = np.array([(west_most + east_most) / 2]), np.array([(south_most + north_most) / 2])
    middle_ra, middle_dec = plane_to_sky(window, *shift)
    return ImageWindow(float(middle_ra[0]), float(middle_dec[0]), max(half, MIN_WINDOW_HALF_WIDTH_DEG))
