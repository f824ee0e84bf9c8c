"""Escalations in the local Slack: who is next, when, and what ends that."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from bot.delivery.escalation_worker import EscalationWorker
from bot.filters import parse_criteria
from bot.local_slack.web_api.dispatcher import RecordedCall
from bot.monitoring.metrics import Metrics
from bot.routing.escalation import StepAction
from bot.store.channels.acknowledgements import AcknowledgeOutcome, HandBackOutcome, HandBackResult
from bot.store.channels.change_log import ChangeAuthor
from bot.store.personal_data import PersonalData
from formatters.answers import event_people
from formatters.models.forgotten import FORGOTTEN
from formatters.models.notice import Notice
from tests.bot.routing.test_mentions import BBH, BURST
from tests.support.delivery_harness import DeliveryHarness
from tests.support.factories import NOW, decoded_notice, record_notices, subscribe

WORDS = "CBC notify <!subteam^S1> if NS escalate 5min <@U2> 10min <@U3> 15min webhook"
FIRST = decoded_notice()
EVENT = FIRST.superevent_id
RETRACTION = decoded_notice(alert_type="RETRACTION", minutes=6)

pytestmark = pytest.mark.backends("sqlite", "postgresql")


def escalation_worker(harness: DeliveryHarness, *, can_call: bool = True) -> EscalationWorker:
    factory = harness.factory
    return EscalationWorker(
        factory.escalations,
        factory.drills,
        harness.clock,
        harness.wakeups,
        can_call=lambda _: can_call,
    )


async def take(harness: DeliveryHarness, *, can_call: bool = True, **by: float) -> None:
    """Advance the clock, take what is due, and wait until it is delivered."""
    harness.advance(**by)
    await escalation_worker(harness, can_call=can_call).take_due()
    harness.wake()
    await harness.wait_until_delivered()


def mentioned(harness: DeliveryHarness, channel: str) -> list[str]:
    """Return whom the channel's posts mention, in order."""
    posts = [call for call in harness.calls("chat.postMessage", channel) if call.outcome == "ok"]
    return [found for call in posts for found in first_words(call) if found != "<@U9>"]


def first_words(call: RecordedCall) -> list[str]:
    return [word for word in str(call.args["text"]).split() if word.startswith(("<@", "<!"))]


async def calls(harness: DeliveryHarness) -> list[tuple[str, str]]:
    async with harness.factory.database.read_transaction() as connection:
        rows = (await connection.execute(text("SELECT kind, state FROM webhook_calls ORDER BY id"))).all()
    return [(row.kind, row.state) for row in rows]


async def table(harness: DeliveryHarness, query: str) -> list[Any]:
    async with harness.factory.database.read_transaction() as connection:
        return list((await connection.execute(text(query))).all())


async def begin(harness: DeliveryHarness, *notices: Notice, words: str = WORDS) -> str:
    """Subscribe a channel, and deliver the first notices."""
    (channel,) = await harness.create_subscribed_channels(words=words)
    await harness.record_notices(*(notices or (FIRST,)))
    await harness.wait_until_delivered()
    return channel


async def acknowledge(harness: DeliveryHarness, channel: str, user: str = "U9") -> AcknowledgeOutcome:
    done = await harness.factory.acknowledgements.acknowledge(
        harness.local_slack.team_id, channel, EVENT, user, harness.clock()
    )
    harness.wakeups.intents_planned()
    await harness.wait_until_delivered()
    return done.outcome


async def test_nobody_takes_it_and_each_step_comes_once_at_its_time(harness: DeliveryHarness) -> None:
    channel = await begin(harness)
    assert mentioned(harness, channel) == ["<!subteam^S1>"]
    assert "I have it" in str(harness.local_slack.messages(channel)[0]["blocks"])
    await take(harness, seconds=299)
    assert mentioned(harness, channel) == ["<!subteam^S1>"], "not a second too early"
    await take(harness, seconds=1)
    await take(harness, minutes=1)
    await take(harness, minutes=4)
    assert mentioned(harness, channel) == ["<!subteam^S1>", "<@U2>", "<@U3>"]
    assert await calls(harness) == []
    await take(harness, minutes=5)
    await take(harness, hours=1)
    assert await calls(harness) == [("escalated", "pending")]
    assert mentioned(harness, channel) == ["<!subteam^S1>", "<@U2>", "<@U3>"]


