"""The part of a sky map that a site can observe tonight, which means within the next 24 hours.

Altitudes are those of the tiles' centres, without refraction; they agree with astropy's AltAz within 0.02°.
It is written here and not taken from astroplan, which wants IERS tables and a network
(`bot.observing.ephemeris`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import astropy_healpix as healpix
import erfa
import numpy as np
from numpy.typing import NDArray

from bot.observing.ephemeris import (
    AU_M,
    GALACTIC_POLE,
    Ephemeris,
    compute_ephemeris,
    earth_rotation,
    unit_vector,
)
from bot.skymaps.arrays import Flags, Floats
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

Singles = NDArray[np.float32]

LOOKAHEAD = timedelta(hours=24)
"""The time looked ahead: it holds the rest of the current night, or the whole of the next one."""
TIME_STEP = timedelta(minutes=5)
NEAR_SUN_DEG = 45.0
"""Degrees. What is nearer to the Sun is low in twilight, if it is up at all."""
NEAR_GALACTIC_PLANE_DEG = 10.0
"""Degrees from the Galactic equator: dust and stars hide what lies behind."""
WINDOW_THRESHOLD = 0.5
"""The best window lasts while the probability that is up is at least this part of its maximum."""
NEGLIGIBLE_PROBABILITY = 1e-5
"""The probability of the least dense tiles that are left out; in many maps they are most of the tiles."""
TILES_PER_BATCH = 1_024
"""Tiles computed at a time, so that their altitudes through a night stay in the processor's cache."""


def observability_tonight(
    skymap: SkyMap, sites: Sequence[Site], constraints: ObservingConstraints, now: datetime
) -> Observability:
    """Compute what each site can observe of a map in the 24 hours from `now` (aware)."""
    ephemeris = compute_ephemeris(_time_grid(now))
    directions, probability = _tile_directions(skymap)
    peak = _tile_direction(skymap, peak_tile(skymap))
    near_sun = directions @ ephemeris.sun[0].astype(np.float32) > _cos_deg(NEAR_SUN_DEG)
    sin_galactic_latitude = directions @ unit_vector(*GALACTIC_POLE).astype(np.float32)
    near_plane = np.abs(sin_galactic_latitude) < _sin_deg(NEAR_GALACTIC_PLANE_DEG)
    return Observability(
        since=now.astimezone(UTC),
        constraints=constraints,
        sites=tuple(
            _observe_site(directions, probability, peak, site, constraints, ephemeris) for site in sites
        ),
        probability_near_sun=_sum_probability(probability, near_sun),
        probability_near_galactic_plane=_sum_probability(probability, near_plane),
    )


def observable_probability(
    site: Site, skymap: SkyMap, now: datetime, constraints: ObservingConstraints | None = None
) -> float:
    """Return the probability (0 to 1) that a site can observe in the 24 hours from `now` (aware)."""
    observability = observability_tonight(skymap, [site], constraints or ObservingConstraints(), now)
    return observability.sites[0].probability


def altitudes(site: Site, ra: float, dec: float, times: Sequence[datetime]) -> Floats:
    """Return the (n,) altitudes in degrees of a position (ICRS degrees) at n aware times."""
    zenith = _zenith(site, earth_rotation(times))
    return np.degrees(np.arcsin(np.clip(zenith @ unit_vector(ra, dec), -1, 1)))


def airmass(altitude: float) -> float:
    """Return the airmass at an altitude of 0 to 90 degrees (Kasten & Young 1989, Appl. Opt. 28, 4735)."""
    return 1 / (_sin_deg(altitude) + 0.50572 * math.pow(altitude + 6.07995, -1.6364))


