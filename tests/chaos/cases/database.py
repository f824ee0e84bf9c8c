"""Cases in which the database is locked, full or missing: no notice is acknowledged before it is stored."""

from __future__ import annotations

import asyncio
import resource
import shutil
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import aiohttp

from tests.chaos.harness import TIMEOUT_S, CaseUnsupported, ChaosHarness
from tests.support.bot_process import GROUP, TOPIC

WAITS = "store_unavailable subsystem=ingest"
HELD_S = 8.0


async def locked(chaos: ChaosHarness) -> None:
    """Another process holds the database's lock for longer than is waited for it."""
    await chaos.start_working(channels=2)
    with hold_write_lock(chaos.deployment.database):
        await chaos.publish(4)
        await chaos.wait_until_logged(WAITS)
        await chaos.check_acknowledged()
    await chaos.wait_until_delivered()


async def locked_and_killed(chaos: ChaosHarness) -> None:
    """The same, and the bot is killed while it waits."""
    await chaos.start_working(channels=2)
    with hold_write_lock(chaos.deployment.database):
        await chaos.publish(4)
        await chaos.wait_until_logged(WAITS)
        await chaos.kill()
    chaos.start()
    await chaos.wait_until_delivered()


async def full(chaos: ChaosHarness) -> None:
    """The database is full (`PRAGMA max_page_count`), then there is room again."""
    await chaos.start_working(channels=2)
    narrow = Path(chaos.tuning.full_marker)
    narrow.touch()
    # Some writes may still fit into existing pages.
    await chaos.publish(20)
    await chaos.wait_until_logged(WAITS, times=2)
    assert any("full" in line["reason"] for line in chaos.bot.logged_events(WAITS))
    await chaos.check_acknowledged()
    narrow.unlink()
    await chaos.wait_until_delivered()


async def disk_full(chaos: ChaosHarness) -> None:
    """The disk takes nothing more: every write of the bot's fails (RLIMIT_FSIZE)."""
    await chaos.start_working(channels=2)
    _, most = resource.prlimit(chaos.bot.pid, resource.RLIMIT_FSIZE)
    stored = chaos.deployment.stored_count()
    resource.prlimit(chaos.bot.pid, resource.RLIMIT_FSIZE, (0, most))
    await chaos.publish(4)
    await asyncio.sleep(HELD_S)
    assert chaos.deployment.stored_count() == stored
    await chaos.check_acknowledged()
    resource.prlimit(chaos.bot.pid, resource.RLIMIT_FSIZE, (most, most))
    await chaos.wait_until_delivered()


async def restarted(chaos: ChaosHarness) -> None:
    """The database goes away under the bot and comes back: its files, as when a volume is mounted anew."""
    await chaos.start_working(channels=2)
    stored = chaos.deployment.stored_count()
    files = [
        path for path in chaos.deployment.folder.glob("gwevent.sqlite*") if not path.name.endswith(".lock")
    ]
    elsewhere = chaos.deployment.folder / "elsewhere"
    elsewhere.mkdir()
    for path in files:
        path.rename(elsewhere / path.name)
    await chaos.publish(4)
    await asyncio.sleep(HELD_S)
    for path in files:
        path.unlink(missing_ok=True)
        (elsewhere / path.name).rename(path)
    assert chaos.deployment.stored_count() >= stored
    await chaos.check_acknowledged()
    await chaos.wait_until_delivered()


async def disk_really_full(chaos: ChaosHarness) -> None:
    """Fill a small mounted disk: the bot must not be ready, and must acknowledge nothing."""
    disk = chaos.deployment.folder / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", disk], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        raise CaseUnsupported(f"no disk can be mounted here, which takes root ({mounted.stderr.strip()})")
    chaos.exit_stack.callback(_unmount, disk)
    # All other processes access it through a symbolic link.
    chaos.deployment.database.symlink_to(disk / "gwevent.sqlite")
    chaos.grant_history()
    await chaos.open_channels(2)
    chaos.start(GWEVENT_HTTP_PORT=str(port := _free_port()))
    await chaos.wait_until_ready()
    await chaos.publish(3)
    await chaos.wait_until_delivered()
    assert await _get(port, "readyz") == 200
    filling = disk / "filling"
    filling.write_bytes(bytes(shutil.disk_usage(disk).free))
    await chaos.publish(20)
    await chaos.wait_until_logged(WAITS, times=2)
    assert any("full" in line["reason"] for line in chaos.bot.logged_events(WAITS))
    assert await _get(port, "readyz") == 503
    await chaos.check_acknowledged()
    filling.unlink()
    await chaos.wait_until_delivered()
    await _wait_for_readiness(port, 200)


