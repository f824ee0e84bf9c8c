"""The inset: an enlarged view of the main region, with coordinates along its edges."""

from __future__ import annotations

from math import ceil, floor

import numpy as np
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from formatters.skymap_image import style
from formatters.skymap_image.allsky import draw_reticle, draw_watermark
from formatters.skymap_image.bodies import circle_around
from formatters.skymap_image.canvas import Canvas
from formatters.skymap_image.contours import grid_outlines, grid_to_canvas
from formatters.skymap_image.models import SUN_CIRCLE_DEG, Inset, Position, SkyMapFigure
from formatters.skymap_image.projection import ImageWindow, project_window
from formatters.text import quantities

Floats = NDArray[np.float64]

_LEFT, _TOP, _SIDE = style.INSET_LEFT, style.INSET_TOP, style.INSET_SIDE
_RIGHT, _BOTTOM = _LEFT + _SIDE, _TOP + _SIDE
_FRAME = (_LEFT, _TOP, _SIDE, _SIDE)
# A region that continues beyond the inset is contoured along the edge, but its boundary isn't there.
_CLIP_AREA = (_LEFT + 3, _TOP + 3, _SIDE - 6, _SIDE - 6)
_PARALLEL_STEPS_DEG = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 45.0, 60.0, 90.0)
_MERIDIAN_STEPS_DEG = tuple(
    seconds / 240
    for seconds in (5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 10800, 14400, 21600)
)
"""Steps of right ascension that are round in seconds, minutes or hours."""
_MAX_LABELLED_PROBABILITY = 0.88
"""Probability of the inset's region, 0 to 1, above which its share isn't labelled, as it is almost the whole
90 % region.
"""
_LABEL_MARGIN = 25
_DIGIT_WIDTH = 17
"""Pixels between the labels of meridians, and of a character in them."""


def draw_inset(canvas: Canvas, picture: SkyMapFigure, inset: Inset) -> None:
    """Draw the inset's lines, markers and labels; its pixel colours are drawn separately."""
    _graticule(canvas, inset.window)
    if picture.captions.watermark is not None:
        draw_watermark(canvas, (_LEFT + _SIDE / 2, _TOP + _SIDE / 2), picture.captions.watermark, 110)
    if picture.above.near_sun is not None:
        _draw_sun_circle(canvas, inset.window, picture.above.sun)
    if inset.gw_alone is not None:
        lines = _to_canvas(grid_outlines(inset.gw_alone, 0.9))
        canvas.draw_lines(lines, style.GW_ALONE_CONTOUR, 4, dashed=True, within=_CLIP_AREA)
    for level in picture.above.outlined:
        lines = _to_canvas(grid_outlines(inset.grid, level))
        canvas.draw_lines(
            lines, style.CONTOUR, style.CONTOUR_WIDTHS[level] + 1, cased=True, within=_CLIP_AREA
        )
    if picture.peak is not None:
        column, row = project_window(inset.window, *(np.array([angle]) for angle in picture.peak))
        x, y = _to_canvas([np.column_stack((column, row))])[0][0]
        if _LEFT < x < _RIGHT and _TOP < y < _BOTTOM:
            draw_reticle(canvas, (float(x), float(y)), 14, 40)
    if inset.probability < _MAX_LABELLED_PROBABILITY:
        text = f"{quantities.percent(inset.probability)} of the probability"
        canvas.draw_text(_LEFT + 18, _TOP + 30, text, style.SMALL, style.INK, cased=True)
    canvas.draw_outline(Rectangle((_LEFT, _TOP), _SIDE, _SIDE), style.INK, 3, zorder=8)


def _draw_sun_circle(canvas: Canvas, window: ImageWindow, sun: Position) -> None:
    columns, rows = project_window(window, *circle_around(sun, SUN_CIRCLE_DEG))
    (line,) = _to_canvas([np.column_stack((columns, rows))])
    near = (np.abs(line - np.array((_LEFT + _SIDE / 2, _TOP + _SIDE / 2))) < 2 * _SIDE).all(axis=1)
    pieces = np.split(line, np.flatnonzero(np.diff(near)) + 1)
    seen = [piece for piece, held in zip(pieces, near[_starts(pieces)], strict=True) if held]
    canvas.draw_lines(
        seen, style.SUN, style.SUN_CIRCLE_WIDTH, dashed=True, within=_CLIP_AREA, zorder=style.BODIES_ZORDER
    )


def _starts(pieces: list[Floats]) -> list[int]:
    return [0, *np.cumsum([len(piece) for piece in pieces[:-1]]).tolist()]


