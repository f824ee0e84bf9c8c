"""The connection to the database: transactions, migrations, and the one error for "it can't now"."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import structlog
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from filelock import FileLock, Timeout
from sqlalchemy import URL, Connection, event, func, inspect, make_url, select
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
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from bot.store.schema import metadata

BUSY_TIMEOUT_MS = 5_000

CHANNEL = "gwevent"
"""What PostgreSQL's NOTIFY is sent to when there may be something to do."""

_WRITERS = 0x67776576
"""The number of the advisory lock that stands for SQLite's one writer."""

_POSTGRESQL = {
    "connect_timeout": 5,
    # A server whose machine is gone is noticed within seconds.
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    # A process that was frozen in the middle mustn't keep the others waiting.
    "options": "-c idle_in_transaction_session_timeout=5000",
}


log = structlog.get_logger(__name__)


class StoreUnavailable(RuntimeError):
    """The database can't do its work now (locked, full, gone); trying again later may help."""


class BadDatabaseUrl(ValueError):
    """The database URL can't be used; one sentence."""


class Database:
    """One engine, and the only place where its transactions are opened."""

    def __init__(self, url: str) -> None:
        """Prepare the engine; nothing is opened yet. Raises BadDatabaseUrl."""
        try:
            parsed = make_url(url)
            if parsed.drivername not in ("sqlite+aiosqlite", "postgresql+psycopg"):
                raise ValueError("It names another database, or another driver.")
            self._engine = _engine(parsed)
        except ImportError as error:
            raise BadDatabaseUrl(
                f"GWEVENT_DATABASE_URL can't be used: its driver {error.name or 'psycopg'} isn't installed; "
                "install gwevent-bot[postgres]."
            ) from error
        except (ArgumentError, InvalidRequestError, ValueError) as error:
            # The URL itself may hold a password, so it isn't repeated.
            raise BadDatabaseUrl(
                "GWEVENT_DATABASE_URL can't be used: it must look like sqlite:////folder/gwevent.sqlite "
                "or postgresql://user:password@host/database."
            ) from error
        self.sqlite = parsed.get_backend_name() == "sqlite"
        self.path = (
            Path(parsed.database) if self.sqlite and parsed.database not in (None, ":memory:") else None
        )
        self._url = parsed
        # Each statement of PostgreSQL's usual transactions sees another state; SQLite's see one.
        self._reader = (
            self._engine
            if self.sqlite
            else self._engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        )
        # SQLite has one writer; waiting for it here is exact, waiting inside SQLite is polling.
        self._writer = asyncio.Lock()
        self._lock: FileLock | None = None

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection that sees one state of the database. Raises StoreUnavailable."""
        with _translated():
            async with self._reader.connect() as connection:
                yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A transaction while nobody else writes: committed at the end, or undone by an exception.

        What is read in it stays true until it ends. Workers of other processes are woken by it. Raises
        StoreUnavailable.
        """
        with _translated():
            if self.sqlite:
                async with self._alone() as connection:
                    yield connection
                return
            async with self._engine.begin() as connection:
                await connection.execute(select(func.pg_advisory_xact_lock(_WRITERS)))
                yield connection
                await connection.execute(select(func.pg_notify(CHANNEL, "")))

    @asynccontextmanager
    async def working(self) -> AsyncIterator[AsyncConnection]:
        """The same for one of the workers, which share the workspaces out: they don't wait for each other.

        They wait for `writing`, and it for them; one process does one such transaction after the other.
        """
        with _translated():
            if self.sqlite:
                async with self._alone() as connection:
                    yield connection
                return
            async with self._writer, self._engine.begin() as connection:
                await connection.execute(select(func.pg_advisory_xact_lock_shared(_WRITERS)))
                yield connection

    @asynccontextmanager
    async def aside(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that waits for no other on PostgreSQL, since a sign of life mustn't be late.

        For what neither plans nor deliveries depend on. Raises StoreUnavailable.
        """
        with _translated():
            if self.sqlite:
                async with self._alone() as connection:
                    yield connection
                return
            async with self._engine.begin() as connection:
                yield connection

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[AsyncConnection]:
        async with self._writer, self._engine.connect() as plain:
            connection = await plain.execution_options(gwevent_write=True)
            async with connection.begin():
                yield connection

    async def migrate(self) -> None:
        """Bring the tables to this version. Raises StoreUnavailable."""
        if self.path is not None:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                # What channels subscribed to is nobody else's business on a shared machine.
                self.path.touch(mode=0o600)
            except OSError as error:
                raise StoreUnavailable(
                    f"The database {self.path} can't be written: {error.strerror}."
                ) from error
            try:
                # The driver's thread outlives a connection that can't be opened, and says so on the
                # terminal; here it is found out without one.
                await asyncio.to_thread(_probe, self.path)
            except sqlite3.Error as error:
                raise StoreUnavailable(f"The database {self.path} can't be used: {error}.") from error
        try:
            await self._migration(lambda config: command.upgrade(config, "head"))
        except CommandError as error:
            async with self.reading() as connection:
                serves = await connection.run_sync(_is_newer_and_serves)
            if not serves:
                raise StoreUnavailable(f"The database is another version's of gwevent: {error}.") from error
            log.warning("database_is_newer", reason="a newer gwevent was here; what it added is left alone")

    async def check_migrations(self) -> None:
        """Fail if the tables declared in the schema differ from what the migrations make."""
        await self._migration(command.check)

    async def is_current(self) -> bool:
        """Whether the database is at this version's newest migration."""

        def current(connection: Connection) -> bool:
            heads = MigrationContext.configure(connection).get_current_heads()
            return set(heads) == set(ScriptDirectory.from_config(_alembic_config()).get_heads())

        async with self.reading() as connection:
            return await connection.run_sync(current)

    async def is_made(self) -> bool:
        """Whether a gwevent has made its tables here; looking makes nothing. Raises StoreUnavailable."""
        try:
            if self.path is not None and not (self.path.exists() and self.path.stat().st_size):
                return False
        except OSError as error:
            raise StoreUnavailable(f"The database {self.path} can't be read: {error.strerror}.") from error

        def made(connection: Connection) -> bool:
            return bool(MigrationContext.configure(connection).get_current_heads())

        async with self.reading() as connection:
            return await connection.run_sync(made)

    def take_instance_lock(self) -> bool:
        """Become the one bot that delivers from this SQLite file; False if another is that already.

        The operating system gives the lock back when the process ends, however it ends. On PostgreSQL many
        share the deliveries (`bot.store.shares`), so there it is always True.
        """
        if self.path is None:
            return True
        if self._lock is None:
            self._lock = FileLock(self.path.with_name(self.path.name + ".lock"), mode=0o600)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            return False
        return True

    def connect_arguments(self) -> dict[str, Any]:
        """What the driver itself is to connect with, for a connection outside the pool."""
        _, given = self._engine.dialect.create_connect_args(self._url)
        return {**given, **_POSTGRESQL}

    async def close(self) -> None:
        """Close every connection, and let go of the lock."""
        await self._engine.dispose()
        if self._lock is not None:
            # Asked for twice it is held twice.
            self._lock.release(force=True)

    async def _migration(self, work: Callable[[Config], Any]) -> None:
        def run(connection: Connection) -> None:
            config = _alembic_config()
            config.attributes["connection"] = connection
            work(config)

        async with self.writing() as connection:
            await connection.run_sync(run)


def _probe(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA schema_version").fetchone()


def _alembic_config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _is_newer_and_serves(connection: Connection) -> bool:
    """Whether a newer gwevent made these tables, and this one can work on them.

    So it can, as long as nothing that it needs is missing, and what it doesn't know may be left out of a row.
    """
    [own] = ScriptDirectory.from_config(_alembic_config()).get_heads()
    made = MigrationContext.configure(connection).get_current_heads()
    if not made or not all(revision.isdecimal() and revision > own for revision in made):
        return False
    inspector = inspect(connection)
    tables = set(inspector.get_table_names())
    for table in metadata.sorted_tables:
        if table.name not in tables:
            return False
        columns = {column["name"]: column for column in inspector.get_columns(table.name)}
        unknown = [column for name, column in columns.items() if name not in table.c]
        if not set(table.c.keys()) <= columns.keys() or any(
            not column["nullable"] and column["default"] is None for column in unknown
        ):
            return False
    return True


def _engine(url: URL) -> AsyncEngine:
    if url.get_backend_name() != "sqlite":
        return create_async_engine(url, pool_pre_ping=True, connect_args=_POSTGRESQL)
    engine = create_async_engine(url)

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        # The driver's own idea of when a transaction begins is switched off: see `begin`.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            f"busy_timeout={BUSY_TIMEOUT_MS}",
            "foreign_keys=ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        # A deferred transaction that turns writer fails if another wrote meanwhile; an immediate one waits.
        write = connection.get_execution_options().get("gwevent_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


class _translated:  # noqa: N801  a context manager used like a function
    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        # DatabaseError itself, none of its kinds: the file is damaged, or no database at all.
        # InternalError: PostgreSQL became a read-only standby, or ended a transaction that stood still.
        passing = isinstance(error, OperationalError | InterfaceError | InternalError)
        broken = passing or type(error) is DatabaseError
        if isinstance(error, DBAPIError) and (broken or error.connection_invalidated):
            said = " ".join(str(error.orig).split()).rstrip(".")
            raise StoreUnavailable(f"The database can't do its work now: {said}.") from error
        if isinstance(error, TimeoutError | OSError) or (
            isinstance(error, SQLAlchemyError) and type(error).__name__ == "TimeoutError"
        ):
            raise StoreUnavailable(f"The database doesn't answer: {error}.") from error
        if isinstance(error, RuntimeError) and "start new thread" in str(error):
            # SQLite's driver takes a thread for each connection.
            raise StoreUnavailable(f"The database can't be opened now: {error}.") from error
