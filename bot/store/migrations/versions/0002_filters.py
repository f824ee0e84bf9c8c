"""Filters: what they ask of a superevent, notices that wait for their map, paused subscriptions

Revision 0002, after 0001.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "undecided",
        sa.Column("notice_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("superevent_id", sa.String(length=64), nullable=False),
        sa.Column("picture", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["notice_id"], ["notices.id"], name=op.f("fk_undecided_notice_id")),
        sa.ForeignKeyConstraint(
            ["superevent_id"], ["superevents.superevent_id"], name=op.f("fk_undecided_superevent_id")
        ),
        sa.PrimaryKeyConstraint("notice_id", name=op.f("pk_undecided")),
    )
    op.create_index(op.f("ix_undecided_superevent_id"), "undecided", ["superevent_id"])
    op.add_column("superevents", sa.Column("traits", sa.Text(), nullable=True))
    op.add_column("superevents", sa.Column("traits_revision", sa.Integer(), nullable=True))
    op.add_column("subscriptions", sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("subscriptions", "paused_at")
    op.drop_column("superevents", "traits_revision")
    op.drop_column("superevents", "traits")
    op.drop_table("undecided")
