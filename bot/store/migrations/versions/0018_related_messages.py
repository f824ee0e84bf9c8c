"""Messages that name events, Follow-up replies, counterpart candidates, alerts near events.

Circulars that are stored already are copied: they stand in the Follow-up reply, and a repeat stays one.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)
_EDITS = "state || '' = 'pending' AND held_until IS NULL AND kind IN ('edit', 'follow_up_edit')"
_POSTS = "state || '' = 'pending' AND held_until IS NULL AND kind NOT IN ('edit', 'follow_up_edit')"
_QUEUE = ["team_id", "channel_id", "mock", "priority", "event_order", "id"]
_OLD_EDITS = "state || '' = 'pending' AND held_until IS NULL AND kind = 'edit'"
_OLD_POSTS = "state || '' = 'pending' AND held_until IS NULL AND kind <> 'edit'"


def upgrade() -> None:
    op.create_table(
        "related_messages",
        sa.Column("id", _BIG_ID, nullable=False),
        sa.Column("stream", sa.String(16), nullable=False),
        sa.Column("key", sa.String(128), nullable=False),
        sa.Column("superevent_id", sa.String(64), nullable=False),
        sa.Column("news", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("retracts_event", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("received_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_related_messages"),
        sa.UniqueConstraint(
            "stream", "key", "superevent_id", name="uq_related_messages_stream_key_superevent_id"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_related_messages_superevent_id", "related_messages", ["superevent_id"])
    op.create_table(
        "follow_ups",
        sa.Column("thread_id", _BIG_ID, nullable=False, autoincrement=False),
        sa.Column("ts", sa.String(32), nullable=True),
        sa.Column("wanted_revision", sa.Integer(), nullable=False),
        sa.Column("shown_revision", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("thread_id", name="pk_follow_ups"),
    )
    op.create_table(
        "counterparts",
        sa.Column("id", _BIG_ID, nullable=False),
        sa.Column("team_id", sa.String(32), nullable=False),
        sa.Column("channel_id", sa.String(32), nullable=False),
        sa.Column("superevent_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("position", sa.Text(), nullable=False),
        sa.Column("added_by", sa.String(32), nullable=False),
        sa.Column("added_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_counterparts"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_counterparts_superevent_id_team_id_channel_id",
        "counterparts",
        ["superevent_id", "team_id", "channel_id"],
    )
    op.create_table(
        "counterpart_decisions",
        sa.Column("id", _BIG_ID, nullable=False),
        sa.Column("team_id", sa.String(32), nullable=False),
        sa.Column("channel_id", sa.String(32), nullable=False),
        sa.Column("superevent_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("decision", sa.String(16), nullable=False),
        sa.Column("decided_by", sa.String(32), nullable=False),
        sa.Column("decided_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_counterpart_decisions"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_counterpart_decisions_superevent_id_team_id_channel_id",
        "counterpart_decisions",
        ["superevent_id", "team_id", "channel_id"],
    )
    op.create_table(
        "nearby_alerts",
        sa.Column("id", _BIG_ID, nullable=False),
        sa.Column("stream", sa.String(32), nullable=False),
        sa.Column("key", sa.String(128), nullable=False),
        sa.Column("trigger_time", _TIME, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("received_at", _TIME, nullable=False),
        sa.Column("news", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_nearby_alerts"),
        sa.UniqueConstraint("stream", "key", name="uq_nearby_alerts_stream_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_nearby_alerts_trigger_time", "nearby_alerts", ["trigger_time"])
    op.add_column("quarantine", sa.Column("stream", sa.String(32), nullable=True))
    _replace_queue_indexes(_POSTS, _EDITS)
    _copy_circulars()


def downgrade() -> None:
    _replace_queue_indexes(_OLD_POSTS, _OLD_EDITS)
    op.drop_column("quarantine", "stream")
    for table in ("nearby_alerts", "counterpart_decisions", "counterparts", "follow_ups", "related_messages"):
        op.drop_table(table)


def _replace_queue_indexes(posts: str, edits: str) -> None:
    for name, condition in (("ix_deliveries_ready_posts", posts), ("ix_deliveries_ready_edits", edits)):
        op.drop_index(name, table_name="deliveries")
        op.create_index(
            name,
            "deliveries",
            _QUEUE,
            sqlite_where=sa.text(condition),
            postgresql_where=sa.text(condition),
        )


def _copy_circulars() -> None:
    """Copy the stored circulars, whose kind and positions aren't known: their texts weren't kept.

    The JSON is that of `bot.store.events.message_json` at this migration. A copy has the circular's own time,
    so that the same circular, when it comes again, is a repeat.
    """
    connection = op.get_bind()
    circulars = sa.table(
        "circulars",
        sa.column("id", _BIG_ID),
        sa.column("number", sa.Integer()),
        sa.column("superevent_id", sa.String()),
        sa.column("news", sa.Boolean()),
        sa.column("subject", sa.Text()),
        sa.column("author", sa.Text()),
        sa.column("created_at", _TIME),
        sa.column("received_at", _TIME),
    )
    messages = sa.table(
        "related_messages",
        *(sa.column(name, sa.String()) for name in ("stream", "key", "superevent_id", "facts")),
        sa.column("news", sa.Boolean()),
        sa.column("created_at", _TIME),
        sa.column("received_at", _TIME),
    )
    rows = connection.execute(sa.select(circulars).order_by(circulars.c.id)).all()
    named: dict[int, list[str]] = {}
    for row in rows:
        named.setdefault(row.number, []).append(row.superevent_id)
    copies = [
        {
            "stream": "circulars",
            "key": str(row.number),
            "superevent_id": row.superevent_id,
            "news": row.news,
            "facts": json.dumps(
                {
                    "stream": "circulars",
                    "key": str(row.number),
                    "created": _utc(row.created_at).isoformat(),
                    "superevent_ids": named[row.number],
                    "kind": "report",
                    "subject": row.subject,
                    "author": row.author,
                    "number": row.number,
                }
            ),
            "created_at": row.created_at,
            "received_at": row.received_at,
        }
        for row in rows
    ]
    if copies:
        connection.execute(sa.insert(messages), copies)


def _utc(time: datetime) -> datetime:
    """Return a time from the database in UTC: SQLite's have no zone, PostgreSQL's the session's."""
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
