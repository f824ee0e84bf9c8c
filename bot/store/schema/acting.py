"""Tables of what people do about events: escalations, acknowledgements, mutes, observations, pointings."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from bot.store.schema.base import BigId, UtcDateTime, metadata, partial_index

WAITING_STEPS = "state || '' = 'waiting'"
"""The condition on the steps that may become due."""
OPEN_ESCALATIONS = "closed_at IS NULL"
"""The condition on the escalations that may still change."""

escalations = Table(
    "escalations",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("team_id", String(32), nullable=False),
    Column("channel_id", String(32), nullable=False),
    # Both null for a drill. No foreign keys: an older version purges threads without knowing this table.
    Column("thread_id", BigInteger, index=True),
    # The mention that it follows: an escalation for each step and cause.
    Column("mention_id", BigInteger, unique=True),
    # For a drill, the number of the channel's subscription and who began it.
    Column("drill_number", Integer),
    Column("started_by", String(32)),
    # The notice was stored, or the drill begun.
    Column("started_at", UtcDateTime, nullable=False),
    # Slack accepted the first mention; null until then. Steps that mention people count from here.
    Column("mentioned_at", UtcDateTime),
    # Null while it runs; the values of EscalationEnd.
    Column("end_reason", String(16)),
    Column("ended_at", UtcDateTime),
    # From then on nothing changes it: its reason is over, or a day has passed. Null until then, even if
    # somebody has the event, who may hand it back.
    Column("closed_at", UtcDateTime),
    # Who ended a drill by "I have it", or stopped it; for an event that is in `acknowledgements`.
    Column("acknowledged_by", String(32)),
    Index("ix_escalations_channel", "team_id", "channel_id", "id"),
    partial_index("ix_escalations_open", OPEN_ESCALATIONS, "team_id", "started_at"),
    sqlite_autoincrement=True,
)

escalation_steps = Table(
    "escalation_steps",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("escalation_id", ForeignKey("escalations.id"), nullable=False, index=True),
    # Its workspace, whose lease says which process takes the step.
    Column("team_id", String(32), nullable=False),
    Column("position", Integer, nullable=False),
    Column("after_s", Integer, nullable=False),
    # Mentions in Slack's syntax, separated by spaces; empty for the webhook.
    Column("targets", String(1000), nullable=False),
    # Those of the targets who are left out if an earlier step, another rule's, has told them; as `targets`.
    Column("unless_told", String(1000), nullable=False, server_default=""),
    Column("webhook", Boolean, nullable=False, server_default=false()),
    Column("due_at", UtcDateTime, nullable=False),
    # waiting, taken, cancelled
    Column("state", String(16), nullable=False),
    Column("taken_at", UtcDateTime),
    UniqueConstraint("escalation_id", "position"),
    partial_index("ix_escalation_steps_waiting", WAITING_STEPS, "team_id", "due_at"),
    sqlite_autoincrement=True,
)

acknowledgements = Table(
    "acknowledgements",
    metadata,
    Column("thread_id", BigId, primary_key=True, autoincrement=False),
    # Slack's user id; Slack displays the name.
    Column("user_id", String(32), primary_key=True),
    Column("since", UtcDateTime, nullable=False),
)

muted_threads = Table(
    "muted_threads",
    metadata,
    Column("thread_id", BigId, primary_key=True, autoincrement=False),
    Column("muted_by", String(32), nullable=False),
    Column("muted_at", UtcDateTime, nullable=False),
)

observations = Table(
    "observations",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("team_id", String(32), nullable=False),
    Column("channel_id", String(32), nullable=False),
    Column("superevent_id", String(64), nullable=False),
    # As people call it, and normalized for comparison.
    Column("instrument", String(64), nullable=False),
    Column("folded", String(64), nullable=False),
    # planned, completed, cancelled
    Column("status", String(16), nullable=False),
    # Slack's user id of who reported it last.
    Column("user_id", String(32), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Column("observed_at", UtcDateTime),
    # The field of view as JSON, as in `channel_telescopes`; null if it isn't known.
    Column("shape", Text),
    # As JSON: [[ra, dec, ISO time or null, position angle], …] in ICRS degrees, in the order of observation.
    Column("fields", Text, nullable=False),
    Column("band", String(32)),
    Column("depth", Float),
    Column("note", String(500), nullable=False),
    Index("ix_observations_event", "team_id", "channel_id", "superevent_id"),
    Index("ix_observations_superevent", "superevent_id"),
    sqlite_autoincrement=True,
)

event_actions = Table(
    "event_actions",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("team_id", String(32), nullable=False),
    Column("channel_id", String(32), nullable=False),
    # Null for a drill.
    Column("superevent_id", String(64)),
    # Slack's user id.
    Column("user_id", String(32), nullable=False),
    # The values of EventActionKind.
    Column("action", String(32), nullable=False),
    # In plain words, as the audit shows it.
    Column("detail", String(500), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Index("ix_event_actions_channel", "team_id", "channel_id", "id"),
    Index("ix_event_actions_user", "user_id"),
    sqlite_autoincrement=True,
)

treasure_map_events = Table(
    "treasure_map_events",
    metadata,
    Column("superevent_id", String(64), primary_key=True),
    # When it is to be read next; null if only when somebody asks.
    Column("next_at", UtcDateTime, index=True),
    # The last request, whatever became of it, and the last complete answer; null if there was none yet.
    Column("tried_at", UtcDateTime),
    Column("read_at", UtcDateTime),
    Column("failures", Integer, nullable=False),
    # Why the last request failed, in one sentence without secrets; null after a success.
    Column("problem", Text),
    # The last complete answer, see `bot.store.events.treasure_map_content`: one value, so that a reader never
    # sees half an answer, and one short write instead of thousands of rows while an alert waits.
    Column("content", LargeBinary),
)

treasure_map_instruments = Table(
    "treasure_map_instruments",
    metadata,
    Column("instrument_id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", String(128), nullable=False),
    Column("nickname", String(128)),
    Column("listed_at", UtcDateTime, nullable=False),
    # As JSON: one polygon a detector, corners in degrees on the plane that touches the sky at the pointing, x
    # east and y north; an empty list if there is none that can be used; null if it wasn't read yet.
    Column("polygons", Text),
    Column("footprint_read_at", UtcDateTime),
)
