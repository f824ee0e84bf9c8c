"""Outlines of a plan's fields on the all-sky map and in the inset, with their numbers where there is room."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from formatters.skymap_image import style
from formatters.skymap_image.allsky import canvas_position
from formatters.skymap_image.canvas import Canvas, Point
from formatters.skymap_image.contours import grid_to_canvas
from formatters.skymap_image.models import DrawnField, Inset, Position, SkyMapFigure
from formatters.skymap_image.projection import SKY_WIDTH, project_sky, project_window, sky_to_plane

Floats = NDArray[np.float64]

_CLIP = (style.INSET_LEFT + 3, style.INSET_TOP + 3, style.INSET_SIDE - 6, style.INSET_SIDE - 6)
_FRONT_DEG = 100.0
"""Offset on the inset's plane beyond which an outline is around the sky's other side."""
_NUMBER_SIZES = (34.0, 28.0, 22.0)
_DIGIT_ADVANCE = 0.7
"""Advance of a bold digit in ems, with the room beside it."""


def draw_fields(canvas: Canvas, picture: SkyMapFigure) -> None:
    """Draw all fields on the all-sky map, and those in the inset there, larger and numbered."""
    if picture.marks is None:
        return
    fields = picture.marks.fields
    for is_planned in (True, False):
        lines = [
            line
            for field in fields
            if field.is_planned is is_planned
            for outline in field.outlines
            for line in _sky_lines(outline)
        ]
        if lines:
            # Beside an inset they only say where the fields are.
            width = 2.4 if picture.inset is None else 1.6
            canvas.draw_lines(
                lines, style.MARK, width, dashed=is_planned, cased=picture.inset is None, zorder=7.9
            )
    if picture.inset is None:
        _number(canvas, [(field, canvas_position(field.ra % 360, field.dec)) for field in fields])
    else:
        _draw_in_inset(canvas, picture.inset, fields)


def _draw_in_inset(canvas: Canvas, inset: Inset, fields: tuple[DrawnField, ...]) -> None:
    for is_planned in (True, False):
        lines = [
            line
            for field in fields
            if field.is_planned is is_planned
            for one in field.outlines
            if (line := _inset_line(inset, one)) is not None
        ]
        if lines:
            canvas.draw_lines(lines, style.MARK, 4, dashed=is_planned, cased=True, within=_CLIP, zorder=8.2)
    places = []
    for field in fields:
        line = _inset_line(inset, ((field.ra, field.dec),))
        if line is not None and _is_inside(x := float(line[0, 0]), y := float(line[0, 1])):
            places.append((field, (x, y)))
    _number(canvas, places)


def _number(canvas: Canvas, places: list[tuple[DrawnField, Point]]) -> None:
    """Write the fields' numbers at their centres, in the largest type in which none touches another.

    Where none fits, only those that touch none written before, in the order of the plan.
    """
    points = np.array([place for _, place in places]).reshape(-1, 2)
    digits = max((len(str(field.number)) for field, _ in places), default=1)
    gaps = np.hypot(*(points[:, np.newaxis] - points[np.newaxis]).transpose(2, 0, 1))
    nearest = float(np.where(np.eye(len(points), dtype=bool), np.inf, gaps).min(initial=np.inf))
    size = next((one for one in _NUMBER_SIZES if _room(one, digits) <= nearest), _NUMBER_SIZES[-1])
    written: list[int] = []
    for number, (field, place) in enumerate(places):
        if any(gaps[number, other] < _room(size, digits) for other in written):
            continue
        written.append(number)
        canvas.draw_text(
            *place, str(field.number), size, style.MARK, ha="center", bold=True, cased=True, zorder=9.4
        )  # fmt: skip


def _room(size: float, digits: int) -> float:
    return size * max(1.1, _DIGIT_ADVANCE * digits + 0.2)


def _sky_lines(outline: tuple[Position, ...]) -> list[Floats]:
    """Return an outline on the all-sky map, cut where it jumps across the rim."""
    ra, dec = np.array(outline).T
    line = np.column_stack(project_sky(ra % 360, dec))
    cuts = np.flatnonzero(np.abs(np.diff(line[:, 0])) > SKY_WIDTH / 4) + 1
    pieces = [piece for piece in np.split(line, cuts) if len(piece) > 1]
    return grid_to_canvas(pieces, style.SKY_LEFT, style.SKY_TOP)


def _inset_line(inset: Inset, outline: tuple[Position, ...]) -> Floats | None:
    """Return an outline in the inset; None for one on the other side of the sky."""
    ra, dec = np.array(outline).T
    if np.hypot(*sky_to_plane(inset.window, ra, dec)).max() > _FRONT_DEG:
        return None
    line = np.column_stack(project_window(inset.window, ra, dec))
    (moved,) = grid_to_canvas([line], style.INSET_LEFT, style.INSET_TOP, style.INSET_ZOOM)
    return moved


def _is_inside(x: float, y: float) -> bool:
    return (
        14 < x - style.INSET_LEFT < style.INSET_SIDE - 14 and 14 < y - style.INSET_TOP < style.INSET_SIDE - 14
    )
