"""Tables of events: superevents, notices, payloads, messages and candidates about them, the quarantine."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
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

from bot.store.schema.base import BigId, UtcDateTime, metadata

superevents = Table(
    "superevents",
    metadata,
    Column("superevent_id", String(64), primary_key=True),
    Column("category", String(8), nullable=False),
    # Counts the notices stored; what a root shows is a revision.
    Column("revision", Integer, nullable=False),
    # What `latest` and `recent` choose and sort by, so that they need not read every notice.
    Column("group_name", String(32)),
    Column("event_time", UtcDateTime, nullable=False),
    # What filters ask of it, as JSON, and the revision that this is of: an older version of gwevent counts
    # on without it. Null where nothing but a retraction is known.
    Column("traits", Text),
    Column("traits_revision", Integer),
    Index("ix_superevents_category_event_time", "category", "event_time"),
)

notices = Table(
    "notices",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("superevent_id", ForeignKey("superevents.superevent_id"), nullable=False),
    Column("alert_type", String(64), nullable=False),
    Column("time_created", UtcDateTime, nullable=False),
    Column("received_at", UtcDateTime, nullable=False, index=True),
    Column("origin", String(255), nullable=False),
    # The notice as JSON; null once purged: the key is kept to identify repeats.
    Column("facts", Text),
    # The digest of what it says, the last part of the key; empty of an archive's copy, and of what an older
    # gwevent stored until another of its type and second comes.
    Column("content", String(64), nullable=False, server_default=""),
    UniqueConstraint("superevent_id", "alert_type", "time_created", "content"),
    sqlite_autoincrement=True,
)

payloads = Table(
    "payloads",
    metadata,
    Column("notice_id", ForeignKey("notices.id"), primary_key=True),
    Column("body", LargeBinary, nullable=False),
)

# Notices whose routing needs a query of the sky map; deleted after the query.
deferred_notices = Table(
    "undecided",
    metadata,
    Column("notice_id", ForeignKey("notices.id"), primary_key=True),
    Column("superevent_id", ForeignKey("superevents.superevent_id"), nullable=False, index=True),
    # True if the map is also to be drawn if anything is posted.
    Column("picture", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

circulars = Table(
    "circulars",
    metadata,
    Column("id", BigId, primary_key=True),
    # GCN's number. One circular may name several superevents, known or not.
    Column("number", Integer, nullable=False),
    Column("superevent_id", String(64), nullable=False, index=True),
    # True if received live and recent; circulars from an archive are not linked.
    Column("news", Boolean, nullable=False, server_default=false()),
    Column("subject", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    UniqueConstraint("number", "superevent_id"),
    sqlite_autoincrement=True,
)

# Messages of every stream that name an event, one row for each event that a message names. A newer version
# of a message takes the place of the older one.
related_messages = Table(
    "related_messages",
    metadata,
    Column("id", BigId, primary_key=True),
    # A value of `formatters.models.related_message.Stream`.
    Column("stream", String(16), nullable=False),
    Column("key", String(128), nullable=False),
    # No foreign key: a message may come before the notice.
    Column("superevent_id", String(64), nullable=False, index=True),
    # True if received live and recent; the others are shown where there is a reply, and cause none.
    Column("news", Boolean, nullable=False, server_default=false()),
    Column("retracts_event", Boolean, nullable=False, server_default=false()),
    # The message as JSON.
    Column("facts", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    UniqueConstraint("stream", "key", "superevent_id"),
    sqlite_autoincrement=True,
)

# Bursts and neutrinos that name no event, each in its newest version.
nearby_alerts = Table(
    "nearby_alerts",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("stream", String(32), nullable=False),
    Column("key", String(128), nullable=False),
    Column("trigger_time", UtcDateTime, nullable=False, index=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("news", Boolean, nullable=False, server_default=false()),
    # The alert as JSON.
    Column("facts", Text, nullable=False),
    UniqueConstraint("stream", "key"),
    sqlite_autoincrement=True,
)

# Counterpart candidates that people of a channel added.
counterparts = Table(
    "counterparts",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("team_id", String(32), nullable=False),
    Column("channel_id", String(32), nullable=False),
    Column("superevent_id", String(64), nullable=False),
    Column("name", String(80), nullable=False),
    # The position as JSON.
    Column("position", Text, nullable=False),
    Column("added_by", String(32), nullable=False),
    Column("added_at", UtcDateTime, nullable=False),
    Index("ix_counterparts_superevent_id_team_id_channel_id", "superevent_id", "team_id", "channel_id"),
    sqlite_autoincrement=True,
)

# What people of a channel decided about candidates; the newest of a name counts, all are kept.
counterpart_decisions = Table(
    "counterpart_decisions",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("team_id", String(32), nullable=False),
    Column("channel_id", String(32), nullable=False),
    Column("superevent_id", String(64), nullable=False),
    Column("name", String(80), nullable=False),
    Column("decision", String(16), nullable=False),
    Column("decided_by", String(32), nullable=False),
    Column("decided_at", UtcDateTime, nullable=False),
    Index(
        "ix_counterpart_decisions_superevent_id_team_id_channel_id",
        "superevent_id",
        "team_id",
        "channel_id",
    ),
    sqlite_autoincrement=True,
)

gracedb_lookups = Table(
    "gracedb_lookups",
    metadata,
    # No foreign key, since lookups that stored nothing are recorded too.
    Column("superevent_id", String(64), primary_key=True),
    Column("looked_up_at", UtcDateTime, nullable=False),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("body", LargeBinary, nullable=False),
    Column("origin", String(255), nullable=False),
    Column("reason", Text, nullable=False),
    Column("superevent_id", String(64)),
    Column("received_at", UtcDateTime, nullable=False),
    # What its topic brings beside LVK's notices; null for notices, and where it isn't known.
    Column("stream", String(32)),
    sqlite_autoincrement=True,
)
