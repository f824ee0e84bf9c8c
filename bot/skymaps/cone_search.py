"""The probability of a sky map inside a cone."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import acos, cos, inf, pi, radians, sin, sqrt

import numpy as np

from bot.skymaps import healpix
from bot.skymaps.arrays import MAX_ORDER, Floats, Integers
from bot.skymaps.directions import unit_vector
from bot.skymaps.skymap import SkyMap

PIXELS_PER_RADIUS = 200
"""Pixels cut by the cone's edge are subdivided until this many fit into its radius."""

NEGLIGIBLE_PROBABILITY = 1e-9
"""Tiles, and pixels of _COARSE_ORDER, that hold less aren't subdivided: the thousands along an edge together
change nothing that is said."""

_COARSE_ORDER = 4
"""The order of the pixels by which most tiles are sorted into a cone or out: 3,072 of them, 3.7° wide."""
_COARSE_PIXELS = 12 * 4**_COARSE_ORDER
_ROUNDING = 1e-6
"""rad; more than the rounding error of any squared chord that is compared."""


def probability_in_cone(skymap: SkyMap, ra: float, dec: float, radius: float) -> float:
    """Return the part (0 to 1) of the probability within `radius` of a position, all in degrees (ICRS).

    Whoever asks for several cones of one map asks a `ConeSearch`, which says how exact the answer is.
    """
    return ConeSearch(skymap).probability_in_cone(ra, dec, radius)


class ConeSearch:
    """Measures the probability of one sky map inside cones.

    Tiles inside the cone count in full. Tiles on its edge are subdivided into ever finer pixels, and the last
    of them (a 200th of the radius wide) count if their centre is inside. The area is accurate to about 1e-4,
    and so is the probability, relative to that of the densest tile on the edge.
    """

    def __init__(self, skymap: SkyMap) -> None:
        """Sort the tiles of a map by pixels of _COARSE_ORDER, which serves every cone.

        What such a pixel surely is, inside or beyond, so are all tiles in it: the centres of most of a map's
        tiles are never computed.
        """
        self._skymap = skymap
        self._pixel: Integers = skymap.start >> 2 * (MAX_ORDER - _COARSE_ORDER)
        # Tiles that are coarser than these pixels make a pixel of their own, which is always near the edge.
        self._pixel[skymap.order < _COARSE_ORDER] = _COARSE_PIXELS
        self._held = np.bincount(self._pixel, skymap.probability, _COARSE_PIXELS + 1)
        self._total = float(skymap.probability.sum())

    def probability_in_cone(self, ra: float, dec: float, radius: float) -> float:
        """Return the part (0 to 1) of the probability within `radius` of a position, all in ICRS degrees."""
        limit = radians(radius)
        if limit >= pi:
            return 1.0
        axis = unit_vector(ra, dec)
        return self._probability_near(lambda vectors: _squared_distances(vectors, axis), limit)

    def probability_around_poles(self, ra: float, dec: float, radius: float) -> float:
        """Return the part (0 to 1) within `radius` (below 90) of a position or its antipode, ICRS degrees."""
        axis = unit_vector(ra, dec)

        def squared_distances(vectors: Floats) -> Floats:
            squared = _squared_distances(vectors, axis)
            return np.minimum(squared, 4 - squared)

        return self._probability_near(squared_distances, radians(radius))

    def _probability_near(self, squared_distances: Callable[[Floats], Floats], limit: float) -> float:
        """Return the part of the probability that lies less than `limit` (rad, below pi) from some axes.

        `squared_distances` returns the (n,) squared chords from (3, n) unit vectors to the nearest axis.
        """
        skymap = self._skymap
        probability = skymap.probability
        within_chord, cut_chord = _chords(limit)
        finest = int(np.argmax(limit / PIXELS_PER_RADIUS > PIXEL_RADII)) or MAX_ORDER
        inside, near = self._by_coarse_pixels(squared_distances, limit)
        near_order = skymap.order[near]
        squared = squared_distances(np.stack(healpix.centre_vectors(near_order, skymap.ipix[near])))
        within = squared <= within_chord[near_order]
        on_edge = (squared <= cut_chord[near_order]) & ~within
        cut, cut_order = near[on_edge], near_order[on_edge]
        # A tile on the edge that is as small as the finest pixels, or holds next to nothing, isn't
        # subdivided.
        small = (cut_order >= finest) | (probability[cut] < NEGLIGIBLE_PROBABILITY)
        centred = cut[small][squared[on_edge][small] <= _squared_chord(limit)]
        inside += float(probability[near[within]].sum()) + float(probability[centred].sum())
        tiles = cut[~small]
        order, ipix, held = int(skymap.order[tiles].min(initial=finest)), np.empty(0, np.int64), np.empty(0)
        # One pass over the orders: the pixels cut so far and the map's own tiles of that order, subdivided.
        while order < finest:
            own = tiles[skymap.order[tiles] == order]
            ipix = (np.concatenate([ipix, skymap.ipix[own]])[:, np.newaxis] * 4 + np.arange(4)).ravel()
            held = np.repeat(np.concatenate([held, probability[own]]) / 4, 4)
            order += 1
            squared = squared_distances(np.stack(healpix.centre_vectors(order, ipix)))
            counted = squared <= (_squared_chord(limit) if order == finest else within_chord[order])
            inside += float(held[counted].sum())
            cut_pixels = (squared <= cut_chord[order]) & ~counted
            ipix, held = ipix[cut_pixels], held[cut_pixels]
        return float(np.clip(inside / self._total, 0, 1))

    def _by_coarse_pixels(
        self, squared_distances: Callable[[Floats], Floats], limit: float
    ) -> tuple[float, Integers]:
        """Return what the pixels that lie within `limit` (rad) of the axes hold, and the tiles near the edge.

        The latter are indices in the map. All other tiles lie beyond.
        """
        # A tile's centre is at most a coarse pixel's radius from the pixel's, and its own radius is no
        # larger.
        reach = 2 * PIXEL_RADII[_COARSE_ORDER] + _ROUNDING
        squared = squared_distances(_coarse_centres())
        inner = _squared_chord(limit - reach) if limit > reach else -1.0
        outer = _squared_chord(limit + reach) if limit + reach < pi else inf
        held = self._held[:-1]
        # A pixel that holds next to nothing counts by its centre: most of a map's sky is such pixels.
        within = squared <= np.where(held < NEGLIGIBLE_PROBABILITY, _squared_chord(limit), inner)
        near = (held >= NEGLIGIBLE_PROBABILITY) & (squared <= outer) & ~within
        return float(held[within].sum()), np.flatnonzero(np.append(near, True)[self._pixel])


