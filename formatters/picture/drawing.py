"""Grids to PNG, by matplotlib's Agg without pyplot, in pixels: one data unit of the only axes is one pixel.

Sizes are for a phone: a third of them is what a column of 360 px shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from math import ceil, floor

import contourpy
import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from formatters.picture import png
from formatters.picture.nouns import Grid, Inset, Picture, Words
from formatters.picture.projection import (
    CENTRE_RA,
    SKY_HEIGHT,
    SKY_WIDTH,
    WINDOW_PIXELS,
    Window,
    plane_to_window,
    sky_pixels,
    window_pixels,
)

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]
Point = tuple[float, float]
"""Pixels from the left and from the top."""

WIDTH = 1080
EDGE = 30
SKY_LEFT = 50
SKY_TOP = 160
_SKY_BOTTOM = SKY_TOP + SKY_HEIGHT
INSET_LEFT = 125
INSET_TOP = 705
INSET_ZOOM = 2
"""Pixels of the picture along each side of one of an inset's grid."""
_INSET = WINDOW_PIXELS * INSET_ZOOM
_DOTS_PER_INCH = 216
"""Dots per inch: 5 inches wide."""

PAPER = "#12151f"
SKY = (0.115, 0.135, 0.20, 1.0)
INK = "#f4f5f7"
FAINT = "#aab2c5"
LINES = "#55607a"
CONTOUR = "#ffffff"
OTHER = "#63c5ff"
PEAK = "#3dffcf"
SUN = "#ffd94a"
MOON = "#dfe4ee"
MARK = "#ff9f1c"

CREDIBLE = (0.5, 0.9)
_WHOLE = 0.88
"""A region with a larger share of the probability is all of the 90 % region that matters."""
_WIDTHS = {0.5: 5.0, 0.9: 2.6}
_SHADES = 160
_TICK = 28.0
_ROW = 62
"""Pixels between the lines of the key below the map."""
_LARGE, _MEDIUM, _SMALL = 52.0, 34.0, 29.0

_STEPS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 45.0, 60.0, 90.0)
_CASING = withStroke(linewidth=5, foreground=PAPER)


def draw(picture: Picture) -> bytes:
    """Return the PNG file, WIDTH pixels wide and under 300 kB."""
    height = _height(picture)
    figure = Figure(figsize=(WIDTH / 72, height / 72), dpi=72)
    figure.patch.set_visible(False)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1), frameon=False, xlim=(0, WIDTH), ylim=(height, 0))
    axes.axis("off")
    axes.patch.set_visible(False)
    _title(axes, picture.words)
    _sky(axes, picture)
    if picture.inset is not None:
        _inset(axes, picture, picture.inset)
    _key(axes, picture)
    # Straight onto the renderer: matplotlib's images are resampled, which takes longer than all of the rest.
    renderer = canvas.get_renderer()  # type: ignore[no-untyped-call]
    renderer.draw_image(renderer.new_gc(), 0, 0, _background(picture, height)[::-1])
    figure.draw(renderer)
    pixels: Bytes = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    return png.encode(pixels, _DOTS_PER_INCH)


def _height(picture: Picture) -> int:
    if picture.inset is not None:
        return INSET_TOP + _INSET + 65
    return _SKY_BOTTOM + (_ROW * 4 if picture.other is not None else _ROW * 3) + 50


def outlines(level: NDArray[np.float32], at: float) -> list[Floats]:
    """Trace the closed outlines of a credible region on a grid, as (columns, rows) of shape (points, 2).

    They run between the pixels that lie inside and the others, and along the grid's edge where the region
    runs out of it. Levels are 0 to 1, NaN is outside.
    """
    with np.errstate(invalid="ignore"):
        inside = level <= at
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not rows.size:
        return []
    top, left = int(rows[0]), int(columns[0])
    part = np.pad(inside[top : rows[-1] + 1, left : columns[-1] + 1], 1).astype(np.float32)
    found = contourpy.contour_generator(z=part, line_type=contourpy.LineType.Separate).lines(0.5)
    return [np.asarray(line) + np.array((left - 1, top - 1)) for line in found]


