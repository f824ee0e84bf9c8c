"""Connect to the database (SQLite or PostgreSQL): transactions, migrations, and the instance lock.

Every failure that may be temporary is raised as StoreUnavailable, whatever the driver raised.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import structlog
from filelock import FileLock, Timeout
from sqlalchemy import Connection, func, make_url, select
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DBAPIError,
    InterfaceError,
    InternalError,
    InvalidRequestError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store import tables_version
from bot.store.driver_connections import DriverConnections
from bot.store.engine import _POSTGRESQL_CONNECT_ARGS, create_engine
from bot.store.postgres_connection import unlimited_answers
from bot.store.sqlite import marker_file
from bot.store.sqlite.database_file import DatabaseFile, FileId, file_id, why_path_is_aliased
from bot.store.sqlite.file_guard import FileGuard, StoreUnavailable

NOTIFY_CHANNEL = "gwevent"
"""The PostgreSQL NOTIFY channel on which processes are woken when there may be new work."""


_WRITER_LOCK_KEY = 0x67776576
"""The key of the PostgreSQL advisory lock that takes the place of SQLite's single writer."""


_REFUSED_SQLSTATES = frozenset({"42501", "42P01", "3F000"})
"""PostgreSQL's codes for a missing right, table or schema; a missing column is a defect of gwevent."""


__all__ = ["NOTIFY_CHANNEL", "Database", "InvalidDatabaseUrl", "StoreUnavailable"]

log = structlog.get_logger(__name__)


class InvalidDatabaseUrl(ValueError):
    """An error that the database URL cannot be used; the message is one sentence."""


