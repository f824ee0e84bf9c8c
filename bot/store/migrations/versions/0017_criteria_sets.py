"""Criteria sets of workspaces: rules with grades, by the name that people type."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "criteria_sets",
        sa.Column("team_id", sa.String(32), nullable=False),
        sa.Column("slug", sa.String(30), nullable=False),
        sa.Column("grades", sa.Text(), nullable=False),
        sa.Column("created_by", sa.String(32), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.String(32), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("team_id", "slug", name="pk_criteria_sets"),
    )


def downgrade() -> None:
    op.drop_table("criteria_sets")
