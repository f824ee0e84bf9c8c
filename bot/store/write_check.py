"""Check by writing that the database accepts writes, and that a restart would find them."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass

from sqlalchemy import select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from bot.store import schema
from bot.store.database import Database, StoreUnavailable
from bot.store.sqlite import marker_file

WRITE_TRUSTED_S = 30.0
"""The time for which a successful write is trusted, in seconds. An idle bot thus writes twice a minute."""
FAILURE_CACHED_S = 2.0
"""The time after a failure in which checks repeat its error without another attempt, in seconds."""
REQUIRED_FREE_BYTES = 4_000_000
"""The bytes that must fit into the database before a check succeeds again after a failure.

This is more than the size of any notice so far.
"""

_w = schema.write_checks


@dataclass(frozen=True, slots=True)
class DiskSpace:
    """A measurement of disk space (bytes): used by the database, free and total; None if unknown."""

    used: int | None
    free: int | None
    total: int | None


class WriteCheck:
    """A check that writes a row from time to time, and verifies that a restart would find it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = asyncio.Lock()
        self._failed_at: float | None = None
        self._last_error = ""
        self._marker_written = False

    async def check(self) -> None:
        """Raise StoreUnavailable if a notice could not be stored now; otherwise return."""
        async with self._lock:
            if self._failed_at is not None and time.monotonic() - self._failed_at < FAILURE_CACHED_S:
                raise StoreUnavailable(self._last_error)
            try:
                await self._check()
            except StoreUnavailable as error:
                self._failed_at, self._last_error = time.monotonic(), str(error)
                raise
            self._failed_at = None

    async def disk_space(self) -> DiskSpace:
        """Return the used, free and total disk space. Raises StoreUnavailable.

        For PostgreSQL only the used space is known, for a SQLite database in memory nothing.
        """
        path = self._database.path
        if path is not None:
            try:
                real = path.resolve()
                disk = shutil.disk_usage(real.parent)
                files = [real.with_name(real.name + end) for end in ("", "-wal", "-shm")]
                used = sum(each.stat().st_size for each in files if each.exists())
            except OSError as error:
                raise StoreUnavailable(f"The database's folder can't be looked at: {error}.") from error
            return DiskSpace(used, disk.free, disk.total)
        if self._database.is_sqlite:
            return DiskSpace(None, None, None)
        async with self._database.read_transaction() as connection:
            query = text("SELECT pg_database_size(current_database())")
            return DiskSpace((await connection.execute(query)).scalar_one(), None, None)

    async def _check(self) -> None:
        database = self._database
        database.ensure_instance_lock()
        await database.ensure_file_current()
        if database.write_error is not None:
            # A small row may fit where a notice does not.
            await self._write(bytes(REQUIRED_FREE_BYTES))
            await self._write(b"")
            database.write_error = None
        elif (
            database.last_commit_monotonic is None
            or time.monotonic() - database.last_commit_monotonic > WRITE_TRUSTED_S
        ):
            await self._write(b"")
        if database.path is not None and not self._marker_written:
            self._marker_written = await asyncio.to_thread(marker_file.is_filled, database.path)
            if self._marker_written:
                await asyncio.to_thread(marker_file.write_marker, database.path)

    async def _write(self, filling: bytes) -> None:
        """Write a row with this filling; read it back from a SQLite file as a restart would.

        Raises StoreUnavailable if the write fails or is not found again.
        """
        async with self._database.independent_transaction() as connection:
            mine = update(_w).where(_w.c.id == 1).values(count=_w.c.count + 1, filling=filling)
            if not (await connection.execute(mine)).rowcount:
                # On PostgreSQL another process may insert the row at the same moment.
                insert = sqlite.insert if self._database.is_sqlite else postgresql.insert
                new = insert(_w).values(id=1, count=1, filling=filling)
                await connection.execute(new.on_conflict_do_nothing())
            count = (await connection.execute(select(_w.c.count).where(_w.c.id == 1))).scalar_one()
        path = self._database.path
        if path is None:
            return
        try:
            found = await asyncio.to_thread(_read_back, f"{path.absolute().as_uri()}?mode=rw")
        except sqlite3.Error as error:
            raise StoreUnavailable(f"The database {path} can't be read back: {error}.") from error
        if found is None or found < count:
            self._database.write_error = "what was written"
            raise StoreUnavailable(
                f"What is written to the database {path} isn't found there again: its files were changed by "
                "somebody else. Stop gwevent, put them right, and start it again."
            )


def _read_back(address: str) -> int | None:
    with closing(sqlite3.connect(address, uri=True)) as connection:
        row = connection.execute("SELECT count FROM write_checks WHERE id = 1").fetchone()
    return None if row is None else int(row[0])
