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
from bot.skymaps.directions import TT_MINUS_UTC_DAYS, UNIX_EPOCH_JD, lon_lat, sun_vector

AU_M = 149_597_870_700.0
"""The astronomical unit in m (IAU 2012 resolution B2)."""
ROTATION_RAD_PER_S = 2 * math.pi * 1.002_737_811_911_354_48 / 86_400
"""The Earth's rate of rotation against the stars (IAU 2000 resolution B1.8), in radians per second of UT1."""
_SUN_STEP_S = 21_600.0
"""Seconds between the positions of the Sun that are computed; between them it is within 0.001°."""


@dataclass(frozen=True, slots=True, eq=False)
class EquatorialSky:
    """The sky against the true equator of date, for the days around a time; times are Unix seconds, UTC.

    In a few days precession and nutation move the equator by an arcsecond, so one matrix does for all.
    """

    to_equator: Floats
    """(3, 3): the matrix that turns ICRS vectors into the celestial intermediate system (CIRS)."""
    start: float
    """The first time of the Sun's positions."""
    stop: float
    """The last one."""
    _rotation_at_start: float
    _sun_times: Floats
    _sun_ra: Floats
    _sun_dec: Floats

    def rotation(self, times: Floats) -> Floats:
        """Return the Earth rotation angles in radians, which grow without a jump."""
        return self._rotation_at_start + ROTATION_RAD_PER_S * (times - self.start)

    def sun(self, times: Floats) -> tuple[Floats, Floats]:
        """Return the Sun's right ascensions, without a jump, and declinations in radians."""
        return (
            np.interp(times, self._sun_times, self._sun_ra),
            np.interp(times, self._sun_times, self._sun_dec),
        )

    def ra_dec(self, vectors: Floats) -> tuple[Floats, Floats]:
        """Return right ascensions and declinations of date, in radians, of (n, 3) ICRS unit vectors."""
        x, y, z = (vectors @ self.to_equator.T).T
        return np.arctan2(y, x), np.arctan2(z, np.hypot(x, y))


def equatorial_sky(time: datetime, days_before: float, days_after: float) -> EquatorialSky:
    """Compute the sky for the days around an aware time."""
    middle = time.timestamp()
    times = np.arange(middle - days_before * 86_400, middle + days_after * 86_400 + _SUN_STEP_S, _SUN_STEP_S)
    days = times / 86_400
    to_equator = np.asarray(erfa.c2i00b(UNIX_EPOCH_JD, middle / 86_400 + TT_MINUS_UTC_DAYS), np.float64)
    earth: Any = erfa.epv00(UNIX_EPOCH_JD, days + TT_MINUS_UTC_DAYS)[0]
    x, y, z = (-np.asarray(earth["p"], np.float64) @ to_equator.T).T
    return EquatorialSky(
        to_equator=to_equator,
        start=float(times[0]),
        stop=float(times[-1]),
        _rotation_at_start=float(erfa.era00(UNIX_EPOCH_JD, days[0])),
        _sun_times=times,
        _sun_ra=np.unwrap(np.arctan2(y, x)),
        _sun_dec=np.arctan2(z, np.hypot(x, y)),
    )


def moon_vector(time: datetime) -> Floats:
    """Return the (3,) ICRS position of the Moon, from the geocentre in au."""
    return np.asarray(
        erfa.moon98(UNIX_EPOCH_JD, time.timestamp() / 86_400 + TT_MINUS_UTC_DAYS)["p"], np.float64
    )


def earth_rotation(times: Sequence[datetime]) -> Floats:
    """Return the (n, 3, 3) matrices that turn ICRS vectors into the Earth-fixed frame at n times."""
    days = _unix_days(times)
    matrices = erfa.c2t00b(UNIX_EPOCH_JD, days + TT_MINUS_UTC_DAYS, UNIX_EPOCH_JD, days, 0.0, 0.0)
    return np.asarray(matrices, np.float64)


def sun_and_moon(time: datetime) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return (RA, Dec) of the Sun and of the Moon in ICRS degrees, seen from the geocentre, good to 0.02°."""
    return lon_lat(sun_vector(time)), lon_lat(moon_vector(time))


def _unix_days(times: Sequence[datetime]) -> Floats:
    """Return days since the Unix epoch, UTC."""
    return np.array([time.timestamp() for time in times]) / 86_400
