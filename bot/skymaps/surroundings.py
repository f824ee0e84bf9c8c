"""The place of a sky map with respect to the Sun and the Galactic plane."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from bot.skymaps.cone_search import ConeSearch
from bot.skymaps.directions import (
    GALACTIC_POLE,
    NEAR_GALACTIC_PLANE_DEG,
    NEAR_SUN_DEG,
    lon_lat,
    sun_vector,
    unit_vector,
)
from bot.skymaps.skymap import SkyMap
from formatters.models.notice import Surroundings

_EPHEMERIS_YEARS = range(1900, 2100)
"""The years for which SOFA's epv00 holds."""


def surroundings(skymap: SkyMap, peak_ra: float, peak_dec: float, time: datetime) -> Surroundings | None:
    """Measure how much of a map lies near the Sun, and near the Galactic plane, at a time (aware).

    The peak is given in ICRS degrees. Return None for a time outside 1900 to 2099, for which the Sun's
    position isn't known.
    """
    sun = sun_position(time)
    if sun is None:
        return None
    ra, dec = GALACTIC_POLE
    reach = 90 - NEAR_GALACTIC_PLANE_DEG
    cones = ConeSearch(skymap)
    poles = cones.probability_around_poles(ra, dec, reach)
    return Surroundings(
        time=time.astimezone(UTC),
        sun_separation=_separation(*sun, peak_ra, peak_dec),
        probability_near_sun=cones.probability_in_cone(*sun, NEAR_SUN_DEG),
        probability_near_galactic_plane=min(max(1 - poles, 0.0), 1.0),
    )


def sun_position(time: datetime) -> tuple[float, float] | None:
    """Return RA and Dec of the Sun in ICRS degrees, seen from the geocentre, accurate to 0.02°.

    Return None outside 1900 to 2099.
    """
    if time.astimezone(UTC).year not in _EPHEMERIS_YEARS:
        return None
    return lon_lat(sun_vector(time))


def _separation(ra_1: float, dec_1: float, ra_2: float, dec_2: float) -> float:
    cosine = float(unit_vector(ra_1, dec_1) @ unit_vector(ra_2, dec_2))
    return math.degrees(math.acos(max(-1.0, min(1.0, cosine))))
