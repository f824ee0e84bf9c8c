"""Observing windows of positions at sites: for each position the best one of this night, else of the next.

A window counts when the position is high enough and the sky dark enough for `min_up` without a break; what
has begun before `now` counts from its beginning, as in `bot.observing.observability`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from bot.observing.ephemeris import EquatorialSky, equatorial_sky
from bot.observing.nights import Interval, Night, altitudes_of, optical_nights, radio_passages
from bot.skymaps.arrays import Floats
from bot.skymaps.directions import unit_vector
from formatters.models.observing import (
    MIN_UP,
    ObservingConstraints,
    PositionAltitude,
    PositionWindow,
    Site,
)

_STEP_S = 60.0
_DAYS_BEFORE, _DAYS_AFTER = 2.0, 4.5
_Found = tuple[int, float, PositionWindow]
"""(0 for this night, 1 for the next; −altitude; the window): the smallest is the best."""


def best_windows(
    positions: Sequence[tuple[float, float]],
    sites: Sequence[Site],
    constraints: ObservingConstraints,
    now: datetime,
    *,
    min_up: timedelta = MIN_UP,
) -> tuple[PositionWindow | None, ...]:
    """Return the best window of each position (RA, Dec, ICRS degrees); None where no site has one.

    This night comes before the next; within a night that window is the best in which the position is highest.
    `now` is aware.
    """
    if not positions or not sites:
        return (None,) * len(positions)
    since = now.astimezone(UTC)
    sky = equatorial_sky(since, _DAYS_BEFORE, _DAYS_AFTER)
    vectors = np.stack([unit_vector(ra, dec) for ra, dec in positions])
    ra, dec = sky.ra_dec(vectors)
    best: list[_Found | None] = [None] * len(positions)
    for site in sites:
        optical = None if site.radio else _optical_nights(site, sky, constraints.darkness, since.timestamp())
        for number, vector in enumerate(vectors):
            nights = radio_passages(site, sky, vector, since.timestamp(), 2) if optical is None else optical
            place = ra[number : number + 1], dec[number : number + 1]
            for order, night in enumerate(nights):
                for dark in night.dark:
                    for window in _windows(site, sky, place, constraints.altitude, dark, min_up, since):
                        mine = best[number]
                        if mine is None or (order, -window.peak_altitude) < mine[:2]:
                            best[number] = (order, -window.peak_altitude, window)
    return tuple(None if one is None else one[2] for one in best)


def highest_altitudes(
    positions: Sequence[tuple[float, float]], sites: Sequence[Site], at: datetime
) -> tuple[PositionAltitude | None, ...]:
    """Return for each position (RA, Dec, ICRS degrees) the site where it is highest at a time, and how high.

    None without sites; `at` is aware. Altitudes are without refraction, and negative below the horizon.
    """
    if not positions or not sites:
        return (None,) * len(positions)
    sky = equatorial_sky(at.astimezone(UTC), _DAYS_BEFORE, _DAYS_BEFORE)
    ra, dec = sky.ra_dec(np.stack([unit_vector(*place) for place in positions]))
    time = np.full(ra.shape, at.timestamp())
    altitude = np.degrees([altitudes_of(site, sky, ra, dec, time) for site in sites])
    best = altitude.argmax(axis=0)
    return tuple(
        PositionAltitude(site=sites[which], altitude=float(altitude[which, number]))
        for number, which in enumerate(best.tolist())
    )


def _optical_nights(site: Site, sky: EquatorialSky, darkness: float, since: float) -> Sequence[Night]:
    """Return this night, or the coming one once it has dawned, and the next."""
    nights = optical_nights(site, sky, since, darkness, 3)
    over = since > nights[0].middle and all(dark.stop <= since for dark in nights[0].dark)
    return nights[1:] if over else nights[:2]


def _windows(
    site: Site,
    sky: EquatorialSky,
    place: tuple[Floats, Floats],
    limit: float,
    dark: Interval,
    min_up: timedelta,
    since: datetime,
) -> Iterator[PositionWindow]:
    """Yield when a position (RA and Dec of date, radians, each of shape (1,)) is above a limit (degrees)."""
    steps = max(math.ceil((dark.stop - dark.start) / _STEP_S), 1)
    times = np.linspace(dark.start, dark.stop, steps + 1)
    altitude = np.degrees(altitudes_of(site, sky, *place, times))
    up = np.concatenate([[False], altitude >= limit, [False]])
    edges = np.flatnonzero(up[1:] != up[:-1])
    now = since.timestamp()
    for first, after in zip(edges[::2], edges[1::2], strict=True):
        start, stop = float(times[first]), float(times[after - 1])
        if stop <= now or stop - start < min_up.total_seconds():
            continue
        left = altitude[first:after][times[first:after] >= now]
        yield PositionWindow(
            site=site,
            start=max(datetime.fromtimestamp(start, UTC), since),
            stop=datetime.fromtimestamp(stop, UTC),
            peak_altitude=float(left.max()),
        )
