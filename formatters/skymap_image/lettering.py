"""Text as bitmaps of coverage, in matplotlib's own font (DejaVu Sans), by matplotlib's FreeType.

A string is shaped and drawn once. matplotlib's Text measures it three times first, which takes longer.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from math import ceil
from typing import Any

import numpy as np
from matplotlib import rcParams
from matplotlib.backends.backend_agg import get_hinting_flag
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ft2font import FT2Font
from matplotlib.path import Path
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D
from numpy.typing import NDArray

Coverage = NDArray[np.uint8]
"""How much of each pixel is covered, 0 to 255, shape (height, width)."""

_FIXED_POINT = 64
"""FreeType's units in a pixel."""
_KEPT = 64
"""Lines that are kept drawn, of some ten thousand pixels each."""


@dataclass(frozen=True, slots=True, eq=False)
class Lettering:
    """A line of text, drawn; pixels are counted from where its baseline starts, right and down."""

    coverage: Coverage
    left: int
    top: int
    width: float
    """Advance of the whole line."""
    ascent: float
    """From the baseline to the top of the line, which is at least as high as the font says."""
    descent: float
    """From the baseline down to the bottom of the line."""


@lru_cache(maxsize=_KEPT)
def letter(text: str, size: float, *, bold: bool) -> Lettering:
    """Draw one line of text at a font size in pixels; half of a picture's words stand in the next one too."""
    font = _font(bold)
    font.clear()
    font.set_size(size, 72)
    font.set_text(text, flags=_hinting())
    font.draw_glyphs_to_bitmap(antialiased=True)
    coverage = np.array(font.get_image())
    width, height = (one / _FIXED_POINT for one in font.get_width_height())
    lowest = font.get_descent() / _FIXED_POINT
    ascent, descent = (size * part for part in _line_height(bold))
    return Lettering(
        coverage=coverage,
        left=round(font.get_bitmap_offset()[0] / _FIXED_POINT),
        # The bitmap has a row below the lowest one of the text.
        top=round(lowest) + 1 - coverage.shape[0],
        width=width,
        ascent=max(ascent, height - lowest),
        descent=max(descent, lowest),
    )


@lru_cache(maxsize=4)
def slanted_outline(text: str, size: float, degrees: float) -> Path:
    """Return the outline of bold text around (0, 0), turned anticlockwise, in pixels to the right and up."""
    line = letter(text, size, bold=True)
    shape = TextPath((0, 0), text, size, prop=FontProperties(weight="bold"))
    middle = Affine2D().translate(-line.width / 2, (line.descent - line.ascent) / 2)
    return shape.transformed(middle.rotate_deg(degrees))


def thicken(coverage: Coverage, radius: float) -> tuple[Coverage, int]:
    """Return the coverage of all within `radius` pixels of text, and how much wider it is on each side."""
    reach = ceil(radius)
    high, wide = coverage.shape
    padded = np.pad(coverage, 2 * reach)
    thick = np.zeros((high + 2 * reach, wide + 2 * reach), np.uint8)
    for row, column, share in _disc(radius):
        part = padded[row : row + thick.shape[0], column : column + thick.shape[1]]
        np.maximum(thick, part if share == 1 else (part * share).astype(np.uint8), out=thick)
    return thick, reach


@cache
def _disc(radius: float) -> tuple[tuple[int, int, float], ...]:
    """Return row, column (from 0) and share (0 to 1) of the pixels that a disc covers."""
    reach = ceil(radius)
    row, column = np.indices((2 * reach + 1, 2 * reach + 1))
    share = np.clip(radius + 0.5 - np.hypot(row - reach, column - reach), 0, 1)
    return tuple((int(r), int(c), float(share[r, c])) for r, c in zip(*np.nonzero(share), strict=True))


@cache
def _font(bold: bool) -> FT2Font:
    """Return the first font of matplotlib's list, which it brings along; the others help out with glyphs."""
    found = []
    for family in rcParams["font.sans-serif"]:
        wanted = FontProperties(family=family, weight="bold" if bold else "normal")
        try:
            found.append(findfont(wanted, fallback_to_default=False))
        except ValueError:
            continue
    return get_font(found)


def _hinting() -> Any:
    """Return matplotlib's own choice, of a type that depends on its version."""
    return get_hinting_flag()  # type: ignore[no-untyped-call]


@cache
def _line_height(bold: bool) -> tuple[float, float]:
    """Return how far the font reaches above and below its baseline, in ems."""
    font = _font(bold)
    table = font.get_sfnt_table("OS/2")
    if table is None:
        return font.ascender / font.units_per_EM, -font.descender / font.units_per_EM
    return table["sTypoAscender"] / font.units_per_EM, -table["sTypoDescender"] / font.units_per_EM
