"""After `prepare_rollback` nothing is open that gwevent 0.1.0 can't read, and all that it can read is."""

from __future__ import annotations

from itertools import count

import pytest
from sqlalchemy import insert, select

from bot.app.factory import Factory
from bot.criteria.parsing import parse_grades
from bot.filters import parse_criteria
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
from formatters.models.channel_change import BY_ROLLBACK
from formatters.models.criteria_set import CriteriaSet
from formatters.models.incident import IncidentKind
from tests.support.factories import AUTHOR, NOW, TEAM, subscribe

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
    assert await prepare_rollback(factory.database, NOW) == RollbackResult(
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
    await prepare_rollback(factory.database, NOW)
    assert await prepare_rollback(factory.database, NOW) == RollbackResult(deliveries=0, incidents=0, calls=0)


async def test_subscriptions_are_written_without_criteria_sets_and_the_channel_hears_of_it_later(
    factory: Factory,
) -> None:
    ours = CriteriaSet(slug="ours", grades=parse_grades("Gold: BNS distance<150; Silver: BNS or NSBH"))
    await factory.criteria_sets.add(TEAM, "C9", ours, AUTHOR)
    for words in (
        "CBC criteria rubin-2026 ours",
        "CBC mock grade ours>=Silver area90<100 notify @here if grade ours=Gold",
        "Burst",
        "CBC grade rubin-2026",
        "CBC within 200Mpc>0.5",
        "CBC criteria gone grade gone",
        "CBC z<0.1",
        "CBC only mock",
    ):
        await subscribe(factory, words, "C1")
    # Without the set it would be what the channel has already.
    await subscribe(factory, "CBC", "C2")
    await subscribe(factory, "CBC criteria ours", "C2")
    before = await factory.subscriptions.for_channel(TEAM, "C1")
    done = await prepare_rollback(factory.database, NOW)
    assert (done.rewritten, done.deliveries) == (2, 1)
    left_out = (*(f"C1 subscription {number}" for number in range(4, 9)), "C2 subscription 2")
    assert done.left_out == left_out
    after = await factory.subscriptions.for_channel(TEAM, "C1")
    assert [s.criteria.canonical for s in after[:3]] == [
        "CBC",
        "CBC ((BNS distance<150) or BNS or NSBH) area90<100 mock notify @here if BNS distance<150",
        "Burst",
    ]
    assert after[3:] == before[3:]
    # The report of it waits for a version that can post it, and says what it was.
    changes, _ = await factory.subscriptions.history(TEAM, "C1", 1)
    assert [(one.number, one.changed_by) for one in changes[:2]] == [(2, BY_ROLLBACK), (1, BY_ROLLBACK)]
    await factory.subscriptions.pause(TEAM, "C1", 3, AUTHOR)
    d = schema.deliveries
    async with factory.database.read_transaction() as connection:
        open_post = select(d.c.id).where(d.c.kind == "change", d.c.state == "pending")
        [delivery_id] = (await connection.execute(open_post)).scalars()
    told = await factory.subscriptions.changes_to_announce(delivery_id)
    assert told is not None and {one.number for one in told[0]} == {1, 2, 3}
    again = await prepare_rollback(factory.database, NOW)
    assert (again.rewritten, again.left_out) == (0, left_out)


async def test_of_the_streams_only_circulars_stay(factory: Factory) -> None:
    for words in ("CBC streams circulars icecube guano", "Burst streams nearby", "BNS circulars"):
        await subscribe(factory, words, "C1")
    done = await prepare_rollback(factory.database, NOW)
    assert (done.rewritten, done.left_out) == (2, ())
    here = await factory.subscriptions.for_channel(TEAM, "C1")
    assert [s.criteria.canonical for s in here] == ["CBC circulars", "Burst", "all BNS circulars"]


async def test_nobody_is_next_and_nothing_is_quiet_but_all_alerts_and_mentions_stay(factory: Factory) -> None:
    for words in (
        "CBC quiet BBH",
        "mock quiet (BBH or NSBH) notify @here <@U1> notify-mocks if NS escalate 5min <@U2> 10min webhook",
        "Burst notify @here if BNS escalate 5min <!subteam^S1>",
        "BNS notify @here",
    ):
        await subscribe(factory, words, "C1")
    done = await prepare_rollback(factory.database, NOW)
    assert (done.rewritten, done.left_out) == (3, ())
    here = await factory.subscriptions.for_channel(TEAM, "C1")
    assert [s.criteria.canonical for s in here] == [
        "CBC",
        "all mock notify @here <@U1> notify-mocks if NS",
        "Burst notify @here if BNS",
        "all BNS notify @here",
    ]


async def test_a_pending_subscription_is_rewritten_without_a_report(factory: Factory) -> None:
    await factory.subscriptions.request(TEAM, "C1", parse_criteria("CBC criteria rubin-2026"), "U1", NOW)
    done = await prepare_rollback(factory.database, NOW)
    assert (done.rewritten, done.deliveries) == (1, 0)
    [here] = await factory.subscriptions.list_unconfirmed(TEAM, "C1")
    assert here.criteria == parse_criteria("CBC")


async def test_a_set_that_is_too_long_written_out_leaves_the_subscription_as_it_is(factory: Factory) -> None:
    long = " or ".join(f"(distance<{n} area90<{n} far<1/{n}yr)" for n in range(100, 113))
    grades = f"Gold: {long}; Silver: {long.replace('area90', 'area50')}"
    ours = CriteriaSet(slug="ours", grades=parse_grades(grades))
    await factory.criteria_sets.add(TEAM, "C9", ours, AUTHOR)
    await subscribe(factory, "CBC grade ours", "C1")
    done = await prepare_rollback(factory.database, NOW)
    assert (done.rewritten, done.left_out) == (0, ("C1 subscription 1",))
