"""Webhook calls about escalations as rows: in order, dropped or made again, one incident for a thread."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import insert, select

from bot.app.factory import Factory
from bot.routing.escalation_calls import EscalationChange
from bot.routing.intents import CallKind
from bot.store import schema
from bot.store.operations.webhook_calls import WebhookCall
from bot.store.outbox.escalation_calls import call_for_escalations
from tests.support.factories import REAL, TEAM, Clock, decoded_notice, record_notices, subscribe

pytestmark = pytest.mark.backends("sqlite", "postgresql")

DUE, ACKNOWLEDGED = EscalationChange.DUE, EscalationChange.ACKNOWLEDGED
HANDED_BACK, ENDED = EscalationChange.HANDED_BACK, EscalationChange.ENDED


async def escalate(factory: Factory, clock: Clock, number: int = 1) -> list[int]:
    """Store an event with a thread in C1, and escalations of it; return their ids."""
    await subscribe(factory, "all", "C1")
    await record_notices(factory, decoded_notice(REAL), now=clock())
    async with factory.database.exclusive_transaction() as connection:
        thread = (await connection.execute(select(schema.threads.c.id))).scalar_one()
        row = {"team_id": TEAM, "channel_id": "C1", "thread_id": thread, "started_at": clock()}
        made = [
            await connection.execute(
                insert(schema.escalations).values(row).returning(schema.escalations.c.id)
            )
            for _ in range(number)
        ]
        return [int(result.scalar_one()) for result in made]


async def change(factory: Factory, clock: Clock, what: EscalationChange, *escalations: int) -> None:
    clock.advance(seconds=1)
    async with factory.database.exclusive_transaction() as connection:
        await call_for_escalations(connection, escalations, what, clock())


async def claim(factory: Factory, clock: Clock) -> CallKind | None:
    call = await factory.webhook_outbox.claim(clock())
    return None if call is None else call.kind


async def make(factory: Factory, clock: Clock) -> WebhookCall:
    call = await factory.webhook_outbox.claim(clock())
    assert call is not None
    await factory.webhook_outbox.mark_sent(call, clock())
    return call


async def test_a_call_waits_for_the_one_before_it(factory: Factory, clock: Clock) -> None:
    [one] = await escalate(factory, clock)
    await change(factory, clock, DUE, one)
    first = await factory.webhook_outbox.claim(clock())
    assert first is not None and first.kind is CallKind.ESCALATED and first.escalation_id == one
    await change(factory, clock, ACKNOWLEDGED, one)
    assert await claim(factory, clock) is None, "the first is being made"
    await factory.webhook_outbox.retry_later(first, clock() + timedelta(minutes=5), "HTTP 503")
    assert await claim(factory, clock) is CallKind.ESCALATION_ACKNOWLEDGED


async def test_a_killed_call_holds_its_successor_up_for_no_longer_than_its_claim(
    factory: Factory, clock: Clock
) -> None:
    [one] = await escalate(factory, clock)
    await change(factory, clock, DUE, one)
    assert await claim(factory, clock) is CallKind.ESCALATED
    await change(factory, clock, ENDED, one)
    assert await claim(factory, clock) is None
    clock.advance(minutes=2)
    again = await factory.webhook_outbox.claim(clock())
    assert again is not None and again.kind is CallKind.ESCALATED and again.attempts == 2
    await factory.webhook_outbox.dead_letter(again, "nothing to say any more")
    assert await claim(factory, clock) is CallKind.ESCALATION_ENDED


async def test_what_nobody_heard_is_dropped_and_comes_if_it_is_handed_back(
    factory: Factory, clock: Clock
) -> None:
    [one] = await escalate(factory, clock)
    await change(factory, clock, DUE, one)
    await change(factory, clock, ACKNOWLEDGED, one)
    assert await claim(factory, clock) is None
    assert await factory.webhook_outbox.count_by_state() == {"dead": 1}
    await change(factory, clock, HANDED_BACK, one)
    call = await make(factory, clock)
    assert call.kind is CallKind.ESCALATED and call.created_at == clock()


async def test_taking_and_handing_back_calls_each_time_in_order(factory: Factory, clock: Clock) -> None:
    [one] = await escalate(factory, clock)
    made = []
    for what in (DUE, ACKNOWLEDGED, HANDED_BACK, ACKNOWLEDGED, HANDED_BACK, ENDED):
        await change(factory, clock, what, one)
        made.append((await make(factory, clock)).kind)
    assert made == [
        CallKind.ESCALATED,
        CallKind.ESCALATION_ACKNOWLEDGED,
        CallKind.ESCALATED,
        CallKind.ESCALATION_ACKNOWLEDGED,
        CallKind.ESCALATED,
        CallKind.ESCALATION_ENDED,
    ]
    await change(factory, clock, DUE, one)
    await change(factory, clock, ENDED, one)
    assert await claim(factory, clock) is None


async def test_other_subjects_never_wait(factory: Factory, clock: Clock) -> None:
    one, other = await escalate(factory, clock, 2)
    await change(factory, clock, DUE, one)
    await change(factory, clock, DUE, other)
    calls = [await factory.webhook_outbox.claim(clock()) for _ in range(3)]
    assert [call and call.escalation_id for call in calls] == [one, other, None]


async def test_escalations_of_one_thread_share_an_incident_until_the_last_is_over(
    factory: Factory, clock: Clock
) -> None:
    one, other = await escalate(factory, clock, 2)
    said_by_another = factory.escalation_reports.is_said_by_another
    await change(factory, clock, DUE, one, other)
    first, second = await factory.webhook_outbox.claim(clock()), await factory.webhook_outbox.claim(clock())
    assert first is not None and second is not None
    assert await said_by_another(first.id), "the second says it"
    assert not await said_by_another(second.id)
    await factory.webhook_outbox.mark_sent(first, clock())
    await factory.webhook_outbox.mark_sent(second, clock())
    await change(factory, clock, ENDED, one)
    assert await said_by_another((await make(factory, clock)).id), "the other is open still"
    await change(factory, clock, ENDED, other)
    assert not await said_by_another((await make(factory, clock)).id)
