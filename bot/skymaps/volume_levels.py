"""Credible levels in the volume for any number of places at once, from a table of the map's densities.

`crossmatch.CredibleVolume` computes one place exactly; ranking a catalogue asks for a million. Here each
line of sight is cut into shells, whose probabilities are summed by their density per volume: the level of a
place is the probability of all shells at least as dense. It agrees with ligo.skymap's searched_prob_vol
(volumes Euclidean in luminosity distance) within 1e-3.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, pi, sqrt

import numpy as np

from bot.skymaps.arrays import Floats, Integers
from bot.skymaps.crossmatch import CredibleVolume
from bot.skymaps.skymap import SkyMap

_HALF_WIDTH = 6.6
"""Half the range of shells, in DISTSIGMA: beyond, a Gaussian holds less than 1e-9 of its probability."""
_BINS_PER_E_FOLD = 5_000
_E_FOLDS = 60
"""The range of densities in the table, below the densest place."""
_MIN_SHELLS, _MAX_SHELLS = 24, 1_000
_WANTED_SHELLS = 2_000_000
"""Shells of all lines of sight together: few of many each for a coarse map, and the other way round."""
_CHUNK = 1_000_000
"""Shells that are computed at once, which bounds the memory."""
_GOLDEN_RATIO = 0.6180339887498949
"""Its multiples, without their whole parts, fill 0 to 1 evenly."""
_LOG_SQRT_2PI = log(sqrt(2 * pi))


@dataclass(frozen=True, slots=True, eq=False)
class VolumeLevels:
    """The distribution of a map's probability over its densities per volume."""

    row: Integers
    """For each of the map's n tiles its row among those with a distance, −1 for the others; (n,)."""
    mu: Floats
    """DISTMU of the m tiles that have a distance, Mpc; (m,)."""
    sigma: Floats
    """DISTSIGMA, Mpc; (m,)."""
    log_norm: Floats
    """ln of probability density times DISTNORM, ln (sr⁻¹ Mpc⁻²); (m,)."""
    densest: float
    """ln of the greatest density per volume, ln (sr⁻¹ Mpc⁻³), the first edge of the table."""
    cumulative: Floats
    """Probability of all places at least as dense as each edge of the table, from the densest on."""

    @staticmethod
    def from_skymap(skymap: SkyMap) -> VolumeLevels | None:
        """Build the table; return None if the map has no distances."""
        volume = CredibleVolume.from_skymap(skymap)
        if volume is None:
            return None
        row = np.full(skymap.density.size, -1, np.int64)
        row[volume.tile] = np.arange(volume.tile.size)
        mu, sigma = volume.mu, volume.sigma
        # Where the Gaussian's peak lies behind the observer, the line of sight is densest at distance 0.
        behind = np.minimum(mu / sigma, 0)
        peak = volume.log_norm - np.log(sigma) - behind**2 / 2 - _LOG_SQRT_2PI
        densest = float(peak.max())
        shells = int(np.clip(_WANTED_SHELLS // mu.size, _MIN_SHELLS, _MAX_SHELLS))
        bins = _BINS_PER_E_FOLD * _E_FOLDS
        mass = np.zeros(bins)
        # Shifted from one line of sight to the next: where all have nearly the same distances, as in a wide
        # map, their shells would have the same few densities, and the levels steps.
        shift = np.arange(mu.size) * _GOLDEN_RATIO % 1.0
        step = max(1, _CHUNK // shells)
        for first in range(0, mu.size, step):
            part = slice(first, first + step)
            low = np.maximum(-mu[part] / sigma[part], -_HALF_WIDTH)
            high = np.where(low > 0, np.sqrt(np.maximum(low, 0) ** 2 + _HALF_WIDTH**2), _HALF_WIDTH)
            middle = (np.arange(shells) + shift[part, np.newaxis]) / shells
            t = low[:, np.newaxis] + (high - low)[:, np.newaxis] * middle
            log_density = (
                volume.log_norm[part, np.newaxis] - np.log(sigma[part, np.newaxis]) - t**2 / 2 - _LOG_SQRT_2PI
            )
            r = mu[part, np.newaxis] + sigma[part, np.newaxis] * t
            width = (sigma[part] * (high - low) / shells * volume.area[part])[:, np.newaxis]
            where = ((densest - log_density) * _BINS_PER_E_FOLD).astype(np.int64)
            np.clip(where, 0, bins - 1, out=where)
            content = np.exp(log_density) * r**2 * width
            mass += np.bincount(where.ravel(), content.ravel(), minlength=bins)
        return VolumeLevels(
            row, mu, sigma, volume.log_norm, densest, np.concatenate([[0.0], np.cumsum(mass)])
        )

    def log_density(self, row: Integers, distance: Floats, error: Floats | float = 0.0) -> Floats:
        """Return ln dP/dV (sr⁻¹ Mpc⁻³) at distances (Mpc) along lines of sight, all of shape (k,).

        With `error`, 1 sd of the distances in Mpc, the mean over their normal distribution is returned:
        dP/dV = ρ · DISTNORM · N(distance; DISTMU, √(DISTSIGMA² + error²)) (Singer et al. 2016).
        """
        width = np.sqrt(self.sigma[row] ** 2 + np.square(error))
        z = (distance - self.mu[row]) / width
        found: Floats = self.log_norm[row] - np.log(width) - z**2 / 2 - _LOG_SQRT_2PI
        return found

    def levels(self, log_density: Floats) -> Floats:
        """Return the credible levels (0 to 1) in the volume of places with these ln dP/dV; shape (k,)."""
        edge = (self.densest - log_density) * _BINS_PER_E_FOLD
        found: Floats = np.clip(np.interp(edge, np.arange(self.cumulative.size), self.cumulative), 0, 1)
        return found

    def least_log_density(self, level: float) -> float:
        """Return ln dP/dV at the edge of the credible volume of this level (0 to 1)."""
        edge = float(np.interp(level, self.cumulative, np.arange(self.cumulative.size)))
        return self.densest - edge / _BINS_PER_E_FOLD
