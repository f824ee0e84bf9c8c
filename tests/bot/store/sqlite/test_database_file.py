"""The SQLite file deleted, moved, replaced or truncated under the bot: nothing goes into nowhere."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from bot.app.factory import Factory
from bot.routing.intents import Intent
from bot.store import engine
from bot.store.database import Database, StoreUnavailable
from bot.store.sqlite import marker_file
from bot.store.sqlite.driver import BufferedCursor
from bot.store.write_check import WriteCheck
from tests.support.factories import NOW, decoded_notice, planner, record_notices, subscribe

SEEDS = range(40)


def opened(path: Path) -> Database:
    return Database(f"sqlite+aiosqlite:///{path}")


def stored(path: Path) -> set[str]:
    """The events that a restart would find."""
    if not path.exists():
        return set()
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True)) as connection:
        return {row[0] for row in connection.execute("SELECT superevent_id FROM notices")}


class Meddler:
    """Somebody who does to the files what must not be done while the bot runs."""

    def __init__(self, folder: Path, path: Path, chance: random.Random) -> None:
        self.folder, self.path, self.chance = folder, path, chance
        self.copy = folder / "copy.sqlite"
        self.did: list[str] = []
        self.moved: list[tuple[Path, Path]] = []

    def meddle(self) -> None:
        ways: list[Callable[[], None]] = [
            self.delete,
            self.delete_all,
            self.move_away,
            self.move_folder_away,
            self.put_back,
            self.put_back,
            self.replace_by_copy,
            self.replace_by_copy,
            self.replace_by_empty,
            self.replace_by_nonsense,
            self.delete_wal,
            self.delete_shm,
            self.delete_both,
            self.truncate,
        ]
        way = self.chance.choice(ways)
        self.did.append(way.__name__)
        with suppress(FileNotFoundError):
            way()

    def beside(self, *ends: str) -> list[Path]:
        return [self.path.with_name(self.path.name + end) for end in ends]

    def delete(self) -> None:
        self.path.unlink()

    def delete_all(self) -> None:
        for path in self.beside("", "-wal", "-shm"):
            path.unlink(missing_ok=True)

    def move_away(self) -> None:
        place = self.folder / f"away-{len(self.did)}"
        place.mkdir()
        for path in self.beside("", "-wal", "-shm"):
            if path.exists():
                path.rename(place / path.name)
                self.moved.append((place / path.name, path))

    def move_folder_away(self) -> None:
        place = self.folder / f"folder-{len(self.did)}"
        self.path.parent.rename(place)
        self.path.parent.mkdir()
        self.moved += [(path, self.path.parent / path.name) for path in place.iterdir()]

    def put_back(self) -> None:
        for now, before in self.moved:
            if now.exists():
                now.replace(before)
        self.moved.clear()

    def replace_by_copy(self) -> None:
        # As the page on backups says, save that the bot runs.
        new = self.path.with_name("new")
        shutil.copy(self.copy, new)
        if self.chance.random() < 0.5:
            self.delete_all()
        new.replace(self.path)

    def replace_by_empty(self) -> None:
        self.path.unlink()
        self.path.touch()

    def replace_by_nonsense(self) -> None:
        self.path.unlink()
        self.path.write_text("Dear colleagues, the meeting is at noon. " * 500)

    def delete_wal(self) -> None:
        self.beside("-wal")[0].unlink()

    def delete_shm(self) -> None:
        self.beside("-shm")[0].unlink()

    def delete_both(self) -> None:
        self.delete_wal()
        self.delete_shm()

    def truncate(self) -> None:
        os.truncate(self.path, 0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
async def test_recorded_notices_survive_any_change_of_the_files(
    seed: int, database_path: Path, tmp_path: Path
) -> None:
    """Whatever is done to the files, and when: what `record` returned for is there for a restart."""
    chance = random.Random(f"files {seed}")
    folder = tmp_path / "data"
    folder.mkdir()
    path = Path(shutil.move(database_path, folder / "gwevent.sqlite"))
    database = opened(path)
    await database.migrate()
    factory, check = Factory(database), WriteCheck(database)
    await record_notices(factory, decoded_notice("S261122zz"))
    meddler = Meddler(tmp_path, path, chance)
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(meddler.copy)) as copy:
        source.backup(copy)
    since_touched: set[str] = set()
    for number in range(12):
        name = f"S261122{chr(ord('a') + number)}"
        moment = chance.choice(("before", "before", "while it is stored", "not at all"))

        def plan(*given: Any, moment: str = moment) -> list[Intent]:
            if moment == "while it is stored":
                meddler.meddle()
                since_touched.clear()
            return planner()(*given)

        if moment == "before":
            async with _maybe_reading(database, chance.random() < 0.3):
                meddler.meddle()
                since_touched.clear()
        with suppress(StoreUnavailable):
            await factory.notices.record(decoded_notice(name), b"bytes", "hopskotch:1", NOW, plan)
            since_touched.add(name)
        if since_touched:
            assert since_touched <= stored(path), f"{name} after {meddler.did}"
        if chance.random() < 0.3:
            with suppress(StoreUnavailable):
                await check.check()
    # Whatever happened, with the files put right it goes on without a restart.
    meddler.delete_all()
    shutil.copy(meddler.copy, path)
    check = WriteCheck(database)
    await check.check()
    await record_notices(factory, decoded_notice("S261122zy"))
    assert "S261122zy" in stored(path), meddler.did
    await database.close()


class _maybe_reading:  # noqa: N801
    def __init__(self, database: Database, reads: bool) -> None:
        self._reading = database.read_transaction() if reads else None

    async def __aenter__(self) -> None:
        if self._reading is not None:
            with suppress(StoreUnavailable):
                await self._reading.__aenter__()
                return
            self._reading = None

    async def __aexit__(self, *_: object) -> None:
        if self._reading is not None:
            await self._reading.__aexit__(None, None, None)


async def test_the_wal_alone_deleted_loses_nothing(database_path: Path) -> None:
    factory = Factory(opened(database_path))
    await record_notices(factory, decoded_notice("S261122a"))
    database_path.with_name(f"{database_path.name}-wal").unlink()
    # What was acknowledged before is put into the file as soon as anybody looks.
    async with factory.database.read_transaction():
        pass
    assert stored(database_path) == {"S261122a"}
    await record_notices(factory, decoded_notice("S261122b"))
    assert stored(database_path) == {"S261122a", "S261122b"}
    await factory.database.close()


async def test_a_swap_while_a_transaction_is_open_is_noticed(database_path: Path, tmp_path: Path) -> None:
    factory = Factory(opened(database_path))
    await record_notices(factory, decoded_notice("S261122a"))
    with pytest.raises(StoreUnavailable, match="was replaced by another file"):
        async with factory.database.exclusive_transaction():
            shutil.copy(database_path, tmp_path / "new")
            (tmp_path / "new").replace(database_path)
    await factory.database.close()


async def test_another_database_is_never_written_to(database_path: Path, tmp_path: Path) -> None:
    database = opened(database_path)
    await database.migrate()
    factory = Factory(database)
    await record_notices(factory, decoded_notice("S261122a"))
    other = opened(tmp_path / "other.sqlite")
    await other.migrate()
    await record_notices(Factory(other), decoded_notice("S261122b"))
    await other.close()
    (tmp_path / "other.sqlite").replace(database_path)
    with pytest.raises(StoreUnavailable, match="Another database stands at"):
        await record_notices(factory, decoded_notice("S261122c"))
    await database.close()
    assert stored(database_path) == {"S261122b"}


async def test_readers_under_way_finish_before_a_copy_is_opened(database_path: Path, tmp_path: Path) -> None:
    database = opened(database_path)
    await database.migrate()
    factory = Factory(database)
    await record_notices(factory, decoded_notice("S261122a"))
    async with database.read_transaction():
        shutil.copy(database_path, tmp_path / "new")
        (tmp_path / "new").replace(database_path)
        taking = asyncio.create_task(record_notices(factory, decoded_notice("S261122b")))
        done, _ = await asyncio.wait([taking], timeout=0.2)
        assert not done
    await taking
    assert "S261122b" in stored(database_path)
    await database.close()


# One bot on one file


def links(path: Path, folder: Path) -> dict[str, Path]:
    """Other ways to reach the same file."""
    (folder / "link.sqlite").symlink_to(path)
    (folder / "folder").symlink_to(path.parent, target_is_directory=True)
    return {
        "symlink": folder / "link.sqlite",
        "symlink of the folder": folder / "folder" / path.name,
        "relative": Path(os.path.relpath(path)),
        "dots": path.parent / ".." / path.parent.name / path.name,
    }


async def test_second_bot_is_refused_by_any_path_to_the_database(database_path: Path, tmp_path: Path) -> None:
    first = opened(database_path)
    assert first.acquire_instance_lock()
    for how, path in links(database_path, tmp_path).items():
        second = opened(path)
        assert not second.acquire_instance_lock(), how
        assert second.why_path_is_aliased() is None, how
        await second.close()
    await first.close()


async def test_a_file_with_a_second_name_is_refused(database_path: Path, tmp_path: Path) -> None:
    (tmp_path / "second.sqlite").hardlink_to(database_path)
    for path in (database_path, tmp_path / "second.sqlite"):
        assert "hard link" in str(opened(path).why_path_is_aliased())


async def test_deleted_lock_file_is_retaken_or_the_rival_reported(database_path: Path) -> None:
    first, second = opened(database_path), opened(database_path)
    check = WriteCheck(first)
    lock = database_path.with_name(f"{database_path.name}.lock")
    assert first.acquire_instance_lock()
    lock.unlink()
    await check.check()
    assert not second.acquire_instance_lock()
    lock.unlink()
    assert second.acquire_instance_lock()
    check = WriteCheck(first)
    with pytest.raises(StoreUnavailable, match="Another gwevent runs on"):
        await check.check()
    with pytest.raises(StoreUnavailable, match="Another gwevent runs on"):
        await record_notices(Factory(first), decoded_notice())
    await second.close()
    await WriteCheck(first).check()
    await record_notices(Factory(first), decoded_notice())
    await first.close()


async def test_a_lock_that_cant_be_made_again_at_once_is_taken_later(
    database_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = opened(database_path), opened(database_path)
    lock = database_path.with_name(f"{database_path.name}.lock")
    assert first.acquire_instance_lock()
    lock.unlink()
    with monkeypatch.context() as patch:

        def full(*_: object, **__: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        patch.setattr("filelock.FileLock.acquire", full)
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="No space left"):
                first.ensure_instance_lock()
    first.ensure_instance_lock()
    assert not second.acquire_instance_lock()
    await first.close()
    await second.close()


# An empty one in the place of a filled one


async def known_database(path: Path) -> None:
    database = opened(path)
    await database.migrate()
    await subscribe(Factory(database), "CBC", "C1")
    await WriteCheck(database).check()
    await database.close()


@pytest.mark.parametrize("how", ["missing", "no bytes", "no rows"])
async def test_empty_database_replacing_a_filled_one_is_refused(how: str, tmp_path: Path) -> None:
    path = tmp_path / "gwevent.sqlite"
    await known_database(path)
    path.unlink()
    if how == "no bytes":
        path.touch()
    if how == "no rows":
        elsewhere = opened(tmp_path / "elsewhere.sqlite")
        await elsewhere.migrate()
        await elsewhere.close()
        (tmp_path / "elsewhere.sqlite").rename(path)
    before = path.read_bytes() if path.exists() else None
    again = opened(path)
    with pytest.raises(StoreUnavailable, match="a filled one was there before") as said:
        await again.migrate()
    assert str(marker_file.marker_path(path)) in str(said.value)
    assert (path.read_bytes() if path.exists() else None) == before
    # Meant so: the way that the sentence names.
    marker_file.marker_path(path).unlink()
    await again.migrate()
    await again.close()


@pytest.mark.slow
async def test_empty_database_and_filled_copy_are_accepted(tmp_path: Path) -> None:
    path = tmp_path / "gwevent.sqlite"
    for _ in range(2):
        database = opened(path)
        await database.migrate()
        await WriteCheck(database).check()
        await database.close()
        path.unlink()
    await known_database(path)
    shutil.copy(path, tmp_path / "backup")
    path.unlink()
    (tmp_path / "backup").rename(path)
    database = opened(path)
    await database.migrate()
    await database.close()


@pytest.mark.parametrize("pooled", [1, 4])
async def test_a_file_that_was_read_only_is_written_when_it_no_longer_is(
    pooled: int, database_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite opens a file that can't be written for reading alone, and such a connection stays so."""
    database, read_only = opened(database_path), True
    connect: Callable[..., sqlite3.Connection] = sqlite3.connect

    def connect_as_allowed(path: str, **options: Any) -> sqlite3.Connection:
        # Root may write any file, so the mode is asked for.
        return connect(path.replace("mode=rw", "mode=ro") if read_only else path, **options)

    monkeypatch.setattr(sqlite3, "connect", connect_as_allowed)

    async def read() -> None:
        async with database.read_transaction() as connection:
            await connection.execute(text("SELECT 1"))
            await asyncio.sleep(0.05)

    await asyncio.gather(*(read() for _ in range(pooled)))
    with pytest.raises(StoreUnavailable, match="readonly"):
        await record_notices(Factory(database), decoded_notice())
    read_only = False
    for number in range(pooled):
        await record_notices(Factory(database), decoded_notice(minutes=number))
    assert await Factory(database).notices.recent_ids() == [decoded_notice().superevent_id]
    await database.close()


