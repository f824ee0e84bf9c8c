"""Rank the galaxies of a catalogue by a sky map: probability density at the galaxy times its stellar mass.

dP/dV is that of Singer et al. 2016 (ApJL 829, L15), averaged over the error of the galaxy's distance; the
weight by stellar mass follows Ducoin et al. 2020 (MNRAS 492, 4768). Shares are normalised over the galaxies
inside the map's 90 % credible volume, so they say how the ranking is split and not how probable a host is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bot.galaxies.catalogue_index import Catalogue
from bot.skymaps.arrays import Flags, Floats, Integers
from bot.skymaps.skymap import SkyMap, credible_levels
from bot.skymaps.volume_levels import VolumeLevels
from formatters.models.galaxy import RankedGalaxy

LEVEL = 0.9
"""The credible volume whose galaxies are ranked."""


_PIECE = 100_000
"""Rows of the catalogue that are looked at at once, which bounds the memory; more if one tile holds more."""


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """Galaxies inside a map's 90 % credible volume, the first in rank first; arrays of shape (k,)."""

    row: Integers
    """Index in the catalogue."""
    share: Floats
    """Share of the ranking, 0 to 1; the sum over all galaxies in the volume is 1."""
    level_2d: Floats
    level_3d: Floats
    total: int
    """Number of galaxies in the volume, of which the ranking may hold only the first."""


def rank_galaxies(
    catalogue: Catalogue, skymap: SkyMap, levels: VolumeLevels, keep: int | None = None
) -> Ranking:
    """Rank the galaxies of the catalogue inside the 90 % credible volume of the map.

    `levels` is the map's own table. Only the first `keep` are returned, with None all; shares are of all.
    Galaxies of equal weight are in the order of the catalogue.
    """
    least = levels.least_log_density(LEVEL)
    row, tile = np.zeros(0, np.int64), np.zeros(0, np.int64)
    density, log_weight = np.zeros(0), np.zeros(0)
    total, greatest, weight_sum = 0, -np.inf, 0.0
    for near_row, near_tile in _rows_near(catalogue, skymap, levels):
        distance = catalogue.rows["distance"][near_row].astype(np.float64)
        near_density = levels.log_density(levels.row[near_tile], distance)
        inside = near_density >= least
        if not inside.any():
            continue
        new_row, new_tile, new_density = near_row[inside], near_tile[inside], near_density[inside]
        line = levels.row[new_tile]
        new_weight = _log_weights(catalogue, levels, new_row, line)
        total += new_row.size
        above = max(greatest, float(new_weight.max()))
        weight_sum = weight_sum * float(np.exp(greatest - above)) + float(np.exp(new_weight - above).sum())
        greatest = above
        row, tile = np.concatenate([row, new_row]), np.concatenate([tile, new_tile])
        density = np.concatenate([density, new_density])
        log_weight = np.concatenate([log_weight, new_weight])
        if keep is not None and row.size > keep:
            # In the catalogue's order, so that the sort at the end leaves equal ones in it.
            best = np.sort(np.argpartition(-log_weight, keep - 1)[:keep])
            row, tile, density, log_weight = row[best], tile[best], density[best], log_weight[best]
    order = np.argsort(-log_weight, kind="stable")
    share = np.exp(log_weight[order] - greatest) / weight_sum if total else log_weight
    return Ranking(
        row[order],
        share,
        credible_levels(skymap)[tile[order]],
        np.minimum(levels.levels(density[order]), LEVEL),
        total,
    )


def _log_weights(catalogue: Catalogue, levels: VolumeLevels, row: Integers, line: Integers) -> Floats:
    """Return ln of the density at galaxies, averaged over the errors of their distances, times their mass."""
    distance, error, log_mass = (
        catalogue.rows[name][row].astype(np.float64) for name in ("distance", "distance_error", "log_mass")
    )
    found: Floats = levels.log_density(line, distance, error) + log_mass * np.log(10)
    return found


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


def _rows_near(
    catalogue: Catalogue, skymap: SkyMap, levels: VolumeLevels
) -> Iterator[tuple[Integers, Integers]]:
    """Yield rows whose line of sight crosses the 90 % credible volume, and the map's tile of each, in pieces.

    The rows ascend.
    """
    crosses = _crosses_volume(levels)
    tiles = skymap.by_position[levels.row[skymap.by_position] >= 0]
    tiles = tiles[crosses[levels.row[tiles]]]
    # The column alone: a search in rows of 82 bytes would copy it each time.
    pixel = np.ascontiguousarray(catalogue.rows["pixel"])
    first = np.searchsorted(pixel, skymap.start[tiles])
    count = np.searchsorted(pixel, skymap.stop[tiles]) - first
    del pixel
    has_any = count > 0
    tiles, first, count = tiles[has_any], first[has_any], count[has_any]
    end = np.cumsum(count)
    edges = np.searchsorted(end, np.arange(_PIECE, (end[-1] if end.size else 0) + _PIECE, _PIECE))
    begin = 0
    for stop in (edges + 1).tolist():
        part = slice(begin, stop)
        begin = stop
        if not count[part].size:
            continue
        # The rows first[0], first[0] + 1 … first[0] + count[0] − 1, first[1] …, without a loop.
        before = np.cumsum(count[part]) - count[part]
        row = np.arange(int(count[part].sum())) + np.repeat(first[part] - before, count[part])
        yield row, np.repeat(tiles[part], count[part])


def _crosses_volume(levels: VolumeLevels) -> Flags:
    """Return for each line of sight with a distance whether any of it is in the 90 % credible volume."""
    rows = np.arange(levels.mu.size)
    peak = levels.log_density(rows, np.maximum(levels.mu, 0))
    return np.asarray(peak >= levels.least_log_density(LEVEL) - 0.02, np.bool_)