async def swapped(chaos: ChaosHarness) -> None:
    """The database's file is deleted, replaced by an empty one, and by an older copy, at any moment."""
    await chaos.start_working(channels=2, GWEVENT_HTTP_PORT=str(port := _free_port()))
    files = [chaos.deployment.database.with_name(f"gwevent.sqlite{end}") for end in ("", "-wal", "-shm")]
    for way in chaos.rng.sample(["deleted", "emptied", "foreign"], 3):
        # The copy has everything that was posted, so using it loses nothing.
        await chaos.wait_until_delivered()
        copy = chaos.deployment.folder / "copy.sqlite"
        with (
            closing(sqlite3.connect(chaos.deployment.database)) as now,
            closing(sqlite3.connect(copy)) as then,
        ):
            now.backup(then)
        for path in files:
            path.unlink(missing_ok=True)
        if way == "emptied":
            chaos.deployment.database.touch()
        elif way == "foreign":
            chaos.deployment.database.write_bytes(b"no database" * 1_000)
        await chaos.publish(4)
        # Not the log: a loaded bot may see one swap as two changes, and the log holds back a fourth line.
        await _wait_for_readiness(port, 503)
        await asyncio.sleep(chaos.rng.uniform(1.0, 3.0))
        acknowledged = await asyncio.to_thread(chaos.broker.committed, GROUP, TOPIC)
        for path in files:
            path.unlink(missing_ok=True)
        copy.rename(chaos.deployment.database)
        held = chaos.deployment.stored_count()
        notices = len({body for offset, body in chaos.offsets.items() if offset < acknowledged})
        assert notices <= held, f"{way}: {notices} are acknowledged, the copy holds {held}"
        await chaos.wait_until_delivered()


async def emptied_and_restarted(chaos: ChaosHarness) -> None:
    """A start with an empty file where a filled one was is refused before anything is read."""
    await chaos.start_working(channels=2)
    assert await chaos.bot.terminate() == 0
    database, elsewhere = chaos.deployment.database, chaos.deployment.folder / "elsewhere.sqlite"
    database.rename(elsewhere)
    await chaos.publish(3)
    before = await asyncio.to_thread(chaos.broker.committed, GROUP, TOPIC)
    for there in (False, True):
        if there:
            database.touch()
        bot = chaos.start()
        assert await bot.wait_for_exit() == 2
        assert "a filled one was there before" in bot.stderr
    assert await asyncio.to_thread(chaos.broker.committed, GROUP, TOPIC) == before
    elsewhere.replace(database)
    chaos.start()
    await chaos.wait_until_delivered()


async def linked(chaos: ChaosHarness) -> None:
    """A second bot on the same file by another name is refused, whatever the name."""
    await chaos.start_working(channels=2)
    first, folder = chaos.bot, chaos.deployment.folder
    (folder / "link.sqlite").symlink_to(chaos.deployment.database)
    (folder / "folder").symlink_to(folder, target_is_directory=True)
    (folder / "second.sqlite").hardlink_to(chaos.deployment.database)
    for name in ("link.sqlite", "folder/gwevent.sqlite", "second.sqlite"):
        second = chaos.start(GWEVENT_DATABASE_URL=f"sqlite:///{folder / name}")
        assert await second.wait_for_exit() == 2, name
        assert "already" in second.stderr or "hard link" in second.stderr
        chaos.deployment.processes.remove(second)
    assert chaos.bot is first
    (folder / "second.sqlite").unlink()
    await chaos.publish(4)
    await chaos.wait_until_delivered()


def _unmount(disk: Path) -> None:
    subprocess.run(["umount", "-l", str(disk)], check=True)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


async def _wait_for_readiness(port: int, status: int) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        while await _get(port, "readyz") != status:
            await asyncio.sleep(0.2)


async def _get(port: int, path: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/{path}") as answer:
        return answer.status


@contextmanager
def hold_write_lock(database: Path) -> Iterator[None]:
    """Hold the lock that every writer needs."""
    connection = sqlite3.connect(database, timeout=60, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
    finally:
        connection.close()
