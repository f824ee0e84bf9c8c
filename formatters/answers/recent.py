"""Answer to `recent`: the newest events, one line per event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from formatters.blockkit import blocks
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import bold, escape, strikethrough
from formatters.models.notice import Category
from formatters.models.superevent import Superevent
from formatters.posts.alert_card import alert_type_with_ordinal
from formatters.text import map_lines, quantities, vocabulary
from formatters.text.source_lines import headline

MAX_EVENTS = 20
"""Maximum number of events shown, since Slack refuses long messages."""
DEFAULT_COUNT = 5
DEFAULT_COUNT_OF_KIND = 10
"""Where words choose the events, people look for some of them."""
_PER_SECTION = 10


@dataclass(frozen=True, slots=True)
class UnaskedEvents:
    """The numbers of events that were left out because nobody asked for events of their kind."""

    lowsig: int = 0
    retracted: int = 0

    def __bool__(self) -> bool:
        return bool(self.lowsig or self.retracted)


NOTHING_LEFT_OUT = UnaskedEvents()


def left_out_sentence(left_out: UnaskedEvents) -> str:
    """Return a sentence that says what was left out and how to ask for it, not escaped; empty for nothing."""
    parts = []
    if left_out.lowsig:
        parts.append(f"{quantities.number(left_out.lowsig)} of low significance (add lowsig)")
    if left_out.retracted:
        parts.append(f"{quantities.number(left_out.retracted)} retracted (add retracted)")
    return f"Not among them: {', '.join(parts)}." if parts else ""


@dataclass(frozen=True, slots=True)
class RecentEvents:
    """Data for the answer to `recent`."""

    superevents: Sequence[Superevent]
    """Events, newest first by event time; at most MAX_EVENTS are shown."""
    kind: str = "all"
    """The canonical words that chose them; "all" for real, significant events that aren't retracted."""
    left_out: UnaskedEvents = NOTHING_LEFT_OUT
    note: str = ""
    """A further sentence below the list, not escaped."""
    total: int | None = None
    """Number of events of that kind; None if it isn't known."""


def message(answer: RecentEvents, now: datetime) -> Message:
    """Return the list of events with the age of each at `now`."""
    shown = answer.superevents[:MAX_EVENTS]
    note = escape(" ".join(filter(None, (answer.note, left_out_sentence(answer.left_out)))))
    kind = "" if answer.kind == "all" else f" ({answer.kind})"
    if not shown:
        sentence = escape(f"No event{kind} was received yet.")
        text = f"{sentence} {note}" if note else sentence
        return blocks.message(text, blocks.section(text), is_refusal=True)
    title = f"The last {quantities.pluralize(len(shown), 'event')}" if len(shown) > 1 else "The last event"
    if answer.total is not None and answer.total > len(shown):
        title += f" of {quantities.number(answer.total)}"
    title += kind
    lines = [event_line(superevent, now) for superevent in shown]
    sections = [
        blocks.section(*lines[start : start + _PER_SECTION]) for start in range(0, len(lines), _PER_SECTION)
    ]
    listed = ", ".join(superevent.superevent_id for superevent in shown)
    foot = [blocks.context(note)] if note else []
    return blocks.message(escape(f"{title}: {listed}"), blocks.section(bold(escape(title))), *sections, *foot)


def event_line(superevent: Superevent, now: datetime) -> str:
    """Format one event with its age at `now` as one line of mrkdwn."""
    front = (
        vocabulary.category_label(superevent.category) if superevent.category is not Category.REAL else None
    )
    head = bold(escape(superevent.superevent_id))
    lead = f"{front} {head}" if front else head
    text = _facts(superevent)
    event = superevent.event
    when = superevent.latest.time_created if event is None else event.time
    date = f"{when.astimezone(UTC):%Y-%m-%d %H:%M}{quantities.NBSP}UTC ({quantities.age_text(when, now)})"
    if superevent.is_retracted:
        words = f"RETRACTED {strikethrough(escape(text))}" if text else "RETRACTED"
    else:
        words = escape(text) if text else "no facts"
    return f"{lead} · {words} · {escape(date)}"


def _facts(superevent: Superevent) -> str:
    notice = superevent.latest_with_event
    if notice is None or notice.event is None:
        return ""
    parts = [headline(superevent, notice, notice.event)]
    if not superevent.is_retracted:
        parts.append(alert_type_with_ordinal(superevent, notice))
        if not notice.event.significant:
            parts.append("LOW SIGNIFICANCE")
    localization = notice.best_localization
    if localization is not None:
        parts.append(map_lines.best_area(notice) or "")
        distance = map_lines.distance(localization)
        if distance is not None:
            parts.append(distance)
    return " · ".join(parts)
