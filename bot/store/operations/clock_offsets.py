"""What the clock was found to be in this boot of a machine: a process that starts goes on with it."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, func, insert, select, update

from bot.store import schema
from bot.store.database import Database

KEPT_FOR = timedelta(days=400)
"""Of machines that were not heard of since; a row is a few bytes."""

_c = schema.clock_offsets


class ClockOffsetRepository:
    """One row a boot: what, added to the machine's count, is the time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, boot_id: str) -> float | None:
        """What was written last in this boot. Raises StoreUnavailable."""
        query = select(_c.c.offset_s).where(_c.c.boot_id == boot_id)
        async with self._database.read_transaction() as connection:
            found: float | None = (await connection.execute(query)).scalar_one_or_none()
        return found

    async def record(self, boot_id: str, offset_s: float, now: datetime) -> None:
        """Write it. Raises StoreUnavailable."""
        values = {"offset_s": offset_s, "seen_at": now}
        async with self._database.exclusive_transaction() as connection:
            mine = update(_c).where(_c.c.boot_id == boot_id).values(values)
            if not (await connection.execute(mine)).rowcount:
                await connection.execute(insert(_c).values(boot_id=boot_id, **values))
            await connection.execute(delete(_c).where(_c.c.seen_at < now - KEPT_FOR))

    async def get_database_time(self) -> float | None:
        """The database's own clock (Unix time); None on SQLite, which has none. Raises StoreUnavailable."""
        if self._database.is_sqlite:
            return None
        async with self._database.read_transaction() as connection:
            said: datetime = (await connection.execute(select(func.clock_timestamp()))).scalar_one()
        return said.timestamp()
