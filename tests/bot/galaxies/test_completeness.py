"""The completeness of a catalogue: the expected mass by hand, and what must hold of it."""

from __future__ import annotations

from dataclasses import replace
from math import gamma, pi

import pytest

from bot.filters.redshifts import distance_of_redshift
from bot.galaxies.completeness import MASS_DENSITY, completeness
from tests.bot.galaxies.test_ranking import INFO


def test_the_expected_mass_is_that_of_the_double_schechter_function() -> None:
    by_hand = 10**10.66 * (3.96e-3 * gamma(1.65) + 0.79e-3 * gamma(0.53))
    assert pytest.approx(by_hand) == MASS_DENSITY
    assert pytest.approx(2.2e8, rel=0.03) == MASS_DENSITY


def test_a_catalogue_with_the_expected_mass_is_complete_and_half_of_it_half() -> None:
    # 100 Mpc: comoving volume of the shell from 90 to 110 Mpc of luminosity distance.
    def comoving(distance: float) -> float:
        low, high = 0.0, 1.0
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if distance_of_redshift(middle) < distance else (low, middle)
        return 4 / 3 * pi * (distance / (1 + low)) ** 3

    mass = MASS_DENSITY * (comoving(110) - comoving(90))
    shells = [0.0] * 9 + [mass / 4, mass / 4] + [0.0] * 89
    half = replace(INFO, mass_in_shells=tuple(shells))
    assert completeness(half, 100.0, 10.0) == pytest.approx(0.5, rel=0.01)
    full = replace(INFO, mass_in_shells=tuple(3 * one for one in shells))
    assert completeness(full, 100.0, 10.0) == 1.0


def test_beyond_the_catalogue_nothing_is_held_and_beyond_the_mass_function_nothing_is_said() -> None:
    shells = replace(INFO, mass_in_shells=(1e12,) * 100)
    assert completeness(shells, 3_000.0, 500.0) == 0.0
    assert completeness(shells, 15_000.0, 4_000.0) is None
