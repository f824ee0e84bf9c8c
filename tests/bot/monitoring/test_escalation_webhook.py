"""The operators' webhook and escalations: opened, acknowledged and closed by one key; nothing in vain."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, select, update

from bot.app.factory import Factory
from bot.monitoring import webhook as webhook_module
from bot.monitoring.webhook import Webhook
from bot.routing.escalation_calls import EscalationChange
from bot.store import schema
from bot.store.outbox.escalation_calls import call_for_escalations
from bot.store.outbox.models import DeliveryKind
from formatters.models.escalation import EscalationEnd
from formatters.models.left_incident import Removal
from formatters.webhook.payload import WebhookFormat
from tests.bot.monitoring.conftest import Pager
from tests.bot.monitoring.test_webhook import PATIENCE_S, calling, said, until, until_settled
from tests.support.factories import REAL, TEAM, Clock, decoded_notice, record_notices, subscribe

_e, _a = schema.escalations, schema.acknowledgements


@pytest.fixture(autouse=True)
def poll_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_module, "POLL_S", 0.02)


class Night:
    """An escalation of an event in C1, as the store's other parts change it."""

    def __init__(self, factory: Factory, clock: Clock) -> None:
        self.factory, self.clock = factory, clock
        self.escalation = self.thread = 0

    async def begin(self) -> None:
        await subscribe(self.factory, "all", "C1")
        await record_notices(self.factory, decoded_notice(REAL), now=self.clock())
        async with self.factory.database.exclusive_transaction() as connection:
            self.thread = (await connection.execute(select(schema.threads.c.id))).scalar_one()
            row = {"team_id": TEAM, "channel_id": "C1", "thread_id": self.thread, "started_at": self.clock()}
            made = await connection.execute(insert(_e).values(row).returning(_e.c.id))
            self.escalation = made.scalar_one()

    async def change(self, what: EscalationChange) -> None:
        self.clock.advance(minutes=10)
        async with self.factory.database.exclusive_transaction() as connection:
            if what is EscalationChange.ACKNOWLEDGED:
                row = {"thread_id": self.thread, "user_id": "U0HASIT", "since": self.clock()}
                await connection.execute(insert(_a).values(row))
            elif what is EscalationChange.HANDED_BACK:
                await connection.execute(delete(_a))
            elif what is EscalationChange.ENDED:
                over = {"end_reason": EscalationEnd.RETRACTED.value, "ended_at": self.clock()}
                await connection.execute(update(_e).values(over))
            await call_for_escalations(connection, [self.escalation], what, self.clock())


async def test_an_escalation_is_opened_acknowledged_and_closed_by_one_key(
    factory: Factory, clock: Clock, pager: Pager
) -> None:
    night = Night(factory, clock)
    await night.begin()
    async with calling(factory, clock, Webhook(f"{pager.url}/v2/enqueue", WebhookFormat.PAGERDUTY, "key")):
        for number, what in enumerate(
            (EscalationChange.DUE, EscalationChange.ACKNOWLEDGED, EscalationChange.ENDED), start=1
        ):
            await night.change(what)
            await until(lambda number=number: len(pager.calls) == number)  # type: ignore[misc]
            await until_settled(factory)
    bodies = pager.heard()
    assert [body["event_action"] for body in bodies] == ["trigger", "acknowledge", "resolve"]
    assert {body["dedup_key"] for body in bodies} == {f"gwevent:escalation:{REAL}:{night.thread}"}
    heads = [body["payload"]["summary"].partition(":")[0] for body in bodies]
    assert heads == ["Nobody has it", "Somebody has it", "Over"]


@pytest.mark.parametrize("form", [WebhookFormat.PAGERDUTY, WebhookFormat.JSON])
async def test_what_is_handed_back_pages_again(
    factory: Factory, clock: Clock, pager: Pager, form: WebhookFormat
) -> None:
    """PagerDuty's acknowledged incident pages nobody, even if it is triggered again."""
    night = Night(factory, clock)
    await night.begin()
    due, taken, back = (
        EscalationChange.DUE,
        EscalationChange.ACKNOWLEDGED,
        EscalationChange.HANDED_BACK,
    )
    async with calling(factory, clock, Webhook(f"{pager.url}/v2/enqueue", form, "key")):
        for what in (due, taken, back, taken, back):
            heard = len(pager.calls)
            await night.change(what)
            await until(lambda heard=heard: len(pager.calls) > heard)  # type: ignore[misc]
            await until_settled(factory)
    key = "event_action" if form is WebhookFormat.PAGERDUTY else "action"
    again = ["resolve", "trigger"] if form is WebhookFormat.PAGERDUTY else ["trigger"]
    actions = [body[key] for body in pager.heard()]
    assert actions == ["trigger", "acknowledge", *again, "acknowledge", *again]


