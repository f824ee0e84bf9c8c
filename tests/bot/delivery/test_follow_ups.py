"""The Follow-up reply in the local Slack: one a thread, whatever Slack answers."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from bot.delivery.rendered_message import RenderedMessage
from bot.store import schema
from bot.store.outbox.follow_up_writer import request_follow_ups
from bot.store.outbox.models import Delivery, DeliveryKind
from formatters.blockkit.message import Message
from tests.support.delivery_harness import DeliveryHarness
from tests.support.factories import decoded_notice

pytestmark = pytest.mark.slow

FIRST, SECOND = decoded_notice(), decoded_notice(alert_type="INITIAL", minutes=5)
POST, EDIT = "chat.postMessage", "chat.update"
KINDS = (DeliveryKind.FOLLOW_UP, DeliveryKind.FOLLOW_UP_EDIT)


class FollowUps:
    """Asks for Follow-up replies, whose text counts what was said so far."""

    def __init__(self, harness: DeliveryHarness) -> None:
        self.harness = harness
        self.said = 0

    def install(self) -> None:
        """Let the worker's sender render them."""
        sender = self.harness.worker.sender
        render = sender.render

        async def rendered(delivery: Delivery) -> RenderedMessage | None:
            if delivery.kind not in KINDS:
                return await render(delivery)
            block = {"type": "section", "text": {"type": "mrkdwn", "text": self.text}}
            return RenderedMessage(message=Message(text=self.text, blocks=(block,)))

        sender.render = rendered

    @property
    def text(self) -> str:
        return f"Follow-up: {self.said} messages"

    async def say(self, *, create: bool = True) -> None:
        """One more message names the event."""
        self.said += 1
        threads = schema.threads
        async with self.harness.factory.database.exclusive_transaction() as connection:
            rows = (await connection.execute(select(threads))).all()
            channels = {row.id: (row.team_id, row.channel_id) for row in rows}
            await request_follow_ups(connection, channels, self.harness.clock(), create=create)
        self.harness.wake()

    async def finish(self) -> None:
        """Advance the clock until no delivery is waiting."""
        for _ in range(60):
            await self.harness.run_rounds()
            if not (await self.harness.factory.outbox_statistics.counts()).waiting:
                return
            self.harness.advance(seconds=70)
        raise AssertionError(f"it waits for ever: {await self.harness.rows(state='pending')}")

    def standing(self, channel: str) -> list[str]:
        """The texts of the Follow-up replies that people see, in the newest root's thread."""
        messages = self.harness.local_slack.messages(channel)
        root = next(
            m
            for m in reversed(messages)
            if m["thread_ts"] in (None, m["ts"]) and FIRST.superevent_id in str(m["text"])
        )
        return [
            str(m["text"])
            for m in messages
            if m["thread_ts"] == root["ts"] and str(m["text"]).startswith("Follow-up")
        ]

    def delete(self, channel: str, containing: str) -> None:
        """Delete the newest message that contains the words, as a person does."""
        workspace, place = self.harness.local_slack.find(channel)
        found = [m for m in place.messages.values() if containing in m.text and not m.deleted]
        workspace.delete(found[-1])


@pytest.fixture
async def follow_ups(harness: DeliveryHarness) -> FollowUps:
    made = FollowUps(harness)
    made.install()
    return made


async def open_thread(follow_ups: FollowUps) -> str:
    (channel,) = await follow_ups.harness.create_subscribed_channels(words="CBC circulars")
    await follow_ups.harness.record_notices(FIRST)
    await follow_ups.finish()
    return channel


async def test_one_reply_is_posted_and_edited(follow_ups: FollowUps) -> None:
    channel = await open_thread(follow_ups)
    for said in (1, 2, 3):
        await follow_ups.say()
        await follow_ups.finish()
        assert follow_ups.standing(channel) == [f"Follow-up: {said} messages"]
    assert len(follow_ups.harness.calls(EDIT)) == 2


@pytest.mark.parametrize("fault", [{"drop": "after"}, {"oddity": "null ts"}, {"error": "fatal_error"}])
async def test_a_post_whose_answer_is_lost_is_found_and_edited(
    follow_ups: FollowUps, fault: dict[str, Any]
) -> None:
    harness = follow_ups.harness
    harness.local_slack.grant("channels:history")
    channel = await open_thread(follow_ups)
    harness.local_slack.fail(POST, **fault)
    await follow_ups.say()
    await follow_ups.harness.run_rounds()
    await follow_ups.say()
    await follow_ups.finish()
    assert follow_ups.standing(channel) == [follow_ups.text]


