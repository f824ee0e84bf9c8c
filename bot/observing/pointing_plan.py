"""Plan pointings: the fields that hold the most probability a telescope can observe, in an observable order.

From now until dawn, or for as long as is asked, time is cut into slots. Fields are chosen greedily by the
probability that none before holds, each only if all still fit into the night; then each is exchanged for a
better one while that helps. It is done for centres anywhere and for a grid of fields side by side, and the
better plan is taken. Altitudes are without refraction and must hold from the beginning of an exposure to its
end; the centre decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import radians

import numpy as np

from bot.observing.ephemeris import EquatorialSky, equatorial_sky, moon_vector
from bot.observing.nights import Interval, altitudes_of, optical_nights
from bot.observing.pointing_fields import (
    Coverage,
    Fields,
    Pixels,
    angle_to,
    cover,
    fixed_centres,
    free_centres,
    grid_centres,
    pixel_order,
    rasterize,
)
from bot.observing.pointing_schedule import SlotAssignment, observing_order
from bot.skymaps import healpix
from bot.skymaps.arrays import Flags, Floats
from bot.skymaps.directions import sun_vector
from bot.skymaps.skymap import SkyMap
from formatters.models.observing import ObservingConstraints, Site
from formatters.models.pointing import Pointing, PointingPlan, Telescope

MAX_FIELDS = 200
MAX_SLOTS = 400
MOON_NEAR_DEG, MOON_FULL_DEG = 10.0, 30.0
"""A field nearer to a Moon above the horizon than this isn't observed: new Moon, full Moon."""
LEAST_GAIN = 1e-5
"""Probability below which another field isn't worth its time."""
AREA_FACTOR = 12
"""The densest part of the map that is looked at, in areas of all fields together."""
_SWAPS = 2
"""Passes in which each field is exchanged for a better one."""
_DAYS_BEFORE, _DAYS_AFTER = 2.0, 3.0


@dataclass(frozen=True, slots=True, eq=False)
class _Times:
    """The slots of a plan: begin and end of each exposure in Unix seconds, (s,)."""

    begin: Floats
    end: Floats
    span: Interval


def plan_pointings(
    skymap: SkyMap,
    site: Site,
    telescope: Telescope,
    constraints: ObservingConstraints,
    now: datetime,
    *,
    count: int | None = None,
    duration: timedelta | None = None,
) -> PointingPlan:
    """Plan at most `count` pointings from `now` (aware) on, within `duration` or until dawn.

    By day, and where what is left of the night is shorter than an exposure, the coming night is planned. The
    plan has no pointing where nothing of the map can be observed.
    """
    since = now.astimezone(UTC).timestamp()
    sky = equatorial_sky(now, _DAYS_BEFORE, _DAYS_AFTER)
    times = _slots(site, telescope, constraints, sky, since, duration)
    most = min(count or MAX_FIELDS, MAX_FIELDS, times.begin.size)
    observable = _observable_tiles(skymap, site, constraints, sky, times)
    chosen: list[tuple[int, int]] = []
    fields: Fields | None = None
    pixels: Pixels | None = None
    if most and observable.any():
        area = AREA_FACTOR * most * telescope.footprint.area
        pixels = rasterize(skymap, observable, pixel_order(telescope.footprint), area)
        fields, chosen = _best_choice(pixels, site, telescope, constraints, sky, times, most)
    return _as_plan(skymap, site, telescope, sky, times, observable, pixels, fields, chosen)


