"""Telescopes at the sites of channels: fields of view, exposure and overhead."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "channel_telescopes",
        sa.Column("team_id", sa.String(32), nullable=False),
        sa.Column("channel_id", sa.String(32), nullable=False),
        sa.Column("folded", sa.String(64), nullable=False),
        sa.Column("words", sa.String(100), nullable=False),
        sa.Column("shape", sa.Text(), nullable=False),
        sa.Column("exposure_s", sa.Float(), nullable=False),
        sa.Column("overhead_s", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("team_id", "channel_id", "folded", name="pk_channel_telescopes"),
    )


def downgrade() -> None:
    op.drop_table("channel_telescopes")
