"""Observing sites, and their results for a sky map in one night."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

SITE_NAME_MAX = 30
"""gwevent's own limit, in characters, so that ten names with their results fit in one line."""


SITES_MAX = 10
"""gwevent's own limit of sites in a channel, so that their results fit in one readable line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """An observing site on Earth."""

    name: str
    latitude: float
    """Geodetic latitude in degrees (WGS 84), north positive."""
    longitude: float
    """Longitude in degrees, east positive."""
    height: float
    """Height in metres."""
    radio: bool = False
    """True if the site can also observe by day."""
    zone: str | None = None
    """IANA name of the site's time zone; None if it is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservingConstraints:
    """Limits within which a position counts as observable."""

    altitude: float = 30.0
    """Minimum altitude of the position above the horizon, in degrees."""
    darkness: float = -18.0
    """Maximum altitude of the Sun, in degrees; ignored for radio sites."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSites:
    """A channel's sites, in the order in which they were added, and its observing constraints."""

    sites: tuple[Site, ...] = ()
    constraints: ObservingConstraints = field(default_factory=ObservingConstraints)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservingWindow:
    """A time interval in the site's own time zone, or in UTC if that is unknown."""

    start: datetime
    stop: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Moon:
    """The Moon as seen from a site."""

    illuminated_fraction: float
    """Illuminated part of the disc, 0 to 1."""
    distance: float
    """Angle from the map's peak, in degrees."""
    is_up: bool
    """True if the Moon is above the horizon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteObservability:
    """The part of a sky map that one site can observe within 24 hours."""

    site: Site
    has_darkness: bool
    """True if the Sun sets far enough; always True for radio sites."""
    probability: float = 0.0
    """Probability (0 to 1) of all tiles that are high enough at some moment of darkness."""
    window: ObservingWindow | None = None
    """Time around the best moment with at least half its probability up; None if nothing is observable."""
    peak_altitude: float | None = None
    """Highest altitude of the map's peak during the window (else during darkness), in degrees."""
    airmass: float | None = None
    """Airmass at `peak_altitude`; None below the horizon."""
    moon: Moon | None = None
    """The Moon at the moment of `peak_altitude`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observability:
    """The observability of a sky map from several sites in the 24 hours after `since`."""

    since: datetime
    constraints: ObservingConstraints
    sites: tuple[SiteObservability, ...]
    probability_near_sun: float
    """Probability (0 to 1) within 45° of the Sun."""
    probability_near_galactic_plane: float
    """Probability (0 to 1) within 10° of the Galactic plane."""
