"""Answer to `candidates`: everything with a position about an event, compared with its newest sky map."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from formatters.blockkit import blocks
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import bold, escape, link, plain_text
from formatters.models.counterpart import CandidateSource, Counterpart, Decision, RegionChange
from formatters.models.notice import Distance, Notice
from formatters.models.observing import PositionWindow
from formatters.models.superevent import Superevent
from formatters.posts import alert_card
from formatters.text import coverage_lines, follow_up_lines, night_times, quantities
from formatters.text.criteria_text import user_mention

MAX_ROWS = 20
"""Candidates in one table, which with the lines below it fits one message."""
SHOWN_NAME_MAX = 40
"""Characters of a candidate's name in a cell or a line."""
_EMPTY_CELL = "–"
_MAX_SOURCES = 3
_MAX_DECISION_LINES = 8
_MAX_NAMED = 5
_MIN_SPREAD_DEG = 10 / 3_600
"""Positions of one name that differ by more than 10 arcsec are said."""
_NOTES_MAX = 900
_HEADER = ("Candidate", "Level", "3-D level", "Host", "Seen", "Best window", "Sources", "Position")


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateRow:
    """One candidate of the table."""

    candidate: Counterpart
    host: Distance | None = None
    """The host's luminosity distance in Mpc and its sd; None if no report gives one."""
    window: PositionWindow | None = None
    """The best window from the channel's sites; None if there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateList:
    """Data for the answer to `candidates`."""

    superevent: Superevent
    rows: Sequence[CandidateRow]
    """All candidates in the order in which they are shown."""
    map_notice: Notice | None
    """The notice of the map that they are compared with; None without one."""
    is_combined: bool = False
    """True if that map is combined with the external event's."""
    unread: Sequence[Notice] = ()
    """Newer notices whose map can't be read or isn't kept any more, oldest first."""
    change: RegionChange | None = None
    """The candidates that the newest map moved; None if it moved none."""
    has_sites: bool = False
    """True if the channel has sites for windows."""
    windows_failed: bool = False
    """True if the windows took too long to compute; then no row has one."""
    outcome: str | None = None
    """The change that was made, one sentence, not escaped; None for a question."""
    notes: Sequence[str] = ()
    """Sentences about what was left out of a change, not escaped."""
    cosmology: str = "Planck18"
    peculiar_velocity: float = 300.0
    """km/s, 1 sd, in the host distances of redshifts."""
    merge_radius: float = 3.0
    """Arcseconds within which reports are one source."""


def message(answer: CandidateList) -> Message:
    """Return the table of candidates, those beyond MAX_ROWS counted."""
    title = _title(answer)
    first = [] if answer.outcome is None else [blocks.section(escape(answer.outcome, _NOTES_MAX))]
    notes = [blocks.context(escape(line, _NOTES_MAX)) for line in answer.notes[:_MAX_NAMED]]
    text = escape(" ".join([*([] if answer.outcome is None else [answer.outcome]), f"{title}."]), _NOTES_MAX)
    if not answer.rows:
        how = "To add one: `/gwevent candidates add NAME RA DEC z=0.01`"
        section = blocks.section(bold(escape(title)), how)
        # After a change an empty list is no failure.
        return blocks.message(text, *first, *notes, section, is_refusal=answer.outcome is None)
    shown = answer.rows[:MAX_ROWS]
    lines = [bold(escape(title)), *(escape(line) for line in _map_lines(answer))]
    people = list(_decision_lines([row.candidate for row in answer.rows]))
    return blocks.message(
        text,
        *first,
        *notes,
        blocks.section(*lines),
        blocks.table(_header(answer), [_cells(row, answer) for row in shown]),
        *([blocks.section(*people)] if people else []),
        blocks.context(escape(" ".join(_notes(answer, shown)), _NOTES_MAX), *_links(shown)),
    )


def _title(answer: CandidateList) -> str:
    event = " ".join([*alert_card.status_labels(answer.superevent), answer.superevent.superevent_id])
    if not answer.rows:
        return f"No counterpart candidates of {event} are known here"
    every = quantities.pluralize(len(answer.rows), "counterpart candidate")
    left = [row.candidate for row in answer.rows if not _is_rejected(row.candidate)]
    inside = sum(one.on_map is not None and one.on_map.in_90 for one in left)
    rejected = len(answer.rows) - len(left)
    parts = [] if not _is_compared(answer) else [f"{inside} in the 90\u00a0% region"]
    parts += [f"{rejected} rejected"] if rejected else []
    return ", ".join([f"{every} of {event}", *([" and ".join(parts)] if parts else [])])


