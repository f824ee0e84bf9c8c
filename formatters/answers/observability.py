"""Answers to `visible` (what a channel's sites can observe of an event, night by night) and to `sites`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from formatters.blockkit import blocks
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import bold, escape, plain_text
from formatters.models.observing import (
    ChannelSites,
    NightObservability,
    Observability,
    ObservingConstraints,
    ObservingWindow,
    Site,
    SiteObservability,
)
from formatters.models.superevent import Superevent
from formatters.posts import alert_card
from formatters.text import coverage_lines, night_times, quantities
from formatters.text.observability_line import (
    MIN_USEFUL_PROBABILITY,
    WHOLE_DAY,
    best_useful_window,
    is_open_now,
    observability_line,
    sun_and_plane_line,
    useful_windows,
)
from formatters.text.telescope_text import area, telescope

_MIN_AIRMASS_ALTITUDE_DEG = 10.0
"""Altitude in degrees below which no airmass is shown: few telescopes reach it."""
_EMPTY_CELL = "–"
_HEADER = ("Site", "Night", "Share", "Window, UTC", "Local time", "Peak", "Moon")
_LONG_WINDOW = timedelta(hours=12)
_MAX_WINDOWS = 3
"""Windows of one site in this night that are listed; the first are."""


def message(superevent: Superevent, answer: Observability) -> Message:
    """Return the answer to `visible`: one row for each window and site, and which map that is of."""
    when = "tonight" if answer.is_now else night_times.day_and_year(answer.night_of or answer.since)
    title = " · ".join(
        [*alert_card.status_labels(superevent), f"Visibility {when}", superevent.superevent_id]
    )
    text = observability_line(answer)
    age = _age_line(answer)
    first = [] if age is None else [blocks.section(escape(age))]
    return blocks.message(
        escape(" ".join([f"{title}: {text}", *([] if age is None else [age])]), 1_000),
        blocks.header(title),
        *first,
        blocks.table(_HEADER, [row for site in answer.sites for row in _rows(site, answer)]),
        blocks.section(*(escape(line) for line in (*_map_lines(superevent), sun_and_plane_line(answer)))),
        blocks.context(escape(_definitions(answer), 900)),
    )


def _map_lines(superevent: Superevent) -> list[str]:
    """Return the line that names the map: where there is a combined one, GW's own gives other numbers."""
    notice = superevent.latest_with_map
    if notice is None:
        return []
    is_combined = notice.best_localization is not notice.localization
    later = superevent.notices[superevent.notice_ordinal(notice) :]
    unread = coverage_lines.unread_line(superevent, [one for one in later if one.map_problem is not None])
    made_on = f"On {coverage_lines.map_words(superevent, notice, is_combined=is_combined)}."
    return [made_on if unread is None else f"{made_on} {unread}"]


def _age_line(answer: Observability) -> str | None:
    """Return the line about what the windows of a past event mean; None for a recent one."""
    if answer.merger is None or answer.since - answer.merger < night_times.OLD_EVENT_AGE:
        return None
    age = night_times.age(answer.merger, answer.since)
    if answer.night_of is not None:
        return f"Judged for the night of {night_times.day_and_year(answer.night_of)}, {age} after the event."
    since = answer.since.astimezone(UTC)
    if not answer.is_now:
        return (
            f"Judged for {night_times.day_and_year(since)} {since:%H:%M}{quantities.NBSP}UTC, {age} after the"
            " event."
        )
    return (
        f"Judged for now ({night_times.day_and_year(since)} {since:%H:%M}{quantities.NBSP}UTC): the event"
        f" was {age} ago."
    )


def _definitions(answer: Observability) -> str:
    """Return the explanation of the table's columns, and from when on the nights are counted."""
    constraints = answer.constraints
    least = answer.min_up.total_seconds() / 60
    at_least = f"for at least {least:g}{quantities.NBSP}min" if least else "at any moment"
    since = answer.since.astimezone(UTC)
    begun = (
        f"from {night_times.day_and_year(since)} {since:%H:%M}{quantities.NBSP}UTC on"
        if answer.night_of is None
        else f"beginning on {night_times.day_and_year(answer.night_of)} at the site (radio: 0 h UTC)"
    )
    return (
        "Share: the probability that is up in the window:"
        f" above {_altitude_limit(constraints)} in darkness"
        f" ({_darkness_limit(constraints)}; radio at any time) {at_least}. Nights: {begun}, each from noon to"
        " noon at the site (radio: one passage of the field); of the next the best window. Window: while at"
        " least 10 % of the map is up, or half of the most that is up that night. T+: after the event. Peak"
        " and Moon: when the peak is highest."
    )


def site_list(channel: ChannelSites, said: str | None = None) -> Message:
    """Return a channel's sites, below an optional sentence (not escaped) on the result of a change."""
    first = [] if said is None else [escape(said)]
    if not channel.sites:
        none = "This channel has no sites yet. Add some: /gwevent sites add Palomar"
        return blocks.message(" ".join([*first, escape(none)]), blocks.section(*first, escape(none)))
    places = [
        f"{bold(escape(site.name))}  {escape(site_location(site))}{_telescope_line(channel, site)}"
        for site in channel.sites
    ]
    named = ", ".join(plain_text(site.name) for site in channel.sites)
    return blocks.message(
        " ".join([*first, escape(f"This channel's sites: {named}", 500)]),
        *blocks.sections([*first, *places]),
        blocks.context(
            escape(
                f"What counts as observable: above {_altitude_limit(channel.constraints)},"
                f" {_darkness_limit(channel.constraints)}."
            ),
            "To change that: `/gwevent sites altitude 25`, `/gwevent sites darkness -12`",
        ),
    )


