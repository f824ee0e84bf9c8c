"""The connection to the database: transactions, migrations, and the one error for "it can't now"."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from filelock import FileLock, Timeout
from sqlalchemy import Connection, event, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DBAPIError,
    InterfaceError,
    InvalidRequestError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

BUSY_TIMEOUT_MS = 5_000


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
            self._engine = _engine(url)
        except ModuleNotFoundError as error:
            raise BadDatabaseUrl(
                f"GWEVENT_DATABASE_URL can't be used: its driver {error.name} isn't installed."
            ) from error
        except (ArgumentError, InvalidRequestError, ValueError) as error:
            # The URL itself may hold a password, so it isn't repeated.
            raise BadDatabaseUrl(
                "GWEVENT_DATABASE_URL can't be used: it must look like sqlite:////folder/gwevent.sqlite."
            ) from error
        self.sqlite = parsed.get_backend_name() == "sqlite"
        self.path = (
            Path(parsed.database) if self.sqlite and parsed.database not in (None, ":memory:") else None
        )
        # SQLite has one writer; waiting for it here is exact, waiting inside SQLite is polling.
        self._writer = asyncio.Lock()
        self._lock: FileLock | None = None

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection that sees one state of the database. Raises StoreUnavailable."""
        with _translated():
            async with self._engine.connect() as connection:
                yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that is committed at the end, or undone by an exception. Raises StoreUnavailable."""
        with _translated():
            if not self.sqlite:
                async with self._engine.begin() as connection:
                    yield connection
                return
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
            raise StoreUnavailable(f"The database is another version's of gwevent: {error}.") from error

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

    def take_instance_lock(self) -> bool:
        """Become the one bot that delivers from this SQLite file; False if another is that already.

        The operating system gives the lock back when the process ends, however it ends. Other databases
        share deliveries among many, so there it is always True.
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


def _engine(url: str) -> AsyncEngine:
    engine = create_async_engine(url, pool_pre_ping=not url.startswith("sqlite"))
    if engine.dialect.name != "sqlite":
        return engine

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
        broken = isinstance(error, OperationalError | InterfaceError) or type(error) is DatabaseError
        if isinstance(error, DBAPIError) and (broken or error.connection_invalidated):
            raise StoreUnavailable(f"The database can't do its work now: {error.orig}.") from error
        if isinstance(error, TimeoutError | OSError) or (
            isinstance(error, SQLAlchemyError) and type(error).__name__ == "TimeoutError"
        ):
            raise StoreUnavailable(f"The database doesn't answer: {error}.") from error
