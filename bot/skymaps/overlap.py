"""Comparison of a map combined with an external event's with the map of the GW signal alone."""

from __future__ import annotations

from bot.skymaps.skymap import SkyMap, credible_levels, tile_at


def credible_level_at(skymap: SkyMap, ra: float, dec: float) -> float:
    """Return the credible level (0 to 1) of a position (ICRS degrees): small near the peak.

    A position in a gap of the map has the level 1, because the map gives it no probability.
    """
    tile = tile_at(skymap, ra, dec)
    return 1.0 if tile is None else min(float(credible_levels(skymap)[tile]), 1.0)
