"""Crossmatch of positions with a sky map: credible levels on the sky and in the volume, and distances.

The results are those of `ligo.skymap.postprocess.crossmatch` (searched_prob, searched_area and
searched_prob_vol, volumes Euclidean in luminosity distance), for the distance ansatz of Singer et al. 2016
(ApJL 829, L15). ligo.skymap sorts the voxels of a grid of 1,000 distances. Here each tile's part of the
credible volume is one interval of distance, because its density per volume, ρ · DISTNORM · N(r; DISTMU,
DISTSIGMA), is a Gaussian; its ends lie where the density is that at the target's own distance.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, pi, sqrt

import numpy as np
from numpy.typing import ArrayLike

from bot.skymaps import healpix
from bot.skymaps.arrays import DEG2_PER_SR, Floats, Integers
from bot.skymaps.distance_moments import TAIL_THRESHOLD, gauss_legendre, normal_pdf, normal_sf
from bot.skymaps.skymap import SkyMap, credible_levels, distance_at, in_credible_region
from formatters.models.position_on_map import PositionOnMap

COSMOLOGY = "Planck18"
"""astropy's name for the parameters of Planck Collaboration 2020 (A&A 641, A6), table 2, last column."""

_MAX_SIGMAS = 40.0
"""The distance from a tile's mean, in DISTSIGMA, beyond which its probability is negligible."""
_TAIL_E_FOLDS = 40.0
"""The number of e-folds of a tail that are integrated."""


def tile_indices(skymap: SkyMap, ra: ArrayLike, dec: ArrayLike) -> Integers:
    """Return the (m,) tile indices of m positions (ICRS degrees), −1 where the map has a gap."""
    pixel = np.atleast_1d(healpix.finest_pixels(ra, dec))
    place = np.searchsorted(skymap.start[skymap.by_position], pixel, side="right") - 1
    tile = skymap.by_position[np.maximum(place, 0)]
    return np.where((place >= 0) & (pixel < skymap.stop[tile]), tile, -1)


def crossmatch(
    skymap: SkyMap, ra: ArrayLike, dec: ArrayLike, distance: ArrayLike | None = None
) -> list[PositionOnMap | None]:
    """Locate positions (ICRS degrees) in a map; None where the map has a gap.

    `distance` holds luminosity distances in Mpc, NaN where a distance is unknown.
    """
    tiles = tile_indices(skymap, ra, dec)
    mpc = np.full(tiles.shape, np.nan) if distance is None else np.atleast_1d(distance).astype(np.float64)
    levels = credible_levels(skymap)
    in_50, in_90 = in_credible_region(skymap, 0.5), in_credible_region(skymap, 0.9)
    ranked = -skymap.density[skymap.by_density]
    areas = np.cumsum(skymap.area[skymap.by_density]) * DEG2_PER_SR
    peak = -ranked[0]
    volume = CredibleVolume.from_skymap(skymap) if np.isfinite(mpc).any() else None
    found: list[PositionOnMap | None] = []
    for tile, target in zip(tiles.tolist(), mpc.tolist(), strict=True):
        if tile < 0:
            found.append(None)
            continue
        density = float(skymap.density[tile])
        found.append(
            PositionOnMap(
                credible_level=float(levels[tile]),
                relative_density=density / peak,
                searched_area=float(areas[np.searchsorted(ranked, -density, side="right") - 1]),
                in_50=bool(in_50[tile]),
                in_90=bool(in_90[tile]),
                distance=distance_at(skymap, tile),
                credible_level_3d=None
                if volume is None or np.isnan(target)
                else volume.credible_level(tile, target),
            )
        )
    return found


