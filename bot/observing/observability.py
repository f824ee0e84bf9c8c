"""What of a sky map a site can observe tonight, that is within the next 24 hours.

Altitudes are of the tiles' centres, without refraction. The Earth's attitude is that of IAU 2000B with UTC
for UT1 (wrong by at most 0.9 s of time, 0.004°) and without polar motion, so no table is asked for and no
network; aberration (0.006°) is left out. astropy's AltAz agrees within 0.02°.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import astropy_healpix as healpix
import erfa
import numpy as np
from numpy.typing import NDArray

from bot.skymaps.skymap import SkyMap, peak_tile
from formatters.models.observing import (
    Moon,
    Observability,
    ObservingConstraints,
    ObservingWindow,
    Site,
    SiteObservability,
)

__all__ = ["LOOKAHEAD", "airmass", "altitudes", "observability_tonight", "observable_probability"]

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

LOOKAHEAD = timedelta(hours=24)
"""So that it holds the rest of the current night, or the whole of the next."""
TIME_STEP = timedelta(minutes=5)
NEAR_SUN_DEG = 45.0
"""Degrees. What is nearer is low in twilight, if up at all."""
NEAR_GALACTIC_PLANE_DEG = 10.0
"""Degrees from the Galactic equator: dust and stars hide what lies behind."""
WINDOW_THRESHOLD = 0.5
"""The best window lasts as long as this share of what is up at the best moment."""
NEGLIGIBLE_PROBABILITY = 1e-5
"""Of the probability: the least dense tiles, which are most of many a map."""
TILES_PER_BATCH = 1_024
"""Tiles at a time, so that their altitudes through a night stay in the processor's cache."""

_UNIX_EPOCH_JD = 2_440_587.5
"""Julian date."""
_TT_MINUS_UTC_DAYS = 69.184 / 86_400
"""Days from UTC to TT since 2017; a further leap second would turn the sky by 0.004° at most."""
_GALACTIC_POLE = (192.85948, 27.12825)
"""ICRS degrees (Hipparcos catalogue, ESA SP-1200, vol. 1, sect. 1.5.3)."""
_AU_M = 149_597_870_700.0
"""m (IAU 2012 resolution B2)."""


@dataclass(frozen=True, slots=True, eq=False)
class _Ephemeris:
    """How the Earth stands and where Sun and Moon are, at each of some times; ICRS vectors."""

    times: list[datetime]
    """UTC."""
    earth_rotation: Floats
    """(times, 3, 3): from ICRS to the Earth."""
    sun: Floats
    """(times, 3): directions."""
    moon: Floats
    """(times, 3): places from the geocentre, in au."""


def observability_tonight(
    skymap: SkyMap, sites: Sequence[Site], constraints: ObservingConstraints, now: datetime
) -> Observability:
    """What each site can observe of a map in the 24 hours from `now` (aware)."""
    sky = _ephemeris(_time_grid(now))
    tiles, shares = _tile_directions(skymap)
    peak = _tile_direction(skymap, peak_tile(skymap))
    return Observability(
        since=now.astimezone(UTC),
        constraints=constraints,
        sites=tuple(_observe_site(tiles, shares, peak, site, constraints, sky) for site in sites),
        probability_near_sun=_sum_probability(
            shares, tiles @ sky.sun[0].astype(np.float32) > _cos_deg(NEAR_SUN_DEG)
        ),
        probability_near_galactic_plane=_sum_probability(
            shares,
            np.abs(tiles @ _unit_vector(*_GALACTIC_POLE).astype(np.float32))
            < _sin_deg(NEAR_GALACTIC_PLANE_DEG),
        ),
    )


def observable_probability(
    site: Site, skymap: SkyMap, now: datetime, constraints: ObservingConstraints | None = None
) -> float:
    """The share (0 to 1) of the probability that a site can observe in the 24 hours from `now`."""
    return (
        observability_tonight(skymap, [site], constraints or ObservingConstraints(), now).sites[0].probability
    )


def altitudes(site: Site, ra: float, dec: float, times: Sequence[datetime]) -> Floats:
    """Altitudes in degrees of a position (ICRS degrees) at these times."""
    zenith = _zenith(site, _earth_rotation(times))
    return np.degrees(np.arcsin(np.clip(zenith @ _unit_vector(ra, dec), -1, 1)))


def airmass(altitude: float) -> float:
    """The airmass at an altitude in degrees, 0 to 90 (Kasten & Young 1989, Appl. Opt. 28, 4735)."""
    return 1 / (_sin_deg(altitude) + 0.50572 * math.pow(altitude + 6.07995, -1.6364))


