"""Answer to `status`: the health of gwevent and its alert sources."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from formatters.blockkit import blocks
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import bold, escape, plain_text
from formatters.models.incident import Incident
from formatters.models.source_status import SourceStatus
from formatters.models.treasure_map import TreasureMapState
from formatters.posts import incident
from formatters.text import quantities
from formatters.text.broker_lines import broker_lines

MAX_SILENCE = timedelta(hours=3)
"""Longest normal time without a notice. LVK sends a mock every hour, so three missing mocks are a fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LastNotice:
    """The most recently received notice."""

    superevent_id: str
    alert_type: str
    received: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Data for the answer to `status`."""

    version: str
    started_at: datetime | None
    """When the process that answers was started; None if it is a tool, and not the bot."""
    sources: tuple[SourceStatus, ...] | None
    """What the bot reads; None if only the bot knows, and this process is a tool."""
    last_notice: LastNotice | None
    posting_time: timedelta | None
    """Median time from the receipt of a recent notice to its posts; None before the first post."""
    pending_deliveries: int
    """Number of deliveries still to be made."""
    dead_letters: int
    """Number of deliveries given up."""
    quarantined: int
    """Number of payloads that couldn't be processed and were quarantined."""
    subscriptions: int
    incidents: tuple[Incident, ...] = ()
    """Open incidents, oldest first, as reported to the operators."""
    problem: str | None = None
    """A request of people's that can't be fulfilled, one sentence, not escaped; None if there is nothing."""
    treasure_map: TreasureMapState | None = None
    """How reading others' pointings goes; None if the settings don't have them read."""


def message(status: Status, now: datetime) -> Message:
    """Return the status at `now`, open incidents first."""
    lines = [*broker_lines(status.sources or ()), last_notice_line(status.last_notice, now)]
    lines[:0] = [f"{incident.sentence(wrong)}." for wrong in status.incidents]
    if status.treasure_map is not None:
        lines.append(treasure_map_line(status.treasure_map, now))
    if status.sources is None:
        lines.insert(0, "What gwevent reads isn't known here: ask by /gwevent status in Slack")
    elif not status.sources:
        lines.insert(0, "This process reads no source")
    deliveries = quantities.number(status.pending_deliveries)
    parts = [f"Deliveries waiting: {deliveries}"]
    if status.posting_time is not None:
        parts.append(f"posted {quantities.duration_text(status.posting_time)} after receipt (median)")
    if status.dead_letters:
        parts.append(f"given up: {quantities.number(status.dead_letters)}")
    lines.append(" · ".join(parts))
    if status.quarantined:
        payloads = quantities.pluralize(status.quarantined, "payload")
        lines.append(f"In quarantine: {payloads} that couldn't be handled")
    lines.append(f"Subscriptions: {quantities.number(status.subscriptions)}")
    if status.problem is not None:
        lines.append(status.problem)
    foot = f"gwevent {plain_text(status.version)}"
    if status.started_at is not None:
        foot += f" · running for {quantities.duration_text(now - status.started_at)}"
    push = " · ".join(lines)
    head, *rest = map(escape, lines)
    return blocks.message(escape(push, 600), blocks.section(bold(head), *rest), blocks.context(escape(foot)))


def last_notice_line(notice: LastNotice | None, now: datetime) -> str:
    """Describe the last notice and its age at `now`, not escaped; mention silence longer than MAX_SILENCE."""
    if notice is None:
        return "Last notice: none yet"
    what = f"{plain_text(notice.superevent_id)} {plain_text(notice.alert_type)}"
    age = quantities.age_text(notice.received, now)
    line = f"Last notice: {what} · {quantities.utc(notice.received)} · {age}"
    if now - notice.received > MAX_SILENCE:
        line += " (unusually long ago: mocks come every hour)"
    return line


def treasure_map_line(state: TreasureMapState, now: datetime) -> str:
    """Describe at `now` how reading the Treasure Map goes, not escaped."""
    if state.read_at is None:
        age = "nothing was read yet"
    else:
        age = f"last read {quantities.utc(state.read_at)} ({quantities.age_text(state.read_at, now)})"
    if state.problem is not None:
        return f"Treasure Map: NOT READ · {plain_text(state.problem, 200)} · {age}"
    events = quantities.pluralize(state.events, "event") if state.events else "no event"
    return f"Treasure Map: {age} · {events} followed"
