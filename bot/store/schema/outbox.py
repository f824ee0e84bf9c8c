"""Tables of the outbox: threads, deliveries, mentions, images, and the workers that share them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
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
    null,
    text,
)

from bot.store.schema.base import BigId, UtcDateTime, metadata, partial_index

# Written in such a way that no index on the state alone fits: SQLite would take it, and read all that waits.
READY = "state || '' = 'pending' AND held_until IS NULL"
"""What a claim may look at."""
READY_POSTS = f"{READY} AND kind <> 'edit'"
READY_EDITS = f"{READY} AND kind = 'edit'"
HELD = "state || '' = 'pending' AND held_until IS NOT NULL"
WANTED_IMAGES = "state || '' = 'wanted'"

threads = Table(
    "threads",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("team_id", String(32), nullable=False),
    Column("channel_id", String(32), nullable=False),
    Column("superevent_id", ForeignKey("superevents.superevent_id"), nullable=False, index=True),
    # No foreign key: the thread outlives its subscription.
    Column("subscription_id", BigInteger, nullable=False),
    Column("root_ts", String(32)),
    # Counts what the root should show: every notice, a picture that became ready, who observes.
    Column("wanted_revision", Integer, nullable=False),
    Column("shown_revision", Integer),
    # Slack lets the root be edited no more: then the replies carry the whole state.
    Column("root_fixed", Boolean, nullable=False),
    UniqueConstraint("team_id", "channel_id", "superevent_id"),
    sqlite_autoincrement=True,
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("team_id", String(32), nullable=False),
    Column("channel_id", String(32), nullable=False),
    Column("kind", String(16), nullable=False),
    # What makes the delivery the only one of its kind in its channel: "root:<superevent>", "reply:<notice>" …
    Column("slot", String(96), nullable=False),
    Column("thread_id", ForeignKey("threads.id"), index=True),
    # The row that is rendered: a notice, a subscription, a quarantined payload, as the kind says.
    Column("subject_id", BigInteger, nullable=False),
    Column("priority", Integer, nullable=False),
    # The rest of the order in which the queue goes (`bot.store.claiming`): whether it is of a mock or a test,
    # and of which event, the smallest number being the newest.
    Column("mock", Boolean, nullable=False, server_default=false()),
    Column("event_order", BigInteger, nullable=False, server_default=text("0")),
    # While it waits for its time or its thread: no claim looks at it before. Null: it may be next. Whatever
    # else is changed of a row lets a claim look at it again, which holds it anew if that was for nothing.
    Column("held_until", UtcDateTime, onupdate=null()),
    Column("state", String(16), nullable=False),
    Column("not_before", UtcDateTime, nullable=False),
    Column("attempts", Integer, nullable=False),
    # Sent, and no answer came: it may stand in the channel, so it is looked for before it is sent again.
    Column("doubtful", Boolean, nullable=False),
    # Which worker sends it; what it writes down counts only as long as that is so.
    Column("claimed_by", String(64)),
    Column("reason", Text),
    Column("created_at", UtcDateTime, nullable=False),
    Column("attempted_at", UtcDateTime),
    Column("sent_at", UtcDateTime),
    Column("ts", String(32)),
    # Random, and in the message's metadata: other databases and restored backups have the same numbers.
    Column("key", String(32)),
    UniqueConstraint("team_id", "channel_id", "slot"),
    Index("ix_deliveries_state_channel", "state", "team_id", "channel_id", "priority", "id"),
    # What waits, as gwevent of before 0012 reads it: as short as the queue, however much was ever sent.
    Index(
        "ix_deliveries_waiting",
        "priority",
        "id",
        sqlite_where=text("state = 'pending'"),
        postgresql_where=text("state = 'pending'"),
    ),
    partial_index("ix_deliveries_ready", READY, "mock", "priority", "event_order", "id"),
    *(
        partial_index(name, ready, "team_id", "channel_id", "mock", "priority", "event_order", "id")
        for name, ready in (
            ("ix_deliveries_ready_posts", READY_POSTS),
            ("ix_deliveries_ready_edits", READY_EDITS),
        )
    ),
    partial_index("ix_deliveries_held", HELD, "mock", "held_until"),
    sqlite_autoincrement=True,
)

mentions = Table(
    "mentions",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("thread_id", ForeignKey("threads.id"), nullable=False),
    Column("notice_id", ForeignKey("notices.id"), nullable=False),
    # In the root's post, in a message of its own, or to take it back.
    Column("occasion", String(16), nullable=False),
    # Whom, as Slack writes them, with spaces between.
    Column("targets", String(1000), nullable=False),
    UniqueConstraint("thread_id", "notice_id"),
    sqlite_autoincrement=True,
)

observers = Table(
    "observers",
    metadata,
    Column("thread_id", ForeignKey("threads.id"), primary_key=True),
    # An id, no name: what Slack calls the person is Slack's to say.
    Column("user_id", String(32), primary_key=True),
    Column("since", UtcDateTime, nullable=False),
)

images = Table(
    "pictures",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("team_id", String(32), nullable=False),
    Column("superevent_id", ForeignKey("superevents.superevent_id"), nullable=False, index=True),
    Column("notice_id", ForeignKey("notices.id"), nullable=False),
    Column("state", String(16), nullable=False, index=True),
    # Of a mock or a test: drawn after all that is real.
    Column("mock", Boolean, nullable=False, server_default=false()),
    Column("alt_text", Text),
    # Slack's id of the uploaded file.
    Column("file_id", String(32)),
    # Where the bot serves the picture itself: the unguessable part of its address, and the picture.
    Column("token", String(64), unique=True),
    Column("png", LargeBinary),
    # The one thread that tries whether Slack can show the file yet; the rest follow it.
    Column("trial_thread_id", BigInteger),
    Column("attempts", Integer, nullable=False),
    Column("not_before", UtcDateTime, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("reason", Text),
    UniqueConstraint("team_id", "notice_id"),
    partial_index("ix_pictures_wanted", WANTED_IMAGES, "mock", "created_at", "id"),
    sqlite_autoincrement=True,
)

workers = Table(
    "workers",
    metadata,
    Column("id", String(64), primary_key=True),
    # By the database's clock; a worker that lives moves it on.
    Column("alive_until", UtcDateTime, nullable=False),
)

leases = Table(
    "leases",
    metadata,
    # A workspace, or a duty that one process has for all.
    Column("name", String(64), primary_key=True),
    # Whose it is as long as that worker lives; null where it is free.
    Column("worker_id", String(64)),
    Column("since", UtcDateTime, nullable=False),
)
