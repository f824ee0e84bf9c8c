"""Telescopes' fields of view, and plans of pointings that cover a sky map."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

MAX_PLAN_FIELDS = 200
"""The most fields of one plan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """A field of view: polygons on the tangent plane around the pointing, +x east and +y north."""

    polygons: tuple[tuple[tuple[float, float], ...], ...]
    """Corners (x, y) in degrees, one polygon for each detector, in order and not closed; or none for a
    circle."""
    radius: float | None = None
    """Radius of a circle, degrees; None for polygons."""
    area: float
    """deg², overlaps of its polygons counted once."""
    words: str
    """As it was given: "1.1deg circle", "2.2x2.2deg", "ZTF"; not escaped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Telescope:
    """A telescope at a site, as far as a plan needs to know it."""

    site: str
    """The site's name; not escaped."""
    footprint: Footprint
    exposure: timedelta
    """Time on one field."""
    overhead: timedelta
    """Time from the end of one field to the beginning of the next: slew and read-out."""
    fixed_fields: tuple[tuple[float, float], ...] = ()
    """Centres (RA, Dec in ICRS degrees) that the telescope may point at; empty if it points anywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointing:
    """One field of a plan."""

    number: int
    """Its place in the order, from 1."""
    ra: float
    """ICRS degrees."""
    dec: float
    start: datetime
    """Begin of the exposure, UTC."""
    altitude: float
    """Altitude of the centre in the middle of the exposure, degrees."""
    share: float
    """Probability (0 to 1) that this field covers and none before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PointingPlan:
    """Fields in the order in which they are observed."""

    telescope: Telescope
    pointings: tuple[Pointing, ...]
    covered: float
    """Probability (0 to 1) of the map in all fields together."""
    observable: float
    """Probability (0 to 1) of the map that gets high enough at the site in the time that was planned for; the
    Moon isn't counted."""
    begin: datetime
    """Begin and end of the time that was planned for, UTC."""
    end: datetime
