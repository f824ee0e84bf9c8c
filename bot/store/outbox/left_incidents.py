"""Resolve the operators' incidents of a workspace's escalations before its rows are deleted.

The webhook is the operators', so it can be called although the workspace is gone.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.routing.escalation_calls import EscalationChange
from bot.routing.intents import CallKind
from bot.store import schema
from bot.store.outbox.escalation_calls import call_for_escalations
from bot.store.outbox.models import DeliveryState
from bot.store.outbox.webhook_writer import CANCELLED_REASON
from formatters.models.left_incident import LeftIncident, Removal

_c, _e, _t = schema.webhook_calls, schema.escalations, schema.threads


async def resolve_left_incidents(
    connection: AsyncConnection, team_id: str, removal: Removal, now: datetime
) -> None:
    """Plan calls that resolve a workspace's incidents that operators may have heard of; drop other calls."""
    query = (
        select(_e, _t.c.superevent_id)
        .join(_t, _t.c.id == _e.c.thread_id, isouter=True)
        # Operators heard of none but these, and of all the others a database can't be asked in one query.
        .where(_e.c.team_id == team_id, _e.c.id.in_(select(_c.c.escalation_id)))
        .order_by(_e.c.id.desc())
    )
    escalations = {row.id: row for row in (await connection.execute(query)).all()}
    if not escalations:
        return
    await call_for_escalations(connection, escalations, EscalationChange.ENDED, now)
    pending = (_c.c.state == DeliveryState.PENDING.value) & (_c.c.kind == CallKind.ESCALATION_ENDED.value)
    mine = select(_c.c.id, _c.c.escalation_id).where(pending, _c.c.escalation_id.in_(escalations))
    resolved = set()
    for call in (await connection.execute(mine.order_by(_c.c.escalation_id.desc()))).all():
        row = escalations[call.escalation_id]
        # Escalations of one thread share an incident, which is resolved once.
        incident = ("drill", row.id) if row.thread_id is None else ("thread", row.thread_id)
        left = LeftIncident(
            team_id=team_id,
            channel_id=row.channel_id,
            removal=removal,
            escalation_id=row.id,
            thread_id=row.thread_id,
            superevent_id=row.superevent_id,
            drill_number=row.drill_number,
        )
        values: dict[str, object] = {"left_open": left.to_json()}
        if incident in resolved:
            values = {"state": DeliveryState.DEAD.value, "reason": CANCELLED_REASON}
        resolved.add(incident)
        await connection.execute(update(_c).where(_c.c.id == call.id).values(values))
