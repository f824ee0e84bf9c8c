"""From the outbox into channels: order, edits, failures, rate limits, lost answers."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, text

from bot.app.application import Application
from bot.app.factory import Factory
from bot.delivery.history_lookup import MAX_HISTORY_LOOKUPS
from bot.delivery.outcome_writer import OutcomeWriter
from bot.delivery.rate_control import RateControl
from bot.delivery.rendered_message import RenderedMessage
from bot.delivery.sender import Sender
from bot.delivery.worker import DeliveryWorker
from bot.filters import parse_criteria
from bot.ingest.pipeline import IngestResult
from bot.local_slack.server import LocalSlack
from bot.local_slack.workspace import Draft
from bot.runtime.wakeups import Wakeups
from bot.slack.message_metadata import METADATA_EVENT, DeliveryMetadata
from bot.sources.base import Origin
from bot.store.database import Database, StoreUnavailable
from bot.store.outbox.edit_writer import mark_threads_stale
from bot.store.outbox.models import Delivery, DeliveryKind
from formatters.blockkit.message import Message
from formatters.models.superevent import Superevent
from formatters.posts import alert_card
from formatters.posts.channel_view import ChannelView
from formatters.terminal import message_text
from tests.bot.related_messages.test_circular import circular
from tests.support.delivery_harness import DeliveryHarness
from tests.support.factories import (
    MOCK,
    NOW,
    REAL,
    TEAM,
    create_pipeline,
    decoded_notice,
    record_notices,
    subscribe,
    unsubscribe,
)

FIRST, SECOND, THIRD = (
    decoded_notice(),
    decoded_notice(alert_type="INITIAL", minutes=5),
    decoded_notice(alert_type="UPDATE", minutes=9),
)
RETRACTION = decoded_notice(alert_type="RETRACTION", minutes=5)

pytestmark = pytest.mark.backends("sqlite", "postgresql")


def shown(*notices: Any) -> str:
    """Return the text of the root after these notices."""
    return alert_card.alert_card(Superevent.from_notices(notices), ChannelView(is_root=True)).text


async def test_a_root_then_its_replies_in_order_and_the_root_is_kept_true(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels()
    await harness.record_notices(FIRST, SECOND, THIRD)
    await harness.wait_until_delivered()
    root, *replies = harness.local_slack.messages(channel)
    assert [reply["thread_ts"] for reply in replies] == [root["ts"]] * 2
    assert "INITIAL" in replies[0]["text"].upper() and "UPDATE" in replies[1]["text"].upper()
    assert root["text"] == shown(FIRST, SECOND, THIRD)
    assert harness.calls("chat.update") == [], "rendered when it was sent, so there was nothing to edit"
    ids = [row.id for row in await harness.rows(state="sent") if row.kind != "edit"]
    told = [m["metadata"] for m in (root, *replies)]
    assert [m["event_type"] for m in told] == [METADATA_EVENT] * 3
    assert [m["event_payload"]["delivery_id"] for m in told] == ids
    await harness.record_notices(decoded_notice(alert_type="UPDATE", minutes=20, far=1e-30))
    await harness.wait_until_delivered()
    assert len(harness.calls("chat.update")) == 1
    assert harness.texts(channel)[0] == shown(
        FIRST, SECOND, THIRD, decoded_notice(alert_type="UPDATE", minutes=20, far=1e-30)
    )
    assert len(harness.local_slack.messages(channel, thread_ts=root["ts"])) == 4


async def test_a_reply_waits_for_its_root(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels()
    harness.local_slack.fail("chat.postMessage", error="fatal_error")
    await harness.record_notices(FIRST)
    await harness.wait_for_retry("fatal_error")
    await harness.record_notices(SECOND)
    await harness.run_rounds()
    assert harness.texts(channel) == [] and len(harness.calls("chat.postMessage")) == 1
    harness.advance(seconds=5)
    await harness.wait_until_delivered()
    root, reply = harness.local_slack.messages(channel)
    assert reply["thread_ts"] == root["ts"]


async def test_reply_waits_for_the_previous_reply(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels()
    await harness.record_notices(FIRST)
    await harness.wait_until_delivered()
    harness.local_slack.fail("chat.postMessage", error="fatal_error")
    await harness.record_notices(SECOND)
    await harness.wait_for_retry("fatal_error")
    await harness.record_notices(THIRD)

    async def edited() -> bool:
        return harness.texts(channel)[0] == shown(FIRST, SECOND, THIRD)

    await harness.wait_until(edited)  # an edit has no order
    assert len(harness.texts(channel)) == 1
    harness.advance(seconds=5)
    await harness.wait_until_delivered()
    first, second = harness.texts(channel)[1:]
    assert "INITIAL" in first.upper() and "UPDATE" in second.upper()


@pytest.mark.slow
async def test_a_notice_that_comes_while_the_root_is_sent_ends_in_the_root(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels()
    harness.local_slack.fail("chat.postMessage", delay=1.0)
    await harness.record_notices(FIRST)

    async def sending() -> bool:
        return await harness.state(DeliveryKind.ROOT) == ["sending"]

    await harness.wait_until(sending)
    await harness.record_notices(SECOND)
    await harness.wait_until_delivered()
    assert harness.texts(channel)[0] == shown(FIRST, SECOND)
    assert len(harness.texts(channel)) == 2


@pytest.mark.slow
async def test_a_notice_that_comes_while_an_edit_is_sent_ends_in_the_root(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels()
    await harness.record_notices(FIRST)
    await harness.wait_until_delivered()
    harness.local_slack.fail("chat.update", delay=1.0)
    await harness.record_notices(SECOND)

    async def sending() -> bool:
        return await harness.state(DeliveryKind.EDIT) == ["sending"]

    await harness.wait_until(sending)
    await harness.record_notices(THIRD)
    await harness.wait_until_delivered()
    assert harness.texts(channel)[0] == shown(FIRST, SECOND, THIRD)
    assert len(await harness.rows(kind="edit")) == 1, "one row, used again"


async def test_one_dead_channel_holds_up_no_other(harness: DeliveryHarness) -> None:
    dead, alive = await harness.create_subscribed_channels(2)
    harness.local_slack.archive(dead)
    await harness.record_notices(FIRST, SECOND)
    await harness.wait_until_delivered()
    assert len(harness.texts(alive)) == 2
    assert await harness.state(DeliveryKind.ROOT, dead) == ["dead"]
    assert await harness.state(DeliveryKind.REPLY, dead) == ["dead"], "its replies die with it"
    problems = [s.delivery_problem for s in await harness.factory.subscriptions.for_channel(TEAM, dead)]
    assert problems == ["is_archived"]
    assert len(harness.calls("chat.postMessage", dead)) == 1


async def test_invitation_after_a_kick_posts_the_missed_messages(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels()
    harness.local_slack.ungrant("chat:write.public")
    harness.local_slack.kick(channel)
    await harness.record_notices(FIRST, SECOND)
    await harness.wait_until_delivered()
    assert harness.texts(channel) == []
    harness.local_slack.invite(channel)
    now = harness.clock()
    assert await harness.factory.outbox.requeue_channel(TEAM, channel, now, now) == 2
    assert await harness.factory.outbox.requeue_channel(TEAM, channel, now, now) == 0
    harness.worker.wake()
    await harness.wait_until_delivered()
    root, reply = harness.local_slack.messages(channel)
    assert reply["thread_ts"] == root["ts"]
    assert (await harness.factory.subscriptions.for_channel(TEAM, channel))[0].delivery_problem is None


async def test_a_root_in_doubt_is_found_though_its_channel_was_out_of_reach(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels()
    harness.local_slack.grant("channels:history")
    harness.local_slack.ungrant("chat:write.public")
    harness.local_slack.fail("chat.postMessage", drop="after")
    await harness.record_notices(FIRST)
    await harness.wait_for_retry("no answer: ServerDisconnectedError")
    harness.local_slack.kick(channel)
    harness.advance(seconds=5)
    await harness.wait_until_delivered()
    # With the next notice the root that died is opened again, in vain.
    await harness.record_notices(SECOND)
    await harness.wait_until_delivered()
    harness.local_slack.invite(channel)
    now = harness.clock()
    await harness.factory.outbox.requeue_channel(TEAM, channel, now - timedelta(hours=24), now)
    harness.worker.wake()
    await harness.wait_until_delivered()
    assert harness.texts(channel) == [shown(FIRST, SECOND)]


async def test_next_successful_post_revives_an_unarchived_channel(
    harness: DeliveryHarness,
) -> None:
    (channel,) = await harness.create_subscribed_channels()
    harness.local_slack.archive(channel)
    await harness.record_notices(FIRST)
    await harness.wait_until_delivered()
    harness.local_slack.unarchive(channel)
    await harness.record_notices(decoded_notice("S261122b"))

    async def both() -> bool:
        return len(harness.texts(channel)) == 2

    await harness.wait_until(both)
    assert {name for name in (REAL, "S261122b") for said in harness.texts(channel) if name in said} == {
        REAL,
        "S261122b",
    }


async def test_an_edit_refused_by_an_archive_comes_back_at_any_age(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels()
    await harness.record_notices(FIRST)
    await harness.wait_until_delivered()
    harness.local_slack.archive(channel)
    await harness.record_notices(RETRACTION)
    await harness.wait_until_delivered()
    assert await harness.state(DeliveryKind.EDIT) == ["dead"]
    harness.local_slack.unarchive(channel)
    harness.advance(days=3)
    now = harness.clock()
    assert await harness.factory.outbox.requeue_channel(TEAM, channel, now, now) == 1
    harness.worker.wake()
    await harness.wait_until_delivered()
    assert harness.texts(channel) == [shown(FIRST, RETRACTION)]


@pytest.mark.slow
async def test_revived_channel_without_subscription_gets_no_late_alert(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels()
    harness.local_slack.archive(channel)
    await harness.record_notices(FIRST)
    await harness.wait_until_delivered()
    await unsubscribe(harness.factory, channel)
    await harness.wait_until_delivered()
    harness.local_slack.unarchive(channel)
    assert await harness.factory.outbox.requeue_channel(TEAM, channel, harness.clock(), harness.clock()) == 1
    harness.worker.wake()
    await harness.wait_until_delivered()
    (told,) = harness.texts(channel)
    assert "ended subscription 1" in told, "of that alone"


async def test_waiting_root_is_cancelled_with_the_last_matching_subscription(
    harness: DeliveryHarness,
) -> None:
    (channel,) = await harness.create_subscribed_channels()
    await subscribe(harness.factory, "all mock", channel)
    harness.local_slack.fail("chat.postMessage", error="ratelimited", status=429, retry_after=0.1)
    await harness.record_notices(FIRST)
    await harness.wait_for_retry("ratelimited")
    await unsubscribe(harness.factory, channel, "all mock")
    assert await harness.state(DeliveryKind.ROOT) == ["pending"], "the other one still wants it"
    async with harness.factory.database.exclusive_transaction() as connection:
        (root,) = await harness.rows(kind="root")
        await mark_threads_stale(connection, {root.thread_id: (TEAM, channel)}, harness.clock())
    await unsubscribe(harness.factory, channel)
    assert (await harness.rows(kind="root"))[0].reason == "unsubscribed before it was posted"
    assert await harness.state(DeliveryKind.EDIT) == ["dead"], "it waited for the root"
    harness.advance(seconds=60)
    await harness.run_rounds()
    assert all("ended subscription" in told for told in harness.texts(channel))


async def test_a_root_that_waits_is_cancelled_by_a_retraction(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels()
    harness.local_slack.fail("chat.postMessage", status=429, retry_after=0.1)
    await harness.record_notices(FIRST)
    await harness.wait_for_retry("ratelimited")
    await harness.record_notices(RETRACTION)
    await harness.wait_until_delivered()
    harness.advance(seconds=60)
    await harness.run_rounds()
    assert harness.texts(channel) == []
    back = decoded_notice(alert_type="UPDATE", minutes=6)
    await harness.record_notices(back)
    await harness.wait_until_delivered()
    assert harness.texts(channel) == [shown(FIRST, RETRACTION, back)], "it came back, so it is news"


@pytest.mark.slow
async def test_retraction_that_overtakes_its_root_posts_nothing(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels()
    harness.local_slack.fail("chat.postMessage", delay=1.0, status=429, retry_after=0.1)
    await harness.record_notices(FIRST)

    async def sending() -> bool:
        return await harness.state(DeliveryKind.ROOT) == ["sending"]

    await harness.wait_until(sending)
    await harness.record_notices(RETRACTION)
    await harness.wait_for_retry("ratelimited")
    await asyncio.sleep(0.15)
    harness.advance(seconds=1)
    await harness.wait_until_delivered()
    assert harness.texts(channel) == []
    assert await harness.state(DeliveryKind.REPLY) == ["dead"]


async def test_retraction_after_a_deleted_root_is_posted_as_a_new_root(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels()
    await harness.record_notices(FIRST)
    await harness.wait_until_delivered()
    found = harness.local_slack.workspace.channels[channel]
    harness.local_slack.workspace.delete(next(iter(found.messages.values())))
    await harness.record_notices(RETRACTION)
    await harness.wait_until_delivered()
    assert harness.texts(channel) == [shown(FIRST, RETRACTION)]


@pytest.mark.slow
async def test_a_refused_root_is_given_up_and_the_next_notice_opens_another(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels()
    harness.local_slack.fail("chat.postMessage", error="no_text")
    await harness.record_notices(FIRST)
    await harness.wait_until_delivered()
    assert [(row.state, row.reason) for row in await harness.rows()] == [("dead", "no_text")]
    assert (await harness.factory.subscriptions.for_channel(TEAM, channel))[0].delivery_problem is None
    await harness.record_notices(SECOND)
    await harness.wait_until_delivered()
    assert harness.texts(channel) == [shown(FIRST, SECOND)]


async def test_a_report_of_an_unreadable_notice_outlives_its_root(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels()
    harness.local_slack.fail("chat.postMessage", error="fatal_error")
    await harness.record_notices(FIRST)
    await harness.wait_for_retry("fatal_error")
    mangled = b'{"superevent_id": "S261122a", "alert_type": "UPDATE", "event": '
    assert (
        await harness.pipeline().handle(mangled, Origin("test", "1", live=True)) is IngestResult.QUARANTINED
    )
    harness.local_slack.fail("chat.postMessage", error="no_text")
    harness.advance(seconds=5)
    await harness.wait_until_delivered()
    (apology,) = harness.local_slack.messages(channel)
    assert "couldn't read" in apology["text"] and apology["thread_ts"] is None


async def test_deliveries_of_an_expired_root_do_not_wait(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels()
    harness.local_slack.fail("chat.postMessage", error="fatal_error")
    await harness.record_notices(FIRST)
    await harness.wait_for_retry("fatal_error")
    await harness.record_notices(SECOND)
    assert await harness.state(DeliveryKind.EDIT) == await harness.state(DeliveryKind.REPLY) == ["pending"]
    harness.local_slack.archive(channel)
    harness.advance(seconds=5)
    await harness.wait_until_delivered()
    harness.local_slack.unarchive(channel)
    revived = await harness.factory.outbox.requeue_channel(TEAM, channel, harness.clock(), harness.clock())
    assert (revived, (await harness.factory.outbox_statistics.counts()).waiting) == (0, 0)


async def test_a_deleted_root_comes_back_with_news_and_not_with_a_circular(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels()
    await subscribe(harness.factory, "all circulars", channel)
    await harness.record_notices(FIRST)
    await harness.wait_until_delivered()
    found = harness.local_slack.workspace.channels[channel]
    harness.local_slack.workspace.delete(next(iter(found.messages.values())))
    way_in = create_pipeline(harness.factory, harness.clock, max_age=timedelta(hours=24))
    live = Origin("test", "1", live=True)
    assert await way_in.handle(circular(), live) is IngestResult.CIRCULAR
    harness.wake()
    await harness.wait_until_delivered()
    assert await harness.state(DeliveryKind.FOLLOW_UP) == ["dead"] and harness.texts(channel) == []
    mangled = b'{"superevent_id": "S261122a", "alert_type": "UPDATE", "event": '
    assert await way_in.handle(mangled, live) is IngestResult.QUARANTINED
    harness.wake()
    await harness.wait_until_delivered()
    assert "couldn't read" in harness.texts(channel)[0], "which no root would say"
    await harness.record_notices(SECOND)
    await harness.wait_until_delivered()
    root, follow_up = harness.texts(channel)[1:]
    assert root == shown(FIRST, SECOND)
    assert "Follow-up" in follow_up, "the circular is said below the new root"


# Limits


@pytest.mark.slow
async def test_a_channels_retry_after_is_obeyed_and_others_go_on(harness: DeliveryHarness) -> None:
    slow, quick = await harness.create_subscribed_channels(2)
    harness.local_slack.fail("chat.postMessage", status=429, retry_after=2, channel=slow)
    await harness.record_notices(FIRST)
    await harness.wait_for_retry("ratelimited")
    await harness.record_notices(decoded_notice("S261122b"))

    async def two() -> bool:
        return len(harness.texts(quick)) == 2

    await harness.wait_until(two)
    harness.advance(seconds=2)
    await harness.wait_until_delivered()
    assert len(harness.texts(slow)) == 2
    first, second = (call.time for call in harness.calls("chat.postMessage", slow)[:2])
    assert second - first >= 1.99, "not before the time that Slack named"
    assert max(call.time for call in harness.calls("chat.postMessage", quick)) < second


@pytest.mark.slow
async def test_two_channels_refused_at_once_mean_the_workspace(stopped_harness: DeliveryHarness) -> None:
    channels = await stopped_harness.create_subscribed_channels(4)
    for channel in channels[:2]:
        stopped_harness.local_slack.fail("chat.postMessage", status=429, retry_after=3, channel=channel)
    stopped_harness.start(concurrency=1)
    await stopped_harness.record_notices(FIRST)
    await stopped_harness.wait_for_retry("ratelimited", 2)
    await stopped_harness.run_rounds()
    assert len(stopped_harness.calls("chat.postMessage")) == 2, "the others aren't even tried"
    stopped_harness.advance(seconds=4)
    await stopped_harness.wait_until_delivered()
    assert [len(stopped_harness.texts(channel)) for channel in channels] == [1] * 4


@pytest.mark.slow
async def test_a_real_alert_goes_before_all_mocks_that_wait(stopped_harness: DeliveryHarness) -> None:
    channels = await stopped_harness.create_subscribed_channels(3, "CBC mock")
    stopped_harness.start(concurrency=2)
    mocks = [decoded_notice(f"MS261122{letter}") for letter in "abcdefgh"]
    async with stopped_harness.claims_paused:
        await record_notices(
            stopped_harness.factory,
            [*mocks, decoded_notice(MOCK, "INITIAL", minutes=1)],
            now=stopped_harness.clock(),
        )
        await record_notices(
            stopped_harness.factory,
            [decoded_notice("S261122a"), decoded_notice("S261122b")],
            now=stopped_harness.clock(),
        )
    stopped_harness.wake()
    await stopped_harness.wait_until_delivered()
    for channel in channels:
        posts = [str(c.args["text"]) for c in stopped_harness.calls("chat.postMessage", channel)]
        events = [re.findall(r"M?S261122[a-z]", post)[0] for post in posts]
        assert events == ["S261122b", "S261122a", *(f"MS261122{letter}" for letter in "hgfedcbaa")]


@pytest.mark.slow
async def test_hanging_mock_calls_leave_slots_for_a_real_alert(stopped_harness: DeliveryHarness) -> None:
    """Slack accepts mocks without an answer: their calls never take all slots."""
    for channel in await stopped_harness.create_subscribed_channels(12, "NSBH>90% mock"):
        stopped_harness.local_slack.fail("chat.postMessage", delay=20.0, channel=channel)
    worker = stopped_harness.start(concurrency=10)
    other = {"BNS": 0.01, "NSBH": 0.95, "BBH": 0.03, "Terrestrial": 0.01}
    await stopped_harness.record_notices(decoded_notice(MOCK, classification=other))

    async def as_many_as_may() -> bool:
        await asyncio.sleep(0.2)
        return len(worker._in_flight) == 10

    await stopped_harness.wait_until(as_many_as_may)
    ours = stopped_harness.local_slack.add_channel("gw-ours")
    await subscribe(stopped_harness.factory, "CBC", ours)
    await stopped_harness.record_notices(decoded_notice())
    # Sooner than any of the others' calls is given up.
    await stopped_harness.local_slack.wait_for(lambda: stopped_harness.texts(ours), 1.5)


@pytest.mark.slow
async def test_calls_that_hang_hold_no_connection_that_an_alert_needs(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    """More than the 100 connections to which aiohttp limits a session by default."""
    hung = [local_slack.add_channel(f"gw-{number}") for number in range(120)]
    await subscribe(factory, "NSBH>90% mock", *hung)
    for channel in hung:
        local_slack.fail("chat.postMessage", delay=20.0, channel=channel)
    other = {"BNS": 0.01, "NSBH": 0.95, "BBH": 0.03, "Terrestrial": 0.01}
    await record_notices(factory, decoded_notice(MOCK, classification=other), now=NOW)

    async def sending() -> int:
        return (await factory.outbox_statistics.count_by_state()).get("sending", 0)

    async with asyncio.timeout(20):
        while await sending() < len(hung):
            await asyncio.sleep(0.05)
    ours = local_slack.add_channel("gw-ours")
    await subscribe(factory, "CBC", ours)
    await record_notices(factory, decoded_notice(), now=NOW)
    # Sooner than any of the others' calls is given up; the bot looks once a second.
    await local_slack.wait_for(lambda: local_slack.messages(ours), 5.0)


async def test_edits_have_a_limit_of_their_own(harness: DeliveryHarness) -> None:
    one, two = await harness.create_subscribed_channels(2)
    await harness.record_notices(FIRST)
    await harness.wait_until_delivered()
    harness.local_slack.fail("chat.update", status=429, retry_after=0.4)
    await harness.record_notices(SECOND)
    await harness.wait_for_retry("ratelimited", 1)
    await harness.record_notices(decoded_notice("S261122b"))

    async def posted() -> bool:
        return all(len(harness.texts(channel)) == 3 for channel in (one, two))

    await harness.wait_until(posted)
    await asyncio.sleep(0.4)
    harness.advance(seconds=1)
    await harness.wait_until_delivered()
    for channel in (one, two):
        assert harness.texts(channel)[0] == shown(FIRST, SECOND)


# Doubts


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault",
    [{"status": 500}, {"status": 503}, {"drop": "before"}, {"error": "internal_error"}],
    ids=["500", "503", "dropped", "internal_error"],
)
@pytest.mark.parametrize("history", [True, False], ids=["history", "no history"])
async def test_a_post_that_failed_before_slack_did_it_is_posted_once(
    harness: DeliveryHarness, fault: dict[str, Any], history: bool
) -> None:
    if history:
        harness.local_slack.grant("channels:history")
    (channel,) = await harness.create_subscribed_channels()
    harness.local_slack.fail("chat.postMessage", **fault)
    await harness.record_notices(FIRST)

    async def tried() -> bool:
        return [row.state for row in await harness.rows(doubtful=1)] == ["pending"]

    await harness.wait_until(tried)
    harness.advance(seconds=5)
    await harness.wait_until_delivered()
    assert harness.texts(channel) == [shown(FIRST)]


@pytest.mark.slow
@pytest.mark.parametrize("lost", ["dropped", "timeout"])
@pytest.mark.parametrize("kind", ["root", "reply"])
@pytest.mark.parametrize("history", [True, False], ids=["history", "no history"])
@pytest.mark.essential
async def test_a_post_without_an_answer_is_found_in_the_history(
    harness: DeliveryHarness, lost: str, kind: str, history: bool
) -> None:
    if history:
        harness.local_slack.grant("channels:history")
    (channel,) = await harness.create_subscribed_channels()
    if kind == "reply":
        await harness.record_notices(FIRST)
        await harness.wait_until_delivered()
    if lost == "timeout":
        harness.local_slack.fail("chat.postMessage", delay_after=2.5)
    else:
        harness.local_slack.fail("chat.postMessage", drop="after")
    await harness.record_notices(FIRST if kind == "root" else SECOND)

    async def tried() -> bool:
        return [row.state for row in await harness.rows(doubtful=1)] == ["pending"]

    await harness.wait_until(tried)
    harness.advance(seconds=5)
    await harness.wait_until_delivered()
    once = 1 if kind == "root" else 2
    assert len(harness.texts(channel)) == (once if history else once + 1)
    # Whichever stands there is known, and kept true.
    await harness.record_notices(THIRD)
    await harness.wait_until_delivered()
    expected = shown(FIRST, THIRD) if kind == "root" else shown(FIRST, SECOND, THIRD)
    assert expected in harness.texts(channel)


@pytest.mark.essential
async def test_a_reply_in_doubt_is_looked_for_in_its_thread_and_posted_once(harness: DeliveryHarness) -> None:
    harness.local_slack.grant("channels:history")
    (channel,) = await harness.create_subscribed_channels()
    await harness.record_notices(FIRST)
    await harness.wait_until_delivered()
    harness.local_slack.fail("chat.postMessage", drop="after")
    await harness.record_notices(SECOND)
    await harness.wait_for_retry("no answer: ServerDisconnectedError")
    harness.advance(seconds=5)
    await harness.wait_until_delivered()
    assert len(harness.texts(channel)) == 2
    assert harness.calls("conversations.replies") and not harness.calls("conversations.history")


async def test_the_history_is_searched_since_the_first_attempt(harness: DeliveryHarness) -> None:
    harness.local_slack.grant("channels:history")
    (channel,) = await harness.create_subscribed_channels()
    harness.local_slack.fail("chat.postMessage", drop="after")
    await harness.record_notices(FIRST)
    await harness.wait_for_retry("no answer: ServerDisconnectedError")
    # Asked too soon, again and again, the history makes us wait long.
    for _ in range(3):
        harness.local_slack.fail("conversations.history", status=429, retry_after=0.05)
        harness.advance(seconds=5)
        await harness.wait_for_retry("ratelimited")
        await asyncio.sleep(0.06)
        harness.clock.advance(minutes=10)
        async with harness.factory.database.exclusive_transaction() as connection:
            await connection.execute(text("UPDATE deliveries SET reason = NULL"))
    harness.worker.wake()
    await harness.wait_until_delivered()
    assert harness.texts(channel) == [shown(FIRST)]
    asked = harness.calls("conversations.history")
    assert asked and not any("oldest" in call.args for call in asked)


async def test_a_history_that_doesnt_answer_is_asked_again_before_posting_twice(
    harness: DeliveryHarness,
) -> None:
    harness.local_slack.grant("channels:history")
    (channel,) = await harness.create_subscribed_channels()
    harness.local_slack.fail("chat.postMessage", drop="after")
    harness.local_slack.fail("conversations.history", status=500)
    await harness.record_notices(FIRST)
    await harness.wait_for_retry("no answer: ServerDisconnectedError")
    harness.advance(seconds=5)
    await harness.wait_for_retry("internal_error")
    harness.advance(seconds=60)
    await harness.wait_until_delivered()
    assert harness.texts(channel) == [shown(FIRST)]


async def test_a_post_that_was_refused_often_is_looked_for_as_patiently(harness: DeliveryHarness) -> None:
    harness.local_slack.grant("channels:history")
    (channel,) = await harness.create_subscribed_channels()
    harness.local_slack.fail("chat.postMessage", status=503, times=MAX_HISTORY_LOOKUPS + 1)
    harness.local_slack.fail("chat.postMessage", drop="after")
    await harness.record_notices(FIRST)
    for _ in range(MAX_HISTORY_LOOKUPS + 1):
        await harness.wait_for_retry("service_unavailable")
        async with harness.factory.database.exclusive_transaction() as connection:
            await connection.execute(text("UPDATE deliveries SET reason = NULL"))
        harness.advance(minutes=5)
    await harness.wait_for_retry("no answer: ServerDisconnectedError")
    harness.local_slack.fail("conversations.history", status=500)
    harness.advance(minutes=5)
    await harness.wait_for_retry("internal_error")
    harness.advance(minutes=5)
    await harness.wait_until_delivered()
    assert harness.texts(channel) == [shown(FIRST)]


HOUR = 3_600


@pytest.mark.slow
@pytest.mark.parametrize("wrong_by_s", [HOUR, -HOUR, 3 * HOUR, 25 * HOUR, 720 * HOUR, -720 * HOUR])
async def test_history_lookup_finds_posts_with_a_wrong_clock(
    harness: DeliveryHarness, wrong_by_s: int
) -> None:
    harness.local_slack.grant("channels:history")
    harness.local_slack.workspace.clock = lambda: harness.clock().timestamp() - wrong_by_s
    if abs(wrong_by_s) > HOUR:
        harness.worker.sender._is_clock_trusted = lambda: False
    (channel,) = await harness.create_subscribed_channels()
    for notice in (FIRST, SECOND):
        harness.local_slack.fail("chat.postMessage", drop="after")
        await harness.record_notices(notice)
        await harness.wait_for_retry("no answer: ServerDisconnectedError")
        harness.advance(seconds=5)
        await harness.wait_until_delivered()
    assert len(harness.texts(channel)) == 2


async def test_a_post_in_doubt_is_found_behind_many_others_and_looked_for_no_further_than_it_can_be(
    harness: DeliveryHarness,
) -> None:
    harness.local_slack.grant("channels:history")
    (channel,) = await harness.create_subscribed_channels()
    talk, now = Draft(channel, harness.local_slack.user, "chatter"), harness.clock()
    workspace = harness.local_slack.workspace
    workspace._last_ts = 0  # so that it takes what is older than its own beginning
    for minutes in range(20_000, 2_000, -20):
        at = (now - timedelta(minutes=minutes)).timestamp()
        workspace.clock = lambda at=at: at  # type: ignore[misc]
        workspace.post(talk)
    workspace.clock = lambda: harness.clock().timestamp()
    harness.local_slack.fail("chat.postMessage", drop="after")
    await harness.record_notices(FIRST)
    await harness.wait_for_retry("no answer: ServerDisconnectedError")
    for _ in range(250):
        workspace.post(talk)
    harness.advance(seconds=5)
    await harness.wait_until_delivered()
    assert len(harness.calls("conversations.history")) == 2
    # One that never stood is looked for no further than to where it can't be any more.
    other = decoded_notice("S261122b")
    harness.local_slack.fail("chat.postMessage", drop="before")
    await harness.record_notices(other)
    await harness.wait_for_retry("no answer: ServerDisconnectedError")
    harness.advance(seconds=5)
    await harness.wait_until_delivered()
    assert len(harness.calls("conversations.history")) == 4
    assert [said for said in harness.texts(channel) if said != "chatter"] == [shown(FIRST), shown(other)]


async def test_clock_set_back_delays_no_retry(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels()
    harness.advance(hours=1)
    harness.local_slack.fail("chat.postMessage", status=503)
    await harness.record_notices(FIRST)
    await harness.wait_for_retry("service_unavailable")
    harness.advance(hours=-1)
    await harness.wait_until_delivered()
    assert harness.texts(channel) == [shown(FIRST)]


async def test_a_revoked_token_says_nothing_about_the_history(harness: DeliveryHarness) -> None:
    harness.local_slack.grant("channels:history")
    (channel,) = await harness.create_subscribed_channels()
    harness.local_slack.fail("chat.postMessage", drop="after")
    await harness.record_notices(FIRST)
    await harness.wait_for_retry("no answer: ServerDisconnectedError")
    harness.local_slack.revoke_token()
    harness.advance(seconds=5)
    await harness.wait_for_retry("token_revoked")
    harness.local_slack.restore_token()
    harness.advance(seconds=60)
    await harness.restart()
    await harness.wait_until_delivered()
    assert harness.texts(channel) == [shown(FIRST)]
    assert len(harness.calls("chat.postMessage")) == 1


@pytest.mark.parametrize("posted", [True, False], ids=["posted", "not posted"])
@pytest.mark.parametrize("history", [True, False], ids=["history", "no history"])
async def test_claims_of_a_killed_process_are_requeued(
    stopped_harness: DeliveryHarness, posted: bool, history: bool
) -> None:
    harness = stopped_harness
    if history:
        harness.local_slack.grant("channels:history")
    (channel,) = await harness.create_subscribed_channels()
    await record_notices(harness.factory, FIRST)
    await harness.factory.leases.heartbeat({TEAM})
    (claimed,) = await harness.factory.outbox.claim(harness.clock(), 10)
    if posted:
        await harness.client.post(
            channel, Message("killed here"), DeliveryMetadata(delivery_id=claimed.id, key=claimed.message_key)
        )
    harness.start()
    await harness.wait_until_delivered()
    assert (await harness.rows())[0].doubtful == 0
    if posted and history:
        # The root that was found shows what it should, by an edit.
        assert harness.texts(channel) == [shown(FIRST)]
        assert len(harness.calls("chat.postMessage")) == 1
    elif posted:
        assert harness.texts(channel) == ["killed here", shown(FIRST)]
    else:
        assert harness.texts(channel) == [shown(FIRST)]


# Words that Slack refuses


@pytest.mark.parametrize("error", ["invalid_blocks", "msg_blocks_too_long"])
async def test_refused_blocks_leave_the_words(harness: DeliveryHarness, error: str) -> None:
    (channel,) = await harness.create_subscribed_channels()
    harness.local_slack.fail("chat.postMessage", error=error)
    await harness.record_notices(FIRST)
    await harness.wait_until_delivered()
    (message,) = harness.local_slack.messages(channel)
    assert message["blocks"] == []
    known = await harness.factory.notices.superevent(REAL)
    assert known is not None
    assert message["text"] == message_text.fallback_text(
        alert_card.alert_card(known, ChannelView(is_root=True))
    )
    assert "metadata" in message, "so that it can be found again"
    harness.local_slack.fail("chat.update", error=error)
    await harness.record_notices(SECOND)
    await harness.wait_until_delivered()
    assert harness.local_slack.messages(channel)[0]["blocks"] == []


async def test_refused_metadata_leave_all_else(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels()
    harness.local_slack.fail("chat.postMessage", error="metadata_too_large")
    await harness.record_notices(FIRST)
    await harness.wait_until_delivered()
    (message,) = harness.local_slack.messages(channel)
    assert message["blocks"] and "metadata" not in message


async def test_blocks_and_metadata_refused_in_turn(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels()
    harness.local_slack.fail("chat.postMessage", error="invalid_blocks")
    harness.local_slack.fail("chat.postMessage", error="invalid_metadata_format")
    await harness.record_notices(FIRST)
    await harness.wait_until_delivered()
    (message,) = harness.local_slack.messages(channel)
    assert message["blocks"] == [] and "metadata" not in message


# The token


async def test_a_revoked_token_delays_and_loses_nothing(harness: DeliveryHarness) -> None:
    channels = await harness.create_subscribed_channels(3)
    harness.local_slack.revoke_token()
    await harness.record_notices(FIRST)
    await harness.wait_for_retry("token_revoked", 1)
    harness.local_slack.restore_token()
    harness.advance(seconds=60)
    await harness.restart()
    await harness.wait_until_delivered()
    assert [harness.texts(channel) for channel in channels] == [[shown(FIRST)]] * 3


@pytest.mark.slow
async def test_without_a_token_nothing_is_claimed(stopped_harness: DeliveryHarness) -> None:
    harness = stopped_harness
    (channel,) = await harness.create_subscribed_channels()
    clients = {"T0ELSEWHERE": harness.client}
    harness.start(clients=clients)
    await harness.record_notices(FIRST)
    await harness.run_rounds()
    assert [(row.state, row.attempts) for row in await harness.rows()] == [("pending", 0)]
    clients[TEAM] = harness.client
    await harness.wait_until_delivered()
    assert harness.texts(channel) == [shown(FIRST)]


async def test_nothing_expires_while_the_clock_is_not_trusted(stopped_harness: DeliveryHarness) -> None:
    harness = stopped_harness
    (channel,) = await harness.create_subscribed_channels()
    await record_notices(harness.factory, FIRST)
    harness.clock.advance(hours=25)
    harness.start(is_clock_trusted=lambda: False)
    await harness.wait_until_delivered()
    assert harness.texts(channel) == [shown(FIRST)]


async def test_deliveries_waiting_for_a_day_expire_except_edits(stopped_harness: DeliveryHarness) -> None:
    harness = stopped_harness
    (channel,) = await harness.create_subscribed_channels()
    harness.start()
    await harness.record_notices(FIRST)
    await harness.wait_until_delivered()
    await harness.worker.stop()
    await harness.record_notices(SECOND, decoded_notice("S261122b"))
    harness.clock.advance(hours=25)
    harness.start()
    await harness.wait_until_delivered()
    assert harness.texts(channel) == [shown(FIRST, SECOND)], "the root is true, nothing else is said"
    assert len(await harness.rows(reason="old news before it could be posted")) == 2


# Confirmations


async def test_subscription_is_active_once_its_confirmation_is_posted(harness: DeliveryHarness) -> None:
    (channel,) = harness.create_channels(1)
    subscriptions = harness.factory.subscriptions
    harness.local_slack.fail("chat.postMessage", status=429, retry_after=0.1)
    asked, already = await subscriptions.request(
        TEAM, channel, parse_criteria("CBC"), "U0PERSON", harness.clock()
    )
    harness.worker.wake()
    await harness.wait_for_retry("ratelimited")
    assert not already and await subscriptions.request_status(asked) is False
    assert await subscriptions.for_channel(TEAM, channel) == []
    await harness.record_notices(FIRST)
    assert await harness.state(DeliveryKind.ROOT) == [], "not in force yet"
    again, already = await subscriptions.request(
        TEAM, channel, parse_criteria("cbc"), "U0OTHER", harness.clock()
    )
    assert (again.id, already) == (asked.id, False)
    await asyncio.sleep(0.1)
    harness.advance(seconds=1)
    await harness.wait_until_delivered()
    assert await subscriptions.request_status(asked) is True
    assert len(harness.texts(channel)) == 1
    assert "<@U0PERSON>" in str(harness.local_slack.messages(channel)[0]["blocks"])
    assert (await subscriptions.request(TEAM, channel, parse_criteria("CBC"), "U0OTHER", harness.clock()))[1]


@pytest.mark.slow
async def test_refused_nothing_is_stored_and_asking_again_works(harness: DeliveryHarness) -> None:
    harness.local_slack.ungrant("chat:write.public")
    channel = harness.local_slack.add_channel("elsewhere", bot_member=False)
    subscriptions = harness.factory.subscriptions
    asked, _ = await subscriptions.request(TEAM, channel, parse_criteria("CBC"), "U0PERSON", harness.clock())
    harness.worker.wake()
    await harness.wait_until_delivered()
    assert await subscriptions.request_status(asked) == "not_in_channel"
    assert await subscriptions.get(asked.id) is None
    harness.local_slack.invite(channel)
    now = harness.clock()
    await harness.factory.outbox.requeue_channel(TEAM, channel, now - timedelta(hours=24), now)
    harness.worker.wake()
    await harness.run_rounds()
    assert harness.texts(channel) == [], "a confirmation doesn't come back without its subscription"
    again, _ = await subscriptions.request(TEAM, channel, parse_criteria("CBC"), "U0PERSON", harness.clock())
    assert again.id != asked.id
    harness.worker.wake()
    await harness.wait_until_delivered()
    assert await subscriptions.request_status(again) is True


async def test_unsubscribing_takes_a_waiting_confirmation_along(harness: DeliveryHarness) -> None:
    (channel,) = harness.create_channels(1)
    harness.local_slack.fail("chat.postMessage", status=429, retry_after=0.1)
    asked, _ = await harness.factory.subscriptions.request(
        TEAM, channel, parse_criteria("CBC"), "U0P", harness.clock()
    )
    harness.worker.wake()
    await harness.wait_for_retry("ratelimited")
    (ended,) = await unsubscribe(harness.factory, channel)
    assert ended.is_pending
    assert await harness.factory.subscriptions.request_status(asked) == "unsubscribed meanwhile"
    harness.advance(seconds=60)
    await harness.run_rounds()
    assert harness.texts(channel) == []


# Workers and the store


@pytest.mark.slow
async def test_two_workers_on_one_database_send_nothing_twice(
    harness: DeliveryHarness, database_url: str
) -> None:
    channels = await harness.create_subscribed_channels(40)
    factory = Factory(Database(database_url))
    other = factory.create_delivery_worker({TEAM: harness.client}, harness.clock, channel_pause_s=0)
    running = asyncio.create_task(other.run())
    await harness.run_rounds()
    for number in range(3):
        await harness.record_notices(decoded_notice(f"S26112{number}a"))
        other.wake()
    await harness.record_notices(decoded_notice("S261120a", "UPDATE", 5))
    await harness.wait_until_delivered()
    for channel in channels:
        assert len(harness.texts(channel)) == 4
    await other.stop()
    await running
    await factory.database.close()


async def test_outcomes_that_come_together_are_committed_together(harness: DeliveryHarness) -> None:
    channels = await harness.create_subscribed_channels(60)
    commits: list[object] = []
    event.listen(harness.factory.database._engine.sync_engine, "commit", commits.append)
    await harness.record_notices(FIRST)
    await harness.wait_until_delivered()
    assert all(len(harness.texts(channel)) == 1 for channel in channels)
    assert len(commits) < 60


async def test_unwritable_outcome_does_not_lose_other_outcomes(
    harness: DeliveryHarness, backend: str
) -> None:
    cursed, *others = await harness.create_subscribed_channels(20)
    when = f"NEW.state = 'sent' AND NEW.channel_id = '{cursed}'"
    made, gone = {
        "sqlite": (
            "CREATE TRIGGER cursed BEFORE UPDATE ON deliveries "
            f"WHEN {when} BEGIN SELECT RAISE(ABORT, 'on purpose'); END",
            "DROP TRIGGER cursed",
        ),
        "postgresql": (
            "ALTER TABLE deliveries ADD CONSTRAINT cursed "
            f"CHECK (NOT ({when.replace('NEW.', '')})) NOT VALID",
            "ALTER TABLE deliveries DROP CONSTRAINT cursed",
        ),
    }[backend]
    async with harness.factory.database.exclusive_transaction() as connection:
        await connection.execute(text(made))
    await harness.record_notices(FIRST)

    async def all_but_one() -> bool:
        return [row.channel_id for row in await harness.rows() if row.state != "sent"] == [cursed]

    await harness.wait_until(all_but_one)
    await harness.record_notices(SECOND)

    async def replied() -> bool:
        return all(len(harness.texts(channel)) == 2 for channel in others)

    await harness.wait_until(replied)
    assert len(harness.texts(cursed)) == 1, "what stands there isn't posted again by this process"
    async with harness.factory.database.exclusive_transaction() as connection:
        await connection.execute(text(gone))
    harness.local_slack.grant("channels:history")
    await harness.restart()
    await harness.wait_until_delivered()
    assert len(harness.texts(cursed)) == 2


@pytest.mark.slow
async def test_stop_waits_for_posts_in_flight(harness: DeliveryHarness) -> None:
    await harness.create_subscribed_channels()
    harness.local_slack.fail("chat.postMessage", delay=1.0)
    await harness.record_notices(FIRST)

    async def sending() -> bool:
        return await harness.state(DeliveryKind.ROOT) == ["sending"]

    await harness.wait_until(sending)
    await harness.worker.stop()
    assert await harness.state(DeliveryKind.ROOT) == ["sent"]
    await harness.record_notices(SECOND)
    await harness.run_rounds()
    assert await harness.state(DeliveryKind.REPLY) == ["pending"], "nothing is started after the stop"


async def test_stopping_as_a_claim_is_made_leaves_nothing_running(harness: DeliveryHarness) -> None:
    channels = await harness.create_subscribed_channels(30)
    await harness.record_notices(FIRST)
    await harness.worker.stop()
    calls = len(harness.calls("chat.postMessage"))
    await harness.run_rounds()
    assert len(harness.calls("chat.postMessage")) == calls
    assert "sending" not in await harness.state(DeliveryKind.ROOT)
    harness.start()
    await harness.wait_until_delivered()
    assert [len(harness.texts(channel)) for channel in channels] == [1] * 30


async def test_post_hanging_at_stop_is_retried_at_the_next_start(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels()
    harness.local_slack.fail("chat.postMessage", delay=5.0, drop="before")
    await harness.record_notices(FIRST)

    async def sending() -> bool:
        return await harness.state(DeliveryKind.ROOT) == ["sending"]

    await harness.wait_until(sending)
    await harness.worker.stop(0.05)
    assert await harness.state(DeliveryKind.ROOT) == ["sending"]
    harness.start()
    await harness.wait_until_delivered()
    assert harness.texts(channel) == [shown(FIRST)]


async def test_a_message_that_cant_be_rendered_stops_no_other(stopped_harness: DeliveryHarness) -> None:
    harness = stopped_harness
    bad, good = await harness.create_subscribed_channels(2)
    real = harness.renderer()
    broken = {bad}

    async def render(delivery: Delivery) -> RenderedMessage | None:
        if delivery.channel_id in broken:
            raise ZeroDivisionError("a fault on purpose")
        return await real(delivery)

    async def picture_failed(picture_id: int, reason: str) -> None:
        raise AssertionError("no notice here has a map")

    outbox, clients, clock = harness.factory.outbox, {TEAM: harness.client}, harness.clock
    sender = Sender(outbox, clients, render, clock, RateControl(0), on_image_failed=picture_failed)
    writer = OutcomeWriter(outbox, clock)
    harness.worker = DeliveryWorker(outbox, clients, sender, writer, clock, Wakeups())
    harness.worker_tasks.append(asyncio.create_task(harness.worker.run()))
    await harness.record_notices(FIRST)
    await harness.wait_for_retry("a fault in gwevent, see its log")

    async def posted() -> bool:
        return len(harness.texts(good)) == 1

    await harness.wait_until(posted)
    broken.clear()
    harness.advance(seconds=5)
    await harness.wait_until_delivered()
    assert harness.texts(bad) == [shown(FIRST)]


@pytest.mark.backends("sqlite")
async def test_words_are_made_again_after_the_store_failed(harness: DeliveryHarness) -> None:
    await harness.create_subscribed_channels()
    await harness.worker.stop()
    await harness.record_notices(FIRST)
    (claimed,) = await harness.factory.outbox.claim(harness.clock(), 1)
    renderer = harness.renderer()

    async def run(statement: str) -> None:
        async with harness.factory.database.exclusive_transaction() as connection:
            await connection.execute(text(statement))

    await run("ALTER TABLE notices RENAME TO gone")
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await renderer(claimed)
    await run("ALTER TABLE gone RENAME TO notices")
    rendered = await renderer(claimed)
    assert rendered is not None and rendered.message.text == shown(FIRST)
    # One who is stopped takes the words from nobody.
    stopped = asyncio.ensure_future(renderer(claimed))
    await asyncio.sleep(0)
    stopped.cancel()
    assert await renderer(claimed) == rendered
