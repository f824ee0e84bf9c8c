"""The fast lookup of many pixels agrees with astropy_healpix, and is never off at a border."""

from __future__ import annotations

import numpy as np
import pytest

from bot.skymaps import healpix
from bot.skymaps.arrays import MAX_ORDER
from bot.skymaps.pixel_lookup import finest_pixels_of_many
from formatters.text.quantities import separation

RNG = np.random.default_rng(11)


@pytest.mark.parametrize(
    ("ra", "dec"),
    [
        (RNG.uniform(0, 360, 100_000), np.degrees(np.arcsin(RNG.uniform(-1, 1, 100_000)))),
        (RNG.uniform(-360, 720, 20_000), 90 - 10 ** RNG.uniform(-12, 1, 20_000)),
        (RNG.uniform(-360, 720, 20_000), 10 ** RNG.uniform(-12, 1, 20_000) - 90),
        (np.zeros(0), np.zeros(0)),
    ],
    ids=["the whole sky", "around the north pole", "around the south pole", "nothing"],
)
def test_many_positions_are_in_the_pixels_that_astropy_healpix_names(ra: np.ndarray, dec: np.ndarray) -> None:
    assert np.array_equal(finest_pixels_of_many(ra, dec), healpix.finest_pixels(ra, dec))


def test_a_position_on_a_border_is_in_one_of_the_pixels_beside_it() -> None:
    edges = np.degrees(np.arcsin(np.linspace(-1, 1, 25)))
    ra, dec = (axis.ravel() for axis in np.meshgrid(np.arange(0, 361, 11.25), edges))
    found = finest_pixels_of_many(ra, dec)
    assert found.min() >= 0
    assert found.max() < 12 * 4**MAX_ORDER
    order = 20
    lon, lat = healpix.centres(order, found >> 2 * (MAX_ORDER - order))
    # A pixel is at most this large (degrees) from its centre to a corner, which is near the poles.
    largest = 1.2 * np.degrees(1 / 2**order)
    apart = [separation(*places) for places in zip(ra, dec, lon, lat, strict=True)]
    assert max(apart) < largest
