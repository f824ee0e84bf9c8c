"""The driver's connections: one way to the thread and back for each statement, and nothing lost by it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, insert, select, text, update
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from bot.store.sqlite.driver import BufferedConnection, create_connection

ROWS = Table(
    "numbers", MetaData(), Column("id", Integer, primary_key=True), Column("name", String, unique=True)
)


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    async def connect() -> BufferedConnection:
        connection = create_connection(tmp_path / "numbers.sqlite", check_same_thread=False)
        await connection
        return connection

    engine = create_async_engine("sqlite+aiosqlite:///", async_creator=connect)
    async with engine.begin() as connection:
        await connection.run_sync(ROWS.metadata.create_all)
    yield engine
    await engine.dispose()


async def test_a_query_goes_to_the_thread_once(engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    ways: list[object] = []
    execute = BufferedConnection._execute

    async def counted(self: BufferedConnection, function: Any, *arguments: Any) -> Any:
        ways.append(function)
        return await execute(self, function, *arguments)  # type: ignore[no-untyped-call]

    async with engine.begin() as connection:
        await connection.execute(insert(ROWS), [{"name": "one"}, {"name": "two"}])
        monkeypatch.setattr(BufferedConnection, "_execute", counted)
        rows = (await connection.execute(select(ROWS.c.name).order_by(ROWS.c.id))).all()
        assert [row.name for row in rows] == ["one", "two"]
        assert len(ways) == 1


async def test_what_a_statement_did_is_told(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        first = await connection.execute(insert(ROWS).values(name="one"))
        assert first.inserted_primary_key == (1,)
        await connection.execute(insert(ROWS), [{"name": "two"}, {"name": "three"}])
        changed = await connection.execute(update(ROWS).where(ROWS.c.id > 1).values(name=ROWS.c.name + "!"))
        assert changed.rowcount == 2
        returned = await connection.execute(insert(ROWS).values(name="four").returning(ROWS.c.id))
        assert returned.scalar_one() == 4
        nothing = await connection.execute(select(ROWS).where(ROWS.c.id == 5))
        assert nothing.all() == []
        assert list(nothing.keys()) == ["id", "name"]


async def test_an_error_is_that_of_the_database_and_the_connection_goes_on(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        with pytest.raises(OperationalError, match="no such table"):
            await connection.execute(text("SELECT * FROM letters"))
        await connection.execute(insert(ROWS).values(name="one"))
        with pytest.raises(IntegrityError):
            await connection.execute(insert(ROWS).values(name="one"))
        assert (await connection.execute(select(ROWS.c.name))).scalar_one() == "one"


async def test_a_rolled_back_transaction_leaves_nothing(engine: AsyncEngine) -> None:
    with pytest.raises(IntegrityError):
        async with engine.begin() as connection:
            await connection.execute(insert(ROWS).values(id=1, name="one"))
            await connection.execute(insert(ROWS), [{"id": 2, "name": "two"}, {"id": 3, "name": "two"}])
    async with engine.connect() as connection:
        assert (await connection.execute(select(ROWS))).all() == []