def _telescope_line(channel: ChannelSites, site: Site) -> str:
    found = channel.telescope_at(site.name)
    return "" if found is None else f"\n      {escape(telescope(found))}"


def site_label(channel: ChannelSites, site: Site) -> str:
    """Return a site's name, with the area of its field of view if that is known: "Palomar (47 deg²)"."""
    found = channel.telescope_at(site.name)
    return site.name if found is None else f"{site.name} ({area(found.footprint)})"


def site_location(site: Site) -> str:
    """Format a site's location, for example "33.36° N 116.86° W, 1,706 m"; append ", radio" if it applies."""
    north = f"{quantities.number(abs(site.latitude), 2)}° {'N' if site.latitude >= 0 else 'S'}"
    east = f"{quantities.number(abs(site.longitude), 2)}° {'E' if site.longitude >= 0 else 'W'}"
    words = f"{north} {east}, {quantities.number(site.height)}{quantities.NBSP}m"
    return f"{words}, radio" if site.radio else words


def _altitude_limit(conditions: ObservingConstraints) -> str:
    # With every digit that was typed: a limit isn't a measurement.
    return f"{conditions.altitude:g}°"


def _darkness_limit(conditions: ObservingConstraints) -> str:
    return f"Sun below {quantities.MINUS if conditions.darkness < 0 else ''}{abs(conditions.darkness):g}°"


def _rows(site: SiteObservability, answer: Observability) -> list[Sequence[str]]:
    """Return a site's rows: this night's windows and the next one's best, or why there are none."""
    name = plain_text(site.site.name)
    this, following = site.this_night, site.next_night
    this_reason, next_reason = _reason(site, this), _reason(site, following)
    if this_reason is not None and this_reason == next_reason:
        return [(name, *_reason_cells("this and next", this, this_reason))]
    rows: list[Sequence[str]] = []
    if this_reason is not None:
        rows.append((name, *_reason_cells(_night_cell(this, "this"), this, this_reason)))
    else:
        rows += [
            (name, *_window_cells(site, _night_cell(this, "this"), window, answer))
            for window in useful_windows(this)[:_MAX_WINDOWS]
        ]
    best = best_useful_window(following)
    if next_reason is not None or best is None:
        reason = next_reason or _EMPTY_CELL
        rows.append((name, *_reason_cells(_night_cell(following, "next"), following, reason)))
    else:
        rows.append((name, *_window_cells(site, _night_cell(following, "next"), best, answer)))
    return rows


def _night_cell(night: NightObservability, which: str) -> str:
    """Return a night by the dates of its evening and its morning, "7/8 Feb"; a radio site's by a word."""
    if night.evening is None:
        return which
    morning = night.evening + timedelta(days=1)
    month = "" if morning.month == night.evening.month else f" {night_times.day(night.evening).split()[1]}"
    return f"{night.evening.day}{month}/{night_times.day(morning)}"


def _reason(site: SiteObservability, night: NightObservability) -> str | None:
    """Return why nothing can be observed in a night, None if something can."""
    if not night.has_darkness:
        return "no darkness"
    if not useful_windows(night):
        if any(window.probability >= MIN_USEFUL_PROBABILITY for window in night.windows):
            return "up for less than a minute"
        return "too low" if site.site.radio else "too low in darkness"
    return None


def _reason_cells(which: str, night: NightObservability, reason: str) -> Sequence[str]:
    share = quantities.percent(night.probability) if night.has_darkness else _EMPTY_CELL
    low = night.peak_altitude
    peak = _EMPTY_CELL if low is None else "below the horizon" if low < 0 else f"{quantities.angle(low)} high"
    return which, share, reason, _EMPTY_CELL, peak, _EMPTY_CELL


def _window_cells(
    site: SiteObservability, which: str, window: ObservingWindow, answer: Observability
) -> Sequence[str]:
    share = quantities.percent(window.probability)
    if window.length >= WHOLE_DAY:
        utc = f"{_time_range(window.start.astimezone(UTC), window.stop.astimezone(UTC))}, at any time"
        local = _EMPTY_CELL
    else:
        utc = _time_range(window.start.astimezone(UTC), window.stop.astimezone(UTC))
        since = night_times.since_merger(window.start, answer.merger)
        utc = utc if since is None else f"{utc} ({since})"
        local = _EMPTY_CELL if site.site.zone is None else _time_range(window.start, window.stop)
    if is_open_now(window, answer):
        utc = f"now: {utc}"
    return which, share, utc, local, _peak_cell(site, window), _moon_cell(site, window)


def _time_range(start: datetime, stop: datetime) -> str:
    """Return a window by its first day; a long one, whose clocks alone could be in any order, by both."""
    begun = night_times.rounded_up(start)
    is_long = stop.astimezone(UTC) - start.astimezone(UTC) >= _LONG_WINDOW
    until = f"{night_times.day(stop)} " if is_long and stop.date() != begun.date() else ""
    return f"{night_times.day(begun)} {begun:%H:%M}–{until}{night_times.stop_clock(stop)}"


def _peak_cell(site: SiteObservability, window: ObservingWindow) -> str:
    altitude = window.peak_altitude
    if altitude < 0:
        return "below the horizon"
    if window.airmass is None or site.site.radio or altitude < _MIN_AIRMASS_ALTITUDE_DEG:
        return f"{quantities.angle(altitude)} high"
    return f"airmass {quantities.number(window.airmass, 1)} ({quantities.angle(altitude)})"


def _moon_cell(site: SiteObservability, window: ObservingWindow) -> str:
    moon = window.moon
    if moon is None or site.site.radio:
        return _EMPTY_CELL
    text = f"{quantities.percent(moon.illuminated_fraction)}, {quantities.angle(moon.distance)} away"
    return text if moon.is_up else f"{text}, down"
