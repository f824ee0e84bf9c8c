"""What people do about events: escalations, acknowledgements, mutes, observations; others' pointings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

UTC = sa.DateTime(timezone=True)
BIG_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
OPEN = sa.text("closed_at IS NULL")
WAITING = sa.text("state || '' = 'waiting'")


def upgrade() -> None:
    op.create_table(
        "escalations",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("team_id", sa.String(32), nullable=False),
        sa.Column("channel_id", sa.String(32), nullable=False),
        sa.Column("thread_id", sa.BigInteger),
        sa.Column("mention_id", sa.BigInteger),
        sa.Column("drill_number", sa.Integer),
        sa.Column("started_by", sa.String(32)),
        sa.Column("started_at", UTC, nullable=False),
        sa.Column("mentioned_at", UTC),
        sa.Column("end_reason", sa.String(16)),
        sa.Column("ended_at", UTC),
        sa.Column("closed_at", UTC),
        sa.Column("acknowledged_by", sa.String(32)),
        sa.PrimaryKeyConstraint("id", name="pk_escalations"),
        sa.UniqueConstraint("mention_id", name="uq_escalations_mention_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_escalations_thread_id", "escalations", ["thread_id"])
    op.create_index("ix_escalations_channel", "escalations", ["team_id", "channel_id", "id"])
    op.create_index(
        "ix_escalations_open",
        "escalations",
        ["team_id", "started_at"],
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )
    op.create_table(
        "escalation_steps",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("escalation_id", BIG_ID, nullable=False),
        sa.Column("team_id", sa.String(32), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("after_s", sa.Integer, nullable=False),
        sa.Column("targets", sa.String(1000), nullable=False),
        sa.Column("webhook", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("due_at", UTC, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("taken_at", UTC),
        sa.PrimaryKeyConstraint("id", name="pk_escalation_steps"),
        sa.UniqueConstraint("escalation_id", "position", name="uq_escalation_steps_escalation_id_position"),
        sa.ForeignKeyConstraint(
            ["escalation_id"], ["escalations.id"], name="fk_escalation_steps_escalation_id"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_escalation_steps_escalation_id", "escalation_steps", ["escalation_id"])
    op.create_index(
        "ix_escalation_steps_waiting",
        "escalation_steps",
        ["team_id", "due_at"],
        sqlite_where=WAITING,
        postgresql_where=WAITING,
    )
    op.create_table(
        "acknowledgements",
        sa.Column("thread_id", BIG_ID, autoincrement=False, nullable=False),
        sa.Column("user_id", sa.String(32), nullable=False),
        sa.Column("since", UTC, nullable=False),
        sa.PrimaryKeyConstraint("thread_id", "user_id", name="pk_acknowledgements"),
    )
    op.create_table(
        "muted_threads",
        sa.Column("thread_id", BIG_ID, autoincrement=False, nullable=False),
        sa.Column("muted_by", sa.String(32), nullable=False),
        sa.Column("muted_at", UTC, nullable=False),
        sa.PrimaryKeyConstraint("thread_id", name="pk_muted_threads"),
    )
    op.create_table(
        "observations",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("team_id", sa.String(32), nullable=False),
        sa.Column("channel_id", sa.String(32), nullable=False),
        sa.Column("superevent_id", sa.String(64), nullable=False),
        sa.Column("instrument", sa.String(64), nullable=False),
        sa.Column("folded", sa.String(64), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("user_id", sa.String(32), nullable=False),
        sa.Column("created_at", UTC, nullable=False),
        sa.Column("changed_at", UTC, nullable=False),
        sa.Column("observed_at", UTC),
        sa.Column("shape", sa.Text),
        sa.Column("fields", sa.Text, nullable=False),
        sa.Column("band", sa.String(32)),
        sa.Column("depth", sa.Float),
        sa.Column("note", sa.String(500), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_observations"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_observations_event", "observations", ["team_id", "channel_id", "superevent_id"])
    op.create_index("ix_observations_superevent", "observations", ["superevent_id"])
    op.create_table(
        "event_actions",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("team_id", sa.String(32), nullable=False),
        sa.Column("channel_id", sa.String(32), nullable=False),
        sa.Column("superevent_id", sa.String(64)),
        sa.Column("user_id", sa.String(32), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("detail", sa.String(500), nullable=False),
        sa.Column("at", UTC, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_event_actions"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_event_actions_channel", "event_actions", ["team_id", "channel_id", "id"])
    op.create_index("ix_event_actions_user", "event_actions", ["user_id"])
    op.create_table(
        "treasure_map_events",
        sa.Column("superevent_id", sa.String(64), nullable=False),
        sa.Column("next_at", UTC),
        sa.Column("tried_at", UTC),
        sa.Column("read_at", UTC),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("problem", sa.Text),
        sa.Column("content", sa.LargeBinary),
        sa.PrimaryKeyConstraint("superevent_id", name="pk_treasure_map_events"),
    )
    op.create_index("ix_treasure_map_events_next_at", "treasure_map_events", ["next_at"])
    op.create_table(
        "treasure_map_instruments",
        sa.Column("instrument_id", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("nickname", sa.String(128)),
        sa.Column("listed_at", UTC, nullable=False),
        sa.Column("polygons", sa.Text),
        sa.Column("footprint_read_at", UTC),
        sa.PrimaryKeyConstraint("instrument_id", name="pk_treasure_map_instruments"),
    )
    op.add_column("webhook_calls", sa.Column("escalation_id", sa.BigInteger()))


def downgrade() -> None:
    op.drop_column("webhook_calls", "escalation_id")
    op.drop_table("treasure_map_instruments")
    op.drop_table("treasure_map_events")
    op.drop_table("event_actions")
    op.drop_table("observations")
    op.drop_table("muted_threads")
    op.drop_table("acknowledgements")
    op.drop_table("escalation_steps")
    op.drop_table("escalations")
