"""What the clock was found to be, by boot of a machine."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "clocks",
        sa.Column("boot_id", sa.String(64), nullable=False),
        sa.Column("offset_s", sa.Double(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("boot_id", name="pk_clocks"),
    )


def downgrade() -> None:
    op.drop_table("clocks")
