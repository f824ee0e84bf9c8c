"""Drills in the local Slack: the whole chain, marked DRILL, on its real times, and how long it took."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from bot.delivery.escalation_worker import EscalationWorker
from bot.filters import parse_criteria
from bot.store.channels.change_log import ChangeAuthor
from bot.store.channels.drills import DrillOutcome, DrillRepository, DrillResult
from formatters.models.escalation import EscalationEnd
from tests.support.delivery_harness import DeliveryHarness
from tests.support.factories import MOCK, decoded_notice

WORDS = "CBC notify <!subteam^S1> if NS escalate 5min <@U2> 10min webhook"
BEGINNER = "U0BEGAN"

pytestmark = pytest.mark.backends("sqlite", "postgresql")


async def begin(harness: DeliveryHarness, channel: str, number: int = 1) -> DrillResult:
    done = await drills(harness).begin(place(harness, channel), number, BEGINNER, harness.clock())
    await work(harness)
    return done


async def begun(harness: DeliveryHarness, words: str = WORDS, *, can_call: bool = True) -> tuple[str, int]:
    """Subscribe a channel and begin its drill; return the channel and the drill's id."""
    (channel,) = await harness.create_subscribed_channels(words=words)
    done = await begin(harness, channel)
    assert done.outcome is DrillOutcome.BEGUN and done.drill is not None
    return channel, done.drill.report.id


def drills(harness: DeliveryHarness) -> DrillRepository:
    return harness.factory.drills


def place(harness: DeliveryHarness, channel: str) -> tuple[str, str]:
    return harness.local_slack.team_id, channel


async def work(harness: DeliveryHarness, *, can_call: bool = True, **by: float) -> None:
    """Advance the clock, take what is due, and wait until it is delivered."""
    harness.advance(**by)
    factory = harness.factory
    worker = EscalationWorker(
        factory.escalations, factory.drills, harness.clock, harness.wakeups, can_call=lambda _: can_call
    )
    await worker.take_due()
    harness.wake()
    await harness.wait_until_delivered()


def posts(harness: DeliveryHarness, channel: str) -> list[str]:
    """Return the texts of the channel's messages, the oldest first, without no-break spaces."""
    return [str(message["text"]).replace("\u00a0", " ") for message in harness.local_slack.messages(channel)]


def last_blocks(harness: DeliveryHarness, channel: str) -> str:
    return (
        str(harness.local_slack.messages(channel)[-1]["blocks"]).replace("\\xa0", " ").replace("\u00a0", " ")
    )


async def rows(harness: DeliveryHarness, query: str) -> list[Any]:
    async with harness.factory.database.read_transaction() as connection:
        return list((await connection.execute(text(query))).all())


async def test_the_whole_chain_comes_on_its_times_and_each_message_says_drill(
    harness: DeliveryHarness,
) -> None:
    channel, _ = await begun(harness)
    assert posts(harness, channel) == ["DRILL of subscription 1, there is no event: <!subteam^S1>"]
    first = last_blocks(harness, channel)
    assert "If nobody does: after 5 min 1 person; after 10 min the operators" in first
    assert "drill.acknowledge" in first and f"begun by <@{BEGINNER}>" in first
    await work(harness, seconds=299)
    assert len(posts(harness, channel)) == 1, "not a second too early"
    await work(harness, seconds=1)
    assert posts(harness, channel)[1].startswith(
        "<@U2> DRILL of subscription 1 · At 12:05:00 UTC nobody had it"
    )
    await work(harness, minutes=5)
    calls = "SELECT kind, state FROM webhook_calls ORDER BY id"
    assert [tuple(row) for row in await rows(harness, calls)] == [("escalated", "pending")]
    await work(harness, minutes=14, seconds=59)
    assert len(posts(harness, channel)) == 2
    await work(harness, seconds=1)
    last = posts(harness, channel)[-1]
    assert last == "DRILL of subscription 1, over: Nobody pressed I have it within 25 min 0 s."
    assert all("DRILL" in said for said in posts(harness, channel))
    shown = last_blocks(harness, channel)
    assert "after 5 min 1 person: mentioned at 12:05:00 UTC, 5 min 0 s into the drill" in shown
    assert "after 10 min the operators' webhook: the call was given up (it was over before" in shown
    await work(harness, hours=30)
    assert len(posts(harness, channel)) == 3, "it is over"


