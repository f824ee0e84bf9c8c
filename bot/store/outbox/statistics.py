"""Counts over the outbox for people and monitoring: how much waits, how late, how long posts took."""

from __future__ import annotations

from datetime import datetime, timedelta
from statistics import median_low as median

from sqlalchemy import ColumnElement, case, func, select

from bot.store import schema
from bot.store.database import Database
from bot.store.outbox.models import (
    EDIT_KINDS,
    NOTHING_TO_SAY,
    OPEN_STATES,
    UNSENT_STATES,
    DeliveryKind,
    DeliveryState,
    OutboxCounts,
)

_d = schema.deliveries


def _is_unsent() -> ColumnElement[bool]:
    """Return the condition on deliveries that weren't sent, but for those that had nothing to say."""
    unsent = _d.c.state.in_([state.value for state in UNSENT_STATES])
    return unsent & (_d.c.reason.is_(None) | (_d.c.reason != NOTHING_TO_SAY))


class OutboxStatistics:
    """Counts over the outbox. Reads alone; each method is one short transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def counts(self, team_id: str | None = None) -> OutboxCounts:
        """Count what waits, is dead, is quarantined; deliveries of one workspace, or of all (None)."""
        query = (
            select(_d.c.state, func.count(), func.min(_d.c.created_at))
            .where(_is_unsent())
            .group_by(_d.c.state)
        )
        if team_id is not None:
            query = query.where(_d.c.team_id == team_id)
        async with self._database.read_transaction() as connection:
            states = (await connection.execute(query)).all()
            quarantined = (
                await connection.execute(select(func.count()).select_from(schema.quarantine))
            ).scalar_one()
        waiting = [row for row in states if row[0] in OPEN_STATES]
        return OutboxCounts(
            waiting=sum(row[1] for row in waiting),
            dead=sum(row[1] for row in states if row[0] == DeliveryState.DEAD.value),
            quarantined=quarantined,
            oldest_waiting=min((row[2] for row in waiting), default=None),
        )

    async def count_by_state(self) -> dict[str, int]:
        """Count the deliveries that weren't sent, by state."""
        query = select(_d.c.state, func.count()).where(_is_unsent()).group_by(_d.c.state)
        async with self._database.read_transaction() as connection:
            return {row[0]: row[1] for row in (await connection.execute(query)).all()}

    async def count_overdue(
        self, now: datetime, posts: timedelta, edits: timedelta
    ) -> tuple[int, datetime | None]:
        """Count the deliveries that wait for longer than they should; return since when the oldest does too.

        Posts longer than `posts`, edits longer than `edits`: Slack takes only so many of them a minute.
        """
        # One that was revived, or has to wait on purpose, waits from the moment at which it was due first.
        since = case((_d.c.attempts == 0, _d.c.not_before), else_=_d.c.created_at)
        is_edit = _d.c.kind.in_(EDIT_KINDS)
        late = (~is_edit & (since < now - posts)) | (is_edit & (since < now - edits))
        query = select(func.count(), func.min(since, type_=schema.UtcDateTime())).where(
            _d.c.state.in_(OPEN_STATES), late
        )
        async with self._database.read_transaction() as connection:
            count, oldest = (await connection.execute(query)).one()
        return count, oldest

    async def median_posting_time(self, latest: int = 50) -> timedelta | None:
        """Return the median time of the latest roots and replies from the notice's receipt to the channel.

        None if nothing was posted yet.
        """
        query = (
            select(_d.c.created_at, _d.c.sent_at)
            .where(
                _d.c.state == DeliveryState.SENT.value,
                _d.c.kind.in_([DeliveryKind.ROOT.value, DeliveryKind.REPLY.value]),
            )
            .order_by(_d.c.id.desc())
            .limit(latest)
        )
        async with self._database.read_transaction() as connection:
            took = [row.sent_at - row.created_at for row in (await connection.execute(query)).all()]
        return median(took) if took else None
