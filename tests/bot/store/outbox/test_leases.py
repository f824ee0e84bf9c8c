"""Several workers on one PostgreSQL: each workspace has one worker; those of a dead worker are taken over."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import ColumnElement, text

from bot.app.factory import Factory
from bot.store.database import Database
from bot.store.outbox import leases
from bot.store.outbox.images import ImageRepository
from bot.store.outbox.leases import LEASE_DURATION, SINGLETON_JOBS, WorkerLeases
from bot.store.outbox.models import Delivered, Retry
from tests.support.factories import NOW, TEAM, decoded_notice, planner, record_notices, subscribe

TEAMS = frozenset(f"T{number}" for number in range(9))

pytestmark = pytest.mark.backends("postgresql")


@pytest.fixture
async def others(database_url: str) -> AsyncIterator[Sequence[Factory]]:
    """Yield the factories of two further processes on the same database."""
    made_ = [Factory(Database(database_url)) for _ in range(2)]
    yield made_
    for one in made_:
        await one.database.close()


async def run(factory: Factory, statement: str) -> None:
    async with factory.database.independent_transaction() as connection:
        await connection.execute(text(statement))


async def dies(factory: Factory) -> None:
    """Make a worker's last heartbeat so old that the other workers consider it dead."""
    past = "clock_timestamp() - interval '1 second'"
    await run(factory, f"UPDATE workers SET alive_until = {past} WHERE id = '{factory.leases.worker_id}'")


def held(factory: Factory) -> set[str]:
    return {name for name in (*TEAMS, *SINGLETON_JOBS) if factory.leases.holds_lease(name)}


async def test_each_workspace_has_one_worker_and_a_newcomer_gets_its_part(
    factory: Factory, others: Sequence[Factory]
) -> None:
    assert await factory.leases.heartbeat(TEAMS) == TEAMS | SINGLETON_JOBS
    everybody = [factory, *others]
    for one in others:
        for _ in range(2):
            for each in everybody[: everybody.index(one) + 1]:
                await each.leases.heartbeat(TEAMS)
    parts = [held(one) for one in everybody]
    assert sum(map(len, parts)) == len(TEAMS | SINGLETON_JOBS) and set.union(*parts) == TEAMS | SINGLETON_JOBS
    assert max(len(part - SINGLETON_JOBS) for part in parts) == 3
    for one in everybody:
        assert await one.leases.heartbeat(TEAMS) == frozenset(), "once shared out, it stays so"


async def test_leases_of_a_dead_worker_pass_to_a_living_one(
    factory: Factory, others: Sequence[Factory]
) -> None:
    survivor, _ = others
    await factory.leases.heartbeat(TEAMS)
    await survivor.leases.heartbeat(TEAMS)
    assert held(survivor) == set() and await survivor.leases.has_other_workers()
    await dies(factory)
    assert await survivor.leases.heartbeat(TEAMS) == TEAMS | SINGLETON_JOBS
    assert not await survivor.leases.has_other_workers()
    before = factory.leases.worker_id
    assert await factory.leases.heartbeat(TEAMS) == frozenset(), "it wakes up, and it's too late"
    assert held(factory) == set() and factory.leases.worker_id != before


async def test_release_frees_the_leases_immediately(factory: Factory, others: Sequence[Factory]) -> None:
    await factory.leases.heartbeat(TEAMS)
    await others[0].leases.heartbeat(TEAMS)
    await factory.leases.release_all()
    assert not factory.leases.is_alive and held(factory) == set()
    assert await others[0].leases.heartbeat(TEAMS) == TEAMS | SINGLETON_JOBS


async def test_a_workspace_that_only_one_can_serve_is_served(
    factory: Factory, others: Sequence[Factory]
) -> None:
    await others[0].leases.heartbeat({"T0"})
    await factory.leases.heartbeat(TEAMS)
    missing = TEAMS - held(factory) - held(others[0])
    assert missing, "half of all were left to the other"
    await run(factory, "UPDATE leases SET since = since - interval '1 minute' WHERE worker_id IS NULL")
    await factory.leases.heartbeat(TEAMS)
    assert TEAMS - held(others[0]) <= held(factory)