@dataclass(frozen=True, slots=True, eq=False)
class CredibleVolume:
    """The tiles of a map that have a distance, as arrays of shape (n,), for credible levels in the volume."""

    tile: Integers
    """Each tile's index in the map, ascending."""
    mu: Floats
    """DISTMU, Mpc."""
    sigma: Floats
    """DISTSIGMA, Mpc."""
    log_norm: Floats
    """ln of probability density times DISTNORM, ln (sr⁻¹ Mpc⁻²)."""
    area: Floats
    """sr."""

    @staticmethod
    def from_skymap(skymap: SkyMap) -> CredibleVolume | None:
        """Select the map's tiles that have a distance; return None if there are none."""
        if skymap.distmu is None or skymap.distsigma is None or skymap.distnorm is None:
            return None
        mu, sigma, norm = skymap.distmu, skymap.distsigma, skymap.distnorm
        good = np.isfinite(mu) & np.isfinite(sigma) & (sigma > 0) & np.isfinite(norm) & (norm > 0)
        tile = np.flatnonzero(good & (skymap.density > 0))
        if not tile.size:
            return None
        log_norm = np.log(skymap.density[tile]) + np.log(norm[tile])
        return CredibleVolume(tile, mu[tile], sigma[tile], log_norm, skymap.area[tile])

    def credible_level(self, tile: int, distance: float) -> float:
        """Return the credible level (0 to 1) in the volume of a distance (Mpc) in a tile of the map.

        It is the probability of all volume that is at least as dense as that of the tile at this distance.
        ligo.skymap's `searched_prob_vol` sums shells instead, and differs by up to the content of one.
        """
        # ln of the density's peak in each tile, sr⁻¹ Mpc⁻³ up to a constant.
        peak = self.log_norm - np.log(self.sigma)
        mine = int(np.searchsorted(self.tile, tile))
        least = -np.inf
        if mine < self.tile.size and self.tile[mine] == tile:
            # A message may state any number: a distance beyond all is outside of everything.
            with np.errstate(over="ignore"):
                least = float(peak[mine] - ((distance - self.mu[mine]) / self.sigma[mine]) ** 2 / 2)
        # A tolerance, so that rounding of the logarithm doesn't exclude the target itself.
        excess = peak - least + 1e-9
        part = np.flatnonzero(excess >= 0)
        mu, sigma = self.mu[part], self.sigma[part]
        half = sigma * np.minimum(np.sqrt(2 * excess[part]), _MAX_SIGMAS + np.maximum(-mu / sigma, 0))
        near, far = np.maximum(mu - half, 0), mu + half
        held = far > near
        part = part[held]
        mass = _integrate_distance(mu[held], sigma[held], self.log_norm[part], near[held], far[held])
        return float(np.clip(np.dot(self.area[part], mass), 0, 1))


def _integrate_distance(mu: Floats, sigma: Floats, log_norm: Floats, near: Floats, far: Floats) -> Floats:
    """Integrate exp(log_norm) r² N(r; mu, sigma) from `near` to `far`, all in Mpc and of shape (n,)."""
    a, b = (near - mu) / sigma, (far - mu) / sigma
    # ∫ (mu + sigma t)² φ(t) dt, from the side on which the tails are small.
    towards = np.where(a > 0, 1.0, -1.0)
    parts = towards * (normal_sf(towards * a) - normal_sf(towards * b))
    edge = (2 * mu + sigma * a) * normal_pdf(a) - (2 * mu + sigma * b) * normal_pdf(b)
    mass: Floats = np.exp(log_norm) * ((mu**2 + sigma**2) * parts + sigma * edge)
    tail = np.flatnonzero(mu < TAIL_THRESHOLD * sigma)
    if tail.size:
        x, weight = gauss_legendre()
        low = near[tail]
        # The tail falls as exp(mu r / sigma²) and is negligible beyond.
        width = np.minimum(far[tail] - low, -_TAIL_E_FOLDS * sigma[tail] ** 2 / mu[tail])
        r = low + np.multiply.outer((x + 1) / 2, width)
        log_density = log_norm[tail] - ((r - mu[tail]) / sigma[tail]) ** 2 / 2 - np.log(sigma[tail])
        mass[tail] = weight @ (r**2 * np.exp(log_density)) * width / 2 / sqrt(2 * pi)
    return mass


def luminosity_distance(redshift: float) -> float:
    """Return the luminosity distance in Mpc of a redshift above 0, for the cosmology COSMOLOGY."""
    # astropy's own integral needs scipy. Importing its cosmology takes a second, so it is imported here.
    from astropy import units
    from astropy.cosmology import Planck18

    x, weight = gauss_legendre()
    # As a function of ln(1 + z) the integrand is smooth out to the most distant sources.
    top = log(1 + redshift)
    scale = np.exp(top * (x + 1) / 2)
    comoving: float = Planck18.hubble_distance.to_value(units.Mpc) * float(
        np.dot(weight, Planck18.inv_efunc(scale - 1) * scale) * top / 2
    )
    return (1 + redshift) * comoving
