"""Refusals, unknown error codes and malformed answers of Slack lose no message."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import insert, text

from bot.delivery.degraded_messages import DegradedMessages
from bot.filters import parse_criteria
from bot.local_slack.web_api import odd_answers
from bot.local_slack.web_api.odd_answers import MessagePart as Held
from bot.local_slack.web_api.odd_answers import Oddity, random_error_name
from bot.local_slack.workspace import Draft
from bot.runtime.http_answers import MAX_RETRY_AFTER_S
from bot.slack import degradation
from bot.slack.errors import OutcomeUnknown, RateLimited
from bot.slack.message_metadata import METADATA_EVENT, DeliveryMetadata
from bot.slack.responses import failure_from_answer
from bot.slack.web_api import Answer
from bot.store import schema
from bot.store.outbox.models import DeliveryKind
from formatters.answers.subscription_messages import subscription_list
from formatters.models.subscription import Subscription
from formatters.models.superevent import Superevent
from formatters.posts import alert_card
from formatters.posts.channel_view import ChannelView
from tests.bot.routing.test_mentions import BURST
from tests.support.delivery_harness import DeliveryHarness
from tests.support.factories import AUTHOR, NOW, REAL, TEAM, decoded_notice

pytestmark = pytest.mark.slow

FIRST, SECOND = decoded_notice(), decoded_notice(alert_type="INITIAL", minutes=5)
RETRACTION = decoded_notice(alert_type="RETRACTION", minutes=9)
HERE, POST, EDIT = "<!here>", "chat.postMessage", "chat.update"

NO_WAITS = ("0", "-1", "0.0", "Mon, 01 Jan 2001 00:00:00 GMT")

FILTERLESS = parse_criteria("CBC")

from_conftest = None
both = pytest.mark.backends("sqlite", "postgresql")


def shown(*notices: Any) -> str:
    """Return the text of the root after these notices."""
    return alert_card.alert_card(Superevent.from_notices(notices), ChannelView(is_root=True)).text


def mentioning(harness: DeliveryHarness, channel: str, target: str = HERE) -> list[str]:
    return [text for text in harness.texts(channel) if target in text]


async def subscription_in(harness: DeliveryHarness, channel: str) -> Subscription:
    (found,) = await harness.factory.subscriptions.for_channel(TEAM, channel)
    return found


def restrict_mentions(
    harness: DeliveryHarness, *parts: Held, error: str = "restricted_action", **more: Any
) -> None:
    """Refuse every post that has one of these parts."""
    harness.local_slack.fail(POST, error=error, times=None, having=parts, **more)


async def finish(harness: DeliveryHarness) -> None:
    """Advance the clock until no delivery is waiting."""
    for _ in range(40):
        await harness.run_rounds()
        if not (await harness.factory.outbox_statistics.counts()).waiting:
            return
        harness.advance(seconds=70)
    raise AssertionError(f"it waits for ever: {await harness.rows(state='pending')}")


# A mention that Slack refuses


@both
async def test_an_alert_comes_without_a_mention_that_slack_refuses(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels(words="CBC notify @here")
    restrict_mentions(harness, "everybody")
    await harness.record_notices(FIRST)
    await finish(harness)
    root, told = harness.local_slack.messages(channel)
    assert root["text"] == shown(FIRST) and root["blocks"][0]["type"] == "header"
    assert "Slack refuses the mention of @here here" in told["text"] and "restricted_action" in told["text"]
    assert HERE not in str(harness.local_slack.messages(channel)) and told["thread_ts"] is None
    subscription = await subscription_in(harness, channel)
    assert subscription.delivery_problem is None
    assert [(r.target, r.reason) for r in subscription.refused_mentions] == [(HERE, "restricted_action")]
    assert subscription.refused_mentions[0].since >= NOW
    assert "Slack refuses" in str(subscription_list([subscription]).blocks)
    # What comes later is posted too, and not told again.
    await harness.record_notices(decoded_notice("S261122b"), replace(SECOND, external=BURST), RETRACTION)
    await finish(harness)
    assert len([text for text in harness.texts(channel) if "Slack refuses" in text]) == 1
    assert harness.texts(channel)[0] == shown(FIRST, replace(SECOND, external=BURST), RETRACTION)
    assert not mentioning(harness, channel) and await harness.rows(state="dead", kind="root") == []


async def test_a_mention_of_its_own_and_a_stand_down_come_without_it_too(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels(words="CBC notify @here")
    await harness.record_notices(FIRST)
    await finish(harness)
    assert len(mentioning(harness, channel)) == 1
    restrict_mentions(harness, "everybody")
    await harness.record_notices(replace(SECOND, external=BURST))
    await finish(harness)
    assert any("New coincidence" in text for text in harness.texts(channel))
    await harness.record_notices(RETRACTION)
    await finish(harness)
    assert any("Stand down" in text for text in harness.texts(channel))
    assert not mentioning(harness, channel)
    assert len([text for text in harness.texts(channel) if "Slack refuses" in text]) == 1


async def test_other_targets_are_still_mentioned(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels(words="CBC notify @here <@U1>")
    restrict_mentions(harness, "everybody")
    await harness.record_notices(FIRST)
    await finish(harness)
    assert len(mentioning(harness, channel, "<@U1>")) == 1
    assert [r.target for r in (await subscription_in(harness, channel)).refused_mentions] == [HERE]


async def test_the_refusal_of_somebody_who_is_next_is_listed(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels(words="CBC notify <@U1> escalate 5min @channel")
    refused = {"team_id": TEAM, "channel_id": channel, "target": "<!channel>", "reason": "restricted_action"}
    async with harness.factory.database.exclusive_transaction() as connection:
        await connection.execute(insert(schema.refused_mentions).values(**refused, since=NOW))
    subscription = await subscription_in(harness, channel)
    assert [r.target for r in subscription.refused_mentions] == ["<!channel>"]
    assert "Slack refuses* @channel here" in str(subscription_list([subscription]).blocks)


@both
async def test_a_mention_that_goes_through_again_clears_it(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels(words="CBC notify @here")
    restrict_mentions(harness, "everybody")
    await harness.record_notices(FIRST)
    await finish(harness)
    assert (await subscription_in(harness, channel)).refused_mentions
    harness.local_slack.faults.clear()
    await harness.record_notices(decoded_notice("S261122b"))
    await finish(harness)
    assert len(mentioning(harness, channel)) == 1, "it is tried with each alert"
    assert (await subscription_in(harness, channel)).refused_mentions == ()
    restrict_mentions(harness, "everybody")
    await harness.record_notices(decoded_notice("S261122c"))
    await finish(harness)
    assert len([text for text in harness.texts(channel) if "Slack refuses" in text]) == 2


async def test_an_edited_subscription_begins_anew(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels(words="CBC notify @here")
    restrict_mentions(harness, "everybody")
    await harness.record_notices(FIRST)
    await finish(harness)
    before = await subscription_in(harness, channel)
    criteria = replace(before.criteria, mock=True)
    await harness.factory.subscriptions.edit(TEAM, channel, before.number, criteria, AUTHOR)
    assert (await subscription_in(harness, channel)).refused_mentions == ()


@pytest.mark.parametrize("seed", range(3))
async def test_a_mention_refused_with_an_unlisted_error(harness: DeliveryHarness, seed: int) -> None:
    (channel,) = await harness.create_subscribed_channels(words="CBC notify @here")
    word = random_error_name(random.Random(seed))
    restrict_mentions(harness, "everybody", error=word)
    await harness.record_notices(FIRST)
    await finish(harness)
    assert len(harness.texts(channel)) == 2 and REAL in harness.texts(channel)[0]
    assert [r.reason for r in (await subscription_in(harness, channel)).refused_mentions] == [word]


async def test_error_without_a_mention_is_a_channel_problem(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels(words="CBC notify @here")
    harness.local_slack.fail(POST, error="restricted_action", times=None)
    await harness.record_notices(FIRST)
    await finish(harness)
    subscription = await subscription_in(harness, channel)
    assert (subscription.delivery_problem, subscription.refused_mentions) == ("restricted_action", ())
    harness.local_slack.faults.clear()
    await harness.record_notices(decoded_notice("S261122b"))

    async def both_there() -> bool:
        return len(mentioning(harness, channel)) == 2

    await harness.wait_until(both_there)
    assert (await subscription_in(harness, channel)).delivery_problem is None


# Words in no list

SEEDS = range(4)


@both
@pytest.mark.parametrize("word", ["external_channel_migrating", "unable_to_share_files", 1126])
async def test_one_unlisted_error_loses_no_message(harness: DeliveryHarness, word: str | int) -> None:
    error = word if isinstance(word, str) else random_error_name(random.Random(word))
    (channel,) = await harness.create_subscribed_channels()
    harness.local_slack.fail(POST, error=error)
    await harness.record_notices(FIRST)
    await finish(harness)
    harness.advance(minutes=2)
    await finish(harness)
    (root,) = harness.local_slack.messages(channel)
    assert root["text"] == shown(FIRST) and any(b["type"] == "actions" for b in root["blocks"]), root


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_lasting_unlisted_error_is_retried(harness: DeliveryHarness, seed: int) -> None:
    (channel,) = await harness.create_subscribed_channels()
    word = random_error_name(random.Random(seed))
    harness.local_slack.fail(POST, error=word, times=None)
    await harness.record_notices(FIRST)
    await harness.wait_for_retry(word)
    attempts = 1

    async def has_failed_again() -> bool:
        return any(row.attempts > attempts for row in await harness.rows(state="pending", reason=word))

    for _ in range(3):
        harness.advance(minutes=10)
        await harness.run_rounds()
        await harness.wait_until(has_failed_again)
        attempts += 1
    assert (await subscription_in(harness, channel)).delivery_problem is None
    harness.advance(hours=22)
    harness.local_slack.faults.clear()
    await finish(harness)
    assert harness.texts(channel) == [shown(FIRST)]


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_subscription_is_confirmed_though_the_word_is_new(
    harness: DeliveryHarness, seed: int
) -> None:
    (channel,) = harness.create_channels(1)
    word = random_error_name(random.Random(seed))
    harness.local_slack.fail(POST, error=word, times=12)
    asked, _ = await harness.factory.subscriptions.request(TEAM, channel, FILTERLESS, "U0P", harness.clock())
    harness.wake()
    await harness.wait_for_retry(word)
    assert await harness.factory.subscriptions.request_status(asked) is False, "it waits"
    await finish(harness)
    assert await harness.factory.subscriptions.request_status(asked) is True


@both
@pytest.mark.parametrize("word", ["update_failed", "streaming_state_conflict", 9])
async def test_a_retraction_whose_edit_failed_is_shown(harness: DeliveryHarness, word: str | int) -> None:
    error = word if isinstance(word, str) else random_error_name(random.Random(word))
    (channel,) = await harness.create_subscribed_channels()
    await harness.record_notices(FIRST)
    await finish(harness)
    harness.local_slack.fail(EDIT, error=error, times=4)
    await harness.record_notices(RETRACTION)
    await harness.wait_for_retry(error)
    harness.advance(seconds=5)
    await finish(harness)
    harness.advance(minutes=2)
    await finish(harness)
    assert harness.texts(channel)[0] == shown(FIRST, RETRACTION)
    assert harness.local_slack.messages(channel)[0]["blocks"], "and whole in the end"


@pytest.mark.parametrize("error", ["update_failed", "msg_too_long", "restricted_action", "no_text"])
async def test_an_edit_is_wanted_again_for_a_day(harness: DeliveryHarness, error: str) -> None:
    (channel,) = await harness.create_subscribed_channels()
    await harness.record_notices(FIRST)
    await finish(harness)
    harness.local_slack.fail(EDIT, error=error, times=None)
    await harness.record_notices(RETRACTION)
    await harness.wait_for_retry(error)
    for _ in range(23):
        before = len(harness.calls(EDIT))
        harness.advance(hours=1)

        async def again(before: int = before) -> bool:
            return len(harness.calls(EDIT)) > before

        await harness.wait_until(again)
        # Written down before time goes on, else its next attempt is put off by the later clock.
        await harness.wait_for_retry(error)
    harness.local_slack.faults.clear()
    harness.advance(minutes=6)
    await finish(harness)
    assert harness.texts(channel)[0] == shown(FIRST, RETRACTION)


async def test_news_doesnt_wait_for_a_refused_edits_next_attempt(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels()
    await harness.record_notices(FIRST)
    await finish(harness)
    harness.local_slack.fail(EDIT, error="update_failed", times=None)
    await harness.record_notices(SECOND)
    await harness.wait_for_retry("update_failed")
    for _ in range(8):
        harness.advance(minutes=6)
        await harness.run_rounds()
    harness.local_slack.faults.clear()
    await harness.record_notices(RETRACTION)
    await finish(harness)
    assert harness.texts(channel)[0] == shown(FIRST, SECOND, RETRACTION)


async def test_an_edit_that_was_given_up_comes_with_the_next_occasion(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels()
    await harness.record_notices(FIRST)
    await finish(harness)
    harness.local_slack.fail(EDIT, error="update_failed", times=None)
    await harness.record_notices(SECOND)
    await harness.wait_for_retry("update_failed")
    harness.advance(hours=25)
    await finish(harness)
    assert await harness.state(DeliveryKind.EDIT) == ["dead"]
    harness.local_slack.faults.clear()
    await harness.factory.observers.toggle(TEAM, channel, REAL, "U1", harness.clock())
    harness.wake()
    await finish(harness)
    assert harness.texts(channel)[0] == shown(FIRST, SECOND)


@pytest.mark.parametrize(
    "fault", [{"status": 418}, {"status": 507, "error": "zomeru"}, {"status": 302}, {"oddity": "no error"}]
)
async def test_unknown_http_statuses_and_missing_error_codes_are_retried(
    harness: DeliveryHarness, fault: dict[str, Any]
) -> None:
    harness.local_slack.grant("channels:history")
    (channel,) = await harness.create_subscribed_channels()
    harness.local_slack.fail(POST, **fault)
    await harness.record_notices(FIRST)
    for _ in range(3):
        harness.advance(minutes=5)
        await harness.run_rounds()
    await finish(harness)
    assert harness.texts(channel) == [shown(FIRST)]


async def test_a_post_never_answered_is_sent_as_text_only(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels()
    harness.local_slack.fail(POST, status=500, error="", times=None, having=("blocks",))
    await harness.record_notices(FIRST)
    for _ in range(6):
        harness.advance(minutes=10)
        await harness.run_rounds()
    await harness.wait_until(lambda: _any(harness, channel))
    (root,) = harness.local_slack.messages(channel)
    assert REAL in root["text"] and "metadata" in root


async def _any(harness: DeliveryHarness, channel: str) -> bool:
    return bool(harness.texts(channel))


# An extra that Slack refuses

PARTS: tuple[Held, ...] = ("buttons", "metadata", "blocks")


@pytest.mark.parametrize("seed", range(8))
async def test_the_words_of_posts_and_edits_come_without_what_is_refused(
    harness: DeliveryHarness, seed: int
) -> None:
    chance = random.Random(seed)
    refused = tuple(chance.sample(PARTS, chance.randint(1, 3)))
    (channel,) = await harness.create_subscribed_channels()
    word = random_error_name(chance)
    harness.local_slack.fail(POST, error=word, times=None, having=refused)
    harness.local_slack.fail(EDIT, error=word, times=None, having=refused)
    await harness.record_notices(FIRST)
    await finish(harness)
    await harness.record_notices(SECOND)
    await finish(harness)
    await harness.record_notices(RETRACTION)
    await finish(harness)
    root, *replies = harness.local_slack.messages(channel)
    assert "RETRACTED" in str(root) and len(replies) == 2
    assert all(reply["thread_ts"] == root["ts"] for reply in replies)


async def test_an_alert_whose_text_is_too_long_comes_shortened(
    harness: DeliveryHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without its layout this alert has 570 characters.
    monkeypatch.setattr(odd_answers, "LONG_TEXT_BYTES", 500)
    monkeypatch.setattr(degradation, "SHORT_TEXT", 300)
    (channel,) = await harness.create_subscribed_channels(words="CBC notify @here")
    for method in (POST, EDIT):
        harness.local_slack.fail(method, error="invalid_blocks", times=None, having=("blocks",))
        harness.local_slack.fail(method, error="msg_too_long", times=None, having=("long text",))
    await harness.record_notices(FIRST)
    await finish(harness)
    await harness.record_notices(RETRACTION)
    await finish(harness)
    root, *_ = harness.local_slack.messages(channel)
    assert "RETRACTED" in root["text"] and not root["blocks"]
    first = [str(call.args["text"]) for call in harness.calls(POST) if not call.args.get("blocks")]
    assert [len(text) > 500 for text in first[:2]] == [True, False]
    assert all(HERE in text and FIRST.superevent_id in text for text in first[:2])
    assert await harness.rows(state="dead") == []


async def test_a_rate_limit_while_degrading_keeps_the_dropped_parts(harness: DeliveryHarness) -> None:
    (channel,) = await harness.create_subscribed_channels()
    harness.local_slack.fail(POST, error="zomeru")
    harness.local_slack.fail(POST, status=429, retry_after=0.05)
    harness.local_slack.fail(POST, error="zomeru", times=None, having=("buttons", "metadata"))
    await harness.record_notices(FIRST)
    await harness.wait_for_retry("ratelimited")
    harness.advance(seconds=5)
    await harness.wait_until(lambda: _any(harness, channel))
    sent = [call.args for call in harness.calls(POST)]
    assert [bool(args.get("metadata")) for args in sent] == [True, True, True, False]
    # The first refusal took the buttons, and the limit gave them not back.
    assert not any(b["type"] == "actions" for b in sent[2]["blocks"])


@pytest.mark.parametrize(
    "word", ["restricted_action_thread_locked", "restricted_action_replies_off", "zomeru"]
)
async def test_a_locked_thread_makes_plain_messages(harness: DeliveryHarness, word: str) -> None:
    (channel,) = await harness.create_subscribed_channels()
    await harness.record_notices(FIRST)
    await finish(harness)
    harness.local_slack.fail(POST, error=word, times=None, having=("thread",))
    await harness.record_notices(SECOND)
    await finish(harness)
    root, reply = harness.local_slack.messages(channel)
    assert reply["thread_ts"] is None and "INITIAL" in reply["text"].upper()
    assert (await subscription_in(harness, channel)).delivery_problem is None and root["text"] == shown(
        FIRST, SECOND
    )


@both
@pytest.mark.parametrize("restarted", [False, True])
async def test_a_reply_that_stands_outside_its_thread_is_found_there(
    harness: DeliveryHarness, restarted: bool
) -> None:
    """The reply's thread is locked, and the answer to the post in the channel is lost."""
    harness.local_slack.grant("channels:history")
    (channel,) = await harness.create_subscribed_channels()
    await harness.record_notices(FIRST)
    await finish(harness)
    harness.local_slack.fail(POST, error="restricted_action_thread_locked", times=None, having=("thread",))
    harness.local_slack.fail(POST, oddity="null ts")
    await harness.record_notices(SECOND)

    async def doubtful() -> bool:
        return [row.state for row in await harness.rows(doubtful=1)] == ["pending"]

    await harness.wait_until(doubtful)
    if restarted:
        # Another process doesn't know what this one tried.
        harness.worker.sender._degraded_messages = DegradedMessages()
    harness.advance(seconds=5)
    await finish(harness)
    _, *replies = harness.local_slack.messages(channel)
    assert [reply["thread_ts"] for reply in replies] == [None]


