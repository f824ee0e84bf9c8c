"""The connected parts of a set of HEALPix tiles of several orders."""

from __future__ import annotations

from math import pi

import astropy_healpix as healpix
import numpy as np
from numpy.typing import NDArray

from formatters.notice import Region

MAX_REGIONS = 100
"""The most probable are kept; the rest of a map that falls into more is crumbs."""

_MAX_ORDER = 29
_SQUARE_DEGREES = 4 * 180**2 / pi

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


def connected_regions(order: Integers, ipix: Integers, probability: Floats) -> tuple[Region, ...]:
    """Gather tiles (orders, NESTED indices, probabilities; disjoint) that touch, also at a corner.

    The most probable region comes first.
    """
    if not order.size:
        return ()
    _, label = np.unique(_components(order.size, *_contacts(order, ipix)), return_inverse=True)
    shares = np.bincount(label, probability)
    sizes = np.bincount(label, _SQUARE_DEGREES / 12 / 4.0**order)
    lon, lat = healpix.healpix_to_lonlat(ipix, 2**order, order="nested")
    ra, dec = lon.value, lat.value
    x = np.bincount(label, probability * np.cos(dec) * np.cos(ra))
    y = np.bincount(label, probability * np.cos(dec) * np.sin(ra))
    z = np.bincount(label, probability * np.sin(dec))
    centre_ra = np.degrees(np.arctan2(y, x)) % 360
    centre_dec = np.degrees(np.arctan2(z, np.hypot(x, y)))
    return tuple(
        Region(
            ra=float(centre_ra[i]),
            dec=float(centre_dec[i]),
            area=float(sizes[i]),
            probability=float(shares[i]),
        )
        for i in np.argsort(-shares, kind="stable")[:MAX_REGIONS]
    )


def _contacts(order: Integers, ipix: Integers) -> tuple[Integers, Integers]:
    """Return pairs of tiles that touch, as indices; every contact at least once.

    A tile touches a tile of its own size or a larger one exactly if one of the pixels around it, of its
    own order, lies in the other; the finer tile of a pair finds the coarser.
    """
    start = ipix << 2 * (_MAX_ORDER - order)
    stop = (ipix + 1) << 2 * (_MAX_ORDER - order)
    by_position = np.argsort(start)
    # It computes with the -1 of a missing corner neighbour, and numpy would warn of that.
    with np.errstate(invalid="ignore"):
        around = np.asarray(healpix.neighbours(ipix, 2**order, order="nested"), np.int64)
    pixel = np.where(around >= 0, around << 2 * (_MAX_ORDER - order), -1)
    place = np.searchsorted(start[by_position], pixel, side="right") - 1
    other = by_position[np.maximum(place, 0)]
    touch = (place >= 0) & (pixel < stop[other]) & (order[other] <= order)
    tile = np.broadcast_to(np.arange(order.size), touch.shape)
    return tile[touch], other[touch]


def _components(count: int, left: Integers, right: Integers) -> Integers:
    """Label `count` nodes so that two carry the same label exactly if edges connect them."""
    label = np.arange(count)
    while left.size:
        low, high = np.minimum(label[left], label[right]), np.maximum(label[left], label[right])
        np.minimum.at(label, high, low)
        while np.any(label != (shortened := label[label])):
            label = shortened
        apart = label[left] != label[right]
        left, right = left[apart], right[apart]
    return label
