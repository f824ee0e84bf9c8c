"""Answers to `observe`: what was reported, and what a channel's people plan, have done and gave up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from formatters.blockkit import blocks
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import bold, escape, plain_text
from formatters.models.coverage import SharedFields
from formatters.models.observation import Observation, ObservationStatus
from formatters.models.superevent import Superevent
from formatters.posts import alert_card
from formatters.posts.people_lines import observers_block, person
from formatters.text import coverage_lines, night_times, quantities

MAX_ROWS = 25
"""Observations that a list shows."""
MAX_RANGES = 8
"""Runs of numbers that a sentence shows."""
_MAX_SHARED = 3
_NOTES_MAX = 1_200
_LIST_TEXT_MAX = 600
_NAME_MAX = 40
_NOTE_MAX = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """Data for the answer to a report."""

    superevent: Superevent
    sentences: tuple[str, ...]
    """Sentences about what was stored, the most important first; not escaped."""
    shared: tuple[SharedFields, ...] = ()
    """Fields that others observe too."""
    notes: tuple[str, ...] = ()
    """Small print, not escaped."""
    next_words: str = ""
    """A suggestion for what to type next, after `/gwevent`; not escaped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservationList:
    """Data for the list of a channel's observations of an event."""

    superevent: Superevent
    observations: Sequence[Observation]
    observers: tuple[str, ...]
    """Slack's ids of the people who observe without a telescope."""
    asked_at: datetime


def reported_message(reported: Reported) -> Message:
    """Return the answer to a report: what was stored, and who else has the same fields."""
    title = f"{event_name(reported.superevent)}: {reported.sentences[0]}"
    others = list(_shared_sentences(reported.shared))
    lines = [
        bold(escape(title)),
        *(escape(one, _NOTES_MAX) for one in reported.sentences[1:]),
        *(one for _, one in others),
    ]
    small = [escape(" ".join(reported.notes), _NOTES_MAX)] if reported.notes else []
    if reported.next_words:
        small.append(f"`/gwevent {escape(reported.next_words)}`")
    text = " ".join([title, *reported.sentences[1:], *(plain for plain, _ in others)])
    return blocks.message(
        escape(text, _NOTES_MAX), *blocks.sections(lines), *([blocks.context(*small)] if small else [])
    )


def list_message(listed: ObservationList) -> Message:
    """Return a channel's observations of an event, each in a line, and who observes without a telescope."""
    name = event_name(listed.superevent)
    event = listed.superevent.event
    merger = None if event is None else event.time
    people = observers_block(listed.observers)
    if not listed.observations:
        said = f"{name}: nobody of this channel has reported an observation yet."
        how = "`/gwevent observe ZTF plan` · `/gwevent observe ZTF done 12 r 21.5`"
        return blocks.message(escape(said), blocks.section(escape(said)), *people, blocks.context(how))
    shown = listed.observations[-MAX_ROWS:]
    title = f"Observations of {name}, as this channel's people reported them"
    lines = [_line(one, merger) for one in shown]
    more = len(listed.observations) - len(shown)
    earlier = quantities.pluralize(more, "earlier one isn't", "earlier ones aren't")
    notes = [f"{earlier} shown."] if more else []
    notes.append("Shares of the sky map: `/gwevent coverage`.")
    text = f"{title}: {', '.join(dict.fromkeys(_short(one) for one in shown))}."
    return blocks.message(
        escape(text, _LIST_TEXT_MAX),
        *blocks.sections([bold(escape(title)), *lines]),
        *people,
        blocks.context(" ".join(notes)),
    )


def event_name(superevent: Superevent) -> str:
    """Return the event's id behind its marks, not escaped."""
    return " ".join([*alert_card.status_labels(superevent), superevent.superevent_id])


def fields_words(observation: Observation) -> str:
    """Return "12 fields in r to 21.5 mag", or what of it is known; not escaped."""
    count = len(observation.fields)
    said = quantities.pluralize(count, "field") if count else "fields not said"
    return f"{said}{band_and_depth(observation)}"


def band_and_depth(observation: Observation) -> str:
    """Return " in r to 21.5 mag", or what of it is known, behind a blank; not escaped."""
    band = "" if observation.band is None else f" in {plain_text(observation.band, 20)}"
    depth = "" if observation.depth is None else f" to {observation.depth:.4g} mag"
    return f"{band}{depth}"


def numbers_words(numbers: Iterable[int]) -> str:
    """Return "field 3", "fields 1–12, 15"; at most MAX_RANGES runs of them."""
    found = sorted(set(numbers))
    starts = [found[0], *(b for a, b in pairwise(found) if b != a + 1)]
    ends = [*(a for a, b in pairwise(found) if b != a + 1), found[-1]]
    runs = [str(a) if a == b else f"{a}–{b}" for a, b in zip(starts, ends, strict=True)]
    shown = ", ".join(runs[:MAX_RANGES])
    more = " and more" if len(runs) > MAX_RANGES else ""
    return f"{'field' if len(found) == 1 else 'fields'} {shown}{more}"


def time_words(observation: Observation, merger: datetime | None) -> str | None:
    """Return when the exposures were, or are to be, made; None if nobody said."""
    times = sorted(one.time for one in observation.fields if one.time is not None)
    if observation.observed_at is not None:
        times = [observation.observed_at]
    if not times:
        return None
    since = night_times.since_merger(times[0], merger)
    first = night_times.utc_day_and_clock(times[0])
    words = first if since is None else f"{first} ({since})"
    if times[-1] == times[0]:
        return words
    begin, end = times[0].astimezone(UTC), times[-1].astimezone(UTC)
    same_day = begin.date() == end.date()
    return f"{words} to {f'{end:%H:%M} UTC' if same_day else night_times.utc_day_and_clock(end)}"


def _line(one: Observation, merger: datetime | None) -> str:
    """Return a line of the list, escaped."""
    name = bold(escape(plain_text(one.instrument, _NAME_MAX)))
    parts = [f"{name} {coverage_lines.STATUS_WORDS[one.status]}", escape(fields_words(one))]
    when = time_words(one, merger)
    if when is not None:
        parts.append(escape(when))
    parts.append(
        f"{person(one.user_id) or 'somebody'}, {escape(night_times.utc_day_and_clock(one.changed_at))}"
    )
    if one.note:
        parts.append(f"“{escape(plain_text(one.note, _NOTE_MAX))}”")
    return " · ".join(parts)


def _short(one: Observation) -> str:
    return f"{plain_text(one.instrument, _NAME_MAX)} {coverage_lines.STATUS_WORDS[one.status]}"


def _shared_sentences(shared: Sequence[SharedFields]) -> Iterator[tuple[str, str]]:
    """Yield sentences about others who have the same fields: as plain text, and escaped with the person."""
    for one in shared[:_MAX_SHARED]:
        name = plain_text(one.instrument, _NAME_MAX)
        what = "has observed" if one.status is ObservationStatus.DONE else "plans"
        bands = f" in {', '.join(plain_text(band, 20) for band in one.bands[:4])}" if one.bands else ""
        sentence = f"{name} {what} {numbers_words(one.fields)} of these too{bands}"
        who = "the Treasure Map" if one.user_id is None else None
        plain = f"{sentence}, says {who}." if who else f"{sentence}."
        said = f", says {who}." if who else f" (reported by {person(one.user_id or '') or 'somebody'})."
        yield plain, f":warning: {escape(sentence)}{said}"
    if len(shared) > _MAX_SHARED:
        count = quantities.pluralize(len(shared) - _MAX_SHARED, "more has", "more have")
        more = f"{count} fields of these too: see coverage."
        yield more, escape(more)
