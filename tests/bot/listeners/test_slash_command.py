"""Slash commands, mentions, buttons and channel events, on the local Slack with the real bot."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.app.application import Application
from bot.app.factory import Factory
from bot.filters import parse_criteria
from bot.local_slack.server import LocalSlack
from bot.local_slack.user_actions import ActionResult
from bot.samples import ms181101ab, to_avro
from bot.sources.base import Origin
from formatters.answers.answer import SHARE_ACTION
from tests.support.factories import MOCK, NOW, TEAM, Clock, decoded_notice, record_notices


def words(message: dict[str, Any]) -> str:
    return f"{message['text']} {message['blocks']}"


async def typed(local_slack: LocalSlack, channel: str, text: str) -> dict[str, Any]:
    """Type `/gwevent …` and return the answer."""
    done = await local_slack.command("/gwevent", text, channel=channel)
    assert done.ok and done.acked_after is not None
    answer = await done.wait_for_answer(15)
    assert answer["ephemeral"]
    return answer


async def pressed(local_slack: LocalSlack, channel: str, answer: dict[str, Any]) -> ActionResult:
    """Press the button that posts an answer in the channel."""
    return await local_slack.press(channel, answer["ts"], SHARE_ACTION)


@pytest.mark.slow
async def test_commands_in_any_words(bot: Application, local_slack: LocalSlack, factory: Factory) -> None:
    channel = local_slack.add_channel("gw")
    await record_notices(factory, decoded_notice(MOCK))
    assert "latest" in words(await typed(local_slack, channel, ""))
    assert MOCK in words(await typed(local_slack, channel, "ms261122A"))
    assert "newest mock" in words(await typed(local_slack, channel, "latest"))
    assert "from 1 to 20 at a time" in words(await typed(local_slack, channel, "recent 999"))
    assert "silent" in words(await typed(local_slack, channel, "status"))
    assert await factory.ops_channel.get() == (local_slack.team_id, "C0OPS"), (
        "for processes that don't know Slack"
    )
    # What Slack escaped is unescaped once, and escaped again on the way out.
    for text in ('<b> & "q" &lt;', "@observer #gw", "*x* 'OR 1=1", "🛰", "x" * 3_000):
        answer = await typed(local_slack, channel, text)
        assert "I don't understand" in answer["text"] and "<b>" not in answer["text"]
        assert "&amp;lt;b" not in answer["text"], "not escaped twice"
    assert "&lt;b&gt; &amp;" in (await typed(local_slack, channel, "<b> &"))["text"]
    assert local_slack.messages(channel) == [], "all of it was for who asked alone"


async def test_visible_shows_a_table_of_the_channels_sites(bot: Application, local_slack: LocalSlack) -> None:
    channel = local_slack.add_channel("gw")
    await bot.pipeline.handle(to_avro(ms181101ab(NOW)[1]), Origin("test", "1", live=False))
    assert "MyDome added" in words(await typed(local_slack, channel, "sites add MyDome 34.2 -116.9 1700"))
    answer = await typed(local_slack, channel, "visible")
    (table,) = [block for block in answer["blocks"] if block["type"] == "table"]
    assert [row[0]["text"] for row in table["rows"]] == ["Site", "MyDome"]
    await pressed(local_slack, channel, answer)
    await local_slack.wait_for(lambda: local_slack.messages(channel), 15)
    assert "MyDome" in words(local_slack.messages(channel)[0])


async def test_a_mention_is_answered_where_it_was_made(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    channel = local_slack.add_channel("gw")
    await record_notices(factory, decoded_notice(MOCK))
    await local_slack.say(f"@gwevent {MOCK.lower()}", channel)
    await local_slack.wait_for(lambda: local_slack.ephemerals(channel))
    (answer,) = local_slack.ephemerals(channel)
    assert MOCK in words(answer) and answer["thread_ts"] is None
    said = local_slack.messages(channel)[0]
    await local_slack.say("and @gwevent what is <this>", channel, thread_ts=said["ts"])
    await local_slack.wait_for(lambda: len(local_slack.ephemerals(channel)) == 2)
    answer = local_slack.ephemerals(channel)[1]
    assert answer["thread_ts"] == said["ts"] and "I don't understand" in answer["text"]
    assert "&lt;this&gt;" in answer["text"]


async def test_the_button_posts_the_newest_state_to_the_channel(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    channel = local_slack.add_channel("gw")
    await record_notices(factory, decoded_notice(MOCK))
    answer = await typed(local_slack, channel, MOCK)
    await record_notices(factory, decoded_notice(MOCK, "RETRACTION", 5))
    await pressed(local_slack, channel, answer)
    await local_slack.wait_for(lambda: local_slack.messages(channel))
    (posted,) = local_slack.messages(channel)
    assert "RETRACTED" in words(posted) and SHARE_ACTION not in words(posted)


@pytest.mark.slow
async def test_subscribe_posts_a_confirmation_and_lists_the_subscription(
    bot: Application, local_slack: LocalSlack
) -> None:
    channel = local_slack.add_channel("gw")
    assert "Done" in words(await typed(local_slack, channel, "subscribe cbc mock"))
    (confirmation,) = local_slack.messages(channel)
    assert f"<@{local_slack.user}>" in words(confirmation) and "CBC mock" in words(confirmation)
    assert "already" in words(await typed(local_slack, channel, "subscribe MOCK CBC"))
    assert "CBC mock" in words(await typed(local_slack, channel, "subscriptions"))
    assert "Nothing has ended yet" in words(await typed(local_slack, channel, "unsubscribe"))
    assert "CBC mock" in words(await typed(local_slack, channel, "subscriptions"))
    assert "Unsubscribed" in words(await typed(local_slack, channel, "unsubscribe 1"))
    assert "no subscription" in words(await typed(local_slack, channel, "subscriptions"))
    await local_slack.wait_for(lambda: len(local_slack.messages(channel)) == 2)
    ended = local_slack.messages(channel)[1]
    assert f"<@{local_slack.user}> ended subscription 1" in words(ended)
    assert "`/gwevent subscribe CBC mock`" in words(ended)


@pytest.mark.slow
async def test_subscribe_with_a_mention_by_command_and_in_a_thread(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    channel = local_slack.add_channel("gw")
    asked = await typed(local_slack, channel, "subscribe CBC notify @here @observer if NS")
    assert "Done" in words(asked)
    person = f"<@{local_slack.user}>"
    (s,) = await factory.subscriptions.for_channel(TEAM, channel)
    assert s.criteria.canonical == f"CBC notify @here {person} if NS", "ids, no names"
    (confirmation,) = local_slack.messages(channel)
    assert f"Mentions @here, {person} once for each event" in words(confirmation)
    assert "@here skips people who are away" in words(confirmation)
    assert "<!here>" not in words(confirmation)
    assert "notify @here" in words(await typed(local_slack, channel, "subscriptions"))
    refused = await typed(local_slack, channel, "subscribe CBC notify @nobody-here")
    assert "Slack didn't say who" in words(refused)
    before = len(local_slack.ephemerals(channel))
    await local_slack.say("@gwevent subscribe Burst notify @observer", channel, thread_ts=confirmation["ts"])
    await local_slack.wait_for(lambda: len(local_slack.ephemerals(channel)) > before)
    known = [s.criteria.canonical for s in await factory.subscriptions.for_channel(TEAM, channel)]
    assert known[1:] == [f"Burst notify {person}"]


@pytest.mark.parametrize("private", [True, False])
async def test_where_the_bot_may_not_post_nothing_is_stored(
    bot: Application, local_slack: LocalSlack, factory: Factory, private: bool
) -> None:
    local_slack.ungrant("chat:write.public")
    channel = local_slack.add_channel("closed", private=private, bot_member=False)
    assert "/invite @gwevent" in words(await typed(local_slack, channel, "subscribe CBC"))
    assert await factory.subscriptions.for_channel(TEAM, channel) == []
    assert await factory.subscriptions.count() == 0
    local_slack.invite(channel)
    assert "Done" in words(await typed(local_slack, channel, "subscribe CBC"))
    assert [s.criteria for s in await factory.subscriptions.for_channel(TEAM, channel)] == [
        parse_criteria("CBC")
    ]


@pytest.mark.slow
async def test_a_channel_that_is_joined_again_is_caught_up(
    bot: Application, local_slack: LocalSlack, factory: Factory, clock: Clock
) -> None:
    local_slack.ungrant("chat:write.public")
    channel = local_slack.add_channel("gw")
    await typed(local_slack, channel, "subscribe all")
    local_slack.kick(channel)
    await record_notices(factory, decoded_notice())
    bot.delivery_worker.wake()
    async with asyncio.timeout(60):
        while (await factory.outbox_statistics.counts()).waiting:
            await asyncio.sleep(0.02)
    assert "not_in_channel" in words(await typed(local_slack, channel, "subscriptions"))
    local_slack.invite(channel)
    await local_slack.wait_for(lambda: len(local_slack.messages(channel)) == 2)


async def test_every_event_is_acknowledged(bot: Application, local_slack: LocalSlack) -> None:
    channel = local_slack.add_channel("gw")
    local_slack.archive(channel)
    local_slack.unarchive(channel)
    local_slack.kick(channel)
    local_slack.open_home()
    local_slack.uninstall()
    await local_slack.wait_for(
        lambda: (
            [e for e in local_slack.envelopes if e.type == "events_api"]
            and all(e.outcome == "acknowledged" for e in local_slack.envelopes)
        ),
        15,
    )


async def test_filters_need_no_escaping(bot: Application, local_slack: LocalSlack) -> None:
    channel = local_slack.add_channel("gw")
    told = words(
        await typed(local_slack, channel, "subscribe CBC BNS>0.5 distance<300 area90<500 far<1/month")
    )
    assert "Done. " in told
    await local_slack.wait_for(lambda: local_slack.messages(channel), 30)
    posted = words(local_slack.messages(channel)[0])
    assert "BNS above 50 % and a mean distance below 300" in posted and "unsubscribe 1" in posted
    await typed(local_slack, channel, 'edit 1 near 13h09m48s -23d22m53s 5deg > 0.1 visible from "palomar"')
    listed = words(await typed(local_slack, channel, "subscriptions"))
    assert "1. *all near 197.45 -23.381389 5deg&gt;0.1 visible from Palomar&gt;0.1*" in listed
