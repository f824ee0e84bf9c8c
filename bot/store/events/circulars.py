"""Repository of GCN Circulars that name superevents."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.routing.circulars import plan_circular
from bot.routing.state import StoredCircular
from bot.store import schema
from bot.store.channels.subscription_rows import load_active_subscriptions
from bot.store.database import Database
from bot.store.outbox.announcement_writer import write_circular_links
from bot.store.outbox.plan_writer import load_threads
from formatters.models.circular import Circular

_c = schema.circulars


class CircularRepository:
    """Stores circulars together with the links that are planned for them. Methods raise StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, circular: Circular, received_at: datetime, *, should_link: bool) -> int:
        """Store a circular for each superevent that it names and plan its links, in one transaction.

        With `should_link` it is linked in the existing threads of those superevents, and it may be linked in
        threads that are opened later. A circular that is stored already changes nothing. Return the number of
        planned links.
        """
        planned = 0
        async with self._database.exclusive_transaction() as connection:
            for superevent_id in circular.superevent_ids:
                row_id = await _insert_circular(
                    connection, circular, superevent_id, received_at, news=should_link
                )
                if row_id is None or not should_link:
                    continue
                intents = plan_circular(
                    StoredCircular(row_id, circular.number),
                    await load_threads(connection, superevent_id),
                    await load_active_subscriptions(connection),
                )
                await write_circular_links(connection, intents, superevent_id, received_at)
                planned += len(intents)
        return planned

    async def get(self, row_id: int) -> Circular | None:
        """Return a stored circular with the one superevent that it is linked to; None if it was removed."""
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
        """Return the number of stored circulars, counted once for each superevent that they name."""
        async with self._database.read_transaction() as connection:
            return int((await connection.execute(select(func.count()).select_from(_c))).scalar_one())


async def _insert_circular(
    connection: AsyncConnection, circular: Circular, superevent_id: str, received_at: datetime, *, news: bool
) -> int | None:
    """Store a circular for one superevent; return the row's id, or None if it was stored already."""
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
        # Two consumers may receive it at once; the second one plans nothing.
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
