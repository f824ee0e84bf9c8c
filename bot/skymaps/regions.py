"""The connected regions of a set of HEALPix tiles of several orders.

Tiles are given by arrays of shape (n,): HEALPix order, NESTED index within the order, and probability. Tiles
must be disjoint and sorted along the NESTED curve.
"""

from __future__ import annotations

import numpy as np

from bot.skymaps import healpix
from bot.skymaps.arrays import MAX_ORDER, Flags, Floats, Integers, first_pixel, tile_areas_deg2
from formatters.models.notice import Region

MAX_REGIONS = 100
"""The most regions that are returned, the most probable ones; beyond, regions are negligible fragments."""

PEAK_PIXEL_ORDER = 6
"""The order of pixels of 0.84 deg², about a wide telescope's field; finer ones would follow noise."""

_BASE_TILE = 4**MAX_ORDER
"""Pixels of MAX_ORDER in a tile of order 0, which is a quarter of nothing."""

MAX_ADJACENCY_TILES = 2**17
"""The most tiles whose adjacency is computed exactly; a published map's region has fewer than 80,000."""


def connected_regions(order: Integers, ipix: Integers, probability: Floats) -> tuple[Region, ...]:
    """Group tiles that touch, at an edge or a corner, into regions, the most probable first.

    A region's position (ICRS degrees) is that of its densest pixel of PEAK_PIXEL_ORDER, because the mean
    direction of a crescent, or of two lobes joined by a bridge, lies outside the region.
    """
    if not order.size:
        return ()
    label = label_components(order, ipix)
    probabilities = np.bincount(label, probability)
    areas = np.bincount(label, tile_areas_deg2(order))
    peak = _in_peak_pixel(order, ipix, probability, label)
    ra, dec = _mean_directions(order[peak], ipix[peak], probability[peak], label[peak])
    return tuple(
        Region(ra=float(ra[i]), dec=float(dec[i]), area=float(areas[i]), probability=float(probabilities[i]))
        for i in np.argsort(-probabilities, kind="stable")[:MAX_REGIONS]
    )


def label_components(order: Integers, ipix: Integers) -> Integers:
    """Return the (n,) number of each tile's connected region, counted from 0."""
    merged_order, merged_ipix = _to_common_order(*merge_tiles(order, ipix))
    numbers = _number_components(merged_order, merged_ipix)
    # Merged tiles hold consecutive ones of these.
    first = np.searchsorted(first_pixel(order, ipix), first_pixel(merged_order, merged_ipix))
    return np.repeat(numbers, np.diff(first, append=order.size))


def count_components(order: Integers, ipix: Integers) -> int:
    """Return the number of connected regions that tiles make."""
    return int(_number_components(*_to_common_order(*merge_tiles(order, ipix))).max(initial=-1)) + 1


def _number_components(order: Integers, ipix: Integers) -> Integers:
    """Return the (n,) number of each merged tile's connected region, counted from 0."""
    label = _connected_components(order.size, *_adjacent_pairs(order, ipix))
    # A region's label is the index of its first tile.
    return (np.cumsum(label == np.arange(label.size)) - 1)[label]


def _in_peak_pixel(order: Integers, ipix: Integers, probability: Floats, label: Integers) -> Flags:
    """Return a mask of the tiles in the densest pixel of PEAK_PIXEL_ORDER of their region.

    Tiles coarser than that are pixels of their own, and are compared by their mean density.
    """
    pixels = 12 * 4**PEAK_PIXEL_ORDER
    pixel = first_pixel(order, ipix) >> 2 * (MAX_ORDER - PEAK_PIXEL_ORDER)
    spots, spot = _group(label * pixels + pixel)
    spot_order = np.empty(spots.size, np.int64)
    spot_order[spot] = np.minimum(order, PEAK_PIXEL_ORDER)
    density = np.bincount(spot, probability) * 4.0**spot_order
    region = spots // pixels
    ranking = np.lexsort((-density, region))
    first = ranking[np.searchsorted(region, np.arange(region[-1] + 1))]
    chosen: Flags = first[label] == spot
    return chosen


