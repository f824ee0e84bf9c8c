"""Tables of operation: incidents, webhook calls, heartbeats, and rows that are about the database itself."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from bot.store.schema.base import BigId, UtcDateTime, metadata

source_heartbeats = Table(
    "consumers",
    metadata,
    # The consumer group, unique to each process.
    Column("id", String(255), primary_key=True),
    Column("seen_at", UtcDateTime, nullable=False),
    # The status of its sources, as JSON.
    Column("sources", Text, nullable=False),
)

ops_channel = Table(
    "operators",
    metadata,
    # One row: the channel for incident messages. A process connected to Slack writes it, since a consumer
    # does not know the channel's workspace.
    Column("team_id", String(32), primary_key=True),
    Column("channel_id", String(32), nullable=False),
)

incidents = Table(
    "troubles",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("what", String(32), nullable=False),
    # Equal to `what` while the incident lasts, then null: at most one of each kind is open.
    Column("open_as", String(32), unique=True),
    Column("detail", Text, nullable=False),
    Column("since", UtcDateTime, nullable=False),
    # The time of the last check that found the incident ongoing.
    Column("seen_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    # True once its message is in the outbox, which requires that Slack has identified the bot.
    Column("told", Boolean, nullable=False),
    sqlite_autoincrement=True,
)

webhook_calls = Table(
    "webhook_calls",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("kind", String(16), nullable=False),
    # A unique key: "alert:<superevent>", "trouble:<trouble>" …
    Column("slot", String(96), nullable=False, unique=True),
    # Exactly one of the three is set, depending on the kind. The escalation is no foreign key: it may be
    # purged before the call.
    Column("escalation_id", BigInteger),
    # What the call resolves, as JSON (`LeftIncident`), if the escalation went with its workspace; else null.
    Column("left_open", Text),
    Column("trouble_id", ForeignKey("troubles.id")),
    Column("superevent_id", ForeignKey("superevents.superevent_id")),
    Column("state", String(16), nullable=False, index=True),
    Column("not_before", UtcDateTime, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("reason", Text),
    Column("created_at", UtcDateTime, nullable=False),
    Column("sent_at", UtcDateTime),
    sqlite_autoincrement=True,
)

database_identity = Table(
    "database_identity",
    metadata,
    # One row: the database's identity, for references from outside.
    Column("only", Integer, primary_key=True, autoincrement=False),
    Column("id", String(32), nullable=False),
)

# One row, written only to test whether the database accepts writes.
write_checks = Table(
    "write_checks",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("count", BigInteger, nullable=False),
    # Filled briefly, after a failed write, with as many bytes as a notice needs.
    Column("filling", LargeBinary, nullable=False),
)

# The offset from a machine's monotonic clock to the time, by boot, since each boot restarts that clock.
clock_offsets = Table(
    "clocks",
    metadata,
    Column("boot_id", String(64), primary_key=True),
    Column("offset_s", Double, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
)
