"""Rows of what people did about events: acknowledged, muted, observed, drilled."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store import schema
from formatters.models.event_action import EventAction, EventActionKind

DETAIL_MAX = 500
"""Characters of a detail; the rest is cut off."""


async def record_action(connection: AsyncConnection, action: EventAction) -> int:
    """Write an action in the transaction that makes it true; return its id."""
    row = {
        "team_id": action.team_id,
        "channel_id": action.channel_id,
        "superevent_id": action.superevent_id,
        "user_id": action.user_id,
        "action": str(action.kind),
        "detail": action.detail[:DETAIL_MAX],
        "at": action.at,
    }
    result = await connection.execute(
        insert(schema.event_actions).values(row).returning(schema.event_actions.c.id)
    )
    return int(result.scalar_one())


def action_from_row(row: Any) -> EventAction:
    """Return the action of a row; one of a kind that only another version knows keeps its text."""
    known = {kind.value: kind for kind in EventActionKind}
    return EventAction(
        team_id=row.team_id,
        channel_id=row.channel_id,
        superevent_id=row.superevent_id,
        user_id=row.user_id,
        kind=known.get(row.action, row.action),
        at=row.at,
        detail=row.detail,
    )
