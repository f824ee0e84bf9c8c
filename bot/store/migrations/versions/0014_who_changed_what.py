"""Who changed what a channel receives, and numbers of subscriptions that are the channel's own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "channel_changes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("team_id", sa.String(length=32), nullable=False),
        sa.Column("channel_id", sa.String(length=32), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=True),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("state_before", sa.Text(), nullable=True),
        sa.Column("state_after", sa.Text(), nullable=True),
        sa.Column("changed_by", sa.String(length=32), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel_changes")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_channel_changes_channel", "channel_changes", ["team_id", "channel_id", "id"])
    op.create_index(op.f("ix_channel_changes_delivery_id"), "channel_changes", ["delivery_id"])
    op.create_table(
        "channel_numbers",
        sa.Column("team_id", sa.String(length=32), nullable=False),
        sa.Column("channel_id", sa.String(length=32), nullable=False),
        sa.Column("last_number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("team_id", "channel_id", name=op.f("pk_channel_numbers")),
    )
    op.create_table(
        "former_numbers",
        sa.Column("team_id", sa.String(length=32), nullable=False),
        sa.Column("channel_id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("team_id", "channel_id", "number", name=op.f("pk_former_numbers")),
    )
    # Every number by which people of a channel may still know a subscription of theirs, ended ones too.
    op.execute(
        "INSERT INTO former_numbers (team_id, channel_id, number)"
        " SELECT team_id, channel_id, id FROM subscriptions"
        " UNION SELECT team_id, channel_id, subscription_id FROM threads"
        " UNION SELECT team_id, channel_id, subject_id FROM deliveries WHERE kind = 'confirmation'"
    )
    # Numbers are given by `bot.store.numbers` when a channel is looked at, in the order of their age: so are
    # those of rows that an older gwevent writes from now on.
    op.add_column("subscriptions", sa.Column("number", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("subscriptions", "number")
    op.drop_table("former_numbers")
    op.drop_table("channel_numbers")
    op.drop_table("channel_changes")
