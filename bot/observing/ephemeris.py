"""Sun, Moon and the Earth's rotation, computed from the IAU SOFA routines of pyerfa.

It is written here, because astropy's and astroplan's ephemerides want IERS tables and a network. None is
needed at this accuracy: the rotation is that of IAU 2000B with UTC for UT1 (wrong by at most 0.9 s of time,
0.004°) and without polar motion, and aberration (0.006°) is left out. Positions agree with astropy's within
0.02°.

Vectors are ICRS, from the geocentre. Times are aware datetimes; a leap second counts as the second after it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import erfa
import numpy as np

from bot.skymaps.arrays import Floats

UNIX_EPOCH_JD = 2_440_587.5
"""The Julian date of 1970-01-01T00:00:00."""
TT_MINUS_UTC_DAYS = 69.184 / 86_400
"""Days from UTC to TT since 2017; a further leap second would turn the sky by 0.004° at most."""
AU_M = 149_597_870_700.0
"""The astronomical unit in m (IAU 2012 resolution B2)."""
GALACTIC_POLE = (192.85948, 27.12825)
"""RA and Dec of the north Galactic pole, ICRS degrees (Hipparcos, ESA SP-1200, vol. 1, sect. 1.5.3)."""


@dataclass(frozen=True, slots=True, eq=False)
class Ephemeris:
    """The Earth's orientation and the positions of Sun and Moon at n times, as ICRS vectors."""

    times: list[datetime]
    """UTC."""
    earth_rotation: Floats
    """(n, 3, 3): matrices that turn ICRS vectors into the Earth-fixed frame (ITRS)."""
    sun: Floats
    """(n, 3): unit vectors."""
    moon: Floats
    """(n, 3): positions in au."""


def compute_ephemeris(times: list[datetime]) -> Ephemeris:
    """Compute the ephemeris for times in ascending order within one day."""
    days = _unix_days(times) + TT_MINUS_UTC_DAYS
    # The Sun is interpolated between the first and the last time: within a day the Earth's path bends by
    # 0.002°, and the series of epv00 is long.
    earth: Any = erfa.epv00(UNIX_EPOCH_JD, days[[0, -1]])[0]
    fraction = (days - days[0]) / (days[-1] - days[0])
    first, last = -np.asarray(earth["p"], np.float64)
    sun = first + fraction[:, np.newaxis] * (last - first)
    return Ephemeris(
        times=times,
        earth_rotation=earth_rotation(times),
        sun=sun / np.linalg.norm(sun, axis=1, keepdims=True),
        moon=np.asarray(erfa.moon98(UNIX_EPOCH_JD, days)["p"], np.float64),
    )


def earth_rotation(times: Sequence[datetime]) -> Floats:
    """Return the (n, 3, 3) matrices that turn ICRS vectors into the Earth-fixed frame at n times."""
    days = _unix_days(times)
    matrices = erfa.c2t00b(UNIX_EPOCH_JD, days + TT_MINUS_UTC_DAYS, UNIX_EPOCH_JD, days, 0.0, 0.0)
    return np.asarray(matrices, np.float64)


def sun_and_moon(time: datetime) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return (RA, Dec) of the Sun and of the Moon in ICRS degrees, seen from the geocentre.

    Accurate to 0.02°: aberration and the minute between UTC and TDB are left out.
    """
    days = time.timestamp() / 86_400
    sun = -erfa.epv00(UNIX_EPOCH_JD, days)[0]["p"]
    moon = erfa.moon98(UNIX_EPOCH_JD, days)["p"]
    return _ra_dec(sun), _ra_dec(moon)


def unit_vector(lon: float, lat: float) -> Floats:
    """Return the (3,) unit vector of a longitude and latitude in degrees."""
    x, y = math.radians(lon), math.radians(lat)
    return np.array([math.cos(y) * math.cos(x), math.cos(y) * math.sin(x), math.sin(y)])


def _ra_dec(vector: Sequence[float]) -> tuple[float, float]:
    x, y, z = (float(component) for component in vector)
    return math.degrees(math.atan2(y, x)) % 360, math.degrees(math.atan2(z, math.hypot(x, y)))


def _unix_days(times: Sequence[datetime]) -> Floats:
    """Return days since the Unix epoch, UTC."""
    return np.array([time.timestamp() for time in times]) / 86_400
