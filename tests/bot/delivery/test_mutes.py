"""A muted event in the local Slack: nothing but a retraction, and mentions that somebody asked for."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from bot.local_slack.web_api.dispatcher import RecordedCall
from bot.routing.planner import plan_unreadable_payload
from bot.routing.related_messages import plan_message
from bot.store import schema
from bot.store.channels.mutes import MuteOutcome
from bot.store.outbox.edit_writer import mark_threads_stale
from bot.store.outbox.follow_up_writer import request_follow_ups
from bot.store.outbox.models import DeliveryKind
from formatters.models.event_people import Mute
from formatters.models.observation import NewObservation, ObservedField
from formatters.models.pointing import Footprint
from tests.bot.routing.test_mentions import BURST
from tests.support.delivery_harness import DeliveryHarness
from tests.support.factories import NOW, decoded_notice, record_notices, subscribe
from tests.support.related_messages import related_message

FIRST, SECOND = decoded_notice(), decoded_notice(alert_type="INITIAL", minutes=5)
THIRD = decoded_notice(alert_type="UPDATE", minutes=9)
RETRACTION = decoded_notice(alert_type="RETRACTION", minutes=12)
EVENT = FIRST.superevent_id
POST, EDIT = "chat.postMessage", "chat.update"

pytestmark = pytest.mark.backends("sqlite", "postgresql")


async def mute(harness: DeliveryHarness, channel: str, user: str = "U1") -> MuteOutcome | None:
    team = harness.local_slack.team_id
    outcome = await harness.factory.mutes.mute(team, channel, EVENT, user, harness.clock())
    harness.wake()
    return outcome


async def unmute(harness: DeliveryHarness, channel: str, user: str = "U1") -> MuteOutcome | None:
    team = harness.local_slack.team_id
    outcome = await harness.factory.mutes.unmute(team, channel, EVENT, user, harness.clock())
    harness.wake()
    return outcome


def accepted(harness: DeliveryHarness, method: str, channel: str) -> list[RecordedCall]:
    return [call for call in harness.calls(method, channel) if call.outcome == "ok"]


async def muted_channel(harness: DeliveryHarness, words: str = "CBC") -> str:
    """Return a channel whose card was posted and where the event was muted since, with that said."""
    (channel,) = harness.create_channels(1)
    await subscribe(harness.factory, words, channel)
    await harness.record_notices(FIRST)
    await harness.wait_until_delivered()
    await mute(harness, channel)
    await harness.wait_until_delivered()
    return channel


async def test_a_mute_is_said_in_the_thread_and_edits_the_card_once(harness: DeliveryHarness) -> None:
    channel = await muted_channel(harness)
    root, said = accepted(harness, POST, channel)
    message = harness.local_slack.messages(channel)[-1]
    assert said.args["thread_ts"] == harness.local_slack.messages(channel)[0]["ts"]
    assert said.args["text"].startswith(f"Muted here: {EVENT}") and "<@U1>" in str(message["blocks"])
    assert f"/gwevent unmute {EVENT}" in str(message["blocks"]) and root is not said
    assert len(accepted(harness, EDIT, channel)) == 1, "the card says that it is muted"


async def test_a_muted_event_has_no_replies_and_no_edits_here_and_both_elsewhere(
    harness: DeliveryHarness,
) -> None:
    channel = await muted_channel(harness)
    (other,) = [harness.local_slack.add_channel("gw-other")]
    await subscribe(harness.factory, "CBC", other)
    posts, edits = accepted(harness, POST, channel), accepted(harness, EDIT, channel)
    await harness.record_notices(SECOND)
    harness.advance(seconds=60)
    await harness.wait_until_delivered()
    await harness.record_notices(THIRD)
    harness.advance(seconds=60)
    await harness.wait_until_delivered()
    assert accepted(harness, POST, channel) == posts and accepted(harness, EDIT, channel) == edits
    assert len(accepted(harness, POST, other)) == 2 and accepted(harness, EDIT, other)


async def test_a_retraction_reaches_a_muted_thread(harness: DeliveryHarness) -> None:
    channel = await muted_channel(harness)
    await harness.record_notices(SECOND)
    await harness.wait_until_delivered()
    await harness.record_notices(RETRACTION)
    harness.advance(seconds=60)
    await harness.wait_until_delivered()
    assert "RETRACTION" in accepted(harness, POST, channel)[-1].args["text"]
    assert "RETRACTED" in str(harness.local_slack.messages(channel)[0])


async def test_an_event_that_is_a_candidate_again_is_said_in_a_muted_thread(
    harness: DeliveryHarness,
) -> None:
    channel = await muted_channel(harness)
    await harness.record_notices(RETRACTION)
    harness.advance(seconds=60)
    await harness.wait_until_delivered()
    await harness.record_notices(decoded_notice(alert_type="UPDATE", minutes=20))
    harness.advance(seconds=60)
    await harness.wait_until_delivered()
    assert "RETRACTED" not in str(harness.local_slack.messages(channel)[0])
    assert "UPDATE" in accepted(harness, POST, channel)[-1].args["text"]


async def test_a_retraction_during_the_cards_last_edit_reaches_the_card(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels()
    await harness.record_notices(FIRST)
    await harness.wait_until_delivered()
    harness.local_slack.fail(EDIT, delay=0.5, times=1)
    await mute(harness, channel)

    async def is_sending() -> bool:
        return bool(await harness.rows(kind=DeliveryKind.EDIT.value, state="sending"))

    await harness.wait_until(is_sending)
    await harness.record_notices(RETRACTION)
    await harness.wait_until_delivered()
    assert "RETRACTED" in str(harness.local_slack.messages(channel)[0])


async def test_what_waited_when_the_event_was_muted_is_left_out(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels()
    await harness.record_notices(FIRST)
    await harness.wait_until_delivered()
    async with harness.claims_paused:
        await record_notices(harness.factory, [SECOND], now=harness.clock())
        await mute(harness, channel)
    harness.advance(seconds=60)
    await harness.wait_until_delivered()
    posted = [call.args["text"] for call in accepted(harness, POST, channel)]
    assert len(posted) == 2 and posted[1].startswith("Muted here")
    assert len(accepted(harness, EDIT, channel)) == 1, "which shows the newest state, and the mute"


async def test_an_upgrade_mentions_and_says_that_the_card_is_muted(harness: DeliveryHarness) -> None:
    channel = await muted_channel(harness, "CBC notify @here")
    await harness.record_notices(replace(SECOND, external=BURST))
    await harness.wait_until_delivered()
    mention = accepted(harness, POST, channel)[-1].args
    assert mention["text"].startswith("<!here>") and "thread_ts" not in mention
    assert f"/gwevent unmute {EVENT}" in str(mention["blocks"])


async def test_the_end_of_a_mute_brings_the_card_up_to_date_and_counts_what_was_missed(
    harness: DeliveryHarness,
) -> None:
    channel = await muted_channel(harness)
    for notice in (SECOND, THIRD):
        harness.advance(seconds=60)
        await harness.record_notices(replace(notice, received=harness.clock()))
        await harness.wait_until_delivered()
    harness.advance(seconds=60)
    before = accepted(harness, POST, channel)
    outcome = await unmute(harness, channel, "U2")
    assert outcome is not None and outcome.has_changed and not outcome.is_muted
    await harness.wait_until_delivered()
    (said,) = accepted(harness, POST, channel)[len(before) :]
    assert said.args["text"].startswith(f"No longer muted here: {EVENT}. 2 notices came meanwhile")
    assert "UPDATE" in str(harness.local_slack.messages(channel)[0])
    await harness.record_notices(decoded_notice(alert_type="UPDATE", minutes=30))
    harness.advance(seconds=60)
    await harness.wait_until_delivered()
    assert len(accepted(harness, POST, channel)) == len(before) + 2, "replies come again"


async def test_a_second_mute_changes_nothing_and_says_who_did_it_first(harness: DeliveryHarness) -> None:
    channel = await muted_channel(harness)
    posts = accepted(harness, POST, channel)
    again = await mute(harness, channel, "U2")
    await harness.wait_until_delivered()
    assert again == MuteOutcome(is_muted=True, has_changed=False, mute=Mute(user_id="U1", since=NOW))
    assert accepted(harness, POST, channel) == posts
    ended = await unmute(harness, channel)
    assert ended is not None and ended.has_changed
    more = await unmute(harness, channel)
    assert more == MuteOutcome(is_muted=False, has_changed=False, mute=None)


async def test_an_event_without_a_thread_here_is_not_muted(harness: DeliveryHarness) -> None:
    assert await mute(harness, "C404") is None and await unmute(harness, "C404") is None


async def test_muting_again_and_again_before_anything_is_sent_posts_one_reply(
    harness: DeliveryHarness,
) -> None:
    (channel,) = await harness.create_subscribed_channels()
    await harness.record_notices(FIRST)
    await harness.wait_until_delivered()
    async with harness.claims_paused:
        for _ in range(3):
            await mute(harness, channel)
            await unmute(harness, channel)
        await mute(harness, channel, "U9")
    await harness.wait_until_delivered()
    (said,) = accepted(harness, POST, channel)[1:]
    assert said.args["text"].startswith("Muted here")
    async with harness.factory.database.read_transaction() as connection:
        kept = (await connection.execute(select(schema.event_actions.c.action))).scalars().all()
    assert kept == ["muted", "unmuted"] * 3 + ["muted"], "the audit has all of them"


async def test_whatever_changes_a_message_leaves_a_muted_thread_alone(harness: DeliveryHarness) -> None:
    channel = await muted_channel(harness)
    edits = accepted(harness, EDIT, channel)
    team = harness.local_slack.team_id
    await harness.factory.observers.toggle(team, channel, EVENT, "U5", harness.clock())
    async with harness.factory.database.exclusive_transaction() as connection:
        threads = {
            row.id: (row.team_id, row.channel_id)
            for row in (await connection.execute(select(schema.threads))).all()
        }
        await mark_threads_stale(connection, threads, harness.clock())
        await request_follow_ups(connection, threads, harness.clock())
    harness.advance(seconds=120)
    await harness.run_rounds()
    assert accepted(harness, EDIT, channel) == edits
    assert await harness.rows(kind=DeliveryKind.FOLLOW_UP.value) == []
    await unmute(harness, channel)
    await harness.wait_until_delivered()
    assert "<@U5>" in str(harness.local_slack.messages(channel)[0]), "and is shown once the mute ends"


async def test_what_was_reported_of_a_muted_event_is_shown_once_the_mute_ends(
    harness: DeliveryHarness,
) -> None:
    channel = await muted_channel(harness)
    edits = accepted(harness, EDIT, channel)
    field = ObservedField(ra=197.45, dec=-23.38)
    for name, footprint, fields in (
        ("ZTF", Footprint(polygons=(), radius=1.0, area=3.14, words="ZTF"), (field,)),
        ("X", None, ()),
    ):
        report = NewObservation(
            team_id=harness.local_slack.team_id,
            channel_id=channel,
            superevent_id=EVENT,
            instrument=name,
            user_id="U5",
            footprint=footprint,
            fields=fields,
        )
        await harness.factory.observations.plan(report, "", harness.clock())
    harness.advance(seconds=120)
    await harness.run_rounds()
    assert accepted(harness, EDIT, channel) == edits
    assert await harness.rows(kind=DeliveryKind.FOLLOW_UP.value) == []
    await unmute(harness, channel)
    await harness.wait_until_delivered()
    assert "Observing: ZTF" in str(harness.local_slack.messages(channel)[0]["blocks"])
    assert len(await harness.rows(kind=DeliveryKind.FOLLOW_UP.value)) == 1, "what is covered is said there"


async def test_what_was_given_up_and_comes_back_respects_the_mute(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels()
    await harness.record_notices(FIRST)
    await harness.wait_until_delivered()
    harness.local_slack.fail(POST, error="is_archived", times=1)
    await harness.record_notices(SECOND)
    await harness.wait_until_delivered()
    assert await harness.state(DeliveryKind.REPLY) == ["dead"]
    await mute(harness, channel)
    await harness.wait_until_delivered()
    harness.advance(seconds=60)
    await harness.wait_until_delivered()
    texts = [call.args["text"] for call in accepted(harness, POST, channel)]
    assert len(texts) == 2 and texts[1].startswith("Muted here")
    assert NOW + timedelta(seconds=60) == harness.clock()


@pytest.mark.slow
async def test_a_muted_thread_is_told_of_mutes_twice_a_minute_at_most(harness: DeliveryHarness) -> None:
    channel = await muted_channel(harness)
    for _ in range(3):
        await unmute(harness, channel)
        await harness.run_rounds()
        await mute(harness, channel)
        await harness.run_rounds()
    assert len(accepted(harness, POST, channel)) == 2
    harness.advance(seconds=30)
    await harness.wait_until_delivered()
    texts = [call.args["text"] for call in accepted(harness, POST, channel)]
    assert len(texts) == 3 and texts[2].startswith("Muted here")


async def test_a_circular_about_a_muted_event_stands_in_its_thread_once_the_mute_ends(
    harness: DeliveryHarness,
) -> None:
    channel = await muted_channel(harness, "CBC circulars")
    record = harness.factory.related_messages.record
    await record(related_message("40001"), harness.clock(), is_news=True, plan=plan_message)
    harness.advance(seconds=60)
    await harness.run_rounds()
    assert len(accepted(harness, POST, channel)) == 2
    await unmute(harness, channel)
    harness.advance(seconds=60)
    await harness.wait_until_delivered()
    texts = [call.args["text"] for call in accepted(harness, POST, channel)]
    assert len(texts) == 4 and any("40001" in text for text in texts[2:])


async def test_a_circular_that_retracts_a_muted_event_is_told(harness: DeliveryHarness) -> None:
    channel = await muted_channel(harness, "CBC circulars")
    message = related_message("40002", retracts_event=True)
    await harness.factory.related_messages.record(message, harness.clock(), is_news=True, plan=plan_message)
    harness.wake()
    await harness.wait_until_delivered()
    texts = [call.args["text"] for call in accepted(harness, POST, channel)]
    assert len(texts) == 3 and "retract" in texts[2].casefold()


async def test_a_notice_that_cannot_be_read_is_told_in_a_muted_thread(harness: DeliveryHarness) -> None:
    channel = await muted_channel(harness)
    await harness.factory.quarantine.add(
        b"x", "test:1", "broken", EVENT, harness.clock(), plan_unreadable_payload, tell_channels=True
    )
    harness.wake()
    await harness.wait_until_delivered()
    texts = [call.args["text"] for call in accepted(harness, POST, channel)]
    assert len(texts) == 3 and "couldn't read" in texts[2], "it may be the retraction"


async def test_a_mute_moves_with_its_channel(harness: DeliveryHarness) -> None:
    channel = await muted_channel(harness)
    team, now = harness.local_slack.team_id, harness.clock()
    await harness.factory.channel_moves.move_channel((team, channel), (team, "CNEW"), now, now)
    again = await harness.factory.mutes.mute(team, "CNEW", EVENT, "U2", now)
    assert again is not None and not again.has_changed and again.mute == Mute(user_id="U1", since=NOW)
