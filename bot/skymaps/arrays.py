"""Names for the arrays of a sky map, and the constants of the HEALPix grid."""

from __future__ import annotations

from math import pi

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

MAX_ORDER = 29
"""The finest HEALPix order that a 64-bit index can hold; one pixel is 0.4 milliarcseconds wide."""

DEG2_PER_SR = (180 / pi) ** 2
"""Square degrees in a steradian."""

SKY_AREA_DEG2 = 4 * pi * DEG2_PER_SR
"""The area of the whole sky in square degrees."""

_TILE_AREAS_DEG2 = np.asarray(SKY_AREA_DEG2 / 12 / 4.0 ** np.arange(MAX_ORDER + 1), np.float64)
"""The area of a tile of each order, deg²."""


def tile_areas_deg2(order: Integers) -> Floats:
    """Return the area in deg² of HEALPix tiles of these orders: the sky has 12 · 4^order of them."""
    return _TILE_AREAS_DEG2[order]


def first_pixel(order: Integers, ipix: Integers) -> Integers:
    """Return the first pixel at order MAX_ORDER of tiles given by order and NESTED index."""
    return ipix << 2 * (MAX_ORDER - order)


def argsort_descending(values: Floats) -> Integers:
    """Return the indices that sort values in descending order, those of equal values in ascending order.

    It is argsort(kind="stable") of the negated values in a third of the time: numpy sorts faster where the
    order of equals doesn't matter, and equals are put in order afterwards, as integers that all differ.
    """
    ranking = np.argsort(-values)
    ordered = values[ranking]
    differs = ordered[1:] != ordered[:-1]
    if differs.all():
        return ranking
    offset = np.concatenate(([0], np.cumsum(differs))) * values.size
    return np.asarray(np.sort(ranking + offset) - offset, np.int64)
