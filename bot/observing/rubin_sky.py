"""The part of a sky map that Rubin can observe, as Rubin's trigger rules count it.

It follows scimma/rubin-ToO-producer at revision 22dbfa2, as stated in the user guide's section "Rubin 2026",
step by step: a raster of HEALPix order 7 whose pixels count by their centres, the 90 % mask made on that
raster, 145 moments from the event's time to 24 h later, and, of equally probable pixels, the one with the
highest NESTED index first. `bot.observing.observability`, which answers "what can be observed tonight",
counts otherwise: without steps of time, in nights, for 20 min without a break.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import erfa
import numpy as np

from bot.observing.ephemeris import EquatorialSky, equatorial_sky
from bot.observing.nights import altitudes_of
from bot.skymaps import healpix
from bot.skymaps.arrays import DEG2_PER_SR, SKY_AREA_DEG2, Flags, Floats, Integers
from bot.skymaps.directions import GALACTIC_POLE, TT_MINUS_UTC_DAYS, UNIX_EPOCH_JD, unit_vector
from bot.skymaps.skymap import SkyMap, in_credible_region
from formatters.models.observing import Site

__all__ = [
    "NEUTRON_STAR_MAX_AREA",
    "PIXEL_AREA",
    "SUB_SOLAR_MAX_AREA",
    "RubinSky",
    "measure_rubin_sky",
]

RUBIN = Site(name="Rubin", latitude=-30.2446, longitude=-70.7494, height=2663)
"""The site as the rules state it."""
SUN_BELOW_DEG = -12.0
"""It is dark where the Sun is lower than this, in degrees."""
HIGHER_THAN_DEG = 30.0
"""A pixel can be observed where its centre is higher than this, in degrees: airmass 2."""
WINDOW_S = 86_400.0
"""Seconds after the event's time that count, the first moment and the last included."""
STEP_S = 600.0
"""Seconds between the moments that are looked at."""
OFF_PLANE_DEG = 10.0
"""Degrees from the Galactic plane beyond which a pixel's centre counts as off the plane."""
NORTH_DEG = 30.0
"""Declination in degrees; a region that lies north of it whole is never high enough."""
LEVEL = 0.9
"""The credible level of the region that the rules are about."""
SUB_SOLAR_MAX_AREA = 500.0
"""deg² to which Ω_obs of a sub-solar-mass candidate is trimmed (§2.3.3)."""
NEUTRON_STAR_MAX_AREA = 1_500.0
"""deg² to which Ω_obs of a BNS or NSBH is trimmed (§2.1.3)."""

LIGHT_AU_PER_DAY = 173.144_632_674
"""Speed of light in au a day, from the SI's and the IAU's definitions."""

_ORDER = 7
_PIXELS = 12 * 4**_ORDER
PIXEL_AREA = SKY_AREA_DEG2 / _PIXELS
"""Area of a pixel of the raster, deg²: 0.2098."""
_CORNERS_AT_ONCE = 4_096
"""Tiles whose corners are computed together; the first few nearly always decide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RubinSky:
    """The properties of a sky map that Rubin's rules ask for. Areas in deg² on the sky, probabilities 0 to 1
    of all the map.
    """

    area_90: float
    """Area of the whole 90 % region, the multi-order map's own: whole tiles, the last one that is needed
    included, so that it can be a tile larger than the interpolated area that messages state."""
    observable_area: float
    """Ω_obs: area of the part of the 90 % region that Rubin can observe, before any trimming."""
    observable_probability: float
    """Probability in Ω_obs."""
    all_observable_probability: float
    """Share of all the map's probability, inside the 90 % region or not, that Rubin can observe."""
    off_plane_probability: Mapping[float, float]
    """Probability in Ω_obs at |b| > 10°, by the area in deg² to which Ω_obs is trimmed (500, 1500)."""
    is_all_north: bool
    """True if every corner of the 90 % region lies north of +30°."""


@dataclass(frozen=True, slots=True, eq=False)
class _Raster:
    """The pixels of order 7, NESTED; read-only."""

    centres: Floats
    """(3, pixels): ICRS unit vectors to the centres."""
    off_plane: Flags
    """(pixels,): True where the centre is more than 10° from the Galactic plane."""


def measure_rubin_sky(skymap: SkyMap, event_time: datetime) -> RubinSky:
    """Measure what Rubin's rules ask of a map, for the 24 h from the event's time (aware)."""
    probability = _rasterize(skymap)
    can_observe = _observable(event_time)
    observable = np.flatnonzero(_in_region(probability, LEVEL) & can_observe)
    part = in_credible_region(skymap, LEVEL)
    return RubinSky(
        area_90=float(skymap.area[part].sum()) * DEG2_PER_SR,
        observable_area=observable.size * PIXEL_AREA,
        observable_probability=_total(probability[observable]),
        all_observable_probability=_total(probability[can_observe]),
        off_plane_probability={
            area: _off_plane_probability(probability, observable, area)
            for area in (SUB_SOLAR_MAX_AREA, NEUTRON_STAR_MAX_AREA)
        },
        is_all_north=_is_all_north(skymap, part),
    )


def _rasterize(skymap: SkyMap) -> Floats:
    """Return the (pixels,) probabilities of the raster: coarser tiles split evenly, finer ones summed."""
    fine = skymap.order >= _ORDER
    parents = skymap.ipix[fine] >> 2 * (skymap.order[fine] - _ORDER)
    # Of no tiles at all `bincount` makes integers.
    probability = np.bincount(parents, skymap.probability[fine], _PIXELS).astype(np.float64, copy=False)
    for order in np.unique(skymap.order[~fine]):
        tiles = skymap.order == order
        rows = probability.reshape(12 * 4 ** int(order), -1)
        rows[skymap.ipix[tiles]] = skymap.density[tiles, np.newaxis] * (PIXEL_AREA / DEG2_PER_SR)
    return probability


