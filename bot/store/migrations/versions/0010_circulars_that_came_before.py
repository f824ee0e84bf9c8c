"""Whether a circular may still be linked in a thread that is opened after it came."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # An older gwevent, which doesn't know of it, may go on writing.
    op.add_column("circulars", sa.Column("news", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    op.drop_column("circulars", "news")
