"""The due check shows which workers have rows, without rows of workspaces leased by other processes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import text

from bot.app.factory import Factory
from bot.store.database import Database
from bot.store.outbox.due import DueWork
from bot.store.outbox.models import MAX_DELAY, Delivered, Retry
from tests.support.factories import NOW, TEAM, decoded_notice, record_notices, subscribe

NOTHING = DueWork(deliveries=False, images=False, deferred_routing=False)
DELIVERIES = DueWork(deliveries=True, images=False, deferred_routing=False)

pytestmark = pytest.mark.backends("sqlite", "postgresql")


@pytest.fixture(autouse=True)
async def at_work(factory: Factory) -> AsyncIterator[None]:
    """Lease the workspace to this process."""
    await factory.leases.heartbeat({TEAM})
    yield


async def run(factory: Factory, statement: str) -> None:
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(text(statement))


async def test_a_delivery_is_due_from_its_time_until_it_is_claimed(factory: Factory) -> None:
    assert await factory.due_check.check(NOW) == NOTHING
    await subscribe(factory, "CBC", "C1")
    await record_notices(factory, decoded_notice())
    assert await factory.due_check.check(NOW) == DELIVERIES
    [delivery] = await factory.outbox.claim(NOW, 10)
    assert await factory.due_check.check(NOW) == NOTHING
    later = NOW + timedelta(seconds=30)
    await factory.outbox.record_outcomes([(delivery, Retry(not_before=later, reason="ratelimited"))], NOW)
    assert await factory.due_check.check(NOW) == NOTHING
    assert await factory.due_check.check(later) == DELIVERIES
    assert await factory.due_check.check(later - 2 * MAX_DELAY) == DELIVERIES, "the clock jumped back"
    [delivery] = await factory.outbox.claim(later, 10)
    await factory.outbox.record_outcomes(
        [(delivery, Delivered(ts="1.0", revision=delivery.target_revision))], later
    )
    assert await factory.due_check.check(later) == NOTHING


async def test_a_picture_is_due_while_it_is_wanted(factory: Factory) -> None:
    await subscribe(factory, "CBC", "C1")
    await record_notices(factory, decoded_notice())
    await run(factory, "UPDATE deliveries SET state = 'sent'")
    await run(
        factory,
        "INSERT INTO pictures (team_id, superevent_id, notice_id, state, attempts, not_before, created_at) "
        f"SELECT '{TEAM}', superevent_id, id, 'wanted', 0, received_at, received_at FROM notices",
    )
    assert await factory.due_check.check(NOW) == DueWork(
        deliveries=False, images=True, deferred_routing=False
    )
    assert (await factory.due_check.check(NOW - timedelta(seconds=1))) == NOTHING
    await run(factory, "UPDATE pictures SET state = 'ready'")
    assert await factory.due_check.check(NOW) == NOTHING


async def test_a_notice_that_waits_for_its_map_is_due(factory: Factory) -> None:
    await record_notices(factory, decoded_notice())
    await run(
        factory,
        "INSERT INTO undecided (notice_id, superevent_id, picture, created_at) "
        "SELECT id, superevent_id, false, received_at FROM notices",
    )
    assert await factory.due_check.check(NOW) == DueWork(
        deliveries=False, images=False, deferred_routing=True
    )


@pytest.mark.backends("postgresql")
async def test_work_of_another_process_is_not_due(factory: Factory, database_url: str) -> None:
    await subscribe(factory, "CBC", "C1")
    await record_notices(factory, decoded_notice())
    other = Factory(Database(database_url))
    try:
        assert await other.due_check.check(NOW) == NOTHING
        await factory.leases.release_all()
        await other.leases.heartbeat({TEAM})
        assert await other.due_check.check(NOW) == DELIVERIES
        assert await factory.due_check.check(NOW) == NOTHING
    finally:
        await other.database.close()
