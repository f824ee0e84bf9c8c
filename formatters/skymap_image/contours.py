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

_SMOOTHING = 0.6
"""Standard deviation of the smoothing in widths of a tile: enough to round a corner, and less than a tile."""
_MIN_SIGMA = 0.8
"""The same in pixels, for the steps of the pixels themselves."""
_MAX_SIGMA = 12.0
_BINNED_SIGMA = 1.5
"""Pixels are binned before they are smoothed as long as the standard deviation is this many bins."""
_MIN_BINS = 300
"""The fewest bins inside a region: with fewer, its area would be coarse."""
_BLOCK = 8
_AREA_TOLERANCE = 0.01
_MAX_TRIES = 3
"""Contours are drawn again while the area inside isn't the region's within the tolerance."""
_BLENDED = 0.7
"""Smoothing for fine tiles over that for coarse ones, below which both are blended."""


def grid_outlines(grid: Grid, at: float) -> list[Floats]:
    """Return the closed outlines of a credible region on a grid, as (column, row) pairs of shape (points, 2).

    They run between pixels inside the region and pixels outside, and along the grid's edge where the region
    continues beyond it. `at` is 0 to 1; pixels without data count as outside. Corners of tiles are rounded
    without a change of the area inside, as far as the grid says how wide its tiles are.
    """
    with np.errstate(invalid="ignore"):
        inside = (grid.tile_level <= at)[grid.tiles]
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not rows.size:
        return []
    fine, coarse = _edge_widths(inside, grid)
    sigma = _sigma(coarse)
    margin = ceil(2 * sigma) + 1
    top, left = max(int(rows[0]) - margin, 0), max(int(columns[0]) - margin, 0)
    part = np.s_[top : int(rows[-1]) + margin + 1, left : int(columns[-1]) + margin + 1]
    mask, valid = inside[part], np.isfinite(grid.tile_level)[grid.tiles[part]]
    count = int(np.count_nonzero(mask))
    spread = mask if valid.all() else _extended(mask, valid)
    if grid.tile_width is not None and _sigma(fine) < _BLENDED * sigma:
        # The blur that coarse tiles need would swallow what fine ones show.
        of_tiles = np.clip((np.nan_to_num(grid.tile_width) - fine) / (coarse - fine), 0, 1).astype(np.float32)
        share = of_tiles[grid.tiles[part]]
        bins, field = 1, share * _blur(spread, sigma) + (1 - share) * _blur(spread, _sigma(fine))
    else:
        bins = max(1, min(int(sigma / _BINNED_SIGMA), int(sqrt(count / _MIN_BINS))))
        field = _blur(_binned(spread, bins), sigma / bins)
        valid = _binned(valid, bins) > 0.5
    field[~valid] = 0
    threshold, lines = _lines_around(field, count / bins**2)
    found = [(line - 0.5) * bins - 0.5 for line in lines]
    found += _lost_pieces(mask, (field > threshold).repeat(bins, axis=0).repeat(bins, axis=1))
    return [line + np.array((left, top)) for line in found]


def _lines_around(field: Masks, area: float) -> tuple[float, list[Floats]]:
    """Return the level at which a smoothed mask's contours enclose an area in pixels, and the contours.

    Their coordinates count from −1.
    """
    generator = contourpy.contour_generator(z=np.pad(field, 1), line_type=contourpy.LineType.Separate)
    count = area
    tries: list[tuple[float, float, list[Floats]]] = []
    for _ in range(_MAX_TRIES):
        threshold = _threshold(field, round(count))
        if len(tries) == 2 and tries[0][0] != tries[1][0]:
            # Between pixels the enclosed area is nearly linear in the threshold.
            (first, first_error, _), (second, second_error, _) = tries
            if first_error != second_error:
                threshold = first - first_error * (second - first) / (second_error - first_error)
        lines = [np.asarray(line) for line in generator.lines(min(max(threshold, 1e-3), 0.999))]
        enclosed = abs(sum(map(_signed_area, lines)))
        tries.append((threshold, enclosed - area, lines))
        if not enclosed or abs(enclosed - area) <= _AREA_TOLERANCE * area:
            break
        # With few pixels, or tiles of very different sizes, lines enclose another area than their pixels.
        count = area * area / enclosed
    threshold, _, lines = min(tries, key=lambda attempt: abs(attempt[1]))
    return threshold, lines


def _signed_area(line: Floats) -> float:
    x, y = line.T
    return float(x[:-1] @ y[1:] - x[1:] @ y[:-1]) / 2


