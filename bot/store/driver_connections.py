"""The driver's connections of one engine: how a database closes all of them."""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import WeakSet

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.store.sqlite.driver import BufferedConnection
from bot.store.sqlite.file_guard import StoreUnavailable


class DriverConnections:
    """Every open connection of an engine, also those that its pool does not know any more.

    An engine that is disposed of closes the idle connections alone. One that is in use goes back to a pool
    that nobody looks at any more, and that of a cancelled task is closed by another task, which dies with the
    event loop.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._opened: WeakSet[Any] = WeakSet()
        self._closed = False
        # First of all, so that what another step raises finds the connection here.
        event.listen(engine.sync_engine, "connect", self._remember, insert=True)

    async def close(self) -> None:
        """Close every connection, also those in use; opening another raises StoreUnavailable from now on.

        A statement that runs on SQLite ends first, for which this waits some seconds; on PostgreSQL the
        connection is cut.
        """
        self._closed = True
        opened = list(self._opened)
        on_sqlite = [connection for connection in opened if isinstance(connection, BufferedConnection)]
        await asyncio.gather(*(connection.stop_and_wait() for connection in on_sqlite))
        for connection in set(opened).difference(on_sqlite):
            if not connection.closed:
                connection.pgconn.finish()

    def _remember(self, connection: Any, _record: object) -> None:
        self._opened.add(connection.driver_connection)
        if self._closed:
            raise StoreUnavailable("The database is closed.")
