"""Effects of the outcomes of Follow-up replies' deliveries: where the reply stands, and what it still owes.

All functions run in the transaction that records the outcomes, in the order of `bot.store.settlement`. They
leave nothing unsaid: what was asked for while a reply was being sent, found lost or given up is asked for
again, and only what a person deleted stays away until there is news.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.routing.intents import ChannelRef
from bot.store import schema
from bot.store.outbox.follow_up_writer import enqueue_follow_up_edits, enqueue_posts
from bot.store.outbox.models import (
    DeadLettered,
    Delivered,
    Delivery,
    DeliveryKind,
    Priority,
)

_d = schema.deliveries
_f = schema.follow_ups
_t = schema.threads


async def record_follow_ups(
    connection: AsyncConnection, delivered: Sequence[tuple[Delivery, Delivered]], now: datetime
) -> None:
    """Record where replies stand and what they show, and enqueue an edit where there is more to show."""
    shown = {d.thread_id: (d, o) for d, o in delivered if d.thread_id is not None}
    await connection.execute(
        update(_f)
        .where(_f.c.thread_id == bindparam("b_thread"))
        .values(ts=bindparam("reply"), shown_revision=bindparam("revision")),
        [{"b_thread": thread, "reply": o.ts, "revision": o.revision} for thread, (_, o) in shown.items()],
    )
    behind = await _behind(connection, {thread: o.revision for thread, (_, o) in shown.items()})
    channels = {thread: (d.team_id, d.channel_id) for thread, (d, _) in shown.items() if thread in behind}
    # Of a post it isn't known whether what came meanwhile is news.
    posts = {t for t in channels if shown[t][0].kind is DeliveryKind.FOLLOW_UP}
    news = posts | await _threads_with_news(connection, channels.keys() - posts)
    for is_news in (True, False):
        some = {t: channel for t, channel in channels.items() if (t in news) is is_news}
        await enqueue_follow_up_edits(connection, some, now, is_news=is_news)
    for thread, (d, o) in shown.items():
        if o.follow_up_edit_at is not None:
            await connection.execute(
                update(_f).where(_f.c.thread_id == thread).values(wanted_revision=_f.c.wanted_revision + 1)
            )
            again = {thread: (d.team_id, d.channel_id)}
            await enqueue_follow_up_edits(connection, again, now, is_news=False, due=o.follow_up_edit_at)


async def forget_lost_follow_ups(
    connection: AsyncConnection, dead: Sequence[tuple[Delivery, DeadLettered]], now: datetime
) -> None:
    """Forget replies that were deleted or can't be edited; news that came with the edit is posted again."""
    lost = {d.thread_id: d for d, o in dead if o.is_follow_up_lost and d.thread_id is not None}
    if not lost:
        return
    await connection.execute(update(_f).where(_f.c.thread_id.in_(lost)).values(ts=None, shown_revision=None))
    news = await _threads_with_news(connection, lost)
    channels = {t: (d.team_id, d.channel_id) for t, d in lost.items() if t in news}
    await enqueue_posts(connection, channels, now)


async def resume_follow_ups(
    connection: AsyncConnection, dead: Sequence[tuple[Delivery, DeadLettered]], now: datetime
) -> None:
    """Ask again for replies of which more was asked for while the attempt was made that was given up.

    Not where the whole channel is out of reach: its deliveries come back when it can be posted to again.
    """
    ended = {
        d.thread_id: d
        for d, o in dead
        if d.thread_id is not None and o.channel_problem is None and not o.is_follow_up_lost
    }
    behind = await _behind(connection, {t: d.follow_up_target for t, d in ended.items()})
    posts: dict[int, ChannelRef] = {}
    edits: dict[int, ChannelRef] = {}
    for thread in behind:
        d = ended[thread]
        if d.kind is DeliveryKind.FOLLOW_UP:
            posts[thread] = (d.team_id, d.channel_id)
        elif d.follow_up_ts is not None:
            edits[thread] = (d.team_id, d.channel_id)
    await enqueue_posts(connection, posts, now)
    news = await _threads_with_news(connection, edits)
    for is_news in (True, False):
        some = {t: channel for t, channel in edits.items() if (t in news) is is_news}
        await enqueue_follow_up_edits(connection, some, now, is_news=is_news)


async def follow_new_root(connection: AsyncConnection, thread_id: int, now: datetime) -> None:
    """Plan the reply again under a root that is posted again: the old one stays in a lost thread."""
    known = (
        update(_f)
        .where(_f.c.thread_id == thread_id)
        .values(ts=None, shown_revision=None)
        .returning(_f.c.thread_id)
    )
    if (await connection.execute(known)).scalar_one_or_none() is None:
        return
    channel = select(_t.c.team_id, _t.c.channel_id).where(_t.c.id == thread_id)
    row = (await connection.execute(channel)).one()
    await enqueue_posts(connection, {thread_id: (row.team_id, row.channel_id)}, now, priority=Priority.EDIT)


async def _behind(connection: AsyncConnection, shown: Mapping[int, int | None]) -> list[int]:
    """Return the threads, of these with what they show, of which more is wanted."""
    if not shown:
        return []
    query = select(_f.c.thread_id, _f.c.wanted_revision).where(_f.c.thread_id.in_(shown))
    rows = (await connection.execute(query)).all()
    return [row.thread_id for row in rows if row.wanted_revision > (shown[row.thread_id] or 0)]


async def _threads_with_news(connection: AsyncConnection, threads: Collection[int]) -> set[int]:
    """Return the threads whose edit brings news, or got some since it was claimed."""
    if not threads:
        return set()
    edits = (_d.c.thread_id.in_(threads)) & (_d.c.kind == DeliveryKind.FOLLOW_UP_EDIT.value)
    query = select(_d.c.thread_id).where(edits, _d.c.subject_id != 0)
    return set((await connection.execute(query)).scalars())
