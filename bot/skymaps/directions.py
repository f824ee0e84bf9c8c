"""Directions on the sky as vectors, the Sun's among them, and what counts as near Sun or Galactic plane."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import erfa
import numpy as np

from bot.skymaps.arrays import Floats

UNIX_EPOCH_JD = 2_440_587.5
"""The Julian date of 1970-01-01T00:00:00."""
TT_MINUS_UTC_DAYS = 69.184 / 86_400
"""Days from UTC to TT since 2017; a further leap second would turn the sky by 0.004° at most."""
GALACTIC_POLE = (192.85948, 27.12825)
"""RA and Dec of the north Galactic pole, ICRS degrees (Hipparcos, ESA SP-1200, vol. 1, sect. 1.5.3)."""
NEAR_SUN_DEG = 45.0
"""Degrees from the Sun. What is nearer is low in twilight, if it is up at all."""
NEAR_GALACTIC_PLANE_DEG = 10.0
"""Degrees from the Galactic equator: dust and stars hide what lies behind."""


def unit_vector(lon: float, lat: float) -> Floats:
    """Return the (3,) unit vector of a longitude and latitude in degrees."""
    x, y = math.radians(lon), math.radians(lat)
    return np.array([math.cos(y) * math.cos(x), math.cos(y) * math.sin(x), math.sin(y)])


def lon_lat(vector: Sequence[float] | Floats) -> tuple[float, float]:
    """Return longitude (0 to 360) and latitude in degrees of a (3,) vector of any length."""
    x, y, z = (float(component) for component in vector)
    return math.degrees(math.atan2(y, x)) % 360, math.degrees(math.atan2(z, math.hypot(x, y)))


def sun_vector(time: datetime) -> Floats:
    """Return the (3,) ICRS unit vector to the Sun from the geocentre at a time (aware), good to 0.02°.

    Aberration is left out. SOFA's epv00 holds from 1900 to 2100.
    """
    earth: Any = erfa.epv00(UNIX_EPOCH_JD, time.timestamp() / 86_400 + TT_MINUS_UTC_DAYS)[0]
    sun = -np.asarray(earth["p"], np.float64)
    return np.asarray(sun / np.linalg.norm(sun), np.float64)
