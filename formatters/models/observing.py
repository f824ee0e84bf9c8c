"""Sites, and what they can observe of a sky map in a night."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

SITE_NAME_MAX = 30
"""Our own limit: ten names and their shares stand in one line."""


SITES_MAX = 10
"""Our own limit for a channel: more don't fit a line that is read at night."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A place with telescopes."""

    name: str
    latitude: float
    """Degrees, geodetic (WGS 84), north positive."""
    longitude: float
    """Degrees, east positive."""
    height: float
    """m."""
    radio: bool = False
    """Observes by day too."""
    zone: str | None = None
    """IANA's name of its time zone; None where it isn't known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservingConstraints:
    """When something counts as observable."""

    altitude: float = 30.0
    """Degrees above the horizon, at least."""
    darkness: float = -18.0
    """Degrees of the Sun's altitude, at most; radio sites don't ask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSites:
    """A channel's sites, in the order in which they were added, and its conditions."""

    sites: tuple[Site, ...] = ()
    constraints: ObservingConstraints = field(default_factory=ObservingConstraints)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservingWindow:
    """From when to when; both in the site's own time zone, UTC where it isn't known."""

    start: datetime
    stop: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Moon:
    """The Moon, as a site sees it."""

    illuminated_fraction: float
    """Share of its disc, 0 to 1."""
    distance: float
    """Degrees from the map's peak."""
    is_up: bool
    """Above the horizon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteObservability:
    """What a site can observe of a map within 24 hours."""

    site: Site
    has_darkness: bool
    """Whether the Sun goes low enough; always for radio."""
    probability: float = 0.0
    """Of the probability, 0 to 1: all that is high enough at some moment of darkness."""
    window: ObservingWindow | None = None
    """Around the best moment, as long as half as much is up; None where nothing ever is."""
    peak_altitude: float | None = None
    """Degrees; of the map's peak at its highest in the window, without one in darkness."""
    airmass: float | None = None
    """At that altitude; None below the horizon."""
    moon: Moon | None = None
    """At that moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observability:
    """What sites can observe of a map in the 24 hours from `since`."""

    since: datetime
    constraints: ObservingConstraints
    sites: tuple[SiteObservability, ...]
    probability_near_sun: float
    """Share of the probability within 45° of the Sun."""
    probability_near_galactic_plane: float
    """Share of the probability within 10° of the Galactic plane."""
