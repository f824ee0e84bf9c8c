"""Run each statement of a SQLite connection as one errand of its thread, its result included.

aiosqlite makes four of it: open a cursor, execute, fetch, close. Each wakes the thread and then the event
loop, which takes longer than most statements do.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import Any

import aiosqlite

Errand = Callable[[sqlite3.Connection], None]

_FETCH_SIZE = 64


class WholeResultConnection(aiosqlite.Connection):
    """A connection whose cursors hold the whole result once they have executed."""

    def cursor(self) -> WholeResultCursor:  # type: ignore[override]  # SQLAlchemy enters and awaits it
        """Return a new cursor, which needs nothing of the thread yet."""
        return WholeResultCursor(self)

    async def run_errand(self, errand: Errand) -> None:
        """Run an errand in the connection's thread. Raises what it raises."""
        await self._execute(errand, self._conn)  # type: ignore[no-untyped-call]


class WholeResultCursor:
    """The part of aiosqlite's cursor that SQLAlchemy uses for results that it wants whole."""

    def __init__(self, connection: WholeResultConnection) -> None:
        self._connection = connection
        self._rows: list[Any] = []
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.arraysize = 1

    async def __aenter__(self) -> WholeResultCursor:
        """Return the cursor itself, which is ready."""
        return self

    def __await__(self) -> Generator[Any, None, WholeResultCursor]:
        """Return the same; SQLAlchemy 2.0 awaits cursors, 2.1 enters them."""
        return self.__aenter__().__await__()

    async def execute(self, statement: str, parameters: Sequence[Any] = ()) -> WholeResultCursor:
        """Execute a statement and fetch its result. Raises sqlite3.Error."""
        await self._connection.run_errand(
            lambda connection: self._keep(connection.execute(statement, parameters))
        )
        return self

    async def executemany(self, statement: str, parameters: Sequence[Sequence[Any]]) -> WholeResultCursor:
        """Execute a statement once for each of `parameters`. Raises sqlite3.Error."""
        await self._connection.run_errand(
            lambda connection: self._keep(connection.executemany(statement, parameters))
        )
        return self

    async def fetchall(self) -> list[Any]:
        """Return the rows, once."""
        rows, self._rows = self._rows, []
        return rows

    async def close(self) -> None:
        """Forget the rows; the statement is finished already."""
        self._rows = []

    def _keep(self, cursor: sqlite3.Cursor) -> None:
        self.description, self.lastrowid = cursor.description, cursor.lastrowid
        self._rows = cursor.fetchall() if cursor.description else []
        # A statement that returns the rows that it changes counts them while they are fetched.
        self.rowcount = cursor.rowcount
        cursor.close()


def open_connection(database: str, **options: Any) -> WholeResultConnection:
    """Return a connection to await, with the arguments of `sqlite3.connect`."""
    connection = WholeResultConnection(partial(sqlite3.connect, database, **options), _FETCH_SIZE)
    # Until aiosqlite 0.22 the connection is the thread. It must not keep the process alive.
    thread: Any = getattr(connection, "_thread", connection)
    thread.daemon = True
    return connection
