"""The published circulars and notices of GCN, each where it belongs, or nowhere; in any order, and twice."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from bot.app.factory import Factory
from bot.ingest.result import IngestResult
from bot.store.events.message_json import from_json
from tests.support.app_harness import check_golden
from tests.support.factories import Clock, create_pipeline
from tests.support.published_messages import Published, read_published
from tests.support.related_messages import stored_messages


@pytest.fixture
def published(shared_notices: Path) -> list[Published]:
    return read_published(shared_notices)


async def where_it_went(factory: Factory, clock: Clock, message: Published) -> str:
    """Handle a message alone and say what became of it."""
    before = set(await stored_messages(factory))
    handled = await create_pipeline(factory, clock).handle(message.body, message.origin)
    made = [from_json(row[-1]) for row in sorted(set(await stored_messages(factory)) - before)]
    told = [f"{one.kind}, {', '.join(one.superevent_ids)}" for one in made]
    return f"{message.name}: {'; '.join(told) or 'no event'} ({handled.value})"


@pytest.mark.slow
async def test_each_message_goes_where_it_belongs(
    factory: Factory, clock: Clock, published: list[Published]
) -> None:
    lines = [await where_it_went(factory, clock, message) for message in published]
    check_golden("published_messages", "\n".join(lines) + "\n")
    assert (await factory.outbox_statistics.counts()).quarantined == 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
async def test_twice_and_in_any_order_the_store_ends_the_same(
    factory: Factory, clock: Clock, published: list[Published], seed: int
) -> None:
    way_in = create_pipeline(factory, clock)
    for message in published:
        await way_in.handle(message.body, message.origin)
    in_order = await stored_messages(factory)
    async with factory.database.exclusive_transaction() as connection:
        await connection.exec_driver_sql("DELETE FROM related_messages")
    shuffled = published * 2
    random.Random(seed).shuffle(shuffled)
    handled = Counter([await way_in.handle(message.body, message.origin) for message in shuffled])
    assert await stored_messages(factory) == in_order
    assert handled[IngestResult.UNREADABLE_MESSAGE] == handled[IngestResult.QUARANTINED] == 0
