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
    # The consumer group, which is each process's own.
    Column("id", String(255), primary_key=True),
    Column("seen_at", UtcDateTime, nullable=False),
    # How its sources are doing, as JSON.
    Column("sources", Text, nullable=False),
)

ops_channel = Table(
    "operators",
    metadata,
    # One row: where those who run the bot are told of its troubles. Whoever knows Slack writes it, since a
    # consumer alone doesn't know which workspace the channel is in.
    Column("team_id", String(32), primary_key=True),
    Column("channel_id", String(32), nullable=False),
)

incidents = Table(
    "troubles",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("what", String(32), nullable=False),
    # The same as `what` while it lasts, null once it is over: so of each kind one at most lasts.
    Column("open_as", String(32), unique=True),
    Column("detail", Text, nullable=False),
    Column("since", UtcDateTime, nullable=False),
    # When somebody looked last and it was still so.
    Column("seen_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    # True once the outbox holds the message about it; before Slack has identified the bot there is none.
    Column("told", Boolean, nullable=False),
    sqlite_autoincrement=True,
)

webhook_calls = Table(
    "webhook_calls",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("kind", String(16), nullable=False),
    # What makes the call the only one of its kind: "alert:<superevent>", "trouble:<trouble>" …
    Column("slot", String(96), nullable=False, unique=True),
    # One of the two, as the kind says.
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
    # One row: which database this is, in what is said of it elsewhere.
    Column("only", Integer, primary_key=True, autoincrement=False),
    Column("id", String(32), nullable=False),
)

# One row, written only to find out whether the database takes what is written.
write_checks = Table(
    "write_checks",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("count", BigInteger, nullable=False),
    # As much as a notice takes, for a moment, after something couldn't be written.
    Column("filling", LargeBinary, nullable=False),
)

# What, added to a machine's count of seconds, is the time: by boot, in which nothing else sets that count.
clock_offsets = Table(
    "clocks",
    metadata,
    Column("boot_id", String(64), primary_key=True),
    Column("offset_s", Double, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
)