def _background(picture: Picture, height: int) -> Bytes:
    """Return both maps on paper, RGBA, the first row on top."""
    image = np.empty((height, WIDTH, 4), np.uint8)
    image[:] = _rgba(PAPER)
    image[SKY_TOP : SKY_TOP + SKY_HEIGHT, SKY_LEFT : SKY_LEFT + SKY_WIDTH] = _painted(picture.sky)
    if picture.inset is not None:
        square = _painted(picture.inset.grid).repeat(INSET_ZOOM, axis=0).repeat(INSET_ZOOM, axis=1)
        image[INSET_TOP : INSET_TOP + _INSET, INSET_LEFT : INSET_LEFT + _INSET] = square
    return image


def _painted(grid: Grid) -> Bytes:
    top = np.nanmax(grid.density, initial=0.0)
    # The square root keeps the wings of a region in sight beside a peak a hundred times denser.
    share = np.sqrt(grid.density * (1 / top if top > 0 else 0.0)) * (_SHADES - 1)
    share[np.isnan(share)] = _SHADES
    colours: Bytes = _shades()[share.astype(np.uint8)]
    return colours


@cache
def _shades() -> Bytes:
    """From the sky's own dark blue to yellow, lightness rising evenly; then the paper.

    Inferno, which colour-blind eyes read too, without its black and its palest end.
    """
    colours = colormaps["inferno"](np.linspace(0.10, 0.86, _SHADES))
    blend = np.clip(np.linspace(0, 6, _SHADES), 0, 1)[:, np.newaxis]
    mixed = (255 * (blend * colours + (1 - blend) * np.array(SKY))).round().astype(np.uint8)
    return np.vstack((mixed, np.array(_rgba(PAPER), np.uint8)))


def _rgba(colour: str) -> tuple[int, int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16), 255


def _title(axes: Axes, words: Words) -> None:
    room = WIDTH - 2 * EDGE
    if words.mark is not None:
        _text(axes, WIDTH - EDGE - 14, 52, words.mark, 44, PAPER, ha="right", weight="bold", box=MARK)
        room -= 200
    _text(axes, EDGE, 52, words.title, _fit(words.title, _LARGE, room, 0.66), INK, weight="bold")
    size = _fit(words.subtitle, _MEDIUM, WIDTH - 2 * EDGE, 0.60)
    _text(axes, EDGE, 120, words.subtitle, size, INK)


def _fit(text: str, size: float, room: float, advance: float) -> float:
    """Return the largest size, at most `size`, at which a text fits, from its mean advance in ems."""
    return min(size, room / (advance * max(len(text), 1)))


def _text(
    axes: Axes,
    x: float,
    y: float,
    text: str,
    size: float,
    colour: str,
    *,
    ha: str = "left",
    va: str = "center",
    weight: str = "normal",
    box: str | None = None,
    cased: bool = False,
) -> None:
    label = axes.text(
        x, y, text, size=size, color=colour, ha=ha, va=va, weight=weight, parse_math=False, zorder=9
    )
    if box is not None:
        label.set_bbox({"facecolor": box, "edgecolor": "none", "boxstyle": "round,pad=0.25"})
    if cased:
        label.set_path_effects([_CASING])


def _sky(axes: Axes, picture: Picture) -> None:
    middle = SKY_LEFT + SKY_WIDTH / 2, SKY_TOP + SKY_HEIGHT / 2
    # A region across RA 0 h is cut by the rim; the cut itself, two pixels wide, is no contour.
    rim = Ellipse(middle, SKY_WIDTH - 5, SKY_HEIGHT - 5, transform=axes.transData)
    _lines(axes, _graticule(), LINES, 1.4, rim=rim)
    _lines(axes, _galactic_plane(), FAINT, 2.6, style=(0, (5, 4)), rim=rim)
    if picture.words.mark is not None:
        _across(axes, *middle, picture.words.mark, 170)
    if picture.other is not None:
        lines = _placed(outlines(picture.other.level, 0.9), SKY_LEFT, SKY_TOP)
        _lines(axes, lines, OTHER, 3.2, style=(0, (3.5, 2)), rim=rim)
    for level in CREDIBLE:
        lines = _placed(outlines(picture.sky.level, level), SKY_LEFT, SKY_TOP)
        _lines(axes, lines, CONTOUR, _WIDTHS[level], cased=True, rim=rim)
    axes.add_patch(Ellipse(middle, SKY_WIDTH, SKY_HEIGHT, fill=False, edgecolor=FAINT, linewidth=3, zorder=4))
    for hour in range(3, 24, 3):
        x, y = _on_sky(hour * 15.0, 0.0)
        _text(axes, x, y + 20, f"{hour}h", 28, INK, ha="center", cased=True)
    for dec in (-60, -30, 30, 60):
        x, y = _on_sky(CENTRE_RA + 179.99, dec)
        _text(axes, x - 12, y, _degrees(dec, 1, signed=True), 25, INK, ha="right")
    _galactic_centre(axes)
    if picture.inset is not None and not _polar(picture.inset.window):
        _lines(axes, _frame(picture.inset.window), INK, 2.4, rim=rim)
    peak, sun, moon = (_on_sky(*position) for position in (picture.peak, picture.sun, picture.moon))
    _moon(axes, moon, (peak, sun))
    _sun(axes, sun, (peak, moon))
    _reticle(axes, *peak)


