"""What of an event's sky map sites can observe tonight, and a channel's own sites; and how that is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from formatters.blockkit import blocks
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import bold, escape, plain_text
from formatters.models.notice import Category
from formatters.models.superevent import Superevent
from formatters.text import quantities, vocabulary

SITE_NAME_MAX = 30
"""Our own limit: ten names and their shares stand in one line."""
SITES_MAX = 10
"""Our own limit for a channel: more don't fit a line that is read at night."""
NEGLIGIBLE = 0.01
"""Below this share nobody points a telescope."""
_LOW = 10.0
"""Degrees. Nearer to the horizon few telescopes reach, and an airmass says little."""
_WHOLE = timedelta(hours=23, minutes=50)
_NOTHING = "–"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_HEAD = ("Site", "Share", "Best window, UTC", "Local time", "Peak", "Moon")


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
    conditions: ObservingConstraints = field(default_factory=ObservingConstraints)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservingWindow:
    """From when to when; both in the site's own time zone, UTC where it isn't known."""

    start: datetime
    stop: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Moon:
    """The Moon, as a site sees it."""

    illuminated: float
    """Share of its disc, 0 to 1."""
    distance: float
    """Degrees from the map's peak."""
    up: bool
    """Above the horizon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteObservability:
    """What a site can observe of a map within 24 hours."""

    site: Site
    dark: bool
    """Whether the Sun goes low enough; always for radio."""
    share: float = 0.0
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
    conditions: ObservingConstraints
    sites: tuple[SiteObservability, ...]
    near_sun: float
    """Share of the probability within 45° of the Sun."""
    near_plane: float
    """Share of the probability within 10° of the Galactic plane."""


def message(superevent: Superevent, answer: Observability) -> Message:
    """The answer to `visible`: a table with a row a site."""
    front = vocabulary.category_label(superevent.category)
    mock = f"{front} · " if front is not None and superevent.category is not Category.REAL else ""
    title = f"{mock}Visibility tonight · {superevent.superevent_id}"
    since = answer.since.astimezone(UTC)
    said = observability_line(answer)
    return blocks.message(
        escape(f"{title}: {said}", 1_000),
        blocks.header(title),
        blocks.table(_HEAD, [_row(night) for night in answer.sites]),
        blocks.section(escape(_constraints(answer))),
        blocks.context(
            escape(
                f"Share of the probability above {quantities.angle(answer.conditions.altitude)} in darkness"
                f" ({_darkness(answer.conditions)}; radio sites don't ask) within 24{quantities.NBSP}h from"
                f" {_day(since)} {since:%H:%M}{quantities.NBSP}UTC. Best window: at least half as much up as"
                " at the best moment. Peak and Moon: when the peak is highest in it.",
                600,
            )
        ),
    )


def observability_line(answer: Observability) -> str:
    """As in "Palomar 63 % from 07:10 UTC · <1 % from Paranal · 5 % within 45° of the Sun …", not escaped."""
    worth = sorted((n for n in answer.sites if n.share >= NEGLIGIBLE), key=lambda night: -night.share)
    said = [f"{plain_text(n.site.name)} {quantities.percent(n.share)} {_when(n, answer)}" for n in worth]
    rest = [plain_text(night.site.name) for night in answer.sites if night.share < NEGLIGIBLE]
    if rest:
        said.append(f"{quantities.percent(0)} from {', '.join(rest)}")
    return " · ".join([*said, _constraints(answer)])


def site_list(channel: ChannelSites, said: str | None = None) -> Message:
    """A channel's sites, after a sentence (not escaped) about what became of the request."""
    first = [] if said is None else [escape(said)]
    if not channel.sites:
        none = "This channel has no sites yet. Add some: /gwevent sites add Palomar"
        return blocks.message(" ".join([*first, escape(none)]), blocks.section(*first, escape(none)))
    places = [f"{bold(escape(site.name))}  {escape(place(site))}" for site in channel.sites]
    named = ", ".join(plain_text(site.name) for site in channel.sites)
    return blocks.message(
        " ".join([*first, escape(f"This channel's sites: {named}", 500)]),
        blocks.section(*first, *places),
        blocks.context(
            escape(
                f"What counts as observable: above {quantities.angle(channel.conditions.altitude)},"
                f" {_darkness(channel.conditions)}."
            ),
            "To change that: `/gwevent sites altitude 25`, `/gwevent sites darkness -12`",
        ),
    )


def place(site: Site) -> str:
    """As in "33.36° N 116.86° W, 1,706 m", ", radio" where it is."""
    north = f"{quantities.number(abs(site.latitude), 2)}° {'N' if site.latitude >= 0 else 'S'}"
    east = f"{quantities.number(abs(site.longitude), 2)}° {'E' if site.longitude >= 0 else 'W'}"
    words = f"{north} {east}, {quantities.number(site.height)}{quantities.NBSP}m"
    return f"{words}, radio" if site.radio else words


def _constraints(answer: Observability) -> str:
    sun, plane = quantities.percent(answer.near_sun), quantities.percent(answer.near_plane)
    return f"{sun} within 45° of the Sun, {plane} within 10° of the Galactic plane"


def _darkness(conditions: ObservingConstraints) -> str:
    return f"Sun below {quantities.number(conditions.darkness)}°"


def _when(night: SiteObservability, answer: Observability) -> str:
    window = night.window
    assert window is not None, "a share above zero was seen at some time"
    if window.stop - window.start >= _WHOLE:
        return "at any time"
    # No "now", which is false when it is read.
    word, time = ("until", window.stop) if window.start <= answer.since else ("from", window.start)
    return f"{word} {time.astimezone(UTC):%H:%M}{quantities.NBSP}UTC"


def _row(night: SiteObservability) -> Sequence[str]:
    utc, local = _windows(night)
    share = quantities.percent(night.share)
    return plain_text(night.site.name), share, utc, local, _peak(night), _moon(night)


def _windows(night: SiteObservability) -> tuple[str, str]:
    """The best window in UTC and in local time, or why there is none worth the name."""
    window = night.window
    if not night.dark:
        return "no darkness", _NOTHING
    if window is None or night.share < NEGLIGIBLE:
        return "too low" if night.site.radio else "too low in darkness", _NOTHING
    if window.stop - window.start >= _WHOLE:
        return "at any time", _NOTHING
    utc = _span(window.start.astimezone(UTC), window.stop.astimezone(UTC))
    return utc, _NOTHING if night.site.zone is None else _span(window.start, window.stop)


def _span(start: datetime, stop: datetime) -> str:
    return f"{_day(start)} {start:%H:%M}–{stop:%H:%M}"


def _day(time: datetime) -> str:
    # Not strftime's %b, which speaks the machine's language.
    return f"{time.day} {_MONTHS[time.month - 1]}"


def _peak(night: SiteObservability) -> str:
    altitude = night.peak_altitude
    if altitude is None:
        return _NOTHING
    if altitude < 0:
        return "below the horizon"
    if night.airmass is None or night.site.radio or altitude < _LOW:
        return f"{quantities.angle(altitude)} high"
    return f"airmass {quantities.number(night.airmass, 1)} ({quantities.angle(altitude)})"


def _moon(night: SiteObservability) -> str:
    if night.moon is None or night.site.radio:
        return _NOTHING
    said = f"{quantities.percent(night.moon.illuminated)}, {quantities.angle(night.moon.distance)} away"
    return said if night.moon.up else f"{said}, down"
