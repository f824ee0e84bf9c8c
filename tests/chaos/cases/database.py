"""The database locked, full, and away: a notice isn't acknowledged until it is stored."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.chaos.world import Chaos

WAITS = "notice_waits_for_store"
HELD_S = 8.0


async def begin(chaos: Chaos) -> None:
    """A bot at work that has stored already."""
    chaos.grant_history()
    await chaos.open_channels(2)
    chaos.start()
    await chaos.ready()
    await chaos.publish(3)
    await chaos.settled()


async def locked(chaos: Chaos) -> None:
    """Another process holds the database's lock for longer than is waited for it."""
    await begin(chaos)
    with held(chaos.world.database):
        await chaos.publish(4)
        await chaos.logged(WAITS)
        await chaos.check_acknowledged()
    await chaos.settled()


async def locked_and_killed(chaos: Chaos) -> None:
    """The same, and the bot is killed while it waits."""
    await begin(chaos)
    with held(chaos.world.database):
        await chaos.publish(4)
        await chaos.logged(WAITS)
        await chaos.kill()
    chaos.start()
    await chaos.settled()


async def full(chaos: Chaos) -> None:
    """The database is full (`PRAGMA max_page_count`), then there is room again."""
    await begin(chaos)
    narrow = Path(chaos.habits.narrow)
    narrow.touch()
    # Some may find room in pages that are there already.
    await chaos.publish(20)
    await chaos.logged(WAITS, times=2)
    assert any("full" in line["reason"] for line in chaos.bot.logged(WAITS))
    await chaos.check_acknowledged()
    narrow.unlink()
    await chaos.settled()


async def disk_full(chaos: Chaos) -> None:
    """The disk takes nothing more: every write of the bot's fails (RLIMIT_FSIZE)."""
    await begin(chaos)
    _, most = resource.prlimit(chaos.bot.pid, resource.RLIMIT_FSIZE)
    stored = chaos.world.stored()
    resource.prlimit(chaos.bot.pid, resource.RLIMIT_FSIZE, (0, most))
    await chaos.publish(4)
    await asyncio.sleep(HELD_S)
    assert chaos.world.stored() == stored
    await chaos.check_acknowledged()
    resource.prlimit(chaos.bot.pid, resource.RLIMIT_FSIZE, (most, most))
    await chaos.settled()


async def restarted(chaos: Chaos) -> None:
    """The database goes away under the bot and comes back: its files, as when a volume is mounted anew."""
    await begin(chaos)
    stored = chaos.world.stored()
    files = [path for path in chaos.world.folder.glob("gwevent.sqlite*") if not path.name.endswith(".lock")]
    elsewhere = chaos.world.folder / "elsewhere"
    elsewhere.mkdir()
    for path in files:
        path.rename(elsewhere / path.name)
    await chaos.publish(4)
    await asyncio.sleep(HELD_S)
    for path in files:
        path.unlink(missing_ok=True)
        (elsewhere / path.name).rename(path)
    assert chaos.world.stored() >= stored
    await chaos.check_acknowledged()
    await chaos.settled()


@contextmanager
def held(database: Path) -> Iterator[None]:
    """Hold the lock that every writer needs."""
    connection = sqlite3.connect(database, timeout=60, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
    finally:
        connection.close()
