"""Repository of clock offsets: the correction of a machine's clock, valid until the machine reboots.

A process that starts continues with the correction that another process of the same boot found.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, func, insert, select, update

from bot.store import schema
from bot.store.database import Database

KEPT_FOR = timedelta(days=400)
"""Age at which the row of a machine that stopped writing is deleted; a row is a few bytes."""

_c = schema.clock_offsets


class ClockOffsetRepository:
    """Stores one offset per boot: seconds that, added to the monotonic clock, give Unix time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, boot_id: str) -> float | None:
        """Return the offset recorded last in this boot; None if none was. Raises StoreUnavailable."""
        query = select(_c.c.offset_s).where(_c.c.boot_id == boot_id)
        async with self._database.read_transaction() as connection:
            found: float | None = (await connection.execute(query)).scalar_one_or_none()
        return found

    async def record(self, boot_id: str, offset_s: float, now: datetime) -> None:
        """Record the offset of this boot, and delete rows older than `KEPT_FOR`. Raises StoreUnavailable."""
        values = {"offset_s": offset_s, "seen_at": now}
        async with self._database.exclusive_transaction() as connection:
            mine = update(_c).where(_c.c.boot_id == boot_id).values(values)
            if not (await connection.execute(mine)).rowcount:
                await connection.execute(insert(_c).values(boot_id=boot_id, **values))
            await connection.execute(delete(_c).where(_c.c.seen_at < now - KEPT_FOR))

    async def get_database_time(self) -> float | None:
        """Return the database server's clock (Unix time); None on SQLite. Raises StoreUnavailable."""
        if self._database.is_sqlite:
            return None
        async with self._database.read_transaction() as connection:
            server_time: datetime = (await connection.execute(select(func.clock_timestamp()))).scalar_one()
        return server_time.timestamp()
