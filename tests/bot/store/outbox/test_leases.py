"""Many workers on one PostgreSQL: each workspace has one, and what a dead one had goes to the others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import ColumnElement, text

from bot.app.factory import Factory
from bot.store.database import Database
from bot.store.outbox import leases as shares_module
from bot.store.outbox.images import ImageRepository
from bot.store.outbox.leases import LEASE, SINGLETON_JOBS, WorkerLeases
from bot.store.outbox.models import Delivered, Retry
from tests.support.factories import NOW, TEAM, made, planner, subscribe, take

TEAMS = frozenset(f"T{number}" for number in range(9))

pytestmark = pytest.mark.backends("postgresql")


@pytest.fixture
async def others(database_url: str) -> AsyncIterator[Sequence[Factory]]:
    """Two further processes on the same database."""
    made_ = [Factory(Database(database_url)) for _ in range(2)]
    yield made_
    for one in made_:
        await one.database.close()


async def run(rooms: Factory, statement: str) -> None:
    async with rooms.database.independent_transaction() as connection:
        await connection.execute(text(statement))


async def dies(rooms: Factory) -> None:
    """Its last sign of life is long past, as the others see it."""
    past = "clock_timestamp() - interval '1 second'"
    await run(rooms, f"UPDATE workers SET alive_until = {past} WHERE id = '{rooms.shares.worker_id}'")


def held(rooms: Factory) -> set[str]:
    return {name for name in (*TEAMS, *SINGLETON_JOBS) if rooms.shares.holds(name)}


async def test_each_workspace_has_one_worker_and_a_newcomer_gets_its_part(
    rooms: Factory, others: Sequence[Factory]
) -> None:
    assert await rooms.shares.heartbeat(TEAMS) == TEAMS | SINGLETON_JOBS
    everybody = [rooms, *others]
    for one in others:
        for _ in range(2):
            for each in everybody[: everybody.index(one) + 1]:
                await each.shares.heartbeat(TEAMS)
    parts = [held(one) for one in everybody]
    assert sum(map(len, parts)) == len(TEAMS | SINGLETON_JOBS) and set.union(*parts) == TEAMS | SINGLETON_JOBS
    assert max(len(part - SINGLETON_JOBS) for part in parts) == 3
    for one in everybody:
        assert await one.shares.heartbeat(TEAMS) == frozenset(), "once shared out, it stays so"


async def test_what_a_dead_worker_had_goes_to_the_living(rooms: Factory, others: Sequence[Factory]) -> None:
    survivor, _ = others
    await rooms.shares.heartbeat(TEAMS)
    await survivor.shares.heartbeat(TEAMS)
    assert held(survivor) == set() and await survivor.shares.another_lives()
    await dies(rooms)
    assert await survivor.shares.heartbeat(TEAMS) == TEAMS | SINGLETON_JOBS
    assert not await survivor.shares.another_lives()
    before = rooms.shares.worker_id
    assert await rooms.shares.heartbeat(TEAMS) == frozenset(), "it wakes up, and it's too late"
    assert held(rooms) == set() and rooms.shares.worker_id != before


async def test_who_leaves_gives_back_at_once(rooms: Factory, others: Sequence[Factory]) -> None:
    await rooms.shares.heartbeat(TEAMS)
    await others[0].shares.heartbeat(TEAMS)
    await rooms.shares.release_all()
    assert not rooms.shares.alive and held(rooms) == set()
    assert await others[0].shares.heartbeat(TEAMS) == TEAMS | SINGLETON_JOBS


async def test_a_workspace_that_only_one_can_serve_is_served(
    rooms: Factory, others: Sequence[Factory]
) -> None:
    await others[0].shares.heartbeat({"T0"})
    await rooms.shares.heartbeat(TEAMS)
    missing = TEAMS - held(rooms) - held(others[0])
    assert missing, "half of all were left to the other"
    await run(rooms, "UPDATE leases SET since = since - interval '1 minute' WHERE worker_id IS NULL")
    await rooms.shares.heartbeat(TEAMS)
    assert TEAMS - held(others[0]) <= held(rooms)


async def test_without_workspaces_nobody_is_a_worker(rooms: Factory) -> None:
    await rooms.shares.heartbeat(frozenset())
    assert not rooms.shares.alive
    await rooms.shares.heartbeat({"T1"})
    await rooms.shares.heartbeat({"T2"})
    assert held(rooms) == {"T2", *SINGLETON_JOBS}, "one that is gone isn't kept"
    await rooms.shares.heartbeat(frozenset())
    assert not rooms.shares.alive


async def test_claims_are_made_for_ones_own_workspaces(rooms: Factory, others: Sequence[Factory]) -> None:
    other, _ = others
    for team in ("T1", "T2"):
        await subscribe(rooms, "CBC", "C1", team=team)
    await take(rooms, made())
    await rooms.shares.heartbeat({"T1"})
    await other.shares.heartbeat({"T2"})
    assert await others[1].ledger.claim(NOW, 10) == [], "without a lease nothing is claimed"
    assert [d.team_id for d in await rooms.ledger.claim(NOW, 10)] == ["T1"]
    assert [d.team_id for d in await other.ledger.claim(NOW, 10)] == ["T2"]


async def test_what_a_living_worker_sends_is_left_alone(rooms: Factory, others: Sequence[Factory]) -> None:
    other, _ = others
    await subscribe(rooms, "CBC", "C1")
    await take(rooms, made())
    await rooms.shares.heartbeat({TEAM})
    (claimed,) = await rooms.ledger.claim(NOW, 10)
    await other.shares.heartbeat({TEAM})
    assert (
        await other.ledger.requeue_stalled() == 0
        and await other.ledger.requeue_stalled_of_dead_workers() == 0
    )
    await dies(rooms)
    await other.shares.heartbeat({TEAM})
    assert await other.ledger.requeue_stalled_of_dead_workers() == 1
    (again,) = await other.ledger.claim(NOW, 10)
    assert (again.id, again.maybe_sent) == (claimed.id, True)
    # The first comes to, and knows an outcome: it isn't the one that counts.
    await rooms.ledger.record_outcomes([(claimed, Retry(not_before=NOW, reason="too late"))], NOW)
    await other.ledger.record_outcomes([(again, Delivered(ts="7.7", revision=1))], NOW)
    await rooms.ledger.record_outcomes([(claimed, Delivered(ts="6.6", revision=1))], NOW)
    async with rooms.database.read_transaction() as connection:
        rows = await connection.execute(text("SELECT state, ts, reason FROM deliveries"))
        assert [tuple(row) for row in rows] == [("sent", "7.7", None)]


async def test_a_worker_that_comes_to_says_what_stands_before_another_says_it_again(
    rooms: Factory, others: Sequence[Factory]
) -> None:
    other, _ = others
    await subscribe(rooms, "CBC", "C1", "C2")
    await take(rooms, made())
    await rooms.shares.heartbeat({TEAM})
    first, second = await rooms.ledger.claim(NOW, 10)
    await other.shares.heartbeat({TEAM})
    await dies(rooms)
    await other.shares.heartbeat({TEAM})
    assert await other.ledger.requeue_stalled_of_dead_workers() == 2
    # It was heard, and the answer came after a pause; nobody has begun to send it again.
    await rooms.ledger.record_outcomes([(first, Delivered(ts="5.5", revision=1))], NOW)
    await rooms.ledger.record_outcomes([(second, Retry(not_before=NOW, reason="too late"))], NOW)
    (again,) = await other.ledger.claim(NOW, 10)
    assert (again.id, again.maybe_sent) == (second.id, True)
    async with rooms.database.read_transaction() as connection:
        rows = await connection.execute(text("SELECT state, ts, reason FROM deliveries ORDER BY id"))
        assert [tuple(row) for row in rows] == [("sent", "5.5", None), ("sending", None, None)]


async def test_a_worker_finds_again_what_it_had_claimed_itself(rooms: Factory) -> None:
    await subscribe(rooms, "CBC", "C1")
    await take(rooms, made())
    await rooms.shares.heartbeat({TEAM})
    await rooms.ledger.claim(NOW, 10)
    assert await rooms.ledger.requeue_stalled() == 1


async def test_a_picture_is_drawn_by_the_workspaces_own_worker(
    rooms: Factory, others: Sequence[Factory]
) -> None:
    await subscribe(rooms, "CBC", "C1")
    await rooms.store.record(made(), b"bytes", "test:1", NOW, planner())
    await run(
        rooms,
        "INSERT INTO pictures (team_id, superevent_id, notice_id, state, attempts, not_before, created_at) "
        f"SELECT '{TEAM}', superevent_id, id, 'wanted', 0, received_at, received_at FROM notices",
    )
    await rooms.shares.heartbeat({TEAM})
    assert await others[0].pictures.next_wanted(NOW) is None
    job = await rooms.pictures.next_wanted(NOW)
    assert job is not None
    assert await rooms.pictures.uploaded(job, "F1", "a map", NOW)
    late = ImageRepository(others[0].database, WorkerLeases(others[0].database))
    assert not await late.uploaded(job, "F2", "a map", NOW), "one of two uploads is kept"


class Time:
    """Counts for the machine and for the database, told apart."""

    def __init__(self, patch: pytest.MonkeyPatch, *everybody: Factory) -> None:
        self.passed, self.wrong_by = 0.0, 0.0
        real_now, real_count = shares_module._now, everybody[0].shares._elapsed

        def now() -> ColumnElement[Any]:
            return real_now() + timedelta(seconds=self.passed + self.wrong_by)

        patch.setattr(shares_module, "_now", now)
        for one in everybody:
            one.shares._elapsed = lambda: real_count() + self.passed


async def test_a_worker_counts_its_own_lease(
    rooms: Factory, others: Sequence[Factory], monkeypatch: pytest.MonkeyPatch
) -> None:
    time = Time(monkeypatch, rooms, *others)
    await rooms.shares.heartbeat(TEAMS)
    name = rooms.shares.worker_id
    time.passed = LEASE.total_seconds() - 1.0
    assert held(rooms) == TEAMS | SINGLETON_JOBS and rooms.shares.still_ours(name)
    time.passed = LEASE.total_seconds() + 0.1
    assert held(rooms) == set() and not rooms.shares.still_ours(name)
    await others[0].shares.heartbeat(TEAMS)
    assert held(others[0]) == TEAMS | SINGLETON_JOBS
    await rooms.shares.heartbeat(TEAMS)
    assert not rooms.shares.still_ours(name), "what it claimed before is another's"


@pytest.mark.parametrize("wrong_by", [5.0, 3_600.0, 90_000.0, 2.6e6, -5.0, -3_600.0, -90_000.0, -2.6e6])
async def test_a_database_whose_clock_jumps_takes_nobody_for_dead(
    rooms: Factory, others: Sequence[Factory], monkeypatch: pytest.MonkeyPatch, wrong_by: float
) -> None:
    other, newcomer = others
    time = Time(monkeypatch, rooms, *others)
    await subscribe(rooms, "CBC", "C1")
    await take(rooms, made())
    await rooms.shares.heartbeat({TEAM})
    await other.shares.heartbeat({TEAM})
    (claimed,) = await rooms.ledger.claim(NOW, 10)
    name = rooms.shares.worker_id
    time.passed, time.wrong_by = 1.0, wrong_by
    assert await other.shares.heartbeat({TEAM}) == frozenset()
    assert await other.ledger.requeue_stalled_of_dead_workers() == 0
    await rooms.shares.heartbeat({TEAM})
    assert rooms.shares.worker_id == name and rooms.shares.still_ours(claimed.claimed_by)
    # From now on the new clock is as good as the old one was.
    for _ in range(10):
        time.passed += 1.0
        await rooms.shares.heartbeat({TEAM})
        assert await other.shares.heartbeat({TEAM}) == frozenset()
    for _ in range(8):
        time.passed += 1.0
        await other.shares.heartbeat({TEAM})
    assert other.shares.holds(TEAM) and await other.ledger.requeue_stalled_of_dead_workers() == 1
    await newcomer.shares.heartbeat({TEAM})
    assert other.shares.worker_id != newcomer.shares.worker_id


async def test_the_sign_of_a_worker_that_died_before_the_clock_was_set_back_is_no_sign(
    rooms: Factory, others: Sequence[Factory], monkeypatch: pytest.MonkeyPatch
) -> None:
    time = Time(monkeypatch, rooms, *others)
    await rooms.shares.heartbeat({TEAM})
    time.wrong_by = -2.6e6
    for _ in range(9):
        time.passed += 1.0
        await others[0].shares.heartbeat({TEAM})
    assert others[0].shares.holds(TEAM), "else the workspace would be nobody's for a month"
