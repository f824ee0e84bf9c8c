"""The title above, and the key below or beside: what the lines are, and the numbers in large letters."""

from __future__ import annotations

import numpy as np

from formatters.skymap_image import style
from formatters.skymap_image.allsky import reticle
from formatters.skymap_image.canvas import PAPER, Canvas, Point
from formatters.skymap_image.models import Captions

_SECOND_COLUMN = style.EDGE + 500
_INDENT = 70


def title(sheet: Canvas, words: Captions) -> None:
    """Write what it is, how sure, and when."""
    room = style.WIDTH - 2 * style.EDGE
    sheet.text(style.EDGE, 120, words.subtitle, style.fit(words.subtitle, style.MEDIUM, room), style.INK)
    if words.mark is not None:
        right = style.WIDTH - style.EDGE - 14
        sheet.text(right, 52, words.mark, 44, PAPER, ha="right", bold=True, box=style.MARK)
        room -= 200
    size = style.fit(words.title, style.LARGE, room, 0.66)
    sheet.text(style.EDGE, 52, words.title, size, style.INK, bold=True)


def height_below(other: str | None) -> int:
    """Return the pixels that `below` needs."""
    return style.ROW * (3 if other is None else 4) + 50


def below(sheet: Canvas, words: Captions, other: str | None) -> None:
    """Write the key under the all-sky map."""
    y = style.SKY_BOTTOM + style.ROW
    columns = (style.EDGE, _SECOND_COLUMN)
    for x, level, area in zip(columns, style.CREDIBLE, (words.area_50, words.area_90), strict=True):
        _swatch(sheet, (x, y), style.WIDTHS[level], style.CONTOUR)
        said = f"{level * 100:.0f}\u00a0%: {area}"
        sheet.text(x + _INDENT, y, said, style.fit(said, 40, 430, 0.66), style.INK, bold=True)
    y += style.ROW
    facts = " · ".join(words.facts)
    sheet.text(style.EDGE, y, facts, style.fit(facts, 36, style.WIDTH - 2 * style.EDGE), style.INK)
    if other is not None:
        y += style.ROW
        _swatch(sheet, (style.EDGE, y), 4, style.OTHER, dashed=True)
        sheet.text(style.EDGE + _INDENT, y, other, style.MEDIUM, style.OTHER)
    y += style.ROW
    _marks(sheet, (style.EDGE, y), (_SECOND_COLUMN, y))


def beside(sheet: Canvas, words: Captions, other: str | None) -> None:
    """Write the key to the right of the inset."""
    x, y = style.INSET_LEFT + style.INSET_SIDE + 30, style.INSET_TOP + 24
    room = style.WIDTH - x - 15
    for level, area in zip(style.CREDIBLE, (words.area_50, words.area_90), strict=True):
        _swatch(sheet, (x, y), style.WIDTHS[level] + 1, style.CONTOUR)
        sheet.text(x + _INDENT, y, f"{level * 100:.0f}\u00a0% region", style.SMALL, style.FAINT)
        sheet.text(x, y + 46, area, style.fit(area, 48, room, 0.66), style.INK, bold=True)
        y += 110
    for fact in words.facts:
        sheet.text(x, y, fact, style.fit(fact, 38, room), style.INK)
        y += 56
    if other is not None:
        first, _, second = other.partition(": ")
        _swatch(sheet, (x, y), 4, style.OTHER, dashed=True)
        sheet.text(x + _INDENT, y, first, style.fit(first, style.SMALL, room - _INDENT), style.OTHER)
        sheet.text(x, y + 42, second, style.fit(second, 38, room), style.OTHER)
        y += 98
    _marks(sheet, (x, y), (x, y + 52))


def _marks(sheet: Canvas, peak: Point, plane: Point) -> None:
    reticle(sheet, (peak[0] + 28, peak[1]), 6, 20)
    sheet.text(peak[0] + _INDENT, peak[1], "densest tile", style.SMALL, style.FAINT)
    _swatch(sheet, plane, 3, style.FAINT, dashed=True)
    sheet.text(plane[0] + _INDENT, plane[1], "Galactic plane", style.SMALL, style.FAINT)


def _swatch(sheet: Canvas, at: Point, width: float, colour: str, *, dashed: bool = False) -> None:
    sheet.lines([np.array([at, (at[0] + 56, at[1])])], colour, width, dashed=dashed)
