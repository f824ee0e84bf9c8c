"""Repository of lookups in GraceDB, so that a backfill does not repeat them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from bot.store import schema
from bot.store.database import Database


class GraceDbLookups:
    """Stores when all of a superevent was fetched from GraceDB. All methods raise StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, superevent_id: str, at: datetime) -> None:
        """Record that all of this superevent was fetched at `at`."""
        table = schema.gracedb_lookups
        async with self._database.exclusive_transaction() as connection:
            insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
            new = insert(table).values(superevent_id=superevent_id, looked_up_at=at)
            await connection.execute(
                new.on_conflict_do_update(index_elements=["superevent_id"], set_={"looked_up_at": at})
            )

    async def get(self, superevent_ids: Sequence[str]) -> dict[str, datetime]:
        """Return the last lookup of each of these superevents; those that never were are left out."""
        table = schema.gracedb_lookups
        query = select(table.c.superevent_id, table.c.looked_up_at)
        async with self._database.read_transaction() as connection:
            rows = await connection.execute(query.where(table.c.superevent_id.in_(superevent_ids)))
        return {row.superevent_id: row.looked_up_at for row in rows}
