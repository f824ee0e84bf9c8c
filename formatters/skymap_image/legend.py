"""The title above the map and the key below or beside it, with the credible areas in large type."""

from __future__ import annotations

import numpy as np

from formatters.skymap_image import style
from formatters.skymap_image.allsky import draw_reticle
from formatters.skymap_image.canvas import BACKGROUND, Canvas, Point
from formatters.skymap_image.models import SUN_CIRCLE_DEG, Captions, SkyMapFigure
from formatters.text import quantities

_SECOND_COLUMN = style.MARGIN + 500
_INDENT = 70
_FACT_HEIGHT = 56
_SYMBOL_HEIGHT = 52
_MANY_PIECES = ", >50 pieces"
"""Stands where a region's outline would be too fragmented to tell anything."""


def draw_title(canvas: Canvas, words: Captions) -> None:
    """Draw the title, the subtitle and its badges, and for mocks and tests the watermark's word."""
    room = style.WIDTH - 2 * style.MARGIN
    left = style.WIDTH - style.MARGIN
    for badge in reversed(words.badges):
        canvas.draw_text(left - 8, 118, badge, 28, BACKGROUND, ha="right", bold=True, box=style.BADGE)
        left -= round(len(badge) * 28 * 0.72) + 32
    size = style.fit_font_size(words.subtitle, style.MEDIUM, left - style.MARGIN, 0.58)
    canvas.draw_text(style.MARGIN, 120, words.subtitle, size, style.INK)
    if words.watermark is not None:
        right = style.WIDTH - style.MARGIN - 14
        canvas.draw_text(
            right, 52, words.watermark, 44, BACKGROUND, ha="right", bold=True, box=style.WATERMARK
        )
        room -= 200
    size = style.fit_font_size(words.title, style.LARGE, room, 0.66)
    canvas.draw_text(style.MARGIN, 52, words.title, size, style.INK, bold=True)


def height_below(picture: SkyMapFigure) -> int:
    """Return the height in pixels that `draw_key_below` needs."""
    return style.ROW_HEIGHT * (3 + (picture.gw_alone is not None) + (picture.above.near_sun is not None)) + 50


def draw_key_below(canvas: Canvas, picture: SkyMapFigure) -> None:
    """Draw the key below the all-sky map."""
    words, y = picture.captions, style.SKY_BOTTOM + style.ROW_HEIGHT
    columns = (style.MARGIN, _SECOND_COLUMN)
    for x, level, area in zip(columns, style.CREDIBLE_LEVELS, (words.area_50, words.area_90), strict=True):
        text = f"{quantities.percent(level)}: {area}"
        if level in picture.above.outlined:
            _draw_line_sample(canvas, (x, y), style.CONTOUR_WIDTHS[level], style.CONTOUR)
        elif picture.peak is not None:
            text = f"{text}{_MANY_PIECES}"
        left, room = (x + _INDENT, 430) if level in picture.above.outlined else (x, 490)
        size = style.fit_font_size(text, 40, room, 0.66)
        canvas.draw_text(left, y, text, size, style.INK, bold=True)
    y += style.ROW_HEIGHT
    facts = " · ".join(words.facts)
    canvas.draw_text(
        style.MARGIN, y, facts, style.fit_font_size(facts, 36, style.WIDTH - 2 * style.MARGIN), style.INK
    )
    if picture.gw_alone is not None and words.gw_alone is not None:
        y += style.ROW_HEIGHT
        _draw_line_sample(canvas, (style.MARGIN, y), 4, style.GW_ALONE_CONTOUR, dashed=True)
        canvas.draw_text(style.MARGIN + _INDENT, y, words.gw_alone, style.MEDIUM, style.GW_ALONE_CONTOUR)
    if picture.above.near_sun is not None:
        y += style.ROW_HEIGHT
        _draw_line_sample(canvas, (style.MARGIN, y), style.SUN_CIRCLE_WIDTH, style.SUN, dashed=True)
        share = quantities.percent(picture.above.near_sun)
        text = f"{share} of the probability within {SUN_CIRCLE_DEG:.0f}° of the Sun"
        canvas.draw_text(style.MARGIN + _INDENT, y, text, style.MEDIUM, style.SUN)
    y += style.ROW_HEIGHT
    _draw_symbol_key(canvas, picture, (style.MARGIN, y), (_SECOND_COLUMN, y))


