"""Sizes and colours of sky-map images. The background is dark, to suit Slack's light and dark themes.

Sizes are pixels, chosen for phones: a 360 px column shows the image at a third of its size. The inferno
colour map stays ordered for colour-blind readers; lines differ in width, dashes and lightness, not only in
hue.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray

from formatters.skymap_image.canvas import BACKGROUND
from formatters.skymap_image.models import CREDIBLE_LEVELS as CREDIBLE_LEVELS
from formatters.skymap_image.models import Grid
from formatters.skymap_image.projection import SKY_HEIGHT, WINDOW_PIXELS

WIDTH = 1080
MARGIN = 30
SKY_LEFT = 50
SKY_TOP = 160
SKY_BOTTOM = SKY_TOP + SKY_HEIGHT
INSET_LEFT = 125
INSET_TOP = 705
INSET_ZOOM = 2
"""Image pixels per pixel of an inset's grid, along each side."""
INSET_SIDE = WINDOW_PIXELS * INSET_ZOOM
ROW_HEIGHT = 62
"""Distance between the lines of the key below the map, pixels."""
DOTS_PER_INCH = 216
"""Resolution that makes the image five inches wide."""

SKY_COLOUR = (0.115, 0.135, 0.20, 1.0)
INK = "#f4f5f7"
FAINT = "#aab2c5"
GRATICULE = "#55607a"
CONTOUR = "#ffffff"
GW_ALONE_CONTOUR = "#63c5ff"
PEAK = "#3dffcf"
SUN = "#ffd94a"
MOON = "#dfe4ee"
MOON_DARK = "#4b5468"
WATERMARK = "#ff9f1c"
MARK = "#a8ff60"
BADGE = "#c9d2e6"

LARGE, MEDIUM, SMALL, TICK = 52.0, 34.0, 29.0, 28.0

CONTOUR_WIDTHS = {0.5: 5.0, 0.9: 2.6}
"""Line widths of the contours, pixels, by credible level; the inset's are one pixel wider."""

SUN_CIRCLE_WIDTH = 2.6
BODIES_ZORDER = 2.8
"""Sun and Moon lie above the sky's colours and the watermark, and below contours and the peak's mark."""

_COLOUR_STEPS = 72
"""More can't be told apart, and leave fewer of a PNG's 256 colours for what is drawn above."""
_UNIFORM_SCALE = 9.0
ColourIndices = NDArray[np.uint8]


def colourize(grid: Grid, *, uniform: bool = False) -> ColourIndices:
    """Return the index in `palette` of each pixel's colour, by its density.

    A `uniform` map has the colour of a region's wings: it has no bright place.
    """
    seen = np.zeros(grid.tile_density.size, np.bool_)
    seen[grid.tiles] = True
    # A single hot tile, as combined maps have them, would leave all others dark.
    top = float(np.nanmax(grid.tile_density[seen], initial=0.0))
    top = _UNIFORM_SCALE * top if uniform else min(top, grid.full_scale)
    # The square root keeps a region's wings visible beside a peak a hundred times denser.
    share = np.sqrt(np.minimum(grid.tile_density * (1 / top if top > 0 else 0.0), 1)) * (_COLOUR_STEPS - 1)
    indices: ColourIndices = np.nan_to_num(share, copy=False, nan=_COLOUR_STEPS).astype(np.uint8)[grid.tiles]
    return indices


def blank_pixels(height: int, width: int) -> ColourIndices:
    """Return an array of background pixels, in the format of `colourize`."""
    return np.full((height, width), _COLOUR_STEPS, np.uint8)


@cache
def palette() -> NDArray[np.uint8]:
    """Return the colours from dark blue (the sky) to yellow, with even lightness, then the background.

    They are RGBA, opaque, of shape (colours, 4). Inferno without its black and its palest end.
    """
    colours = colormaps["inferno"](np.linspace(0.10, 0.86, _COLOUR_STEPS))
    blend = np.clip(np.linspace(0, 6, _COLOUR_STEPS), 0, 1)[:, np.newaxis]
    mixed = (255 * (blend * colours + (1 - blend) * np.array(SKY_COLOUR))).round().astype(np.uint8)
    last = (*bytes.fromhex(BACKGROUND[1:]), 255)
    return np.vstack((mixed, np.array(last, np.uint8)))


def fit_font_size(text: str, size: float, room: float, advance: float = 0.6) -> float:
    """Return the largest font size, at most `size`, at which `text` fits into `room` pixels.

    `advance` is the mean advance of a character in ems.
    """
    return min(size, room / (advance * max(len(text), 1)))


def format_degrees(value: float, step: float, *, signed: bool = False) -> str:
    """Format degrees, for example "−17.5°", with enough decimals to distinguish values `step` apart."""
    decimals = 0 if step >= 1 else 1 if step >= 0.1 else 2
    text = f"{value:{'+' if signed else ''}.{decimals}f}°"
    return text.replace("-", "\u2212")


def format_hours(ra: float, step: float) -> str:
    """Format a right ascension, given in degrees, in hours: "23h", "23h20m", "23h20m30s".

    Minutes and seconds are given as far as values `step` degrees apart need them.
    """
    seconds = round(ra * 240) % 86_400
    hours, minutes, rest = seconds // 3600, seconds // 60 % 60, seconds % 60
    text = f"{hours}h"
    if round(step * 240) % 3600:
        text += f"{minutes:02d}m"
    return f"{text}{rest:02d}s" if round(step * 240) % 60 else text
