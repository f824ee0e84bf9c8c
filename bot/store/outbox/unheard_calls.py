"""Tell a channel that the operators' webhook, its last step, can't be reached: nobody was paged."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store import schema
from bot.store.outbox.event_rank import event_ranks
from bot.store.outbox.models import DRILL_RANK, DeliveryKind, delivery_row

_d, _e, _s = schema.deliveries, schema.escalations, schema.escalation_steps


async def report_unheard_call(connection: AsyncConnection, escalation_id: int, now: datetime) -> bool:
    """Write the message about an escalation's call, in an exclusive transaction; return if it is the first.

    What it says, and whether it is still so, is found when it is sent.
    """
    query = (
        select(_s.c.id, _e.c.team_id, _e.c.channel_id, _e.c.thread_id)
        .join(_e, _e.c.id == _s.c.escalation_id)
        .where(_e.c.id == escalation_id, _e.c.closed_at.is_(None), _s.c.webhook.is_(True))
    )
    step = (await connection.execute(query)).first()
    if step is None:
        return False
    kind = DeliveryKind.DRILL if step.thread_id is None else DeliveryKind.ESCALATION
    slot = f"{kind.value}:unheard:{step.id}"
    same = (_d.c.team_id == step.team_id) & (_d.c.channel_id == step.channel_id) & (_d.c.slot == slot)
    if (await connection.execute(select(_d.c.id).where(same))).first() is not None:
        return False
    ranks = {} if step.thread_id is None else await event_ranks(connection, [step.thread_id])
    row = delivery_row(
        step.team_id,
        step.channel_id,
        kind,
        step.id,
        now,
        thread_id=step.thread_id,
        dedup_key=slot,
        event=DRILL_RANK if step.thread_id is None else ranks.get(step.thread_id),
    )
    await connection.execute(insert(_d).values(row))
    return True