def _time_grid(now: datetime) -> list[datetime]:
    """Return `now`, then every full five minutes of the clock until a day later, UTC."""
    first = now.astimezone(UTC)
    start = first.replace(minute=first.minute - first.minute % 5, second=0, microsecond=0)
    steps = [start + number * TIME_STEP for number in range(1, LOOKAHEAD // TIME_STEP + 1)]
    return [first, *(time for time in steps if time <= first + LOOKAHEAD)]


def _tile_directions(skymap: SkyMap) -> tuple[Singles, Singles]:
    """Return (n, 3) unit vectors to the centres of the n tiles that aren't negligible, densest first.

    The second array, (n,), is each tile's part of the map's probability.
    """
    probability = skymap.probability[skymap.by_density]
    cumulative = np.cumsum(probability)
    count = int(np.searchsorted(cumulative, (1 - NEGLIGIBLE_PROBABILITY) * cumulative[-1])) + 1
    tiles = skymap.by_density[:count]
    centres = healpix.healpix_to_xyz(skymap.ipix[tiles], 2 ** skymap.order[tiles], order="nested")
    parts = probability[:count] / cumulative[-1]
    return np.stack(centres, axis=1).astype(np.float32), parts.astype(np.float32)


def _tile_direction(skymap: SkyMap, tile: int) -> Floats:
    """Return the (3,) unit vector to a tile's centre."""
    centre = healpix.healpix_to_xyz(skymap.ipix[tile], 2 ** int(skymap.order[tile]), order="nested")
    return np.array(centre, np.float64)


def _observe_site(
    directions: Singles,
    probability: Singles,
    peak: Floats,
    site: Site,
    constraints: ObservingConstraints,
    ephemeris: Ephemeris,
) -> SiteObservability:
    """Compute what one site can observe of the tiles given by directions and probabilities."""
    zenith = _zenith(site, ephemeris.earth_rotation)
    sin_sun_altitude = np.einsum("ti,ti->t", ephemeris.sun, zenith)
    dark = np.flatnonzero((sin_sun_altitude < _sin_deg(constraints.darkness)) | site.radio)
    if not dark.size:
        return SiteObservability(site=site, has_darkness=False)
    observable, up = 0.0, np.zeros(len(ephemeris.times))
    for first in range(0, probability.size, TILES_PER_BATCH):
        batch = slice(first, first + TILES_PER_BATCH)
        sin_altitude = directions[batch] @ zenith[dark].T.astype(np.float32)
        high = np.asarray(sin_altitude > _sin_deg(constraints.altitude))
        observable += _sum_probability(probability[batch], np.any(high, axis=1, keepdims=True)[:, 0])
        up[dark] += probability[batch] @ high.astype(np.float32)
    window, span = None, dark
    if up.any():
        first, last = _best_window(up)
        zone = _time_zone(site)
        window = ObservingWindow(
            start=ephemeris.times[first].astimezone(zone), stop=ephemeris.times[last].astimezone(zone)
        )
        span = np.arange(first, last + 1)
    sin_peak_altitude = zenith[span] @ peak
    altitude = _arcsin_deg(float(sin_peak_altitude.max()))
    return SiteObservability(
        site=site,
        has_darkness=True,
        probability=min(observable, 1.0),
        window=window,
        peak_altitude=altitude,
        airmass=airmass(altitude) if altitude >= 0 else None,
        moon=_topocentric_moon(site, peak, ephemeris, zenith, int(span[sin_peak_altitude.argmax()])),
    )


def _best_window(up: Floats) -> tuple[int, int]:
    """Return the first and the last index around the maximum of `up` where it stays above the threshold."""
    best = int(up.argmax())
    below = np.flatnonzero(up < WINDOW_THRESHOLD * up[best])
    after = int(np.searchsorted(below, best))
    first = int(below[after - 1]) + 1 if after else 0
    last = int(below[after]) - 1 if after < below.size else up.size - 1
    return first, last


def _topocentric_moon(site: Site, peak: Floats, ephemeris: Ephemeris, zenith: Floats, index: int) -> Moon:
    """Return the Moon as the site sees it at one time; seen from the geocentre it is up to 1° elsewhere."""
    place: Any = erfa.gd2gc(1, math.radians(site.longitude), math.radians(site.latitude), site.height)
    moon = ephemeris.moon[index] - np.asarray(place) @ ephemeris.earth_rotation[index] / AU_M
    moon /= np.linalg.norm(moon)
    return Moon(
        # The angle at the Moon between Sun and Earth is 180° less the elongation, within 0.2°.
        illuminated_fraction=(1 - float(moon @ ephemeris.sun[index])) / 2,
        distance=math.degrees(math.acos(max(-1.0, min(1.0, float(moon @ peak))))),
        is_up=float(moon @ zenith[index]) > 0,
    )


def _zenith(site: Site, rotation: Floats) -> Floats:
    """Return the (n, 3) ICRS unit vectors to the site's zenith, for (n, 3, 3) Earth rotations."""
    # A vector times a matrix is the matrix's transpose, here its inverse, times the vector.
    return unit_vector(site.longitude, site.latitude) @ rotation


def _time_zone(site: Site) -> tzinfo:
    return UTC if site.zone is None else ZoneInfo(site.zone)


def _sum_probability(probability: Singles, selected: Flags) -> float:
    return float(probability[selected].sum(dtype=np.float64))


def _sin_deg(degrees: float) -> float:
    return math.sin(math.radians(degrees))


def _cos_deg(degrees: float) -> float:
    return math.cos(math.radians(degrees))


def _arcsin_deg(sine: float) -> float:
    """Return the angle in degrees that has this sine."""
    return math.degrees(math.asin(max(-1.0, min(1.0, sine))))
