"""Keeps the connections of one SQLite database on the file that a restart would open."""

from __future__ import annotations

import asyncio
import time

import structlog
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool

from bot.store.sqlite.database_file import DatabaseFile, FileChange

REOPEN_TIMEOUT_S = 5.0
"""How long a changed file waits for those who are reading the old one."""

log = structlog.get_logger(__name__)


class StoreUnavailable(RuntimeError):
    """The database can't do its work now (locked, full, gone); trying again later may help."""


class FileGuard:
    """Looks at the file before each use, and opens it anew where it is the same database in another file."""

    def __init__(self, engine: AsyncEngine, file: DatabaseFile) -> None:
        self._engine = engine
        self._file = file
        self._lock = asyncio.Lock()
        self._reported_change: FileChange | None = None

    async def ensure_current(self) -> None:
        """Make sure that the connections write to what a restart would open, by new ones if need be.

        Where another file stands at the path it is opened if it is the same database, a backup of it say.
        Raises StoreUnavailable while there is none.
        """
        if self._file.detect_change() is None:
            self._report_recovery()
            return
        async with self._lock:
            change = self._file.detect_change()
            if change is None:
                return
            if change is not self._reported_change:
                self._reported_change = change
                log.error(
                    "database_changed", path=str(self._file.path), reason=self._file.describe_change(change)
                )
            await self._reopen(change)
            self._report_recovery()

    def verify_commit(self) -> None:
        """Raise StoreUnavailable if what was committed just now went into a file that nobody can open."""
        change = self._file.detect_change()
        if change is not None:
            raise StoreUnavailable(self._file.describe_change(change))

    def _report_recovery(self) -> None:
        if self._reported_change is not None:
            self._reported_change = None
            log.warning("database_reopened", path=str(self._file.path))

    async def _reopen(self, change: FileChange) -> None:
        file = self._file
        if change is FileChange.MISSING or file.is_empty():
            raise StoreUnavailable(file.describe_change(change))
        deadline = time.monotonic() + REOPEN_TIMEOUT_S
        pool = self._engine.sync_engine.pool
        while isinstance(pool, QueuePool) and pool.checkedout():
            if time.monotonic() > deadline:
                raise StoreUnavailable(file.describe_change(change))
            await asyncio.sleep(0.01)
        if file.open_connections:
            await self._checkpoint_wal(change)
            await self._engine.dispose()
        if change is not FileChange.WAL_LOST:
            found = await asyncio.to_thread(file.identity_at_path)
            if found is None:
                raise StoreUnavailable(file.describe_change(change))
            if found != file.identity:
                raise StoreUnavailable(file.describe_wrong_database())
        file.reset()

    async def _checkpoint_wal(self, change: FileChange) -> None:
        """Put what lies beside the open file into it, while that can be done.

        A deleted -wal is lost with the last connection, and one that stayed would be taken for another's.
        """
        try:
            async with self._engine.connect() as plain:
                connection = await plain.execution_options(gwevent_outside=True)
                done = await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
                busy = bool(done.scalar_one())
        except OperationalError as error:
            # It may still succeed: the disk is full, say.
            raise StoreUnavailable(self._file.describe_change(change)) from error
        except DatabaseError as error:
            log.error("database_wal_lost", path=str(self._file.path), reason=str(error.orig))
            self._file.move_stale_wal_away()
            return
        if busy:
            raise StoreUnavailable(self._file.describe_change(change))
