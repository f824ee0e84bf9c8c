"""The probability of a sky map inside a cone."""

from __future__ import annotations

from math import acos, cos, pi, radians, sin, sqrt

import numpy as np

from bot.skymaps import healpix
from bot.skymaps.arrays import MAX_ORDER, Flags, Integers
from bot.skymaps.skymap import SkyMap

PIXELS_PER_RADIUS = 200
"""Pixels cut by the cone's edge are subdivided until this many fit into its radius."""


def probability_in_cone(skymap: SkyMap, ra: float, dec: float, radius: float) -> float:
    """Return the part (0 to 1) of the probability within `radius` of a position, all in degrees (ICRS).

    Tiles inside the cone count in full. Tiles on its edge are subdivided into ever finer pixels, and the last
    of them (a 200th of the radius wide) count if their centre is inside. The area is accurate to about 1e-4,
    and so is the probability, relative to that of the densest tile on the edge.
    """
    limit = radians(radius)
    if limit >= pi:
        return 1.0
    lon, lat = radians(ra), radians(dec)
    axis = cos(lat) * cos(lon), cos(lat) * sin(lon), sin(lat)
    tiles = {int(order): skymap.order == order for order in np.unique(skymap.order)}
    inside = 0.0
    order, ipix, probability = min(tiles), np.empty(0, np.int64), np.empty(0)
    # One pass over the orders: the pixels cut so far, subdivided, and the map's own tiles of that order.
    while ipix.size or order <= max(tiles):
        if (own := tiles.get(order)) is not None:
            ipix = np.concatenate([ipix, skymap.ipix[own]])
            probability = np.concatenate([probability, skymap.probability[own]])
        within, cut, centred = _position_of_pixels(order, ipix, axis, limit)
        inside += float(probability[within].sum())
        if order == MAX_ORDER or _max_pixel_radius(order) < limit / PIXELS_PER_RADIUS:
            inside += float(probability[cut & centred].sum())
            cut = np.zeros_like(cut)
        ipix = (ipix[cut, np.newaxis] * 4 + np.arange(4)).ravel()
        probability = np.repeat(probability[cut] / 4, 4)
        order += 1
    return float(np.clip(inside / float(skymap.probability.sum()), 0, 1))


def probability_of_tiles_in_cone(skymap: SkyMap, ra: float, dec: float, radius: float) -> float:
    """Return the part (0 to 1) of the probability in tiles whose centre is in a cone, all in degrees (ICRS).

    It is quick, and off by at most what lies in the tiles on the cone's edge.
    """
    lon, lat = radians(ra), radians(dec)
    x, y, z = healpix.centre_vectors(skymap.order, skymap.ipix)
    cosine = cos(lat) * (cos(lon) * x + sin(lon) * y) + sin(lat) * z
    probability = skymap.probability
    return float(probability[cosine >= cos(radians(radius))].sum() / probability.sum())


def _position_of_pixels(
    order: int, ipix: Integers, axis: tuple[float, float, float], limit: float
) -> tuple[Flags, Flags, Flags]:
    """Return which pixels of one order lie within a cone, which its edge may cut, whose centre is inside.

    The pixels are (n,) NESTED indices, the cone a unit vector and a radius of at most pi rad. Chords are
    compared, not cosines, which are inexact for small angles.
    """
    x, y, z = healpix.centre_vectors(order, ipix)
    squared = (x - axis[0]) ** 2 + (y - axis[1]) ** 2 + (z - axis[2]) ** 2
    reach = _max_pixel_radius(order)
    within = squared <= _squared_chord(limit - reach) if limit >= reach else np.zeros(squared.shape, np.bool_)
    return within, ~within & (squared <= _squared_chord(limit + reach)), squared <= _squared_chord(limit)


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
