"""The part of a sky map that a site can observe in this night, and in the next.

A tile counts when it is high enough and the sky dark enough for `min_up` without a break
(20 min unless a deployment sets another time). With zero it is any moment, which is how Rubin's trigger rules
count; both are the same computation. What has begun before `now` counts from its beginning: a field that is
up now is never kept from the observer because little of it is left; the window says until when it is.

Each tile's rising and setting follow from its declination, so nothing is missed between steps of time.
Altitudes are those of the tiles' centres, without refraction; they agree with astropy's AltAz within 0.02°.
It is written here and not taken from astroplan, which wants IERS tables and a network
(`bot.observing.ephemeris`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import erfa
import numpy as np

from bot.observing.ephemeris import (
    AU_M,
    ROTATION_RAD_PER_S,
    EquatorialSky,
    earth_rotation,
    equatorial_sky,
    moon_vector,
)
from bot.observing.nights import (
    SIDEREAL_DAY_S,
    Interval,
    Night,
    altitudes_of,
    hour_angles,
    optical_nights,
    radio_passages,
)
from bot.skymaps import healpix
from bot.skymaps.arrays import Flags, Floats
from bot.skymaps.directions import (
    GALACTIC_POLE,
    NEAR_GALACTIC_PLANE_DEG,
    NEAR_SUN_DEG,
    sun_vector,
    unit_vector,
)
from bot.skymaps.skymap import SkyMap, peak_tile
from formatters.models.observing import (
    MIN_UP,
    Moon,
    NightObservability,
    Observability,
    ObservingConstraints,
    ObservingWindow,
    Site,
    SiteObservability,
)

__all__ = ["airmass", "altitudes", "observability_in_two_nights", "observable_probability"]

WORTHWHILE_PROBABILITY = 0.1
"""The probability (0 to 1) that is up at a worthwhile moment …"""
WORTHWHILE_PART_OF_BEST = 0.5
"""… or this part of what is up at the night's best moment, if that is less."""
NEGLIGIBLE_PROBABILITY = 1e-5
"""The probability of the least dense tiles that are left out; in many maps they are most of the tiles."""

_WINDOW_STEP_S = 60.0
"""Windows begin and end on full minutes, or with the dark, or now."""
_ROUNDING = 1e-9
"""Rounding error of a sum of probabilities."""
_DAYS_BEFORE, _DAYS_AFTER = 2.0, 4.5
"""Days around `now` that hold its own night and the two after it, for every longitude and asked date."""


@dataclass(frozen=True, slots=True, eq=False)
class _Tiles:
    """The n tiles that aren't negligible, and the map's peak, against the equator of date."""

    sky: EquatorialSky
    ra: Floats
    """(n,) radians."""
    sin_dec: Floats
    cos_dec: Floats
    probability: Floats
    """(n,): each tile's part of the map's probability."""
    peak: Floats
    """(3,): the ICRS unit vector to the peak."""
    middle: Floats
    """(3,): the ICRS unit vector to the middle of the map's probability."""
    min_up: timedelta
    """The time for which a tile has to be up without a break to count."""


@dataclass(frozen=True, slots=True, eq=False)
class _SiteTiles:
    """Those of the tiles that a site ever sees high enough, n of them."""

    transit: Floats
    """(n,): an upper culmination, Unix seconds; the next is a sidereal day later."""
    half: Floats
    """(n,): seconds from the culmination until the tile is too low; infinite if it never is."""
    probability: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _Runs:
    """The times at which each of n tiles is up during one dark interval: at most one run for each turn of the
    sky.
    """

    dark: Interval
    """The part of the interval that is left."""
    rise: list[Floats]
    set: list[Floats]
    counts: list[Flags]
    """True for a run that is long enough."""

    def counted(self, within: Interval) -> Flags:
        """Return for each tile whether it can be observed during a part of the interval."""
        found = np.zeros(self.rise[0].shape, np.bool_)
        for rise, end, counts in zip(self.rise, self.set, self.counts, strict=True):
            found |= counts & (rise <= within.stop) & (end >= within.start)
        return found


