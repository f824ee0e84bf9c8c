"""Direct messages and mentions: who is answered, and who never is."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.app.application import Application
from bot.app.factory import Factory
from bot.listeners.direct_messages import is_question
from bot.listeners.mentions import question_of_mention
from bot.local_slack.server import LocalSlack
from bot.local_slack.workspace import Draft
from tests.support.factories import MOCK, REAL, decoded_notice, record_notices, subscribe

BOT = "U0BOT"
WRITTEN = {"channel_type": "im", "user": "U1", "text": "latest", "channel": "D1", "ts": "1.1"}


async def answers(local_slack: LocalSlack, channel: str, count: int) -> list[dict[str, Any]]:
    """Wait for so many messages of the bot in a channel, and return their words."""
    bot = local_slack.workspaces[local_slack.team_id].bot.id

    def written() -> list[dict[str, Any]]:
        return [m for m in local_slack.messages(channel) if m["user"] == bot]

    await local_slack.wait_for(lambda: len(written()) >= count, 15)
    return written()


def words(message: dict[str, Any]) -> str:
    return f"{message['text']} {message['blocks']}"


@pytest.mark.parametrize(
    "front", ["", " /gwevent ", "gwevent ", "gwevent: ", "Hi, ", "<@{bot}> ", "<@{bot}>: "]
)
async def test_a_direct_message_is_answered_where_it_was_written(
    bot: Application, local_slack: LocalSlack, factory: Factory, front: str
) -> None:
    await record_notices(factory, decoded_notice(MOCK))
    channel = local_slack.direct_message()
    bot_id = local_slack.workspaces[local_slack.team_id].bot.id
    await local_slack.say(f"{front.format(bot=bot_id)}what is {MOCK.lower()}?", channel)
    (answer,) = await answers(local_slack, channel, 1)
    assert MOCK in words(answer) and answer["thread_ts"] is None
    assert not answer.get("ephemeral") and "Post to channel" not in words(answer)


async def test_the_bot_answers_each_message_once_and_never_itself(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    await record_notices(factory, decoded_notice(REAL))
    channel = local_slack.direct_message()
    await local_slack.say("hello", channel)
    await answers(local_slack, channel, 1)
    workspace, conversation = local_slack.find(channel)
    said = next(iter(conversation.messages.values()))
    workspace.edit(said, text="latest", blocks=None)
    workspace.post(Draft(channel, workspace.bot.id, "latest"))
    await local_slack.say("thanks", channel)
    found = await answers(local_slack, channel, 3)
    assert ["Hello" in words(found[0]), found[1]["text"] == "latest", "welcome" in words(found[2])] == [
        True
    ] * 3
    assert len(found) == 3


async def test_a_thread_in_a_direct_message_is_answered_in_it(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    channel = local_slack.direct_message()
    said = await local_slack.say("hello", channel)
    assert said.message is not None
    await answers(local_slack, channel, 1)
    await local_slack.say("thanks", channel, thread_ts=said.message.ts)
    assert (await answers(local_slack, channel, 2))[1]["thread_ts"] == said.message.ts


@pytest.mark.slow
async def test_in_an_events_thread_a_mention_needs_no_id(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    channel = local_slack.add_channel("gw")
    await subscribe(factory, "all mock", channel, team=local_slack.team_id)
    await record_notices(factory, decoded_notice(REAL))
    await record_notices(factory, decoded_notice(MOCK))
    bot.delivery_worker.wake()

    def root(name: str) -> dict[str, Any] | None:
        return next((m for m in local_slack.messages(channel) if name in m["text"].split()[-1:]), None)

    await local_slack.wait_for(lambda: root(REAL) and root(MOCK), 30)
    asked = root(MOCK)
    assert asked is not None
    async with asyncio.timeout(30):
        while (await factory.outbox_statistics.counts()).waiting:
            await asyncio.sleep(0.02)
    before = len(local_slack.ephemerals(channel))
    await local_slack.say("@gwevent history", channel, thread_ts=asked["ts"])
    await local_slack.wait_for(lambda: len(local_slack.ephemerals(channel)) > before, 15)
    answer = local_slack.ephemerals(channel)[-1]
    assert f"MOCK {MOCK}: 1 notice" in answer["text"] and "No event was named" not in words(answer)
    answered = await local_slack.command("/gwevent", f"{REAL} history", channel=channel)
    assert f"/archives/{channel}/p" in words(await answered.wait_for_answer(15)), "a link to its thread"


def test_a_persons_text_is_a_question() -> None:
    assert is_question(WRITTEN, BOT)
    assert is_question({**WRITTEN, "subtype": "file_share"}, BOT)


@pytest.mark.parametrize(
    "changed",
    [
        {"user": BOT},
        {"user": "USLACKBOT"},
        {"user": None},
        {"bot_id": "B2"},
        {"bot_profile": {"name": "other"}},
        {"hidden": True},
        {"edited": {"user": "U1", "ts": "2.2"}},
        {"text": "  "},
        {"text": None},
        {"channel_type": "channel"},
        {"channel_type": "mpim"},
    ],
)
def test_what_no_person_asks_gwevent_is_none(changed: dict[str, Any]) -> None:
    assert not is_question({**WRITTEN, **changed}, BOT)


@given(st.text(min_size=1).filter(lambda subtype: subtype != "file_share"))
def test_no_message_with_another_subtype_is_a_question(subtype: str) -> None:
    assert not is_question({**WRITTEN, "subtype": subtype}, BOT)


@pytest.mark.parametrize(
    ("event", "text"),
    [
        ({"user": "U1", "text": f"<@{BOT}> latest"}, "latest"),
        ({"user": "U1", "text": f"so <@{BOT}|gwevent> latest <@U2>"}, "so   latest <@U2>"),
        ({"user": "U1", "text": "latest"}, None),
        ({"user": "U1", "text": "<@U0OTHER> latest"}, None),
        ({"user": "U1", "text": None}, None),
        ({"user": "U1", "text": f"<@{BOT}> latest", "bot_id": "B2"}, None),
        ({"user": BOT, "text": f"<@{BOT}> latest"}, None),
        ({"text": f"<@{BOT}> latest"}, None),
        ({"user": "U1", "text": f"<@{BOT}> latest", "edited": {"ts": "2"}}, None),
    ],
)
def test_only_a_persons_mention_of_gwevent_is_answered(event: dict[str, Any], text: str | None) -> None:
    found = question_of_mention(event, BOT)
    assert (None if found is None else found.strip()) == text
