"""The Sun's circle and the Moon's phase, and points on great circles. Angles are degrees unless said."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from formatters.skymap_image import style
from formatters.skymap_image.canvas import Canvas, Point
from formatters.skymap_image.models import Position

Floats = NDArray[np.float64]

_MOON_SIZE = 36
"""Diameter of the Moon's disc in pixels."""


def moon_label(illumination: float) -> str:
    """Return "Moon 43 %": the illuminated part of its disc, given as 0 to 1."""
    return f"Moon {illumination * 100:.0f}\u00a0%"


def draw_moon(canvas: Canvas, at: Point, to_sun: float, illumination: float) -> None:
    """Draw the Moon's disc with its lit part (0 to 1) towards the Sun.

    `to_sun` is the Sun's direction on the canvas, in radians from right, anticlockwise.
    """
    canvas.draw_marker(at, "o", _MOON_SIZE, style.MOON_DARK, zorder=style.BODIES_ZORDER)
    if illumination > 0.01:
        lit = lit_part(to_sun, illumination)
        canvas.draw_marker(at, lit, _MOON_SIZE * 0.94, style.MOON, zorder=style.BODIES_ZORDER + 0.01)


def lit_part(to_sun: float, illumination: float) -> Floats:
    """Return the outline of the lit part of a disc of radius 1, as (x, y) with y upwards, shape (points, 2).

    Its edges are half of the limb and the terminator, half of an ellipse, so that its area is `illumination`
    of the disc.
    """
    turn = np.linspace(-np.pi / 2, np.pi / 2, 25)
    limb = np.column_stack((np.cos(turn), np.sin(turn)))
    terminator = np.column_stack(((1 - 2 * illumination) * np.cos(turn[::-1]), np.sin(turn[::-1])))
    x, y = np.concatenate((limb, terminator)).T
    cosine, sine = np.cos(to_sun), np.sin(to_sun)
    return np.column_stack((x * cosine - y * sine, x * sine + y * cosine))


def circle_around(centre: Position, radius: float, points: int = 361) -> tuple[Floats, Floats]:
    """Return RA and Dec of the points of a small circle, the first and last the same."""
    axis, east, north = _frame(centre)
    turn, reach = np.linspace(0, 2 * np.pi, points), np.radians(radius)
    vectors = np.cos(reach) * axis[:, np.newaxis] + np.sin(reach) * (
        np.outer(east, np.cos(turn)) + np.outer(north, np.sin(turn))
    )
    return _positions(vectors)


def point_towards(start: Position, towards: Position, step: float) -> Position:
    """Return the point `step` degrees from `start` on the great circle to another position."""
    axis, east, north = _frame(start)
    other = _frame(towards)[0]
    bearing = np.arctan2(east @ other, north @ other)
    reach = np.radians(step)
    vector = np.cos(reach) * axis + np.sin(reach) * (np.sin(bearing) * east + np.cos(bearing) * north)
    ra, dec = _positions(vector[:, np.newaxis])
    return float(ra[0]), float(dec[0])


def _frame(position: Position) -> tuple[Floats, Floats, Floats]:
    """Return unit vectors to a position, to its east and to its north."""
    ra, dec = np.radians(position)
    axis = np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
    east = np.array([-np.sin(ra), np.cos(ra), 0.0])
    return axis, east, np.cross(axis, east)


def _positions(vectors: Floats) -> tuple[Floats, Floats]:
    x, y, z = vectors
    return np.degrees(np.arctan2(y, x)) % 360, np.degrees(np.arctan2(z, np.hypot(x, y)))
