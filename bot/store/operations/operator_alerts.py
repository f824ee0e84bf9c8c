"""What a notice sets off beside its plan: the operators' first real notice, and the webhook."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.routing.intents import ChannelRef
from bot.store import schema
from bot.store.operations.webhook_calls import enqueue_event_call
from bot.store.outbox.models import DeliveryKind, delivery_row
from formatters.models.notice import Category, Notice
from formatters.models.superevent import Superevent

_s = schema.superevents


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorAlertRules:
    """Who is to be told of what, beside the channels that subscribed."""

    ops_channel: ChannelRef | None
    """The operators' (team, channel), if it is known yet."""
    quiet_period: timedelta
    """After so long without real events the next one is told to the operators."""
    should_call_webhook: Callable[[Superevent], bool] | None = None
    """For which events the webhook is called; None where it is for none."""


async def enqueue_operator_alerts(
    connection: AsyncConnection,
    rules: OperatorAlertRules,
    superevent: Superevent,
    notice: Notice,
    notice_id: int,
    now: datetime,
) -> None:
    """Write down, in the transaction that stores the notice, what follows from it for these."""
    if rules.should_call_webhook is not None:
        await enqueue_event_call(connection, rules.should_call_webhook, superevent, notice, now)
    first = superevent.category is Category.REAL and len(superevent.notices) == 1
    if rules.ops_channel is None or not first:
        return
    before = await previous_real_event_time(connection, superevent.superevent_id)
    if before is None or now - before > rules.quiet_period:
        row = delivery_row(*rules.ops_channel, DeliveryKind.FIRST_REAL_EVENT, notice_id, now)
        await connection.execute(insert(schema.deliveries).values(row))


async def previous_real_event_time(connection: AsyncConnection, superevent_id: str) -> datetime | None:
    """The time of the newest real event but this one."""
    query = (
        select(_s.c.event_time)
        .where(_s.c.category == Category.REAL.value, _s.c.superevent_id != superevent_id)
        .order_by(_s.c.event_time.desc())
        .limit(1)
    )
    found: datetime | None = (await connection.execute(query)).scalar_one_or_none()
    return found
