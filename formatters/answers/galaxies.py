"""Answer to `galaxies`: the catalogue's galaxies in an event's 90 % credible volume, the first in rank first.

A galaxy's share is one of the ranking. It is never called the probability of being the host.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from formatters.answers.event_details import notice_label
from formatters.blockkit import blocks
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import bold, escape, plain_text
from formatters.models.galaxy import CatalogueInfo, GalaxyRanking, MassSource, RankedGalaxy, RankingProblem
from formatters.models.notice import Distance, Notice
from formatters.models.observing import PositionAltitude, PositionWindow, Site
from formatters.models.superevent import Superevent
from formatters.posts import alert_card
from formatters.posts.channel_view import ImageRef
from formatters.text import coverage_lines, galaxy_lines, night_times, quantities, vocabulary

MAX_ROWS = 50
"""Galaxies in one table, which with the lines around it fits one message."""
DEFAULT_ROWS = 20
_EMPTY_CELL = "–"
_NOTES_MAX = 1_800
_NBSP = quantities.NBSP


@dataclass(frozen=True, slots=True, kw_only=True)
class GalaxyRow:
    """One galaxy of the table."""

    ranked: RankedGalaxy
    now: PositionAltitude | None = None
    """How high it stands now, at the site where it is highest; None without sites."""
    window: PositionWindow | None = None
    """The best window; None if there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GalaxyList:
    """Data for the answer to `galaxies`."""

    superevent: Superevent
    map_notice: Notice
    """The notice of the map that the galaxies are ranked on."""
    is_combined: bool
    """True if that map is combined with the external event's."""
    unread: Sequence[Notice]
    """Newer notices whose map can't be read."""
    ranking: GalaxyRanking
    rows: Sequence[GalaxyRow]
    sites: Sequence[Site]
    """The sites of the windows; empty without any."""
    altitude_limit: float
    """Degrees above which a window counts."""
    asked_at: datetime
    windows_failed: bool = False
    """True if the windows took too long to compute; then no row has one."""


def message(answer: GalaxyList) -> Message:
    """Return the table of the first galaxies, with what it leaves out."""
    title = _title(answer)
    first = list(_first_lines(answer))
    spoken = escape(" ".join([*first, f"{title}."]), _NOTES_MAX)
    head = blocks.section(
        *(escape(line) for line in first), bold(escape(title)), *map(escape, _map_lines(answer))
    )
    if not answer.rows:
        return blocks.message(spoken, head, is_refusal=True)
    small = blocks.context(escape(" ".join(_notes(answer)), _NOTES_MAX))
    table = blocks.table(_header(answer), list(_rows(answer)))
    return blocks.message(spoken, head, table, small)


def problem_message(superevent: Superevent, problem: RankingProblem) -> Message:
    """Return one sentence about why no galaxies can be ranked."""
    text = escape(_problem_text(superevent, problem))
    if problem is RankingProblem.NO_CATALOGUE:
        commands = (
            "`gwevent catalogue fetch ned-lvs`",
            "`gwevent catalogue import FILE`",
        )
        how = f"Whoever runs gwevent gets one: {commands[0]}, or {commands[1]} for a file of one's own."
        return blocks.message(f"{text} {how}", blocks.section(text, how), is_refusal=True)
    return blocks.message(text, blocks.section(text), is_refusal=True)


def _problem_text(superevent: Superevent, problem: RankingProblem) -> str:
    name, event = _event_name(superevent), superevent.event
    match problem:
        case RankingProblem.NO_CATALOGUE:
            return "gwevent has no catalogue of galaxies yet, so none can be ranked."
        case RankingProblem.NO_MAP:
            return f"{name} has no sky map that can be read, so no galaxies can be ranked."
        case RankingProblem.NO_DISTANCES if event is not None and event.group == "Burst":
            return (
                f"{name} is an unmodelled burst: its sky map gives no distances, so no galaxies can be"
                " ranked. export moc gives its 90 % region."
            )
        case RankingProblem.NO_DISTANCES:
            return f"The sky map of {name} gives no distances, so no galaxies can be ranked."
        case RankingProblem.TOO_SLOW:
            return f"Ranking the galaxies of {name} took too long and was given up. Try again."


