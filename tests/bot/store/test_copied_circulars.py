"""Circulars of a database from before migration 0018: listed after it, and repeats when they come again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from alembic import command
from sqlalchemy import insert

from bot.app.factory import Factory
from bot.ingest.result import IngestResult
from bot.samples import circular
from bot.sources.base import Origin
from bot.store import schema
from bot.store.outbox.models import DeliveryKind
from bot.store.tables_version import alembic_config
from formatters.models.related_message import MessageKind
from tests.support.factories import (
    NOW,
    REAL,
    TEST,
    create_pipeline,
    decoded_notice,
    record_notices,
    subscribe,
)
from tests.support.related_messages import planned_follow_ups, stored_messages

LATER = NOW + timedelta(minutes=5)


pytestmark = pytest.mark.backends("sqlite", "postgresql")


async def test_they_are_listed_and_the_same_circular_stays_a_repeat(factory: Factory) -> None:
    database = factory.database
    await database._run_migration(lambda c: command.downgrade(alembic_config(c), "0017"))
    stored = {
        "number": 45_640,
        "subject": 'A "subject" with é',
        "author": "Jane Doe",
        "created_at": NOW,
        "received_at": LATER,
    }
    async with database.exclusive_transaction() as connection:
        rows = [stored | {"superevent_id": name, "news": name == REAL} for name in (REAL, TEST)]
        await connection.execute(insert(schema.circulars), rows)
    await database.migrate()
    await database.check_migrations()
    (copied,) = await factory.related_messages.for_event(REAL)
    message = copied.message
    assert (message.number, message.author, message.kind) == (45_640, "Jane Doe", MessageKind.REPORT)
    assert (message.subject, message.superevent_ids) == ('A "subject" with é', (REAL, TEST))
    assert (message.created, copied.received) == (NOW, LATER)
    before = await stored_messages(factory)
    way_in = create_pipeline(factory, lambda: LATER)
    again = circular(REAL, created=NOW)
    live = Origin("gcn", "gcn.circulars[0]@1", live=True)
    assert await way_in.handle(again, live) is IngestResult.CIRCULAR
    assert await stored_messages(factory) == before
    await subscribe(factory, "all circulars", "C1")
    await subscribe(factory, "only test circulars", "C2")
    await record_notices(factory, [decoded_notice(), decoded_notice(TEST)])
    told = [("C1", DeliveryKind.FOLLOW_UP.value)]
    assert await planned_follow_ups(factory) == told, "of the test, only an archive's is known"
    assert (await factory.circulars.get(1)) is not None, "a link that waits still goes out"
