"""Answers to `search` and `test`: the stored events that match a filter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import zip_longest

from formatters.answers import recent
from formatters.answers.recent import NOTHING_LEFT_OUT, UnaskedEvents, left_out_sentence
from formatters.blockkit import blocks
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import MESSAGE_TOTAL_MAX, SECTION_MAX, bold, escape, utf16_length
from formatters.models.criteria_set import GradeOutcome
from formatters.models.superevent import Superevent
from formatters.text import coincidence_lines, quantities
from formatters.text.grade_lines import short_grade_line

EVENTS_PER_SECTION = 10
_EVENTS_PER_SECTION_WITH_GRADES = 5
"""Lines with grades are longer, and a section has a limit."""
_GRADES_PER_EVENT = 2
"""Criteria sets whose grades stand behind an event; further ones are counted."""
_ROOM_FOR_REST = 700
"""Characters of a message that an introduction, a link and buttons may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchHit:
    """An event that matches the filter."""

    superevent: Superevent
    by_joint_far: bool = False
    """True if the event passes a FAR condition only by its joint FAR with an external event."""
    grades: tuple[GradeOutcome, ...] = ()
    """The grades that the subscription's criteria sets give it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResults:
    """Result of a search of the stored events."""

    canonical: str
    """The filter's canonical text; "all" if there is no filter."""
    newest_hits: Sequence[SearchHit]
    """The newest matching events, at most `recent.MAX_EVENTS`."""
    count: int
    """Number of matching events."""
    candidates: int
    """Number of events examined."""
    since: datetime | None = None
    until: datetime | None = None
    """Exclusive end of the searched period; None for no end."""
    undecided: int = 0
    """Number of events for which the result depends on the sky map."""
    queried: int = 0
    """Number of those events, the newest ones, whose sky map was queried."""
    period: str = ""
    """The searched period as text; empty for all times."""
    left_out: UnaskedEvents = NOTHING_LEFT_OUT
    """How many more events match but are of low significance or retracted, which nobody asked for."""
    note: str = ""
    """Sentences on what the filter means, or why nothing matches it; not escaped."""


def search_message(answer: SearchResults, now: datetime) -> Message:
    """Return the answer to `search`."""
    if not answer.candidates:
        return _message(replace(answer, canonical=""), f"No event{_period_phrase(answer)} was received", now)
    events = quantities.pluralize(answer.candidates, "event")
    if answer.canonical == "all":
        return _message(replace(answer, canonical=""), f"{events}{_period_phrase(answer)}", now)
    fit = "matches" if answer.count == 1 else "match"
    return _message(
        answer, f"{quantities.number(answer.count)} of {events}{_period_phrase(answer)} {fit}", now
    )


def backtest_message(answer: SearchResults, now: datetime) -> Message:
    """Return the answer to `test`: the past events that would have matched the subscription."""
    if not answer.candidates:
        return _message(replace(answer, canonical=""), "No event was received yet to test this with", now)
    events = quantities.pluralize(answer.candidates, "past event")
    count = quantities.number(answer.count)
    return _message(answer, f"{count} of {events}, in their present state, would have matched", now)


def _period_phrase(answer: SearchResults) -> str:
    """Return the period in words, UTC days with the last one included."""
    if answer.period:
        words = answer.period
        if words.startswith(("since", "until")):
            return f" {words}"
        return f" from {words}" if " to " in words else f" on {words}"
    text = ""
    if answer.since is not None:
        text += f" since {answer.since.astimezone(UTC):%Y-%m-%d}"
    if answer.until is not None:
        text += f" until {answer.until.astimezone(UTC) - timedelta(days=1):%Y-%m-%d}"
    return text


def _message(answer: SearchResults, title: str, now: datetime) -> Message:
    title = escape(title)
    words = escape(answer.canonical, SECTION_MAX)
    hits = answer.newest_hits[: recent.MAX_EVENTS]
    lines = [_hit_line(found, now) for found in hits]
    ids = ", ".join(found.superevent.superevent_id for found in answer.newest_hits)
    small = []
    if answer.count > len(lines):
        small.append(f"The newest {quantities.number(len(lines))} are listed.")
    if answer.undecided:
        small.append(_map_query_note(answer))
    if answer.note:
        small.append(answer.note)
    if answer.left_out:
        small.append(left_out_sentence(answer.left_out))
    text = f"{title} {words}" if words else title
    text = f"{text}: {escape(ids, SECTION_MAX)}" if ids else text
    others = sum(map(utf16_length, [text, title, words, *lines, *small])) + _ROOM_FOR_REST
    grades = _grades_within([_grades(found) for found in hits], MESSAGE_TOTAL_MAX - others)
    if len(grades) < sum(bool(found.grades) for found in hits):
        small.append(f"Grades are said of the newest {len(grades)}, for want of room.")
    per_section = _EVENTS_PER_SECTION_WITH_GRADES if grades else EVENTS_PER_SECTION
    lines = [f"{line}{said}" for line, said in zip_longest(lines, grades, fillvalue="")]
    return blocks.message(
        text,
        blocks.section(f"{title} {bold(words)}" if words else bold(title)),
        *(blocks.section(*lines[at : at + per_section]) for at in range(0, len(lines), per_section)),
        *([blocks.context(escape(" ".join(small), SECTION_MAX))] if small else []),
        is_refusal=not answer.count,
    )


def _grades_within(grades: Sequence[str], room: int) -> list[str]:
    """Return the grades of the newest events, as many as there is room for; none if no event has any."""
    kept = []
    for one in grades if any(grades) else ():
        room -= utf16_length(one)
        if room < 0:
            break
        kept.append(one)
    return kept


def _grades(found: SearchHit) -> str:
    """Return the first sets' grades for an event, as the end of its line; empty without sets."""
    said = [short_grade_line(one) for one in found.grades[:_GRADES_PER_EVENT]]
    if len(found.grades) > len(said):
        said.append(f"{len(found.grades) - len(said)} more")
    return "".join(f" · {escape(one)}" for one in said)


def _map_query_note(answer: SearchResults) -> str:
    hung = quantities.pluralize(answer.undecided, "event")
    if answer.queried == answer.undecided:
        return f"The sky map decided about {hung}."
    return (
        f"The sky map decides about {hung}; gwevent checked only the maps of the newest"
        f" {quantities.number(answer.queried)}. The rest aren't counted."
    )


def _hit_line(found: SearchHit, now: datetime) -> str:
    line = recent.event_line(found.superevent, now)
    notice = found.superevent.latest_with_event
    if not found.by_joint_far or notice is None or notice.external is None:
        return line
    rate = quantities.rate(coincidence_lines.lowest_joint_far(notice))
    return f"{line} · {escape(f'by its joint FAR, {rate}')}"
