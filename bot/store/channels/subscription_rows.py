"""Reads stored subscriptions, for the repositories that need them inside a transaction of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.filters import FilterSyntaxError, parse_stored_criteria
from bot.routing.intents import ChannelRef
from bot.store import schema
from bot.store.channels.clauses import in_channel
from formatters.models.subscription import Subscription

log = structlog.get_logger(__name__)


async def load_active_subscriptions(
    connection: AsyncConnection, channel: ChannelRef | None = None, *, include_paused: bool = False
) -> list[Subscription]:
    """All confirmed subscriptions (of one channel), with their channel's problem if it has one.

    `paused` says that paused ones are meant too.
    """
    table, channels = schema.subscriptions, schema.channel_problems
    same = (channels.c.team_id == table.c.team_id) & (channels.c.channel_id == table.c.channel_id)
    query = select(table, channels.c.problem).join(channels, same, isouter=True).order_by(table.c.id)
    query = query.where(table.c.confirmed_at.is_not(None))
    if not include_paused:
        query = query.where(table.c.paused_at.is_(None))
    if channel is not None:
        query = query.where(in_channel(table, channel))
    return parse_rows((await connection.execute(query)).all())


def parse_rows(rows: Sequence[Any]) -> list[Subscription]:
    found = []
    for row in rows:
        try:
            found.append(subscription_from_row(row))
        except FilterSyntaxError as error:
            # Words of a newer gwevent, perhaps: one channel's mustn't withhold the alerts of all.
            log.error("subscription_unreadable", id=row.id, reason=str(error))
    return found


def subscription_from_row(row: Any) -> Subscription:
    return Subscription(
        id=row.id,
        # Who is told of it has seen to it that there is one; a plan needs none.
        number=row.id if row.number is None else row.number,
        team_id=row.team_id,
        channel_id=row.channel_id,
        criteria=parse_stored_criteria(row.words),
        created_by=row.created_by,
        created_at=row.created_at,
        delivery_problem=getattr(row, "problem", None),
        paused_at=row.paused_at,
        is_pending=row.confirmed_at is None,
    )
