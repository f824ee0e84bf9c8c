"""The title above the map and the key below or beside it, with the credible areas in large type."""

from __future__ import annotations

import numpy as np

from formatters.skymap_image import style
from formatters.skymap_image.allsky import draw_reticle
from formatters.skymap_image.canvas import BACKGROUND, Canvas, Point
from formatters.skymap_image.models import Captions

_SECOND_COLUMN = style.MARGIN + 500
_INDENT = 70


def draw_title(canvas: Canvas, words: Captions) -> None:
    """Draw the title, the subtitle and, for mocks and tests, the watermark label."""
    room = style.WIDTH - 2 * style.MARGIN
    canvas.draw_text(
        style.MARGIN, 120, words.subtitle, style.fit_font_size(words.subtitle, style.MEDIUM, room), style.INK
    )
    if words.watermark is not None:
        right = style.WIDTH - style.MARGIN - 14
        canvas.draw_text(
            right, 52, words.watermark, 44, BACKGROUND, ha="right", bold=True, box=style.WATERMARK
        )
        room -= 200
    size = style.fit_font_size(words.title, style.LARGE, room, 0.66)
    canvas.draw_text(style.MARGIN, 52, words.title, size, style.INK, bold=True)


def height_below(other: str | None) -> int:
    """Return the height in pixels that `draw_key_below` needs; `other` is the second contour's caption."""
    return style.ROW_HEIGHT * (3 if other is None else 4) + 50


def draw_key_below(canvas: Canvas, words: Captions, other: str | None) -> None:
    """Draw the key below the all-sky map."""
    y = style.SKY_BOTTOM + style.ROW_HEIGHT
    columns = (style.MARGIN, _SECOND_COLUMN)
    for x, level, area in zip(columns, style.CREDIBLE_LEVELS, (words.area_50, words.area_90), strict=True):
        _draw_line_sample(canvas, (x, y), style.CONTOUR_WIDTHS[level], style.CONTOUR)
        text = f"{level * 100:.0f}\u00a0%: {area}"
        canvas.draw_text(x + _INDENT, y, text, style.fit_font_size(text, 40, 430, 0.66), style.INK, bold=True)
    y += style.ROW_HEIGHT
    facts = " · ".join(words.facts)
    canvas.draw_text(
        style.MARGIN, y, facts, style.fit_font_size(facts, 36, style.WIDTH - 2 * style.MARGIN), style.INK
    )
    if other is not None:
        y += style.ROW_HEIGHT
        _draw_line_sample(canvas, (style.MARGIN, y), 4, style.GW_ALONE_CONTOUR, dashed=True)
        canvas.draw_text(style.MARGIN + _INDENT, y, other, style.MEDIUM, style.GW_ALONE_CONTOUR)
    y += style.ROW_HEIGHT
    _draw_symbol_key(canvas, (style.MARGIN, y), (_SECOND_COLUMN, y))


def draw_key_beside(canvas: Canvas, words: Captions, other: str | None) -> None:
    """Draw the key to the right of the inset."""
    x, y = style.INSET_LEFT + style.INSET_SIDE + 30, style.INSET_TOP + 24
    room = style.WIDTH - x - 15
    for level, area in zip(style.CREDIBLE_LEVELS, (words.area_50, words.area_90), strict=True):
        _draw_line_sample(canvas, (x, y), style.CONTOUR_WIDTHS[level] + 1, style.CONTOUR)
        canvas.draw_text(x + _INDENT, y, f"{level * 100:.0f}\u00a0% region", style.SMALL, style.FAINT)
        canvas.draw_text(x, y + 46, area, style.fit_font_size(area, 48, room, 0.66), style.INK, bold=True)
        y += 110
    for fact in words.facts:
        canvas.draw_text(x, y, fact, style.fit_font_size(fact, 38, room), style.INK)
        y += 56
    if other is not None:
        first, _, second = other.partition(": ")
        _draw_line_sample(canvas, (x, y), 4, style.GW_ALONE_CONTOUR, dashed=True)
        canvas.draw_text(
            x + _INDENT,
            y,
            first,
            style.fit_font_size(first, style.SMALL, room - _INDENT),
            style.GW_ALONE_CONTOUR,
        )
        canvas.draw_text(x, y + 42, second, style.fit_font_size(second, 38, room), style.GW_ALONE_CONTOUR)
        y += 98
    _draw_symbol_key(canvas, (x, y), (x, y + 52))


def _draw_symbol_key(canvas: Canvas, peak: Point, plane: Point) -> None:
    draw_reticle(canvas, (peak[0] + 28, peak[1]), 6, 20)
    canvas.draw_text(peak[0] + _INDENT, peak[1], "peak", style.SMALL, style.FAINT)
    _draw_line_sample(canvas, plane, 3, style.FAINT, dashed=True)
    canvas.draw_text(plane[0] + _INDENT, plane[1], "Galactic plane", style.SMALL, style.FAINT)


def _draw_line_sample(canvas: Canvas, at: Point, width: float, colour: str, *, dashed: bool = False) -> None:
    canvas.draw_lines([np.array([at, (at[0] + 56, at[1])])], colour, width, dashed=dashed)
