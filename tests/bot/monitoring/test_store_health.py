"""A database that accepts no writes is never reported as healthy: full, read-only, or replaced."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from psycopg import sql
from sqlalchemy import delete, event, make_url, text
from structlog.testing import capture_logs

from bot.app.factory import Factory
from bot.monitoring import monitor
from bot.monitoring.monitor import HealthInputs, HealthMonitor, MonitoredStore
from bot.monitoring.rules import Thresholds, is_disk_nearly_full
from bot.runtime.wakeups import Wakeups
from bot.sources.base import SourceStatus
from bot.store import schema, write_check
from bot.store.database import Database, StoreUnavailable
from bot.store.operations import source_heartbeats
from bot.store.write_check import WriteCheck
from formatters.models.incident import IncidentKind
from tests.support.factories import Clock, decoded_notice, record_notices
from tests.support.postgres import Databases, with_driver
from tests.support.waiting import wait_until

PATIENCE_S = 60.0


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Disable the caches of the write check."""
    monkeypatch.setattr(write_check, "FAILURE_CACHED_S", 0.0)
    monkeypatch.setattr(write_check, "WRITE_TRUSTED_S", 0.0)


def watch_of(
    factory: Factory, clock: Clock, source: SourceStatus | None = None, **more: object
) -> HealthMonitor:
    return HealthMonitor(
        MonitoredStore(factory.notices, factory.outbox_statistics, factory.incidents, factory.write_check),
        HealthInputs(
            source_statuses=lambda: [source or SourceStatus("hopskotch", True, "reads", 0)],
            count_workers=factory.leases.count_workers,
        ),
        clock,
        wakeups=Wakeups(),
        **more,  # type: ignore[arg-type]
    )


async def figures(watch: HealthMonitor) -> dict[str, float]:
    lines = (await watch.metrics()).decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


async def expect_out(watch: HealthMonitor, clock: Clock) -> None:
    """Check that readiness, metrics and log report the outage: at once, and as an incident after a minute."""
    assert not (await watch.readiness()).ready
    assert (await figures(watch))["gwevent_store_up"] == 0
    for _ in range(8):
        clock.advance(seconds=10)
        await watch.check()
    assert (await figures(watch))['gwevent_trouble{what="store"}'] == 1


async def expect_well(watch: HealthMonitor, clock: Clock, factory: Factory) -> None:
    """Check that the store is reported as back and the incident as resolved."""
    readiness = await watch.readiness()
    assert readiness.ready, readiness.parts
    clock.advance(seconds=10)
    await watch.check()
    assert [trouble.kind for trouble in await factory.incidents.open_incidents()] == [IncidentKind.STORE]
    found = await figures(watch)
    assert found["gwevent_store_up"] == 1
    assert found['gwevent_trouble{what="store"}'] == 0, "it is over, though not told so yet"
    for _ in range(6):
        clock.advance(seconds=10)
        await watch.check()
    assert await factory.incidents.open_incidents() == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 16 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"mounting a disk takes root on Linux: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
async def narrow(small_disk: Path) -> AsyncIterator[Factory]:
    """A database on that disk."""
    database = Database(f"sqlite+aiosqlite:///{small_disk / 'gwevent.sqlite'}")
    await database.migrate()
    yield Factory(database)
    await database.close()


def fill(folder: Path, leave: int) -> Path:
    filling = folder / "filling"
    free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    filling.write_bytes(bytes(free - leave))
    return filling


async def test_a_full_disk(narrow: Factory, small_disk: Path, clock: Clock) -> None:
    factory = narrow
    watch = watch_of(factory, clock)
    assert (await watch.readiness()).ready
    filling = fill(small_disk, 0)
    with pytest.raises(StoreUnavailable, match="full"):
        await factory.notices.record(
            decoded_notice(), bytes(1_000_000), "hopskotch:1", clock(), lambda *_: []
        )
    await expect_out(watch, clock)
    # Room for a small row isn't room for a notice.
    filling.unlink()
    filling = fill(small_disk, 100_000)
    assert not (await watch.readiness()).ready
    filling.unlink()
    await expect_well(watch, clock, factory)


async def test_low_disk_space_opens_an_incident_before_it_is_full(
    narrow: Factory, small_disk: Path, clock: Clock
) -> None:
    factory = narrow
    watch = watch_of(factory, clock, thresholds=Thresholds(free_bytes=50_000_000))
    watch.record_payload()
    await watch.check()
    assert await factory.incidents.open_incidents() == [], "of a small disk a tenth is enough"
    filling = fill(small_disk, 500_000)
    await watch.check()
    (trouble,) = await factory.incidents.open_incidents()
    assert (trouble.kind, trouble.detail) == (IncidentKind.SPACE, "0 MB free")
    found = await figures(watch)
    assert 0 < found["gwevent_store_free_bytes"] <= 500_000 and found["gwevent_store_bytes"] > 0
    assert found['gwevent_trouble{what="space"}'] == 1
    filling.unlink()
    for _ in range(6):
        clock.advance(seconds=10)
        await watch.check()
    assert await factory.incidents.open_incidents() == []


