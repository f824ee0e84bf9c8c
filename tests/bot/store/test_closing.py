"""A closed database leaves no connection open, whatever its tasks were doing, and opens no other."""

from __future__ import annotations

import asyncio
import functools
import itertools
import threading
import types
from collections.abc import Callable, Coroutine, Generator, Iterator
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.pool import Pool

from bot.store.database import Database, StoreUnavailable
from bot.store.sqlite import driver

pytestmark = pytest.mark.backends("sqlite", "postgresql")


@pytest.fixture
def opened() -> Iterator[list[Any]]:
    """Every connection of the drivers that the test opens; at its end none of them is open."""
    connections: list[Any] = []

    def see(connection: Any, _record: object) -> None:
        connections.append(connection.driver_connection)

    event.listen(Pool, "connect", see)
    yield connections
    event.remove(Pool, "connect", see)
    assert connections
    assert not [connection for connection in connections if is_open(connection)]


def is_open(connection: Any) -> bool:
    return not connection.closed if hasattr(connection, "pgconn") else connection._connection is not None


async def test_what_a_task_holds_is_closed_and_its_next_statement_fails(
    database_url: str, opened: list[Any]
) -> None:
    database = Database(database_url)
    holding, closed = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with database.read_transaction() as connection:
            holding.set()
            await closed.wait()
            await connection.execute(text("SELECT 1"))

    task = asyncio.create_task(hold())
    await holding.wait()
    await database.close()
    closed.set()
    with pytest.raises(StoreUnavailable):
        await task


async def test_none_is_opened_afterwards(database_url: str, opened: list[Any]) -> None:
    database = Database(database_url)
    async with database.read_transaction() as connection:
        await connection.execute(text("SELECT 1"))
    await database.close()
    for transaction in (database.read_transaction, database.independent_transaction):
        with pytest.raises(StoreUnavailable, match=r"^The database is closed\.$"):
            async with transaction():
                pass
    await database.close()


@pytest.mark.backends("sqlite")
async def test_a_thread_that_hangs_does_not_keep_the_database_from_closing(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "STOP_TIMEOUT_S", 0.05)
    database, answers = Database(database_url), threading.Event()
    async with database.read_transaction() as connection:
        raw = (await connection.get_raw_connection()).driver_connection
        assert raw is not None
        await raw.create_function("hang", 0, answers.wait)
        hanging = asyncio.create_task(connection.execute(text("SELECT hang()")))
        await asyncio.sleep(0.05)
        await database.close()
        assert is_open(raw) and not hanging.done()
        answers.set()
        await asyncio.gather(hanging, return_exceptions=True)
        await raw.stop_and_wait()


@pytest.mark.parametrize("waits", [False, True], ids=["closed at once", "closed when they have ended"])
@pytest.mark.parametrize("writes", [False, True], ids=["reading", "writing"])
async def test_nothing_stays_open_wherever_a_task_is_cancelled(
    database_url: str, opened: list[Any], writes: bool, waits: bool
) -> None:
    """Cancelled wherever it waits, one place after the other, until it comes to its end."""

    async def work(database: Database) -> None:
        transaction = database.independent_transaction if writes else database.read_transaction
        async with transaction() as connection:
            await connection.execute(text("SELECT 1"))

    for place in itertools.count():
        database = Database(database_url)
        reached = asyncio.Event()
        task = asyncio.create_task(cancelled_at(place, reached, work(database)))
        await asyncio.wait([task, asyncio.create_task(reached.wait())], return_when=asyncio.FIRST_COMPLETED)
        if waits:
            await asyncio.wait([task])
        await database.close()
        if (await asyncio.gather(task, return_exceptions=True))[0] is None:
            reached.set()
            break
    assert place > 5


async def cancelled_at(place: int, reached: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Do the work; where it waits for the given time, counted from 0, cancel it and set the event."""

    @types.coroutine
    def steps() -> Generator[Any, Any, None]:
        step: Callable[[], Any] = functools.partial(work.send, None)
        for count in itertools.count():
            try:
                awaited = step()
            except StopIteration:
                return
            if count == place:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
                reached.set()
            try:
                yield awaited
            except BaseException as error:  # noqa: BLE001 - it belongs to the work
                step = functools.partial(work.throw, error)
            else:
                step = functools.partial(work.send, None)

    await steps()