@pytest.mark.parametrize("header", [*NO_WAITS, "nan", "inf", "1e20", "86400", "", "soon", None])
def test_any_retry_after_is_a_bounded_wait(header: str | None) -> None:
    response = {"ok": False, "error": "ratelimited"}
    headers = {} if header is None else {"Retry-After": header}
    found = failure_from_answer(Answer(429, headers, response))
    assert isinstance(found, RateLimited) and 1 <= found.retry_after <= MAX_RETRY_AFTER_S


async def test_a_limit_without_a_wait_isnt_asked_again_at_once(harness: DeliveryHarness) -> None:
    await harness.create_subscribed_channels()
    harness.local_slack.fail(POST, status=429, retry_after=0, times=None)
    await harness.record_notices(FIRST)
    await harness.wait_for_retry("ratelimited")
    await asyncio.sleep(0.3)
    assert len(harness.calls(POST)) == 1


# Answers of another form

ODD: tuple[Oddity, ...] = ("null ts", "no ts", "array", "string", "html", "null")


@both
@pytest.mark.parametrize("oddity", ODD)
@pytest.mark.parametrize("kind", ["root", "reply"])
async def test_an_answer_that_says_nothing_is_looked_up(
    harness: DeliveryHarness, oddity: Oddity, kind: str
) -> None:
    harness.local_slack.grant("channels:history")
    (channel,) = await harness.create_subscribed_channels()
    if kind == "reply":
        await harness.record_notices(FIRST)
        await finish(harness)
    harness.local_slack.fail(POST, oddity=oddity)
    await harness.record_notices(FIRST if kind == "root" else SECOND)

    async def doubtful() -> bool:
        return [row.state for row in await harness.rows(doubtful=1)] == ["pending"]

    await harness.wait_until(doubtful)
    harness.advance(seconds=5)
    await finish(harness)
    await harness.record_notices(RETRACTION)
    await finish(harness)
    told = [FIRST, RETRACTION] if kind == "root" else [FIRST, SECOND, RETRACTION]
    root, *replies = harness.local_slack.messages(channel)
    assert root["text"] == shown(*told) and len(replies) == len(told) - 1
    assert all(reply["thread_ts"] == root["ts"] for reply in replies)