def _is_compared(answer: CandidateList) -> bool:
    """Return False without a map, where it took too long, or where the map has a gap at all of them."""
    return answer.map_notice is not None and any(row.candidate.on_map is not None for row in answer.rows)


def _is_rejected(candidate: Counterpart) -> bool:
    return candidate.decision is not None and candidate.decision.decision is Decision.REJECT


def _map_lines(answer: CandidateList) -> Iterator[str]:
    notice = answer.map_notice
    if notice is None:
        yield "No sky map of this event can be read, so none is compared with one."
    else:
        which = coverage_lines.map_words(answer.superevent, notice, is_combined=answer.is_combined)
        verb = "Compared" if _is_compared(answer) else "None could be compared"
        yield f"{verb} with {which}." + follow_up_lines.newer_maps(answer.superevent, answer.unread)
    if answer.change is not None:
        if answer.change.entered:
            yield f"In the 90\u00a0% region since this map: {_listed(answer.change.entered)}."
        if answer.change.left:
            yield f"Out of the 90\u00a0% region since this map: {_listed(answer.change.left)}."
    if len(answer.rows) > MAX_ROWS:
        yield (
            f"The first {MAX_ROWS} of {quantities.number(len(answer.rows))} are shown, kept ones first,"
            " rejected ones last, the most probable places between; all: candidates export csv."
        )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(plain_text(name, SHOWN_NAME_MAX) for name in names[:_MAX_NAMED])
    more = len(names) - _MAX_NAMED
    return f"{shown} and {quantities.number(more)} more" if more > 0 else shown


def _header(answer: CandidateList) -> list[str]:
    return [title for title in _HEADER if title != "Best window" or answer.has_sites]


def _cells(row: CandidateRow, answer: CandidateList) -> list[str]:
    candidate = row.candidate
    place = candidate.on_map
    level, in_volume = _EMPTY_CELL, _EMPTY_CELL
    if place is not None:
        level = quantities.credible_level(place.credible_level)
        level = level if place.in_90 else f"{level}, outside"
        if place.credible_level_3d is not None:
            in_volume = quantities.credible_level(place.credible_level_3d)
    position = quantities.position_degrees(candidate.position.ra, candidate.position.dec)
    if candidate.position.radius is not None and candidate.position.radius >= _MIN_SPREAD_DEG:
        position += f" ±{quantities.NBSP}{quantities.two_digits(candidate.position.radius)}°"
    return [
        _name_cell(candidate),
        level,
        in_volume,
        _host_cell(row),
        _seen(candidate.offset),
        *([_window_cell(row.window, answer)] if answer.has_sites else []),
        _source_cell(candidate.sources),
        position,
    ]


def _name_cell(candidate: Counterpart) -> str:
    name = plain_text(candidate.name, SHOWN_NAME_MAX)
    if candidate.aliases:
        name += f" = {plain_text(candidate.aliases[0], SHOWN_NAME_MAX)}"
        if len(candidate.aliases) > 1:
            name += f" +{len(candidate.aliases) - 1}"
    kind = "neutrino" if candidate.is_neutrino else "gamma rays" if candidate.is_burst else None
    if kind is not None:
        name += f" ({kind})"
    if candidate.decision is None:
        return name
    return f"✓ {name}, kept" if candidate.decision.decision is Decision.KEEP else f"✗ {name}, rejected"


def _host_cell(row: CandidateRow) -> str:
    if row.candidate.is_neutrino or row.candidate.is_burst:
        return "no host"
    if row.host is None:
        return _EMPTY_CELL
    sigmas = row.candidate.distance_sigmas
    at = quantities.distance(row.host)
    if sigmas is None:
        return at
    if abs(sigmas) < 0.05:
        return f"same distance: {at}"
    off = f"{quantities.number(abs(sigmas), 1)}{quantities.NBSP}sd"
    return f"{off} {'farther' if sigmas > 0 else 'nearer'}: {at}"