def test_when_room_is_little() -> None:
    limits = Thresholds(free_bytes=500)
    assert not is_disk_nearly_full(None, None, limits)
    assert is_disk_nearly_full(499, 100_000, limits) and not is_disk_nearly_full(500, 100_000, limits)
    assert is_disk_nearly_full(510, 100_000, limits, was_nearly_full=True) and not is_disk_nearly_full(
        560, 100_000, limits, was_nearly_full=True
    )
    assert is_disk_nearly_full(99, 1_000, limits) and not is_disk_nearly_full(100, 1_000, limits)
    assert not is_disk_nearly_full(0, 1_000, Thresholds(free_bytes=0))


@pytest.mark.backends("sqlite")
async def test_a_read_only_file(factory: Factory, clock: Clock) -> None:
    read_only = False

    @event.listens_for(factory.database._engine.sync_engine, "checkout")
    def freeze(connection: sqlite3.Connection, *_: object) -> None:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA query_only={'ON' if read_only else 'OFF'}")
        cursor.close()

    watch = watch_of(factory, clock)
    assert (await watch.readiness()).ready
    read_only = True
    await expect_out(watch, clock)
    read_only = False
    await expect_well(watch, clock, factory)


async def test_a_file_that_is_gone(factory: Factory, database_path: Path, clock: Clock) -> None:
    watch = watch_of(factory, clock)
    assert (await watch.readiness()).ready
    database_path.rename(database_path.with_name("elsewhere"))
    assert "is gone" in (await watch.readiness()).parts["store"]
    await expect_out(watch, clock)
    database_path.with_name("elsewhere").rename(database_path)
    await expect_well(watch, clock, factory)


async def test_an_idle_bot_writes_seldom(
    factory: Factory, database_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_check, "WRITE_TRUSTED_S", 3600.0)
    watch = watch_of(factory, clock)
    await watch.readiness()
    wal = database_path.with_name(f"{database_path.name}-wal")
    size = wal.stat().st_size
    for _ in range(20):
        await watch.readiness()
        await watch.metrics()
        await watch.check()
    assert wal.stat().st_size == size


# PostgreSQL


@pytest.fixture
async def own(postgres: Databases, migrated_postgres: str) -> AsyncIterator[Factory]:
    """A PostgreSQL database of its own, whose settings the test may change."""
    factory = Factory(Database(with_driver(postgres.create(migrated_postgres))))
    yield factory
    await factory.database.close()


async def set_read_only(factory: Factory, *, read_only: bool) -> None:
    """Make the database read-only for existing and new connections, as after a failover."""
    import psycopg

    url = factory.database._url.set(drivername="postgresql").render_as_string(hide_password=False)
    name = make_url(url).database or ""
    with psycopg.connect(url, autocommit=True, options="-c default_transaction_read_only=off") as connection:
        value = sql.Literal("on" if read_only else "off")
        connection.execute(
            sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = {}").format(
                sql.Identifier(name), value
            )
        )


@pytest.mark.slow
async def test_postgresql_that_became_read_only_and_its_successor(own: Factory, clock: Clock) -> None:
    watch = watch_of(own, clock)
    await own.leases.heartbeat({"T1"})
    assert (await watch.readiness()).ready
    await set_read_only(own, read_only=True)
    await own.database._engine.dispose()
    await expect_out(watch, clock)
    # Those who are connected keep to the server that takes no writes; new connections find the one that does.
    await set_read_only(own, read_only=False)
    await expect_well(watch, clock, own)
    await record_notices(own, decoded_notice())


@pytest.mark.slow
async def test_consumers_are_not_silent_because_the_store_was(own: Factory) -> None:
    reads = SourceStatus("hopskotch", True, "reads", 0)
    await own.source_heartbeats.record("a", [reads])
    async with own.database.exclusive_transaction() as connection:
        await connection.execute(text("UPDATE consumers SET seen_at = seen_at - interval '1 hour'"))
    await set_read_only(own, read_only=True)
    await own.database._engine.dispose()
    with pytest.raises(StoreUnavailable):
        await own.source_heartbeats.record("a", [reads])
    assert await own.source_heartbeats.statuses() == [reads]
    await set_read_only(own, read_only=False)
    await own.write_check.check()
    assert await own.source_heartbeats.statuses() == [reads], "it gets its time anew"
    assert own.source_heartbeats._store_back_at is not None
    own.source_heartbeats._store_back_at -= source_heartbeats.SILENT_AFTER
    (silent,) = await own.source_heartbeats.statuses()
    assert not silent.connected


