"""The all-sky map: Mollweide projection, right ascension in hours, east to the left."""

from __future__ import annotations

from functools import cache

import numpy as np
from matplotlib.patches import Ellipse
from numpy.typing import NDArray

from formatters.skymap_image import style
from formatters.skymap_image.bodies import circle_around, draw_moon, moon_label, point_towards
from formatters.skymap_image.canvas import BACKGROUND, Canvas, Layer, Point
from formatters.skymap_image.contours import grid_outlines, grid_to_canvas
from formatters.skymap_image.models import SUN_CIRCLE_DEG, Position, SkyMapFigure
from formatters.skymap_image.projection import (
    CENTRE_RA,
    SKY_HEIGHT,
    SKY_WIDTH,
    ImageWindow,
    plane_to_sky,
    project_sky,
)

Floats = NDArray[np.float64]

_CENTRE = (style.SKY_LEFT + SKY_WIDTH / 2, style.SKY_TOP + SKY_HEIGHT / 2)
_STEP_DEG = 1.0
_MIN_FRAME_DEG = 3.0
"""Minimum half-width of the inset's frame, degrees, so that it stays visible around the peak's reticle."""
# ICRS degrees (the Hipparcos catalogue, ESA SP-1200, section 1.5.3).
_GALACTIC_POLE = (192.85948, 27.12825)
_GALACTIC_CENTRE = (266.40499, -28.93617)


def draw_allsky(canvas: Canvas, picture: SkyMapFigure) -> None:
    """Draw the all-sky map's lines, markers and labels; its pixel colours are drawn separately."""
    canvas.draw_layer(_static_layer())
    if picture.captions.watermark is not None:
        draw_watermark(canvas, _CENTRE, picture.captions.watermark, 160)
    if picture.gw_alone is not None:
        canvas.draw_lines(
            _to_canvas(grid_outlines(picture.gw_alone, 0.9)), style.GW_ALONE_CONTOUR, 3.2, dashed=True
        )
    for level in picture.above.outlined:
        lines = _to_canvas(grid_outlines(picture.sky, level))
        canvas.draw_lines(lines, style.CONTOUR, style.CONTOUR_WIDTHS[level], cased=True)
    if picture.inset is not None and not picture.inset.window.is_polar:
        canvas.draw_lines(_inset_frame(picture.inset.window), style.INK, 2.4)
    if picture.above.near_sun is not None:
        lines = _to_canvas([np.column_stack(project_sky(*circle_around(picture.above.sun, SUN_CIRCLE_DEG)))])
        canvas.draw_lines(lines, style.SUN, style.SUN_CIRCLE_WIDTH, dashed=True, zorder=style.BODIES_ZORDER)
    sun, moon = canvas_position(*picture.above.sun), canvas_position(*picture.above.moon)
    peak = None if picture.peak is None else canvas_position(*picture.peak)
    marks = () if peak is None else (peak,)
    draw_moon(
        canvas,
        moon,
        direction_on_canvas(picture.above.moon, picture.above.sun),
        picture.above.moon_illumination,
    )
    _draw_label(canvas, moon, (*marks, sun), moon_label(picture.above.moon_illumination), style.MOON)
    canvas.draw_marker(sun, (12, 1, 0), 46, style.SUN, zorder=style.BODIES_ZORDER)
    _draw_label(canvas, sun, (*marks, moon), "Sun", style.SUN)
    if peak is not None:
        draw_reticle(canvas, peak)


def canvas_position(ra: float, dec: float) -> Point:
    """Return the canvas position, in pixels, of an ICRS position in degrees."""
    column, row = project_sky(np.array([ra]), np.array([dec]))
    return float(column[0]) + style.SKY_LEFT + 0.5, float(row[0]) + style.SKY_TOP + 0.5


def draw_reticle(canvas: Canvas, at: Point, near: float = 11, far: float = 30) -> None:
    """Draw a cross with an empty centre at a point; `near` and `far` are the arms' ends in pixels."""
    arms = [
        np.array([(at[0] + near * a, at[1] + near * b), (at[0] + far * a, at[1] + far * b)])
        for a, b in ((1, 0), (-1, 0), (0, 1), (0, -1))
    ]
    canvas.draw_lines(arms, BACKGROUND, 10.0, zorder=8)
    canvas.draw_lines(arms, style.PEAK, 5.5, zorder=8)


def draw_watermark(canvas: Canvas, middle: Point, mark: str, size: float) -> None:
    """Write MOCK or TEST across a map, so that no cropped image can be mistaken for a real event."""
    canvas.draw_slanted_text(middle, mark, size, style.WATERMARK, degrees=18, alpha=0.3, zorder=2.5)


