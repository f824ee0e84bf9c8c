"""Answers to `visible` (an event's observability from a channel's sites tonight) and to `sites`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from formatters.blockkit import blocks
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import bold, escape, plain_text
from formatters.models.notice import Category
from formatters.models.observing import (
    ChannelSites,
    Observability,
    ObservingConstraints,
    Site,
    SiteObservability,
)
from formatters.models.superevent import Superevent
from formatters.text import quantities, vocabulary
from formatters.text.observability_line import (
    MIN_USEFUL_PROBABILITY,
    WHOLE_DAY,
    observability_line,
    sun_and_plane_line,
)

_MIN_AIRMASS_ALTITUDE_DEG = 10.0
"""Altitude in degrees below which no airmass is shown: few telescopes reach it."""
_EMPTY_CELL = "–"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_HEADER = ("Site", "Share", "Best window, UTC", "Local time", "Peak", "Moon")


def message(superevent: Superevent, answer: Observability) -> Message:
    """Return the answer to `visible`: a table with one row per site."""
    front = vocabulary.category_label(superevent.category)
    mock = f"{front} · " if front is not None and superevent.category is not Category.REAL else ""
    title = f"{mock}Visibility tonight · {superevent.superevent_id}"
    since = answer.since.astimezone(UTC)
    text = observability_line(answer)
    return blocks.message(
        escape(f"{title}: {text}", 1_000),
        blocks.header(title),
        blocks.table(_HEADER, [_row(night) for night in answer.sites]),
        blocks.section(escape(sun_and_plane_line(answer))),
        blocks.context(
            escape(
                f"Share of the probability above {quantities.angle(answer.constraints.altitude)} in darkness"
                f" ({_darkness_limit(answer.constraints)}; not required of radio sites) within"
                f" 24{quantities.NBSP}h from"
                f" {_day(since)} {since:%H:%M}{quantities.NBSP}UTC. Best window: while at least half as"
                f" much is observable as"
                " at the best moment. Peak and Moon: at the time in it when the peak is highest.",
                600,
            )
        ),
    )


def site_list(channel: ChannelSites, said: str | None = None) -> Message:
    """Return a channel's sites, below an optional sentence (not escaped) on the result of a change."""
    first = [] if said is None else [escape(said)]
    if not channel.sites:
        none = "This channel has no sites yet. Add some: /gwevent sites add Palomar"
        return blocks.message(" ".join([*first, escape(none)]), blocks.section(*first, escape(none)))
    places = [f"{bold(escape(site.name))}  {escape(site_location(site))}" for site in channel.sites]
    named = ", ".join(plain_text(site.name) for site in channel.sites)
    return blocks.message(
        " ".join([*first, escape(f"This channel's sites: {named}", 500)]),
        blocks.section(*first, *places),
        blocks.context(
            escape(
                f"What counts as observable: above {quantities.angle(channel.constraints.altitude)},"
                f" {_darkness_limit(channel.constraints)}."
            ),
            "To change that: `/gwevent sites altitude 25`, `/gwevent sites darkness -12`",
        ),
    )


def site_location(site: Site) -> str:
    """Format a site's location, for example "33.36° N 116.86° W, 1,706 m"; append ", radio" if it applies."""
    north = f"{quantities.number(abs(site.latitude), 2)}° {'N' if site.latitude >= 0 else 'S'}"
    east = f"{quantities.number(abs(site.longitude), 2)}° {'E' if site.longitude >= 0 else 'W'}"
    words = f"{north} {east}, {quantities.number(site.height)}{quantities.NBSP}m"
    return f"{words}, radio" if site.radio else words


def _darkness_limit(conditions: ObservingConstraints) -> str:
    return f"Sun below {quantities.number(conditions.darkness)}°"


def _row(night: SiteObservability) -> Sequence[str]:
    utc, local = _window_cells(night)
    share = quantities.percent(night.probability)
    return plain_text(night.site.name), share, utc, local, _peak_cell(night), _moon_cell(night)


def _window_cells(night: SiteObservability) -> tuple[str, str]:
    """Return the best observing window in UTC and in local time, or the reason why there is none."""
    window = night.window
    if not night.has_darkness:
        return "no darkness", _EMPTY_CELL
    if window is None or night.probability < MIN_USEFUL_PROBABILITY:
        return "too low" if night.site.radio else "too low in darkness", _EMPTY_CELL
    if window.stop - window.start >= WHOLE_DAY:
        return "at any time", _EMPTY_CELL
    utc = _time_range(window.start.astimezone(UTC), window.stop.astimezone(UTC))
    return utc, _EMPTY_CELL if night.site.zone is None else _time_range(window.start, window.stop)


def _time_range(start: datetime, stop: datetime) -> str:
    return f"{_day(start)} {start:%H:%M}–{stop:%H:%M}"


def _day(time: datetime) -> str:
    # Not strftime's %b, because its month names depend on the locale.
    return f"{time.day} {_MONTHS[time.month - 1]}"


def _peak_cell(night: SiteObservability) -> str:
    altitude = night.peak_altitude
    if altitude is None:
        return _EMPTY_CELL
    if altitude < 0:
        return "below the horizon"
    if night.airmass is None or night.site.radio or altitude < _MIN_AIRMASS_ALTITUDE_DEG:
        return f"{quantities.angle(altitude)} high"
    return f"airmass {quantities.number(night.airmass, 1)} ({quantities.angle(altitude)})"


def _moon_cell(night: SiteObservability) -> str:
    if night.moon is None or night.site.radio:
        return _EMPTY_CELL
    text = (
        f"{quantities.percent(night.moon.illuminated_fraction)}, {quantities.angle(night.moon.distance)} away"
    )
    return text if night.moon.is_up else f"{text}, down"