def _on_sky(ra: float, dec: float) -> Point:
    column, row = sky_pixels(np.array([ra]), np.array([dec]))
    return float(column[0]) + SKY_LEFT + 0.5, float(row[0]) + SKY_TOP + 0.5


def _placed(lines: Iterable[Floats], left: float, top: float, zoom: float = 1.0) -> list[Floats]:
    """Move lines from a grid, whose first pixel's centre is (0, 0), onto the picture."""
    return [(line + 0.5) * zoom + np.array((left, top)) for line in lines]


def _lines(
    axes: Axes,
    lines: Sequence[Floats],
    colour: str,
    width: float,
    *,
    style: object = "solid",
    cased: bool = False,
    rim: Ellipse | Rectangle | None = None,
) -> None:
    layers = [(colour, width)]
    if cased:
        layers.insert(0, (PAPER, width + 2.4))
    for layer_colour, layer_width in layers:
        drawn = LineCollection(lines, colors=layer_colour, linewidths=layer_width, linestyles=style)
        axes.add_collection(drawn, autolim=False)
        drawn.set_zorder(3)
        drawn.set_capstyle("round")
        if rim is not None:
            drawn.set_clip_path(rim)


@cache
def _graticule() -> list[Floats]:
    dec = np.linspace(-90, 90, 91)
    # 24 h lies on the rim, from either side.
    meridians = [sky_pixels(np.full_like(dec, hour * 15.0), dec) for hour in range(3, 24, 3)]
    ra = np.linspace(1e-6, 360 - 1e-6, 3)
    parallels = [sky_pixels(ra, np.full_like(ra, float(d))) for d in (-60, -30, 0, 30, 60)]
    return _placed([np.column_stack(line) for line in meridians + parallels], SKY_LEFT, SKY_TOP)


# ICRS degrees (the Hipparcos catalogue, ESA SP-1200, section 1.5.3).
_GALACTIC_POLE = (192.85948, 27.12825)
_GALACTIC_CENTRE = (266.40499, -28.93617)


@cache
def _galactic_plane() -> list[Floats]:
    turn = np.radians(np.linspace(0, 360, 361))
    ra_0, dec_0 = np.radians(_GALACTIC_POLE)
    # Two directions at right angles to the pole and to each other.
    along = np.array([-np.sin(ra_0), np.cos(ra_0), 0.0])
    across = np.array([-np.sin(dec_0) * np.cos(ra_0), -np.sin(dec_0) * np.sin(ra_0), np.cos(dec_0)])
    x, y, z = np.outer(along, np.cos(turn)) + np.outer(across, np.sin(turn))
    columns, rows = sky_pixels(np.degrees(np.arctan2(y, x)), np.degrees(np.arcsin(z)))
    return _placed(_unwrapped(columns, rows), SKY_LEFT, SKY_TOP)


def _unwrapped(columns: Floats, rows: Floats) -> list[Floats]:
    """Cut a line where it leaves the all-sky map on one side and comes back on the other."""
    cuts = np.flatnonzero(np.abs(np.diff(columns)) > SKY_WIDTH / 4) + 1
    return [piece for piece in np.split(np.column_stack((columns, rows)), cuts) if len(piece) > 1]