async def test_process_without_workspaces_holds_no_lease(factory: Factory) -> None:
    await factory.leases.heartbeat(frozenset())
    assert not factory.leases.is_alive
    await factory.leases.heartbeat({"T1"})
    await factory.leases.heartbeat({"T2"})
    assert held(factory) == {"T2", *SINGLETON_JOBS}, "one that is gone isn't kept"
    await factory.leases.heartbeat(frozenset())
    assert not factory.leases.is_alive


async def test_claims_are_made_for_ones_own_workspaces(factory: Factory, others: Sequence[Factory]) -> None:
    other, _ = others
    for team in ("T1", "T2"):
        await subscribe(factory, "CBC", "C1", team=team)
    await record_notices(factory, decoded_notice())
    await factory.leases.heartbeat({"T1"})
    await other.leases.heartbeat({"T2"})
    assert await others[1].outbox.claim(NOW, 10) == [], "without a lease nothing is claimed"
    assert [d.team_id for d in await factory.outbox.claim(NOW, 10)] == ["T1"]
    assert [d.team_id for d in await other.outbox.claim(NOW, 10)] == ["T2"]


async def test_deliveries_of_a_living_worker_are_not_requeued(
    factory: Factory, others: Sequence[Factory]
) -> None:
    other, _ = others
    await subscribe(factory, "CBC", "C1")
    await record_notices(factory, decoded_notice())
    await factory.leases.heartbeat({TEAM})
    (claimed,) = await factory.outbox.claim(NOW, 10)
    await other.leases.heartbeat({TEAM})
    assert (
        await other.outbox.requeue_stalled() == 0
        and await other.outbox.requeue_stalled_of_dead_workers() == 0
    )
    await dies(factory)
    await other.leases.heartbeat({TEAM})
    assert await other.outbox.requeue_stalled_of_dead_workers() == 1
    (again,) = await other.outbox.claim(NOW, 10)
    assert (again.id, again.maybe_sent) == (claimed.id, True)
    # The first worker resumes with an outcome, which no longer counts.
    await factory.outbox.record_outcomes([(claimed, Retry(not_before=NOW, reason="too late"))], NOW)
    await other.outbox.record_outcomes([(again, Delivered(ts="7.7", revision=1))], NOW)
    await factory.outbox.record_outcomes([(claimed, Delivered(ts="6.6", revision=1))], NOW)
    async with factory.database.read_transaction() as connection:
        rows = await connection.execute(text("SELECT state, ts, reason FROM deliveries"))
        assert [tuple(row) for row in rows] == [("sent", "7.7", None)]


async def test_resumed_worker_records_its_post_before_another_repeats_it(
    factory: Factory, others: Sequence[Factory]
) -> None:
    other, _ = others
    await subscribe(factory, "CBC", "C1", "C2")
    await record_notices(factory, decoded_notice())
    await factory.leases.heartbeat({TEAM})
    first, second = await factory.outbox.claim(NOW, 10)
    await other.leases.heartbeat({TEAM})
    await dies(factory)
    await other.leases.heartbeat({TEAM})
    assert await other.outbox.requeue_stalled_of_dead_workers() == 2
    # The post succeeded, but its answer came after a pause; nobody has begun to send it again.
    await factory.outbox.record_outcomes([(first, Delivered(ts="5.5", revision=1))], NOW)
    await factory.outbox.record_outcomes([(second, Retry(not_before=NOW, reason="too late"))], NOW)
    (again,) = await other.outbox.claim(NOW, 10)
    assert (again.id, again.maybe_sent) == (second.id, True)
    async with factory.database.read_transaction() as connection:
        rows = await connection.execute(text("SELECT state, ts, reason FROM deliveries ORDER BY id"))
        assert [tuple(row) for row in rows] == [("sent", "5.5", None), ("sending", None, None)]


async def test_worker_requeues_its_own_stalled_claims(factory: Factory) -> None:
    await subscribe(factory, "CBC", "C1")
    await record_notices(factory, decoded_notice())
    await factory.leases.heartbeat({TEAM})
    await factory.outbox.claim(NOW, 10)
    assert await factory.outbox.requeue_stalled() == 1