async def test_i_have_it_ends_the_chain_and_says_how_long_it_took(harness: DeliveryHarness) -> None:
    channel, drill = await begun(harness)
    await work(harness, minutes=6, seconds=12)
    taken = await drills(harness).acknowledge(place(harness, channel), drill, "U0HASIT", harness.clock())
    assert taken.outcome is DrillOutcome.TAKEN
    await work(harness)
    assert posts(harness, channel)[-1] == "DRILL of subscription 1, over: <@U0HASIT> had it after 6 min 12 s."
    assert "the operators' webhook: not reached" in last_blocks(harness, channel)
    again = await drills(harness).acknowledge(place(harness, channel), drill, "U0LATE", harness.clock())
    assert again.outcome is DrillOutcome.OVER and again.drill is not None
    assert [one.user_id for one in again.drill.report.acknowledgements] == ["U0HASIT"]
    before = posts(harness, channel)
    await work(harness, hours=2)
    assert posts(harness, channel) == before


async def test_an_acknowledgement_and_a_step_never_both_win(harness: DeliveryHarness) -> None:
    """The step's message waits to be sent when somebody presses the button."""
    channel, drill = await begun(harness)
    async with harness.claims_paused:
        harness.advance(minutes=5)
        await harness.factory.escalations.take_due(harness.clock(), lambda _: True)
        await drills(harness).acknowledge(place(harness, channel), drill, "U0HASIT", harness.clock())
    await work(harness)
    assert [said.partition(":")[0] for said in posts(harness, channel)] == [
        "DRILL of subscription 1, there is no event",
        "DRILL of subscription 1, over",
    ]


async def test_only_one_drill_runs_in_a_channel_and_it_can_be_stopped(harness: DeliveryHarness) -> None:
    channel, drill = await begun(harness)
    running = await begin(harness, channel)
    assert running.outcome is DrillOutcome.RUNNING and running.drill is not None
    assert running.drill.report.id == drill
    stopped = await drills(harness).stop(place(harness, channel), "U0STOPS", harness.clock())
    assert stopped.outcome is DrillOutcome.STOPPED
    await work(harness, hours=1)
    assert "<@U0STOPS> stopped it after 0 s" in posts(harness, channel)[-1]
    none = await drills(harness).stop(place(harness, channel), "U0STOPS", harness.clock())
    assert none.outcome is DrillOutcome.OVER and none.drill is None
    assert (await begin(harness, channel)).outcome is DrillOutcome.BEGUN
    actions = [row.action for row in await rows(harness, "SELECT action FROM event_actions ORDER BY id")]
    assert actions == ["drill begun", "drill stopped", "drill begun"]


async def test_a_drill_survives_a_restart_and_says_nothing_twice(harness: DeliveryHarness) -> None:
    channel, _ = await begun(harness)
    for minutes in (5, 5, 15):
        await work(harness, minutes=minutes)
        await harness.restart()
        await harness.factory.leases.heartbeat({harness.local_slack.team_id})
    assert len(posts(harness, channel)) == 3
    assert len(await rows(harness, "SELECT id FROM webhook_calls WHERE kind = 'escalated'")) == 1


async def test_where_no_webhook_can_be_called_the_channel_hears_of_it(harness: DeliveryHarness) -> None:
    channel, _ = await begun(harness)
    await work(harness, minutes=5, can_call=False)
    await work(harness, minutes=5, can_call=False)
    assert "The operators' webhook is the next step, but isn't called" in posts(harness, channel)[-1]
    await work(harness, minutes=15, can_call=False)
    assert "not called, since none is configured" in last_blocks(harness, channel)


async def test_what_the_webhook_opened_is_closed_with_the_drill(harness: DeliveryHarness) -> None:
    _, drill = await begun(harness)
    await work(harness, minutes=5)
    await work(harness, minutes=5)
    call = await harness.factory.webhook_outbox.claim(harness.clock())
    assert call is not None and call.escalation_id == drill
    await harness.factory.webhook_outbox.mark_sent(call, harness.clock())
    channel = (await rows(harness, "SELECT channel_id FROM escalations"))[0].channel_id
    await drills(harness).acknowledge(place(harness, channel), drill, "U0HASIT", harness.clock())
    await work(harness)
    over = await harness.factory.webhook_outbox.claim(harness.clock())
    assert over is not None and over.kind.value == "escalation_end"
    assert "accepted the call at 12:10:00 UTC, 10 min 0 s into the drill" in last_blocks(harness, channel)


@pytest.mark.parametrize("change", ["edit", "pause", "end"])
async def test_a_drill_ends_with_the_rule_that_it_tries(harness: DeliveryHarness, change: str) -> None:
    channel, drill = await begun(harness)
    by = ChangeAuthor("U9", harness.clock())
    subscriptions, here = harness.factory.subscriptions, place(harness, channel)
    if change == "edit":
        await subscriptions.edit(*here, 1, parse_criteria("CBC notify <@U3> if NS"), by)
    elif change == "pause":
        await subscriptions.pause(*here, 1, by)
    else:
        await subscriptions.end(*here, [1], by)
    found = await drills(harness).get(drill)
    assert found is not None and found.report.end is EscalationEnd.CONDITION
    await work(harness)
    assert any("Subscription 1 was changed or ended" in said for said in posts(harness, channel))


