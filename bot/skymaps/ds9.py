"""A credible region as a region file of SAOImage DS9 (ds9.si.edu/doc/ref/region.html)."""

from __future__ import annotations

import astropy_healpix as healpix
import numpy as np

from bot.skymaps.moc import Moc

_DECIMALS = 3
"""Of a degree: 3.6", below the size of any cell that a message has room for."""


def ds9_region(moc: Moc) -> str:
    """Return the cells of a region as polygons in ICRS degrees, one per line; DS9 shows them as one area.

    A cell's edges are drawn as great circles between its corners, as DS9 does.
    """
    lines = ["# Region file format: DS9", "icrs"]
    for order in np.unique(moc.order).tolist():
        cells = np.sort(moc.ipix[moc.order == order])
        lon, lat = healpix.boundaries_lonlat(cells, 1, 2**order, order="nested")
        for ra, dec in zip(lon.deg, lat.deg, strict=True):
            corners = (f"{a % 360:.{_DECIMALS}f},{d:.{_DECIMALS}f}" for a, d in zip(ra, dec, strict=True))
            lines.append(f"polygon({','.join(corners)})")
    return "\n".join(lines)
