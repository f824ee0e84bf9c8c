"""A pixel canvas of lines, text and markers: matplotlib's artists without axes and without pyplot.

One unit is one pixel, measured from the left and from the top. A phone's 360 px column shows the image at
a third of its size.
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
    """A canvas of artists over images. The images are drawn first, then the artists by zorder."""

    def __init__(self, width: int, height: int) -> None:
        self._figure = Figure(figsize=(width / 72, height / 72), dpi=72)
        self._figure.patch.set_visible(False)
        self._canvas = FigureCanvasAgg(self._figure)
        self._pixels = Affine2D.from_values(1, 0, 0, -1, 0, height)
        self._height = height
        self._images: list[tuple[Bytes, int, int]] = []

    def add_image(self, rgba: Bytes, left: int = 0, top: int = 0) -> None:
        """Add an image of shape (height, width, 4) above those added before, without scaling."""
        self._images.append((rgba, left, top))

    def add_artist(self, artist: Artist) -> None:
        """Add a matplotlib artist with pixel coordinates."""
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
        """Draw lines of shape (points, 2), clipped to `within` (left, top, width, height) if given."""
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
        """Draw a matplotlib marker of `size` pixels, outlined in the background colour."""
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
        """Write text, vertically centred at `y`; a dollar sign is literal and starts no formula."""
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
        """Render the canvas as RGBA of shape (height, width, 4), straight alpha."""
        renderer = self._canvas.get_renderer()  # type: ignore[no-untyped-call]
        # Composite the images here, because matplotlib would resample them, which takes longer than the rest.
        for rgba, left, top in self._images:
            bottom = self._height - top - rgba.shape[0]
            renderer.draw_image(renderer.new_gc(), left, bottom, rgba[::-1])
        self._figure.draw(renderer)
        drawn: Bytes = np.asarray(self._canvas.buffer_rgba())  # type: ignore[no-untyped-call]
        return drawn
