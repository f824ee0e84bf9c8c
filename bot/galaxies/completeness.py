"""The completeness of a catalogue: its part of the expected stellar mass at a distance.

Expected is the galaxy stellar mass function of Baldry et al. 2012 (MNRAS 421, 621, table 1; GAMA, z < 0.06),
a double Schechter function, times the comoving volume. The catalogue's own is the sum of the masses that it
knows, on the whole sky: behind the plane of the Galaxy it holds less, elsewhere more than this says.
"""

from __future__ import annotations

from math import gamma

import numpy as np

from bot.filters.redshifts import distance_of_redshift
from bot.skymaps.arrays import Floats
from formatters.models.galaxy import CatalogueInfo

LOG_M_STAR = 10.66
"""log10 of the characteristic mass, solar masses."""
PHI_1, ALPHA_1 = 3.96e-3, -0.35
PHI_2, ALPHA_2 = 0.79e-3, -1.47
"""Normalizations, Mpc⁻³, and slopes of the two components."""
MASS_DENSITY = 10**LOG_M_STAR * (PHI_1 * gamma(2 + ALPHA_1) + PHI_2 * gamma(2 + ALPHA_2))
"""Expected stellar mass in solar masses per comoving Mpc³: 2.2e8."""

_MAX_REDSHIFT = 1.5


def completeness(catalogue: CatalogueInfo, mean: float, std: float) -> float | None:
    """Return the part (0 to 1) of the expected stellar mass that the catalogue knows at a distance.

    It is counted in the shell from `mean` − `std` to `mean` + `std`, luminosity distances in Mpc, on the
    whole sky; more than expected is 1. Return None if the shell lies beyond redshift 1.5, where the mass
    function says nothing.
    """
    near, far = max(mean - std, 0.0), mean + std
    if not 0 < far < distance_of_redshift(_MAX_REDSHIFT):
        return None
    edges = np.arange(len(catalogue.mass_in_shells) + 1) * catalogue.shell_width
    total = np.concatenate([[0.0], np.cumsum(catalogue.mass_in_shells)])
    low, high = np.interp([near, far], edges, total)
    volume = _comoving_volume(np.array([near, far]))
    return float(np.clip((high - low) / (MASS_DENSITY * (volume[1] - volume[0])), 0, 1))


def _comoving_volume(distance: Floats) -> Floats:
    """Return the comoving volume in Mpc³ of spheres of these luminosity distances in Mpc."""
    redshift = np.linspace(0, _MAX_REDSHIFT, 301)
    table = np.array([distance_of_redshift(float(z)) for z in redshift])
    found: Floats = 4 / 3 * np.pi * (distance / (1 + np.interp(distance, table, redshift))) ** 3
    return found
