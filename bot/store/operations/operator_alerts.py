"""What a notice sets off beside its plan: the operators' first real notice, and the webhook."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store import schema
from bot.store.operations.webhook_calls import call_for
from bot.store.outbox.models import Kind, delivery_row
from bot.store.outbox.plan_writer import Place
from formatters.models.notice import Category, Notice
from formatters.models.superevent import Superevent

_s = schema.superevents


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarms:
    """Who is to be told of what, beside the channels that subscribed."""

    ops: Place | None
    """The operators' (team, channel), if it is known yet."""
    quiet: timedelta
    """After so long without real events the next one is told to the operators."""
    wakes: Callable[[Superevent], bool] | None = None
    """For which events the webhook is called; None where it is for none."""


async def set_off(
    connection: AsyncConnection,
    alarms: Alarms,
    superevent: Superevent,
    notice: Notice,
    notice_id: int,
    now: datetime,
) -> None:
    """Write down, in the transaction that stores the notice, what follows from it for these."""
    if alarms.wakes is not None:
        await call_for(connection, alarms.wakes, superevent, notice, now)
    first = superevent.category is Category.REAL and len(superevent.notices) == 1
    if alarms.ops is None or not first:
        return
    before = await real_before(connection, superevent.superevent_id)
    if before is None or now - before > alarms.quiet:
        row = delivery_row(*alarms.ops, Kind.FIRST_REAL, notice_id, now)
        await connection.execute(insert(schema.deliveries).values(row))


async def real_before(connection: AsyncConnection, superevent_id: str) -> datetime | None:
    """The time of the newest real event but this one."""
    query = (
        select(_s.c.event_time)
        .where(_s.c.category == Category.REAL.value, _s.c.superevent_id != superevent_id)
        .order_by(_s.c.event_time.desc())
        .limit(1)
    )
    found: datetime | None = (await connection.execute(query)).scalar_one_or_none()
    return found