async def test_without_the_history_a_root_of_unknown_ts_is_rather_twice_there(
    harness: DeliveryHarness,
) -> None:
    (channel,) = await harness.create_subscribed_channels()
    harness.local_slack.fail(POST, oddity="null ts")
    await harness.record_notices(FIRST)
    await harness.wait_for_retry("an answer without the message's ts")
    harness.advance(seconds=5)
    await finish(harness)
    await harness.record_notices(RETRACTION)
    await finish(harness)
    roots = [m for m in harness.local_slack.messages(channel) if m["thread_ts"] is None]
    assert [m["text"] for m in roots] == [shown(FIRST), shown(FIRST, RETRACTION)], "the second is kept true"


@pytest.mark.parametrize("oddity", ["array", "string", "html", "null", "no error"])
async def test_an_edit_whose_answer_says_nothing_is_done_again(
    harness: DeliveryHarness, oddity: Oddity
) -> None:
    (channel,) = await harness.create_subscribed_channels()
    await harness.record_notices(FIRST)
    await finish(harness)
    harness.local_slack.fail(EDIT, oddity=oddity)
    await harness.record_notices(RETRACTION)
    for _ in range(3):
        harness.advance(seconds=5)
        await harness.run_rounds()
    await finish(harness)
    assert harness.texts(channel)[0] == shown(FIRST, RETRACTION)


