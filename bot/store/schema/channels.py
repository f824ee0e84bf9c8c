"""Tables of workspaces and channels: installations, subscriptions and their history, sites, criteria."""

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
from formatters.models.criteria_set import SLUG_MAX

installations = Table(
    "installations",
    metadata,
    Column("team_id", String(32), primary_key=True),
    Column("team_name", Text, nullable=False),
    Column("bot_user_id", String(32), nullable=False),
    Column("bot_id", String(32), nullable=False),
    Column("app_id", String(32), nullable=False),
    Column("scopes", Text, nullable=False),
    # Encrypted; the keys are in the settings only.
    Column("token", Text, nullable=False),
    Column("installed_by", String(32), nullable=False),
    Column("installed_at", UtcDateTime, nullable=False),
)

oauth_states = Table(
    "oauth_states",
    metadata,
    # A digest, so that a reader of the table can't complete another person's installation.
    Column("digest", String(64), primary_key=True),
    Column("expires_at", UtcDateTime, nullable=False),
)

channel_problems = Table(
    "channels",
    metadata,
    Column("team_id", String(32), primary_key=True),
    Column("channel_id", String(32), primary_key=True),
    # Slack's error code for the failure to post there; the row exists only while the failure lasts.
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
    # Active only once its confirmation is posted in the channel.
    Column("confirmed_at", UtcDateTime),
    # Nothing is posted after this time, until it is null again.
    Column("paused_at", UtcDateTime),
    # Its number in the channel: 1, 2, 3 … Null in rows written by older versions of gwevent.
    Column("number", Integer),
    UniqueConstraint("team_id", "channel_id", "words"),
    # Ids are never reused, since threads and deliveries refer to them.
    sqlite_autoincrement=True,
)

channel_numbers = Table(
    "channel_numbers",
    metadata,
    Column("team_id", String(32), primary_key=True),
    Column("channel_id", String(32), primary_key=True),
    # The highest number ever given to a subscription of the channel; numbers are not reused.
    Column("last_number", Integer, nullable=False),
)

former_numbers = Table(
    "former_numbers",
    metadata,
    Column("team_id", String(32), primary_key=True),
    Column("channel_id", String(32), primary_key=True),
    # A former id-based number, from before numbering by channel; old messages still show it.
    Column("number", BigInteger, primary_key=True, autoincrement=False),
)

channel_changes = Table(
    "channel_changes",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("team_id", String(32), nullable=False),
    Column("channel_id", String(32), nullable=False),
    # Null if the change is to the channel's sites, or to a criteria set that the channel uses.
    Column("subscription_id", BigInteger),
    Column("number", Integer),
    # As JSON; null if nothing existed before, or exists after.
    Column("state_before", Text),
    Column("state_after", Text),
    # Slack's user id, or "import".
    Column("changed_by", String(32), nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    # The delivery that announces the change; no foreign key, since deliveries are purged.
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
    # The mention in Slack's syntax; the row is deleted once Slack accepts it in this channel.
    Column("target", Text, nullable=False),
    # Slack's error code.
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
    # The normalized name, which is unique in a channel.
    Column("folded", String(64), primary_key=True),
    # Increases within a channel, so that sites are listed in the order of addition.
    Column("ordinal", Integer, nullable=False),
    Column("name", String(64), nullable=False),
    Column("latitude", Float, nullable=False),
    Column("longitude", Float, nullable=False),
    Column("height", Float, nullable=False),
    Column("radio", Boolean, nullable=False),
    Column("zone", String(64)),
)

channel_telescopes = Table(
    "channel_telescopes",
    metadata,
    Column("team_id", String(32), primary_key=True),
    Column("channel_id", String(32), primary_key=True),
    # The normalized name of its site; without a site of that name the row means nothing.
    Column("folded", String(64), primary_key=True),
    # As it was typed: "47sqdeg", "ZTF".
    Column("words", String(100), nullable=False),
    # The field of view as JSON, so that plans don't change when a table or file of instruments does.
    Column("shape", Text, nullable=False),
    Column("exposure_s", Float, nullable=False),
    Column("overhead_s", Float, nullable=False),
)

channel_conditions = Table(
    "channel_conditions",
    metadata,
    Column("team_id", String(32), primary_key=True),
    Column("channel_id", String(32), primary_key=True),
    # Limits of observability in degrees; only channels that set their own have a row.
    Column("altitude", Float, nullable=False),
    Column("darkness", Float, nullable=False),
)

criteria_sets = Table(
    "criteria_sets",
    metadata,
    Column("team_id", String(32), primary_key=True),
    # The name that people type, always in lower case.
    Column("slug", String(SLUG_MAX), primary_key=True),
    # Its grades from the best down in canonical form: "Gold: NS distance<150; Silver: NS distance<300".
    Column("grades", Text, nullable=False),
    # Slack's user ids, or "import".
    Column("created_by", String(32), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("changed_by", String(32), nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
)
