"""The next time when a site can observe something of a sky map, if nothing can be planned this night."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import radians

import numpy as np

from bot.observing.ephemeris import EquatorialSky, equatorial_sky
from bot.observing.nights import SIDEREAL_DAY_S, Interval, altitudes_of, optical_nights
from bot.skymaps import healpix
from bot.skymaps.arrays import Floats
from bot.skymaps.skymap import SkyMap
from formatters.models.event_plan import NothingReason, NothingToObserve, PlanRequest
from formatters.models.pointing import PointingPlan

SEARCHED = timedelta(days=370)
"""A year: after it the same part of the sky is up at night again."""
LEAST_PROBABILITY = 0.01
"""Probability (0 to 1) from which a part of the map is worth a night."""
_TILES = 2_000
"""The densest tiles that are looked at: more change the first night by none."""
_STEP_S = 600.0
_MAX_STEPS = 200


def nothing_to_observe(skymap: SkyMap, request: PlanRequest, plan: PointingPlan) -> NothingToObserve:
    """Return why a plan has no field, and when at least 1 % of the map can be observed after its time."""
    site, limit = request.site, radians(request.constraints.altitude)
    after = plan.end.astimezone(UTC)
    sky = equatorial_sky(after, 2.0, SEARCHED / timedelta(days=1) + 2)
    ra, dec, probability = _densest_tiles(skymap, sky)
    # At upper culmination; what never gets that high needs no search.
    highest = np.pi / 2 - np.abs(radians(site.latitude) - dec)
    if probability[highest >= limit].sum() < LEAST_PROBABILITY:
        return NothingToObserve(reason=NothingReason.NEVER_RISES, searched=SEARCHED)
    reason = _reason(request, plan)
    start = after.timestamp()
    for dark in _dark_times(request, sky, start):
        steps = min(_MAX_STEPS, max(2, int((dark.stop - dark.start) / _STEP_S) + 1))
        for time in np.linspace(dark.start, dark.stop, steps).tolist():
            up = altitudes_of(site, sky, ra, dec, np.array(time)) >= limit
            if probability[up].sum() >= LEAST_PROBABILITY:
                found = datetime.fromtimestamp(time, UTC)
                return NothingToObserve(reason=reason, next_start=found, searched=SEARCHED)
    return NothingToObserve(reason=reason, searched=SEARCHED)


def _reason(request: PlanRequest, plan: PointingPlan) -> NothingReason:
    if request.duration is not None and request.duration < request.telescope.exposure:
        return NothingReason.TOO_SHORT
    if plan.end <= plan.begin:
        return NothingReason.NO_DARKNESS
    return NothingReason.NO_FIELD if plan.observable >= LEAST_PROBABILITY else NothingReason.TOO_LOW


def _dark_times(request: PlanRequest, sky: EquatorialSky, start: float) -> list[Interval]:
    """Return the times at which the site can begin an exposure, from `start` on, that ends in darkness."""
    exposure = request.telescope.exposure.total_seconds()
    if request.site.radio:
        dark = [Interval(start, start + SIDEREAL_DAY_S)]
    else:
        nights = optical_nights(
            request.site, sky, start, request.constraints.darkness, SEARCHED // timedelta(days=1)
        )
        dark = [Interval(max(one.start, start), one.stop) for night in nights for one in night.dark]
    return [Interval(one.start, one.stop - exposure) for one in dark if one.stop - one.start >= exposure]


def _densest_tiles(skymap: SkyMap, sky: EquatorialSky) -> tuple[Floats, Floats, Floats]:
    """Return RA and Dec of date in radians, and probability (0 to 1), of the map's densest tiles."""
    chosen = np.argsort(-skymap.density, kind="stable")
    held = np.cumsum(skymap.probability[chosen]) / float(skymap.probability.sum())
    chosen = chosen[: int(np.searchsorted(held, 0.99)) + 1]
    # Of very many every n-th, with the probability of those between.
    step = -(-chosen.size // _TILES)
    weights = np.add.reduceat(skymap.probability[chosen], np.arange(0, chosen.size, step))
    chosen = chosen[::step]
    vectors = np.stack(healpix.centre_vectors(skymap.order[chosen], skymap.ipix[chosen]), axis=1)
    ra, dec = sky.ra_dec(vectors)
    return ra, dec, np.asarray(weights / float(skymap.probability.sum()), np.float64)
