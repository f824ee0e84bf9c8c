"""Outlines of credible regions on a grid, and their transfer to the canvas."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil, sqrt

import contourpy
import numpy as np
from numpy.typing import NDArray

from formatters.skymap_image.models import Grid

Floats = NDArray[np.float64]
Masks = NDArray[np.float32]

_SMOOTHING = 0.45
"""Standard deviation of the smoothing in widths of a tile: enough to round a corner, and less than a tile."""
_MIN_SIGMA = 0.8
"""The same in pixels, for the steps of the pixels themselves."""
_MAX_SIGMA = 12.0


def outlines(level: NDArray[np.float32], at: float, tile_pixels: float = 0.0) -> list[Floats]:
    """Return the closed outlines of a credible region on a grid, as (column, row) pairs of shape (points, 2).

    They run between pixels inside the region and pixels outside, and along the grid's edge where the region
    continues beyond it. `level` is 0 to 1; NaN pixels count as outside. Corners of tiles that are
    `tile_pixels` wide are rounded, without a change of the area inside.
    """
    with np.errstate(invalid="ignore"):
        inside = level <= at
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not rows.size:
        return []
    sigma = min(max(_SMOOTHING * tile_pixels, _MIN_SIGMA), _MAX_SIGMA)
    margin = ceil(2 * sigma) + 1
    top, left = max(int(rows[0]) - margin, 0), max(int(columns[0]) - margin, 0)
    bottom, right = int(rows[-1]) + margin + 1, int(columns[-1]) + margin + 1
    part = np.s_[top:bottom, left:right]
    valid = np.isfinite(level[part])
    at_edge = not (top and left and bottom < level.shape[0] and right < level.shape[1] and valid.all())
    field, threshold = _smooth(inside[part], valid if at_edge else None, sigma)
    found = contourpy.contour_generator(z=np.pad(field, 1), line_type=contourpy.LineType.Separate).lines(
        threshold
    )
    return [np.asarray(line) + np.array((left - 1, top - 1)) for line in found]


def grid_outlines(grid: Grid, level: float) -> list[Floats]:
    """Return the outlines of a grid's credible region, smoothed as its tiles need it."""
    return outlines(grid.credible_level, level, grid.tile_pixels.get(level, 0.0))


def _smooth(inside: NDArray[np.bool_], valid: NDArray[np.bool_] | None, sigma: float) -> tuple[Masks, float]:
    """Return a smoothed mask, and the threshold above which it has as many pixels as the mask.

    `valid` is a mask of what is on the sky and the grid, None if all is.
    """
    field = _blur(inside.astype(np.float32), sigma)
    if valid is not None:
        # What is off the sky or beyond the grid doesn't pull the outline inwards.
        field /= np.maximum(_blur(valid.astype(np.float32), sigma), 1e-6)
        field[~valid] = 0
    pixels, count = field.ravel(), int(np.count_nonzero(inside))
    if count >= pixels.size:
        return field, 0.5
    ranked = np.partition(pixels, (pixels.size - count - 1, pixels.size - count))
    threshold = float(ranked[pixels.size - count] + ranked[pixels.size - count - 1]) / 2
    # A contour at 0 would follow the padding, one at the maximum would be empty.
    return field, min(max(threshold, 1e-3), float(pixels.max()) * 0.999)


def _blur(field: Masks, sigma: float) -> Masks:
    """Convolve with three boxes, together nearly a Gaussian of this standard deviation in pixels."""
    width = sqrt(4 * sigma * sigma + 1)
    for axis in (0, 1):
        for _ in range(3):
            field = _box(field, width, axis)
    return field


def _box(field: Masks, width: float, axis: int) -> Masks:
    """Return the sum over a box of `width` ≥ 1 pixels, of which the outermost count in part; 0 beyond."""
    half = int((width - 1) / 2)
    rest = (width - 1) / 2 - half
    edges = [(0, 0), (0, 0)]
    edges[axis] = (half + 2, half + 1)
    total = np.cumsum(np.pad(field, edges), axis=axis, dtype=np.float32)
    size = field.shape[axis]

    def part(start: int) -> Masks:
        window: Masks = total[start : start + size] if axis == 0 else total[:, start : start + size]
        return window

    inner = part(2 * half + 2) - part(1)
    outer = part(2 * half + 3) - part(0)
    blurred: Masks = (inner + np.float32(rest) * (outer - inner)) / np.float32(width)
    return blurred


def grid_to_canvas(lines: Iterable[Floats], left: float, top: float, zoom: float = 1.0) -> list[Floats]:
    """Move lines from a grid, whose first pixel's centre is (0, 0), to canvas pixels."""
    return [(line + 0.5) * zoom + np.array((left, top)) for line in lines]
