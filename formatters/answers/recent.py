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
from formatters.text import event_lines, map_lines, quantities, vocabulary

MAX_EVENTS = 20
"""Maximum number of events shown, since Slack refuses long messages."""
DEFAULT_COUNT = 5
_PER_SECTION = 10


@dataclass(frozen=True, slots=True)
class RecentEvents:
    """Data for the answer to `recent`."""

    superevents: Sequence[Superevent]
    """Events, newest first by event time; at most MAX_EVENTS are shown."""


def message(answer: RecentEvents, now: datetime) -> Message:
    """Return the list of events with the age of each at `now`."""
    shown = answer.superevents[:MAX_EVENTS]
    if not shown:
        return blocks.message("No event was received yet.", blocks.section("No event was received yet."))
    title = f"The last {quantities.pluralize(len(shown), 'event')}" if len(shown) > 1 else "The last event"
    lines = [event_line(superevent, now) for superevent in shown]
    sections = [
        blocks.section(*lines[start : start + _PER_SECTION]) for start in range(0, len(lines), _PER_SECTION)
    ]
    listed = ", ".join(superevent.superevent_id for superevent in shown)
    return blocks.message(escape(f"{title}: {listed}"), blocks.section(bold(title)), *sections)


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
    parts = [event_lines.headline(notice.event)]
    if not superevent.is_retracted:
        parts.append(alert_type_with_ordinal(superevent, notice))
        if not notice.event.significant:
            parts.append("LOW SIGNIFICANCE")
    localization = notice.best_localization
    if localization is not None:
        parts.append(quantities.area(localization.area_90))
        distance = map_lines.distance(localization)
        if distance is not None:
            parts.append(distance)
    return " · ".join(parts)
