"""Rows of what people did about events: acknowledged, muted, observed, drilled."""

from __future__ import annotations

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store import schema
from formatters.models.event_action import EventAction

DETAIL_MAX = 500
"""Characters of a detail; the rest is cut off."""


async def record_action(connection: AsyncConnection, action: EventAction) -> int:
    """Write an action in the transaction that makes it true; return its id."""
    row = {
        "team_id": action.team_id,
        "channel_id": action.channel_id,
        "superevent_id": action.superevent_id,
        "user_id": action.user_id,
        "action": action.kind.value,
        "detail": action.detail[:DETAIL_MAX],
        "at": action.at,
    }
    result = await connection.execute(
        insert(schema.event_actions).values(row).returning(schema.event_actions.c.id)
    )
    return int(result.scalar_one())
