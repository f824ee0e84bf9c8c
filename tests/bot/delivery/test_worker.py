"""The way from the ledger into channels: order, edits, dead ends, limits, doubts."""

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
from bot.delivery.rendered_message import RenderedMessage
from bot.delivery.worker import DeliveryWorker
from bot.filters import parse_criteria
from bot.ingest.pipeline import IngestResult, Pipeline
from bot.local_slack.server import LocalSlack
from bot.local_slack.workspace import Draft
from bot.slack.message_metadata import METADATA_EVENT, DeliveryMetadata
from bot.sources import Origin
from bot.store.database import Database, StoreUnavailable
from bot.store.outbox.models import Delivery, DeliveryKind
from bot.store.outbox.plan_writer import mark_threads_stale
from formatters.blockkit.message import Message
from formatters.models.superevent import Superevent
from formatters.posts import alert_card
from formatters.posts.alert_card import ChannelView
from formatters.terminal import message_text
from tests.bot.alerts.test_circular import circular
from tests.support.delivery_harness import DeliveryHarness
from tests.support.factories import (
    MOCK,
    NOW,
    REAL,
    TEAM,
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
    """The words of the root after these notices."""
    return alert_card.alert_card(Superevent.from_notices(notices), ChannelView(is_root=True)).text


async def test_a_root_then_its_replies_in_order_and_the_root_is_kept_true(office: DeliveryHarness) -> None:
    (channel,) = await office.create_subscribed_channels()
    await office.record_notices(FIRST, SECOND, THIRD)
    await office.wait_until_delivered()
    root, *replies = office.local_slack.messages(channel)
    assert [reply["thread_ts"] for reply in replies] == [root["ts"]] * 2
    assert "INITIAL" in replies[0]["text"].upper() and "UPDATE" in replies[1]["text"].upper()
    assert root["text"] == shown(FIRST, SECOND, THIRD)
    assert office.calls("chat.update") == [], "rendered when it was sent, so there was nothing to edit"
    ids = [row.id for row in await office.rows(state="sent") if row.kind != "edit"]
    told = [m["metadata"] for m in (root, *replies)]
    assert [m["event_type"] for m in told] == [METADATA_EVENT] * 3
    assert [m["event_payload"]["delivery_id"] for m in told] == ids
    await office.record_notices(decoded_notice(alert_type="UPDATE", minutes=20, far=1e-30))
    await office.wait_until_delivered()
    assert len(office.calls("chat.update")) == 1
    assert office.texts(channel)[0] == shown(
        FIRST, SECOND, THIRD, decoded_notice(alert_type="UPDATE", minutes=20, far=1e-30)
    )
    assert len(office.local_slack.messages(channel, thread_ts=root["ts"])) == 4


async def test_a_reply_waits_for_its_root(office: DeliveryHarness) -> None:
    (channel,) = await office.create_subscribed_channels()
    office.local_slack.fail("chat.postMessage", error="fatal_error")
    await office.record_notices(FIRST)
    await office.wait_for_retry("fatal_error")
    await office.record_notices(SECOND)
    await office.run_rounds()
    assert office.texts(channel) == [] and len(office.calls("chat.postMessage")) == 1
    office.advance(seconds=5)
    await office.wait_until_delivered()
    root, reply = office.local_slack.messages(channel)
    assert reply["thread_ts"] == root["ts"]


async def test_a_reply_waits_for_the_reply_before_it(office: DeliveryHarness) -> None:
    (channel,) = await office.create_subscribed_channels()
    await office.record_notices(FIRST)
    await office.wait_until_delivered()
    office.local_slack.fail("chat.postMessage", error="fatal_error")
    await office.record_notices(SECOND)
    await office.wait_for_retry("fatal_error")
    await office.record_notices(THIRD)

    async def edited() -> bool:
        return office.texts(channel)[0] == shown(FIRST, SECOND, THIRD)

    await office.wait_until(edited)  # an edit has no order
    assert len(office.texts(channel)) == 1
    office.advance(seconds=5)
    await office.wait_until_delivered()
    first, second = office.texts(channel)[1:]
    assert "INITIAL" in first.upper() and "UPDATE" in second.upper()


async def test_a_notice_that_comes_while_the_root_is_sent_ends_in_the_root(office: DeliveryHarness) -> None:
    (channel,) = await office.create_subscribed_channels()
    office.local_slack.fail("chat.postMessage", delay=1.0)
    await office.record_notices(FIRST)

    async def sending() -> bool:
        return await office.state(DeliveryKind.ROOT) == ["sending"]

    await office.wait_until(sending)
    await office.record_notices(SECOND)
    await office.wait_until_delivered()
    assert office.texts(channel)[0] == shown(FIRST, SECOND)
    assert len(office.texts(channel)) == 2


async def test_a_notice_that_comes_while_an_edit_is_sent_ends_in_the_root(office: DeliveryHarness) -> None:
    (channel,) = await office.create_subscribed_channels()
    await office.record_notices(FIRST)
    await office.wait_until_delivered()
    office.local_slack.fail("chat.update", delay=1.0)
    await office.record_notices(SECOND)

    async def sending() -> bool:
        return await office.state(DeliveryKind.EDIT) == ["sending"]

    await office.wait_until(sending)
    await office.record_notices(THIRD)
    await office.wait_until_delivered()
    assert office.texts(channel)[0] == shown(FIRST, SECOND, THIRD)
    assert len(await office.rows(kind="edit")) == 1, "one row, used again"


async def test_one_dead_channel_holds_up_no_other(office: DeliveryHarness) -> None:
    dead, alive = await office.create_subscribed_channels(2)
    office.local_slack.archive(dead)
    await office.record_notices(FIRST, SECOND)
    await office.wait_until_delivered()
    assert len(office.texts(alive)) == 2
    assert await office.state(DeliveryKind.ROOT, dead) == ["dead"]
    assert await office.state(DeliveryKind.REPLY, dead) == ["dead"], "its replies die with it"
    problems = [s.delivery_problem for s in await office.factory.subscriptions.for_channel(TEAM, dead)]
    assert problems == ["is_archived"]
    assert len(office.calls("chat.postMessage", dead)) == 1


async def test_kicked_and_invited_again_it_says_what_it_couldnt(office: DeliveryHarness) -> None:
    (channel,) = await office.create_subscribed_channels()
    office.local_slack.ungrant("chat:write.public")
    office.local_slack.kick(channel)
    await office.record_notices(FIRST, SECOND)
    await office.wait_until_delivered()
    assert office.texts(channel) == []
    office.local_slack.invite(channel)
    now = office.clock()
    assert await office.factory.outbox.requeue_channel(TEAM, channel, now, now) == 2
    assert await office.factory.outbox.requeue_channel(TEAM, channel, now, now) == 0
    office.worker.wake()
    await office.wait_until_delivered()
    root, reply = office.local_slack.messages(channel)
    assert reply["thread_ts"] == root["ts"]
    assert (await office.factory.subscriptions.for_channel(TEAM, channel))[0].delivery_problem is None


async def test_a_root_in_doubt_is_found_though_its_channel_was_out_of_reach(office: DeliveryHarness) -> None:
    (channel,) = await office.create_subscribed_channels()
    office.local_slack.grant("channels:history")
    office.local_slack.ungrant("chat:write.public")
    office.local_slack.fail("chat.postMessage", drop="after")
    await office.record_notices(FIRST)
    await office.wait_for_retry("no answer: ServerDisconnectedError")
    office.local_slack.kick(channel)
    office.advance(seconds=5)
    await office.wait_until_delivered()
    # With the next notice the root that died is opened again, in vain.
    await office.record_notices(SECOND)
    await office.wait_until_delivered()
    office.local_slack.invite(channel)
    now = office.clock()
    await office.factory.outbox.requeue_channel(TEAM, channel, now - timedelta(hours=24), now)
    office.worker.wake()
    await office.wait_until_delivered()
    assert office.texts(channel) == [shown(FIRST, SECOND)]


async def test_a_channel_whose_return_nobody_told_is_revived_by_its_next_post(
    office: DeliveryHarness,
) -> None:
    (channel,) = await office.create_subscribed_channels()
    office.local_slack.archive(channel)
    await office.record_notices(FIRST)
    await office.wait_until_delivered()
    office.local_slack.unarchive(channel)
    await office.record_notices(decoded_notice("S261122b"))

    async def both() -> bool:
        return len(office.texts(channel)) == 2

    await office.wait_until(both)
    assert {name for name in (REAL, "S261122b") for said in office.texts(channel) if name in said} == {
        REAL,
        "S261122b",
    }


async def test_an_edit_refused_by_an_archive_comes_back_at_any_age(office: DeliveryHarness) -> None:
    (channel,) = await office.create_subscribed_channels()
    await office.record_notices(FIRST)
    await office.wait_until_delivered()
    office.local_slack.archive(channel)
    await office.record_notices(RETRACTION)
    await office.wait_until_delivered()
    assert await office.state(DeliveryKind.EDIT) == ["dead"]
    office.local_slack.unarchive(channel)
    office.advance(days=3)
    now = office.clock()
    assert await office.factory.outbox.requeue_channel(TEAM, channel, now, now) == 1
    office.worker.wake()
    await office.wait_until_delivered()
    assert office.texts(channel) == [shown(FIRST, RETRACTION)]


async def test_a_channel_that_unsubscribed_meanwhile_is_not_told_late(office: DeliveryHarness) -> None:
    (channel,) = await office.create_subscribed_channels()
    office.local_slack.archive(channel)
    await office.record_notices(FIRST)
    await office.wait_until_delivered()
    await unsubscribe(office.factory, channel)
    await office.wait_until_delivered()
    office.local_slack.unarchive(channel)
    assert await office.factory.outbox.requeue_channel(TEAM, channel, office.clock(), office.clock()) == 1
    office.worker.wake()
    await office.wait_until_delivered()
    (told,) = office.texts(channel)
    assert "ended subscription 1" in told, "of that alone"


async def test_what_waits_ends_with_the_last_subscription(office: DeliveryHarness) -> None:
    (channel,) = await office.create_subscribed_channels()
    await subscribe(office.factory, "all mock", channel)
    office.local_slack.fail("chat.postMessage", error="ratelimited", status=429, retry_after=0.1)
    await office.record_notices(FIRST)
    await office.wait_for_retry("ratelimited")
    await unsubscribe(office.factory, channel, "all mock")
    assert await office.state(DeliveryKind.ROOT) == ["pending"], "the other one still wants it"
    async with office.factory.database.exclusive_transaction() as connection:
        (root,) = await office.rows(kind="root")
        await mark_threads_stale(connection, {root.thread_id: (TEAM, channel)}, office.clock())
    await unsubscribe(office.factory, channel)
    assert (await office.rows(kind="root"))[0].reason == "unsubscribed before it was posted"
    assert await office.state(DeliveryKind.EDIT) == ["dead"], "it waited for the root"
    office.advance(seconds=60)
    await office.run_rounds()
    assert all("ended subscription" in told for told in office.texts(channel))


async def test_a_root_that_waits_is_cancelled_by_a_retraction(office: DeliveryHarness) -> None:
    (channel,) = await office.create_subscribed_channels()
    office.local_slack.fail("chat.postMessage", status=429, retry_after=0.1)
    await office.record_notices(FIRST)
    await office.wait_for_retry("ratelimited")
    await office.record_notices(RETRACTION)
    await office.wait_until_delivered()
    office.advance(seconds=60)
    await office.run_rounds()
    assert office.texts(channel) == []
    back = decoded_notice(alert_type="UPDATE", minutes=6)
    await office.record_notices(back)
    await office.wait_until_delivered()
    assert office.texts(channel) == [shown(FIRST, RETRACTION, back)], "it came back, so it is news"


async def test_nobody_hears_of_a_retraction_that_overtook_its_root(office: DeliveryHarness) -> None:
    (channel,) = await office.create_subscribed_channels()
    office.local_slack.fail("chat.postMessage", delay=1.0, status=429, retry_after=0.1)
    await office.record_notices(FIRST)

    async def sending() -> bool:
        return await office.state(DeliveryKind.ROOT) == ["sending"]

    await office.wait_until(sending)
    await office.record_notices(RETRACTION)
    await office.wait_for_retry("ratelimited")
    await asyncio.sleep(0.15)
    office.advance(seconds=1)
    await office.wait_until_delivered()
    assert office.texts(channel) == []
    assert await office.state(DeliveryKind.REPLY) == ["dead"]


async def test_who_deleted_the_root_hears_of_the_retraction(office: DeliveryHarness) -> None:
    (channel,) = await office.create_subscribed_channels()
    await office.record_notices(FIRST)
    await office.wait_until_delivered()
    found = office.local_slack.workspace.channels[channel]
    office.local_slack.workspace.delete(next(iter(found.messages.values())))
    await office.record_notices(RETRACTION)
    await office.wait_until_delivered()
    assert office.texts(channel) == [shown(FIRST, RETRACTION)]


async def test_a_refused_root_is_given_up_and_the_next_notice_opens_another(office: DeliveryHarness) -> None:
    (channel,) = await office.create_subscribed_channels()
    office.local_slack.fail("chat.postMessage", error="msg_too_long")
    await office.record_notices(FIRST)
    await office.wait_until_delivered()
    assert [(row.state, row.reason) for row in await office.rows()] == [("dead", "msg_too_long")]
    assert (await office.factory.subscriptions.for_channel(TEAM, channel))[0].delivery_problem is None
    await office.record_notices(SECOND)
    await office.wait_until_delivered()
    assert office.texts(channel) == [shown(FIRST, SECOND)]


async def test_an_apology_outlives_its_root(office: DeliveryHarness) -> None:
    (channel,) = await office.create_subscribed_channels()
    office.local_slack.fail("chat.postMessage", error="fatal_error")
    await office.record_notices(FIRST)
    await office.wait_for_retry("fatal_error")
    mangled = b'{"superevent_id": "S261122a", "alert_type": "UPDATE", "event": '
    assert await office.pipeline().handle(mangled, Origin("test", "1", live=True)) is IngestResult.QUARANTINED
    office.local_slack.fail("chat.postMessage", error="msg_too_long")
    office.advance(seconds=5)
    await office.wait_until_delivered()
    (apology,) = office.local_slack.messages(channel)
    assert "couldn't read" in apology["text"] and apology["thread_ts"] is None


async def test_what_hangs_on_a_root_too_old_to_come_back_isnt_waited_for(office: DeliveryHarness) -> None:
    (channel,) = await office.create_subscribed_channels()
    office.local_slack.fail("chat.postMessage", error="fatal_error")
    await office.record_notices(FIRST)
    await office.wait_for_retry("fatal_error")
    await office.record_notices(SECOND)
    assert await office.state(DeliveryKind.EDIT) == await office.state(DeliveryKind.REPLY) == ["pending"]
    office.local_slack.archive(channel)
    office.advance(seconds=5)
    await office.wait_until_delivered()
    office.local_slack.unarchive(channel)
    revived = await office.factory.outbox.requeue_channel(TEAM, channel, office.clock(), office.clock())
    assert (revived, (await office.factory.outbox.counts()).waiting) == (0, 0)


async def test_a_deleted_root_comes_back_with_news_and_not_with_a_circular(office: DeliveryHarness) -> None:
    (channel,) = await office.create_subscribed_channels()
    await subscribe(office.factory, "all circulars", channel)
    await office.record_notices(FIRST)
    await office.wait_until_delivered()
    found = office.local_slack.workspace.channels[channel]
    office.local_slack.workspace.delete(next(iter(found.messages.values())))
    way_in = Pipeline(
        office.factory.notices, office.clock, max_age=timedelta(hours=24), circulars=office.factory.circulars
    )
    live = Origin("test", "1", live=True)
    assert await way_in.handle(circular(), live) is IngestResult.CIRCULAR
    office.wake()
    await office.wait_until_delivered()
    assert await office.state(DeliveryKind.CIRCULAR) == ["dead"] and office.texts(channel) == []
    mangled = b'{"superevent_id": "S261122a", "alert_type": "UPDATE", "event": '
    assert await way_in.handle(mangled, live) is IngestResult.QUARANTINED
    office.wake()
    await office.wait_until_delivered()
    assert "couldn't read" in office.texts(channel)[0], "which no root would say"
    await office.record_notices(SECOND)
    await office.wait_until_delivered()
    assert office.texts(channel)[1:] == [shown(FIRST, SECOND)]


# Limits


async def test_a_channels_retry_after_is_obeyed_and_others_go_on(office: DeliveryHarness) -> None:
    slow, quick = await office.create_subscribed_channels(2)
    office.local_slack.fail("chat.postMessage", status=429, retry_after=0.3, channel=slow)
    await office.record_notices(FIRST)
    await office.wait_for_retry("ratelimited")
    await office.record_notices(decoded_notice("S261122b"))

    async def two() -> bool:
        return len(office.texts(quick)) == 2

    await office.wait_until(two)
    assert len(office.calls("chat.postMessage", slow)) == 1
    office.advance(seconds=0.3)
    await office.wait_until_delivered()
    assert len(office.texts(slow)) == 2
    first, second = (call.time for call in office.calls("chat.postMessage", slow)[:2])
    assert second - first >= 0.29, "not before the time that Slack named"


async def test_two_channels_refused_at_once_mean_the_workspace(still_office: DeliveryHarness) -> None:
    channels = await still_office.create_subscribed_channels(4)
    for channel in channels[:2]:
        still_office.local_slack.fail("chat.postMessage", status=429, retry_after=3, channel=channel)
    still_office.start(concurrency=1)
    await still_office.record_notices(FIRST)
    await still_office.wait_for_retry("ratelimited", 2)
    await still_office.run_rounds()
    assert len(still_office.calls("chat.postMessage")) == 2, "the others aren't even tried"
    still_office.advance(seconds=4)
    await still_office.wait_until_delivered()
    assert [len(still_office.texts(channel)) for channel in channels] == [1] * 4


async def test_a_real_alert_goes_before_all_mocks_that_wait(still_office: DeliveryHarness) -> None:
    channels = await still_office.create_subscribed_channels(3, "CBC mock")
    still_office.start(concurrency=2)
    mocks = [decoded_notice(f"MS261122{letter}") for letter in "abcdefgh"]
    async with still_office.claims_paused:
        await record_notices(
            still_office.factory,
            [*mocks, decoded_notice(MOCK, "INITIAL", minutes=1)],
            now=still_office.clock(),
        )
        await record_notices(
            still_office.factory,
            [decoded_notice("S261122a"), decoded_notice("S261122b")],
            now=still_office.clock(),
        )
    still_office.wake()
    await still_office.wait_until_delivered()
    for channel in channels:
        posts = [str(c.args["text"]) for c in still_office.calls("chat.postMessage", channel)]
        events = [re.findall(r"M?S261122[a-z]", post)[0] for post in posts]
        assert events == ["S261122b", "S261122a", *(f"MS261122{letter}" for letter in "hgfedcbaa")]


async def test_mocks_whose_calls_hang_leave_room_for_an_alert(still_office: DeliveryHarness) -> None:
    """Slack takes the mocks and doesn't answer: their calls never hold all places."""
    for channel in await still_office.create_subscribed_channels(12, "NSBH>90% mock"):
        still_office.local_slack.fail("chat.postMessage", delay=20.0, channel=channel)
    worker = still_office.start(concurrency=10)
    other = {"BNS": 0.01, "NSBH": 0.95, "BBH": 0.03, "Terrestrial": 0.01}
    await still_office.record_notices(decoded_notice(MOCK, classification=other))

    async def as_many_as_may() -> bool:
        await asyncio.sleep(0.2)
        return len(worker._in_flight) == 10

    await still_office.wait_until(as_many_as_may)
    ours = still_office.local_slack.add_channel("gw-ours")
    await subscribe(still_office.factory, "CBC", ours)
    await still_office.record_notices(decoded_notice())
    # Sooner than any of the others' calls is given up.
    await still_office.local_slack.wait_for(lambda: still_office.texts(ours), 1.5)


async def test_calls_that_hang_hold_no_connection_that_an_alert_needs(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    """More than the 100 that aiohttp opens at once, if nothing is said, for the whole bot."""
    hung = [local_slack.add_channel(f"gw-{number}") for number in range(120)]
    await subscribe(factory, "NSBH>90% mock", *hung)
    for channel in hung:
        local_slack.fail("chat.postMessage", delay=20.0, channel=channel)
    other = {"BNS": 0.01, "NSBH": 0.95, "BBH": 0.03, "Terrestrial": 0.01}
    await record_notices(factory, decoded_notice(MOCK, classification=other), now=NOW)

    async def sending() -> int:
        return (await factory.outbox.count_by_state()).get("sending", 0)

    async with asyncio.timeout(20):
        while await sending() < len(hung):
            await asyncio.sleep(0.05)
    ours = local_slack.add_channel("gw-ours")
    await subscribe(factory, "CBC", ours)
    await record_notices(factory, decoded_notice(), now=NOW)
    # Sooner than any of the others' calls is given up; the bot looks once a second.
    await local_slack.wait_for(lambda: local_slack.messages(ours), 5.0)


async def test_edits_have_a_limit_of_their_own(office: DeliveryHarness) -> None:
    one, two = await office.create_subscribed_channels(2)
    await office.record_notices(FIRST)
    await office.wait_until_delivered()
    office.local_slack.fail("chat.update", status=429, retry_after=0.4)
    await office.record_notices(SECOND)
    await office.wait_for_retry("ratelimited", 1)
    await office.record_notices(decoded_notice("S261122b"))

    async def posted() -> bool:
        return all(len(office.texts(channel)) == 3 for channel in (one, two))

    await office.wait_until(posted)
    await asyncio.sleep(0.4)
    office.advance(seconds=1)
    await office.wait_until_delivered()
    for channel in (one, two):
        assert office.texts(channel)[0] == shown(FIRST, SECOND)


# Doubts


@pytest.mark.parametrize(
    "fault",
    [{"status": 500}, {"status": 503}, {"drop": "before"}, {"error": "internal_error"}],
    ids=["500", "503", "dropped", "internal_error"],
)
@pytest.mark.parametrize("history", [True, False], ids=["history", "no history"])
async def test_a_post_that_failed_before_slack_did_it_is_posted_once(
    office: DeliveryHarness, fault: dict[str, Any], history: bool
) -> None:
    if history:
        office.local_slack.grant("channels:history")
    (channel,) = await office.create_subscribed_channels()
    office.local_slack.fail("chat.postMessage", **fault)
    await office.record_notices(FIRST)

    async def tried() -> bool:
        return [row.state for row in await office.rows(doubtful=1)] == ["pending"]

    await office.wait_until(tried)
    office.advance(seconds=5)
    await office.wait_until_delivered()
    assert office.texts(channel) == [shown(FIRST)]


@pytest.mark.parametrize("lost", ["dropped", "timeout"])
@pytest.mark.parametrize("kind", ["root", "reply"])
@pytest.mark.parametrize("history", [True, False], ids=["history", "no history"])
async def test_a_post_without_an_answer_is_found_in_the_history(
    office: DeliveryHarness, lost: str, kind: str, history: bool
) -> None:
    if history:
        office.local_slack.grant("channels:history")
    (channel,) = await office.create_subscribed_channels()
    if kind == "reply":
        await office.record_notices(FIRST)
        await office.wait_until_delivered()
    if lost == "timeout":
        office.local_slack.fail("chat.postMessage", delay_after=2.5)
    else:
        office.local_slack.fail("chat.postMessage", drop="after")
    await office.record_notices(FIRST if kind == "root" else SECOND)

    async def tried() -> bool:
        return [row.state for row in await office.rows(doubtful=1)] == ["pending"]

    await office.wait_until(tried)
    office.advance(seconds=5)
    await office.wait_until_delivered()
    once = 1 if kind == "root" else 2
    assert len(office.texts(channel)) == (once if history else once + 1)
    # Whichever stands there is known, and kept true.
    await office.record_notices(THIRD)
    await office.wait_until_delivered()
    expected = shown(FIRST, THIRD) if kind == "root" else shown(FIRST, SECOND, THIRD)
    assert expected in office.texts(channel)


async def test_the_history_is_searched_since_the_first_attempt(office: DeliveryHarness) -> None:
    office.local_slack.grant("channels:history")
    (channel,) = await office.create_subscribed_channels()
    office.local_slack.fail("chat.postMessage", drop="after")
    await office.record_notices(FIRST)
    await office.wait_for_retry("no answer: ServerDisconnectedError")
    # Asked too soon, again and again, the history makes us wait long.
    for _ in range(3):
        office.local_slack.fail("conversations.history", status=429, retry_after=0.05)
        office.advance(seconds=5)
        await office.wait_for_retry("ratelimited")
        await asyncio.sleep(0.06)
        office.clock.advance(minutes=10)
        async with office.factory.database.exclusive_transaction() as connection:
            await connection.execute(text("UPDATE deliveries SET reason = NULL"))
    office.worker.wake()
    await office.wait_until_delivered()
    assert office.texts(channel) == [shown(FIRST)]
    asked = office.calls("conversations.history")
    assert asked and not any("oldest" in call.args for call in asked)


async def test_a_history_that_doesnt_answer_is_asked_again_before_posting_twice(
    office: DeliveryHarness,
) -> None:
    office.local_slack.grant("channels:history")
    (channel,) = await office.create_subscribed_channels()
    office.local_slack.fail("chat.postMessage", drop="after")
    office.local_slack.fail("conversations.history", status=500)
    await office.record_notices(FIRST)
    await office.wait_for_retry("no answer: ServerDisconnectedError")
    office.advance(seconds=5)
    await office.wait_for_retry("internal_error")
    office.advance(seconds=60)
    await office.wait_until_delivered()
    assert office.texts(channel) == [shown(FIRST)]


async def test_a_post_that_was_refused_often_is_looked_for_as_patiently(office: DeliveryHarness) -> None:
    office.local_slack.grant("channels:history")
    (channel,) = await office.create_subscribed_channels()
    office.local_slack.fail("chat.postMessage", status=503, times=MAX_HISTORY_LOOKUPS + 1)
    office.local_slack.fail("chat.postMessage", drop="after")
    await office.record_notices(FIRST)
    for _ in range(MAX_HISTORY_LOOKUPS + 1):
        await office.wait_for_retry("service_unavailable")
        async with office.factory.database.exclusive_transaction() as connection:
            await connection.execute(text("UPDATE deliveries SET reason = NULL"))
        office.advance(minutes=5)
    await office.wait_for_retry("no answer: ServerDisconnectedError")
    office.local_slack.fail("conversations.history", status=500)
    office.advance(minutes=5)
    await office.wait_for_retry("internal_error")
    office.advance(minutes=5)
    await office.wait_until_delivered()
    assert office.texts(channel) == [shown(FIRST)]


HOUR = 3_600


@pytest.mark.parametrize("wrong_by_s", [HOUR, -HOUR, 3 * HOUR, 25 * HOUR, 720 * HOUR, -720 * HOUR])
async def test_a_clock_that_is_wrong_finds_what_stands(office: DeliveryHarness, wrong_by_s: int) -> None:
    office.local_slack.grant("channels:history")
    office.local_slack.workspace.clock = lambda: office.clock().timestamp() - wrong_by_s
    if abs(wrong_by_s) > HOUR:
        office.worker._is_clock_trusted = lambda: False
    (channel,) = await office.create_subscribed_channels()
    for notice in (FIRST, SECOND):
        office.local_slack.fail("chat.postMessage", drop="after")
        await office.record_notices(notice)
        await office.wait_for_retry("no answer: ServerDisconnectedError")
        office.advance(seconds=5)
        await office.wait_until_delivered()
    assert len(office.texts(channel)) == 2


async def test_a_post_in_doubt_is_found_behind_many_others_and_looked_for_no_further_than_it_can_be(
    office: DeliveryHarness,
) -> None:
    office.local_slack.grant("channels:history")
    (channel,) = await office.create_subscribed_channels()
    talk, now = Draft(channel, office.local_slack.user, "chatter"), office.clock()
    workspace = office.local_slack.workspace
    workspace._last_ts = 0  # so that it takes what is older than its own beginning
    for minutes in range(20_000, 2_000, -20):
        at = (now - timedelta(minutes=minutes)).timestamp()
        workspace.clock = lambda at=at: at  # type: ignore[misc]
        workspace.post(talk)
    workspace.clock = lambda: office.clock().timestamp()
    office.local_slack.fail("chat.postMessage", drop="after")
    await office.record_notices(FIRST)
    await office.wait_for_retry("no answer: ServerDisconnectedError")
    for _ in range(250):
        workspace.post(talk)
    office.advance(seconds=5)
    await office.wait_until_delivered()
    assert len(office.calls("conversations.history")) == 2
    # One that never stood is looked for no further than to where it can't be any more.
    other = decoded_notice("S261122b")
    office.local_slack.fail("chat.postMessage", drop="before")
    await office.record_notices(other)
    await office.wait_for_retry("no answer: ServerDisconnectedError")
    office.advance(seconds=5)
    await office.wait_until_delivered()
    assert len(office.calls("conversations.history")) == 4
    assert [said for said in office.texts(channel) if said != "chatter"] == [shown(FIRST), shown(other)]


async def test_a_clock_set_back_makes_nothing_wait_for_it(office: DeliveryHarness) -> None:
    (channel,) = await office.create_subscribed_channels()
    office.advance(hours=1)
    office.local_slack.fail("chat.postMessage", status=503)
    await office.record_notices(FIRST)
    await office.wait_for_retry("service_unavailable")
    office.advance(hours=-1)
    await office.wait_until_delivered()
    assert office.texts(channel) == [shown(FIRST)]


async def test_a_revoked_token_says_nothing_about_the_history(office: DeliveryHarness) -> None:
    office.local_slack.grant("channels:history")
    (channel,) = await office.create_subscribed_channels()
    office.local_slack.fail("chat.postMessage", drop="after")
    await office.record_notices(FIRST)
    await office.wait_for_retry("no answer: ServerDisconnectedError")
    office.local_slack.revoke_token()
    office.advance(seconds=5)
    await office.wait_for_retry("token_revoked")
    office.local_slack.restore_token()
    office.advance(seconds=60)
    await office.restart()
    await office.wait_until_delivered()
    assert office.texts(channel) == [shown(FIRST)]
    assert len(office.calls("chat.postMessage")) == 1


@pytest.mark.parametrize("posted", [True, False], ids=["posted", "not posted"])
@pytest.mark.parametrize("history", [True, False], ids=["history", "no history"])
async def test_claims_of_a_killed_process_are_requeued(
    still_office: DeliveryHarness, posted: bool, history: bool
) -> None:
    office = still_office
    if history:
        office.local_slack.grant("channels:history")
    (channel,) = await office.create_subscribed_channels()
    await record_notices(office.factory, FIRST)
    await office.factory.leases.heartbeat({TEAM})
    (claimed,) = await office.factory.outbox.claim(office.clock(), 10)
    if posted:
        await office.client.post(
            channel, Message("killed here"), DeliveryMetadata(delivery_id=claimed.id, key=claimed.message_key)
        )
    office.start()
    await office.wait_until_delivered()
    assert (await office.rows())[0].doubtful == 0
    if posted and history:
        # The root that was found shows what it should, by an edit.
        assert office.texts(channel) == [shown(FIRST)]
        assert len(office.calls("chat.postMessage")) == 1
    elif posted:
        assert office.texts(channel) == ["killed here", shown(FIRST)]
    else:
        assert office.texts(channel) == [shown(FIRST)]


# Words that Slack refuses


@pytest.mark.parametrize("error", ["invalid_blocks", "msg_blocks_too_long"])
async def test_refused_blocks_leave_the_words(office: DeliveryHarness, error: str) -> None:
    (channel,) = await office.create_subscribed_channels()
    office.local_slack.fail("chat.postMessage", error=error)
    await office.record_notices(FIRST)
    await office.wait_until_delivered()
    (message,) = office.local_slack.messages(channel)
    assert message["blocks"] == []
    known = await office.factory.notices.superevent(REAL)
    assert known is not None
    assert message["text"] == message_text.fallback_text(
        alert_card.alert_card(known, ChannelView(is_root=True))
    )
    assert "metadata" in message, "so that it can be found again"
    office.local_slack.fail("chat.update", error=error)
    await office.record_notices(SECOND)
    await office.wait_until_delivered()
    assert office.local_slack.messages(channel)[0]["blocks"] == []


async def test_refused_metadata_leave_all_else(office: DeliveryHarness) -> None:
    (channel,) = await office.create_subscribed_channels()
    office.local_slack.fail("chat.postMessage", error="metadata_too_large")
    await office.record_notices(FIRST)
    await office.wait_until_delivered()
    (message,) = office.local_slack.messages(channel)
    assert message["blocks"] and "metadata" not in message


async def test_blocks_and_metadata_refused_in_turn(office: DeliveryHarness) -> None:
    (channel,) = await office.create_subscribed_channels()
    office.local_slack.fail("chat.postMessage", error="invalid_blocks")
    office.local_slack.fail("chat.postMessage", error="invalid_metadata_format")
    await office.record_notices(FIRST)
    await office.wait_until_delivered()
    (message,) = office.local_slack.messages(channel)
    assert message["blocks"] == [] and "metadata" not in message


# The token


async def test_a_revoked_token_delays_and_loses_nothing(office: DeliveryHarness) -> None:
    channels = await office.create_subscribed_channels(3)
    office.local_slack.revoke_token()
    await office.record_notices(FIRST)
    await office.wait_for_retry("token_revoked", 1)
    office.local_slack.restore_token()
    office.advance(seconds=60)
    await office.restart()
    await office.wait_until_delivered()
    assert [office.texts(channel) for channel in channels] == [[shown(FIRST)]] * 3


async def test_without_a_token_nothing_is_claimed(still_office: DeliveryHarness) -> None:
    office = still_office
    (channel,) = await office.create_subscribed_channels()
    clients = {"T0ELSEWHERE": office.client}
    office.start(clients=clients)
    await office.record_notices(FIRST)
    await office.run_rounds()
    assert [(row.state, row.attempts) for row in await office.rows()] == [("pending", 0)]
    clients[TEAM] = office.client
    await office.wait_until_delivered()
    assert office.texts(channel) == [shown(FIRST)]


async def test_nothing_expires_while_the_clock_is_not_trusted(still_office: DeliveryHarness) -> None:
    office = still_office
    (channel,) = await office.create_subscribed_channels()
    await record_notices(office.factory, FIRST)
    office.clock.advance(hours=25)
    office.start(may_give_up=lambda: False)
    await office.wait_until_delivered()
    assert office.texts(channel) == [shown(FIRST)]


async def test_what_waited_for_a_day_is_old_news(still_office: DeliveryHarness) -> None:
    office = still_office
    (channel,) = await office.create_subscribed_channels()
    office.start()
    await office.record_notices(FIRST)
    await office.wait_until_delivered()
    await office.worker.stop()
    await office.record_notices(SECOND, decoded_notice("S261122b"))
    office.clock.advance(hours=25)
    office.start()
    await office.wait_until_delivered()
    assert office.texts(channel) == [shown(FIRST, SECOND)], "the root is true, nothing else is said"
    assert len(await office.rows(reason="old news before it could be posted")) == 2


# Confirmations


async def test_a_subscription_is_in_force_once_its_confirmation_stands(office: DeliveryHarness) -> None:
    (channel,) = office.create_channels(1)
    subscriptions = office.factory.subscriptions
    office.local_slack.fail("chat.postMessage", status=429, retry_after=0.1)
    asked, already = await subscriptions.request(
        TEAM, channel, parse_criteria("CBC"), "U0PERSON", office.clock()
    )
    office.worker.wake()
    await office.wait_for_retry("ratelimited")
    assert not already and await subscriptions.request_status(asked) is False
    assert await subscriptions.for_channel(TEAM, channel) == []
    await office.record_notices(FIRST)
    assert await office.state(DeliveryKind.ROOT) == [], "not in force yet"
    again, already = await subscriptions.request(
        TEAM, channel, parse_criteria("cbc"), "U0OTHER", office.clock()
    )
    assert (again.id, already) == (asked.id, False)
    await asyncio.sleep(0.1)
    office.advance(seconds=1)
    await office.wait_until_delivered()
    assert await subscriptions.request_status(asked) is True
    assert len(office.texts(channel)) == 1
    assert "<@U0PERSON>" in str(office.local_slack.messages(channel)[0]["blocks"])
    assert (await subscriptions.request(TEAM, channel, parse_criteria("CBC"), "U0OTHER", office.clock()))[1]


async def test_refused_nothing_is_stored_and_asking_again_works(office: DeliveryHarness) -> None:
    office.local_slack.ungrant("chat:write.public")
    channel = office.local_slack.add_channel("elsewhere", bot_member=False)
    subscriptions = office.factory.subscriptions
    asked, _ = await subscriptions.request(TEAM, channel, parse_criteria("CBC"), "U0PERSON", office.clock())
    office.worker.wake()
    await office.wait_until_delivered()
    assert await subscriptions.request_status(asked) == "not_in_channel"
    assert await subscriptions.get(asked.id) is None
    office.local_slack.invite(channel)
    now = office.clock()
    await office.factory.outbox.requeue_channel(TEAM, channel, now - timedelta(hours=24), now)
    office.worker.wake()
    await office.run_rounds()
    assert office.texts(channel) == [], "a confirmation doesn't come back without its subscription"
    again, _ = await subscriptions.request(TEAM, channel, parse_criteria("CBC"), "U0PERSON", office.clock())
    assert again.id != asked.id
    office.worker.wake()
    await office.wait_until_delivered()
    assert await subscriptions.request_status(again) is True


async def test_unsubscribing_takes_a_waiting_confirmation_along(office: DeliveryHarness) -> None:
    (channel,) = office.create_channels(1)
    office.local_slack.fail("chat.postMessage", status=429, retry_after=0.1)
    asked, _ = await office.factory.subscriptions.request(
        TEAM, channel, parse_criteria("CBC"), "U0P", office.clock()
    )
    office.worker.wake()
    await office.wait_for_retry("ratelimited")
    (ended,) = await unsubscribe(office.factory, channel)
    assert ended.is_pending
    assert await office.factory.subscriptions.request_status(asked) == "unsubscribed meanwhile"
    office.advance(seconds=60)
    await office.run_rounds()
    assert office.texts(channel) == []


# Workers and the store


async def test_two_workers_on_one_database_send_nothing_twice(
    office: DeliveryHarness, database_url: str
) -> None:
    channels = await office.create_subscribed_channels(40)
    factory = Factory(Database(database_url))
    other = factory.create_delivery_worker({TEAM: office.client}, office.clock, channel_pause_s=0)
    running = asyncio.create_task(other.run())
    await office.run_rounds()
    for number in range(3):
        await office.record_notices(decoded_notice(f"S26112{number}a"))
        other.wake()
    await office.record_notices(decoded_notice("S261120a", "UPDATE", 5))
    await office.wait_until_delivered()
    for channel in channels:
        assert len(office.texts(channel)) == 4
    await other.stop()
    await running
    await factory.database.close()


async def test_outcomes_that_come_together_are_committed_together(office: DeliveryHarness) -> None:
    channels = await office.create_subscribed_channels(60)
    commits: list[object] = []
    event.listen(office.factory.database._engine.sync_engine, "commit", commits.append)
    await office.record_notices(FIRST)
    await office.wait_until_delivered()
    assert all(len(office.texts(channel)) == 1 for channel in channels)
    assert len(commits) < 60


async def test_an_outcome_that_cant_be_written_takes_no_other_with_it(
    office: DeliveryHarness, backend: str
) -> None:
    cursed, *others = await office.create_subscribed_channels(20)
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
    async with office.factory.database.exclusive_transaction() as connection:
        await connection.execute(text(made))
    await office.record_notices(FIRST)

    async def all_but_one() -> bool:
        return [row.channel_id for row in await office.rows() if row.state != "sent"] == [cursed]

    await office.wait_until(all_but_one)
    await office.record_notices(SECOND)

    async def replied() -> bool:
        return all(len(office.texts(channel)) == 2 for channel in others)

    await office.wait_until(replied)
    assert len(office.texts(cursed)) == 1, "what stands there isn't posted again by this process"
    async with office.factory.database.exclusive_transaction() as connection:
        await connection.execute(text(gone))
    office.local_slack.grant("channels:history")
    await office.restart()
    await office.wait_until_delivered()
    assert len(office.texts(cursed)) == 2


async def test_stopping_waits_for_what_is_under_way(office: DeliveryHarness) -> None:
    await office.create_subscribed_channels()
    office.local_slack.fail("chat.postMessage", delay=1.0)
    await office.record_notices(FIRST)

    async def sending() -> bool:
        return await office.state(DeliveryKind.ROOT) == ["sending"]

    await office.wait_until(sending)
    await office.worker.stop()
    assert await office.state(DeliveryKind.ROOT) == ["sent"]
    await office.record_notices(SECOND)
    await office.run_rounds()
    assert await office.state(DeliveryKind.REPLY) == ["pending"], "nothing is started after the stop"


async def test_stopping_as_a_claim_is_made_leaves_nothing_running(office: DeliveryHarness) -> None:
    channels = await office.create_subscribed_channels(30)
    await office.record_notices(FIRST)
    await office.worker.stop()
    calls = len(office.calls("chat.postMessage"))
    await office.run_rounds()
    assert len(office.calls("chat.postMessage")) == calls
    assert "sending" not in await office.state(DeliveryKind.ROOT)
    office.start()
    await office.wait_until_delivered()
    assert [len(office.texts(channel)) for channel in channels] == [1] * 30


async def test_what_hangs_at_the_stop_is_taken_up_at_the_next_start(office: DeliveryHarness) -> None:
    (channel,) = await office.create_subscribed_channels()
    office.local_slack.fail("chat.postMessage", delay=5.0, drop="before")
    await office.record_notices(FIRST)

    async def sending() -> bool:
        return await office.state(DeliveryKind.ROOT) == ["sending"]

    await office.wait_until(sending)
    await office.worker.stop(0.05)
    assert await office.state(DeliveryKind.ROOT) == ["sending"]
    office.start()
    await office.wait_until_delivered()
    assert office.texts(channel) == [shown(FIRST)]


async def test_a_message_that_cant_be_rendered_stops_no_other(still_office: DeliveryHarness) -> None:
    office = still_office
    bad, good = await office.create_subscribed_channels(2)
    real = office.renderer()
    broken = {bad}

    async def render(delivery: Delivery) -> RenderedMessage | None:
        if delivery.channel_id in broken:
            raise ZeroDivisionError("a fault on purpose")
        return await real(delivery)

    async def picture_failed(picture_id: int, reason: str) -> None:
        raise AssertionError("no notice here has a map")

    office.worker = DeliveryWorker(
        office.factory.outbox,
        {TEAM: office.client},
        render,
        office.clock,
        on_image_failed=picture_failed,
        channel_pause_s=0,
    )
    office.worker_tasks.append(asyncio.create_task(office.worker.run()))
    await office.record_notices(FIRST)
    await office.wait_for_retry("a fault in gwevent, see its log")

    async def posted() -> bool:
        return len(office.texts(good)) == 1

    await office.wait_until(posted)
    broken.clear()
    office.advance(seconds=5)
    await office.wait_until_delivered()
    assert office.texts(bad) == [shown(FIRST)]


@pytest.mark.backends("sqlite")
async def test_words_are_made_again_after_the_store_failed(office: DeliveryHarness) -> None:
    await office.create_subscribed_channels()
    await office.worker.stop()
    await office.record_notices(FIRST)
    (claimed,) = await office.factory.outbox.claim(office.clock(), 1)
    renderer = office.renderer()

    async def run(statement: str) -> None:
        async with office.factory.database.exclusive_transaction() as connection:
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
