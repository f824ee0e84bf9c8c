"""A credible region as a Multi-Order Coverage map (MOC), IVOA's standard, which Aladin and others read.

The standard is https://www.ivoa.net/documents/MOC/20220727/REC-moc-2.0-20220727.pdf; maps are written in its
ASCII form, such as "4/12 15-17 5/300". It is written here and not taken from mocpy, whose compiled
dependencies outweigh these 60 lines; the tests compare the two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bot.skymaps.arrays import Integers, first_pixel, tile_areas_deg2
from bot.skymaps.regions import merge_tiles
from bot.skymaps.skymap import SkyMap, in_credible_region


@dataclass(frozen=True, slots=True, eq=False)
class Moc:
    """Disjoint HEALPix cells in the order of the NESTED curve, of which no four make a larger cell."""

    order: Integers
    """HEALPix order of each cell, 0 to 29; shape (n,)."""
    ipix: Integers
    """NESTED index of each cell within its order; shape (n,)."""

    @property
    def area(self) -> float:
        """Return the area in deg²."""
        return float(tile_areas_deg2(self.order).sum())

    @property
    def max_order(self) -> int:
        """Return the order of the smallest cell."""
        return int(self.order.max())

    def degrade_to_order(self, order: int) -> Moc:
        """Return the smallest MOC of cells of at most this order that covers this one."""
        shift = 2 * np.maximum(self.order - order, 0)
        # A coarse cell may replace several fine ones, hence `unique`; it can't overlap cells that were kept.
        cells = np.unique(np.stack([np.minimum(self.order, order), self.ipix >> shift]), axis=1)
        place = np.argsort(first_pixel(cells[0], cells[1]))
        return Moc(*merge_tiles(cells[0][place], cells[1][place]))

    def to_ascii(self) -> str:
        """Return the MOC in IVOA's ASCII form, with consecutive indices joined to ranges."""
        return " ".join(
            f"{order}/{' '.join(_format_ranges(np.sort(self.ipix[self.order == order])))}"
            for order in np.unique(self.order).tolist()
        )


def credible_moc(skymap: SkyMap, level: float) -> Moc:
    """Return the credible region of a level (0 to 1): the densest tiles that together hold at least that."""
    part = skymap.by_position[in_credible_region(skymap, level)[skymap.by_position]]
    return Moc(*merge_tiles(skymap.order[part], skymap.ipix[part]))


def _format_ranges(ipix: Integers) -> list[str]:
    breaks = np.flatnonzero(np.diff(ipix) > 1)
    first = ipix[np.concatenate(([0], breaks + 1))].tolist()
    last = ipix[np.concatenate((breaks, [ipix.size - 1]))].tolist()
    return [f"{a}" if a == b else f"{a}-{b}" for a, b in zip(first, last, strict=True)]
