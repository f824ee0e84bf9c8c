"""Muted threads: a channel's people asked for no replies and edits about the event there.

The writers of edits and Follow-up replies leave these threads out, so that whatever changes a message
(a picture, an observer, a candidate, a nearby alert) respects a mute without knowing of it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.routing.intents import ChannelRef
from bot.store import schema
from formatters.models.event_people import Mute

_u = schema.muted_threads


async def load_mutes(connection: AsyncConnection, thread_ids: Collection[int]) -> dict[int, Mute]:
    """Return the mutes of these threads; a thread that isn't muted is left out."""
    if not thread_ids:
        return {}
    query = select(_u).where(_u.c.thread_id.in_(thread_ids))
    rows = (await connection.execute(query)).all()
    return {row.thread_id: Mute(user_id=row.muted_by, since=row.muted_at) for row in rows}


async def load_muted_threads(connection: AsyncConnection, superevent_id: str) -> set[int]:
    """Return a superevent's threads that are muted, in all channels."""
    t = schema.threads
    query = select(_u.c.thread_id).join(t, t.c.id == _u.c.thread_id).where(t.c.superevent_id == superevent_id)
    return set((await connection.execute(query)).scalars())


async def without_muted(
    connection: AsyncConnection, channels: Mapping[int, ChannelRef]
) -> Mapping[int, ChannelRef]:
    """Return those of these threads (thread id -> channel) that aren't muted."""
    muted = await load_mutes(connection, channels)
    return {thread: channel for thread, channel in channels.items() if thread not in muted}
