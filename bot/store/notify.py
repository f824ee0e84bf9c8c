"""Wake-ups between processes: PostgreSQL's LISTEN, on a connection of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from bot.store.database import NOTIFY_CHANNEL, Database

MAX_BACKOFF_S = 10.0

log = structlog.get_logger(__name__)


async def listen_for_notifications(database: Database, on_notification: Callable[[], None]) -> None:
    """Call `wake` after each transaction of another process that may have left something to do, for ever.

    A hint only: whoever waits for it also looks by itself. A lost connection is made again. On SQLite there
    is nobody else, and this ends at once.
    """
    if database.is_sqlite:
        return
    import psycopg

    wait = 0.5
    while True:
        try:
            # Outside the pool: it stays open, and idle, for as long as the process lives.
            connection = await psycopg.AsyncConnection.connect(
                **database.driver_connect_args(), autocommit=True
            )
            async with connection:
                await connection.execute(f"LISTEN {NOTIFY_CHANNEL}")
                wait = 0.5
                on_notification()
                async for _ in connection.notifies():
                    on_notification()
        except (psycopg.Error, OSError) as error:
            log.warning("store_notifications_interrupted", reason=str(error).strip(), again_in_s=wait)
        await asyncio.sleep(wait)
        wait = min(wait * 2, MAX_BACKOFF_S)