def _frame(window: Window) -> list[Floats]:
    """Return the inset's edges on the all-sky map; at least so large that they are seen around the peak."""
    half = max(window.half, 3.0)
    side = np.linspace(-half, half, 41)
    edge = np.full_like(side, half)
    east = np.concatenate((side, edge, -side, -edge))
    north = np.concatenate((edge, -side, -edge, side))
    columns, rows = sky_pixels(*plane_to_window(window, east, north))
    return _placed(_unwrapped(columns, rows), SKY_LEFT, SKY_TOP)


def _galactic_centre(axes: Axes) -> None:
    x, y = _on_sky(*_GALACTIC_CENTRE)
    axes.plot([x], [y], marker="o", markersize=11, color=FAINT, markeredgecolor=PAPER, zorder=4)
    _text(axes, x, y + 24, "GC", 23, FAINT, ha="center", cased=True)


def _sun(axes: Axes, place: Point, others: tuple[Point, ...]) -> None:
    axes.plot(*place, marker=(12, 1, 0), markersize=46, color=SUN, markeredgecolor=PAPER, zorder=5)
    _label_beside(axes, place, others, "Sun", SUN)


def _moon(axes: Axes, place: Point, others: tuple[Point, ...]) -> None:
    axes.plot(*place, marker=_crescent(), markersize=36, color=MOON, markeredgecolor=PAPER, zorder=5)
    _label_beside(axes, place, others, "Moon", MOON)


@cache
def _crescent() -> Floats:
    """Return the outline of a waxing Moon as a marker's corners."""
    outer, inner = np.radians(np.linspace(40, 320, 41)), np.radians(np.linspace(298, 62, 41))
    edge = np.column_stack((np.cos(outer), np.sin(outer)))
    hollow = 0.8 * np.column_stack((np.cos(inner), np.sin(inner)))
    hollow[:, 0] += edge[-1, 0] - hollow[0, 0]
    return np.concatenate((edge, hollow))


def _label_beside(axes: Axes, place: Point, others: tuple[Point, ...], text: str, colour: str) -> None:
    """Write a name on the side of the map's middle, or on the other if something stands there."""
    x, y = place
    side = -1 if x > WIDTH / 2 else 1
    if any(0 < (other[0] - x) * side < 170 and abs(other[1] - y) < 70 for other in others):
        side = -side
    _text(axes, x + 28 * side, y, text, 28, colour, ha="left" if side > 0 else "right", cased=True)


def _reticle(axes: Axes, x: float, y: float, near: float = 11, far: float = 30) -> None:
    arms = [
        np.array([(x + near * a, y + near * b), (x + far * a, y + far * b)])
        for a, b in ((1, 0), (-1, 0), (0, 1), (0, -1))
    ]
    for colour, width in ((PAPER, 10.0), (PEAK, 5.5)):
        axes.add_collection(LineCollection(arms, colors=colour, linewidths=width, zorder=8), autolim=False)


def _across(axes: Axes, x: float, y: float, mark: str, size: float) -> None:
    axes.text(
        x, y, mark, size=size, color=MARK, alpha=0.30, rotation=18, ha="center", va="center",
        weight="bold", zorder=3.5,
    )  # fmt: skip


def _inset(axes: Axes, picture: Picture, inset: Inset) -> None:
    square = Rectangle((INSET_LEFT, INSET_TOP), _INSET, _INSET, transform=axes.transData)
    _window_graticule(axes, inset.window, square)
    if picture.words.mark is not None:
        _across(axes, INSET_LEFT + _INSET / 2, INSET_TOP + _INSET / 2, picture.words.mark, 110)
    if inset.other is not None:
        lines = _placed(outlines(inset.other.level, 0.9), INSET_LEFT, INSET_TOP, INSET_ZOOM)
        _lines(axes, lines, OTHER, 4, style=(0, (3.5, 2)), rim=square)
    for level in CREDIBLE:
        lines = _placed(outlines(inset.grid.level, level), INSET_LEFT, INSET_TOP, INSET_ZOOM)
        _lines(axes, lines, CONTOUR, _WIDTHS[level] + 1, cased=True, rim=square)
    column, row = window_pixels(inset.window, np.array([picture.peak[0]]), np.array([picture.peak[1]]))
    x, y = (float(v[0] + 0.5) * INSET_ZOOM for v in (column, row))
    if 0 < x < _INSET and 0 < y < _INSET:
        _reticle(axes, x + INSET_LEFT, y + INSET_TOP, 14, 40)
    if inset.share < _WHOLE:
        said = f"{inset.share * 100:.0f}\u00a0% of the probability"
        _text(axes, INSET_LEFT + 18, INSET_TOP + 30, said, _SMALL, INK, cased=True)
    axes.add_patch(
        Rectangle((INSET_LEFT, INSET_TOP), _INSET, _INSET, fill=False, edgecolor=INK, linewidth=3, zorder=8)
    )


