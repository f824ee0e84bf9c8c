"""The connected parts of a set of HEALPix tiles of several orders."""

from __future__ import annotations

import astropy_healpix as healpix
import numpy as np

from bot.skymaps.arrays import MAX_ORDER, Flags, Floats, Integers, first_pixel, tile_areas_deg2
from formatters.models.notice import Region

MAX_REGIONS = 100
"""The most probable are kept; the rest of a map that falls into more is crumbs."""

PEAK_PIXEL_ORDER = 6
"""Pixels of 0.84 deg², about a wide telescope's field: finer ones would follow the map's noise."""

MAX_ADJACENCY_TILES = 2**17
"""Tiles among which contacts are looked for; a region of a map in circulation has fewer than 80,000."""


def connected_regions(order: Integers, ipix: Integers, probability: Floats) -> tuple[Region, ...]:
    """Gather tiles that touch, also at a corner; the most probable region comes first.

    A region lies "near" the middle of its densest pixel of SPOT_ORDER: the mean direction of a crescent, or
    of two lobes joined by a bridge, lies where nobody should look.

    Orders, NESTED indices and probabilities of disjoint tiles, in order of their place on the nested curve.
    """
    if not order.size:
        return ()
    label = label_components(order, ipix)
    shares = np.bincount(label, probability)
    sizes = np.bincount(label, tile_areas_deg2(order))
    spot = _in_peak_pixel(order, ipix, probability, label)
    ra, dec = _mean_directions(order[spot], ipix[spot], probability[spot], label[spot])
    return tuple(
        Region(ra=float(ra[i]), dec=float(dec[i]), area=float(sizes[i]), probability=float(shares[i]))
        for i in np.argsort(-shares, kind="stable")[:MAX_REGIONS]
    )


def label_components(order: Integers, ipix: Integers) -> Integers:
    """Number the connected parts from 0 on, and return each tile's.

    Orders and NESTED indices of disjoint tiles, in order of their place on the nested curve.
    """
    merged_order, merged_ipix = _to_common_order(*merge_tiles(order, ipix))
    label = _connected_components(merged_order.size, *_adjacent_pairs(merged_order, merged_ipix))
    holder = (
        np.searchsorted(first_pixel(merged_order, merged_ipix), first_pixel(order, ipix), side="right") - 1
    )
    numbers: Integers = np.unique(label[holder], return_inverse=True)[1]
    return numbers


def _in_peak_pixel(order: Integers, ipix: Integers, probability: Floats, label: Integers) -> Flags:
    """Per tile, whether it lies in the pixel of SPOT_ORDER that holds most of its region's probability.

    Coarser tiles are pixels of their own, and compete by mean density.
    """
    pixels = 12 * 4**PEAK_PIXEL_ORDER
    pixel = first_pixel(order, ipix) >> 2 * (MAX_ORDER - PEAK_PIXEL_ORDER)
    spots, spot = np.unique(label * pixels + pixel, return_inverse=True)
    spot_order = np.empty(spots.size, np.int64)
    spot_order[spot] = np.minimum(order, PEAK_PIXEL_ORDER)
    density = np.bincount(spot, probability) * 4.0**spot_order
    region = spots // pixels
    ranking = np.lexsort((-density, region))
    first = ranking[np.searchsorted(region, np.arange(region[-1] + 1))]
    chosen: Flags = first[label] == spot
    return chosen


def _mean_directions(
    order: Integers, ipix: Integers, probability: Floats, label: Integers
) -> tuple[Floats, Floats]:
    """Return RA and Dec in degrees of the probability-weighted mean direction of each label's tiles."""
    lon, lat = healpix.healpix_to_lonlat(ipix, 2**order, order="nested")
    ra, dec = lon.value, lat.value
    x = np.bincount(label, probability * np.cos(dec) * np.cos(ra))
    y = np.bincount(label, probability * np.cos(dec) * np.sin(ra))
    z = np.bincount(label, probability * np.sin(dec))
    return np.degrees(np.arctan2(y, x)) % 360, np.degrees(np.arctan2(z, np.hypot(x, y)))


def merge_tiles(order: Integers, ipix: Integers) -> tuple[Integers, Integers]:
    """Replace four quarters by the tile they make, until none are left: only a region's rim stays fine."""
    while True:
        # In order of place nothing stands between four quarters, so those of all levels are found at once.
        head = np.flatnonzero((ipix[3:] - ipix[:-3] == 3) & (order[3:] == order[:-3]) & (ipix[:-3] & 3 == 0))
        level = order[head]
        head = head[(level > 0) & (order[head + 1] == level) & (order[head + 2] == level)]
        if not head.size:
            return order, ipix
        order, ipix = order.copy(), ipix.copy()
        order[head], ipix[head] = order[head] - 1, ipix[head] >> 2
        kept = np.ones(order.size, np.bool_)
        kept[(head[:, np.newaxis] + np.arange(1, 4)).ravel()] = False
        order, ipix = order[kept], ipix[kept]


def _to_common_order(order: Integers, ipix: Integers) -> tuple[Integers, Integers]:
    """Replace the finest tiles by those they lie in until MAX_JOINED are left.

    A map of a million crumbs is so joined a little too generously, in a tenth of a second instead of two.
    """
    if order.size <= MAX_ADJACENCY_TILES:
        return order, ipix
    start = first_pixel(order, ipix)
    low, high = 0, int(order.max())
    # The finest order at which few enough are left; what lies in one pixel of it stands together.
    while low < high:
        middle = (low + high + 1) // 2
        if np.count_nonzero(np.diff(start >> 2 * (MAX_ORDER - middle))) < MAX_ADJACENCY_TILES:
            low = middle
        else:
            high = middle - 1
    first = np.append(True, np.diff(start >> 2 * (MAX_ORDER - low)) != 0)
    order, ipix = order[first], ipix[first]
    shift = 2 * np.maximum(order - low, 0)
    return np.minimum(order, low), ipix >> shift


def _adjacent_pairs(order: Integers, ipix: Integers) -> tuple[Integers, Integers]:
    """Return pairs of tiles that touch, as indices; every contact at least once.

    A tile touches a tile of its own size or a larger one exactly if one of the pixels around it, of its
    own order, lies in the other; the finer tile of a pair finds the coarser.
    """
    start = first_pixel(order, ipix)
    stop = first_pixel(order, ipix + 1)
    # It computes with the -1 of a missing corner neighbour, and numpy would warn of that.
    with np.errstate(invalid="ignore"):
        around = np.asarray(healpix.neighbours(ipix, 2**order, order="nested"), np.int64)
    pixel = np.where(around >= 0, around << 2 * (MAX_ORDER - order), -1)
    place = np.searchsorted(start, pixel, side="right") - 1
    other = np.maximum(place, 0)
    touch = (place >= 0) & (pixel < stop[other]) & (order[other] <= order)
    tile = np.broadcast_to(np.arange(order.size), touch.shape)
    return tile[touch], other[touch]


def _connected_components(count: int, left: Integers, right: Integers) -> Integers:
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
