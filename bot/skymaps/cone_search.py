"""The probability of a sky map inside a cone."""

from __future__ import annotations

from math import acos, cos, pi, radians, sin, sqrt

import astropy_healpix as healpix
import numpy as np

from bot.skymaps.arrays import MAX_ORDER, Floats, Integers
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
    axis = np.array([cos(lat) * cos(lon), cos(lat) * sin(lon), sin(lat)])
    total = float(skymap.probability.sum())
    inside = 0.0
    for order in np.unique(skymap.order):
        tiles = skymap.order == order
        inside += _probability_at_order(
            int(order), skymap.ipix[tiles], skymap.probability[tiles], axis, limit
        )
    return float(np.clip(inside / total, 0, 1))


def probability_of_tiles_in_cone(skymap: SkyMap, ra: float, dec: float, radius: float) -> float:
    """Return the part (0 to 1) of the probability in tiles whose centre is in a cone, all in degrees (ICRS).

    It is quick, and off by at most what lies in the tiles on the cone's edge.
    """
    lon, lat = radians(ra), radians(dec)
    x, y, z = healpix.healpix_to_xyz(skymap.ipix, 2**skymap.order, order="nested")
    cosine = cos(lat) * (cos(lon) * x + sin(lon) * y) + sin(lat) * z
    probability = skymap.probability
    return float(probability[cosine >= cos(radians(radius))].sum() / probability.sum())


def _probability_at_order(
    order: int,
    ipix: Integers,
    probability: Floats,
    axis: Floats,
    limit: float,
) -> float:
    """Return the probability inside the cone of pixels of one order, (n,) NESTED indices; `limit` in rad."""
    found = 0.0
    while ipix.size:
        distance = _separation(order, ipix, axis)
        reach = _max_pixel_radius(order)
        found += float(probability[distance + reach <= limit].sum())
        cut = (distance + reach > limit) & (distance - reach <= limit)
        if order == MAX_ORDER or reach < limit / PIXELS_PER_RADIUS:
            return found + float(probability[cut & (distance <= limit)].sum())
        ipix = (ipix[cut, np.newaxis] * 4 + np.arange(4)).ravel()
        probability = np.repeat(probability[cut] / 4, 4)
        order += 1
    return found


def _separation(order: int, ipix: Integers, axis: Floats) -> Floats:
    """Return the (n,) angles in rad between pixel centres and a unit vector, accurate for small ones too."""
    lon, lat = healpix.healpix_to_lonlat(ipix, 2**order, order="nested")
    lon, lat = lon.value, lat.value
    centres = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)
    angle: Floats = 2 * np.arcsin(np.clip(np.linalg.norm(centres - axis, axis=-1) / 2, 0, 1))
    return angle


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
