"""The place of a sky position in a sky map."""

from __future__ import annotations

from dataclasses import dataclass

from formatters.models.notice import Distance


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionOnMap:
    """The location of one sky position relative to the credible regions of one sky map."""

    credible_level: float
    """Credible level, 0 to 1: the probability of all tiles at least as dense as the position's tile."""
    relative_density: float
    """Ratio of the probability density here to the map's peak density, 0 to 1."""
    searched_area: float
    """Searched area, deg²: the area of all tiles at least as dense as the position's tile."""
    in_50: bool
    in_90: bool
    distance: Distance | None
    """Distance distribution along this line of sight; None if the map has no distance here."""
    credible_level_3d: float | None
    """Probability, 0 to 1, of all volume at least as dense as the target's; None without distances."""