async def test_a_picture_is_drawn_by_the_workspaces_own_worker(
    factory: Factory, others: Sequence[Factory]
) -> None:
    await subscribe(factory, "CBC", "C1")
    await factory.notices.record(decoded_notice(), b"bytes", "test:1", NOW, planner())
    await run(
        factory,
        "INSERT INTO pictures (team_id, superevent_id, notice_id, state, attempts, not_before, created_at) "
        f"SELECT '{TEAM}', superevent_id, id, 'wanted', 0, received_at, received_at FROM notices",
    )
    await factory.leases.heartbeat({TEAM})
    assert await others[0].images.next_wanted(NOW) is None
    job = await factory.images.next_wanted(NOW)
    assert job is not None
    assert await factory.images.record_upload(job, "F1", "a map", NOW)
    late = ImageRepository(others[0].database, WorkerLeases(others[0].database))
    assert not await late.record_upload(job, "F2", "a map", NOW), "one of two uploads is kept"


class Time:
    """A fake clock, with separate times for the machine and the database."""

    def __init__(self, patch: pytest.MonkeyPatch, *everybody: Factory) -> None:
        self.passed, self.wrong_by = 0.0, 0.0
        real_now, real_count = leases._database_now, everybody[0].leases._elapsed

        def now() -> ColumnElement[Any]:
            return real_now() + timedelta(seconds=self.passed + self.wrong_by)

        patch.setattr(leases, "_database_now", now)
        for one in everybody:
            one.leases._elapsed = lambda: real_count() + self.passed


async def test_a_worker_counts_its_own_lease(
    factory: Factory, others: Sequence[Factory], monkeypatch: pytest.MonkeyPatch
) -> None:
    time = Time(monkeypatch, factory, *others)
    await factory.leases.heartbeat(TEAMS)
    name = factory.leases.worker_id
    time.passed = LEASE_DURATION.total_seconds() - 1.0
    assert held(factory) == TEAMS | SINGLETON_JOBS and factory.leases.is_claim_valid(name)
    time.passed = LEASE_DURATION.total_seconds() + 0.1
    assert held(factory) == set() and not factory.leases.is_claim_valid(name)
    await others[0].leases.heartbeat(TEAMS)
    assert held(others[0]) == TEAMS | SINGLETON_JOBS
    await factory.leases.heartbeat(TEAMS)
    assert not factory.leases.is_claim_valid(name), "what it claimed before is another's"


@pytest.mark.parametrize("wrong_by", [5.0, 3_600.0, 90_000.0, 2.6e6, -5.0, -3_600.0, -90_000.0, -2.6e6])
async def test_database_clock_jump_expires_no_lease(
    factory: Factory, others: Sequence[Factory], monkeypatch: pytest.MonkeyPatch, wrong_by: float
) -> None:
    other, newcomer = others
    time = Time(monkeypatch, factory, *others)
    await subscribe(factory, "CBC", "C1")
    await record_notices(factory, decoded_notice())
    await factory.leases.heartbeat({TEAM})
    await other.leases.heartbeat({TEAM})
    (claimed,) = await factory.outbox.claim(NOW, 10)
    name = factory.leases.worker_id
    time.passed, time.wrong_by = 1.0, wrong_by
    assert await other.leases.heartbeat({TEAM}) == frozenset()
    assert await other.outbox.requeue_stalled_of_dead_workers() == 0
    await factory.leases.heartbeat({TEAM})
    assert factory.leases.worker_id == name and factory.leases.is_claim_valid(claimed.claimed_by)
    # From now on the new clock is trusted like the old one.
    for _ in range(10):
        time.passed += 1.0
        await factory.leases.heartbeat({TEAM})
        assert await other.leases.heartbeat({TEAM}) == frozenset()
    for _ in range(8):
        time.passed += 1.0
        await other.leases.heartbeat({TEAM})
    assert other.leases.holds_lease(TEAM) and await other.outbox.requeue_stalled_of_dead_workers() == 1
    await newcomer.leases.heartbeat({TEAM})
    assert other.leases.worker_id != newcomer.leases.worker_id


async def test_heartbeat_from_before_clock_was_set_back_does_not_count(
    factory: Factory, others: Sequence[Factory], monkeypatch: pytest.MonkeyPatch
) -> None:
    time = Time(monkeypatch, factory, *others)
    await factory.leases.heartbeat({TEAM})
    time.wrong_by = -2.6e6
    for _ in range(9):
        time.passed += 1.0
        await others[0].leases.heartbeat({TEAM})
    assert others[0].leases.holds_lease(TEAM), "else the workspace would be nobody's for a month"