def _group(keys: Integers) -> tuple[Integers, Integers]:
    """Return the different keys in ascending order, and the (n,) place among them of each.

    It is `np.unique` with its inverse, faster for keys that come in runs, as along the curve.
    """
    ranking = np.argsort(keys, kind="stable")
    ranked = keys[ranking]
    first = np.append(True, ranked[1:] != ranked[:-1])
    place = np.empty_like(keys)
    place[ranking] = np.cumsum(first) - 1
    return ranked[first], place


def _mean_directions(
    order: Integers, ipix: Integers, probability: Floats, label: Integers
) -> tuple[Floats, Floats]:
    """Return RA and Dec in ICRS degrees of each region's probability-weighted mean direction."""
    x, y, z = (np.bincount(label, probability * axis) for axis in healpix.centre_vectors(order, ipix))
    return np.degrees(np.arctan2(y, x)) % 360, np.degrees(np.arctan2(z, np.hypot(x, y)))


def merge_tiles(order: Integers, ipix: Integers) -> tuple[Integers, Integers]:
    """Replace four tiles by the coarser tile that they fill, as often as possible: only edges stay fine."""
    # A tile as one number: twice its middle, in pixels of MAX_ORDER. The lowest bit set is the tile's size.
    middle = (2 * ipix + 1) << 2 * (MAX_ORDER - order)
    while True:
        size = middle & -middle
        # Four quarters of one tile, the first of which has the last two bits of its index clear, have middles
        # twice their size apart. In the order of the curve nothing is between them.
        quarter = size[:-3]
        apart = 6 * quarter
        head = np.flatnonzero((middle[3:] - middle[:-3] == apart) & (middle[:-3] & apart == 0))
        level = size[head]
        head = head[(level < _BASE_TILE) & (size[head + 1] == level) & (size[head + 2] == level)]
        if not head.size:
            # Sizes are powers of four, of which a float's exponent is exact.
            exponent = np.frexp(size.astype(np.float64))[1].astype(np.int64) - 1
            return MAX_ORDER - exponent // 2, middle >> exponent + 1
        middle[head] += 3 * size[head]
        kept = np.ones(middle.size, np.bool_)
        for following in (1, 2, 3):
            kept[head + following] = False
        middle = middle[kept]


def _to_common_order(order: Integers, ipix: Integers) -> tuple[Integers, Integers]:
    """Replace the finest tiles by the coarser ones that contain them, until MAX_ADJACENCY_TILES are left.

    Regions of a map of a million fragments may so be joined across a gap, in 0.1 s instead of 2 s.
    """
    if order.size <= MAX_ADJACENCY_TILES:
        return order, ipix
    start = first_pixel(order, ipix)
    low, high = 0, int(order.max())
    # Search for the finest order at which few enough are left; the tiles in one of its pixels are
    # consecutive.
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
    """Return the index pairs of tiles that touch, each pair at least once.

    A tile touches another of its own order or a coarser one exactly if one of its neighbours at its own order
    lies in the other; so the finer tile of a pair finds the coarser one.
    """
    start = first_pixel(order, ipix)
    stop = first_pixel(order, ipix + 1)
    around = healpix.neighbours(order, ipix)
    pixel = np.where(around >= 0, around << 2 * (MAX_ORDER - order), -1)
    place = np.searchsorted(start, pixel, side="right") - 1
    other = np.maximum(place, 0)
    touch = (place >= 0) & (pixel < stop[other]) & (order[other] <= order)
    tile = np.broadcast_to(np.arange(order.size), touch.shape)
    return tile[touch], other[touch]


def _connected_components(count: int, left: Integers, right: Integers) -> Integers:
    """Label the nodes 0 to `count` − 1 so that two have the same label exactly if edges connect them."""
    label = np.arange(count)
    while left.size:
        low, high = np.minimum(label[left], label[right]), np.maximum(label[left], label[right])
        np.minimum.at(label, high, low)
        while np.any(label != (shortened := label[label])):
            label = shortened
        apart = label[left] != label[right]
        left, right = left[apart], right[apart]
    return label
