"""After `prepare_rollback` nothing is open that gwevent 0.1.0 can't read, and all that it can read is."""

from __future__ import annotations

from itertools import count

import pytest
from sqlalchemy import insert, select

from bot.app.factory import Factory
from bot.routing.intents import CallKind
from bot.store import schema
from bot.store.outbox.models import DeliveryKind, delivery_row
from bot.store.rollback import (
    DELIVERY_KINDS_OF_0_1_0,
    INCIDENT_KINDS_OF_0_1_0,
    REASON,
    RollbackResult,
    prepare_rollback,
)
from formatters.models.incident import IncidentKind
from tests.support.factories import NOW, TEAM

pytestmark = pytest.mark.backends("sqlite", "postgresql")

NEW_DELIVERIES = {kind.value for kind in DeliveryKind} - {*DELIVERY_KINDS_OF_0_1_0}
NEW_INCIDENTS = {kind.value for kind in IncidentKind} - {*INCIDENT_KINDS_OF_0_1_0}


async def write_one_of_each_kind(factory: Factory) -> None:
    """Write an open delivery of each kind, an incident of each kind, and what is said of each incident."""
    incident_ids = count(1)
    places = count(1)
    async with factory.database.exclusive_transaction() as connection:
        for kind in [*IncidentKind, "eclipse"]:
            number = next(incident_ids)
            told = number % 2 == 0
            row = {"what": str(kind), "open_as": str(kind), "detail": "", "since": NOW, "seen_at": NOW}
            await connection.execute(insert(schema.incidents).values(id=number, told=told, **row))
            for said in (DeliveryKind.INCIDENT_OPENED, DeliveryKind.INCIDENT_RESOLVED):
                delivery = delivery_row(TEAM, f"C{next(places)}", said, number, NOW)
                await connection.execute(insert(schema.deliveries).values(delivery))
            call = {"kind": CallKind.INCIDENT_OPENED.value, "state": "pending", "slot": f"i{number}"}
            times = {"not_before": NOW, "attempts": 0, "created_at": NOW}
            await connection.execute(insert(schema.webhook_calls).values(trouble_id=number, **call, **times))
        for delivery_kind in DeliveryKind:
            if delivery_kind not in (DeliveryKind.INCIDENT_OPENED, DeliveryKind.INCIDENT_RESOLVED):
                delivery = delivery_row(TEAM, f"C{next(places)}", delivery_kind, 1, NOW)
                await connection.execute(insert(schema.deliveries).values(delivery))


async def test_only_what_0_1_0_can_read_stays_open(factory: Factory) -> None:
    await write_one_of_each_kind(factory)
    unreadable = len(NEW_INCIDENTS) + 1
    assert await prepare_rollback(factory.database) == RollbackResult(
        deliveries=len(NEW_DELIVERIES) + 2 * unreadable, incidents=unreadable, calls=unreadable
    )
    d, i, c = schema.deliveries, schema.incidents, schema.webhook_calls
    async with factory.database.read_transaction() as connection:
        deliveries = (await connection.execute(select(d.c.kind, d.c.subject_id, d.c.state, d.c.reason))).all()
        incidents = (await connection.execute(select(i))).all()
        calls = (await connection.execute(select(c.c.trouble_id, c.c.state))).all()
    readable = {row.id for row in incidents if row.what in INCIDENT_KINDS_OF_0_1_0}
    for row in deliveries:
        about_incident = row.kind in ("trouble", "over")
        stays = row.kind in DELIVERY_KINDS_OF_0_1_0 and (not about_incident or row.subject_id in readable)
        assert (row.state, row.reason) == (("pending", None) if stays else ("dead", REASON)), row.kind
    for row in incidents:
        if row.id in readable:
            assert row.open_as == row.what and row.ended_at is None
        else:
            assert row.open_as is None and row.told and row.ended_at == NOW
    assert {row.trouble_id for row in calls if row.state == "pending"} == readable


async def test_a_second_time_changes_nothing(factory: Factory) -> None:
    await write_one_of_each_kind(factory)
    await prepare_rollback(factory.database)
    assert await prepare_rollback(factory.database) == RollbackResult(deliveries=0, incidents=0, calls=0)
