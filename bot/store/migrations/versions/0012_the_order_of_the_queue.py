"""The order of the queue: real before mock, the newest event first, and what can't go is out of the way."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_READY = "state || '' = 'pending' AND held_until IS NULL"
_ORDER = ["mock", "priority", "event_order", "id"]
_INDEXES = {
    "ix_deliveries_ready": ("deliveries", _ORDER, _READY),
    "ix_deliveries_ready_posts": (
        "deliveries",
        ["team_id", "channel_id", *_ORDER],
        f"{_READY} AND kind <> 'edit'",
    ),
    "ix_deliveries_ready_edits": (
        "deliveries",
        ["team_id", "channel_id", *_ORDER],
        f"{_READY} AND kind = 'edit'",
    ),
    "ix_deliveries_held": (
        "deliveries",
        ["mock", "held_until"],
        "state || '' = 'pending' AND held_until IS NOT NULL",
    ),
    "ix_pictures_wanted": ("pictures", ["mock", "created_at", "id"], "state || '' = 'wanted'"),
}


def upgrade() -> None:
    # An older gwevent, which doesn't know of them, may go on writing: what it writes counts as real.
    op.add_column("deliveries", sa.Column("mock", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column(
        "deliveries", sa.Column("event_order", sa.BigInteger(), nullable=False, server_default=sa.text("0"))
    )
    op.add_column("deliveries", sa.Column("held_until", sa.DateTime(timezone=True)))
    op.add_column("pictures", sa.Column("mock", sa.Boolean(), nullable=False, server_default=sa.false()))
    # What waits, and what may wait again: edits are used again, roots are posted anew, the dead come back.
    op.execute(
        "UPDATE deliveries SET event_order = COALESCE(("
        "SELECT -MIN(notices.id) FROM threads JOIN notices ON notices.superevent_id = threads.superevent_id "
        "WHERE threads.id = deliveries.thread_id), 0), mock = EXISTS ("
        "SELECT 1 FROM threads JOIN superevents ON superevents.superevent_id = threads.superevent_id "
        "WHERE threads.id = deliveries.thread_id AND superevents.category <> 'real') "
        "WHERE thread_id IS NOT NULL AND (state <> 'sent' OR kind IN ('root', 'edit'))"
    )
    op.execute(
        "UPDATE pictures SET mock = EXISTS (SELECT 1 FROM superevents "
        "WHERE superevents.superevent_id = pictures.superevent_id AND superevents.category <> 'real') "
        "WHERE state = 'wanted'"
    )
    for name, (table, columns, condition) in _INDEXES.items():
        where = sa.text(condition)
        op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    for name, (table, _, _) in _INDEXES.items():
        op.drop_index(name, table)
    op.drop_column("pictures", "mock")
    for column in ("held_until", "event_order", "mock"):
        op.drop_column("deliveries", column)
