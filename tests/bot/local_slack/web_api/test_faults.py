"""Which call a fault hits."""

import random

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.local_slack.server import LocalSlack
from bot.local_slack.web_api.faults import Fault, Faults
from bot.local_slack.web_api.odd_answers import LONG_TEXT_BYTES, MessagePart, random_error_name
from bot.slack.errors import Unlisted, failure_from_code


def test_a_fault_counts_down_and_goes() -> None:
    faults = Faults()
    faults.add(Fault("chat.postMessage", status=500, times=2))
    hits = [faults.match("chat.postMessage", "C") for _ in range(3)]
    assert [hit is not None for hit in hits] == [True, True, False]


def test_a_fault_is_for_its_method_and_channel() -> None:
    faults = Faults()
    faults.add(Fault("chat.postMessage", error="is_archived", channel="C1", times=None))
    assert faults.match("chat.update", "C1") is None
    assert faults.match("chat.postMessage", "C2") is None
    assert faults.match("chat.postMessage", None) is None
    assert all(faults.match("chat.postMessage", "C1") for _ in range(10))
    faults.clear()
    assert faults.match("chat.postMessage", "C1") is None


def test_fault_matches_long_text_by_its_bytes() -> None:
    faults = Faults()
    faults.add(Fault("chat.postMessage", error="msg_too_long", times=None, having=("long text",)))
    assert faults.match("chat.postMessage", "C1", {"text": "a" * LONG_TEXT_BYTES}) is None
    assert faults.match("chat.postMessage", "C1", {"text": "Ω" * (LONG_TEXT_BYTES // 2 + 1)}) is not None


def test_those_arranged_first_come_first() -> None:
    faults = Faults()
    faults.add(Fault("*", status=500))
    faults.add(Fault("auth.test", status=429))
    statuses = [
        hit.status for hit in (faults.match("auth.test", None), faults.match("auth.test", None)) if hit
    ]
    assert statuses == [500, 429]


MESSAGE = {
    "text": "<!here> words",
    "blocks": [{"type": "image"}, {"type": "actions"}],
    "metadata": {"event_type": "a"},
    "thread_ts": "1.000001",
    "reply_broadcast": True,
}


@pytest.mark.parametrize(
    "part", ["file", "broadcast", "buttons", "metadata", "blocks", "thread", "everybody"]
)
def test_fault_matches_message_part(part: MessagePart) -> None:
    faults = Faults()
    faults.add(Fault("chat.postMessage", error="zomeru", times=None, having=(part,)))
    assert faults.match("chat.postMessage", "C1", MESSAGE) is not None
    assert faults.match("chat.postMessage", "C1", {"text": "words"}) is None
    assert faults.match("chat.postMessage", "C1") is None


def test_random_error_name_is_unlisted() -> None:
    words = {random_error_name(random.Random(seed)) for seed in range(500)}
    assert len(words) > 490
    assert all(isinstance(failure_from_code(word, None), Unlisted) for word in words)


async def test_an_odd_answer_comes_after_the_work(
    local_slack: LocalSlack, slack_client: AsyncWebClient
) -> None:
    channel = local_slack.add_channel("odd")
    local_slack.fail("chat.postMessage", oddity="null ts")
    answer = await slack_client.chat_postMessage(channel=channel, text="words")
    assert answer["ok"] and answer["ts"] is None
    assert [message["text"] for message in local_slack.messages(channel)] == ["words"]
