"""A server of PostgreSQL that answers nothing and closes nothing, while new connections work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Connection, text

from bot.app.factory import Factory
from bot.store import notify, postgres_connection
from bot.store.database import Database, StoreUnavailable
from bot.store.notify import listen_for_notifications
from tests.support.factories import decoded_notice, record_notices
from tests.support.postgres import Databases, with_driver
from tests.support.postgres_proxy import SilentProxy, silent_proxy

LIMIT_S = 3.0
PATIENCE_S = 60.0


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_connection, "ANSWER_TIMEOUT_S", LIMIT_S)


@pytest.fixture
async def proxied(postgres: Databases, migrated_postgres: str) -> AsyncIterator[tuple[SilentProxy, Database]]:
    """A proxy, and an empty database behind it."""
    async with silent_proxy(with_driver(postgres.empty_copy(migrated_postgres))) as (proxy, url):
        database = Database(url)
        yield proxy, database
        await database.close()


async def test_a_statement_that_gets_no_answer_is_unavailable_and_the_next_is_answered(
    proxied: tuple[SilentProxy, Database],
) -> None:
    proxy, database = proxied
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(StoreUnavailable, match=r"gave no answer within 3 s"):
            async with database.read_transaction() as connection:
                proxy.silence()
                await connection.execute(text("SELECT 1"))
        await record_notices(Factory(database), decoded_notice())


async def test_connections_that_went_silent_in_the_pool_are_replaced(
    proxied: tuple[SilentProxy, Database],
) -> None:
    proxy, database = proxied

    async def read() -> None:
        async with database.read_transaction() as connection:
            await connection.execute(text("SELECT pg_sleep(0.05)"))

    async with asyncio.timeout(PATIENCE_S):
        await asyncio.gather(*(read() for _ in range(4)))
        proxy.silence()
        await asyncio.gather(*(read() for _ in range(4)), return_exceptions=True)
        await record_notices(Factory(database), decoded_notice())


async def test_a_migration_may_take_longer(proxied: tuple[SilentProxy, Database]) -> None:
    _, database = proxied
    with pytest.raises(StoreUnavailable, match="no answer"):
        async with database.exclusive_transaction() as connection:
            await connection.execute(text(f"SELECT pg_sleep({LIMIT_S + 1})"))

    def migrate(connection: Connection) -> None:
        connection.execute(text(f"SELECT pg_sleep({LIMIT_S + 1})"))

    await database._run_migration(migrate)


async def test_notifications_come_again_from_a_new_connection(
    proxied: tuple[SilentProxy, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, database = proxied
    monkeypatch.setattr(notify, "IDLE_CHECK_S", 0.1)
    woken: asyncio.Queue[None] = asyncio.Queue()
    listening = asyncio.create_task(listen_for_notifications(database, lambda: woken.put_nowait(None)))
    try:
        async with asyncio.timeout(PATIENCE_S):
            await woken.get()
            proxy.silence()
            await woken.get()
            await record_notices(Factory(database), decoded_notice())
            await woken.get()
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
