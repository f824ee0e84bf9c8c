"""The demo's catalogue of galaxies, made by formula: none of them exists."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np

from bot.galaxies.import_job import write_catalogue
from bot.galaxies.raw_galaxies import RawGalaxies
from bot.samples.events import BNS_PLACE
from bot.samples.skymaps import offset_position
from bot.skymaps.arrays import Floats

SLUG, TITLE = "demo", "Demo catalogue"
COUNT = 60_000
MAX_DISTANCE = 120.0
"""Mpc; the galaxies fill the sphere evenly."""
_GOLDEN_RATIO = (1 + 5**0.5) / 2
_HOST_DISTANCE, _HOST_LOG_MASS = 54.6, 10.8
"""Of the galaxy beside the counterpart candidate that stays in the last map, at its redshift of 0.0124."""


def write_demo_catalogue(folder: Path, now: datetime) -> None:
    """Write the demo's catalogue into a folder. Raises CatalogueProblem."""
    write_catalogue([(_galaxies(), 0)], folder, SLUG, TITLE, now)


def _galaxies() -> RawGalaxies:
    number = np.arange(COUNT, dtype=np.float64)
    # A spiral of equal steps fills the sphere; multiples of irrational numbers fill its depth and the masses.
    dec = np.degrees(np.arcsin(1 - (2 * number + 1) / COUNT))
    ra = number * 360 / _GOLDEN_RATIO % 360
    distance: Floats = np.cbrt(number * 2**0.5 % 1 * 0.999 + 0.001) * MAX_DISTANCE
    log_mass: Floats = 9.0 + 2.2 * (number * 3**0.5 % 1)
    # Every fifth has no mass, every ninth a redshift that is questionable.
    log_mass[4::5] = np.nan
    k_magnitude = 3.27 - 2.5 * (log_mass - np.log10(0.6)) + 5 * np.log10(distance) + 25
    is_questionable = number % 9 == 0
    host_ra, host_dec = offset_position(*offset_position(*BNS_PLACE, 70, 0.3), 200, 0.004)
    ra[0], dec[0], distance[0], log_mass[0] = host_ra, host_dec, _HOST_DISTANCE, _HOST_LOG_MASS
    k_magnitude[0], is_questionable[0] = 9.8, False
    unknown, nowhere = np.full(COUNT, np.nan), np.zeros(COUNT, np.bool_)
    return RawGalaxies(
        name=[_name(*place) for place in zip(ra.tolist(), dec.tolist(), strict=True)],
        ra=ra,
        dec=dec,
        distance=distance,
        distance_error=unknown,
        redshift=unknown,
        redshift_error=unknown,
        mass=log_mass,
        k_magnitude=k_magnitude,
        w1_magnitude=unknown,
        is_questionable=is_questionable,
        is_photometric=nowhere,
        is_galaxy=~nowhere,
        is_from_redshift=~nowhere,
    )


def _name(ra: float, dec: float) -> bytes:
    """Return a name from the position, as surveys give them: "DEMO J165916+3117"."""
    seconds, minutes = int(ra * 240) % 86_400, int(abs(dec) * 60)
    clock = f"{seconds // 3600:02d}{seconds // 60 % 60:02d}{seconds % 60:02d}"
    return f"DEMO J{clock}{'-' if dec < 0 else '+'}{minutes // 60:02d}{minutes % 60:02d}".encode()