def _seen(offset: timedelta | None) -> str:
    """Return when a source was seen: "seen 2 days before the merger", "10 h after"."""
    if offset is None:
        return _EMPTY_CELL
    if abs(offset) < timedelta(milliseconds=50):
        return "at the merger"
    length = quantities.duration_text(offset)
    return f"seen {length} before the merger" if offset < timedelta(0) else f"{length} after"


def _window_cell(window: PositionWindow | None, answer: CandidateList) -> str:
    if window is None:
        return _EMPTY_CELL if answer.windows_failed else "none in 2 nights"
    times = night_times.window_range(window.start, window.stop)
    high = f"{quantities.number(window.peak_altitude)}° high"
    return f"{plain_text(window.site.name, SHOWN_NAME_MAX)} {times}, {high}"


def _source_cell(sources: Sequence[CandidateSource]) -> str:
    labels = list(dict.fromkeys(_source_label(source) for source in sources))
    more = len(labels) - _MAX_SOURCES
    shown = ", ".join(labels[:_MAX_SOURCES])
    return f"{shown} +{quantities.number(more)}" if more > 0 else shown


def _source_label(source: CandidateSource) -> str:
    return "added here" if source.user_id is not None else plain_text(source.label, SHOWN_NAME_MAX)


def _decision_lines(candidates: Sequence[Counterpart]) -> Iterator[str]:
    """Yield who decided and who added what, the newest first; the rest is counted."""
    acts: list[tuple[datetime, str]] = []
    for one in candidates:
        name = escape(plain_text(one.name, SHOWN_NAME_MAX))
        if one.decision is not None:
            word = "kept" if one.decision.decision is Decision.KEEP else "rejected"
            acts.append((one.decision.at, f"{name}: {word} by {user_mention(one.decision.user_id)}"))
        for source in one.sources:
            if source.user_id is not None:
                acts.append((source.reported, f"{name}: added by {user_mention(source.user_id)}"))
    acts.sort(key=lambda act: (act[0], act[1]), reverse=True)
    for at, line in acts[:_MAX_DECISION_LINES]:
        yield f"{line}, {night_times.utc_day_and_clock(at)}"
    if len(acts) > _MAX_DECISION_LINES:
        yield f"… and {quantities.number(len(acts) - _MAX_DECISION_LINES)} earlier"


def _notes(answer: CandidateList, shown: Sequence[CandidateRow]) -> Iterator[str]:
    for row in shown:
        one = row.candidate
        if one.spread > _MIN_SPREAD_DEG:
            yield (
                f"{plain_text(one.name, SHOWN_NAME_MAX)}: the reported positions differ by"
                f" {_spread(one.spread)}; the newest precise one is used."
            )
    yield "Level: the probability of everywhere at least as probable as this position; 3-D: in the volume."
    if any((row.candidate.position.radius or 0) >= _MIN_SPREAD_DEG for row in shown):
        yield "Of an error circle (±) the level is its centre's; the source may lie elsewhere in it."
    if any(row.host is not None for row in shown):
        yield (
            "Host: luminosity distance against that along the line of sight, both errors combined; of a"
            f" redshift {answer.cosmology}, with its error and"
            f" ±{quantities.number(answer.peculiar_velocity)} km/s of peculiar velocity; a distance that was"
            " reported without an error has none."
        )
    yield f"Merged: the same name, or within {quantities.number(answer.merge_radius)}″."
    if answer.windows_failed:
        yield night_times.WINDOWS_FAILED
    if not answer.has_sites:
        yield "Best windows come with this channel's sites: sites add Palomar."


def _spread(degrees: float) -> str:
    if degrees < 1 / 60:
        return f"{quantities.number(degrees * 3_600)}″"
    return f"{quantities.number(degrees * 60, 1)}′" if degrees < 1 else quantities.angle(degrees)


def _links(shown: Sequence[CandidateRow]) -> list[str]:
    """Return the links to the circulars of the candidates that are shown."""
    urls = {source.label: source.url for row in shown for source in row.candidate.sources if source.url}
    links = [link(url, label) for label, url in list(urls.items())[: 2 * _MAX_NAMED] if escape(label)]
    return [" · ".join(links)] if links else []