def observability_in_two_nights(
    skymap: SkyMap,
    sites: Sequence[Site],
    constraints: ObservingConstraints,
    now: datetime,
    *,
    min_up: timedelta = MIN_UP,
    night_of: date | None = None,
    merger: datetime | None = None,
) -> Observability:
    """Compute what each site can observe of a map in the rest of this night, and in the next.

    The nights are counted from `now` (aware) or, if `night_of` is given, from noon of that date at each site
    (midnight UTC for radio sites). `min_up` is the time for which a tile has to be up without a break to
    count, zero for "at any moment". `merger`, the event's time, is only passed on.
    """
    since = now.astimezone(UTC)
    if night_of is not None:
        since = datetime.combine(night_of, time(12), UTC)
    directions, probability = _tile_directions(skymap)
    sky = equatorial_sky(since, _DAYS_BEFORE, _DAYS_AFTER)
    ra, dec = sky.ra_dec(directions)
    peak = _tile_direction(skymap, peak_tile(skymap))
    middle = _middle(directions, probability, peak)
    tiles = _Tiles(sky, ra, np.sin(dec), np.cos(dec), probability, peak, middle, min_up)
    near_sun = directions @ sun_vector(since) > _cos_deg(NEAR_SUN_DEG)
    near_plane = np.abs(directions @ unit_vector(*GALACTIC_POLE)) < _sin_deg(NEAR_GALACTIC_PLANE_DEG)
    return Observability(
        since=since,
        night_of=night_of,
        merger=merger,
        constraints=constraints,
        min_up=min_up,
        sites=tuple(
            _observe_site(tiles, site, constraints, since.timestamp(), asked=night_of is not None)
            for site in sites
        ),
        probability_near_sun=_sum_probability(probability, near_sun),
        probability_near_galactic_plane=_sum_probability(probability, near_plane),
    )


def observable_probability(
    site: Site,
    skymap: SkyMap,
    now: datetime,
    constraints: ObservingConstraints | None = None,
    min_up: timedelta = MIN_UP,
) -> float:
    """Return the probability (0 to 1) that a site can observe in one night: this one or the next.

    It is the higher of both, so that an alert in the last minutes of a night isn't judged by these alone.
    `now` is aware.
    """
    found = observability_in_two_nights(
        skymap, [site], constraints or ObservingConstraints(), now, min_up=min_up
    )
    return found.sites[0].probability


def altitudes(site: Site, ra: float, dec: float, times: Sequence[datetime]) -> Floats:
    """Return the (n,) altitudes in degrees of a position (ICRS degrees) at n aware times."""
    # A vector times a matrix is the matrix's transpose, here its inverse, times the vector.
    zenith = unit_vector(site.longitude, site.latitude) @ earth_rotation(times)
    return np.degrees(np.arcsin(np.clip(zenith @ unit_vector(ra, dec), -1, 1)))


def airmass(altitude: float) -> float:
    """Return the airmass at an altitude of 0 to 90 degrees (Kasten & Young 1989, Appl. Opt. 28, 4735)."""
    return 1 / (_sin_deg(altitude) + 0.50572 * math.pow(altitude + 6.07995, -1.6364))


def _tile_directions(skymap: SkyMap) -> tuple[Floats, Floats]:
    """Return (n, 3) unit vectors to the centres of the n tiles that aren't negligible, densest first.

    The second array, (n,), is each tile's part of the map's probability.
    """
    probability = skymap.probability[skymap.by_density]
    cumulative = np.cumsum(probability)
    count = int(np.searchsorted(cumulative, (1 - NEGLIGIBLE_PROBABILITY) * cumulative[-1])) + 1
    tiles = skymap.by_density[:count]
    centres = healpix.centre_vectors(skymap.order[tiles], skymap.ipix[tiles])
    return np.stack(centres, axis=1), np.asarray(probability[:count] / cumulative[-1], np.float64)


def _tile_direction(skymap: SkyMap, tile: int) -> Floats:
    """Return the (3,) unit vector to a tile's centre."""
    centre = healpix.centre_vectors(skymap.order[tile], skymap.ipix[tile])
    return np.array(centre, np.float64)


def _middle(directions: Floats, probability: Floats, peak: Floats) -> Floats:
    """Return the direction of the map's mean, of a map that has none (all around the sky) its peak."""
    mean = probability @ directions
    length = float(np.linalg.norm(mean[:2]))
    return np.asarray(mean, np.float64) if length > 0.01 else peak


