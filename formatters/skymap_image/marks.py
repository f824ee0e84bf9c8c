"""Numbered circles on the map, and their names below it.

A mark inside the inset is drawn there and the others on the all-sky map, so that each stands once.
"""

from __future__ import annotations

import numpy as np
from matplotlib.patches import Circle

from formatters.skymap_image import style
from formatters.skymap_image.allsky import canvas_position
from formatters.skymap_image.canvas import BACKGROUND, Canvas, Point
from formatters.skymap_image.contours import grid_to_canvas
from formatters.skymap_image.models import Inset, Mark, Marks, SkyMapFigure
from formatters.skymap_image.projection import project_window

_ROW = 50
_TITLE = 58
_SIZE = 29.0
_COLUMNS = (style.MARGIN, style.MARGIN + 525)
_COLUMN_ROOM = 500
_DIGIT = 19
"""Pixels of a digit of a number beside its circle."""
_MARGIN = 16
"""A mark nearer to the inset's edge than this would be cut."""


def height_of_key(marks: Marks) -> int:
    """Return the height in pixels that `draw_key` needs."""
    return _TITLE + _ROW * -(-len(marks.marks) // 2) + 20


def draw_marks(canvas: Canvas, picture: SkyMapFigure) -> None:
    """Draw the circles and their numbers."""
    if picture.marks is None:
        return
    taken: list[tuple[float, float, float]] = []
    in_inset = [(mark, _inset_place(picture.inset, mark)) for mark in picture.marks.marks]
    places = [
        (mark, place if place is not None else canvas_position(mark.ra % 360, mark.dec), place is not None)
        for mark, place in in_inset
    ]
    for _, (x, y), is_large in places:
        taken.append((x, y, 17.0 if is_large else 12.0))
    for mark, (x, y), is_large in places:
        radius = 12 if is_large else 8
        canvas.draw_outline(Circle((x, y), radius), BACKGROUND, 8, zorder=8.4)
        canvas.draw_outline(Circle((x, y), radius), style.MARK, 4, zorder=8.5)
        _draw_number(canvas, (x, y), str(mark.number), radius, taken)


def draw_key(canvas: Canvas, marks: Marks, top: int) -> None:
    """Draw the numbers with their texts in two columns, below `top`."""
    y = top + 20
    size = style.fit_font_size(marks.title, 32, style.WIDTH - 2 * style.MARGIN)
    canvas.draw_text(style.MARGIN, y, marks.title, size, style.MARK, bold=True)
    rows = -(-len(marks.marks) // 2)
    for place, mark in enumerate(marks.marks):
        x, row = _COLUMNS[place // rows], place % rows
        text = f"{mark.number}  {mark.text}"
        canvas.draw_text(
            x, y + _TITLE + row * _ROW, text, style.fit_font_size(text, _SIZE, _COLUMN_ROOM, 0.62), style.INK
        )


def _inset_place(inset: Inset | None, mark: Mark) -> Point | None:
    """Return the place of a mark in the inset, None outside of it."""
    if inset is None:
        return None
    column, row = project_window(inset.window, np.array([mark.ra]), np.array([mark.dec]))
    # Beyond the projection's horizon there is no place.
    if not (np.isfinite(column[0]) and np.isfinite(row[0])):
        return None
    (line,) = grid_to_canvas(
        [np.column_stack((column, row))], style.INSET_LEFT, style.INSET_TOP, style.INSET_ZOOM
    )
    x, y = float(line[0, 0]) - style.INSET_LEFT, float(line[0, 1]) - style.INSET_TOP
    if not (_MARGIN < x < style.INSET_SIDE - _MARGIN and _MARGIN < y < style.INSET_SIDE - _MARGIN):
        return None
    return float(line[0, 0]), float(line[0, 1])


def _draw_number(
    canvas: Canvas, at: Point, text: str, radius: float, taken: list[tuple[float, float, float]]
) -> None:
    """Write a number beside its circle, on the first side where nothing else stands."""
    half = _DIGIT * len(text) / 2
    reach = radius + 8
    sides = [
        (reach + half, 0.0),
        (-reach - half, 0.0),
        (0.0, -reach - 13),
        (0.0, reach + 13),
        (reach + half - 5, -reach),
        (-reach - half + 5, -reach),
        (reach + half - 5, reach),
        (-reach - half + 5, reach),
    ]
    choices = [(at[0] + dx, at[1] + dy) for dx, dy in sides]

    def overlap(place: Point) -> float:
        return sum(
            max(0.0, room + half + 4 - float(np.hypot(place[0] - x, place[1] - y))) for x, y, room in taken
        )

    best = min(choices, key=overlap)
    taken.append((*best, half + 2))
    canvas.draw_text(*best, text, 30, style.MARK, ha="center", bold=True, cased=True, zorder=9.5)