async def test_a_step_says_when_nobody_had_it_and_what_is_known(harness: DeliveryHarness) -> None:
    channel = await begin(harness)
    await take(harness, minutes=5)
    said = harness.local_slack.messages(channel)[-1]
    assert said["text"].startswith("<@U2> ") and EVENT in said["text"]
    assert f"At {NOW + timedelta(minutes=5):%H:%M} UTC (T+" in said["text"].replace("\u00a0", " ")
    assert "nobody had it · FAR" in said["text"].replace("\u00a0", " ")
    assert "I have it" in str(said["blocks"]) and "thread_ts" not in said.get("metadata", {})


async def test_who_has_it_stops_all_steps(harness: DeliveryHarness) -> None:
    channel = await begin(harness)
    await take(harness, minutes=5)
    assert await acknowledge(harness, channel) is AcknowledgeOutcome.NEW
    await take(harness, hours=2)
    assert mentioned(harness, channel) == ["<!subteam^S1>", "<@U2>"]
    assert await calls(harness) == []
    assert "On it: <@U9>" in str(harness.local_slack.messages(channel)[0]["blocks"])
    assert await acknowledge(harness, channel) is AcknowledgeOutcome.MINE
    assert await acknowledge(harness, channel, "U8") is AcknowledgeOutcome.OTHERS
    actions = await table(harness, "SELECT user_id, action FROM event_actions")
    assert [(row.user_id, row.action) for row in actions] == [("U9", "acknowledged")]


async def test_handed_back_the_rest_counts_from_then(harness: DeliveryHarness) -> None:
    channel = await begin(harness)
    await take(harness, minutes=5)
    await acknowledge(harness, channel)
    harness.advance(hours=1)
    done = await harness.factory.acknowledgements.hand_back(
        harness.local_slack.team_id, channel, EVENT, "U9", harness.clock()
    )
    assert done.outcome is HandBackOutcome.HANDED_BACK and done.resumed == 1
    await take(harness, seconds=299)
    assert mentioned(harness, channel) == ["<!subteam^S1>", "<@U2>"]
    await take(harness, seconds=1)
    assert mentioned(harness, channel)[-1] == "<@U3>", "five minutes lay between both steps"
    again = await harness.factory.acknowledgements.hand_back(
        harness.local_slack.team_id, channel, EVENT, "U9", harness.clock()
    )
    assert again.outcome is HandBackOutcome.NOT_MINE


async def test_a_step_that_nobody_heard_comes_after_it_was_handed_back(harness: DeliveryHarness) -> None:
    channel = await begin(harness)
    async with harness.claims_paused:
        harness.clock.advance(minutes=5)
        await escalation_worker(harness).take_due()
        factory = harness.factory
        where = (harness.local_slack.team_id, channel, EVENT, "U9")
        await factory.acknowledgements.acknowledge(*where, harness.clock())
        await factory.acknowledgements.hand_back(*where, harness.clock())
    await harness.wait_until_delivered()
    assert mentioned(harness, channel) == ["<!subteam^S1>"]
    await take(harness, minutes=5)
    assert mentioned(harness, channel) == ["<!subteam^S1>", "<@U2>"]


async def test_who_wasnt_told_while_slack_was_down_is_told_after_it_was_handed_back(
    harness: DeliveryHarness,
) -> None:
    (channel,) = await harness.create_subscribed_channels(words=WORDS)
    async with harness.claims_paused:
        await record_notices(harness.factory, FIRST, now=harness.clock())
        harness.clock.advance(minutes=16)
        await escalation_worker(harness).take_due()
        assert await calls(harness) == [("escalated", "pending")], "the webhook's step came first"
    await harness.wait_until_delivered()
    await acknowledge(harness, channel)
    done = await harness.factory.acknowledgements.hand_back(
        harness.local_slack.team_id, channel, EVENT, "U9", harness.clock()
    )
    assert done.resumed == 1
    await take(harness, minutes=5)
    await take(harness, minutes=5)
    assert mentioned(harness, channel) == ["<!subteam^S1>", "<@U2>", "<@U3>"]


