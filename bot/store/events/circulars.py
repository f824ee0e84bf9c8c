"""Circulars that were stored before migration 0018: links to them may still wait in the outbox.

Since then circulars are stored as related messages (`bot.store.events.related_messages`), and the migration
has copied these there.
"""

from __future__ import annotations

from sqlalchemy import select

from bot.store import schema
from bot.store.database import Database
from formatters.models.circular import Circular

_c = schema.circulars


class CircularRepository:
    """Returns the circulars of waiting links. Methods raise StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

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