def _in_region(probability: Floats, level: float) -> Flags:
    """Return a mask of the most probable pixels that hold a probability of `level`."""
    ranked = np.sort(probability)[::-1]
    count = min(int(np.searchsorted(np.cumsum(ranked), level)) + 1, ranked.size)
    return _most_probable(probability, count, float(ranked[count - 1]))


def _most_probable(probability: Floats, count: int, least: float) -> Flags:
    """Return a mask of the `count` most probable pixels, the last of which has the probability `least`.

    Of those that are as probable as the last, the ones with the highest index are taken.
    """
    found = probability > least
    equals = np.flatnonzero(probability == least)
    found[equals[equals.size - (count - int(np.count_nonzero(found))) :]] = True
    return found


def _off_plane_probability(probability: Floats, observable: Integers, area: float) -> float:
    """Return the probability off the Galactic plane of pixels trimmed to an area in deg²."""
    kept = observable
    if observable.size * PIXEL_AREA > area:
        count, within = int(area / PIXEL_AREA), probability[observable]
        kept = observable[_most_probable(within, count, float(np.sort(within)[-count]))]
    return _total(probability[kept[_raster().off_plane[kept]]])


def _is_all_north(skymap: SkyMap, part: Flags) -> bool:
    """Return True if every corner of the tiles of a region lies north of NORTH_DEG."""
    tiles = skymap.by_density[part[skymap.by_density]]
    # Many tiles have a corner on +30° exactly; rounding must not make it lie north.
    limit = math.sin(math.radians(NORTH_DEG)) + 1e-12
    for first in range(0, tiles.size, _CORNERS_AT_ONCE):
        some = tiles[first : first + _CORNERS_AT_ONCE]
        if not np.all(healpix.southern_corners_z(skymap.order[some], skymap.ipix[some]) > limit):
            return False
    return True


def _observable(event_time: datetime) -> Flags:
    """Return a mask of the pixels that are high enough at a dark moment of the 24 h from a time (aware)."""
    sky = equatorial_sky(event_time, 0, WINDOW_S / 86_400)
    turns = _dark_sidereal_times(sky, event_time.timestamp())
    if not turns.size:
        return np.zeros(_PIXELS, np.bool_)
    # The centres with aberration, of the length `length`.
    motion = _earth_motion(event_time)
    x, y, z = _turn(sky.to_equator, _raster().centres) + (sky.to_equator @ motion)[:, np.newaxis]
    (length,) = 1 + _turn(motion[np.newaxis], _raster().centres)
    ra = np.arctan2(y, x) % (2 * np.pi)
    # A pixel is highest at that of the dark moments whose sidereal time is nearest to its right ascension.
    around = np.concatenate(([turns[-1] - 2 * np.pi], turns, [turns[0] + 2 * np.pi]))
    after = np.searchsorted(around[1:-1], ra) + 1
    hour_angle = np.minimum(around[after] - ra, ra - around[after - 1])
    latitude = math.radians(RUBIN.latitude)
    sine = math.sin(latitude) * z + math.cos(latitude) * np.hypot(x, y) * np.cos(hour_angle)
    return np.asarray(sine > math.sin(math.radians(HIGHER_THAN_DEG)) * length, np.bool_)


def _turn(matrix: Floats, vectors: Floats) -> Floats:
    """Return the (m, n) products of an (m, 3) matrix and (3, n) vectors.

    Not by `@`, whose BLAS takes threads for it: on a busy machine they wait for each other, for 20 ms instead
    of 1.
    """
    return np.asarray(np.einsum("ij,jk->ik", matrix, vectors), np.float64)


def _earth_motion(time: datetime) -> Floats:
    """Return the (3,) velocity of the Earth in units of that of light: aberration adds it to a unit vector.

    Aberration is at most 0.006°, but along the border of what is high enough a few pixels of thousands.
    """
    earth: Any = erfa.epv00(UNIX_EPOCH_JD, time.timestamp() / 86_400 + TT_MINUS_UTC_DAYS)[1]
    return np.asarray(earth["v"], np.float64) / LIGHT_AU_PER_DAY


def _dark_sidereal_times(sky: EquatorialSky, start: float) -> Floats:
    """Return the sidereal times at Rubin, 0 to 2π and sorted, of the dark moments from `start` on."""
    times: Floats = start + STEP_S * np.arange(WINDOW_S // STEP_S + 1, dtype=np.float64)
    dark = altitudes_of(RUBIN, sky, *sky.sun(times), times) < math.radians(SUN_BELOW_DEG)
    return np.sort((sky.rotation(times[dark]) + math.radians(RUBIN.longitude)) % (2 * np.pi))


@cache
def _raster() -> _Raster:
    """Return the pixels of the raster, the same for every map: 5 MB, made when they are first asked for."""
    centres = np.stack(healpix.centre_vectors(_ORDER, np.arange(_PIXELS)))
    (sin_latitude,) = _turn(unit_vector(*GALACTIC_POLE)[np.newaxis], centres)
    off_plane = np.abs(sin_latitude) > math.sin(math.radians(OFF_PLANE_DEG))
    centres.flags.writeable = off_plane.flags.writeable = False
    return _Raster(centres, off_plane)


def _total(probability: Floats) -> float:
    """Return a sum of probabilities, which rounding and a map's own sum could bring above 1."""
    return min(float(probability.sum()), 1.0)
