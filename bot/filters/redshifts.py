"""Redshifts of filters as luminosity distances, in the cosmology of `bot.skymaps.crossmatch` (Planck18).

That module asks astropy, whose import takes seconds; filters are evaluated where nothing may wait, so the
integral stands here, and a test compares the two.
"""

from __future__ import annotations

from functools import lru_cache
from math import exp, log, sqrt

SPEED_OF_LIGHT_KM_S = 299_792.458
HUBBLE_KM_S_MPC = 67.66
MATTER = 0.30966 + 0.00143969
"""Baryons and dark matter, and the massive neutrino (0.06 eV), which counts as matter at these redshifts."""
RADIATION = 5.4020e-5 * (1 + 2 / 3 * 3.046 * 7 / 8 * (4 / 11) ** (4 / 3))
"""Photons (2.7255 K) and the two massless neutrinos (3.046 effective species, of which two thirds)."""
DARK_ENERGY = 1 - MATTER - RADIATION
"""Densities in units of the critical one: Planck Collaboration 2020 (A&A 641, A6), table 2, last column."""
_STEPS = 200


@lru_cache(maxsize=1_000)
def distance_of_redshift(redshift: float) -> float:
    """Return the luminosity distance in Mpc of a redshift from 0 on."""
    # As a function of ln(1 + z) the integrand is smooth; Simpson's rule.
    step = log(1 + redshift) / _STEPS
    total = 0.0
    for number in range(_STEPS + 1):
        scale = exp(number * step)
        expansion = sqrt(RADIATION * scale**4 + MATTER * scale**3 + DARK_ENERGY)
        weight = 1 if number in (0, _STEPS) else 4 if number % 2 else 2
        total += weight * scale / expansion
    return (1 + redshift) * SPEED_OF_LIGHT_KM_S / HUBBLE_KM_S_MPC * total * step / 3
