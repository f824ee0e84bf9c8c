"""A sky map's probability on HEALPix pixels of any order, which is what plans of pointings count with.

Along the NESTED curve a map's probability only grows, so that a pixel's is the difference of two values of
that curve: exactly what the tiles say, whether they are finer or coarser than the pixel.
"""

from __future__ import annotations

from math import ceil, log2, sqrt

import numpy as np

from bot.observing.footprints import bounding_radius
from bot.skymaps import healpix
from bot.skymaps.arrays import MAX_ORDER, SKY_AREA_DEG2, Floats, Integers
from bot.skymaps.skymap import SkyMap
from formatters.models.pointing import Footprint

PIXELS_ACROSS = 14
"""Pixels across the circle around a field, at least, in which fields are compared."""
PIXELS_PER_SIDE = 10
"""Pixels along the side of a square of the field's area, at least: a long field is thin."""
MAX_PIXEL_ORDER = 18
PIXEL_WIDTH_DEG = sqrt(SKY_AREA_DEG2 / 12)
"""The side of a HEALPix pixel of order 0, degrees; that of order n is this over 2^n."""


class ProbabilityCurve:
    """A map's cumulative probability along the NESTED curve, from its beginning to any place."""

    def __init__(self, skymap: SkyMap) -> None:
        """Add the tiles up in the order of the curve; the whole map is 1."""
        order = skymap.by_position
        probability = skymap.probability[order]
        self._start = skymap.start[order]
        self._size = (skymap.stop[order] - self._start).astype(np.float64)
        self._density = probability / self._size
        self._before = np.concatenate([[0.0], np.cumsum(probability)])
        self._total = float(self._before[-1])

    def probability(self, order: int, ipix: Integers) -> Floats:
        """Return the (n,) probability in pixels of one order, NESTED."""
        shift = 2 * (MAX_ORDER - order)
        return self.until((ipix + 1) << shift) - self.until(ipix << shift)

    def until(self, place: Integers) -> Floats:
        """Return the (n,) probability before pixels of order MAX_ORDER on the curve."""
        tile = np.maximum(np.searchsorted(self._start, place, side="right") - 1, 0)
        # Between tiles, where a map has gaps, nothing is added.
        inside = np.clip((place - self._start[tile]).astype(np.float64), 0, self._size[tile])
        return np.asarray((self._before[tile] + inside * self._density[tile]) / self._total, np.float64)


def order_of_width(width: float) -> int:
    """Return the lowest HEALPix order whose pixels are at most so many degrees wide."""
    return int(np.clip(ceil(log2(PIXEL_WIDTH_DEG / width)), 0, MAX_PIXEL_ORDER))


def pixel_order(footprint: Footprint) -> int:
    """Return the HEALPix order whose pixels are fine enough to compare fields of this shape."""
    return order_of_width(
        min(2 * bounding_radius(footprint) / PIXELS_ACROSS, sqrt(footprint.area) / PIXELS_PER_SIDE)
    )


def children(ipix: Integers, orders: int) -> Integers:
    """Return the pixels so many orders finer that make up these, each one's together."""
    count = 1 << 2 * orders
    return np.asarray(((ipix << 2 * orders)[:, np.newaxis] + np.arange(count)).ravel(), np.int64)


def occupied_pixels(skymap: SkyMap, order: int, most: int) -> Integers:
    """Return the pixels of one order that hold probability, ascending; about `most` densest, if more do."""
    tiles = skymap.by_density[skymap.density[skymap.by_density] > 0]
    # Tiles that are finer than the pixels share one; the others are cut.
    per_tile = 4.0 ** np.clip(order - skymap.order[tiles], -4, None)
    tiles = tiles[: int(np.searchsorted(np.cumsum(per_tile), most, side="right")) + 1]
    shift = 2 * (order - skymap.order[tiles])
    found = [skymap.ipix[tiles[shift <= 0]] >> -shift[shift <= 0]]
    for step in np.unique(shift[shift > 0]).tolist():
        found.append(children(skymap.ipix[tiles[shift == step]], step // 2))
    return np.unique(np.concatenate(found))


def surrounding_order(radius: float, finest: int) -> int | None:
    """Return the order of pixels so wide that a circle around any point of one lies in it and its neighbours.

    `radius` is in degrees; None where no pixels are that wide.
    """
    found = int(log2(PIXEL_WIDTH_DEG / (2.2 * radius)) // 1)
    return min(found, finest) if found >= 1 else None


def pixels_around(order: int, around_order: int | None, ipix: Integers) -> Integers:
    """Return all pixels of one order in the pixels `ipix` of `around_order` and in their neighbours.

    The whole sky's where `around_order` is None.
    """
    if around_order is None:
        return np.arange(12 * 4**order)
    near = healpix.neighbours(np.full(ipix.size, around_order), ipix)
    every = np.unique(np.concatenate([ipix, near.ravel()]))
    return children(every[every >= 0], order - around_order)
