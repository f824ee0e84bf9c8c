"""Observing sites, and their results for a sky map in one night and the next."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from formatters.models.pointing import Telescope

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


MIN_UP = timedelta(minutes=20)
"""How long a tile has to be up in darkness, without a break, to count; a deployment may set another time.

Zero is "at any moment", as Rubin's trigger rules count a tile. gwevent's own answers, the card's line and the
condition `visible from` don't: in less time than it takes to point, nobody has observed anything.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservingConstraints:
    """Limits within which a position counts as observable."""

    altitude: float = 30.0
    """Minimum altitude of the position above the horizon, in degrees."""
    darkness: float = -18.0
    """Maximum altitude of the Sun, in degrees; ignored for radio sites."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSites:
    """A channel's sites in the order in which they were added, its telescopes and observing constraints."""

    sites: tuple[Site, ...] = ()
    constraints: ObservingConstraints = field(default_factory=ObservingConstraints)
    telescopes: tuple[Telescope, ...] = ()
    """In the order of their sites, at most one at each; sites whose field of view nobody gave have none."""

    def telescope_at(self, site: str) -> Telescope | None:
        """Return the telescope at a site of this name, None if its field of view isn't known."""
        return next((one for one in self.telescopes if one.site == site), None)


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
class ObservingWindow:
    """A time, within one night, in which a worthwhile part of a sky map is up without a break."""

    start: datetime
    """In the site's own time zone, or in UTC if that is unknown; the same for `stop`.

    To compare or subtract two of them take UTC: Python compares times of one zone by their clocks, which
    a zone sets back an hour in one night of the year.
    """
    stop: datetime
    probability: float
    """Probability (0 to 1) of the tiles that can be observed in this window."""
    peak_altitude: float
    """Highest altitude of the map's peak during the window, in degrees."""
    airmass: float | None = None
    """Airmass at `peak_altitude`; None below the horizon."""
    moon: Moon | None = None
    """The Moon at the moment of `peak_altitude`."""

    @property
    def length(self) -> timedelta:
        """The time from start to stop."""
        return self.stop.astimezone(UTC) - self.start.astimezone(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class NightObservability:
    """The part of a sky map that one site can observe in one night.

    A night lasts from noon to noon, which are the Sun's upper culminations at the site. For a radio site,
    which needs no darkness, it is one passage of the field: from lower culmination to lower culmination.
    """

    evening: date | None = None
    """The site's date (by mean solar time) when the night begins; None for radio sites."""
    has_darkness: bool
    """True if the Sun sets far enough, in what is left of the night; always True for radio sites."""
    probability: float = 0.0
    """Probability (0 to 1) of all tiles that can be observed in what is left of the night."""
    windows: tuple[ObservingWindow, ...] = ()
    """All worthwhile windows in order of time; empty if nothing can be observed."""
    peak_altitude: float | None = None
    """Highest altitude of the map's peak in what is left of the dark, in degrees; None without darkness."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteObservability:
    """The part of a sky map that one site can observe in this night, and in the next."""

    site: Site
    this_night: NightObservability
    """The night that it is; in the daytime (once it has dawned) the coming one."""
    next_night: NightObservability

    @property
    def probability(self) -> float:
        """The higher of both nights' probabilities (0 to 1)."""
        return max(self.this_night.probability, self.next_night.probability)

    @property
    def has_darkness(self) -> bool:
        """True if one of both nights gets dark enough; always True for radio sites."""
        return self.this_night.has_darkness or self.next_night.has_darkness


@dataclass(frozen=True, slots=True, kw_only=True)
class Observability:
    """The observability of a sky map from several sites, in two nights each."""

    since: datetime
    """The time (UTC) that the nights are counted from."""
    is_now: bool = True
    """False if somebody asked about another time than the present."""
    night_of: date | None = None
    """The date whose night was asked for instead: each site's own evening; a UTC day for radio sites."""
    merger: datetime | None = None
    """The event's time, from which "T+2.4 h" is counted; None if it is unknown."""
    constraints: ObservingConstraints
    min_up: timedelta = MIN_UP
    """The time for which a tile had to be up without a break to count."""
    sites: tuple[SiteObservability, ...]
    probability_near_sun: float
    """Probability (0 to 1) within 45° of the Sun."""
    probability_near_galactic_plane: float
    """Probability (0 to 1) within 10° of the Galactic plane."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionAltitude:
    """The altitude of a position at a time, at the site where it is highest."""

    site: Site
    altitude: float
    """Degrees, negative below the horizon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionWindow:
    """The window in which one site can observe one position."""

    site: Site
    start: datetime
    """In UTC; the same for `stop`."""
    stop: datetime
    peak_altitude: float
    """Highest altitude in the window, degrees."""
