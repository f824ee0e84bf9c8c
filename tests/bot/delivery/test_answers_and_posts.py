"""Who changes what a channel receives sees the answer and the channel's post side by side."""

from __future__ import annotations

import re

import pytest

from formatters.blockkit.message import Message
from formatters.terminal import message_text
from tests.bot.delivery.test_subscription_changes import run_command
from tests.support.delivery_harness import DeliveryHarness
from tests.support.messages import Json

SETS = "criteria add ours Gold: area<100; Silver: area<1000"


def sentences(shown: str) -> set[str]:
    """Return the sentences and lines of a message, without marks; commands to copy don't count."""
    parts = re.split(r"(?<=[.;])\s+|\n", re.sub(r"`[^`]*`", "", shown).replace("*", ""))
    return {part.strip(" .:;•") for part in parts if len(part.split()) > 2}


def rendered(message: Json) -> str:
    return message_text.render(Message(message["text"], tuple(message["blocks"])))


@pytest.mark.parametrize(
    ("before", "change"),
    [
        ((), "subscribe BNS>0.5 distance<200 circulars"),
        (("subscribe CBC",), "edit 1 CBC area<500 notify <@U0OTHER>"),
        (("subscribe CBC", "pause 1"), "edit 1 CBC area<500"),
        (("subscribe CBC",), "pause 1"),
        (("subscribe CBC", "pause 1"), "resume 1"),
        (("subscribe CBC",), "unsubscribe 1"),
        (("subscribe CBC", "subscribe Burst"), "unsubscribe 1 2"),
        (("subscribe CBC",), "sites add MyDome 34.2 -116.9 1700"),
        (("subscribe CBC", "sites add Palomar"), "sites remove Palomar"),
        (("subscribe CBC",), "sites altitude 25"),
        ((SETS, "subscribe CBC criteria ours"), "criteria edit ours Gold: area<50; Silver: area<1000"),
        ((SETS, "subscribe CBC criteria ours", "edit 1 CBC"), "criteria remove ours"),
    ],
)
async def test_an_answer_never_repeats_the_channels_post_word_for_word(
    harness: DeliveryHarness, before: tuple[str, ...], change: str
) -> None:
    (channel,) = harness.create_channels(1)
    for words in before:
        await run_command(harness, channel, words)
        harness.advance(minutes=2)
        await harness.wait_until_delivered()
    posted = {message["ts"] for message in harness.local_slack.messages(channel)}
    answer = await run_command(harness, channel, change)
    harness.advance(minutes=2)
    await harness.wait_until_delivered()
    new = [m for m in harness.local_slack.messages(channel) if m["ts"] not in posted]
    assert sentences(answer), answer
    assert bool(new) or change == "criteria remove ours"
    assert sentences(answer) & set().union(*(sentences(rendered(post)) for post in new)) == set()
