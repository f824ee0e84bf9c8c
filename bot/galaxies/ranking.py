"""Rank the galaxies of a catalogue by a sky map: probability density at the galaxy times its stellar mass.

dP/dV is that of Singer et al. 2016 (ApJL 829, L15), averaged over the error of the galaxy's distance; the
weight by stellar mass follows Ducoin et al. 2020 (MNRAS 492, 4768). Shares are normalised over the galaxies
inside the map's 90 % credible volume, so they say how the ranking is split and not how probable a host is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bot.galaxies.catalogue_index import Catalogue
from bot.skymaps.arrays import Flags, Floats, Integers
from bot.skymaps.skymap import SkyMap, credible_levels
from bot.skymaps.volume_levels import VolumeLevels
from formatters.models.galaxy import RankedGalaxy

LEVEL = 0.9
"""The credible volume whose galaxies are ranked."""


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """All galaxies inside a map's 90 % credible volume, the first in rank first; arrays of shape (k,)."""

    row: Integers
    """Index in the catalogue."""
    share: Floats
    """Share of the ranking, 0 to 1; the sum is 1."""
    level_2d: Floats
    level_3d: Floats


def rank_galaxies(catalogue: Catalogue, skymap: SkyMap, levels: VolumeLevels) -> Ranking:
    """Rank the galaxies of the catalogue inside the 90 % credible volume of the map.

    `levels` is the map's own table. Galaxies of equal weight are in the order of the catalogue.
    """
    row, tile = _rows_near(catalogue, skymap, levels)
    line = levels.row[tile]
    rows = catalogue.rows[row]
    distance = rows["distance"].astype(np.float64)
    level_3d = levels.levels(levels.log_density(line, distance))
    inside = level_3d <= LEVEL
    row, tile, line, distance, level_3d = (
        row[inside],
        tile[inside],
        line[inside],
        distance[inside],
        level_3d[inside],
    )
    error = rows["distance_error"][inside].astype(np.float64)
    mass = rows["log_mass"][inside].astype(np.float64)
    log_weight = levels.log_density(line, distance, error) + mass * np.log(10)
    order = np.argsort(-log_weight, kind="stable")
    weight = np.exp(log_weight - log_weight.max(initial=-np.inf)) if log_weight.size else log_weight
    share = weight / weight.sum() if weight.size else weight
    return Ranking(row[order], share[order], credible_levels(skymap)[tile[order]], level_3d[order])


def first_ranked(catalogue: Catalogue, ranking: Ranking, count: int) -> tuple[RankedGalaxy, ...]:
    """Return the first galaxies of a ranking with their names and numbers."""
    return tuple(
        RankedGalaxy(
            rank=at + 1,
            galaxy=catalogue.galaxy(int(ranking.row[at])),
            share=float(ranking.share[at]),
            level_2d=float(ranking.level_2d[at]),
            level_3d=float(ranking.level_3d[at]),
        )
        for at in range(min(count, ranking.row.size))
    )


def _rows_near(catalogue: Catalogue, skymap: SkyMap, levels: VolumeLevels) -> tuple[Integers, Integers]:
    """Return the rows whose line of sight crosses the 90 % credible volume, and the map's tile of each."""
    crosses = _crosses_volume(levels)
    tiles = skymap.by_position[levels.row[skymap.by_position] >= 0]
    tiles = tiles[crosses[levels.row[tiles]]]
    pixel = catalogue.rows["pixel"]
    first = np.searchsorted(pixel, skymap.start[tiles])
    last = np.searchsorted(pixel, skymap.stop[tiles])
    count = last - first
    # The rows first[0], first[0] + 1 … last[0] - 1, first[1] …, without a loop.
    begin = np.cumsum(count) - count
    row = np.arange(int(count.sum())) + np.repeat(first - begin, count)
    return row, np.repeat(tiles, count)


def _crosses_volume(levels: VolumeLevels) -> Flags:
    """Return for each line of sight with a distance whether any of it is in the 90 % credible volume."""
    rows = np.arange(levels.mu.size)
    peak = levels.log_density(rows, np.maximum(levels.mu, 0))
    return np.asarray(peak >= levels.least_log_density(LEVEL) - 0.02, np.bool_)