def _lost_pieces(mask: NDArray[np.bool_], kept: NDArray[np.bool_]) -> list[Floats]:
    """Return the outlines of a mask's pieces of which smoothing has left nothing, such as lone tiles.

    Pieces within a block of _BLOCK pixels of what is left aren't missed, and aren't searched for.
    """
    kept = kept[: mask.shape[0], : mask.shape[1]]
    blocks, near = _any_in_blocks(mask), np.pad(_any_in_blocks(kept), 1)
    rows, columns = blocks.shape
    shifts = [(row, column) for row in range(3) for column in range(3)]
    alone = blocks.copy()
    for row, column in shifts:
        alone &= ~near[row : row + rows, column : column + columns]
    lost = alone.repeat(_BLOCK, axis=0).repeat(_BLOCK, axis=1)[: mask.shape[0], : mask.shape[1]]
    if not lost.any():
        return []
    part = np.pad(mask & lost, 1).astype(np.float32)
    generator = contourpy.contour_generator(z=part, line_type=contourpy.LineType.Separate)
    return [np.asarray(line) - 1 for line in generator.lines(0.5)]


def _any_in_blocks(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    padded = np.pad(mask, [(0, -size % _BLOCK) for size in mask.shape])
    rows, columns = (size // _BLOCK for size in padded.shape)
    return np.asarray(padded.reshape(rows, _BLOCK, columns, _BLOCK).any(axis=(1, 3)), np.bool_)


def _edge_widths(inside: NDArray[np.bool_], grid: Grid) -> tuple[float, float]:
    """Return the widths in pixels of the finer and the coarser tiles along a mask's edge, 0 without any."""
    if grid.tile_width is None:
        return 0.0, 0.0
    widths = grid.tile_width[grid.tiles[:, 1:][inside[:, 1:] != inside[:, :-1]]]
    widths = widths[np.isfinite(widths)]
    if not widths.size:
        return 0.0, 0.0
    fine, coarse = np.percentile(widths, (20, 80))
    return float(fine), float(coarse)


def _sigma(tile_pixels: float) -> float:
    """Return the standard deviation of the smoothing, in pixels, for tiles of a width."""
    return min(max(_SMOOTHING * tile_pixels, _MIN_SIGMA), _MAX_SIGMA)


def _extended(mask: NDArray[np.bool_], valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Continue each row of a mask beyond its valid pixels, so that the rim doesn't pull outlines inwards."""
    columns = mask.shape[1]
    first, last = valid.argmax(axis=1), columns - 1 - valid[:, ::-1].argmax(axis=1)
    nearest = np.clip(np.arange(columns), first[:, np.newaxis], last[:, np.newaxis])
    extended: NDArray[np.bool_] = np.take_along_axis(mask, nearest, axis=1)
    return extended


def _binned(mask: NDArray[np.bool_], bins: int) -> Masks:
    """Return the mean of a mask in squares of `bins` pixels; its edge is continued to whole squares."""
    if bins == 1:
        return mask.astype(np.float32)
    padded = np.pad(mask, [(0, -size % bins) for size in mask.shape], mode="edge")
    rows, columns = (size // bins for size in padded.shape)
    mean: Masks = padded.reshape(rows, bins, columns, bins).mean(axis=(1, 3), dtype=np.float32)
    return mean


def _threshold(field: Masks, count: int) -> float:
    """Return the value above which a smoothed mask has `count` pixels."""
    pixels = field.ravel()
    if not 0 < count < pixels.size:
        return 0.5
    ranked = np.partition(pixels, (pixels.size - count - 1, pixels.size - count))
    threshold = float(ranked[pixels.size - count] + ranked[pixels.size - count - 1]) / 2
    # A contour at 0 would follow the padding, one at the maximum would be empty.
    return min(max(threshold, 1e-3), float(pixels.max()) * 0.999)


def _blur(mask: Masks | NDArray[np.bool_], sigma: float) -> Masks:
    """Convolve with two boxes of together this standard deviation in pixels; edges are continued."""
    width = sqrt(6 * sigma * sigma + 1)
    field = mask.astype(np.float32)
    for axis in (0, 1):
        for _ in range(2):
            field = _box(field, width, axis)
    return field


def _box(field: Masks, width: float, axis: int) -> Masks:
    """Return the mean over a box of `width` ≥ 1 pixels, of which the outermost count in part."""
    half = int((width - 1) / 2)
    rest = (width - 1) / 2 - half
    edges = [(0, 0), (0, 0)]
    edges[axis] = (half + 1, half + 1)
    padded = np.pad(field, edges, mode="edge")
    edges[axis] = (1, 0)
    total = np.cumsum(np.pad(padded, edges), axis=axis, dtype=np.float32)
    size = field.shape[axis]

    def part(start: int) -> Masks:
        window: Masks = total[start : start + size] if axis == 0 else total[:, start : start + size]
        return window

    inner = part(2 * half + 2) - part(1)
    outer = part(2 * half + 3) - part(0)
    blurred: Masks = ((inner + rest * (outer - inner)) / width).astype(np.float32, copy=False)
    return blurred


def grid_to_canvas(lines: Iterable[Floats], left: float, top: float, zoom: float = 1.0) -> list[Floats]:
    """Move lines from a grid, whose first pixel's centre is (0, 0), to canvas pixels."""
    return [(line + 0.5) * zoom + np.array((left, top)) for line in lines]
