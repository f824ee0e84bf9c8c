"""Whom a step of an escalation names that an earlier step of another rule names too: they are told once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "escalation_steps", sa.Column("unless_told", sa.String(1000), nullable=False, server_default="")
    )


def downgrade() -> None:
    op.drop_column("escalation_steps", "unless_told")
