"""A credible region as the polygons of a DS9 region file, one for each cell of its coverage map.

The format is https://ds9.si.edu/doc/ref/region.html. Cells are written one by one, not as outlines, because a
DS9 polygon has no holes, and the outline of a ring doesn't say which side is inside.
"""

from __future__ import annotations

import numpy as np

from bot.skymaps import healpix
from bot.skymaps.moc import Moc

_POINTS_PER_EDGE = {0: 8, 1: 4, 2: 4, 3: 2}
"""Points on each edge of a coarse cell, by order, because DS9 draws straight lines; finer cells have one."""


def polygon_lines(moc: Moc) -> list[str]:
    """Return a line such as "polygon(120.12,-30.50,…)" for each cell: corners in ICRS degrees, in order.

    Coordinates have the decimals that a hundredth of the cell's width needs.
    """
    lines: list[str] = []
    for order in np.unique(moc.order).tolist():
        ipix = np.sort(moc.ipix[moc.order == order])
        lon, lat = healpix.boundaries(order, ipix, _POINTS_PER_EDGE.get(order, 1))
        decimals = max(1, round(0.3 * order))
        for ra, dec in zip(lon.tolist(), lat.tolist(), strict=True):
            corners = ",".join(
                f"{x % 360:.{decimals}f},{y:.{decimals}f}" for x, y in zip(ra, dec, strict=True)
            )
            lines.append(f"polygon({corners})")
    return lines
