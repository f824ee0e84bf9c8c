"""GCN Circulars that name superevents, and where they are to be linked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.routing.intents import Intent, OpenRoot
from bot.store import schema
from bot.store.channels.subscriptions import load_active_subscriptions
from bot.store.database import Database
from bot.store.outbox.models import DeliveryKind, DeliveryState, Priority, delivery_row
from bot.store.outbox.plan_writer import event_rank
from formatters.models.circular import Circular
from formatters.models.subscription import Subscription

MAX_EARLIER_AGE = timedelta(hours=24)
"""How old a circular may be that is linked in a thread opened after it came."""
MAX_EARLIER_LINKS = 5
"""How many of those."""

_c = schema.circulars
_d = schema.deliveries
_t = schema.threads


class CircularRepository:
    """Circulars in, circulars out."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, circular: Circular, received_at: datetime, *, should_link: bool) -> int:
        """Note a circular for each superevent that it names, and plan its links, in one transaction.

        With `post` it is linked in every thread of those superevents whose channel has a subscription in
        force that asks for circulars, and it may be in those opened later (`link_known`). A circular known
        already changes nothing. Return how many links were planned. Raises StoreUnavailable.
        """
        planned = 0
        async with self._database.exclusive_transaction() as connection:
            for superevent_id in circular.superevent_ids:
                row_id = await _insert_circular(
                    connection, circular, superevent_id, received_at, news=should_link
                )
                if row_id is not None and should_link:
                    planned += await _plan_links(connection, row_id, circular, superevent_id, received_at)
        return planned

    async def get(self, row_id: int) -> Circular | None:
        """One circular, as it is linked to one superevent; None if it's gone."""
        async with self._database.read_transaction() as connection:
            row = (await connection.execute(select(_c).where(_c.c.id == row_id))).first()
        return (
            None
            if row is None
            else Circular(
                number=row.number,
                subject=row.subject,
                author=row.author,
                created=row.created_at,
                superevent_ids=(row.superevent_id,),
            )
        )

    async def count(self) -> int:
        """How many were noted."""
        async with self._database.read_transaction() as connection:
            return int((await connection.execute(select(func.count()).select_from(_c))).scalar_one())


async def _insert_circular(
    connection: AsyncConnection, circular: Circular, superevent_id: str, received_at: datetime, *, news: bool
) -> int | None:
    values = {
        "number": circular.number,
        "superevent_id": superevent_id,
        "news": news,
        "subject": circular.subject,
        "author": circular.author,
        "created_at": circular.created,
        "received_at": received_at,
    }
    if connection.dialect.name == "postgresql":
        # Two consumers may have it at once; who comes second plans nothing.
        from sqlalchemy.dialects.postgresql import insert as upsert

        made = upsert(_c).values(values).on_conflict_do_nothing().returning(_c.c.id)
        new: int | None = (await connection.execute(made)).scalar_one_or_none()
        return new
    known = select(_c.c.id).where(_c.c.number == circular.number, _c.c.superevent_id == superevent_id)
    if (await connection.execute(known)).first() is not None:
        return None
    result = await connection.execute(insert(_c).values(values))
    assert result.inserted_primary_key is not None
    return int(result.inserted_primary_key[0])


async def link_earlier_circulars(
    connection: AsyncConnection,
    superevent_id: str,
    intents: Sequence[Intent],
    subscriptions: Sequence[Subscription],
    now: datetime,
) -> None:
    """Link in the threads that these intents opened what was written about the event before.

    After an outage, or by another broker, a circular may come before the notice that it is about. No more
    than the newest few, which wait for everything else, for an event may have a hundred.
    """
    asking = _subscribed_channels(subscriptions)
    opened = {(i.team_id, i.channel_id) for i in intents if isinstance(i, OpenRoot)} & asking
    if not opened:
        return
    known = (
        select(_c.c.id, _c.c.number)
        .where(_c.c.superevent_id == superevent_id, _c.c.news, _c.c.created_at > now - MAX_EARLIER_AGE)
        .order_by(_c.c.number.desc())
        .limit(MAX_EARLIER_LINKS)
    )
    circulars = [(row.id, row.number) for row in reversed((await connection.execute(known)).all())]
    if not circulars:
        return
    query = select(_t.c.id, _t.c.team_id, _t.c.channel_id).where(_t.c.superevent_id == superevent_id)
    threads = {row.id: (row.team_id, row.channel_id) for row in (await connection.execute(query)).all()}
    here = {thread_id: place for thread_id, place in threads.items() if place in opened}
    await _enqueue_links(connection, circulars, superevent_id, here, now, Priority.EDIT)


async def _plan_links(
    connection: AsyncConnection, row_id: int, circular: Circular, superevent_id: str, now: datetime
) -> int:
    # Beside a root that was given up it would wait for ever.
    root = (
        (_d.c.thread_id == _t.c.id)
        & (_d.c.kind == DeliveryKind.ROOT.value)
        & (_d.c.state != DeliveryState.DEAD.value)
    )
    query = (
        select(_t.c.id, _t.c.team_id, _t.c.channel_id)
        .join(_d, root)
        .where(_t.c.superevent_id == superevent_id)
    )
    threads = {row.id: (row.team_id, row.channel_id) for row in (await connection.execute(query)).all()}
    asking = _subscribed_channels(await load_active_subscriptions(connection))
    here = {thread_id: place for thread_id, place in threads.items() if place in asking}
    return await _enqueue_links(connection, [(row_id, circular.number)], superevent_id, here, now)


def _subscribed_channels(subscriptions: Sequence[Subscription]) -> set[tuple[str, str]]:
    return {(s.team_id, s.channel_id) for s in subscriptions if s.criteria.circulars}


async def _enqueue_links(
    connection: AsyncConnection,
    circulars: Sequence[tuple[int, int]],
    superevent_id: str,
    threads: Mapping[int, tuple[str, str]],
    now: datetime,
    priority: Priority = Priority.REPLY,
) -> int:
    """Plan a link to each circular (row, number) in each thread (id -> place); return how many."""
    event = await event_rank(connection, superevent_id)
    rows = [
        delivery_row(
            *place,
            DeliveryKind.CIRCULAR,
            row_id,
            now,
            thread_id=thread_id,
            dedup_key=f"circular:{number}:{superevent_id}",
            priority=priority,
            event=event,
        )
        for row_id, number in circulars
        for thread_id, place in threads.items()
    ]
    if rows:
        await connection.execute(insert(schema.deliveries), rows)
    return len(rows)
