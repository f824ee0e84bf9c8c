"""Circulars: noted once, linked where the event is and somebody asked for them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from bot.app.factory import Factory
from bot.ingest.pipeline import IngestResult, Pipeline
from bot.sources.base import Origin
from bot.store import schema
from bot.store.outbox.models import DeadLettered, Priority
from tests.bot.related_messages.test_circular import circular
from tests.support.factories import (
    MAX_AGE,
    NOW,
    TEAM,
    TEST,
    Clock,
    create_pipeline,
    decoded_notice,
    record_notices,
    subscribe,
    unsubscribe,
)

pytestmark = pytest.mark.backends("sqlite", "postgresql")

LIVE, FILE = Origin("gcn", "gcn.circulars[0]@1", live=True), Origin("file", "circular.json", live=False)


@pytest.fixture
async def way_in(factory: Factory, clock: Clock) -> Pipeline:
    await subscribe(factory, "all circulars", "C1")
    await subscribe(factory, "all", "C2")
    await record_notices(factory, decoded_notice())
    return create_pipeline(factory, clock, circulars=True)


async def planned(factory: Factory) -> list[str]:
    table = schema.deliveries
    query = select(table.c.channel_id).where(table.c.team_id == TEAM, table.c.kind == "circular")
    async with factory.database.read_transaction() as connection:
        return list((await connection.execute(query)).scalars())


async def test_circular_is_linked_once_in_subscribed_channels(factory: Factory, way_in: Pipeline) -> None:
    assert await way_in.handle(circular(), LIVE) is IngestResult.CIRCULAR
    assert await way_in.handle(circular(), LIVE) is IngestResult.CIRCULAR
    assert await planned(factory) == ["C1"], "C2 didn't ask for circulars"
    assert await factory.circulars.count() == 1


async def test_old_ones_archives_and_strangers_are_noted_and_not_linked(
    factory: Factory, way_in: Pipeline
) -> None:
    old = (NOW - MAX_AGE - timedelta(hours=1)).timestamp() * 1000
    await way_in.handle(circular(circularId=1, createdOn=old), LIVE)
    await way_in.handle(circular(circularId=2), FILE)
    await way_in.handle(circular(circularId=3, eventId="S200101a", subject="S200101a: x"), LIVE)
    await way_in.handle(circular(circularId=4, eventId=None, subject="GRB 261122B"), LIVE)
    assert await planned(factory) == []
    assert await factory.circulars.count() == 3


async def test_one_that_comes_before_its_notice_is_linked_when_the_thread_is_opened(
    factory: Factory, way_in: Pipeline
) -> None:
    for number, hours in ((1, 1), (2, 30)):
        written = (NOW - timedelta(hours=hours)).timestamp() * 1000
        about = circular(circularId=number, eventId=TEST, subject=f"{TEST}: x", createdOn=written)
        await way_in.handle(about, LIVE)
    assert await planned(factory) == []
    await subscribe(factory, "all test circulars", "C3", "C4")
    await subscribe(factory, "all test", "C5")
    await record_notices(factory, decoded_notice(TEST))
    assert await planned(factory) == ["C3", "C4"], "the older one is old news"
    await way_in.handle(circular(circularId=1, eventId=TEST, subject=f"{TEST}: x"), LIVE)
    await record_notices(factory, decoded_notice(TEST, "INITIAL", minutes=1))
    assert await planned(factory) == ["C3", "C4"], "and that is once"


async def test_of_many_that_came_before_the_newest_are_linked_and_none_of_an_archive(
    factory: Factory, way_in: Pipeline
) -> None:
    await subscribe(factory, "all test circulars", "C3")
    for number in range(10, 20):
        about = circular(circularId=number, eventId=TEST, subject=f"{TEST}: x")
        await way_in.handle(about, FILE if number == 18 else LIVE)
    await record_notices(factory, decoded_notice(TEST))
    table = schema.deliveries
    query = select(table.c.slot, table.c.priority).where(table.c.kind == "circular").order_by(table.c.id)
    async with factory.database.read_transaction() as connection:
        rows = (await connection.execute(query)).all()
    assert [row.slot for row in rows] == [f"circular:{number}:{TEST}" for number in (14, 15, 16, 17, 19)]
    assert {row.priority for row in rows} == {Priority.EDIT}, "news of the event goes first"


async def test_one_that_came_before_is_linked_again_where_the_thread_is_opened_again(
    factory: Factory, way_in: Pipeline
) -> None:
    await way_in.handle(circular(), LIVE)
    await factory.leases.heartbeat({TEAM})
    (root,) = [d for d in await factory.outbox.claim(NOW, 10) if d.channel_id == "C1"]
    await factory.outbox.record_outcomes([(root, DeadLettered(reason="msg_too_long"))], NOW)
    await record_notices(factory, decoded_notice(alert_type="INITIAL", minutes=1))
    table = schema.deliveries
    async with factory.database.read_transaction() as connection:
        query = select(table.c.state).where(table.c.kind == "circular")
        assert list((await connection.execute(query)).scalars()) == ["pending"]


async def test_a_mangled_one_is_kept_in_quarantine(factory: Factory, way_in: Pipeline) -> None:
    assert await way_in.handle(circular(circularId="x"), LIVE) is IngestResult.QUARANTINED
    assert (await factory.outbox_statistics.counts()).quarantined == 1


async def test_circular_is_not_linked_under_dead_root(factory: Factory, way_in: Pipeline) -> None:
    await factory.leases.heartbeat({TEAM})
    (root,) = [d for d in await factory.outbox.claim(NOW, 10) if d.channel_id == "C1"]
    await factory.outbox.record_outcomes([(root, DeadLettered(reason="msg_too_long"))], NOW)
    await way_in.handle(circular(), LIVE)
    assert await planned(factory) == [], "it would wait for ever"


async def test_waiting_circular_is_cancelled_with_the_last_subscription(
    factory: Factory, way_in: Pipeline
) -> None:
    await way_in.handle(circular(), LIVE)
    await unsubscribe(factory, "C1")
    table = schema.deliveries
    async with factory.database.read_transaction() as connection:
        query = select(table.c.state).where(table.c.kind == "circular")
        assert list((await connection.execute(query)).scalars()) == ["dead"]