async def test_a_drill_gives_way_to_an_event_that_needs_somebody(harness: DeliveryHarness) -> None:
    channel, drill = await begun(harness)
    await harness.record_notices(decoded_notice(MOCK))
    await work(harness)
    found = await drills(harness).get(drill)
    assert found is not None and found.report.end is None, "a mock ends none, and begins none"
    await harness.record_notices(decoded_notice())
    await work(harness)
    found = await drills(harness).get(drill)
    assert found is not None and found.report.end is EscalationEnd.PREEMPTED
    assert any("It gave way to an event" in said for said in posts(harness, channel))
    assert (await begin(harness, channel)).outcome is DrillOutcome.AWAITED


async def test_no_drill_begins_while_an_event_whose_steps_all_came_waits(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels(words=WORDS)
    await harness.record_notices(decoded_notice())
    await work(harness, hours=1)
    await work(harness, hours=1)
    assert (await begin(harness, channel)).outcome is DrillOutcome.AWAITED
    place_ = (harness.local_slack.team_id, channel, decoded_notice().superevent_id)
    await harness.factory.acknowledgements.acknowledge(*place_, "U9", harness.clock())
    assert (await begin(harness, channel)).outcome is DrillOutcome.BEGUN


async def test_there_is_nothing_to_drill_without_a_rule(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels(words="CBC")
    assert (await begin(harness, channel)).outcome is DrillOutcome.NO_RULE
    assert (await begin(harness, channel, 7)).outcome is DrillOutcome.NO_RULE
    assert posts(harness, channel) == []


async def test_steps_count_from_when_slack_took_the_mention(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels(words=WORDS)
    await drills(harness).begin(place(harness, channel), 1, BEGINNER, harness.clock())
    await work(harness, minutes=2)
    await work(harness, minutes=3)
    assert len(posts(harness, channel)) == 1
    await work(harness, minutes=2)
    assert posts(harness, channel)[-1].startswith("<@U2> ")


async def test_another_channels_button_takes_nothing(harness: DeliveryHarness) -> None:
    _, drill = await begun(harness)
    done = await drills(harness).acknowledge(
        (harness.local_slack.team_id, "C0OTHER"), drill, "U1", harness.clock()
    )
    assert done.outcome is DrillOutcome.OVER and done.drill is None
    found = await drills(harness).get(drill)
    assert found is not None and found.report.end is None


async def test_a_webhook_that_isnt_heard_is_told_in_the_channel(harness: DeliveryHarness) -> None:
    channel, _ = await begun(harness)
    await work(harness, minutes=5)
    await work(harness, minutes=5)
    outbox = harness.factory.webhook_outbox
    call = await outbox.claim(harness.clock())
    assert call is not None
    await outbox.retry_later(call, harness.clock(), "HTTP 503")
    assert await outbox.report_unheard(call, harness.clock())
    assert not await outbox.report_unheard(call, harness.clock()), "once"
    await work(harness)
    said = posts(harness, channel)[-1]
    assert "its service didn't accept the call (HTTP 503); it is called again and again for a day" in said
    await outbox.mark_sent(call, harness.clock())
    await work(harness, minutes=15)
    assert "accepted the call at 12:10:00 UTC" in last_blocks(harness, channel)


async def test_a_webhook_that_is_heard_after_all_is_not_complained_of(harness: DeliveryHarness) -> None:
    channel, _ = await begun(harness)
    await work(harness, minutes=5)
    await work(harness, minutes=5)
    outbox = harness.factory.webhook_outbox
    call = await outbox.claim(harness.clock())
    assert call is not None and await outbox.report_unheard(call, harness.clock())
    await outbox.mark_sent(call, harness.clock())
    before = posts(harness, channel)
    await work(harness)
    assert posts(harness, channel) == before


async def test_a_mention_that_slack_refuses_is_told_at_the_end(harness: DeliveryHarness) -> None:
    harness.local_slack.fail("chat.postMessage", error="restricted_action", times=None, having=("everybody",))
    (channel,) = await harness.create_subscribed_channels(
        words="CBC notify <!here> if NS escalate 5min <@U2>"
    )
    begun_now = await drills(harness).begin(place(harness, channel), 1, BEGINNER, harness.clock())
    assert begun_now.drill is not None
    drill = begun_now.drill.report.id
    await harness.factory.escalations.take_due(harness.clock(), lambda _: True)
    await harness.wait_until(lambda: was_posted(harness, channel))
    await drills(harness).acknowledge(place(harness, channel), drill, "U0HASIT", harness.clock())
    await work(harness)
    assert "but Slack refuses to mention @here here" in last_blocks(harness, channel)


async def was_posted(harness: DeliveryHarness, channel: str) -> bool:
    harness.advance(seconds=70)
    return any("DRILL" in said for said in posts(harness, channel))