def height_beside(picture: SkyMapFigure) -> int:
    """Return the height in pixels that `draw_key_beside` needs, below the top of the inset."""
    rows = len(picture.captions.facts) * _FACT_HEIGHT + (98 if picture.gw_alone is not None else 0)
    return (
        24
        + 2 * 110
        + rows
        + (_SYMBOL_HEIGHT if picture.above.near_sun is not None else 0)
        + 2 * _SYMBOL_HEIGHT
    )


def draw_key_beside(canvas: Canvas, picture: SkyMapFigure) -> None:
    """Draw the key to the right of the inset."""
    words = picture.captions
    x, y = style.INSET_LEFT + style.INSET_SIDE + 30, style.INSET_TOP + 24
    room = style.WIDTH - x - 15
    for level, area in zip(style.CREDIBLE_LEVELS, (words.area_50, words.area_90), strict=True):
        text, left = f"{quantities.percent(level)} region", x
        if level in picture.above.outlined:
            left += _INDENT
            _draw_line_sample(canvas, (x, y), style.CONTOUR_WIDTHS[level] + 1, style.CONTOUR)
        elif picture.peak is not None:
            text = f"{text}{_MANY_PIECES}"
        canvas.draw_text(left, y, text, style.SMALL, style.FAINT)
        canvas.draw_text(x, y + 46, area, style.fit_font_size(area, 48, room, 0.66), style.INK, bold=True)
        y += 110
    for fact in words.facts:
        canvas.draw_text(x, y, fact, style.fit_font_size(fact, 38, room), style.INK)
        y += _FACT_HEIGHT
    if picture.gw_alone is not None and words.gw_alone is not None:
        first, _, second = words.gw_alone.partition(": ")
        _draw_line_sample(canvas, (x, y), 4, style.GW_ALONE_CONTOUR, dashed=True)
        size = style.fit_font_size(first, style.SMALL, room - _INDENT)
        canvas.draw_text(x + _INDENT, y, first, size, style.GW_ALONE_CONTOUR)
        canvas.draw_text(x, y + 42, second, style.fit_font_size(second, 38, room), style.GW_ALONE_CONTOUR)
        y += 98
    if picture.above.near_sun is not None:
        _draw_line_sample(canvas, (x, y), style.SUN_CIRCLE_WIDTH, style.SUN, dashed=True)
        text = f"{SUN_CIRCLE_DEG:.0f}° of Sun: {quantities.percent(picture.above.near_sun)}"
        canvas.draw_text(
            x + _INDENT, y, text, style.fit_font_size(text, style.SMALL, room - _INDENT), style.SUN
        )
        y += _SYMBOL_HEIGHT
    _draw_symbol_key(canvas, picture, (x, y), (x, y + _SYMBOL_HEIGHT))


def _draw_symbol_key(canvas: Canvas, picture: SkyMapFigure, peak: Point, plane: Point) -> None:
    if picture.peak is None:
        canvas.draw_text(*peak, "uniform: no peak", style.SMALL, style.FAINT)
    else:
        draw_reticle(canvas, (peak[0] + 28, peak[1]), 6, 20)
        canvas.draw_text(peak[0] + _INDENT, peak[1], "peak", style.SMALL, style.FAINT)
    _draw_line_sample(canvas, plane, 3, style.FAINT, dashed=True)
    canvas.draw_text(plane[0] + _INDENT, plane[1], "Galactic plane", style.SMALL, style.FAINT)


def _draw_line_sample(canvas: Canvas, at: Point, width: float, colour: str, *, dashed: bool = False) -> None:
    canvas.draw_lines([np.array([at, (at[0] + 56, at[1])])], colour, width, dashed=dashed)