def _observe_site(
    tiles: _Tiles, site: Site, constraints: ObservingConstraints, since: float, *, asked: bool
) -> SiteObservability:
    """Compute what one site can observe of the tiles; `asked` if `since` is noon UTC of an asked date."""
    if asked:
        # The date's own noon at this longitude, and half an hour more than the equation of time.
        since += -12 * 3_600 if site.radio else 1_800 - site.longitude / 15 * 3_600
    count = 3
    if site.radio:
        nights = radio_passages(site, tiles.sky, tiles.middle, since, count)
    else:
        nights = optical_nights(site, tiles.sky, since, constraints.darkness, count)
    if asked and not site.radio:
        since = nights[0].limits.start
    ups = _site_tiles(tiles, site, constraints.altitude, since)
    this = _observe_night(tiles, ups, site, nights[0], since)
    over = not this.windows if site.radio else not this.has_darkness
    if over and since > nights[0].middle:
        del nights[0]
        this = _observe_night(tiles, ups, site, nights[0], since)
    following = _observe_night(tiles, ups, site, nights[1], since)
    return SiteObservability(site=site, this_night=this, next_night=following)


def _site_tiles(tiles: _Tiles, site: Site, altitude: float, since: float) -> _SiteTiles:
    """Compute when the tiles culminate and how long they are above an altitude (degrees)."""
    latitude = math.radians(site.latitude)
    # The cosine of the hour angle at which a tile rises and sets; beyond ±1 it does neither.
    above = _sin_deg(altitude) - math.sin(latitude) * tiles.sin_dec
    span = np.maximum(math.cos(latitude) * tiles.cos_dec, 1e-12)
    seen = np.flatnonzero(above < span)
    cosine = above[seen] / span[seen]
    half = np.arccos(np.maximum(cosine, -1)) / ROTATION_RAD_PER_S
    half[cosine <= -1] = np.inf
    transit = since - hour_angles(site, tiles.sky, tiles.ra[seen], since) / ROTATION_RAD_PER_S
    return _SiteTiles(transit, half, tiles.probability[seen])


def _observe_night(
    tiles: _Tiles, ups: _SiteTiles, site: Site, night: Night, since: float
) -> NightObservability:
    """Compute what one site can observe of the tiles in one night, from the time `since` on."""
    evening = None
    if not site.radio:
        local = datetime.fromtimestamp(night.limits.start + 1_800, UTC)
        evening = (local + timedelta(hours=site.longitude / 15)).date()
    dark = [each for each in night.dark if each.stop > since]
    if not dark:
        return NightObservability(evening=evening, has_darkness=False)
    all_runs = [_runs(ups, each, since, tiles.min_up, by_day=site.radio) for each in dark]
    observable = all_runs[0].counted(all_runs[0].dark)
    for runs in all_runs[1:]:
        observable |= runs.counted(runs.dark)
    curves = [_probability_up(runs, ups.probability) for runs in all_runs]
    best = max(float(up.max()) for _, up in curves)
    threshold = min(WORTHWHILE_PROBABILITY, WORTHWHILE_PART_OF_BEST * best) - _ROUNDING
    windows = []
    if best > _ROUNDING:
        for runs, (times, up) in zip(all_runs, curves, strict=True):
            for window in _stretches(times, up >= threshold):
                share = _sum_probability(ups.probability, runs.counted(window))
                windows.append(_window(tiles, site, window, share))
    left = [Interval(max(each.start, since), each.stop) for each in dark]
    return NightObservability(
        evening=evening,
        has_darkness=True,
        probability=_sum_probability(ups.probability, observable),
        windows=tuple(windows),
        peak_altitude=max(_peak_altitude(tiles, site, each)[1] for each in left),
    )


def _runs(ups: _SiteTiles, dark: Interval, since: float, min_up: timedelta, *, by_day: bool) -> _Runs:
    """Compute when each tile is up during a dark interval, from `since` on.

    With `by_day`, at radio sites, a tile that is up beyond the interval counts by all that time.
    """
    left = Interval(max(dark.start, since), dark.stop)
    runs = _Runs(left, [], [], [])
    # The culmination within half a turn of the interval's beginning.
    turns = np.rint((dark.start - ups.transit) / SIDEREAL_DAY_S)
    transit = ups.transit + turns * SIDEREAL_DAY_S
    for turn in range(1 + math.ceil((dark.stop - dark.start) / SIDEREAL_DAY_S)):
        middle = transit + turn * SIDEREAL_DAY_S
        rise, end = np.maximum(middle - ups.half, dark.start), np.minimum(middle + ups.half, dark.stop)
        length = 2 * ups.half if by_day else end - rise
        counts = (end > rise) & (length >= min_up.total_seconds()) & (end > left.start)
        if turn:
            # What never sets has one run.
            counts &= np.isfinite(ups.half)
        runs.rise.append(np.maximum(rise, left.start))
        runs.set.append(end)
        runs.counts.append(counts)
    return runs


