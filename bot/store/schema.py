"""The tables. Every row that belongs to a workspace carries its team id; times are UTC."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    null,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime, stored as UTC; SQLite forgets the zone, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn to UTC; a naive time is a bug, not a value."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("A time without its zone can't be stored.")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Put the zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# SQLite only counts up by itself on INTEGER.
BigId = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

superevents = Table(
    "superevents",
    metadata,
    Column("superevent_id", String(64), primary_key=True),
    Column("category", String(8), nullable=False),
    # Counts the notices stored; what a root shows is a revision.
    Column("revision", Integer, nullable=False),
    # What `latest` and `recent` choose and sort by, so that they needn't read every notice.
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
    # The notice as JSON; null once purged: the key stays for ever, so that a repeat stays a repeat.
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

gracedb_lookups = Table(
    "gracedb_lookups",
    metadata,
    # No foreign key: it is remembered too of those of which nothing could be stored.
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
    sqlite_autoincrement=True,
)

channel_problems = Table(
    "channels",
    metadata,
    Column("team_id", String(32), primary_key=True),
    Column("channel_id", String(32), primary_key=True),
    # Slack's word for why nothing can be posted there; a row exists only while that is so.
    Column("problem", String(64), nullable=False),
    Column("since", UtcDateTime, nullable=False),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("team_id", String(32), nullable=False),
    Column("channel_id", String(32), nullable=False),
    Column("words", String(3000), nullable=False),
    Column("created_by", String(32), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    # In force only once its confirmation stands in the channel.
    Column("confirmed_at", UtcDateTime),
    # Nothing comes from then on, until it is null again.
    Column("paused_at", UtcDateTime),
    # What people call it in its channel: 1, 2, 3 … Null where an older gwevent wrote the row.
    Column("number", Integer),
    UniqueConstraint("team_id", "channel_id", "words"),
    # Never a number twice: threads and deliveries remember which subscription they came from.
    sqlite_autoincrement=True,
)

channel_numbers = Table(
    "channel_numbers",
    metadata,
    Column("team_id", String(32), primary_key=True),
    Column("channel_id", String(32), primary_key=True),
    # The greatest number that a subscription of the channel ever had: none is given twice.
    Column("last_number", Integer, nullable=False),
)

former_numbers = Table(
    "former_numbers",
    metadata,
    Column("team_id", String(32), primary_key=True),
    Column("channel_id", String(32), primary_key=True),
    # Before channels counted for themselves, people called a subscription by its id: old messages still do.
    Column("number", BigInteger, primary_key=True, autoincrement=False),
)

channel_changes = Table(
    "channel_changes",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("team_id", String(32), nullable=False),
    Column("channel_id", String(32), nullable=False),
    # Null where the channel's sites were changed.
    Column("subscription_id", BigInteger),
    Column("number", Integer),
    # As JSON; null where there was, or is, nothing.
    Column("state_before", Text),
    Column("state_after", Text),
    # Slack's id of a person, or "import".
    Column("changed_by", String(32), nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    # Which delivery says it in the channel; no foreign key, for deliveries are purged.
    Column("delivery_id", BigInteger, index=True),
    Index("ix_channel_changes_channel", "team_id", "channel_id", "id"),
    sqlite_autoincrement=True,
)

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

# Written in such a way that no index on the state alone fits: SQLite would take it, and read all that waits.
READY = "state || '' = 'pending' AND held_until IS NULL"
"""What a claim may look at."""
READY_POSTS = f"{READY} AND kind <> 'edit'"
READY_EDITS = f"{READY} AND kind = 'edit'"
HELD = "state || '' = 'pending' AND held_until IS NOT NULL"
WANTED_IMAGES = "state || '' = 'wanted'"


def _partial_index(name: str, condition: str, *columns: str) -> Index:
    return Index(name, *columns, sqlite_where=text(condition), postgresql_where=text(condition))


# Notices of which some channels' filters ask the map; gone once it has answered.
deferred_notices = Table(
    "undecided",
    metadata,
    Column("notice_id", ForeignKey("notices.id"), primary_key=True),
    Column("superevent_id", ForeignKey("superevents.superevent_id"), nullable=False, index=True),
    # Whether the map is to be drawn too, where anything is posted.
    Column("picture", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
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
    _partial_index("ix_deliveries_ready", READY, "mock", "priority", "event_order", "id"),
    *(
        _partial_index(name, ready, "team_id", "channel_id", "mock", "priority", "event_order", "id")
        for name, ready in (
            ("ix_deliveries_ready_posts", READY_POSTS),
            ("ix_deliveries_ready_edits", READY_EDITS),
        )
    ),
    _partial_index("ix_deliveries_held", HELD, "mock", "held_until"),
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

refused_mentions = Table(
    "refused_mentions",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("team_id", String(32), nullable=False),
    Column("channel_id", String(32), nullable=False),
    # Whom, as Slack writes it; the row exists until such a mention goes through there.
    Column("target", Text, nullable=False),
    # Slack's word.
    Column("reason", Text, nullable=False),
    Column("since", UtcDateTime, nullable=False),
    UniqueConstraint("team_id", "channel_id", "target"),
    sqlite_autoincrement=True,
)

database_identity = Table(
    "database_identity",
    metadata,
    # One row: which database this is, in what is said of it elsewhere.
    Column("only", Integer, primary_key=True, autoincrement=False),
    Column("id", String(32), nullable=False),
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
    _partial_index("ix_pictures_wanted", WANTED_IMAGES, "mock", "created_at", "id"),
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

channel_sites = Table(
    "channel_sites",
    metadata,
    Column("team_id", String(32), primary_key=True),
    Column("channel_id", String(32), primary_key=True),
    # The name as it is compared, so that no channel has the same site twice.
    Column("folded", String(64), primary_key=True),
    # Counts up in a channel: its sites are listed as they were added.
    Column("ordinal", Integer, nullable=False),
    Column("name", String(64), nullable=False),
    Column("latitude", Float, nullable=False),
    Column("longitude", Float, nullable=False),
    Column("height", Float, nullable=False),
    Column("radio", Boolean, nullable=False),
    Column("zone", String(64)),
)

channel_conditions = Table(
    "channel_conditions",
    metadata,
    Column("team_id", String(32), primary_key=True),
    Column("channel_id", String(32), primary_key=True),
    # When something counts as observable, in degrees; a row exists where a channel chose for itself.
    Column("altitude", Float, nullable=False),
    Column("darkness", Float, nullable=False),
)

circulars = Table(
    "circulars",
    metadata,
    Column("id", BigId, primary_key=True),
    # GCN's number. One circular may name several superevents, known or not.
    Column("number", Integer, nullable=False),
    Column("superevent_id", String(64), nullable=False, index=True),
    # Whether it came live and fresh: what an archive brings is linked nowhere.
    Column("news", Boolean, nullable=False, server_default=false()),
    Column("subject", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    UniqueConstraint("number", "superevent_id"),
    sqlite_autoincrement=True,
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
    # Whether the ledger holds the message about it; before Slack says who we are it can't.
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

installations = Table(
    "installations",
    metadata,
    Column("team_id", String(32), primary_key=True),
    Column("team_name", Text, nullable=False),
    Column("bot_user_id", String(32), nullable=False),
    Column("bot_id", String(32), nullable=False),
    Column("app_id", String(32), nullable=False),
    Column("scopes", Text, nullable=False),
    # Encrypted; the keys are in the settings, never here.
    Column("token", Text, nullable=False),
    Column("installed_by", String(32), nullable=False),
    Column("installed_at", UtcDateTime, nullable=False),
)

oauth_states = Table(
    "oauth_states",
    metadata,
    # A digest: who reads the table can't finish somebody else's installation.
    Column("digest", String(64), primary_key=True),
    Column("expires_at", UtcDateTime, nullable=False),
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
