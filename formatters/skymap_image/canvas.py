"""A pixel canvas of lines, text and markers on matplotlib's Agg renderer, without figure, axes or pyplot.

One unit is one pixel, measured from the left and from the top. A phone's 360 px column shows the image at
a third of its size. matplotlib's artists would take twice as long as the drawing itself, text most of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from typing import Any

import numpy as np
from matplotlib.backend_bases import GraphicsContextBase
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.colors import to_rgb
from matplotlib.markers import MarkerStyle
from matplotlib.patches import BoxStyle, Patch
from matplotlib.path import Path
from matplotlib.transforms import Affine2D, Bbox
from matplotlib.typing import CapStyleType, JoinStyleType
from numpy.typing import NDArray

from formatters.skymap_image import lettering

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]
Point = tuple[float, float]
"""Pixels from the left and from the top."""

BACKGROUND = "#12151f"
_DASHES = np.array((3.5, 2.0))
"""Lengths of a dash and of a gap, in widths of the line."""
_CASING = 2.5
"""Width of the dark rim around cased text."""
_SHARES_LEFT = {"left": 0.0, "center": 0.5, "right": 1.0}
"""How much of a text is left of the point that it is aligned with."""
_BOX_STYLE = BoxStyle.Round(pad=0.25)


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """The pixels of a drawing that are not transparent, to be laid over images of its size or higher."""

    place: NDArray[np.int64]
    """Index of each pixel, row by row, shape (n,)."""
    colour: NDArray[np.uint16]
    """RGBA, 0 to 255, of which RGB are multiplied by A, shape (n, 4)."""
    rest: NDArray[np.uint16]
    """255 − A, shape (n, 1)."""


class Canvas:
    """A canvas of drawings over an image, the later above the earlier, unless their zorder differs."""

    def __init__(self, width: int, height: int) -> None:
        # Its methods have no types.
        self._renderer: Any = RendererAgg(width, height, 72)  # type: ignore[no-untyped-call]
        self._height = height
        self._pixels = Affine2D.from_values(1, 0, 0, -1, 0, height)
        self._drawings: list[tuple[float, Callable[[], None]]] = []
        self._buffer: Bytes = np.asarray(self._renderer.buffer_rgba())  # type: ignore[no-untyped-call]

    def fill(self, indices: Bytes, palette: Bytes) -> None:
        """Begin with an image of shape (height, width), given as indices in a palette of opaque RGBA."""
        # One 32-bit number a pixel: four bytes each take four times as long. "clip" writes without a copy.
        packed = self._buffer.view(np.uint32)[..., 0]
        palette.view(np.uint32)[:, 0].take(indices, out=packed, mode="clip")

    def draw_layer(self, layer: Layer) -> None:
        """Lay another canvas's drawing, as wide as this canvas, over the image, below everything else."""

        def blend() -> None:
            packed = self._buffer.view(np.uint32).ravel()
            below = packed[layer.place].view(np.uint8).reshape(-1, 4)
            mixed = (below * layer.rest + 127) // 255 + layer.colour // 255
            packed[layer.place] = mixed.astype(np.uint8).view(np.uint32)[:, 0]

        self._drawings.append((0, blend))

    def draw_lines(
        self,
        lines: Sequence[Floats],
        colour: str,
        width: float,
        *,
        dashed: bool = False,
        cased: bool = False,
        zorder: float = 3,
        within: tuple[float, float, float, float] | None = None,
    ) -> None:
        """Draw lines of shape (points, 2), clipped to `within` (left, top, width, height) if given."""
        paths = [Path(line) for line in lines]
        for path in paths:
            path.should_simplify = False
        for layer_colour, layer_width in [(BACKGROUND, width + 2.4), (colour, width)][not cased :]:
            context = self._context(layer_colour, layer_width, "butt" if dashed else "round")
            if dashed:
                context.set_dashes(0, _DASHES * layer_width)
            if within is not None:
                left, top, wide, high = within
                context.set_clip_rectangle(Bbox.from_bounds(left, self._height - top - high, wide, high))
            self._draw_paths(paths, context, zorder)

    def draw_marker(
        self,
        place: Point,
        marker: str | tuple[int, int, float] | Floats,
        size: float,
        colour: str,
        zorder: float = 5,
    ) -> None:
        """Draw a matplotlib marker of `size` pixels, outlined in the background colour."""
        style = MarkerStyle(marker)
        context = self._context(BACKGROUND, 1.0, style.get_capstyle(), style.get_joinstyle())
        threshold = style.get_snap_threshold()
        context.set_snap(None if threshold is None else size >= threshold)
        self._drawings.append(
            (
                zorder,
                lambda: self._renderer.draw_markers(
                    context,
                    style.get_path(),
                    Affine2D(style.get_transform().get_matrix()).scale(size),
                    Path([place]),
                    self._pixels,
                    _rgb(colour),
                ),
            )
        )

    def draw_outline(self, patch: Patch, colour: str, width: float, zorder: float) -> None:
        """Draw a shape's outline."""
        shape = patch.get_path().transformed(patch.get_patch_transform())
        self._draw_paths([shape], self._context(colour, width, "butt", "miter"), zorder)

    def draw_text(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        colour: str,
        *,
        ha: str = "left",
        bold: bool = False,
        box: str | None = None,
        cased: bool = False,
        zorder: float = 9,
    ) -> None:
        """Write text, vertically centred at `y`, in a `box` of a colour or in a dark rim (`cased`)."""
        letters = lettering.letter(text, size, bold=bold)
        left = x - letters.width * _SHARES_LEFT[ha]
        baseline = y + (letters.ascent - letters.descent) / 2
        if box is not None:
            height = letters.ascent + letters.descent
            shape = _BOX_STYLE(left, y - height / 2, letters.width, height, size)
            self._draw_paths([shape], self._context(box, 0, "butt"), zorder, fill=box)
        column, row = round(left) + letters.left, round(baseline) + letters.top
        if cased:
            rim, reach = lettering.thicken(letters.coverage, _CASING)
            self._draw_coverage(rim, column - reach, row - reach, BACKGROUND, zorder)
        self._draw_coverage(letters.coverage, column, row, colour, zorder)

    def draw_slanted_text(
        self,
        middle: Point,
        text: str,
        size: float,
        colour: str,
        *,
        degrees: float,
        alpha: float,
        zorder: float,
    ) -> None:
        """Write translucent bold text around a point, turned anticlockwise."""
        context = self._context(colour, 0, "butt")
        context.set_alpha(alpha)
        shape = lettering.slanted_outline(text, size, degrees)
        moved = Affine2D().translate(middle[0], self._height - middle[1])
        self._drawings.append((zorder, lambda: self._renderer.draw_path(context, shape, moved, _rgb(colour))))

    def to_pixels(self) -> Bytes:
        """Render the canvas as RGBA of shape (height, width, 4), straight alpha."""
        for _, draw in sorted(self._drawings, key=itemgetter(0)):
            draw()
        self._drawings.clear()
        return self._buffer

    def to_layer(self) -> Layer:
        """Render the canvas as a layer for others."""
        pixels = self.to_pixels().reshape(-1, 4)
        place = np.flatnonzero(pixels[:, 3])
        colour = pixels[place].astype(np.uint16)
        alpha = colour[:, 3:].copy()
        colour[:, :3] *= alpha
        colour[:, 3] *= 255
        return Layer(place, colour, 255 - alpha)

    def _context(
        self, colour: str, width: float, cap: CapStyleType, join: JoinStyleType = "round"
    ) -> GraphicsContextBase:
        context: GraphicsContextBase = self._renderer.new_gc()
        context.set_foreground((*_rgb(colour), 1.0), isRGBA=True)
        context.set_linewidth(width)
        context.set_capstyle(cap)
        context.set_joinstyle(join)
        return context

    def _draw_paths(
        self, paths: Sequence[Path], context: GraphicsContextBase, zorder: float, fill: str | None = None
    ) -> None:
        inner = None if fill is None else _rgb(fill)

        def draw() -> None:
            for path in paths:
                self._renderer.draw_path(context, path, self._pixels, inner)

        self._drawings.append((zorder, draw))

    def _draw_coverage(
        self, coverage: lettering.Coverage, left: int, top: int, colour: str, zorder: float
    ) -> None:
        rgba = np.empty((*coverage.shape, 4), np.uint8)
        rgba[..., :3] = [round(255 * one) for one in _rgb(colour)]
        # Agg counts images from the bottom.
        rgba[..., 3] = coverage[::-1]
        bottom = self._height - top - coverage.shape[0]
        context = self._renderer.new_gc()
        self._drawings.append((zorder, lambda: self._renderer.draw_image(context, left, bottom, rgba)))


_rgb = cache(to_rgb)
