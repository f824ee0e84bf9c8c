"""Which database this is."""

from __future__ import annotations

import secrets

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store import schema

_table = schema.database_identity


async def get_or_create_database_id(connection: AsyncConnection) -> str:
    """The database's random word, made the first time somebody asks. A copy of a database has the same."""
    known = select(_table.c.id).where(_table.c.only == 1)
    found = (await connection.execute(known)).scalar_one_or_none()
    if found is not None:
        return str(found)
    upsert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    mine = upsert(_table).values(only=1, id=secrets.token_hex(16)).on_conflict_do_nothing()
    await connection.execute(mine)
    return str((await connection.execute(known)).scalar_one())
