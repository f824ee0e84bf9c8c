"""Two notices of one type and second that say different things."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_KEY = ["superevent_id", "alert_type", "time_created"]


def upgrade() -> None:
    # The empty content is "not known": the bot looks when another notice of that type and second comes. An
    # older gwevent, which doesn't know of it, may go on writing.
    with op.batch_alter_table("notices", table_kwargs={"sqlite_autoincrement": True}) as batch:
        batch.add_column(sa.Column("content", sa.String(64), nullable=False, server_default=""))
        batch.drop_constraint("uq_notices_superevent_id_alert_type_time_created", type_="unique")
        batch.create_unique_constraint(
            "uq_notices_superevent_id_alert_type_time_created_content", [*_KEY, "content"]
        )


def downgrade() -> None:
    # Of those of one second only the first has a place in the older key.
    first = "SELECT MIN(id) FROM notices GROUP BY superevent_id, alert_type, time_created"
    for table in ("payloads", "undecided", "mentions", "pictures"):
        op.execute(f"DELETE FROM {table} WHERE notice_id NOT IN ({first})")  # noqa: S608 - only names of ours
    op.execute(f"DELETE FROM notices WHERE id NOT IN ({first})")  # noqa: S608
    with op.batch_alter_table("notices", table_kwargs={"sqlite_autoincrement": True}) as batch:
        batch.drop_constraint("uq_notices_superevent_id_alert_type_time_created_content", type_="unique")
        batch.create_unique_constraint("uq_notices_superevent_id_alert_type_time_created", _KEY)
        batch.drop_column("content")
