"""Statements on SQLite, each one errand of the connection's thread."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from bot.store.sqlite.whole_result import Errand, WholeResultConnection, open_connection


@pytest.fixture
async def connection(tmp_path: Path) -> WholeResultConnection:
    opened = open_connection(str(tmp_path / "x.sqlite"), isolation_level=None)
    await opened
    await opened.cursor().execute("CREATE TABLE t (a INTEGER PRIMARY KEY)")
    return opened


async def test_a_statement_and_its_rows_are_one_errand(
    connection: WholeResultConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    errands = []
    run = connection.run_errand

    async def counted(errand: Errand) -> None:
        errands.append(errand)
        await run(errand)

    monkeypatch.setattr(connection, "run_errand", counted)
    cursor = await connection.cursor()
    await cursor.execute("SELECT 1 AS one UNION ALL SELECT 2")
    assert await cursor.fetchall() == [(1,), (2,)] and await cursor.fetchall() == []
    assert [column[0] for column in cursor.description] == ["one"]
    await cursor.close()
    assert len(errands) == 1
    await connection.close()


async def test_changed_rows_are_counted_also_where_they_are_returned(
    connection: WholeResultConnection,
) -> None:
    cursor = await connection.cursor().executemany("INSERT INTO t VALUES (?)", [(1,), (2,)])
    assert cursor.rowcount == 2 and cursor.description is None and await cursor.fetchall() == []
    await cursor.execute("UPDATE t SET a = a + 10 RETURNING a")
    assert cursor.rowcount == 2 and await cursor.fetchall() == [(11,), (12,)]
    await connection.close()


async def test_an_error_reaches_who_executes_and_the_connection_goes_on(
    connection: WholeResultConnection,
) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await connection.cursor().execute("SELECT * FROM nowhere")
    cursor = await connection.cursor().execute("INSERT INTO t VALUES (?)", (1,))
    assert cursor.lastrowid == 1
    with pytest.raises(sqlite3.IntegrityError):
        await cursor.execute("INSERT INTO t VALUES (?)", (1,))
    await connection.close()
