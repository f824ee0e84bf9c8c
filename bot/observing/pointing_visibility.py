"""The visibility of positions from a site: the slots of a plan, and what is high and far from the Moon in
each.

A position's altitude follows from the product of its direction with the zenith's, so that thousands of
positions in hundreds of slots are one product of matrices. Altitudes are without refraction; they agree with
astropy's AltAz within 0.02°.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import cos, radians, sin

import numpy as np

from bot.observing.ephemeris import EquatorialSky, equatorial_sky, moon_vector
from bot.observing.nights import Interval, optical_nights
from bot.skymaps.arrays import Flags, Floats
from bot.skymaps.directions import sun_vector
from formatters.models.observing import ObservingConstraints, Site
from formatters.models.pointing import Telescope

MOON_NEAR_DEG, MOON_FULL_DEG = 10.0, 30.0
"""A field nearer to a Moon above the horizon than this isn't observed: new Moon, full Moon."""
_MOON_STEP_S = 900.0
"""Seconds between the Moon's positions that are computed; it moves by 0.1° in that time."""
_BLOCK = 2_000_000
"""Altitudes that are computed at a time."""
_DAYS_BEFORE, _DAYS_AFTER = 2.0, 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Slots:
    """Times for one exposure each, in order; Unix seconds."""

    begin: Floats
    """(s,)"""
    end: Floats
    """(s,): the end of each exposure; the overhead follows."""
    span: Interval
    """The time that is planned for, from the first begin on."""

    def every(self, step: int) -> Slots:
        """Return each `step`-th slot."""
        return Slots(self.begin[::step], self.end[::step], self.span)


class SiteView:
    """The sky as seen from a site in the days around a time."""

    def __init__(self, site: Site, constraints: ObservingConstraints, now: datetime) -> None:
        """Compute Earth's rotation and the Sun around `now` (aware)."""
        self._site = site
        self._constraints = constraints
        self._since = now.astimezone(UTC).timestamp()
        self._sky: EquatorialSky = equatorial_sky(now, _DAYS_BEFORE, _DAYS_AFTER)

    def slots(self, telescope: Telescope, duration: timedelta | None) -> Slots:
        """Return the slots from now, or from the coming dusk, for a duration or until dawn.

        There are none where it doesn't get dark in this night and the next. A radio site has the next 24 h.
        """
        exposure = telescope.exposure.total_seconds()
        step = max(exposure + telescope.overhead.total_seconds(), 1.0)
        dark = self._dark(exposure)
        if not dark:
            return Slots(np.empty(0), np.empty(0), Interval(self._since, self._since))
        start, stop = dark[0].start, dark[-1].stop
        if duration is not None:
            stop = min(stop, start + duration.total_seconds())
        begins = [np.arange(one.start, min(one.stop, stop) - exposure + 1e-6, step) for one in dark]
        begin = np.concatenate(begins)
        return Slots(begin, begin + exposure, Interval(start, stop))

    def visible(self, vectors: Floats, slots: Slots, margin: float = 0.0) -> Flags:
        """Return whether each of m ICRS unit vectors, (m, 3), can be observed in each slot; (m, s).

        It has to be high enough at the begin, in the middle and at the end, and far enough from the Moon.
        `margin` (degrees) lowers the limit of altitude.
        """
        middle = (slots.begin + slots.end) / 2
        zeniths = [self._zenith(times) for times in (slots.begin, middle, slots.end)]
        limit = sin(radians(max(self._constraints.altitude - margin, -90.0)))
        moon = None if self._site.radio else self._moon(middle)
        found = np.empty((len(vectors), slots.begin.size), np.bool_)
        rows = max(1, _BLOCK // max(slots.begin.size, 1))
        for first in range(0, len(vectors), rows):
            block = vectors[first : first + rows]
            flags = (block @ zeniths[0]) >= limit
            for zenith in zeniths[1:]:
                flags &= (block @ zenith) >= limit
            if moon is not None:
                directions, nearest = moon
                flags &= (block @ directions) <= nearest
            found[first : first + rows] = flags
        return found

    def highest_sine(self, vectors: Floats, times: Floats) -> Floats:
        """Return the (m,) sines of the greatest altitudes of m ICRS unit vectors, (m, 3), at the times."""
        zenith = self._zenith(times)
        rows = max(1, _BLOCK // max(times.size, 1))
        blocks = [
            (vectors[first : first + rows] @ zenith).max(axis=1) for first in range(0, len(vectors), rows)
        ]
        return np.concatenate(blocks) if blocks else np.empty(0)

    def altitudes(self, vectors: Floats, times: Floats) -> Floats:
        """Return the (m,) altitudes in degrees of m ICRS unit vectors at a time each."""
        sine = (vectors * self._zenith(times).T).sum(axis=1)
        return np.asarray(np.degrees(np.arcsin(np.clip(sine, -1, 1))), np.float64)

    def _zenith(self, times: Floats) -> Floats:
        """Return the (3, s) ICRS directions of the zenith."""
        latitude = radians(self._site.latitude)
        angle = self._sky.rotation(times) + radians(self._site.longitude)
        equatorial = np.stack(
            [
                cos(latitude) * np.cos(angle),
                cos(latitude) * np.sin(angle),
                np.full(times.size, sin(latitude)),
            ]
        )
        return np.asarray(self._sky.to_equator.T @ equatorial, np.float64)

    def _dark(self, exposure: float) -> list[Interval]:
        """Return the rest of this night's darkness if an exposure fits into it, else the next night's."""
        if self._site.radio:
            return [Interval(self._since, self._since + 86_400)]
        for night in optical_nights(self._site, self._sky, self._since, self._constraints.darkness, 2):
            left = [Interval(max(one.start, self._since), one.stop) for one in night.dark]
            if left := [one for one in left if one.stop - one.start >= exposure]:
                return left
        return []

    def _moon(self, times: Floats) -> tuple[Floats, Floats]:
        """Return the Moon's (3, s) directions and the (s,) greatest cosines of angles to it.

        The cosine is 2, which nothing exceeds, while the Moon is down.
        """
        if not times.size:
            return np.empty((3, 0)), np.empty(0)
        count = max(2, round((times[-1] - times[0]) / _MOON_STEP_S) + 1)
        nodes = np.linspace(times[0], times[-1] + 1, count)
        moons, illuminated = [], []
        for node in nodes.tolist():
            when = datetime.fromtimestamp(node, UTC)
            position = moon_vector(when)
            moons.append(position / np.linalg.norm(position))
            # The Sun is so far away that the phase follows from the angle between the two.
            illuminated.append((1 - float(moons[-1] @ sun_vector(when))) / 2)
        directions = np.stack([np.interp(times, nodes, axis) for axis in np.stack(moons, axis=1)])
        fraction = np.interp(times, nodes, illuminated)
        nearest = np.cos(np.radians(MOON_NEAR_DEG + (MOON_FULL_DEG - MOON_NEAR_DEG) * fraction))
        is_up = (directions * self._zenith(times)).sum(axis=0) >= 0
        return directions, np.where(is_up, nearest, 2.0)


def unit_vectors(ra: Floats, dec: Floats) -> Floats:
    """Return the (m, 3) unit vectors of positions in degrees."""
    lon, lat = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)
