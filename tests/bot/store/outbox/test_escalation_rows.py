"""Escalations as rows: they follow their channel, are purged, and go with their workspace."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, insert, select, text, update

from bot.app.factory import Factory
from bot.store import schema
from bot.store.channels.acknowledgements import AcknowledgeOutcome, HandBackOutcome
from bot.store.outbox.leases import LEASE_DURATION
from bot.store.outbox.models import Delivered
from bot.store.rollback import prepare_rollback
from formatters.models.event_people import NOBODY
from tests.support.factories import NOW, REAL, TEAM, decoded_notice, record_notices, subscribe

pytestmark = pytest.mark.backends("sqlite", "postgresql")

WORDS = "CBC notify <@U1> escalate 5min <@U2> 10min webhook"
OLD, NEW = (TEAM, "C0OLD"), (TEAM, "C0NEW")


def never(_: str) -> bool:
    return False


async def rows(factory: Factory, table: Any) -> list[Any]:
    async with factory.database.read_transaction() as connection:
        return list((await connection.execute(select(table).order_by(table.c.id))).all())


async def post_all(factory: Factory, now: datetime = NOW) -> None:
    """Post what is due, as a worker would."""
    await factory.leases.heartbeat({TEAM})
    for number in range(9):
        claimed = await factory.outbox.claim(now, 100)
        outcomes = [
            (d, Delivered(ts=f"{number}.{d.id}", revision=d.follow_up_target or d.target_revision))
            for d in claimed
        ]
        await factory.outbox.record_outcomes(outcomes, now)


async def begin(factory: Factory, *channels: str, words: str = WORDS) -> None:
    await subscribe(factory, words, *channels)
    await record_notices(factory, decoded_notice())
    await post_all(factory)


async def test_an_escalation_follows_its_channel(factory: Factory) -> None:
    await begin(factory, OLD[1])
    other = ("T0OTHER", "C0NEW")
    await factory.channel_moves.move_channel(OLD, other, NOW - timedelta(days=1), NOW)
    (escalation,) = await rows(factory, schema.escalations)
    assert (escalation.team_id, escalation.channel_id) == other
    assert {step.team_id for step in await rows(factory, schema.escalation_steps)} == {"T0OTHER"}


async def test_of_two_threads_that_become_one_nobody_is_mentioned_twice(factory: Factory) -> None:
    await begin(factory, OLD[1], NEW[1])
    await factory.channel_moves.move_channel(OLD, NEW, NOW - timedelta(days=1), NOW)
    waiting = [s for s in await rows(factory, schema.escalation_steps) if s.state == "waiting"]
    assert sorted(step.targets for step in waiting) == ["", "<@U2>"]
    assert len(await factory.escalations.take_due(NOW + timedelta(minutes=5), never)) == 1


async def test_who_has_it_in_one_of_two_threads_has_it_in_the_one(factory: Factory) -> None:
    await begin(factory, OLD[1], NEW[1])
    await factory.acknowledgements.acknowledge(*OLD, REAL, "U9", NOW)
    await factory.channel_moves.move_channel(OLD, NEW, NOW - timedelta(days=1), NOW)
    await factory.escalations.take_due(NOW + timedelta(minutes=15), never)
    assert {step.state for step in await rows(factory, schema.escalation_steps)} == {"cancelled"}
    (thread,) = await rows(factory, schema.threads)
    people = (await factory.event_people.for_threads([thread.id]))[thread.id]
    assert [one.user_id for one in people.acknowledgements] == ["U9"] and not people.is_awaited


async def test_the_people_of_a_thread(factory: Factory) -> None:
    await begin(factory, OLD[1])
    (thread,) = await rows(factory, schema.threads)

    async def is_awaited() -> bool:
        found = await factory.event_people.for_threads([thread.id, 999])
        assert found[999] == NOBODY
        return found[thread.id].is_awaited

    assert await is_awaited()
    await factory.acknowledgements.acknowledge(*OLD, REAL, "U9", NOW)
    assert not await is_awaited()
    await factory.acknowledgements.hand_back(*OLD, REAL, "U9", NOW)
    assert await is_awaited()
    await factory.escalations.take_due(NOW + timedelta(minutes=30), never)
    assert await is_awaited(), "all steps were taken, and nobody has it"
    await factory.escalations.close_old(NOW + timedelta(days=1))
    assert not await is_awaited()


async def test_where_there_is_no_thread_nothing_is_taken(factory: Factory) -> None:
    taken = await factory.acknowledgements.acknowledge(*OLD, REAL, "U9", NOW)
    assert taken.outcome is AcknowledgeOutcome.NO_THREAD
    back = await factory.acknowledgements.hand_back(*OLD, REAL, "U9", NOW)
    assert back.outcome is HandBackOutcome.NO_THREAD


async def test_closed_escalations_are_purged_with_their_steps_and_calls(factory: Factory) -> None:
    await begin(factory, OLD[1])
    await factory.escalations.take_due(NOW + timedelta(minutes=15), lambda _: True)
    later = NOW + timedelta(days=40)
    assert await factory.retention.purge_escalations(later) == 0, "it is open"
    await factory.escalations.close_old(NOW + timedelta(days=1))
    assert await factory.retention.purge_escalations(NOW + timedelta(hours=23)) == 0
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(text("UPDATE webhook_calls SET state = 'sent'"))
    assert await factory.retention.purge_escalations(later) == 1
    for table in (schema.escalations, schema.escalation_steps, schema.webhook_calls):
        assert await rows(factory, table) == [], table.name


async def test_an_older_version_gets_no_open_escalation(factory: Factory) -> None:
    await begin(factory, OLD[1], NEW[1])
    result = await prepare_rollback(factory.database, NOW)
    assert result.escalations == 2
    assert {step.state for step in await rows(factory, schema.escalation_steps)} == {"cancelled"}
    assert all(row.closed_at == NOW for row in await rows(factory, schema.escalations))
    assert len(await factory.escalations.take_due(NOW + timedelta(hours=1), never)) == 0


async def test_an_acknowledgement_makes_the_cards_edit_more_urgent(factory: Factory) -> None:
    await begin(factory, OLD[1])
    await factory.observers.toggle(*OLD, REAL, "U3", NOW)
    await factory.acknowledgements.acknowledge(*OLD, REAL, "U9", NOW)
    (edit,) = [row for row in await rows(factory, schema.deliveries) if row.kind == "edit"]
    assert (edit.priority, edit.state) == (1, "pending")


async def serve_by(factory: Factory, worker_id: str, *, is_alive: bool) -> None:
    """Let another process hold the leases, one that runs or one that is gone."""
    async with factory.database.exclusive_transaction() as connection:
        if is_alive:
            values = {"id": worker_id, "alive_until": datetime.now(UTC) + LEASE_DURATION}
            await connection.execute(insert(schema.workers).values(values))
        await connection.execute(update(schema.leases).values(worker_id=worker_id))


async def test_only_the_process_with_the_lease_takes_a_workspaces_steps(factory: Factory) -> None:
    if factory.database.is_sqlite:
        pytest.skip("there one process serves all")
    await begin(factory, OLD[1])
    await serve_by(factory, "another", is_alive=True)
    due = NOW + timedelta(minutes=5)
    assert len(await factory.escalations.take_due(due, never)) == 0
    assert not (await factory.due_check.check(due)).escalations
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(update(schema.leases).values(worker_id=factory.leases.worker_id))
    assert (await factory.due_check.check(due)).escalations
    assert not (await factory.due_check.check(due - timedelta(seconds=1))).escalations
    assert len(await factory.escalations.take_due(due, never)) == 1
    assert len(await factory.escalations.take_due(due, never)) == 0


async def test_steps_of_a_workspace_that_no_process_serves_are_taken(factory: Factory) -> None:
    """Started while Slack is down, a process doesn't know its workspaces; the webhook pages all the same."""
    await begin(factory, OLD[1])
    if not factory.database.is_sqlite:
        await serve_by(factory, "gone", is_alive=False)
    late = NOW + timedelta(minutes=10)
    assert (await factory.due_check.check(late)).escalations
    assert len(await factory.escalations.take_due(late, lambda _: True)) == 2
    assert len(await factory.escalations.take_due(late, lambda _: True)) == 0
    assert [call.kind for call in await rows(factory, schema.webhook_calls)] == ["escalated"]
    assert await factory.escalations.close_old(NOW + timedelta(days=1)) == 1


async def test_who_was_mentioned_by_a_step_is_whom_slack_has_told(factory: Factory) -> None:
    await begin(factory, OLD[1])
    await factory.escalations.take_due(NOW + timedelta(minutes=5), never)
    (escalation,) = await rows(factory, schema.escalations)
    for is_posted in (False, True):
        report = await factory.escalation_reports.get(escalation.id)
        assert report is not None and [step.is_posted for step in report.steps] == [is_posted, False]
        await post_all(factory, NOW + timedelta(minutes=5))


async def test_while_slack_is_down_waiting_steps_cost_one_query_for_all_channels(factory: Factory) -> None:
    await subscribe(factory, WORDS, *(f"C{number:03}" for number in range(20)))
    await record_notices(factory, decoded_notice())
    await factory.leases.heartbeat({TEAM})
    due = NOW + timedelta(minutes=5)
    asked: list[str] = []
    engine = factory.database._engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *arguments: asked.append(arguments[2]))
    assert len(await factory.escalations.take_due(due, never)) == 0
    assert len([statement for statement in asked if statement.startswith("SELECT")]) == 1