def _title(answer: GalaxyList) -> str:
    event = _event_name(answer.superevent)
    total, catalogue = answer.ranking.total, galaxy_lines.catalogue_title(answer.ranking.catalogue)
    volume = f"the 90{_NBSP}% volume of {event}"
    if not total:
        return f"No galaxy of {catalogue} lies in {volume}"
    return f"{quantities.pluralize(total, 'galaxy', 'galaxies')} of {catalogue} in {volume}"


def _first_lines(answer: GalaxyList) -> Iterator[str]:
    """Yield what has to be known before the table: a retraction, an event beyond the catalogue."""
    if answer.superevent.is_retracted:
        name = alert_card.name_without_retraction(answer.superevent)
        yield f"{name} was retracted: there is nothing to observe."
    ranking = answer.ranking
    beyond = beyond_catalogue(_event_name(answer.superevent), ranking.catalogue, ranking.distance)
    if beyond is not None:
        yield beyond


def _event_name(superevent: Superevent) -> str:
    return " ".join([*alert_card.status_labels(superevent), superevent.superevent_id])


def beyond_catalogue(event: str, catalogue: CatalogueInfo, distance: Distance | None) -> str | None:
    """Return that an event lies beyond the catalogue, or partly; None if it doesn't, or without a distance.

    Partly: the catalogue ends within one sd of the mean. `event` is its name with its marks.
    """
    if distance is None or distance.mean + distance.std <= catalogue.max_distance:
        return None
    end = f"{quantities.number(catalogue.max_distance)}{_NBSP}Mpc"
    name = galaxy_lines.catalogue_title(catalogue)
    if distance.mean - distance.std > catalogue.max_distance:
        return (
            f"{event} lies beyond the catalogue: at {quantities.distance(distance)}, while {name} ends at"
            f" {end}. What is listed lies at the near edge of the volume."
        )
    return (
        f"{event} reaches beyond the catalogue: {quantities.distance(distance)}, while {name} ends at"
        f" {end}; galaxies behind that are missing."
    )


def map_lines(
    superevent: Superevent, notice: Notice, *, is_combined: bool, unread: Sequence[Notice]
) -> Iterator[str]:
    """Yield which map the galaxies are ranked on, and which newer ones can't be read; not escaped."""
    made_on = coverage_lines.map_words(superevent, notice, is_combined=is_combined)
    yield f"Ranked on {made_on}."
    if unread:
        newer = " and ".join(vocabulary.notice_name(superevent, one) for one in unread[-3:])
        yield f"That of {newer} is newer, but can't be read."


def _map_lines(answer: GalaxyList) -> Iterator[str]:
    yield from map_lines(
        answer.superevent, answer.map_notice, is_combined=answer.is_combined, unread=answer.unread
    )
    completeness = galaxy_lines.completeness_text(answer.ranking)
    if completeness is not None:
        yield completeness
    if answer.rows and len(answer.rows) < answer.ranking.total:
        share = quantities.percent(sum(row.ranked.share for row in answer.rows))
        count = len(answer.rows)
        these = "The first has" if count == 1 else f"The first {count} have"
        yield f"{these} {share} of the ranking; galaxies export csv has as many as a message holds."


def _header(answer: GalaxyList) -> list[str]:
    return [
        *("#", "Galaxy", "Position", "Distance", "Share", "Sum", "Level", "3-D level", "Mag"),
        *(("Now", "Best window") if answer.sites else ()),
    ]


def _rows(answer: GalaxyList) -> Iterator[list[str]]:
    total = 0.0
    for row in answer.rows:
        ranked, galaxy = row.ranked, row.ranked.galaxy
        total += ranked.share
        yield [
            str(ranked.rank),
            galaxy_lines.marked_name(galaxy),
            quantities.position_sexagesimal(galaxy.ra % 360, galaxy.dec),
            quantities.distance(Distance(mean=galaxy.distance, std=galaxy.distance_error)),
            quantities.percent(ranked.share),
            quantities.percent(total),
            quantities.credible_level(ranked.level_2d),
            quantities.credible_level(ranked.level_3d),
            _EMPTY_CELL if galaxy.magnitude is None else quantities.number(galaxy.magnitude, 1),
            *((_now_cell(row.now, answer), _window_cell(row.window, answer)) if answer.sites else ()),
        ]


def _now_cell(now: PositionAltitude | None, answer: GalaxyList) -> str:
    if now is None:
        return _EMPTY_CELL
    if now.altitude < 0:
        return "below the horizon"
    high = f"{quantities.number(now.altitude)}°"
    return high if len(answer.sites) == 1 else f"{high} {galaxy_lines.short_name(now.site.name)}"