def _to_canvas(lines: list[Floats]) -> list[Floats]:
    return grid_to_canvas(lines, _LEFT, _TOP, style.INSET_ZOOM)


def _graticule(canvas: Canvas, window: ImageWindow) -> None:
    """Draw meridians and parallels at round degrees, with labels where they cross the edges."""
    low, high = max(-90.0, window.dec - 2 * window.half_width), min(90.0, window.dec + 2 * window.half_width)
    step = _graticule_step(2 * window.half_width, 4, _PARALLEL_STEPS_DEG)
    parallels = [dec for dec in _multiples(low, high, step) if abs(dec) < 90]
    # Cover the corners at least.
    reach = 180.0 if window.is_polar else 1.6 * window.half_width / np.cos(np.radians(window.dec))
    ra = np.linspace(window.ra - reach, window.ra + reach, 181)
    circles = [_project_line(window, ra, np.full_like(ra, dec)) for dec in parallels]
    for dec, line in zip(parallels, circles, strict=True):
        _number_parallel(canvas, line, style.format_degrees(dec, step, signed=True))
    step = 45.0 if window.is_polar else _graticule_step(1.25 * reach, 4.5, _MERIDIAN_STEPS_DEG)
    meridians = _multiples(window.ra - reach, window.ra + reach - (step / 2 if window.is_polar else 0), step)
    lat = np.linspace(low, high, 181)
    rays = [_project_line(window, np.full_like(lat, ra_1), lat) for ra_1 in meridians]
    taken: list[tuple[float, float]] = []
    for ra_1, line in zip(meridians, rays, strict=True):
        _number_meridian(canvas, line, style.format_hours(ra_1, step), taken)
    canvas.draw_lines([*circles, *rays], style.GRATICULE, 1.6, within=_FRAME, zorder=2)


def _project_line(window: ImageWindow, ra: Floats, dec: Floats) -> Floats:
    return _to_canvas([np.column_stack(project_window(window, ra, dec))])[0]


def _number_parallel(canvas: Canvas, line: Floats, text: str) -> None:
    y = _crossing(line[::-1], 0, _LEFT)
    if y is not None:
        if _TOP + 14 < y < _BOTTOM - 14:
            canvas.draw_text(_LEFT - 10, y, text, style.TICK, style.INK, ha="right")
        return
    # A parallel around a pole: label it inside the inset, far from the region, which is in the centre.
    middle = np.array((_LEFT, _TOP)) + _SIDE / 2
    seen = line[(np.abs(line - middle) < _SIDE / 2 - 45).all(axis=1)]
    if seen.size:
        x, y = seen[np.hypot(*(seen - middle).T).argmax()]
        canvas.draw_text(float(x), float(y), text, style.TICK, style.INK, ha="center", cased=True)


def _number_meridian(canvas: Canvas, line: Floats, text: str, taken: list[tuple[float, float]]) -> None:
    """Label a meridian below the inset, else above it; omit the label if it would overlap another."""
    for edge, y in ((_BOTTOM, _BOTTOM + 26), (_TOP, _TOP - 22)):
        x = _crossing(line, 1, edge)
        if x is None:
            continue
        # Labels of one inset have one form, and so nearly one width.
        width = _LABEL_MARGIN + _DIGIT_WIDTH * len(text)
        free = all(abs(x - other) > width for other, row in taken if row == y)
        if _LEFT + 30 < x < _RIGHT - 30 and free:
            canvas.draw_text(x, y, text, style.TICK, style.INK, ha="center")
            taken.append((x, y))
        return


def _crossing(line: Floats, axis: int, at: float) -> float | None:
    """Return a line's first crossing of the vertical (axis 0) or horizontal (axis 1) edge `at`, or None."""
    start = (_TOP, _LEFT)[axis]
    side = line[:, axis] - at
    for index in np.flatnonzero(side[:-1] * side[1:] <= 0):
        before, after = side[index], side[index + 1]
        share = before / (before - after) if before != after else 0.0
        found = float(line[index, 1 - axis] * (1 - share) + line[index + 1, 1 - axis] * share)
        if start <= found <= start + _SIDE:
            return found
    return None


def _graticule_step(width: float, parts: float, steps: tuple[float, ...]) -> float:
    return next((step for step in steps if step >= width / parts), steps[-1])


def _multiples(low: float, high: float, step: float) -> list[float]:
    return [number * step for number in range(ceil(low / step), floor(high / step) + 1)]