@pytest.mark.parametrize("oddity", ["array", "string", "html", "null", "no error"])
@pytest.mark.parametrize(
    "method",
    ["auth.test", "files.getUploadURLExternal", "files.completeUploadExternal", "conversations.history"],
)
async def test_every_call_ends_in_a_failure_of_ours(
    harness: DeliveryHarness, method: str, oddity: Oddity
) -> None:
    harness.local_slack.grant("channels:history")
    (channel,) = harness.create_channels(1)
    harness.local_slack.fail(method, oddity=oddity)
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "auth.test": harness.client.identify,
        "files.getUploadURLExternal": lambda: harness.client.upload(b"\x89PNG\r\n\x1a\n", "a.png", "a", "a"),
        "files.completeUploadExternal": lambda: harness.client.upload(
            b"\x89PNG\r\n\x1a\n", "a.png", "a", "a"
        ),
        "conversations.history": lambda: harness.client.find_delivery(
            channel, DeliveryMetadata(delivery_id=1), 0.0
        ),
    }
    with pytest.raises(OutcomeUnknown):
        await calls[method]()


# Whose delivery a message is


def foreign(harness: DeliveryHarness, channel: str, payload: object, bot_id: str | None = None) -> None:
    """Return a message that another app posted with metadata like ours."""
    workspace = harness.local_slack.workspace
    workspace.post(
        Draft(
            channel,
            workspace.bot.id,
            "Somebody else's",
            bot_id=bot_id or workspace.bot_id,
            app_id="A0OTHER",
            metadata={"event_type": METADATA_EVENT, "event_payload": payload},
        )
    )