def _slots(
    site: Site,
    telescope: Telescope,
    constraints: ObservingConstraints,
    sky: EquatorialSky,
    since: float,
    duration: timedelta | None,
) -> _Times:
    exposure, step = (
        telescope.exposure.total_seconds(),
        (telescope.exposure + telescope.overhead).total_seconds(),
    )
    if site.radio:
        dark = [Interval(since, since + 86_400)]
    else:
        nights = optical_nights(site, sky, since, constraints.darkness, 2)
        dark = next(
            (left for night in nights if (left := _left(night.dark, since, exposure))),
            [Interval(since, since)],
        )
    start = dark[0].start
    stop = dark[-1].stop if duration is None else min(dark[-1].stop, start + duration.total_seconds())
    begin = np.concatenate(
        [
            np.arange(one.start, min(one.stop, stop) - exposure + 1e-6, step)
            for one in dark
            if one.start < stop
        ]
        or [np.empty(0)]
    )
    if begin.size > MAX_SLOTS:
        begin = (
            begin[:MAX_SLOTS]
            if duration is not None
            else begin[np.linspace(0, begin.size - 1, MAX_SLOTS).astype(int)]
        )
    return _Times(begin, begin + exposure, Interval(start, stop))


def _left(dark: tuple[Interval, ...], since: float, exposure: float) -> list[Interval]:
    left = [Interval(max(one.start, since), one.stop) for one in dark]
    return [one for one in left if one.stop - one.start >= exposure]


