"""A credible region as a coverage map (MOC), for Aladin and everybody else who reads IVOA's standard.

https://www.ivoa.net/documents/MOC/20220727/REC-moc-2.0-20220727.pdf; here in ASCII, "4/12,15-17 5/300".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bot.skymaps.arrays import Integers, first_pixel, tile_areas_deg2
from bot.skymaps.regions import merge_tiles
from bot.skymaps.skymap import SkyMap, in_credible_region


@dataclass(frozen=True, slots=True, eq=False)
class Moc:
    """Disjoint HEALPix cells in order of their place on the nested curve; no four make a larger one."""

    order: Integers
    ipix: Integers
    """NESTED index within the order."""

    @property
    def area(self) -> float:
        """deg²."""
        return float(tile_areas_deg2(self.order).sum())

    @property
    def max_order(self) -> int:
        """The largest order of a cell."""
        return int(self.order.max())

    def degrade_to_order(self, order: int) -> Moc:
        """Return the cells of this order or larger ones that hold all of it: the area grows at the rim."""
        shift = 2 * np.maximum(self.order - order, 0)
        # Cells are disjoint, so what holds a fine one lies in no other; it may hold several.
        cells = np.unique(np.stack([np.minimum(self.order, order), self.ipix >> shift]), axis=1)
        place = np.argsort(first_pixel(cells[0], cells[1]))
        return Moc(*merge_tiles(cells[0][place], cells[1][place]))

    def to_ascii(self) -> str:
        """Write it as ASCII, ranges of neighbours joined."""
        return " ".join(
            f"{order}/{','.join(_format_ranges(np.sort(self.ipix[self.order == order])))}"
            for order in np.unique(self.order).tolist()
        )


def credible_moc(skymap: SkyMap, level: float) -> Moc:
    """Return the credible region of this level (0 to 1): the densest tiles that hold at least so much."""
    part = skymap.by_position[in_credible_region(skymap, level)[skymap.by_position]]
    return Moc(*merge_tiles(skymap.order[part], skymap.ipix[part]))


def _format_ranges(ipix: Integers) -> list[str]:
    breaks = np.flatnonzero(np.diff(ipix) > 1)
    first = ipix[np.concatenate(([0], breaks + 1))].tolist()
    last = ipix[np.concatenate((breaks, [ipix.size - 1]))].tolist()
    return [f"{a}" if a == b else f"{a}-{b}" for a, b in zip(first, last, strict=True)]