@pytest.mark.slow
async def test_consumer_without_worker_opens_an_incident(own: Factory, clock: Clock) -> None:
    """A consumer opens an incident if no `gwevent serve` process is alive."""
    watch = watch_of(own, clock)
    watch.record_payload()
    for _ in range(20):
        await own.leases.heartbeat({"T1"})
        clock.advance(seconds=10)
        await watch.check()
    assert await own.incidents.open_incidents() == []
    assert (await figures(watch))["gwevent_workers"] == 1
    async with own.database.exclusive_transaction() as connection:
        await connection.execute(text("DELETE FROM workers"))
    for _ in range(8):
        clock.advance(seconds=10)
        await watch.check()
    assert [trouble.kind for trouble in await own.incidents.open_incidents()] == [IncidentKind.WORKERS]
    assert (await figures(watch))["gwevent_workers"] == 0


async def test_source_recovering_during_a_store_outage_starts_a_new_incident(
    factory: Factory, database_path: Path, clock: Clock
) -> None:
    source = SourceStatus("hopskotch", False, "no answer")
    watch = HealthMonitor(
        MonitoredStore(factory.notices, factory.outbox_statistics, factory.incidents, factory.write_check),
        HealthInputs(source_statuses=lambda: [source]),
        clock,
        wakeups=Wakeups(),
    )
    watch.record_payload()
    await watch.check()
    database_path.rename(database_path.with_name("elsewhere"))
    source = SourceStatus("hopskotch", True, "reads", 0)
    for _ in range(8):
        clock.advance(seconds=10)
        await watch.check()
    database_path.with_name("elsewhere").rename(database_path)
    source = SourceStatus("hopskotch", False, "no answer")
    await watch.check()
    assert [trouble.kind for trouble in await factory.incidents.open_incidents()] == [IncidentKind.STORE]


@pytest.mark.backends("postgresql")
async def test_processes_that_start_at_once_all_find_that_the_store_is_well(
    factory: Factory, database_url: str
) -> None:
    others = [Database(database_url) for _ in range(4)]
    try:
        for _ in range(5):
            async with factory.database.exclusive_transaction() as connection:
                await connection.execute(delete(schema.write_checks))
            await asyncio.gather(*(WriteCheck(other).check() for other in others))
            for other in others:
                other.last_commit_monotonic = None
    finally:
        for other in others:
            await other.close()


async def test_an_outage_of_the_store_is_logged_once(
    factory: Factory, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is logged while it can't be stored, and stored afterwards."""

    async def fail() -> None:
        raise StoreUnavailable("The disk is gone.")

    watch = watch_of(factory, clock)
    with capture_logs() as logged:
        with monkeypatch.context() as patched:
            patched.setattr(factory.write_check, "check", fail)
            for _ in range(3):
                await watch.check()
                clock.advance(minutes=10)
        for _ in range(3):
            await watch.check()
            clock.advance(minutes=1)
    told = [line["event"] for line in logged if line.get("what") == "store"]
    assert told == ["incident_opened", "incident_resolved"]


@pytest.mark.backends("sqlite", "postgresql")
async def test_a_store_that_neither_answers_nor_fails_is_an_outage(
    factory: Factory, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that hangs or a server that is frozen: nothing of it can be cancelled."""
    monkeypatch.setattr(monitor, "CHECK_TIMEOUT_S", 0.02)
    monkeypatch.setattr(monitor, "CHECK_INTERVAL_S", 0.01)
    answers = asyncio.Event()
    answers.set()
    look = factory.write_check.check

    async def check() -> None:
        while not answers.is_set():
            with suppress(asyncio.CancelledError):
                await answers.wait()
        await look()

    monkeypatch.setattr(factory.write_check, "check", check)
    watch = watch_of(factory, clock)
    running = asyncio.create_task(watch.run())
    try:
        await wait_until(lambda: watch.last_check is not None)
        answers.clear()
        with capture_logs() as logged:

            def was_told(name: str) -> str | None:
                clock.advance(seconds=10)
                said = (line for line in logged if line["event"] == name and line["what"] == "store")
                return next((str(line.get("summary", name)) for line in said), None)

            opened = await wait_until(lambda: was_told("incident_opened"))
            assert "no answer for" in str(opened)
            assert watch.last_check is not None and watch.last_check.open_kinds == {IncidentKind.STORE}
            answers.set()
            await wait_until(lambda: was_told("incident_resolved"))
    finally:
        answers.set()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