class Database:
    """A database: one engine, and the only place where its transactions are opened.

    Leaving the block of a write transaction commits it; an exception rolls it back.
    """

    def __init__(self, url: str) -> None:
        """Create the engine, without connecting yet. Raises InvalidDatabaseUrl."""
        try:
            parsed = make_url(url)
            if parsed.drivername not in ("sqlite+aiosqlite", "postgresql+psycopg"):
                raise ValueError("It names another database, or another driver.")
            self.is_sqlite = parsed.get_backend_name() == "sqlite"
            self.path = (
                Path(parsed.database)
                if self.is_sqlite and parsed.database not in (None, ":memory:")
                else None
            )
            self._file = None if self.path is None else DatabaseFile(self.path)
            self._engine = create_engine(parsed, self._file)
            self._driver_connections = DriverConnections(self._engine)
        except ImportError as error:
            raise InvalidDatabaseUrl(
                f"GWEVENT_DATABASE_URL can't be used: its driver {error.name or 'psycopg'} isn't installed; "
                "install gwevent-bot[postgres]."
            ) from error
        except (ArgumentError, InvalidRequestError, ValueError) as error:
            # The URL may contain a password, so the message does not repeat it.
            raise InvalidDatabaseUrl(
                "GWEVENT_DATABASE_URL can't be used: it must look like sqlite:////folder/gwevent.sqlite "
                "or postgresql://user:password@host/database."
            ) from error
        self._url = parsed
        # By default, each statement of a PostgreSQL transaction may see another state; SQLite's see the same.
        self._read_engine = (
            self._engine
            if self.is_sqlite
            else self._engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        )
        # SQLite has one writer. Waiting here wakes the next writer immediately; SQLite itself would poll.
        self._writer_lock = asyncio.Lock()
        self._instance_lock: FileLock | None = None
        self._instance_lock_file_id: FileId | None = None
        self._rival_error: str | None = None
        self._file_guard = None if self._file is None else FileGuard(self._engine, self._file)
        self.last_commit_monotonic: float | None = None
        """The monotonic time of the last commit; None before the first."""
        self.write_error: str | None = None
        """The error of a failed write transaction, or None.

        `bot.store.write_check` clears it when writes succeed again.
        """

    @asynccontextmanager
    async def read_transaction(self) -> AsyncIterator[AsyncConnection]:
        """Open a read-only transaction in which every query sees the same state. Raises StoreUnavailable."""
        with _map_errors():
            await self.ensure_file_current()
            async with self._read_engine.connect() as connection:
                yield connection

    @asynccontextmanager
    async def exclusive_transaction(self) -> AsyncIterator[AsyncConnection]:
        """Open a write transaction that excludes exclusive and shared transactions of all processes.

        Rows that only such transactions write do not change between being read and the commit. The commit
        notifies the workers of other processes. Raises StoreUnavailable.
        """
        async with self._track_commit():
            if self.is_sqlite:
                async with self._sqlite_writer() as connection:
                    yield connection
                return
            async with self._engine.begin() as connection:
                await connection.execute(select(func.pg_advisory_xact_lock(_WRITER_LOCK_KEY)))
                yield connection
                await connection.execute(select(func.pg_notify(NOTIFY_CHANNEL, "")))

    @asynccontextmanager
    async def shared_transaction(self) -> AsyncIterator[AsyncConnection]:
        """Open a write transaction that may run beside shared transactions of other processes.

        It is for workers, each of which writes only rows of the workspaces that it leases. It excludes
        exclusive transactions, and other shared transactions of the same process. On SQLite it excludes every
        other writer. Raises StoreUnavailable.
        """
        async with self._track_commit():
            if self.is_sqlite:
                async with self._sqlite_writer() as connection:
                    yield connection
                return
            async with self._writer_lock, self._engine.begin() as connection:
                await connection.execute(select(func.pg_advisory_xact_lock_shared(_WRITER_LOCK_KEY)))
                yield connection

    @asynccontextmanager
    async def independent_transaction(self) -> AsyncIterator[AsyncConnection]:
        """Open a write transaction that takes no advisory lock and, on PostgreSQL, runs beside all others.

        It is for heartbeats, which must not be late, and for other rows that neither plans nor deliveries
        depend on. On SQLite it excludes every other writer. Raises StoreUnavailable.
        """
        async with self._track_commit():
            if self.is_sqlite:
                async with self._sqlite_writer() as connection:
                    yield connection
                return
            async with self._engine.begin() as connection:
                yield connection

    @asynccontextmanager
    async def _track_commit(self) -> AsyncIterator[None]:
        """Record the time of the commit, or the error if the transaction failed. Raises StoreUnavailable."""
        try:
            with _map_errors():
                yield
        except StoreUnavailable as error:
            self.write_error = str(error)
            raise
        self.last_commit_monotonic = time.monotonic()

    @asynccontextmanager
    async def _sqlite_writer(self) -> AsyncIterator[AsyncConnection]:
        async with self._writer_lock:
            await self.ensure_file_current()
            async with self._engine.connect() as plain:
                connection = await plain.execution_options(gwevent_write=True)
                async with connection.begin():
                    yield connection
            if self._file_guard is not None:
                self._file_guard.verify_commit()

    async def ensure_file_current(self) -> None:
        """Ensure that the connections use the SQLite file that a restart would open.

        See `bot.store.sqlite.file_guard`. On PostgreSQL nothing happens. Raises StoreUnavailable, also if
        another bot holds the instance lock.
        """
        if self._rival_error is not None:
            raise StoreUnavailable(self._rival_error)
        if self._file_guard is not None:
            await self._file_guard.ensure_current()

    async def migrate(self) -> None:
        """Migrate the tables to this version, creating the SQLite file if there is none.

        A database that a newer version has migrated is left as it is if this version can work on it. A new
        SQLite database gets a random identity. Raises StoreUnavailable if the database cannot be used, or if
        this version cannot work on it.
        """
        if self.path is not None:
            if (reason := await asyncio.to_thread(marker_file.why_unusable, self.path)) is not None:
                raise StoreUnavailable(reason)
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                # On a shared machine, other users must not be able to read the subscriptions.
                self.path.touch(mode=0o600)
            except OSError as error:
                raise StoreUnavailable(
                    f"The database {self.path} can't be written: {error.strerror}."
                ) from error
            try:
                # The sentence below names the path; what the engine raises doesn't.
                await asyncio.to_thread(_check_openable, self.path)
            except sqlite3.Error as error:
                raise StoreUnavailable(f"The database {self.path} can't be used: {error}.") from error
        encoding = await self.unsuitable_encoding()
        if encoding is not None:
            reason = f"Its encoding {encoding} lacks characters that notices and people use."
            if not await self.has_tables():
                raise StoreUnavailable(f"The database can't be used. {reason} Make one with ENCODING 'UTF8'.")
            log.warning("database_encoding_unsuitable", reason=reason)
        try:
            await self._run_migration(tables_version.upgrade)
        except tables_version.OtherTables as error:
            async with self.read_transaction() as connection:
                serves = await connection.run_sync(tables_version.is_newer_but_compatible)
            if not serves:
                raise StoreUnavailable(f"The database is another version's of gwevent: {error}.") from error
            log.warning("database_newer", reason="a newer gwevent was here; what it added is left alone")
        if self._file is not None and not self._file.identity:
            drawn = secrets.randbelow(2**31 - 1) + 1
            async with self.exclusive_transaction() as connection:
                number: int = (await connection.exec_driver_sql("PRAGMA user_version")).scalar_one()
                if not number:
                    await connection.exec_driver_sql(f"PRAGMA user_version = {drawn}")
            self._file.identity = number or drawn

    async def check_migrations(self) -> None:
        """Raise Alembic's CommandError if the schema's tables differ from those that the migrations create.

        Raises StoreUnavailable.
        """
        await self._run_migration(tables_version.check)

    async def is_current(self) -> bool:
        """Return True if the database is at this version's newest migration. Raises StoreUnavailable."""
        async with self.read_transaction() as connection:
            return await connection.run_sync(tables_version.is_current)

    async def unsuitable_encoding(self) -> str | None:
        """Return the encoding of a PostgreSQL database that can't hold every character; None if it can.

        Raises StoreUnavailable.
        """
        if self.is_sqlite:
            return None
        query = "SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database()"
        async with self.read_transaction() as connection:
            encoding = str((await connection.exec_driver_sql(query)).scalar_one())
        # SQL_ASCII keeps the bytes that it is given.
        return None if encoding in ("UTF8", "SQL_ASCII") else encoding

    async def has_tables(self) -> bool:
        """Return True if the database contains the tables of some version, without creating anything.

        Raises StoreUnavailable.
        """
        try:
            if self.path is not None and not (self.path.exists() and self.path.stat().st_size):
                return False
        except OSError as error:
            raise StoreUnavailable(f"The database {self.path} can't be read: {error.strerror}.") from error

        async with self.read_transaction() as connection:
            return bool(await connection.run_sync(tables_version.stored_revisions))

    def acquire_instance_lock(self) -> bool:
        """Lock the SQLite file for this bot; return False if another bot holds the lock.

        Only one bot may deliver from a SQLite file. The operating system releases the lock when the process
        ends, however it ends. On PostgreSQL several processes share the deliveries by leases
        (`bot.store.outbox.leases`), so nothing is locked and the result is True. Raises OSError if the lock
        file cannot be made.
        """
        if self.path is None:
            return True
        if self._instance_lock is None:
            # Beside the real file, also if the path is a symbolic link.
            real = Path(os.path.realpath(self.path))
            self._instance_lock = FileLock(real.with_name(real.name + ".lock"), mode=0o600)
        try:
            self._instance_lock.acquire(timeout=0)
        except Timeout:
            return False
        self._instance_lock_file_id = file_id(Path(self._instance_lock.lock_file))
        return True

    def ensure_instance_lock(self) -> None:
        """Acquire the instance lock again if its file was deleted or replaced.

        Raises StoreUnavailable if another bot holds the lock or if it cannot be acquired now; the next call
        tries again.
        """
        if self._instance_lock is None or self._instance_lock_file_id is None:
            return
        at = Path(self._instance_lock.lock_file)
        if (
            self._rival_error is None and file_id(at) == self._instance_lock_file_id
        ) or not at.parent.is_dir():
            return
        self._instance_lock.release(force=True)
        try:
            taken = self.acquire_instance_lock()
        except OSError as error:
            raise StoreUnavailable(
                f"The lock {at} was deleted and can't be made again: {error.strerror or error}."
            ) from error
        if taken:
            self._rival_error = None
            return
        self._rival_error = (
            f"Another gwevent runs on {self.path} since the lock {at} was deleted; stop one of them."
        )
        raise StoreUnavailable(self._rival_error)

    def why_path_is_aliased(self) -> str | None:
        """Return the reason if a second name of the SQLite file makes its lock unreliable, or None."""
        return None if self.path is None else why_path_is_aliased(self.path)

    def driver_connect_args(self) -> dict[str, Any]:
        """Return the arguments with which PostgreSQL's driver opens a connection outside the pool."""
        _, given = self._engine.dialect.create_connect_args(self._url)
        return {**given, **_POSTGRESQL_CONNECT_ARGS}

    async def close(self) -> None:
        """Close all connections, also those in use, and release the instance lock.

        Transactions raise StoreUnavailable from now on.
        """
        await self._engine.dispose()
        await self._driver_connections.close()
        if self._instance_lock is not None:
            # The lock counts how often it was acquired, so one release might not be enough.
            self._instance_lock.release(force=True)

    async def _run_migration(self, run: Callable[[Connection], None]) -> None:
        if not self.is_sqlite:
            with unlimited_answers():
                async with self.exclusive_transaction() as connection:
                    await connection.run_sync(run)
            return
        with _map_errors():
            async with self._writer_lock, self._engine.connect() as plain:
                # SQLite can change a table's keys only by replacing the table, which breaks references to it
                # meanwhile. The setting takes effect only outside a transaction, so it is made before.
                connection = await plain.execution_options(gwevent_write=True, gwevent_references="OFF")
                try:
                    async with connection.begin():
                        await connection.run_sync(run)
                finally:
                    await plain.execution_options(gwevent_references="ON")
                    async with connection.begin():
                        pass
                    await plain.execution_options(gwevent_references=None)


