"""Reads the facts that a notice's plan depends on, and writes the plan: both sides of the pure planner.

Everything here runs inside the transaction that stores the notice.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.routing.circulars import channels_wanting_circulars
from bot.routing.intents import Intent
from bot.routing.limits import EARLIER_CIRCULARS_MAX, EARLIER_CIRCULARS_MAX_AGE
from bot.routing.state import RoutingState, StoredCircular
from bot.store import schema
from bot.store.channels.subscription_rows import load_active_subscriptions
from bot.store.operations.webhook_calls import load_event_calls, write_webhook_calls
from bot.store.outbox.announcement_writer import write_announcements, write_circular_links
from bot.store.outbox.plan_writer import load_threads, write_plan
from formatters.models.notice import Category, Notice
from formatters.models.subscription import Subscription
from formatters.models.superevent import Superevent

_c = schema.circulars
_s = schema.superevents


async def load_routing_state(
    connection: AsyncConnection, superevent: Superevent, notice: Notice, now: datetime
) -> RoutingState:
    """Return the stored facts about `superevent`, which contains `notice`.

    For a notice from an archive, which is not routed, only threads and subscriptions are read.
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
        earlier_circulars=await load_earlier_circulars(connection, superevent_id, subscriptions, now),
        webhook_calls=await load_event_calls(connection, superevent_id),
        previous_real_event_at=(
            await previous_real_event_time(connection, superevent_id) if is_first_real else None
        ),
    )


async def load_earlier_circulars(
    connection: AsyncConnection, superevent_id: str, subscriptions: Sequence[Subscription], now: datetime
) -> list[StoredCircular]:
    """Return the newest live circulars about a superevent, the oldest first; none if no channel wants any."""
    if not channels_wanting_circulars(subscriptions):
        return []
    query = (
        select(_c.c.id, _c.c.number)
        .where(
            _c.c.superevent_id == superevent_id, _c.c.news, _c.c.created_at > now - EARLIER_CIRCULARS_MAX_AGE
        )
        .order_by(_c.c.number.desc())
        .limit(EARLIER_CIRCULARS_MAX)
    )
    rows = (await connection.execute(query)).all()
    return [StoredCircular(row.id, row.number) for row in reversed(rows)]


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
    superevent: Superevent,
    notice_id: int,
    now: datetime,
    *,
    draw_image: bool,
) -> None:
    """Write the plan of a stored notice: threads and posts, circulars, webhook calls, operators' alerts."""
    await write_plan(connection, intents, superevent, notice_id, now, draw_image=draw_image)
    await write_circular_links(connection, intents, superevent.superevent_id, now)
    await write_webhook_calls(connection, intents, now)
    await write_announcements(connection, intents, now, subject_id=notice_id)
