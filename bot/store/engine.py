"""Create the SQLAlchemy engine for a database URL, and configure each of its connections."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Any

from sqlalchemy import URL, Connection, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from bot.store.postgres_connection import connection_class
from bot.store.sqlite.database_file import DatabaseFile, FileChange
from bot.store.sqlite.driver import BufferedConnection, create_connection
from bot.store.sqlite.file_guard import StoreUnavailable

SQLITE_SYNCHRONOUS = "FULL"
"""Each commit is on the disk before the next step, whose effect others see; it survives a power failure."""


def create_engine(url: URL, file: DatabaseFile | None) -> AsyncEngine:
    """Return a new engine for the URL.

    `file` is the SQLite file that the connections open; None for PostgreSQL, or a database in memory.
    Connecting raises StoreUnavailable if the file is missing or is another database.
    """
    if url.get_backend_name() != "sqlite":
        engine = create_async_engine(
            url,
            pool_pre_ping=True,
            connect_args={**_POSTGRESQL_CONNECT_ARGS, "async_creator_fn": connection_class().connect},
        )

        @event.listens_for(engine.sync_engine, "handle_error")
        def leave(context: ExceptionContext) -> None:
            # The server may have become a standby; a new connection reaches the current primary.
            if getattr(context.original_exception, "sqlstate", None) == READ_ONLY_SQLSTATE:
                context.is_disconnect = True

        return engine

    async def connect() -> BufferedConnection:
        (database,), options = engine.dialect.create_connect_args(url)
        if file is not None:
            if not file.path.exists():
                # Its own sentence: SQLite says of anything that it is "unable to open database file".
                raise StoreUnavailable(file.describe_change(FileChange.MISSING))
            database, options = file.uri(), {**options, "uri": True}
        connection = create_connection(database, **options)
        try:
            await connection
        except asyncio.CancelledError:
            # Nobody else knows this connection, and its thread must not outlive the loop that it answers to.
            await connection.stop_and_wait()
            raise
        return connection

    engine = create_async_engine(url, async_creator=connect)

    @event.listens_for(engine.sync_engine, "handle_error")
    def reopen(context: ExceptionContext) -> None:
        # A connection keeps what its file was when it was opened: one that was opened while the file or its
        # disk was read-only can't write when they no longer are.
        if needs_reopening(context.original_exception):
            context.is_disconnect = True

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        # The driver must not begin transactions by itself; `begin` does.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            f"synchronous={SQLITE_SYNCHRONOUS}",
            f"busy_timeout={BUSY_TIMEOUT_MS}",
            "foreign_keys=ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        if file is not None:
            cursor.execute("SELECT 1 FROM sqlite_master LIMIT 1")
            cursor.fetchall()
            cursor.execute("PRAGMA user_version")
            wrong = file.on_connected(cursor.fetchone()[0])
            if wrong is not None:
                cursor.close()
                connection.close()
                raise StoreUnavailable(wrong)
        cursor.close()

    @event.listens_for(engine.sync_engine, "close")
    def closed(_connection: object, _record: object) -> None:
        if file is not None:
            file.on_disconnected()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        # A deferred transaction fails at its first write if another wrote meanwhile; an immediate one waits.
        options = connection.get_execution_options()
        if options.get("gwevent_outside"):
            return
        write = options.get("gwevent_write")
        references = options.get("gwevent_references")
        if references is not None:
            connection.exec_driver_sql(f"PRAGMA foreign_keys={references}")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


BUSY_TIMEOUT_MS = 5_000
"""The time for which SQLite waits for a lock of another process, in milliseconds."""


PASSING_ERRORS = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_INTERRUPT,
        # The statement is wrong, whichever connection gets it.
        sqlite3.SQLITE_ERROR,
    }
)
"""SQLite's error codes after which a connection is as good as before; it is opened anew after any other."""


_PRIMARY_CODE_MASK = 0xFF
"""The bits of SQLite's extended error codes that hold the primary one."""


def needs_reopening(error: BaseException) -> bool:
    """Return True for an error of SQLite's that may lie in what the connection keeps of its file.

    Errors of the rows and of the calls (IntegrityError, DataError, ProgrammingError …) don't.
    """
    if not isinstance(error, sqlite3.OperationalError) and type(error) is not sqlite3.DatabaseError:
        return False
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & _PRIMARY_CODE_MASK not in PASSING_ERRORS


READ_ONLY_SQLSTATE = "25006"
"""PostgreSQL's error code (SQLSTATE) for a write to a read-only server."""


_SESSION_SETTINGS = {
    # A process that freezes in the middle of a transaction must not block the others.
    "idle_in_transaction_session_timeout": "5000",
    # What the server, the database or the user may have set otherwise, and the driver or a query relies on.
    "bytea_output": "hex",
    "DateStyle": "ISO",
    "default_transaction_deferrable": "off",
    "default_transaction_isolation": r"read\ committed",
    "extra_float_digits": "1",
    "IntervalStyle": "postgres",
    "standard_conforming_strings": "on",
    "TimeZone": "UTC",
    "transform_null_equals": "off",
}
"""Settings of each session on PostgreSQL."""


_POSTGRESQL_CONNECT_ARGS = {
    "connect_timeout": 5,
    "client_encoding": "UTF8",
    # Detect within seconds that the server's machine is gone.
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "options": " ".join(f"-c {name}={value}" for name, value in _SESSION_SETTINGS.items()),
}
