"""Keeps the connections of one SQLite database on the file that a restart of the bot would open.

A process that has a file open keeps reading and writing that file even if its name is gone. SQLite reports no
error then, so the bot would acknowledge notices and write them to a file that no later process can open.
While the bot runs, the following can happen to the database file:

- It is deleted or renamed, or its disk is unmounted (`FileChange.MISSING`).
- Another file takes its place, for example a restored backup (`FileChange.REPLACED`).
- It is shortened in place (`FileChange.TRUNCATED`).
- Its -wal or -shm file is deleted or replaced. The -wal contains the transactions not yet copied into the
  database file (`FileChange.WAL_LOST`).

The guard compares the files at the path with the open ones before each use of the database
(`FileGuard.ensure_current`) and after each commit (`FileGuard.verify_commit`). After a change it waits, up to
`REOPEN_TIMEOUT_S`, until no connection is in use, copies the open -wal into the open database file if that is
possible, and closes all connections. It accepts the file at the path only if that has the same identity, the
random number that every copy of a database shares; new connections then open it. A missing, empty or
different database is refused: every use raises StoreUnavailable, so that sources do not acknowledge notices,
until the right file is back or the bot is restarted. A failed check after a commit raises StoreUnavailable
too, since the committed rows may be in a file that is no longer at the path.
"""

from __future__ import annotations

import asyncio
import time

import structlog
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool

from bot.store.sqlite.database_file import DatabaseFile, FileChange

REOPEN_TIMEOUT_S = 5.0
"""Longest wait for connections in use to be returned before the file is reopened, in seconds."""

log = structlog.get_logger(__name__)


class StoreUnavailable(RuntimeError):
    """The database is unavailable now (locked, full or missing); a later attempt may succeed."""


class FileGuard:
    """A guard that checks the file around each use and reopens it if the same database was replaced."""

    def __init__(self, engine: AsyncEngine, file: DatabaseFile) -> None:
        self._engine = engine
        self._file = file
        self._lock = asyncio.Lock()
        self._reported_change: FileChange | None = None

    async def ensure_current(self) -> None:
        """Ensure that connections write to the file at the path; replace the connections if necessary.

        Another file at the path is accepted if it is a copy of the same database, such as a backup. Raises
        StoreUnavailable while the file is missing, empty or another database, or can't be reopened.
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
        """Raise StoreUnavailable if the file changed, so that the last commit may be lost."""
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
        """Copy the open -wal into the open database file.

        A deleted -wal is lost when the last connection closes, and one that remains at the path would be
        applied to the new database; if the copy fails for good, it is renamed. Raises StoreUnavailable if a
        later attempt may succeed.
        """
        try:
            async with self._engine.connect() as plain:
                connection = await plain.execution_options(gwevent_outside=True)
                done = await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
                busy = bool(done.scalar_one())
        except OperationalError as error:
            # A later attempt may succeed, for example after a full disk.
            raise StoreUnavailable(self._file.describe_change(change)) from error
        except DatabaseError as error:
            log.error("database_wal_lost", path=str(self._file.path), reason=str(error.orig))
            self._file.move_stale_wal_away()
            return
        if busy:
            raise StoreUnavailable(self._file.describe_change(change))
