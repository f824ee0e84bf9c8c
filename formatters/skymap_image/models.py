"""Data of a sky-map image: grids, captions, positions and the drawn PNG."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from formatters.skymap_image.projection import ImageWindow

CREDIBLE_LEVELS = (0.5, 0.9)
"""Levels (0 to 1) of the regions that are outlined."""
SUN_CIRCLE_DEG = 45.0
"""Angle from the Sun, degrees, within which most telescopes don't observe."""

Position = tuple[float, float]
"""Right ascension and declination, ICRS degrees."""


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """A sky map sampled on the pixels of a projection.

    What is the same all over a tile is kept by tile, so that half a million pixels are one array of indices.
    The last entry of those arrays is NaN; it is for pixels outside the sky or where the map has no data.
    """

    tiles: NDArray[np.int32]
    """Index of the tile that each pixel lies in, shape (rows, columns)."""
    tile_density: NDArray[np.float32]
    """Probability density, sr⁻¹."""
    tile_level: NDArray[np.float32]
    """Credible level, 0 to 1."""
    full_scale: float = inf
    """Density (sr⁻¹) from which on the colour doesn't change, because few tiles are denser."""
    tile_width: NDArray[np.float32] | None = None
    """Width in pixels. None if it isn't known."""

    @property
    def density(self) -> NDArray[np.float32]:
        """Return the density (sr⁻¹) of each pixel."""
        return self.tile_density[self.tiles]

    @property
    def credible_level(self) -> NDArray[np.float32]:
        """Return the credible level (0 to 1) of each pixel."""
        return self.tile_level[self.tiles]


@dataclass(frozen=True, slots=True, eq=False)
class Inset:
    """Enlarged view of the main region."""

    window: ImageWindow
    grid: Grid
    probability: float
    """Probability of the main region, 0 to 1."""
    gw_alone: Grid | None = None
    """The GW-only map in the same window, if the one drawn is a combined map."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Captions:
    """Text shown on a sky-map image, plain and not escaped."""

    title: str
    subtitle: str
    watermark: str | None
    """MOCK or TEST, written across the map; None for real events."""
    badges: tuple[str, ...] = ()
    """Marks in a box beside the subtitle: EARLY WARNING, LOW SIGNIFICANCE, RETRACTED."""
    area_50: str
    area_90: str
    facts: tuple[str, ...]
    """Lines beside the map, for example distance and instruments."""
    gw_alone: str | None = None
    """Caption of the dashed contour of the GW-only map; None without a second map."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnSky:
    """The things that are drawn on a sky-map image beside the map: Sun, Moon and outlines."""

    sun: Position
    moon: Position
    moon_illumination: float
    """Illuminated part of the Moon's disc, 0 to 1."""
    near_sun: float | None = None
    """Probability (0 to 1) within SUN_CIRCLE_DEG of the Sun, if the circle is worth drawing."""
    outlined: tuple[float, ...] = CREDIBLE_LEVELS
    """Credible levels whose region is outlined; outlines of others would tell nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A place that is circled on a map, with its number."""

    ra: float
    """Right ascension, ICRS degrees."""
    dec: float
    """Declination, ICRS degrees."""
    number: int
    text: str
    """The words of the key, plain and bounded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnField:
    """A telescope's field on a map, with its number."""

    ra: float
    """Right ascension of the centre, ICRS degrees."""
    dec: float
    number: int
    outlines: tuple[tuple[Position, ...], ...]
    """Closed lines, one for each detector."""
    is_planned: bool = False
    """True for what somebody plans beside what is done: its lines are dashed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """Places that are circled and numbered, fields that are outlined, and what the key says of them."""

    title: str
    marks: tuple[Mark, ...] = ()
    fields: tuple[DrawnField, ...] = ()
    """In the order in which they are observed; the inset shows all of them, if they fit."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SkyMapFigure:
    """Everything that is drawn on a sky-map image."""

    captions: Captions
    sky: Grid
    """All-sky grid, shape (SKY_HEIGHT, SKY_WIDTH)."""
    peak: Position | None
    """Centre of the tile with the highest probability density; None for a uniform map."""
    above: DrawnSky
    """The things drawn above the map's colours."""
    inset: Inset | None = None
    gw_alone: Grid | None = None
    """GW-only map on the all-sky grid, if the one drawn is a combined map and the region can be outlined."""
    marks: Marks | None = None


@dataclass(frozen=True, slots=True)
class DrawnPicture:
    """A drawn image and its alternative text."""

    png: bytes
    alt_text: str
    """Plain text of at most 2,000 characters, not escaped."""
