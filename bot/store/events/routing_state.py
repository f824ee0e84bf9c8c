"""Reads the facts that a notice's plan depends on, and writes the plan: both sides of the pure planner.

Everything here runs inside the transaction that stores the notice.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.related_messages.coincidence import event_to_compare, may_show_nearby
from bot.related_messages.nearby_windows import NearbyWindows
from bot.routing.intents import Intent
from bot.routing.state import EarlierMessages, RoutingState
from bot.store import schema
from bot.store.channels.subscription_rows import load_active_subscriptions
from bot.store.events.nearby_alerts import load_alerts_between
from bot.store.outbox.announcement_writer import write_announcements, write_follow_ups
from bot.store.outbox.models import NOTHING_TO_SAY, DeliveryKind
from bot.store.outbox.plan_writer import load_threads, write_plan
from bot.store.outbox.webhook_writer import load_event_calls, write_webhook_calls
from formatters.models.notice import Category, Notice
from formatters.models.related_message import Stream
from formatters.models.subscription import Subscription
from formatters.models.superevent import Superevent

_m = schema.related_messages
_s = schema.superevents


async def load_routing_state(
    connection: AsyncConnection, superevent: Superevent, notice: Notice, windows: NearbyWindows
) -> RoutingState:
    """Return the stored facts about `superevent`, which contains `notice`.

    `windows` are those in which an alert counts as near. For a notice from an archive, which is not routed,
    only threads and subscriptions are read.
    """
    superevent_id = superevent.superevent_id
    threads = await load_threads(connection, superevent_id)
    subscriptions = await load_active_subscriptions(connection)
    if not notice.live:
        return RoutingState(
            superevent=superevent, notice=notice, threads=threads, subscriptions=subscriptions
        )
    is_first_real = superevent.category is Category.REAL and len(superevent.notices) == 1
    return RoutingState(
        superevent=superevent,
        notice=notice,
        threads=threads,
        subscriptions=subscriptions,
        earlier_messages=await load_earlier_messages(
            connection, superevent, subscriptions, windows, has_threads=bool(threads)
        ),
        webhook_calls=await load_event_calls(connection, superevent_id),
        previous_real_event_at=(
            await previous_real_event_time(connection, superevent_id) if is_first_real else None
        ),
    )


async def load_earlier_messages(
    connection: AsyncConnection,
    superevent: Superevent,
    subscriptions: Sequence[Subscription],
    windows: NearbyWindows,
    *,
    has_threads: bool,
) -> EarlierMessages:
    """Return the messages about a superevent beside notices, as far as a channel wants any of them."""
    superevent_id = superevent.superevent_id
    with_reply = await _threads_with_reply(connection, superevent_id) if has_threads else frozenset()
    wanted = {stream for s in subscriptions for stream in s.criteria.streams}
    if not wanted:
        # A reply that nobody wants any more is kept up to date all the same: its levels are the old map's.
        return EarlierMessages(with_reply=with_reply)
    query = select(_m.c.stream, _m.c.retracts_event).where(_m.c.superevent_id == superevent_id, _m.c.news)
    rows = (await connection.execute(query.distinct())).all()
    streams = {stream for row in rows for stream in wanted if stream.value == row.stream}
    if Stream.NEARBY in wanted and await _may_show_nearby(connection, superevent, windows):
        streams.add(Stream.NEARBY)
    return EarlierMessages(
        streams=frozenset(streams),
        with_reply=with_reply,
        retract_event=any(row.retracts_event for row in rows),
    )


async def _threads_with_reply(connection: AsyncConnection, superevent_id: str) -> frozenset[int]:
    """Return the threads whose Follow-up reply stands, is under way or was deleted.

    Left out are those in which there was nothing to say: a new map may bring a burst into the event's region.
    """
    replies, threads, posts = schema.follow_ups, schema.threads, schema.deliveries
    post = (posts.c.thread_id == replies.c.thread_id) & (posts.c.kind == DeliveryKind.FOLLOW_UP.value)
    query = (
        select(replies.c.thread_id)
        .join(threads, threads.c.id == replies.c.thread_id)
        .join(posts, post, isouter=True)
        .where(threads.c.superevent_id == superevent_id)
        .where(replies.c.ts.is_not(None) | posts.c.reason.is_(None) | (posts.c.reason != NOTHING_TO_SAY))
    )
    return frozenset((await connection.execute(query)).scalars())


async def _may_show_nearby(
    connection: AsyncConnection, superevent: Superevent, windows: NearbyWindows
) -> bool:
    """Return True if an alert that was news may be shown for an event; where it lies isn't asked."""
    event = event_to_compare(superevent)
    if event is None:
        return False
    alerts = await load_alerts_between(connection, *windows.widest.around(event.time), only_news=True)
    return may_show_nearby(superevent, alerts, windows)


async def previous_real_event_time(connection: AsyncConnection, superevent_id: str) -> datetime | None:
    """Return the time of the newest real event other than this one; None if there is none."""
    query = (
        select(_s.c.event_time)
        .where(_s.c.category == Category.REAL.value, _s.c.superevent_id != superevent_id)
        .order_by(_s.c.event_time.desc())
        .limit(1)
    )
    found: datetime | None = (await connection.execute(query)).scalar_one_or_none()
    return found


async def write_notice_plan(
    connection: AsyncConnection,
    intents: Sequence[Intent],
    state: RoutingState,
    notice_id: int,
    now: datetime,
    *,
    draw_image: bool,
) -> None:
    """Write the plan made by `state`: threads, posts, Follow-up replies, calls, operators' alerts."""
    await write_plan(connection, intents, state, notice_id, now, draw_image=draw_image)
    await write_follow_ups(connection, intents, state.superevent.superevent_id, now)
    await write_webhook_calls(connection, intents, now)
    await write_announcements(connection, intents, now, subject_id=notice_id)
