"""Begin and end drills: escalations of a subscription without an event, whose first step is the mention."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.routing.delivery_times import DRILL_CLOSES_AFTER
from bot.routing.intents import ChannelRef
from bot.store import schema
from bot.store.outbox.escalation_writer import (
    WAITING,
    NewEscalation,
    begin_escalations,
    count_steps_from,
    end_escalations,
)
from bot.store.outbox.models import DRILL_RANK, DeliveryKind, delivery_row
from formatters.models.escalation import EscalationEnd, EscalationStep
from formatters.models.subscription import MentionRule

_d, _e, _s = schema.deliveries, schema.escalations, schema.escalation_steps


def drill_steps(rule: MentionRule) -> tuple[EscalationStep, ...]:
    """Return the steps of a rule's drill: the first mention at once, then those of its escalation."""
    return (EscalationStep(after=timedelta(0), targets=rule.targets), *rule.escalation)


async def begin_drill(
    connection: AsyncConnection,
    channel: ChannelRef,
    number: int,
    rule: MentionRule,
    user_id: str,
    now: datetime,
) -> int:
    """Begin the drill of a channel's subscription; return its id. Its first step is due at once."""
    drill = NewEscalation(channel=channel, steps=drill_steps(rule), drill_number=number, started_by=user_id)
    [drill_id] = await begin_escalations(connection, [drill], now)
    return drill_id


async def end_drills(
    connection: AsyncConnection,
    which: ColumnElement[bool],
    reason: EscalationEnd,
    now: datetime,
    *,
    ended_by: str | None = None,
) -> list[int]:
    """End the open drills among `which`, a condition on `escalations`; return their ids.

    Each is told about in its channel. Whoever the webhook has called hears that it is over.
    """
    mine = which & _e.c.drill_number.is_not(None) & _e.c.closed_at.is_(None)
    query = select(_e.c.id, _e.c.team_id, _e.c.channel_id).where(mine)
    rows = (await connection.execute(query)).all()
    if not rows:
        return []
    ids = [row.id for row in rows]
    await end_escalations(connection, _e.c.id.in_(ids), reason, now, is_final=True)
    await connection.execute(update(_e).where(_e.c.id.in_(ids)).values(acknowledged_by=ended_by))
    kind = DeliveryKind.DRILL_END
    reports = [delivery_row(row.team_id, row.channel_id, kind, row.id, now, event=DRILL_RANK) for row in rows]
    await connection.execute(insert(_d), reports)
    return ids


async def preempt_drills(
    connection: AsyncConnection, channels: Collection[ChannelRef], now: datetime
) -> None:
    """End the drills in these channels, in which an event needs somebody."""
    query = select(_e.c.id, _e.c.team_id, _e.c.channel_id)
    query = query.where(_e.c.drill_number.is_not(None), _e.c.closed_at.is_(None))
    rows = (await connection.execute(query)).all()
    ids = [row.id for row in rows if (row.team_id, row.channel_id) in channels]
    if ids:
        await end_drills(connection, _e.c.id.in_(ids), EscalationEnd.PREEMPTED, now)


async def load_finished_drills(
    connection: AsyncConnection, which: ColumnElement[bool], now: datetime
) -> list[int]:
    """Return the open drills among `which` whose last step was taken so long ago that they end now."""
    query = (
        select(_e.c.id, _s.c.state, _s.c.taken_at)
        .join(_s, _s.c.escalation_id == _e.c.id)
        .where(which, _e.c.drill_number.is_not(None), _e.c.closed_at.is_(None))
    )
    waiting: set[int] = set()
    last: dict[int, datetime] = {}
    for row in (await connection.execute(query)).all():
        if row.state == WAITING:
            waiting.add(row.id)
        elif row.taken_at is not None:
            last[row.id] = max(row.taken_at, last.get(row.id, row.taken_at))
    # A time that lies ahead was written before the clock was set back: nobody waits for it again.
    return [
        drill_id
        for drill_id, taken_at in last.items()
        if drill_id not in waiting and not taken_at - DRILL_CLOSES_AFTER < now < taken_at + DRILL_CLOSES_AFTER
    ]


async def count_drill_steps(connection: AsyncConnection, step_ids: Collection[int], at: datetime) -> None:
    """Count the later steps of drills from `at`, where Slack accepted the message of a first step."""
    first = select(_s.c.escalation_id).where(_s.c.id.in_(step_ids), _s.c.position == 0)
    await count_steps_from(connection, _e.c.id.in_(first) & _e.c.drill_number.is_not(None), at)
