"""Receive wake-ups from other processes with PostgreSQL's LISTEN, on a dedicated connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from bot.store.database import NOTIFY_CHANNEL, Database
from bot.store.postgres_connection import connection_class

IDLE_CHECK_S = 20.0
"""Seconds without a notification after which the server is asked whether it is still there."""
MAX_BACKOFF_S = 10.0
"""The longest wait before a lost connection is opened again, in seconds."""

log = structlog.get_logger(__name__)


async def listen_for_notifications(database: Database, on_notification: Callable[[], None]) -> None:
    """Call `on_notification` after each exclusive transaction, until the task is cancelled.

    Such a transaction, of any process, may have left new work. It is also called after each connect, because
    notifications may have been missed. A notification is only a hint, so callers must also poll. A lost
    connection is opened again. On SQLite there are no other processes, and the function returns immediately.
    """
    if database.is_sqlite:
        return
    import psycopg

    wait = 0.5
    while True:
        try:
            # Outside the pool, because it stays open and idle until the process ends.
            connection = await connection_class().connect(**database.driver_connect_args(), autocommit=True)
            async with connection:
                await connection.execute(f"LISTEN {NOTIFY_CHANNEL}")
                wait = 0.5
                on_notification()
                while True:
                    async for _ in connection.notifies(timeout=IDLE_CHECK_S):
                        on_notification()
                    # A server that went silent closes nothing.
                    await connection.execute("SELECT 1")
        except (psycopg.Error, OSError) as error:
            log.warning("store_notifications_interrupted", reason=str(error).strip(), retry_in_s=wait)
        await asyncio.sleep(wait)
        wait = min(wait * 2, MAX_BACKOFF_S)