@cache
def _static_layer() -> Layer:
    """Return the layer common to all maps: graticule, Galactic plane, rim and labels. Cached per process."""
    canvas = Canvas(style.WIDTH, style.SKY_BOTTOM + 10)
    canvas.draw_lines(_graticule(), style.GRATICULE, 1.4)
    canvas.draw_lines(_galactic_plane(), style.FAINT, 2.6, dashed=True)
    canvas.draw_outline(Ellipse(_CENTRE, SKY_WIDTH, SKY_HEIGHT), style.FAINT, 3, zorder=4)
    for hour in range(3, 24, 3):
        x, y = canvas_position(hour * 15.0, 0.0)
        canvas.draw_text(x, y + 20, f"{hour}h", style.TICK, style.INK, ha="center", cased=True)
    for dec in (-60, -30, 30, 60):
        x, y = canvas_position(CENTRE_RA + 179.99, dec)
        canvas.draw_text(x - 12, y, style.format_degrees(dec, 1, signed=True), 25, style.INK, ha="right")
    x, y = canvas_position(*_GALACTIC_CENTRE)
    canvas.draw_marker((x, y), "o", 11, style.FAINT)
    canvas.draw_text(x, y + 24, "GC", 23, style.FAINT, ha="center", cased=True)
    return canvas.to_layer()


def _graticule() -> list[Floats]:
    dec = np.linspace(-90, 90, 91)
    # The meridian of 24 h coincides with the rim on both sides.
    meridians = [project_sky(np.full_like(dec, hour * 15.0), dec) for hour in range(3, 24, 3)]
    ra = np.linspace(1e-6, 360 - 1e-6, 91)
    parallels = [project_sky(ra, np.full_like(ra, float(d))) for d in (-60, -30, 0, 30, 60)]
    return _to_canvas([np.column_stack(line) for line in meridians + parallels])


def _galactic_plane() -> list[Floats]:
    turn = np.radians(np.linspace(0, 360, 721))
    ra_0, dec_0 = np.radians(_GALACTIC_POLE)
    # Two unit vectors perpendicular to the Galactic pole and to each other.
    along = np.array([-np.sin(ra_0), np.cos(ra_0), 0.0])
    over = np.array([-np.sin(dec_0) * np.cos(ra_0), -np.sin(dec_0) * np.sin(ra_0), np.cos(dec_0)])
    x, y, z = np.outer(along, np.cos(turn)) + np.outer(over, np.sin(turn))
    columns, rows = project_sky(np.degrees(np.arctan2(y, x)), np.degrees(np.arcsin(z)))
    return _to_canvas([np.column_stack((columns, rows))])


def _inset_frame(window: ImageWindow) -> list[Floats]:
    half = max(window.half_width, _MIN_FRAME_DEG)
    side = np.linspace(-half, half, 41)
    edge = np.full_like(side, half)
    east = np.concatenate((side, edge, -side, -edge))
    north = np.concatenate((edge, -side, -edge, side))
    columns, rows = project_sky(*plane_to_sky(window, east, north))
    return _to_canvas([np.column_stack((columns, rows))])


def _to_canvas(lines: list[Floats]) -> list[Floats]:
    """Move lines from the all-sky grid to the canvas, cut where they follow the rim or jump across it.

    A region across RA 0 h is contoured along the rim on both sides, but its boundary isn't there.
    """
    radii = np.array((SKY_WIDTH, SKY_HEIGHT)) / 2
    pieces = []
    for line in lines:
        outside = (((line + 0.5 - radii) / (radii - 2.5)) ** 2).sum(axis=1) > 1
        jump = np.abs(np.diff(line[:, 0])) > SKY_WIDTH / 4
        cuts = np.flatnonzero((outside[:-1] & outside[1:]) | jump) + 1
        pieces += [piece for piece in np.split(line, cuts) if len(piece) > 1]
    return grid_to_canvas(pieces, style.SKY_LEFT, style.SKY_TOP)


def direction_on_canvas(start: Position, towards: Position) -> float:
    """Return the direction on the map in which a great circle starts: radians from right, anticlockwise."""
    first, second = point_towards(start, towards, -_STEP_DEG), point_towards(start, towards, _STEP_DEG)
    middle = canvas_position(*start)
    ends = [canvas_position(*point) for point in (second, first)]
    # One of the ends may lie beyond the rim, on the other side of the map.
    for sign, end in zip((1, -1), ends, strict=True):
        x, y = sign * (end[0] - middle[0]), sign * (end[1] - middle[1])
        if abs(x) < SKY_WIDTH / 8:
            return float(np.arctan2(-y, x))
    return 0.0


def _draw_label(canvas: Canvas, point: Point, others: tuple[Point, ...], text: str, colour: str) -> None:
    """Write a label towards the map's centre, or on the point's other side if `others` are in the way."""
    x, y = point
    side = -1 if x > _CENTRE[0] else 1
    room = 28 + len(text) * 17
    if any(0 < (other[0] - x) * side < room + 20 and abs(other[1] - y) < 70 for other in others):
        side = -side
    if not 0 < x + side * room < style.WIDTH:
        # Beside the rim and another mark there is room below only.
        side, y = -side, y + 40
    canvas.draw_text(
        x + 28 * side, y, text, style.TICK, colour, ha="left" if side > 0 else "right", cased=True
    )  # fmt: skip
