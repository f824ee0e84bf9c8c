"""The nights of a site: from noon to noon, and the dark between.

Noon is the Sun's upper culmination, so a night never holds parts of two. A radio site needs no darkness; what
a night is for others, for it is one passage of the field, from lower culmination to lower culmination.

Times are Unix seconds, UTC. Twilight's limits are found exactly (within a second), not on a grid.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bot.observing.ephemeris import ROTATION_RAD_PER_S, EquatorialSky
from bot.skymaps.arrays import Flags, Floats
from formatters.models.observing import Site

SIDEREAL_DAY_S = 2 * math.pi / ROTATION_RAD_PER_S
"""Seconds of a full turn of the sky."""
_TWILIGHT_STEP_S = 600.0
"""Seconds between the altitudes of the Sun among which a limit's crossings are looked for."""
_BISECTIONS = 12
"""From 600 s to 0.15 s."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A time from `start` to `stop`."""

    start: float
    stop: float


@dataclass(frozen=True, slots=True)
class Night:
    """One night of a site."""

    limits: Interval
    """From noon to noon; of a radio site from lower culmination to lower culmination of the field."""
    dark: tuple[Interval, ...]
    """When it is dark enough, within the limits: one interval, except within 0.2° of the poles."""

    @property
    def middle(self) -> float:
        """Midnight, within a minute; of a radio site the field's upper culmination."""
        return (self.limits.start + self.limits.stop) / 2


def optical_nights(site: Site, sky: EquatorialSky, start: float, darkness: float, count: int) -> list[Night]:
    """Return the night that holds the time `start` and those that follow, `count` in all.

    Dark is where the Sun is below `darkness` (degrees).
    """
    nights = []
    noons = _sun_transits(site, sky)
    first = int(np.searchsorted(noons, start, side="right")) - 1
    for noon, next_noon in zip(noons[first : first + count], noons[first + 1 :], strict=False):
        limits = Interval(float(noon), float(next_noon))
        nights.append(Night(limits, _dark_intervals(site, sky, limits, darkness)))
    return nights


def radio_passages(site: Site, sky: EquatorialSky, field: Floats, start: float, count: int) -> list[Night]:
    """Return the passage that holds the time `start` and those that follow, `count` in all.

    `field` is the ICRS vector of the field's middle.
    """
    ra, _ = sky.ra_dec(field[np.newaxis])
    angle = hour_angles(site, sky, ra, start)
    begun = start - float(angle[0] + math.pi) / ROTATION_RAD_PER_S
    limits = [
        Interval(begun + number * SIDEREAL_DAY_S, begun + (number + 1) * SIDEREAL_DAY_S)
        for number in range(count)
    ]
    return [Night(each, (each,)) for each in limits]


def hour_angles(site: Site, sky: EquatorialSky, ra: Floats, time: float) -> Floats:
    """Return the (n,) hour angles in radians, from −π to π, of right ascensions of date at one time."""
    local = float(sky.rotation(np.array([time]))[0]) + math.radians(site.longitude)
    angle = local - ra
    return np.asarray(angle - 2 * math.pi * np.rint(angle / (2 * math.pi)), np.float64)


def altitudes_of(site: Site, sky: EquatorialSky, ra: Floats, dec: Floats, times: Floats) -> Floats:
    """Return altitudes in radians, without refraction, of positions of date; the arrays are broadcast."""
    latitude = math.radians(site.latitude)
    hour_angle = sky.rotation(times) + math.radians(site.longitude) - ra
    sine = math.sin(latitude) * np.sin(dec) + math.cos(latitude) * np.cos(dec) * np.cos(hour_angle)
    return np.asarray(np.arcsin(np.clip(sine, -1, 1)), np.float64)


def _sun_transits(site: Site, sky: EquatorialSky) -> Floats:
    """Return the times of the Sun's upper culminations within the sky's days."""
    times = np.arange(sky.start, sky.stop, 3_600.0)
    ra, _ = sky.sun(times)
    turns = (sky.rotation(times) + math.radians(site.longitude) - ra) / (2 * math.pi)
    numbers = np.arange(math.ceil(turns[0]), math.floor(turns[-1]) + 1)
    return np.asarray(np.interp(numbers, turns, times), np.float64)


def _dark_intervals(
    site: Site, sky: EquatorialSky, limits: Interval, darkness: float
) -> tuple[Interval, ...]:
    """Return when the Sun is below `darkness` (degrees) within the limits, which are two noons."""
    # An even number of steps: the Sun is lowest at midnight, which has to be one of the times.
    steps = 2 * math.ceil((limits.stop - limits.start) / _TWILIGHT_STEP_S / 2)
    times = np.linspace(limits.start, limits.stop, steps + 1)
    limit = math.radians(darkness)

    def is_dark(at: Floats) -> Flags:
        ra, dec = sky.sun(at)
        return np.asarray(altitudes_of(site, sky, ra, dec, at) < limit)

    dark = is_dark(times)
    edges = np.flatnonzero(dark[1:] != dark[:-1])
    before, after, dark_before = times[edges], times[edges + 1], dark[edges]
    for _ in range(_BISECTIONS):
        middle = (before + after) / 2
        same = is_dark(middle) == dark_before
        before, after = np.where(same, middle, before), np.where(same, after, middle)
    # Of the two ends of what is left, the one that is dark.
    crossings = [float(time) for time in np.where(dark_before, before, after)]
    bounds = [limits.start] * bool(dark[0]) + crossings + [limits.stop] * bool(dark[-1])
    return tuple(Interval(*pair) for pair in zip(bounds[::2], bounds[1::2], strict=True))
