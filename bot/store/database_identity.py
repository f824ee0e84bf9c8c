"""Identify a database by a random id, which copies of the database share."""

from __future__ import annotations

import secrets

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store import schema

_table = schema.database_identity


async def get_or_create_database_id(connection: AsyncConnection) -> str:
    """Return the database's random id, creating it at the first call.

    A copy of the database has the same id. If several processes create it at once, all get the same one.
    """
    known = select(_table.c.id).where(_table.c.only == 1)
    found = (await connection.execute(known)).scalar_one_or_none()
    if found is not None:
        return str(found)
    upsert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    mine = upsert(_table).values(only=1, id=secrets.token_hex(16)).on_conflict_do_nothing()
    await connection.execute(mine)
    return str((await connection.execute(known)).scalar_one())