def _probability_up(runs: _Runs, probability: Floats) -> tuple[Floats, Floats]:
    """Return times, on full minutes and at both ends of the interval, and the probability that is up then."""
    start, stop = runs.dark.start, runs.dark.stop
    minute = math.floor(start / _WINDOW_STEP_S)
    minutes = np.arange(minute + 1, math.ceil(stop / _WINDOW_STEP_S))
    times = np.concatenate([[start], minutes * _WINDOW_STEP_S, [stop]])
    change = np.zeros(times.size + 1)
    for rise, end, counts in zip(runs.rise, runs.set, runs.counts, strict=True):
        weights, rise, end = probability[counts], rise[counts], end[counts]  # noqa: PLW2901
        # The first time that isn't before the rise, and the first that is after the end.
        first = np.where(rise <= start, 0, np.ceil(rise / _WINDOW_STEP_S) - minute)
        after = np.where(end >= stop, times.size, np.floor(end / _WINDOW_STEP_S) - minute + 1)
        change += np.bincount(first.astype(np.intp), weights, change.size)
        change -= np.bincount(after.astype(np.intp), weights, change.size)
    return times, np.cumsum(change)[:-1]


def _stretches(times: Floats, worthwhile: Flags) -> list[Interval]:
    """Return the uninterrupted times in which a moment is worthwhile."""
    padded = np.concatenate([[False], worthwhile, [False]])
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    return [
        Interval(float(times[first]), float(times[after - 1]))
        for first, after in zip(edges[::2], edges[1::2], strict=True)
    ]


def _window(tiles: _Tiles, site: Site, interval: Interval, probability: float) -> ObservingWindow:
    """Describe one window, with the Moon at the time in it when the map's peak is highest."""
    when, altitude = _peak_altitude(tiles, site, interval)
    zone = _time_zone(site)
    return ObservingWindow(
        start=datetime.fromtimestamp(interval.start, zone),
        stop=datetime.fromtimestamp(interval.stop, zone),
        probability=probability,
        peak_altitude=altitude,
        airmass=airmass(altitude) if altitude >= 0 else None,
        moon=_topocentric_moon(site, tiles.peak, datetime.fromtimestamp(when, UTC)),
    )


def _peak_altitude(tiles: _Tiles, site: Site, interval: Interval) -> tuple[float, float]:
    """Return when in an interval the map's peak is highest, and its altitude then in degrees."""
    ra, dec = tiles.sky.ra_dec(tiles.peak[np.newaxis])
    steps = math.ceil((interval.stop - interval.start) / _WINDOW_STEP_S) + 1
    times = np.linspace(interval.start, interval.stop, max(steps, 2))
    altitude = altitudes_of(site, tiles.sky, ra, dec, times)
    highest = int(altitude.argmax())
    return float(times[highest]), math.degrees(float(altitude[highest]))


def _topocentric_moon(site: Site, peak: Floats, when: datetime) -> Moon:
    """Return the Moon as the site sees it; seen from the geocentre it is up to 1° elsewhere."""
    rotation = earth_rotation([when])[0]
    place: Any = erfa.gd2gc(1, math.radians(site.longitude), math.radians(site.latitude), site.height)
    moon = moon_vector(when) - np.asarray(place) @ rotation / AU_M
    moon /= np.linalg.norm(moon)
    zenith = unit_vector(site.longitude, site.latitude) @ rotation
    return Moon(
        # The angle at the Moon between Sun and Earth is 180° less the elongation, within 0.2°.
        illuminated_fraction=(1 - float(moon @ sun_vector(when))) / 2,
        distance=math.degrees(math.acos(max(-1.0, min(1.0, float(moon @ peak))))),
        is_up=float(moon @ zenith) > 0,
    )


def _time_zone(site: Site) -> tzinfo:
    return UTC if site.zone is None else ZoneInfo(site.zone)


def _sum_probability(probability: Floats, selected: Flags) -> float:
    return min(float(probability[selected].sum()), 1.0)


def _sin_deg(degrees: float) -> float:
    return math.sin(math.radians(degrees))


def _cos_deg(degrees: float) -> float:
    return math.cos(math.radians(degrees))