@pytest.mark.parametrize("code", sorted(set(range(1, 27)) - engine.PASSING_ERRORS))
async def test_an_error_of_the_file_is_not_kept_with_its_connection(
    code: int, database_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = opened(database_path)
    bad: list[object] = []
    execute = BufferedCursor.execute

    async def execute_or_fail(self: BufferedCursor, *given: Any) -> BufferedCursor:
        if self._connection in bad:
            error = sqlite3.OperationalError("the file can't do that")
            error.sqlite_errorcode = code | 0x100
            raise error
        return await execute(self, *given)

    async with database.read_transaction() as connection:
        raw = await connection.get_raw_connection()
        bad.append(raw.driver_connection)
    monkeypatch.setattr(BufferedCursor, "execute", execute_or_fail)
    with pytest.raises(StoreUnavailable):
        await record_notices(Factory(database), decoded_notice())
    await record_notices(Factory(database), decoded_notice())
    await database.close()


@pytest.mark.parametrize(
    ("kind", "may_lie_in_the_file"),
    [
        (sqlite3.OperationalError, True),
        (sqlite3.DatabaseError, True),
        (sqlite3.IntegrityError, False),
        (sqlite3.DataError, False),
        (sqlite3.ProgrammingError, False),
        (ValueError, False),
    ],
)
def test_any_error_but_those_that_pass_opens_the_file_anew(
    kind: type[Exception], may_lie_in_the_file: bool
) -> None:
    for code in range(1, 256):
        error: Any = kind("an error")
        error.sqlite_errorcode = code | 0x200
        opens_anew = may_lie_in_the_file and code not in engine.PASSING_ERRORS
        assert engine.needs_reopening(error) is opens_anew, code