@pytest.mark.parametrize(
    "fault",
    [
        {"drop": "after"},
        {"drop": "before"},
        {"oddity": "html"},
        {"error": "fatal_error"},
        {"error": "zomeru_katta"},
        {"status": 429, "retry_after": 0.2},
        {"status": 503},
    ],
)
async def test_an_edit_that_fails_once_is_made_again(follow_ups: FollowUps, fault: dict[str, Any]) -> None:
    channel = await open_thread(follow_ups)
    await follow_ups.say()
    await follow_ups.finish()
    follow_ups.harness.local_slack.fail(EDIT, **fault)
    await follow_ups.say()
    await follow_ups.finish()
    assert follow_ups.standing(channel) == [follow_ups.text]
    assert len(follow_ups.harness.calls(POST, channel)) == 2


@pytest.mark.parametrize("is_news", [True, False])
async def test_a_reply_that_a_person_deleted_comes_back_only_with_news(
    follow_ups: FollowUps, *, is_news: bool
) -> None:
    channel = await open_thread(follow_ups)
    await follow_ups.say()
    await follow_ups.finish()
    follow_ups.delete(channel, "Follow-up")
    await follow_ups.say(create=is_news)
    await follow_ups.finish()
    assert follow_ups.standing(channel) == ([follow_ups.text] if is_news else [])
    await follow_ups.say()
    await follow_ups.finish()
    assert follow_ups.standing(channel) == [follow_ups.text]


@pytest.mark.parametrize("error", ["edit_window_closed", "cant_update_message", "zomeru_katta"])
async def test_a_reply_that_cannot_be_edited_is_followed_by_another(
    follow_ups: FollowUps, error: str
) -> None:
    channel = await open_thread(follow_ups)
    await follow_ups.say()
    await follow_ups.finish()
    follow_ups.harness.local_slack.fail(EDIT, error=error, times=None)
    await follow_ups.say()
    await follow_ups.finish()
    assert follow_ups.standing(channel) == ["Follow-up: 1 messages", "Follow-up: 2 messages"]


async def test_a_rate_limit_of_edits_delays_no_post(follow_ups: FollowUps) -> None:
    harness = follow_ups.harness
    channel = await open_thread(follow_ups)
    await follow_ups.say()
    await follow_ups.finish()
    harness.local_slack.fail(EDIT, status=429, retry_after=60, times=None)
    await follow_ups.say()
    harness.advance(seconds=10)
    await harness.wait_for_retry("ratelimited")
    await harness.record_notices(SECOND)

    async def replied() -> bool:
        return await harness.state(DeliveryKind.REPLY) == ["sent"]

    await harness.wait_until(replied)
    assert follow_ups.standing(channel) == ["Follow-up: 1 messages"]


async def test_the_reply_follows_a_root_that_was_deleted(follow_ups: FollowUps) -> None:
    channel = await open_thread(follow_ups)
    await follow_ups.say()
    await follow_ups.finish()
    follow_ups.delete(channel, FIRST.superevent_id)
    await follow_ups.harness.record_notices(SECOND)
    await follow_ups.finish()
    assert follow_ups.standing(channel) == [follow_ups.text]
    await follow_ups.say()
    await follow_ups.finish()
    assert follow_ups.standing(channel) == [follow_ups.text]


async def test_a_worker_that_starts_again_edits_the_same_reply(follow_ups: FollowUps) -> None:
    channel = await open_thread(follow_ups)
    await follow_ups.say()
    await follow_ups.finish()
    await follow_ups.say()
    await follow_ups.harness.restart()
    follow_ups.install()
    await follow_ups.finish()
    assert follow_ups.standing(channel) == [follow_ups.text]


async def test_a_reply_that_lost_a_part_by_a_guess_is_whole_again_later(follow_ups: FollowUps) -> None:
    channel = await open_thread(follow_ups)
    follow_ups.harness.local_slack.fail(POST, error="zomeru_katta", having=("blocks",), times=3)
    await follow_ups.say()
    await follow_ups.finish()
    [reply] = [m for m in follow_ups.harness.local_slack.messages(channel) if m["text"] == follow_ups.text]
    assert reply["blocks"], "an edit brought them"
    assert len(follow_ups.harness.calls(EDIT)) == 1


@pytest.mark.parametrize("fault", [{"error": "zomeru_katta", "times": 2}, {"drop": "before", "times": 5}])
async def test_an_edit_that_lost_a_part_by_a_guess_is_made_whole_later(
    follow_ups: FollowUps, fault: dict[str, Any]
) -> None:
    channel = await open_thread(follow_ups)
    await follow_ups.say()
    await follow_ups.finish()
    follow_ups.harness.local_slack.fail(EDIT, having=("blocks",), **fault)
    await follow_ups.say()
    await follow_ups.finish()
    [reply] = [m for m in follow_ups.harness.local_slack.messages(channel) if m["text"] == follow_ups.text]
    assert reply["blocks"], "another edit brought them"
