"""A random key for each delivery, which database this is, and mentions that Slack refuses."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Null of the rows that are there, whose messages may stand with their number alone; and of those that an
    # older gwevent goes on writing.
    op.add_column("deliveries", sa.Column("key", sa.String(length=32), nullable=True))
    op.create_table(
        "database_identity",
        sa.Column("only", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("only", name=op.f("pk_database_identity")),
    )
    op.create_table(
        "refused_mentions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("team_id", sa.String(length=32), nullable=False),
        sa.Column("channel_id", sa.String(length=32), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refused_mentions")),
        sa.UniqueConstraint(
            "team_id", "channel_id", "target", name=op.f("uq_refused_mentions_team_id_channel_id_target")
        ),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    op.drop_table("refused_mentions")
    op.drop_table("database_identity")
    op.drop_column("deliveries", "key")
