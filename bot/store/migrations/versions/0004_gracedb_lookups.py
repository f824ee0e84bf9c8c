"""What was looked up in GraceDB

Revision 0004, after 0003.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "gracedb_lookups",
        sa.Column("superevent_id", sa.String(length=64), nullable=False),
        sa.Column("looked_up_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("superevent_id", name=op.f("pk_gracedb_lookups")),
    )


def downgrade() -> None:
    op.drop_table("gracedb_lookups")