@both
@pytest.mark.parametrize("payload", ["number", "older key", "list", "nothing"])
async def test_a_message_of_another_database_isnt_taken_for_ours(
    harness: DeliveryHarness, payload: str
) -> None:
    harness.local_slack.grant("channels:history")
    (channel,) = await harness.create_subscribed_channels()
    harness.local_slack.fail(POST, drop="before")
    await harness.record_notices(FIRST)
    await harness.wait_for_retry("no answer: ServerDisconnectedError")
    (row,) = await harness.rows(kind="root")
    given: dict[str, object] = {
        "number": {"delivery_id": row.id},
        "older key": {"delivery_id": row.id, "key": "f" * 32, "database": "0" * 32},
        "list": [row.id],
        "nothing": None,
    }
    foreign(harness, channel, given[payload])
    harness.advance(seconds=5)
    await finish(harness)
    assert harness.texts(channel) == ["Somebody else's", shown(FIRST)]


@pytest.mark.parametrize("ours", [True, False])
async def test_post_from_before_message_keys_is_found(harness: DeliveryHarness, ours: bool) -> None:
    harness.local_slack.grant("channels:history")
    await harness.client.identify()
    (channel,) = await harness.create_subscribed_channels()
    harness.local_slack.fail(POST, drop="before")
    await harness.record_notices(FIRST)
    await harness.wait_for_retry("no answer: ServerDisconnectedError")
    (row,) = await harness.rows(kind="root")
    async with harness.factory.database.exclusive_transaction() as connection:
        await connection.execute(text("UPDATE deliveries SET key = NULL"))
    foreign(harness, channel, {"delivery_id": row.id}, None if ours else "B0OTHER")
    harness.advance(seconds=5)
    await finish(harness)
    stands = [shown(FIRST)] if ours else ["Somebody else's", shown(FIRST)]
    assert harness.texts(channel) == stands


async def test_keys_differ_and_name_their_database(harness: DeliveryHarness) -> None:
    channels = await harness.create_subscribed_channels(3)
    await harness.record_notices(FIRST, SECOND)
    await finish(harness)
    payloads = [
        message["metadata"]["event_payload"] for c in channels for message in harness.local_slack.messages(c)
    ]
    assert len({payload["key"] for payload in payloads}) == len(payloads) == 6
    assert {payload["database"] for payload in payloads} == {harness.factory.outbox.database_id}
    before = harness.factory.outbox.database_id
    await harness.restart()
    await harness.run_rounds()
    assert harness.factory.outbox.database_id == before is not None


def test_metadata_of_any_form_is_matched_without_error() -> None:
    mark = DeliveryMetadata(delivery_id=7, key="k")
    ours = {"event_type": METADATA_EVENT}
    odd: tuple[object, ...] = (None, "x", 7, {}, ours, {**ours, "event_payload": 7})
    for metadata in odd:
        assert not mark.matches({"metadata": metadata}, "B1")
    assert mark.matches({"metadata": mark.slack_metadata}, None)
    assert not mark.matches({"metadata": DeliveryMetadata(delivery_id=7).slack_metadata}, None)
