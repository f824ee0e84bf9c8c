"""What a webhook call resolves whose escalation went with its workspace."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("webhook_calls", sa.Column("left_open", sa.Text()))


def downgrade() -> None:
    op.drop_column("webhook_calls", "left_open")
