"""What couldn't be posted in a channel comes back whole once the channel can be posted to again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from bot.app.maintenance import Maintenance
from bot.listeners import channel_updates
from bot.listeners.channel_updates import ChannelUpdates
from bot.runtime.callbacks import always
from bot.settings import Settings
from bot.store.database import StoreUnavailable
from bot.store.outbox.models import CHANNEL_ERRORS, DeliveryKind
from tests.support.delivery_harness import DeliveryHarness
from tests.support.factories import MOCK, REAL, TEAM, decoded_notice, unsubscribe

POST, EDIT = "chat.postMessage", "chat.update"
FIRST = decoded_notice()
RETRACTION = decoded_notice(alert_type="RETRACTION", minutes=9)
DAY = timedelta(hours=24)
ERROR_PAIRS = list(zip(sorted(CHANNEL_ERRORS), [*sorted(CHANNEL_ERRORS)[1:], "is_archived"], strict=True))

pytestmark = pytest.mark.backends("sqlite", "postgresql")


async def requeue(harness: DeliveryHarness, channel: str) -> None:
    now = harness.clock()
    await harness.factory.outbox.requeue_channel(TEAM, channel, now - DAY, now)
    harness.wake()
    await harness.wait_until_delivered()


async def probe(harness: DeliveryHarness) -> int:
    now = harness.clock()
    count = await harness.factory.outbox.requeue_probes(now - DAY, now)
    harness.wake()
    await harness.wait_until_delivered()
    return count


@pytest.mark.parametrize("errors", ERROR_PAIRS, ids="-".join)
async def test_alerts_come_back_whichever_errors_kept_them_out(
    harness: DeliveryHarness, errors: Sequence[str]
) -> None:
    (channel,) = await harness.create_subscribed_channels()
    alerts = [f"S261122{letter}" for letter in "abc"[: len(errors)]]
    for superevent_id, error in zip(alerts, errors, strict=True):
        harness.local_slack.fail(POST, error=error, times=None)
        await harness.record_notices(decoded_notice(superevent_id))
        await harness.wait_until_delivered()
        harness.local_slack.faults.clear()
    assert not harness.texts(channel)
    await requeue(harness, channel)
    assert sorted(name for name in alerts for text in harness.texts(channel) if name in text) == alerts


async def test_a_retraction_comes_back_where_edits_meet_another_error(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels()
    await harness.record_notices(FIRST)
    await harness.wait_until_delivered()
    harness.local_slack.fail(POST, error="not_in_channel", times=None)
    harness.local_slack.fail(EDIT, error="channel_not_found", times=None)
    await harness.record_notices(RETRACTION)
    await harness.wait_until_delivered()
    harness.local_slack.faults.clear()
    await requeue(harness, channel)
    root, reply = harness.local_slack.messages(channel)
    assert root["text"].startswith("RETRACTED") and reply["thread_ts"] == root["ts"]


async def test_a_missed_invitation_is_noticed_by_trying_one_post(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels()
    harness.local_slack.ungrant("chat:write.public")
    harness.local_slack.kick(channel)
    alerts = ("S261122a", "S261122b", "S261122c")
    for superevent_id in alerts:
        await harness.record_notices(decoded_notice(superevent_id))
        await harness.wait_until_delivered()
    before = len(harness.calls(POST, channel))
    harness.advance(minutes=10)
    assert await probe(harness) == 1
    assert len(harness.calls(POST, channel)) == before + 1, "one post shows it for all"
    problems = [s.delivery_problem for s in await harness.factory.subscriptions.for_channel(TEAM, channel)]
    assert problems == ["not_in_channel"]
    harness.local_slack.invite(channel)
    harness.advance(minutes=10)
    assert await probe(harness) == 1
    assert sorted(name for name in alerts for text in harness.texts(channel) if name in text) == list(alerts)
    assert await probe(harness) == 0


async def test_only_what_is_worth_a_call_is_tried(harness: DeliveryHarness) -> None:
    mocks, left, old, posted = await harness.create_subscribed_channels(4, words="CBC")
    await harness.record_notices(FIRST)
    await harness.wait_until_delivered()
    harness.local_slack.fail("*", error="is_archived", times=None)
    await harness.record_notices(decoded_notice("S261122b"), decoded_notice(MOCK))
    await harness.wait_until_delivered()
    await unsubscribe(harness.factory, left)
    async with harness.factory.database.exclusive_transaction() as connection:
        for statement in (
            f"DELETE FROM deliveries WHERE channel_id = '{mocks}' AND NOT mock",
            f"DELETE FROM deliveries WHERE channel_id = '{left}' AND kind = 'change'",
        ):
            await connection.exec_driver_sql(statement)
    dead = {row.channel_id: row for row in await harness.rows(state="dead", kind="root")}
    assert dead.keys() >= {left, old, posted}
    now = harness.clock()
    assert await harness.factory.outbox.requeue_probes(now - DAY, now) == 2
    tried = await harness.rows(state="pending", kind="root")
    assert {row.channel_id for row in tried} == {old, posted}
    assert await harness.factory.outbox.requeue_probes(now - DAY, now) == 0
    await harness.wait_until_delivered()
    assert await harness.factory.outbox.requeue_probes(now + DAY, now + 2 * DAY) == 0, "old news"


async def test_a_reply_is_tried_only_below_a_root_that_stands(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels()
    harness.local_slack.archive(channel)
    await harness.record_notices(FIRST)
    await harness.record_notices(decoded_notice(alert_type="INITIAL", minutes=5))
    await harness.wait_until_delivered()
    async with harness.factory.database.exclusive_transaction() as connection:
        await connection.exec_driver_sql("UPDATE deliveries SET reason = 'old news' WHERE kind = 'root'")
    assert await probe(harness) == 0
    assert await harness.state(DeliveryKind.ROOT) == ["dead"]


async def test_channels_are_probed_until_cancelled(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels()
    harness.local_slack.archive(channel)
    await harness.record_notices(FIRST)
    await harness.wait_until_delivered()
    harness.local_slack.unarchive(channel)
    maintenance = Maintenance(
        Settings(), harness.factory, {}, harness.clock, harness.wakeups, is_clock_trusted=always
    )
    task = asyncio.create_task(maintenance.probe_unreachable_channels())

    async def is_posted() -> bool:
        return any(REAL in text for text in harness.texts(channel))

    await harness.wait_until(is_posted)
    task.cancel()


async def test_an_invitation_waits_for_the_store(
    harness: DeliveryHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    (channel,) = await harness.create_subscribed_channels()
    harness.local_slack.archive(channel)
    await harness.record_notices(FIRST)
    await harness.wait_until_delivered()
    harness.local_slack.unarchive(channel)
    monkeypatch.setattr(channel_updates, "STORE_RETRY_S", 0.01)
    requeue_channel, failures = harness.factory.outbox.requeue_channel, [StoreUnavailable("locked")] * 2

    async def fail_twice(*arguments: object) -> int:
        if failures:
            raise failures.pop()
        return await requeue_channel(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(harness.factory.outbox, "requeue_channel", fail_twice)
    updates = ChannelUpdates(
        harness.factory.outbox,
        harness.factory.channel_moves,
        harness.factory.ops_channel,
        harness.clock,
        harness.wakeups,
        max_age=DAY,
        configured_ops_channel=None,
    )
    await updates.requeue_channel(TEAM, channel)
    await harness.wait_until_delivered()
    assert any(REAL in text for text in harness.texts(channel))