async def test_steps_of_one_moment_of_which_one_wasnt_heard_are_both_heard(harness: DeliveryHarness) -> None:
    channel = await begin(harness, words="CBC notify <@U1> escalate 5min <@U2>")
    async with harness.factory.database.exclusive_transaction() as connection:
        other = "SELECT escalation_id, team_id, 1, after_s, '<@U3>', webhook, due_at, 'cancelled'"
        columns = "escalation_id, team_id, position, after_s, targets, webhook, due_at, state"
        await connection.execute(
            text(f"INSERT INTO escalation_steps ({columns}) {other} FROM escalation_steps")
        )
    words = parse_criteria("CBC notify <@U1> escalate 5min <@U2> <@U3>")
    by = ChangeAuthor("U9", harness.clock())
    await harness.factory.subscriptions.edit(harness.local_slack.team_id, channel, 1, words, by)
    await take(harness, minutes=5)
    await acknowledge(harness, channel)
    await harness.factory.acknowledgements.hand_back(
        harness.local_slack.team_id, channel, EVENT, "U9", harness.clock()
    )
    await take(harness, seconds=1)
    assert mentioned(harness, channel) == ["<@U1>", "<@U2>", "<@U3>"]


async def test_who_hands_it_back_after_the_last_step_is_told_that_the_webhook_is_called(
    harness: DeliveryHarness,
) -> None:
    channel = await begin(harness)
    await take(harness, minutes=15)
    async with harness.factory.database.exclusive_transaction() as connection:
        await connection.execute(text("UPDATE webhook_calls SET state = 'sent', attempts = 1"))
    await acknowledge(harness, channel)
    async with harness.factory.database.exclusive_transaction() as connection:
        await connection.execute(text("UPDATE webhook_calls SET state = 'sent', attempts = 1"))
    done = await harness.factory.acknowledgements.hand_back(
        harness.local_slack.team_id, channel, EVENT, "U9", harness.clock()
    )
    assert (done.resumed, done.is_paged) == (0, True)
    assert ("escalated", "pending") in await calls(harness)
    superevent = await harness.factory.notices.superevent(EVENT)
    assert superevent is not None
    said = event_people.handed_back(superevent, (), done.resumed, is_paged=done.is_paged).text
    assert "The operators' webhook is called at once." in said and "Nobody is called" not in said


@pytest.mark.parametrize("steps", [0, 1, 2, 3])
async def test_a_retraction_ends_it_at_every_step_and_reaches_who_was_woken(
    harness: DeliveryHarness, steps: int
) -> None:
    channel = await begin(harness)
    for _ in range(steps):
        await take(harness, minutes=5)
    await harness.record_notices(RETRACTION)
    await harness.wait_until_delivered()
    await take(harness, hours=13)
    everybody = ["<!subteam^S1>", "<@U2>", "<@U3>"][: 1 + steps]
    assert mentioned(harness, channel) == [*everybody, *everybody], "stand down, and nothing else"
    opened = [("escalated", "dead")] if steps == 3 else []
    assert await calls(harness) == opened, "nobody was called, so nobody is told"
    assert "I have it" not in str(harness.local_slack.messages(channel)[0]["blocks"])
    (row,) = await table(harness, "SELECT end_reason, closed_at FROM escalations")
    assert row.end_reason == "retracted" and row.closed_at is not None


async def test_a_condition_that_no_longer_holds_ends_it(harness: DeliveryHarness) -> None:
    channel = await begin(harness)
    await harness.record_notices(decoded_notice(alert_type="UPDATE", minutes=2, **BBH))
    await harness.wait_until_delivered()
    await take(harness, hours=1)
    assert mentioned(harness, channel) == ["<!subteam^S1>"] and await calls(harness) == []
    (row,) = await table(harness, "SELECT end_reason FROM escalations")
    assert row.end_reason == "condition"


