"""Distances of positions from a credible region, and how much of the sky lies within an angle of it.

A circle of radius r overlaps a region exactly if its centre lies within r of it. So the part of the sky
within r of a region is the probability that a circle of that radius, placed at random, overlaps it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import asin, ceil, degrees, log2, pi, radians, sqrt

import numpy as np

from bot.skymaps import healpix
from bot.skymaps.arrays import MAX_ORDER, SKY_AREA_DEG2, Flags, Floats, Integers
from bot.skymaps.cone_search import PIXEL_RADII
from bot.skymaps.directions import unit_vector
from bot.skymaps.skymap import SkyMap, in_credible_region

_MAX_REGION_PIXELS = 40_000
"""The region is laid out in pixels of the finest order at which it has at most so many."""
_MAX_EDGE_PIXELS = 5_000
_MIN_ORDER = 5
_MAX_SKY_ORDER = 13
_FIRST_SKY_ORDER = 2
_PIXELS_ACROSS = 75
"""Pixels, of the last subdivision of the sky, across a square as large as what is measured."""
_MAX_ARC_ORDER = 8
_CHUNK = 2**21
"""Distances that are computed at once: 16 MB."""


@dataclass(frozen=True, slots=True, eq=False)
class PixelRegion:
    """A region of the sky as pixels of one HEALPix order; its edge is exact to about half a pixel."""

    order: int
    pixels: Integers
    """(n,) NESTED indices, ascending."""
    edge: Floats
    """(3, m) unit vectors to the centres of the pixels at the region's edge."""
    area: float
    """deg²."""

    @staticmethod
    def from_skymap(skymap: SkyMap, level: float) -> PixelRegion:
        """Lay out the credible region of a map at a level (0 to 1)."""
        part = in_credible_region(skymap, level)
        tile_order, ipix = skymap.order[part], skymap.ipix[part]
        area = float(skymap.area[part].sum())
        # The sky has 12 · 4^order pixels.
        finest = int(log2(_MAX_REGION_PIXELS / 12 * 4 * pi / area) / 2) if area > 0 else MAX_ORDER
        order = max(_MIN_ORDER, min(finest, int(tile_order.max())))
        pixels = _pixels_of(tile_order, ipix, order)
        edge = _edge_vectors(order, pixels)
        while edge.shape[1] > _MAX_EDGE_PIXELS and order > _MIN_ORDER:
            # A region of thousands of fragments: distances to each of them would take seconds.
            order -= 1
            pixels = _pixels_of(tile_order, ipix, order)
            edge = _edge_vectors(order, pixels)
        return PixelRegion(order, pixels, edge, pixels.size * SKY_AREA_DEG2 / 12 / 4.0**order)

    def distance(self, ra: float, dec: float) -> float:
        """Return the distance in degrees of a position (ICRS degrees) from the region, 0 inside it."""
        vector = unit_vector(ra, dec)[:, np.newaxis]
        inside = self._contains(np.asarray(healpix.finest_pixels([ra], [dec])))
        return max(0.0, degrees(float(self._signed_distances(vector, inside)[0])))

    def overlaps(self, other: PixelRegion) -> bool:
        """Return True if the regions share a pixel, or part of one."""
        shift, other_shift = 2 * (MAX_ORDER - self.order), 2 * (MAX_ORDER - other.order)
        starts, stops = self.pixels << shift, (self.pixels + 1) << shift
        first = np.searchsorted(stops, other.pixels << other_shift, side="right")
        reaches = starts[np.minimum(first, starts.size - 1)] < (other.pixels + 1) << other_shift
        return bool(np.any((first < starts.size) & reaches))

    def sky_share_within(self, radius: float) -> float:
        """Return the part (0 to 1) of the sky that lies in the region or within `radius` degrees of it."""
        limit = radians(radius)
        if limit >= pi:
            return 1.0
        side = sqrt(min(self.area + pi * radius**2, SKY_AREA_DEG2)) / _PIXELS_ACROSS
        wanted = min(_MAX_SKY_ORDER, ceil(log2(sqrt(SKY_AREA_DEG2 / 12) / side)))
        # Of a wide region of thin arcs the edge is long: it needs pixels as fine as its own.
        last = max(_MIN_ORDER, wanted, min(self.order + 1, _MAX_ARC_ORDER))
        share, ipix = 0.0, np.arange(12 * 4**_FIRST_SKY_ORDER, dtype=np.int64)
        # Whole pixels count as soon as they are surely within; those on the edge are subdivided.
        for order in range(_FIRST_SKY_ORDER, last + 1):
            vectors = np.stack(healpix.centre_vectors(order, ipix))
            inside = self._contains(healpix.finest_pixels(*healpix.centres(order, ipix)))
            distance = self._signed_distances(vectors, inside)
            reach = PIXEL_RADII[order]
            within = distance <= (limit if order == last else limit - reach)
            share += np.count_nonzero(within) / (12 * 4**order)
            ipix = ipix[(distance <= limit + reach) & ~within]
            ipix = (ipix[:, np.newaxis] * 4 + np.arange(4)).ravel()
        return float(min(share, 1.0))

    def _contains(self, finest: Integers) -> Flags:
        pixel = finest >> 2 * (MAX_ORDER - self.order)
        place = np.minimum(np.searchsorted(self.pixels, pixel), self.pixels.size - 1)
        held: Flags = self.pixels[place] == pixel
        return held

    def _signed_distances(self, vectors: Floats, inside: Flags) -> Floats:
        """Return the (n,) angles in rad from (3, n) unit vectors to the region's edge, negative inside."""
        if not self.edge.size:
            # The whole sky: it has no edge.
            return np.full(vectors.shape[1], -pi)
        nearest = np.empty(vectors.shape[1])
        step = max(1, _CHUNK // self.edge.shape[1])
        for first in range(0, nearest.size, step):
            cosine = vectors[:, first : first + step].T @ self.edge
            nearest[first : first + step] = cosine.max(axis=1)
        # The chord is exact for small angles where the arccosine isn't, down to 1e-8 rad.
        angle = 2 * np.arcsin(np.sqrt(np.clip((1 - nearest) / 2, 0, 1)))
        # Centres of the edge's pixels lie half a pixel inside the edge.
        half = sqrt(4 * pi / 12) / 2**self.order / 2
        signed: Floats = np.where(inside, -angle - half, np.maximum(angle - half, 0))
        return signed


def circle_of_area(area: float) -> float:
    """Return the radius in degrees of the circle on the sphere that has this area in deg²."""
    share = min(max(area / SKY_AREA_DEG2, 0.0), 1.0)
    return degrees(2 * asin(sqrt(share)))


def _pixels_of(tile_order: Integers, ipix: Integers, order: int) -> Integers:
    """Return the pixels of one order that tiles of several orders fill at least half; at least one."""
    filled: list[Integers] = []
    coarse = tile_order <= order
    for level in np.unique(tile_order[coarse]).tolist():
        own = ipix[coarse & (tile_order == level)]
        parts = np.arange(4 ** (order - level), dtype=np.int64)
        filled.append((own[:, np.newaxis] * parts.size + parts).ravel())
    shift = 2 * (tile_order[~coarse] - order)
    parents, parent = np.unique(ipix[~coarse] >> shift, return_inverse=True)
    share = np.bincount(parent, 0.25 ** (tile_order[~coarse] - order), minlength=parents.size)
    half = parents[share >= 0.5]
    if not filled and not half.size:
        half = parents
    return np.unique(np.concatenate([*filled, half]))


def _edge_vectors(order: int, pixels: Integers) -> Floats:
    around = healpix.neighbours(np.full(pixels.size, order), pixels)
    place = np.minimum(np.searchsorted(pixels, around), pixels.size - 1)
    # A missing eighth neighbour (−1) is no edge.
    surrounded = np.all((pixels[place] == around) | (around < 0), axis=0)
    edge = pixels[~surrounded]
    if not edge.size:
        return np.empty((3, 0))
    return np.stack(healpix.centre_vectors(np.full(edge.size, order), edge))