@pytest.mark.parametrize("removal", list(Removal))
@pytest.mark.parametrize("first", [EscalationChange.DUE, EscalationChange.ENDED])
@pytest.mark.parametrize("is_drill", [False, True])
async def test_the_incident_of_a_workspace_that_is_gone_is_resolved(
    factory: Factory, clock: Clock, pager: Pager, removal: Removal, first: EscalationChange, is_drill: bool
) -> None:
    night = Night(factory, clock)
    await night.begin()
    if is_drill:
        drill = {"thread_id": None, "drill_number": 3, "started_by": "U1"}
        async with factory.database.exclusive_transaction() as connection:
            await connection.execute(update(_e).values(drill))
    caller = calling(factory, clock, Webhook(f"{pager.url}/v2/enqueue", WebhookFormat.PAGERDUTY, "key"))
    async with caller:
        await night.change(EscalationChange.DUE)
        await until_settled(factory)
    if first is EscalationChange.ENDED:
        # It was over, and the operators weren't told yet.
        await night.change(first)
    clock.advance(minutes=1)
    await factory.installations.delete_workspace(TEAM, clock(), removal)
    assert not await factory.installations.delete_workspace(TEAM, clock(), Removal.UNINSTALLED)
    async with calling(factory, clock, Webhook(f"{pager.url}/v2/enqueue", WebhookFormat.PAGERDUTY, "key")):
        await until_settled(factory)
    bodies = pager.heard()
    assert [body["event_action"] for body in bodies] == ["trigger", "resolve"]
    assert len({body["dedup_key"] for body in bodies}) == 1
    text = str(bodies[1])
    assert removal.value in text and TEAM in text and ("DRILL" in text) is is_drill
    await factory.retention.purge_escalations(clock() + timedelta(days=1))
    assert await factory.webhook_outbox.count_by_state() == {}, "nothing of the workspace is kept"


async def test_a_workspace_that_is_gone_before_its_call_pages_nobody(
    factory: Factory, clock: Clock, pager: Pager
) -> None:
    night = Night(factory, clock)
    await night.begin()
    await night.change(EscalationChange.DUE)
    await factory.installations.delete_workspace(TEAM, clock())
    async with calling(factory, clock, Webhook(pager.url, WebhookFormat.JSON)):
        await until_settled(factory)
    assert pager.calls == []


@pytest.mark.slow
@pytest.mark.backends("sqlite", "postgresql")
async def test_a_workspace_with_thousands_of_escalations_can_be_deleted(
    factory: Factory, clock: Clock
) -> None:
    """PostgreSQL takes 65,535 parameters, and each escalation has three calls that may be asked for."""
    night = Night(factory, clock)
    await night.begin()
    row = {"team_id": TEAM, "channel_id": "C1", "thread_id": night.thread, "started_at": clock()}
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(insert(_e), [row] * 22_000)
    await factory.installations.delete_workspace(TEAM, clock())
    async with factory.database.read_transaction() as connection:
        assert (await connection.execute(select(_e.c.id).limit(1))).first() is None


async def test_escalations_of_one_thread_that_is_gone_resolve_one_incident(
    factory: Factory, clock: Clock, pager: Pager
) -> None:
    night = Night(factory, clock)
    await night.begin()
    async with factory.database.exclusive_transaction() as connection:
        row = {"team_id": TEAM, "channel_id": "C1", "thread_id": night.thread, "started_at": clock()}
        other = (await connection.execute(insert(_e).values(row).returning(_e.c.id))).scalar_one()
        await call_for_escalations(connection, [other], EscalationChange.DUE, clock())
    await night.change(EscalationChange.DUE)
    async with calling(factory, clock, Webhook(pager.url, WebhookFormat.JSON)):
        await until_settled(factory)
        await factory.installations.delete_workspace(TEAM, clock())
        await until_settled(factory)
    assert [action for action, _ in said(pager)].count("resolve") == 1


async def test_an_acknowledgement_that_overtakes_its_trigger_ends_it(
    factory: Factory, clock: Clock, pager: Pager
) -> None:
    night = Night(factory, clock)
    await night.begin()
    pager.status = 503
    async with calling(factory, clock, Webhook(pager.url, WebhookFormat.JSON)):
        await night.change(EscalationChange.DUE)
        await until(lambda: pager.refused >= 1)
        await night.change(EscalationChange.ACKNOWLEDGED)
        pager.status = 200
        clock.advance(minutes=10)
        await until_settled(factory)
    # The first may have been heard although it was refused, so it is acknowledged; it isn't made again.
    assert said(pager) == [("acknowledge", f"escalation:{REAL}:{night.thread}")]


async def test_what_was_taken_before_the_call_pages_nobody(
    factory: Factory, clock: Clock, pager: Pager
) -> None:
    night = Night(factory, clock)
    await night.begin()
    await night.change(EscalationChange.DUE)
    await night.change(EscalationChange.ACKNOWLEDGED)
    async with calling(factory, clock, Webhook(pager.url, WebhookFormat.JSON)):
        await until_settled(factory)
    assert pager.calls == []
    assert await factory.webhook_outbox.count_by_state() == {"dead": 1}


async def test_a_channel_hears_that_its_last_step_isnt_heard(
    factory: Factory, clock: Clock, pager: Pager
) -> None:
    night = Night(factory, clock)
    await night.begin()
    async with factory.database.exclusive_transaction() as connection:
        step = {
            "escalation_id": night.escalation,
            "team_id": TEAM,
            "position": 0,
            "after_s": 600,
            "targets": "",
            "webhook": True,
            "due_at": clock(),
            "state": "taken",
            "taken_at": clock(),
        }
        await connection.execute(insert(schema.escalation_steps).values(step))
    pager.status = 503
    async with calling(factory, clock, Webhook(pager.url, WebhookFormat.JSON)):
        await night.change(EscalationChange.DUE)
        async with asyncio.timeout(PATIENCE_S):
            while pager.refused < webhook_module.UNHEARD_AFTER_ATTEMPTS + 2:
                assert pager.refused >= webhook_module.UNHEARD_AFTER_ATTEMPTS or not await told(factory)
                clock.advance(minutes=6)
                await asyncio.sleep(0.05)
    assert len(await told(factory)) == 1, "once"


async def told(factory: Factory) -> list[int]:
    _d = schema.deliveries
    query = select(_d.c.subject_id).where(_d.c.kind == DeliveryKind.ESCALATION.value)
    async with factory.database.read_transaction() as connection:
        return list((await connection.execute(query)).scalars())