@cache
def _coarse_centres() -> Floats:
    """Return the (3, n) unit vectors to the centres of all pixels of _COARSE_ORDER."""
    return np.stack(healpix.centre_vectors(_COARSE_ORDER, np.arange(_COARSE_PIXELS)))


def probability_of_tiles_in_cone(skymap: SkyMap, ra: float, dec: float, radius: float) -> float:
    """Return the part (0 to 1) of the probability in tiles whose centre is in a cone, all in degrees (ICRS).

    It is quick, and off by at most what lies in the tiles on the cone's edge.
    """
    lon, lat = radians(ra), radians(dec)
    x, y, z = healpix.centre_vectors(skymap.order, skymap.ipix)
    cosine = cos(lat) * (cos(lon) * x + sin(lon) * y) + sin(lat) * z
    probability = skymap.probability
    return float(probability[cosine >= cos(radians(radius))].sum() / probability.sum())


def _squared_distances(vectors: Floats, axis: Floats) -> Floats:
    """Return the (n,) squared chords from (3, n) unit vectors to one.

    Chords are compared, not cosines, which are inexact for small angles.
    """
    x, y, z = vectors - axis[:, np.newaxis]
    return np.asarray(x * x + y * y + z * z, np.float64)


def _chords(limit: float) -> tuple[Floats, Floats]:
    """Return, by order, how far from a cone's axis a pixel's centre is at most if the pixel lies in the cone,
    and if the cone's edge may cut it; as squared chords.

    The cone's radius is at most pi rad; a pixel that is wider than the cone can't lie within.
    """
    reach = PIXEL_RADII
    within = np.where(limit >= reach, _squared_chords(limit - reach), -1.0)
    return within, _squared_chords(limit + reach)


def _squared_chords(angles: Floats) -> Floats:
    return np.asarray((2 * np.sin(np.minimum(angles, pi) / 2)) ** 2, np.float64)


def _squared_chord(angle: float) -> float:
    """Return the squared distance of two points of the unit sphere that are `angle` rad apart."""
    return (2 * sin(min(angle, pi) / 2)) ** 2


def _max_pixel_radius(order: int) -> float:
    """Return the largest angle in rad between the centre and a corner of any pixel of an order.

    It is `T_Healpix_Base::max_pixrad` of HEALPix C++: the pixel at z = 2/3, next to the polar cap, is
    longest.
    """
    nside = 2**order
    z = 2 / 3
    phi = pi / (4 * nside)
    corner_z = 1 - (1 - 1 / nside) ** 2 / 3
    flat = sqrt(1 - z * z) * sqrt(max(0.0, 1 - corner_z * corner_z)) * cos(phi)
    angle = acos(min(1.0, flat + z * corner_z))
    # acos loses precision for tiny pixels; there the radius scales with the pixel's width.
    return angle if order <= 12 else _max_pixel_radius(12) * 2.0 ** (12 - order)


PIXEL_RADII: Floats = np.array([_max_pixel_radius(order) for order in range(MAX_ORDER + 1)])
"""The largest angle from a pixel's centre to its corners, rad, by order."""
