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

# The `|| ''` keeps SQLite from using an index on the state alone and reading all waiting rows.
READY = "state || '' = 'pending' AND held_until IS NULL"
"""The condition on the rows that a claim may read."""
READY_POSTS = f"{READY} AND kind NOT IN ('edit', 'follow_up_edit')"
READY_EDITS = f"{READY} AND kind IN ('edit', 'follow_up_edit')"
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
    # Incremented by each change of the root's content: notices, ready pictures, observers.
    Column("wanted_revision", Integer, nullable=False),
    Column("shown_revision", Integer),
    # True if Slack no longer permits edits of the root; replies then contain the whole state.
    Column("root_fixed", Boolean, nullable=False),
    UniqueConstraint("team_id", "channel_id", "superevent_id"),
    sqlite_autoincrement=True,
)

# The one reply of a thread that lists everything about its event, and is edited.
follow_ups = Table(
    "follow_ups",
    metadata,
    # No foreign key: an older version merges the threads of two ids of a channel without knowing this table.
    Column("thread_id", BigId, primary_key=True, autoincrement=False),
    # Slack's ts of the reply; null before it is posted, and after it was deleted.
    Column("ts", String(32)),
    # Incremented by each change of the reply's content for which no delivery waits yet.
    Column("wanted_revision", Integer, nullable=False),
    Column("shown_revision", Integer),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("team_id", String(32), nullable=False),
    Column("channel_id", String(32), nullable=False),
    Column("kind", String(16), nullable=False),
    # A key that is unique in the channel: "root:<superevent>", "reply:<notice>" …
    Column("slot", String(96), nullable=False),
    Column("thread_id", ForeignKey("threads.id"), index=True),
    # The row to render: a notice, subscription or quarantined payload, depending on the kind.
    Column("subject_id", BigInteger, nullable=False),
    Column("priority", Integer, nullable=False),
    # Further sort keys of the queue (`bot.store.outbox.claiming`): is it about a mock or test, and its
    # event, the smallest number being the newest.
    Column("mock", Boolean, nullable=False, server_default=false()),
    Column("event_order", BigInteger, nullable=False, server_default=text("0")),
    # Claims ignore the row until then, while it waits for its time or its thread; null if it may be next.
    # Any other update of the row resets it to null, and a claim sets it again if the row still has to wait.
    Column("held_until", UtcDateTime, onupdate=null()),
    Column("state", String(16), nullable=False),
    Column("not_before", UtcDateTime, nullable=False),
    Column("attempts", Integer, nullable=False),
    # Sent without a response: the channel is searched for the message before a second attempt.
    Column("doubtful", Boolean, nullable=False),
    # The worker that sends it; only this worker's results are accepted.
    Column("claimed_by", String(64)),
    Column("reason", Text),
    Column("created_at", UtcDateTime, nullable=False),
    Column("attempted_at", UtcDateTime),
    Column("sent_at", UtcDateTime),
    Column("ts", String(32)),
    # A random key in the message's metadata; ids may repeat in other databases and restored backups.
    Column("key", String(32)),
    UniqueConstraint("team_id", "channel_id", "slot"),
    Index("ix_deliveries_state_channel", "state", "team_id", "channel_id", "priority", "id"),
    # For the queries of gwevent before migration 0012; contains only waiting rows.
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
    # In the root message, in a separate message, or in a retraction.
    Column("occasion", String(16), nullable=False),
    # Mentions in Slack's syntax, separated by spaces.
    Column("targets", String(1000), nullable=False),
    UniqueConstraint("thread_id", "notice_id"),
    sqlite_autoincrement=True,
)

observers = Table(
    "observers",
    metadata,
    Column("thread_id", ForeignKey("threads.id"), primary_key=True),
    # Slack's user id; Slack displays the name.
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
    # True for a mock or a test, which is drawn after all real events.
    Column("mock", Boolean, nullable=False, server_default=false()),
    Column("alt_text", Text),
    # Slack's id of the uploaded file.
    Column("file_id", String(32)),
    # If the bot serves the picture: the secret part of its URL, and the picture.
    Column("token", String(64), unique=True),
    Column("png", LargeBinary),
    # The thread that tests whether Slack can display the file yet; the others wait for it.
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
    # By the database's clock; a running worker extends it.
    Column("alive_until", UtcDateTime, nullable=False),
)

leases = Table(
    "leases",
    metadata,
    # A workspace, or a task that one process performs for all.
    Column("name", String(64), primary_key=True),
    # The holder while it is running; null if the lease is free.
    Column("worker_id", String(64)),
    Column("since", UtcDateTime, nullable=False),
)