def _time_grid(now: datetime) -> list[datetime]:
    """`now`, then every full five minutes of the clock until a day later."""
    first = now.astimezone(UTC)
    begun = first.replace(minute=first.minute - first.minute % 5, second=0, microsecond=0)
    clock = [begun + number * TIME_STEP for number in range(1, LOOKAHEAD // TIME_STEP + 1)]
    return [first, *(time for time in clock if time <= first + LOOKAHEAD)]


def _ephemeris(times: list[datetime]) -> _Ephemeris:
    """Of the times of one day, in order."""
    later = _unix_days(times) + _TT_MINUS_UTC_DAYS
    ends: Any = erfa.epv00(_UNIX_EPOCH_JD, later[[0, -1]])[0]
    # Across a day the Earth's way bends by 0.002°, and the series is long.
    passed = (later - later[0]) / (later[-1] - later[0])
    first, last = -np.asarray(ends["p"], np.float64)
    sun = first + passed[:, np.newaxis] * (last - first)
    return _Ephemeris(
        times=times,
        earth_rotation=_earth_rotation(times),
        sun=sun / np.linalg.norm(sun, axis=1, keepdims=True),
        moon=np.asarray(erfa.moon98(_UNIX_EPOCH_JD, later)["p"], np.float64),
    )


def _earth_rotation(times: Sequence[datetime]) -> Floats:
    """Matrices (times, 3, 3) that turn ICRS directions into those of the Earth."""
    days = _unix_days(times)
    turned = erfa.c2t00b(_UNIX_EPOCH_JD, days + _TT_MINUS_UTC_DAYS, _UNIX_EPOCH_JD, days, 0.0, 0.0)
    return np.asarray(turned, np.float64)


def _unix_days(times: Sequence[datetime]) -> Floats:
    """Since the Unix epoch, UTC."""
    return np.array([time.timestamp() for time in times]) / 86_400


def _tile_directions(skymap: SkyMap) -> tuple[Singles, Singles]:
    """Directions (tiles, 3) of the centres of the tiles that count, and each one's share; densest first."""
    probability = skymap.probability[skymap.by_density]
    cumulative = np.cumsum(probability)
    count = int(np.searchsorted(cumulative, (1 - NEGLIGIBLE_PROBABILITY) * cumulative[-1])) + 1
    part = skymap.by_density[:count]
    centres = healpix.healpix_to_xyz(skymap.ipix[part], 2 ** skymap.order[part], order="nested")
    shares = probability[:count] / cumulative[-1]
    return np.stack(centres, axis=1).astype(np.float32), shares.astype(np.float32)


def _tile_direction(skymap: SkyMap, tile: int) -> Floats:
    centre = healpix.healpix_to_xyz(skymap.ipix[tile], 2 ** int(skymap.order[tile]), order="nested")
    return np.array(centre, np.float64)


def _observe_site(
    tiles: Singles,
    shares: Singles,
    peak: Floats,
    site: Site,
    constraints: ObservingConstraints,
    sky: _Ephemeris,
) -> SiteObservability:
    zenith = _zenith(site, sky.earth_rotation)
    sun = np.einsum("ti,ti->t", sky.sun, zenith)
    dark = np.flatnonzero((sun < _sin_deg(constraints.darkness)) | site.radio)
    if not dark.size:
        return SiteObservability(site=site, has_darkness=False)
    seen, up = 0.0, np.zeros(len(sky.times))
    for first in range(0, shares.size, TILES_PER_BATCH):
        part = slice(first, first + TILES_PER_BATCH)
        high = np.asarray(tiles[part] @ zenith[dark].T.astype(np.float32) > _sin_deg(constraints.altitude))
        seen += _sum_probability(shares[part], np.any(high, axis=1, keepdims=True)[:, 0])
        up[dark] += shares[part] @ high.astype(np.float32)
    window, span = None, dark
    if up.any():
        first, last = _best_window(up)
        zone = _time_zone(site)
        window = ObservingWindow(
            start=sky.times[first].astimezone(zone), stop=sky.times[last].astimezone(zone)
        )
        span = np.arange(first, last + 1)
    height = zenith[span] @ peak
    altitude = _arcsin_deg(float(height.max()))
    return SiteObservability(
        site=site,
        has_darkness=True,
        probability=min(seen, 1.0),
        window=window,
        peak_altitude=altitude,
        airmass=airmass(altitude) if altitude >= 0 else None,
        moon=_topocentric_moon(site, peak, sky, zenith, int(span[height.argmax()])),
    )


def _best_window(up: Floats) -> tuple[int, int]:
    """The first and the last index of the time around the best moment in which it is worthwhile."""
    best = int(up.argmax())
    poor = np.flatnonzero(up < WINDOW_THRESHOLD * up[best])
    after = int(np.searchsorted(poor, best))
    first = int(poor[after - 1]) + 1 if after else 0
    last = int(poor[after]) - 1 if after < poor.size else up.size - 1
    return first, last


def _topocentric_moon(site: Site, peak: Floats, sky: _Ephemeris, zenith: Floats, index: int) -> Moon:
    """The Moon as the site sees it; from the geocentre it would stand up to 1° elsewhere."""
    place: Any = erfa.gd2gc(1, math.radians(site.longitude), math.radians(site.latitude), site.height)
    moon = sky.moon[index] - np.asarray(place) @ sky.earth_rotation[index] / _AU_M
    moon /= np.linalg.norm(moon)
    return Moon(
        # The angle at the Moon between Sun and Earth is 180° less the elongation, within 0.2°.
        illuminated_fraction=(1 - float(moon @ sky.sun[index])) / 2,
        distance=math.degrees(math.acos(max(-1.0, min(1.0, float(moon @ peak))))),
        is_up=float(moon @ zenith[index]) > 0,
    )


def _zenith(site: Site, earth_rotation: Floats) -> Floats:
    """ICRS directions (times, 3) of the site's zenith."""
    # A product with the matrix on the right is one with its transpose, its inverse, on the left.
    return _unit_vector(site.longitude, site.latitude) @ earth_rotation


def _time_zone(site: Site) -> tzinfo:
    return UTC if site.zone is None else ZoneInfo(site.zone)


def _unit_vector(lon: float, lat: float) -> Floats:
    """The direction of a longitude and latitude in degrees."""
    return np.array([_cos_deg(lat) * _cos_deg(lon), _cos_deg(lat) * _sin_deg(lon), _sin_deg(lat)])


def _sum_probability(shares: Singles, part: NDArray[np.bool_]) -> float:
    return float(shares[part].sum(dtype=np.float64))


def _sin_deg(degrees: float) -> float:
    return math.sin(math.radians(degrees))


def _cos_deg(degrees: float) -> float:
    return math.cos(math.radians(degrees))


def _arcsin_deg(sine: float) -> float:
    """The angle in degrees that has this sine."""
    return math.degrees(math.asin(max(-1.0, min(1.0, sine))))
