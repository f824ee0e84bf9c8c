"""Lines, letters and marks on a sheet of pixels: matplotlib's artists without its axes and without pyplot.

One unit is one pixel, from the left and from the top. A phone's column of 360 px shows a third of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from matplotlib.transforms import Affine2D
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]
Point = tuple[float, float]
"""Pixels from the left and from the top."""

BACKGROUND = "#12151f"
_DASHES = (0.0, (3.5, 2.0))
_CASING = withStroke(linewidth=5, foreground=BACKGROUND)


class Canvas:
    """Artists, and the images under them; drawn at the end, images first, then by zorder."""

    def __init__(self, width: int, height: int) -> None:
        self._figure = Figure(figsize=(width / 72, height / 72), dpi=72)
        self._figure.patch.set_visible(False)
        self._canvas = FigureCanvasAgg(self._figure)
        self._pixels = Affine2D.from_values(1, 0, 0, -1, 0, height)
        self._height = height
        self._images: list[tuple[Bytes, int, int]] = []

    def add_image(self, rgba: Bytes, left: int = 0, top: int = 0) -> None:
        """Put an image (height, width, 4), pixel by pixel; one that came before lies beneath."""
        self._images.append((rgba, left, top))

    def add_artist(self, artist: Artist) -> None:
        """Put any artist, in pixels."""
        artist.set_transform(self._pixels)
        self._figure.add_artist(artist)

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
        """Draw lines of shape (points, 2); `within` (left, top, width, height) cuts them off."""
        layers = [(BACKGROUND, width + 2.4), (colour, width)] if cased else [(colour, width)]
        for layer_colour, layer_width in layers:
            drawn = LineCollection(
                lines,
                colors=layer_colour,
                linewidths=layer_width,
                linestyles=[_DASHES] if dashed else "solid",
                capstyle="butt" if dashed else "round",
                zorder=zorder,
            )
            self.add_artist(drawn)
            if within is not None:
                drawn.set_clip_path(Rectangle(within[:2], *within[2:], transform=self._pixels))

    def draw_marker(self, place: Point, marker: object, size: float, colour: str, zorder: float = 5) -> None:
        """Put one of matplotlib's markers, edged in the paper's colour; `size` is its width."""
        self.add_artist(
            Line2D(
                [place[0]],
                [place[1]],
                marker=marker,  # type: ignore[arg-type]
                markersize=size,
                color=colour,
                markeredgecolor=BACKGROUND,
                zorder=zorder,
            )
        )

    def draw_outline(self, patch: Patch, colour: str, width: float, zorder: float) -> None:
        """Draw a shape's outline."""
        patch.set(fill=False, edgecolor=colour, linewidth=width, zorder=zorder)
        self.add_artist(patch)

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
        alpha: float = 1.0,
        rotation: float = 0.0,
        zorder: float = 9,
    ) -> None:
        """Write in the middle of a line's height; a dollar sign is one, and no formula."""
        label = Text(
            x,
            y,
            text,
            size=size,
            color=colour,
            ha=ha,
            va="center",
            weight="bold" if bold else "normal",
            parse_math=False,
            alpha=alpha,
            rotation=rotation,
            zorder=zorder,
        )
        if box is not None:
            label.set_bbox({"facecolor": box, "edgecolor": "none", "boxstyle": "round,pad=0.25"})
        if cased:
            label.set_path_effects([_CASING])
        self.add_artist(label)

    def to_pixels(self) -> Bytes:
        """Draw it all: (height, width, 4), straight alpha."""
        renderer = self._canvas.get_renderer()  # type: ignore[no-untyped-call]
        # Straight onto the renderer: matplotlib's own images are resampled, which takes longer than the rest.
        for rgba, left, top in self._images:
            bottom = self._height - top - rgba.shape[0]
            renderer.draw_image(renderer.new_gc(), left, bottom, rgba[::-1])
        self._figure.draw(renderer)
        drawn: Bytes = np.asarray(self._canvas.buffer_rgba())  # type: ignore[no-untyped-call]
        return drawn
