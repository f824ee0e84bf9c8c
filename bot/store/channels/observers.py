"""Repository of observers: people who said in a channel that they observe an event."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store import schema
from bot.store.channels.clauses import in_channel
from bot.store.channels.event_actions import record_action
from bot.store.database import Database
from bot.store.outbox.edit_writer import mark_threads_stale
from formatters.models.event_action import EventAction, EventActionKind

_o = schema.observers
_t = schema.threads


class ObserverRepository:
    """Stores observers, and plans the edit of the root message that shows them. Raises StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def toggle(
        self, team_id: str, channel_id: str, superevent_id: str, user_id: str, now: datetime
    ) -> bool | None:
        """Add a person to the line "Observing", or remove them; return True if they are on it now.

        Return None if the channel has no thread of this event.
        """
        async with self._database.exclusive_transaction() as connection:
            thread = await _thread_of(connection, team_id, channel_id, superevent_id)
            if thread is None:
                return None
            observes = not await self._remove(connection, thread, user_id)
            if observes:
                await connection.execute(insert(_o).values(thread_id=thread, user_id=user_id, since=now))
            await mark_threads_stale(connection, {thread: (team_id, channel_id)}, now)
            return observes

    async def set_observing(
        self,
        team_id: str,
        channel_id: str,
        superevent_id: str,
        user_id: str,
        now: datetime,
        *,
        observes: bool,
    ) -> bool | None:
        """Put a person on the line "Observing" or take them off it, and log it; return True if it changed.

        Return None if the channel has no thread of this event.
        """
        async with self._database.exclusive_transaction() as connection:
            thread = await _thread_of(connection, team_id, channel_id, superevent_id)
            if thread is None:
                return None
            mine = (_o.c.thread_id == thread) & (_o.c.user_id == user_id)
            was = (await connection.execute(select(_o.c.user_id).where(mine))).scalar_one_or_none()
            if (was is not None) is observes:
                return False
            if observes:
                await connection.execute(insert(_o).values(thread_id=thread, user_id=user_id, since=now))
            else:
                await self._remove(connection, thread, user_id)
            action = EventAction(
                team_id=team_id,
                channel_id=channel_id,
                superevent_id=superevent_id,
                user_id=user_id,
                kind=EventActionKind.PLANNED if observes else EventActionKind.CANCELLED,
                at=now,
                detail="observes without a telescope" if observes else "no longer observes",
            )
            await record_action(connection, action)
            await mark_threads_stale(connection, {thread: (team_id, channel_id)}, now)
            return True

    async def _remove(self, connection: AsyncConnection, thread: int, user_id: str) -> bool:
        mine = (_o.c.thread_id == thread) & (_o.c.user_id == user_id)
        return bool((await connection.execute(delete(_o).where(mine))).rowcount)

    async def for_threads(self, thread_ids: Collection[int]) -> dict[int, tuple[str, ...]]:
        """Return Slack's user ids of the observers by thread, in the order in which they said so."""
        query = select(_o.c.thread_id, _o.c.user_id).where(_o.c.thread_id.in_(thread_ids))
        found: dict[int, tuple[str, ...]] = {}
        async with self._database.read_transaction() as connection:
            for row in (await connection.execute(query.order_by(_o.c.since, _o.c.user_id))).all():
                found[row.thread_id] = (*found.get(row.thread_id, ()), row.user_id)
        return found


async def _thread_of(
    connection: AsyncConnection, team_id: str, channel_id: str, superevent_id: str
) -> int | None:
    here = in_channel(_t, (team_id, channel_id)) & (_t.c.superevent_id == superevent_id)
    found: int | None = (await connection.execute(select(_t.c.id).where(here))).scalar_one_or_none()
    return found