def _polar(window: Window) -> bool:
    """Whether a pole lies in the window or so near that its meridians run in all directions."""
    return abs(window.dec) + 1.5 * window.half >= 90


def _window_graticule(axes: Axes, window: Window, square: Rectangle) -> None:
    """Draw meridians and parallels in round degrees, and number them where they cross the edges."""
    polar = _polar(window)
    low, high = max(-90.0, window.dec - 2 * window.half), min(90.0, window.dec + 2 * window.half)
    step = _step(2 * window.half, 4)
    parallels = [dec for dec in _multiples(low, high, step) if abs(dec) < 90]
    # At least to the corners.
    reach = 180.0 if polar else 1.6 * window.half / np.cos(np.radians(window.dec))
    ra = np.linspace(window.ra - reach, window.ra + reach, 181)
    circles = [_on_window(window, ra, np.full_like(ra, dec)) for dec in parallels]
    for dec, line in zip(parallels, circles, strict=True):
        _number_parallel(axes, line, _degrees(dec, step, signed=True))
    step = 45.0 if polar else _step(1.25 * reach, 4.5)
    meridians = _multiples(window.ra - reach, window.ra + reach - (step / 2 if polar else 0), step)
    lat = np.linspace(low, high, 181)
    rays = [_on_window(window, np.full_like(lat, ra_1), lat) for ra_1 in meridians]
    taken: list[tuple[float, float]] = []
    for ra_1, line in zip(meridians, rays, strict=True):
        _number_meridian(axes, line, _degrees(ra_1 % 360, step), taken)
    _lines(axes, [*circles, *rays], LINES, 1.6, rim=square)


def _number_parallel(axes: Axes, line: Floats, text: str) -> None:
    y = _crossing(line[::-1], 0, INSET_LEFT)
    if y is not None:
        if INSET_TOP + 14 < y < INSET_TOP + _INSET - 14:
            _text(axes, INSET_LEFT - 10, y, text, _TICK, INK, ha="right")
        return
    # A circle around a pole.
    seen = line[
        np.all((line > (INSET_LEFT, INSET_TOP)) & (line < (INSET_LEFT + _INSET, INSET_TOP + _INSET)), axis=1)
    ]
    if seen.size:
        x, y = seen[seen[:, 1].argmax()]
        _text(axes, float(x), float(y), text, _TICK, INK, ha="center", cased=True)


def _number_meridian(axes: Axes, line: Floats, text: str, taken: list[tuple[float, float]]) -> None:
    """Number a meridian below the inset, else above; not where another's number stands."""
    for edge, y in ((INSET_TOP + _INSET, INSET_TOP + _INSET + 26), (INSET_TOP, INSET_TOP - 22)):
        x = _crossing(line, 1, edge)
        if x is None:
            continue
        if INSET_LEFT + 30 < x < INSET_LEFT + _INSET - 30 and all(
            abs(x - other) > 125 for other, row in taken if row == y
        ):
            _text(axes, x, y, text, _TICK, INK, ha="center")
            taken.append((x, y))
        return


def _on_window(window: Window, ra: Floats, dec: Floats) -> Floats:
    line = np.column_stack(window_pixels(window, ra, dec))
    return _placed([line], INSET_LEFT, INSET_TOP, INSET_ZOOM)[0]