def _check_openable(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA schema_version").fetchone()


def _lacks_tables_or_rights(error: object) -> bool:
    """Return True if PostgreSQL refuses what it did before: rights were taken, or a restore is under way."""
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in _REFUSED_SQLSTATES


class _map_errors:  # noqa: N801  a context manager used like a function
    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        # DatabaseError itself, not a subclass: the file is damaged or is not a database.
        # InternalError: PostgreSQL became a read-only standby, or terminated an idle transaction.
        passing = isinstance(error, OperationalError | InterfaceError | InternalError)
        broken = passing or type(error) is DatabaseError or _lacks_tables_or_rights(error)
        if isinstance(error, DBAPIError) and (broken or error.connection_invalidated):
            said = " ".join(str(error.orig).split()).rstrip(".")
            raise StoreUnavailable(f"The database can't do its work now: {said}.") from error
        if isinstance(error, TimeoutError | OSError) or (
            isinstance(error, SQLAlchemyError) and type(error).__name__ == "TimeoutError"
        ):
            raise StoreUnavailable(f"The database doesn't answer: {error}.") from error
        if isinstance(error, RuntimeError) and "start new thread" in str(error):
            # SQLite's driver starts a thread for each connection.
            raise StoreUnavailable(f"The database can't be opened now: {error}.") from error
