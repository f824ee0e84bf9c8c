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
    """Return all confirmed subscriptions, or those of one channel, with their channel's delivery problem.

    Paused ones are left out unless `include_paused` is True.
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
    """Return the subscriptions of these rows, without those that cannot be parsed."""
    found = []
    for row in rows:
        try:
            found.append(subscription_from_row(row))
        except FilterSyntaxError as error:
            # They may be of a newer version of gwevent; other channels must get their alerts.
            log.error("subscription_unreadable", id=row.id, reason=str(error))
    return found


def subscription_from_row(row: Any) -> Subscription:
    """Return the subscription of a row. Raises FilterSyntaxError if its words cannot be parsed."""
    return Subscription(
        id=row.id,
        # Without a number it is only used for planning; what people see has one (`assign_missing_numbers`).
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
