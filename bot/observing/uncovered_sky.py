"""The probable sky that is in nobody's field, and its largest pieces."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from bot.observing.field_regions import SkyRegion, region_of_ranges
from bot.observing.pointing_pixels import ProbabilityCurve, order_of_width
from bot.skymaps import healpix
from bot.skymaps.arrays import MAX_ORDER, SKY_AREA_DEG2, Floats, Integers
from bot.skymaps.regions import label_components
from bot.skymaps.skymap import SkyMap, in_credible_region
from formatters.models.coverage import UncoveredPiece

LEVEL = 0.9
"""The credible region of which it is said what nobody has."""
MAX_PIECES = 5
_CELLS = 20_000
"""Cells into which the 90 % region is divided, about, to find its connected pieces."""
_MAX_CELL_ORDER = 14


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MapToCover:
    """A sky map, prepared for many questions."""

    curve: ProbabilityCurve
    credible: SkyRegion
    """Its 90 % region."""

    @classmethod
    def of(cls, skymap: SkyMap) -> MapToCover:
        """Prepare a map."""
        inside = in_credible_region(skymap, LEVEL)
        credible = region_of_ranges(skymap.start[inside], skymap.stop[inside])
        return cls(curve=ProbabilityCurve(skymap), credible=credible)


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncovered:
    """The part of a map that is in no field."""

    probability: float
    """Of the whole map, 0 to 1."""
    in_credible: float
    """Of the 90 % region."""
    area: float
    """That one's area in deg²."""
    pieces: tuple[UncoveredPiece, ...]


def find_uncovered(map_: MapToCover, covered: SkyRegion, probability: float) -> Uncovered:
    """Return the part of a map outside of a region; `probability` (0 to 1) is the whole map's there."""
    left = map_.credible.without(covered)
    return Uncovered(
        probability=float(np.clip(probability, 0, 1)),
        in_credible=left.probability(map_.curve),
        area=left.area,
        pieces=_pieces(left, map_),
    )


def _pieces(left: SkyRegion, map_: MapToCover) -> tuple[UncoveredPiece, ...]:
    """Return the largest connected parts of a region, by cells of which at least half lies in it.

    Slivers between fields are no pieces, though they belong to the sum.
    """
    if left.is_empty:
        return ()
    order = min(max(order_of_width(sqrt(map_.credible.area / _CELLS)), 5), _MAX_CELL_ORDER)
    shift = 2 * (MAX_ORDER - order)
    first, last = left.start >> shift, (left.stop - 1) >> shift
    count = last - first + 1
    begin = np.cumsum(count) - count
    cells = np.unique(np.arange(int(count.sum())) - np.repeat(begin - first, count))
    probability, size = _in_cells(left, cells, shift, map_.curve)
    kept = size >= 0.5
    cells, probability, size = cells[kept], probability[kept], size[kept]
    if not cells.size:
        return ()
    label = label_components(np.full(cells.size, order), cells)
    shares, sizes = np.bincount(label, probability), np.bincount(label, size)
    cell_area = SKY_AREA_DEG2 / 12 / 4**order
    pieces = []
    for piece in np.argsort(-shares, kind="stable")[:MAX_PIECES].tolist():
        members = np.flatnonzero(label == piece)
        densest = members[np.argmax(probability[members] / size[members])]
        ra, dec = healpix.centres(order, cells[densest])
        pieces.append(
            UncoveredPiece(
                ra=float(ra),
                dec=float(dec),
                probability=float(shares[piece]),
                area=float(sizes[piece]) * cell_area,
            )
        )
    return tuple(pieces)


def _in_cells(
    region: SkyRegion, cells: Integers, shift: int, curve: ProbabilityCurve
) -> tuple[Floats, Floats]:
    """Return the probability of a region in each cell, and the part (0 to 1) of the cell that it is."""
    before = np.concatenate([[0.0], np.cumsum(curve.until(region.stop) - curve.until(region.start))])
    length = (region.stop - region.start).astype(np.float64)
    length_before = np.concatenate([[0.0], np.cumsum(length)])

    def until(place: Integers) -> tuple[Floats, Floats]:
        at = np.maximum(np.searchsorted(region.start, place, side="right") - 1, 0)
        inside = np.clip(place, region.start[at], region.stop[at])
        probability = before[at] + curve.until(inside) - curve.until(region.start[at])
        return probability, length_before[at] + (inside - region.start[at]).astype(np.float64)

    (low, low_length), (high, high_length) = until(cells << shift), until((cells + 1) << shift)
    return np.maximum(high - low, 0), (high_length - low_length) / float(1 << shift)
