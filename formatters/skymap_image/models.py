"""Data of a sky-map image: grids, captions, positions and the drawn PNG."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from formatters.skymap_image.projection import ImageWindow

Position = tuple[float, float]
"""Right ascension and declination, ICRS degrees."""


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """A sky map sampled on the pixels of a projection; NaN outside the sky or where the map has no data."""

    density: NDArray[np.float32]
    """Probability density, sr⁻¹."""
    credible_level: NDArray[np.float32]
    """Credible level, 0 to 1."""


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
    area_50: str
    area_90: str
    facts: tuple[str, ...]
    """Lines beside the map, for example distance and instruments."""
    gw_alone: str | None = None
    """Caption of the dashed contour of the GW-only map; None without a second map."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SkyMapFigure:
    """Everything that is drawn on a sky-map image."""

    captions: Captions
    sky: Grid
    """All-sky grid, shape (SKY_HEIGHT, SKY_WIDTH)."""
    peak: Position
    """Centre of the tile with the highest probability density."""
    sun: Position
    moon: Position
    inset: Inset | None = None
    gw_alone: Grid | None = None
    """GW-only map on the all-sky grid, if the one drawn is a combined map."""


@dataclass(frozen=True, slots=True)
class DrawnPicture:
    """A drawn image and its alternative text."""

    png: bytes
    alt_text: str
    """Plain text of at most 2,000 characters, not escaped."""
