"""GCN Circulars that name superevents

Revision 0007, after 0001.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "circulars",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("superevent_id", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_circulars")),
        sa.UniqueConstraint("number", "superevent_id", name=op.f("uq_circulars_number_superevent_id")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("circulars", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_circulars_superevent_id"), ["superevent_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("circulars", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_circulars_superevent_id"))

    op.drop_table("circulars")
