"""Outlines of credible regions on a grid, and their transfer to the canvas."""

from __future__ import annotations

from collections.abc import Iterable

import contourpy
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def outlines(level: NDArray[np.float32], at: float) -> list[Floats]:
    """Return the closed outlines of a credible region on a grid, as (column, row) pairs of shape (points, 2).

    They run between pixels inside the region and pixels outside, and along the grid's edge where the region
    continues beyond it. `level` is 0 to 1; NaN pixels count as outside.
    """
    with np.errstate(invalid="ignore"):
        inside = level <= at
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not rows.size:
        return []
    top, left = int(rows[0]), int(columns[0])
    part = np.pad(inside[top : rows[-1] + 1, left : columns[-1] + 1], 1).astype(np.float32)
    found = contourpy.contour_generator(z=part, line_type=contourpy.LineType.Separate).lines(0.5)
    return [np.asarray(line) + np.array((left - 1, top - 1)) for line in found]


def grid_to_canvas(lines: Iterable[Floats], left: float, top: float, zoom: float = 1.0) -> list[Floats]:
    """Move lines from a grid, whose first pixel's centre is (0, 0), to canvas pixels."""
    return [(line + 0.5) * zoom + np.array((left, top)) for line in lines]