def _observable_tiles(
    skymap: SkyMap, site: Site, constraints: ObservingConstraints, sky: EquatorialSky, times: _Times
) -> Flags:
    """Return for each tile of the map whether its centre is high enough at the begin of any slot."""
    found = np.zeros(skymap.density.size, np.bool_)
    if times.begin.size:
        vectors = np.stack(healpix.centre_vectors(skymap.order, skymap.ipix), axis=1)
        ra, dec = sky.ra_dec(vectors)
        # Every few slots: an altitude changes by less than 4° in a quarter of an hour.
        for time in times.begin[:: max(1, times.begin.size // 60)].tolist():
            found |= altitudes_of(site, sky, ra, dec, np.array(time)) >= radians(constraints.altitude)
    return found


def _visibility(
    ra: Floats, dec: Floats, site: Site, constraints: ObservingConstraints, sky: EquatorialSky, times: _Times
) -> Flags:
    """Return in which slots each field can be observed; (m, s)."""
    lon, lat = np.radians(ra), np.radians(dec)
    vectors = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)
    date_ra, date_dec = (one[:, np.newaxis] for one in sky.ra_dec(vectors))
    limit = radians(constraints.altitude)
    found = np.ones((ra.size, times.begin.size), np.bool_)
    for moment in (times.begin, (times.begin + times.end) / 2, times.end):
        found &= altitudes_of(site, sky, date_ra, date_dec, moment[np.newaxis]) >= limit
    if site.radio:
        return found
    for slot, time in enumerate(((times.begin + times.end) / 2).tolist()):
        nearest = _moon_limit(site, sky, time)
        if nearest is not None:
            moon, limit_deg = nearest
            found[:, slot] &= angle_to(ra, dec, moon) >= limit_deg
    return found


def _moon_limit(site: Site, sky: EquatorialSky, time: float) -> tuple[Floats, float] | None:
    """Return the Moon's direction and the least angle to it in degrees; None while it is down."""
    when = datetime.fromtimestamp(time, UTC)
    position = moon_vector(when)
    moon = position / np.linalg.norm(position)
    ra, dec = sky.ra_dec(moon[np.newaxis])
    if float(altitudes_of(site, sky, ra, dec, np.array(time))[0]) < 0:
        return None
    # The Sun is so far away that the phase follows from the angle between the two.
    illuminated = (1 - float(moon @ sun_vector(when))) / 2
    return moon, MOON_NEAR_DEG + (MOON_FULL_DEG - MOON_NEAR_DEG) * illuminated


def _best_choice(
    pixels: Pixels,
    site: Site,
    telescope: Telescope,
    constraints: ObservingConstraints,
    sky: EquatorialSky,
    times: _Times,
    most: int,
) -> tuple[Fields | None, list[tuple[int, int]]]:
    """Return the better of the plans with centres anywhere and on a grid, or that with fixed fields."""
    footprint = telescope.footprint
    if telescope.fixed_fields:
        candidates = [fixed_centres(telescope.fixed_fields, pixels, footprint)]
    else:
        candidates = [free_centres(pixels, footprint), grid_centres(pixels, footprint)]
    best: tuple[float, Fields | None, list[tuple[int, int]]] = (0.0, None, [])
    for ra, dec in candidates:
        if not ra.size:
            continue
        visible = _visibility(ra, dec, site, constraints, sky, times)
        seen = visible.any(axis=1)
        if not seen.any():
            continue
        visible = visible[seen]
        fields = cover(ra[seen], dec[seen], pixels, footprint)
        assignment = _choose(fields, pixels.probability, visible, most)
        held = _covered(fields, pixels.probability, list(assignment.slot_of_field))
        if held > best[0]:
            best = held, fields, observing_order(visible, assignment.slot_of_field)
    return best[1], best[2]


def _choose(fields: Fields, probability: Floats, visible: Flags, most: int) -> SlotAssignment:
    """Choose fields greedily by what they add, then exchange them while that adds more."""
    assignment = SlotAssignment(visible)
    coverage = Coverage(fields, probability)
    fits = np.ones(fields.ra.size, np.bool_)
    while len(assignment.slot_of_field) < most:
        field = int(np.argmax(np.where(fits, coverage.gains, -1.0)))
        if not fits[field] or coverage.gains[field] <= LEAST_GAIN:
            break
        fits[field] = False
        if assignment.add(field):
            coverage.add(field)
    for _ in range(_SWAPS):
        if not _exchange(coverage, assignment):
            break
    return assignment


def _exchange(coverage: Coverage, assignment: SlotAssignment) -> bool:
    """Exchange each field once for the one that adds the most without it; return whether any was."""
    changed = False
    for old in list(assignment.slot_of_field):
        coverage.remove(old)
        new = int(np.argmax(coverage.gains))
        is_better = coverage.gains[new] > coverage.gains[old] + 1e-9
        if is_better and new not in assignment.slot_of_field and assignment.replace(old, new):
            changed = True
            coverage.add(new)
        else:
            coverage.add(old)
    return changed


def _covered(fields: Fields, probability: Floats, chosen: list[int]) -> float:
    if not chosen:
        return 0.0
    return float(probability[np.unique(np.concatenate([fields.pixels_of(one) for one in chosen]))].sum())


def _as_plan(
    skymap: SkyMap,
    site: Site,
    telescope: Telescope,
    sky: EquatorialSky,
    times: _Times,
    observable: Flags,
    pixels: Pixels | None,
    fields: Fields | None,
    chosen: list[tuple[int, int]],
) -> PointingPlan:
    pointings = []
    if fields is not None and pixels is not None:
        residual = pixels.probability.copy()
        for number, (field, slot) in enumerate(chosen, 1):
            mine = fields.pixels_of(field)
            share = float(residual[mine].sum())
            residual[mine] = 0.0
            middle = (times.begin[slot] + times.end[slot]) / 2
            ra, dec = float(fields.ra[field]), float(fields.dec[field])
            pointings.append(
                Pointing(
                    number=number,
                    ra=ra,
                    dec=dec,
                    start=datetime.fromtimestamp(float(times.begin[slot]), UTC),
                    altitude=_altitude(site, sky, ra, dec, float(middle)),
                    share=share,
                )
            )
    total = float(skymap.probability.sum())
    return PointingPlan(
        telescope=telescope,
        pointings=tuple(pointings),
        covered=sum(one.share for one in pointings),
        observable=float(skymap.probability[observable].sum()) / total,
        begin=datetime.fromtimestamp(times.span.start, UTC),
        end=datetime.fromtimestamp(times.span.stop, UTC),
    )


def _altitude(site: Site, sky: EquatorialSky, ra: float, dec: float, time: float) -> float:
    lon, lat = radians(ra), radians(dec)
    vector = np.array([[np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)]])
    date_ra, date_dec = sky.ra_dec(vector)
    return float(np.degrees(altitudes_of(site, sky, date_ra, date_dec, np.array(time))[0]))