@pytest.mark.parametrize("change", ["edit", "pause", "end"])
async def test_a_rule_that_is_gone_ends_it(harness: DeliveryHarness, change: str) -> None:
    channel = await begin(harness)
    team_id, by = harness.local_slack.team_id, ChangeAuthor("U9", harness.clock())
    subscriptions = harness.factory.subscriptions
    if change == "edit":
        plain = parse_criteria("CBC notify <!subteam^S1> if NS")
        assert await subscriptions.edit(team_id, channel, 1, plain, by)
    elif change == "pause":
        assert await subscriptions.pause(team_id, channel, 1, by)
    else:
        assert await subscriptions.end(team_id, channel, [1], by)
    await take(harness, hours=1)
    assert mentioned(harness, channel) == ["<!subteam^S1>"]
    assert "I have it" not in str(harness.local_slack.messages(channel)[0]["blocks"])


async def test_a_rule_that_is_changed_keeps_the_steps_that_it_still_names(harness: DeliveryHarness) -> None:
    channel = await begin(harness)
    by = ChangeAuthor("U9", harness.clock())
    changed = parse_criteria("CBC notify <!subteam^S1> if NS escalate 5min <@U3>")
    assert await harness.factory.subscriptions.edit(harness.local_slack.team_id, channel, 1, changed, by)
    await take(harness, minutes=5)
    await take(harness, minutes=5)
    assert mentioned(harness, channel) == ["<!subteam^S1>", "<@U3>"], "at its time of then"


