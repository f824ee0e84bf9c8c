"""Tables of workspaces and channels: installations, subscriptions and their history, telescope sites."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from bot.store.schema.base import BigId, UtcDateTime, metadata

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
