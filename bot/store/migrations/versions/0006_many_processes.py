"""Many processes on one database: who works for which workspace, who reads, where the operators are told."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "workers",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("alive_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workers"),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("worker_id", sa.String(64)),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )
    op.create_table(
        "consumers",
        sa.Column("id", sa.String(255), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sources", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_consumers"),
    )
    op.create_table(
        "operators",
        sa.Column("team_id", sa.String(32), nullable=False),
        sa.Column("channel_id", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("team_id", name="pk_operators"),
    )
    op.add_column("deliveries", sa.Column("claimed_by", sa.String(64)))


def downgrade() -> None:
    op.drop_column("deliveries", "claimed_by")
    for table in ("operators", "consumers", "leases", "workers"):
        op.drop_table(table)