async def test_steps_count_from_when_slack_accepted_the_first_mention(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels(words=WORDS)
    async with harness.claims_paused:
        await harness.factory.subscriptions.count()
        await record_notices(harness.factory, FIRST, now=harness.clock())
        harness.clock.advance(minutes=20)
        await escalation_worker(harness).take_due()
        assert await calls(harness) == [("escalated", "pending")], "the webhook pages while Slack is down"
    await harness.wait_until_delivered()
    assert mentioned(harness, channel) == ["<!subteam^S1>"]
    await take(harness, seconds=299)
    assert mentioned(harness, channel) == ["<!subteam^S1>"]
    await take(harness, seconds=1)
    await take(harness, minutes=5)
    assert mentioned(harness, channel) == ["<!subteam^S1>", "<@U2>", "<@U3>"]


async def test_asleep_past_several_steps_they_come_in_order_and_mention_nobody_twice(
    harness: DeliveryHarness,
) -> None:
    words = "CBC notify <@U1> escalate 5min <@U2> 10min <@U2> <@U3> 15min <@U3> 20min <@U2>"
    channel = await begin(harness, words=words)
    await take(harness, minutes=16)
    assert mentioned(harness, channel) == ["<@U1>", "<@U2>", "<@U3>"]
    await take(harness, minutes=4)
    assert mentioned(harness, channel) == ["<@U1>", "<@U2>", "<@U3>", "<@U2>"], "a step of its own moment"


async def test_a_clock_set_back_delays_a_step_by_its_own_length_at_most(harness: DeliveryHarness) -> None:
    channel = await begin(harness)
    await take(harness, days=-1)
    await take(harness, seconds=299)
    assert mentioned(harness, channel) == ["<!subteam^S1>"]
    await take(harness, seconds=1)
    assert mentioned(harness, channel) == ["<!subteam^S1>", "<@U2>"]


@pytest.mark.parametrize("words", ["CBC mock notify <@U1> notify-mocks escalate 5min <@U2>"])
async def test_a_mock_has_no_steps(harness: DeliveryHarness, words: str) -> None:
    mock = replace(FIRST, superevent_id=f"M{EVENT}")
    channel = await begin(harness, mock, words=words)
    await take(harness, minutes=5)
    assert mentioned(harness, channel) == ["<@U1>"]
    assert await table(harness, "SELECT * FROM escalations") == []


async def test_an_upgrade_begins_anew_unless_somebody_has_it(harness: DeliveryHarness) -> None:
    channel = await begin(harness, words="CBC notify <@U1> escalate 5min <@U2>")
    await take(harness, minutes=5)
    news = decoded_notice(alert_type="INITIAL", minutes=5)
    await harness.record_notices(replace(news, external=BURST))
    await harness.wait_until_delivered()
    await take(harness, minutes=5)
    assert mentioned(harness, channel) == ["<@U1>", "<@U2>", "<@U1>", "<@U2>"]
    await acknowledge(harness, channel)
    later = decoded_notice(alert_type="UPDATE", minutes=9)
    other = replace(BURST, observatory="Fermi", time_difference=1.5)
    await harness.record_notices(replace(later, external=other))
    await harness.wait_until_delivered()
    await take(harness, minutes=5)
    assert mentioned(harness, channel)[4:] in ([], ["<@U1>"]), "no step: somebody has it"


async def hand_back(harness: DeliveryHarness, channel: str, user: str = "U9") -> HandBackResult:
    done = await harness.factory.acknowledgements.hand_back(
        harness.local_slack.team_id, channel, EVENT, user, harness.clock()
    )
    harness.wakeups.intents_planned()
    await harness.wait_until_delivered()
    return done


async def test_a_forgotten_person_hands_back_what_they_have(harness: DeliveryHarness) -> None:
    channel = await begin(harness)
    await take(harness, minutes=5)
    await acknowledge(harness, channel)
    forget = PersonalData(harness.factory.database).forget
    await forget("U9", harness.clock(), dry_run=True)
    await take(harness, minutes=1)
    assert "On it: <@U9>" in str(harness.local_slack.messages(channel)[0]["blocks"]), "nothing was done"
    await forget("U9", harness.clock())
    await take(harness, seconds=299)
    card = str(harness.local_slack.messages(channel)[0]["blocks"])
    assert "I have it" in card and "On it" not in card
    assert mentioned(harness, channel) == ["<!subteam^S1>", "<@U2>"]
    await take(harness, seconds=1)
    assert mentioned(harness, channel) == ["<!subteam^S1>", "<@U2>", "<@U3>"]
    actions = await table(harness, "SELECT user_id, action FROM event_actions ORDER BY id")
    assert [(row.user_id, row.action) for row in actions] == [
        (FORGOTTEN, "acknowledged"),
        (FORGOTTEN, "handed back"),
    ]


async def test_a_forgotten_person_who_is_next_isnt_mentioned_after_they_handed_it_back(
    harness: DeliveryHarness,
) -> None:
    channel = await begin(harness, words="CBC notify <@U1> escalate 5min <@U9> 10min <@U3>")
    await acknowledge(harness, channel)
    await PersonalData(harness.factory.database).forget("U9", harness.clock())
    await take(harness, minutes=5)
    await take(harness, minutes=5)
    assert mentioned(harness, channel)[-2:] == ["<@U1>", "<@U3>"]
    posts = [str(call.args) for call in harness.calls("chat.postMessage", channel)]
    assert not any("<@U9>" in post for post in posts[:2])


async def begin_with_two_rules(harness: DeliveryHarness) -> str:
    (channel,) = await harness.create_subscribed_channels(words="CBC notify <@U1> escalate 5min <@U2>")
    other = "NS notify <@U5> escalate 10min <@U2> <@U3> 15min <@U3> 20min <@U2>"
    await subscribe(harness.factory, other, channel, team=harness.local_slack.team_id)
    await harness.record_notices(FIRST)
    await harness.wait_until_delivered()
    return channel


async def test_whom_two_rules_name_is_mentioned_once(harness: DeliveryHarness) -> None:
    channel = await begin_with_two_rules(harness)
    for _ in range(4):
        await take(harness, minutes=5)
    assert mentioned(harness, channel) == ["<@U1>", "<@U5>", "<@U2>", "<@U3>", "<@U3>", "<@U2>"], (
        "two rules name somebody once, and one rule's reminder comes all the same"
    )


async def test_whom_two_rules_name_is_mentioned_again_after_a_hand_back(harness: DeliveryHarness) -> None:
    channel = await begin_with_two_rules(harness)
    await take(harness, minutes=5)
    await acknowledge(harness, channel)
    await hand_back(harness, channel)
    await take(harness, minutes=5)
    assert mentioned(harness, channel) == ["<@U1>", "<@U5>", "<@U2>", "<@U2>", "<@U3>"]


async def test_whom_the_earlier_rules_step_didnt_reach_is_mentioned_by_the_later(
    harness: DeliveryHarness,
) -> None:
    channel = await begin_with_two_rules(harness)
    await take(harness, minutes=5)
    async with harness.factory.database.exclusive_transaction() as connection:
        await connection.execute(text("UPDATE deliveries SET state = 'dead' WHERE kind = 'escalation'"))
    await take(harness, minutes=5)
    assert mentioned(harness, channel)[3:] == ["<@U2>", "<@U3>"]


async def test_the_steps_of_an_upgrade_come_after_it_was_handed_back(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels(words="CBC notify <@U1> escalate 5min <@U2>")
    other = "NS notify <@U5> escalate 5min <@U6> 10min webhook"
    await subscribe(harness.factory, other, channel, team=harness.local_slack.team_id)
    await harness.record_notices(decoded_notice(**BBH))
    await harness.wait_until_delivered()
    await take(harness, minutes=5)
    await acknowledge(harness, channel)
    await harness.record_notices(decoded_notice(alert_type="UPDATE", minutes=5))
    await harness.wait_until_delivered()
    await take(harness, hours=2)
    assert mentioned(harness, channel)[:3] == ["<@U1>", "<@U2>", "<@U5>"], "somebody has it"
    assert "On it: <@U9>" in str(harness.local_slack.messages(channel)[0]["blocks"])
    assert (await hand_back(harness, channel)).resumed == 1
    assert "I have it" in str(harness.local_slack.messages(channel)[0]["blocks"])
    await take(harness, seconds=299)
    assert len(mentioned(harness, channel)) == 3 and await calls(harness) == []
    await take(harness, seconds=1)
    await take(harness, minutes=5)
    await take(harness, hours=2)
    assert mentioned(harness, channel) == ["<@U1>", "<@U2>", "<@U5>", "<@U6>"]
    assert await calls(harness) == [("escalated", "pending")]


async def test_an_upgrade_while_somebody_has_it_calls_nobody_twice_after_a_hand_back(
    harness: DeliveryHarness,
) -> None:
    channel = await begin(harness, words="CBC notify <@U1> escalate 5min <@U2> 10min webhook")
    await acknowledge(harness, channel)
    await harness.record_notices(replace(decoded_notice(alert_type="INITIAL", minutes=5), external=BURST))
    await harness.wait_until_delivered()
    await hand_back(harness, channel)
    await take(harness, minutes=5)
    await take(harness, minutes=5)
    assert mentioned(harness, channel) == ["<@U1>", "<@U1>", "<@U2>"]
    assert await calls(harness) == [("escalated", "pending")]


async def test_an_upgrade_while_steps_wait_leaves_them_their_times(harness: DeliveryHarness) -> None:
    channel = await begin(harness, words="CBC notify <@U1> escalate 5min <@U2>")
    await take(harness, minutes=3)
    news = decoded_notice(alert_type="INITIAL", minutes=5)
    await harness.record_notices(replace(news, external=BURST))
    await harness.wait_until_delivered()
    await take(harness, minutes=2)
    await take(harness, minutes=5)
    assert mentioned(harness, channel) == ["<@U1>", "<@U1>", "<@U2>"]


async def test_where_the_webhook_may_not_be_called_the_channel_is_told(harness: DeliveryHarness) -> None:
    channel = await begin(harness, words="CBC notify <@U1> escalate 5min webhook")
    await take(harness, can_call=False, minutes=5)
    assert await calls(harness) == []
    assert "The operators' webhook is the next step, but isn't called" in str(
        harness.local_slack.messages(channel)[-1]["text"]
    )


async def test_after_a_day_it_is_closed_and_the_operators_are_told(harness: DeliveryHarness) -> None:
    await begin(harness)
    await take(harness, minutes=15)
    async with harness.factory.database.exclusive_transaction() as connection:
        await connection.execute(text("UPDATE webhook_calls SET state = 'sent', attempts = 1"))
    await take(harness, hours=23)
    assert await calls(harness) == [("escalated", "sent")]
    await take(harness, hours=1)
    assert await calls(harness) == [("escalated", "sent"), ("escalation_end", "pending")]
    (row,) = await table(harness, "SELECT end_reason, closed_at FROM escalations")
    assert row.end_reason == "complete" and row.closed_at is not None


async def test_after_a_day_the_card_has_no_button_to_take_it(harness: DeliveryHarness) -> None:
    channel = await begin(harness, words="CBC notify <@U1> escalate 5min <@U2>")
    await take(harness, minutes=5)
    assert "I have it" in str(harness.local_slack.messages(channel)[0]["blocks"])
    await take(harness, days=1)
    assert "I have it" not in str(harness.local_slack.messages(channel)[0]["blocks"])


async def test_after_a_day_a_muted_card_is_left_alone(harness: DeliveryHarness) -> None:
    channel = await begin(harness, words="CBC notify <@U1> escalate 5min <@U2>")
    where = (harness.local_slack.team_id, channel, EVENT)
    await harness.factory.mutes.mute(*where, "U9", harness.clock())
    await take(harness, minutes=5)
    edits = len(harness.calls("chat.update", channel))
    await take(harness, days=1)
    assert len(harness.calls("chat.update", channel)) == edits
    await harness.factory.mutes.unmute(*where, "U9", harness.clock())
    await take(harness, minutes=1)
    assert "I have it" not in str(harness.local_slack.messages(channel)[0]["blocks"])


async def test_a_clock_far_ahead_that_nobody_trusts_closes_nothing(harness: DeliveryHarness) -> None:
    channel = await begin(harness)
    factory = harness.factory
    harness.advance(days=3)
    worker = EscalationWorker(
        factory.escalations,
        factory.drills,
        harness.clock,
        harness.wakeups,
        is_clock_trusted=lambda: False,
    )
    await worker.take_due()
    harness.wake()
    await harness.wait_until_delivered()
    assert mentioned(harness, channel) == ["<!subteam^S1>", "<@U2>", "<@U3>"], (
        "too early is better than never"
    )
    await take(harness)
    (row,) = await table(harness, "SELECT closed_at FROM escalations")
    assert row.closed_at is not None


async def test_decided_steps_are_counted(harness: DeliveryHarness) -> None:
    await begin(harness, words="CBC notify <@U1> escalate 5min <@U2> 10min webhook")
    factory, metrics = harness.factory, Metrics()
    worker = EscalationWorker(
        factory.escalations,
        factory.drills,
        harness.clock,
        harness.wakeups,
        can_call=lambda _: True,
        on_decided=metrics.count_escalation_steps,
    )
    for _ in range(3):
        harness.advance(minutes=5)
        await worker.take_due()
        await harness.wait_until_delivered()
    counted = {
        action.name: metrics.registry.get_sample_value(
            "gwevent_escalation_steps_total", {"outcome": action.name.lower()}
        )
        for action in StepAction
    }
    assert counted == {"MENTION": 1, "CALL": 1, "REPORT": 0, "SKIP": 0, "CANCEL": 0, "POSTPONE": 0}


async def test_a_retracted_event_that_comes_back_is_to_be_taken_anew(harness: DeliveryHarness) -> None:
    channel = await begin(harness, words="CBC notify <@U1> escalate 5min <@U2>")
    await acknowledge(harness, channel)
    await harness.record_notices(RETRACTION)
    await harness.wait_until_delivered()
    assert await acknowledge(harness, channel, "U8") is AcknowledgeOutcome.RETRACTED
    await harness.record_notices(decoded_notice(alert_type="UPDATE", minutes=30))
    await harness.wait_until_delivered()
    await take(harness, minutes=5)
    assert mentioned(harness, channel) == ["<@U1>", "<@U1>", "<@U1>", "<@U2>"]


async def test_a_worker_that_was_killed_repeats_no_step(harness: DeliveryHarness) -> None:
    channel = await begin(harness)
    harness.advance(minutes=5)
    for _ in range(3):
        await escalation_worker(harness).take_due()
    await harness.wait_until_delivered()
    await harness.restart()
    await take(harness, minutes=1)
    assert mentioned(harness, channel) == ["<!subteam^S1>", "<@U2>"]
