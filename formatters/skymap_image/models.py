"""What a picture is made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from formatters.skymap_image.projection import ImageWindow

Position = tuple[float, float]
"""RA and Dec, ICRS degrees."""


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """A map on the pixels of a projection; NaN where there is no sky, or none of the map."""

    density: NDArray[np.float32]
    """sr⁻¹."""
    credible_level: NDArray[np.float32]
    """Credible level, 0 to 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Inset:
    """The main region, larger."""

    window: ImageWindow
    grid: Grid
    probability: float
    """The main region's share of the map's probability, 0 to 1."""
    gw_alone: Grid | None = None
    """The other map in the same window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Captions:
    """What stands on a picture: plain text, not escaped."""

    title: str
    subtitle: str
    watermark: str | None
    """MOCK or TEST, written across; None for what is real."""
    area_50: str
    area_90: str
    facts: tuple[str, ...]
    """Lines beside the map: distance, instruments."""
    gw_alone: str | None = None
    """What the dashed contour is, where there is a second map."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SkyMapFigure:
    """Everything that is drawn."""

    captions: Captions
    sky: Grid
    """On the all-sky grid, (SKY_HEIGHT, SKY_WIDTH)."""
    peak: Position
    """Of the densest tile's centre."""
    sun: Position
    moon: Position
    inset: Inset | None = None
    gw_alone: Grid | None = None
    """The GW map alone, on the all-sky grid, where the one drawn is a combined map."""


@dataclass(frozen=True, slots=True)
class DrawnPicture:
    """A picture and what it shows in words."""

    png: bytes
    alt_text: str
    """At most 2,000 characters, not escaped."""