def _crossing(line: Floats, axis: int, at: float) -> float | None:
    """Return where a line first crosses the vertical (axis 0) or horizontal (axis 1) through `at`."""
    side = line[:, axis] - at
    places = np.flatnonzero(side[:-1] * side[1:] <= 0)
    for place in places:
        before, after = side[place], side[place + 1]
        share = before / (before - after) if before != after else 0.0
        found = float(line[place, 1 - axis] * (1 - share) + line[place + 1, 1 - axis] * share)
        start = (INSET_TOP, INSET_LEFT)[axis]
        if start <= found <= start + _INSET:
            return found
    return None


def _step(width: float, parts: float) -> float:
    return next((step for step in _STEPS if step >= width / parts), _STEPS[-1])


def _multiples(low: float, high: float, step: float) -> list[float]:
    return [number * step for number in range(ceil(low / step), floor(high / step) + 1)]


def _degrees(value: float, step: float, *, signed: bool = False) -> str:
    decimals = 0 if step >= 1 else 1 if step >= 0.1 else 2
    text = f"{value:{'+' if signed else ''}.{decimals}f}°"
    return text.replace("-", "\u2212")


def _key(axes: Axes, picture: Picture) -> None:
    """Say what the lines are, and the areas and facts in large letters."""
    other = picture.words.other if picture.other is not None else None
    if picture.inset is None:
        _key_below(axes, picture.words, other)
    else:
        _key_beside(axes, picture.words, other)


def _key_below(axes: Axes, words: Words, other: str | None) -> None:
    y = _SKY_BOTTOM + _ROW
    for x, level, area in zip((EDGE, EDGE + 500), CREDIBLE, (words.area_50, words.area_90), strict=True):
        _swatch(axes, x, y, _WIDTHS[level], CONTOUR)
        said = f"{level * 100:.0f}\u00a0%: {area}"
        _text(axes, x + 70, y, said, _fit(said, 40, 430, 0.66), INK, weight="bold")
    y += _ROW
    facts = " · ".join(words.facts)
    _text(axes, EDGE, y, facts, _fit(facts, 36, WIDTH - 2 * EDGE, 0.6), INK)
    if other is not None:
        y += _ROW
        _swatch(axes, EDGE, y, 4, OTHER, dashed=True)
        _text(axes, EDGE + 70, y, other, 34, OTHER)
    y += _ROW
    _key_to_marks(axes, (EDGE, y), (EDGE + 500, y))


def _key_beside(axes: Axes, words: Words, other: str | None) -> None:
    x, y = INSET_LEFT + _INSET + 30, INSET_TOP + 24
    room = WIDTH - x - 15
    for level, area in zip(CREDIBLE, (words.area_50, words.area_90), strict=True):
        _swatch(axes, x, y, _WIDTHS[level] + 1, CONTOUR)
        _text(axes, x + 70, y, f"{level * 100:.0f}\u00a0% region", _SMALL, FAINT)
        _text(axes, x, y + 46, area, _fit(area, 48, room, 0.66), INK, weight="bold")
        y += 110
    for fact in words.facts:
        _text(axes, x, y, fact, _fit(fact, 38, room, 0.62), INK)
        y += 56
    if other is not None:
        first, _, second = other.partition(": ")
        _swatch(axes, x, y, 4, OTHER, dashed=True)
        _text(axes, x + 70, y, first, _fit(first, _SMALL, room - 70, 0.6), OTHER)
        _text(axes, x, y + 42, second, _fit(second, 38, room, 0.62), OTHER)
        y += 98
    _key_to_marks(axes, (x, y), (x, y + 52))


def _key_to_marks(axes: Axes, peak: tuple[float, float], plane: tuple[float, float]) -> None:
    _reticle(axes, peak[0] + 28, peak[1], 6, 20)
    _text(axes, peak[0] + 70, peak[1], "densest tile", _SMALL, FAINT)
    _swatch(axes, *plane, 3, FAINT, dashed=True)
    _text(axes, plane[0] + 70, plane[1], "Galactic plane", _SMALL, FAINT)


def _swatch(axes: Axes, x: float, y: float, width: float, colour: str, *, dashed: bool = False) -> None:
    style = (0, (3.5, 2)) if dashed else "solid"
    _lines(axes, [np.array([(x, y), (x + 56, y)])], colour, width, style=style)