def _window_cell(window: PositionWindow | None, answer: GalaxyList) -> str:
    if window is None:
        return _EMPTY_CELL if answer.windows_failed else "none in 2 nights"
    times = night_times.window_range(window.start, window.stop)
    if window.start <= answer.asked_at < window.stop:
        times = f"now until {night_times.stop_clock(window.stop.astimezone(UTC))} UTC"
    words = f"{times}, {quantities.number(window.peak_altitude)}° high"
    return words if len(answer.sites) == 1 else f"{galaxy_lines.short_name(window.site.name)} {words}"


def _notes(answer: GalaxyList) -> Iterator[str]:
    yield (
        "Share: of the ranking, by probability density at the galaxy times its stellar mass, over all"
        f" galaxies of the catalogue in the 90{_NBSP}% volume. It isn't the probability that the event was"
        " there: galaxies are missing from the catalogue."
    )
    yield "Sum: of the shares down to here."
    yield "Level: the probability of everywhere at least as probable; 3-D: in the volume."
    galaxies = [row.ranked.galaxy for row in answer.rows]
    if any(one.mass_source is MassSource.MEDIAN for one in galaxies):
        mass = quantities.two_digits(10**answer.ranking.catalogue.median_log_mass / 1e10)
        yield f"Mass unknown: the catalogue's median ({mass}e10 M☉) stands for it."
    if any(one.is_questionable for one in galaxies):
        yield "z questionable: so marked by the catalogue, the distance may be wrong."
    if any(one.magnitude is not None for one in galaxies):
        yield "Mag: the catalogue's (K or W1 of NED-LVS)."
    if answer.windows_failed:
        yield night_times.WINDOWS_FAILED
    if answer.sites:
        names = ", ".join(galaxy_lines.short_name(site.name) for site in answer.sites)
        dishes = [site for site in answer.sites if site.radio]
        dark = "" if len(dishes) == len(answer.sites) else "dark and "
        by_day = " (a radio telescope's by day too)" if dark and dishes else ""
        yield (
            f"Now: altitude at {answer.asked_at.astimezone(UTC):%H:%M} UTC, by day too. Best window:"
            f" {dark}above {answer.altitude_limit:g}°{by_day} this night, else the next, from {names}."
        )
    elif not answer.superevent.is_retracted:
        yield "Altitudes and windows: galaxies from Palomar, or this channel's sites (sites add Palomar)."


def csv_or_region_title(superevent: Superevent, ranking: GalaxyRanking, form: str) -> str:
    """Return the title of an export: the event's marks, its id, and what it is."""
    event = _event_name(superevent)
    catalogue = plain_text(galaxy_lines.catalogue_title(ranking.catalogue))
    count = quantities.pluralize(ranking.total, "galaxy", "galaxies")
    return f"{event}: {count} of {catalogue} in the 90{_NBSP}% volume {form}"


def picture_message(
    superevent: Superevent,
    notice: Notice,
    ranking: GalaxyRanking,
    shown: ImageRef,
    made_on: Sequence[str] = (),
) -> Message:
    """Return the image of the notice's sky map with the first galaxies marked; `made_on` are `map_lines`."""
    count = len(ranking.galaxies)
    which = notice_label(superevent, notice)
    of = "" if count == ranking.total else f" first {count} of"
    title = f"The{of} {quantities.pluralize(ranking.total, 'galaxy', 'galaxies')} in the 90{_NBSP}% volume"
    title += f" of {which}"
    share = quantities.percent(sum(one.share for one in ranking.galaxies))
    lines = [f"Marked: {share} of the ranking, which isn't a probability that the event was there."]
    completeness = galaxy_lines.completeness_text(ranking)
    beyond = beyond_catalogue(_event_name(superevent), ranking.catalogue, ranking.distance)
    lines += [*made_on, *(line for line in (completeness,) if line is not None)]
    first = [] if beyond is None else [escape(beyond)]
    return blocks.message(
        escape(f"{title}. {shown.alt_text}", _NOTES_MAX),
        blocks.section(*first, bold(escape(title))),
        blocks.image(shown.alt_text, file_id=shown.file_id, url=shown.url),
        blocks.context(escape(" ".join(lines), _NOTES_MAX)),
    )
