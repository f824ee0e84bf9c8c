"""Round trips with the real Bolt over Socket Mode: commands, events, lost and renewed connections."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond, AsyncSay
from slack_sdk.web.async_client import AsyncWebClient

from bot.local_slack.errors import ApiError
from bot.local_slack.server import LocalSlack

if TYPE_CHECKING:
    from tests.bot.conftest import Connect

Json = dict[str, Any]


@pytest.fixture
def app(slack_client: AsyncWebClient) -> AsyncApp:
    return AsyncApp(client=slack_client)


async def test_a_slash_command_and_its_answer(
    local_slack: LocalSlack, app: AsyncApp, connect: Connect
) -> None:
    heard: list[Json] = []

    @app.command("/gwevent")
    async def command(ack: AsyncAck, respond: AsyncRespond, command: Json) -> None:
        await ack()
        heard.append(command)
        await respond("for you alone")
        await respond("for all", response_type="in_channel")

    await connect(app)
    channel = local_slack.add_channel("gw-cbc")
    done = await local_slack.command("/gwevent", "BNS>0.5 in #gw-cbc by @colleague", channel=channel)
    assert done.ok
    assert done.acked_after is not None
    assert (await done.wait_for_answer())["text"] == "for you alone"
    await local_slack.wait_for(lambda: local_slack.messages(channel))
    assert [message["text"] for message in local_slack.ephemerals(channel, local_slack.user)] == [
        "for you alone"
    ]
    assert local_slack.ephemerals(channel, local_slack.colleague) == []
    assert [message["text"] for message in local_slack.messages(channel)] == ["for all"]
    assert heard[0]["text"] == f"BNS&gt;0.5 in <#{channel}|gw-cbc> by <@{local_slack.colleague}|colleague>"
    assert heard[0]["team_id"] == local_slack.team_id
    assert heard[0]["channel_id"] == channel


async def test_an_acknowledgement_may_carry_the_answer(
    local_slack: LocalSlack, app: AsyncApp, connect: Connect
) -> None:
    @app.command("/gwevent")
    async def command(ack: AsyncAck, command: Json) -> None:
        if command["text"] == "bad":
            await ack(text="x", blocks=[{"type": "hologram"}])
        else:
            await ack(text="in the acknowledgement", response_type="in_channel")

    await connect(app)
    channel = local_slack.add_channel("gw-cbc")
    await local_slack.command("/gwevent", "latest", channel=channel)
    assert local_slack.messages(channel)[0]["text"] == "in the acknowledgement"
    assert local_slack.envelopes[-1].answer is not None
    with pytest.raises(ApiError, match="invalid_blocks"):
        await local_slack.command("/gwevent", "bad", channel=channel)


async def test_what_a_person_sees_when_nobody_answers(
    local_slack: LocalSlack, app: AsyncApp, connect: Connect
) -> None:
    channel = local_slack.add_channel("gw-cbc")
    lost = await local_slack.command("/gwevent", channel=channel)
    assert (lost.ok, lost.error) == (False, "dispatch_failed")

    @app.command("/gwevent")
    async def command(ack: AsyncAck) -> None:
        await asyncio.sleep(0.2)
        await ack()

    await connect(app)
    local_slack.sockets.ack_seconds = 0.05
    late = await local_slack.command("/gwevent", channel=channel)
    assert (late.ok, late.error, late.acked_after) == (False, "operation_timeout", None)
    texts = [message["text"] for message in local_slack.ephemerals(channel)]
    assert texts == [
        "`/gwevent` failed with the error `dispatch_failed`",
        "`/gwevent` failed with the error `operation_timeout`",
    ]
    await asyncio.sleep(0.25)


@pytest.mark.slow
async def test_a_half_open_connection_hears_nothing(
    local_slack: LocalSlack, app: AsyncApp, connect: Connect
) -> None:
    heard: list[Json] = []

    @app.command("/gwevent")
    async def command(ack: AsyncAck, command: Json) -> None:
        heard.append(command)
        await ack()

    await connect(app)
    channel = local_slack.add_channel("gw-cbc")
    local_slack.sockets.ack_seconds = 0.5
    local_slack.hang_sockets()
    asked = await local_slack.command("/gwevent", channel=channel)
    assert (asked.ok, asked.error) == (False, "operation_timeout")
    await local_slack.wait_for(lambda: heard)
    assert local_slack.sockets.count == 1, "nobody closed it"


async def test_commands_that_slack_itself_refuses(
    local_slack: LocalSlack, slack_client: AsyncWebClient
) -> None:
    channel = local_slack.add_channel("gw-cbc")
    root = await slack_client.chat_postMessage(channel=channel, text="root")
    assert (await local_slack.say("/gwevnt latest", channel)).error == "invalid_command"
    in_thread = await local_slack.say("/gwevent latest", channel, thread_ts=root["ts"])
    assert in_thread.error == "not_in_thread"
    unknown, thread = local_slack.ephemerals(channel)
    assert unknown["text"].startswith("`/gwevnt` is not a valid command.")
    assert (thread["text"], thread["thread_ts"]) == (
        "`/gwevent` is not supported in threads. Sorry!",
        root["ts"],
    )
    assert local_slack.envelopes == []


async def test_mentions_in_channels_and_threads(
    local_slack: LocalSlack, app: AsyncApp, connect: Connect
) -> None:
    heard: list[Json] = []

    @app.event("app_mention")
    async def mention(event: Json, say: AsyncSay) -> None:
        heard.append(event)
        await say("answer", thread_ts=event.get("thread_ts", event["ts"]))

    await connect(app)
    channel = local_slack.add_channel("gw-cbc")
    await local_slack.say("not for the bot", channel)
    root = (await local_slack.say("@gwevent latest & greatest", channel)).message
    assert root is not None
    await local_slack.wait_for(lambda: len(heard) == 1 and len(local_slack.messages(channel)) == 3)
    assert heard[0]["text"] == f"<@{local_slack.bot_user_id}> latest &amp; greatest"
    await local_slack.say("@gwevent again", channel, thread_ts=root.ts)
    await local_slack.wait_for(lambda: len(local_slack.messages(channel, thread_ts=root.ts)) == 4)
    assert heard[1]["thread_ts"] == root.ts

    elsewhere = local_slack.add_channel("elsewhere", bot_member=False)
    await local_slack.say("@gwevent hello?", elsewhere)
    assert "not in this channel" in local_slack.ephemerals(elsewhere)[0]["text"]
    assert len(heard) == 2


async def test_events_of_channels(local_slack: LocalSlack, app: AsyncApp, connect: Connect) -> None:
    heard: list[str] = []

    async def note(event: Json) -> None:
        heard.append(f"{event['type']} {event['channel']}")

    kinds = ("channel_archive", "channel_unarchive", "group_archive", "channel_left", "group_left")
    for kind in (*kinds, "member_joined_channel"):
        app.event(kind)(note)
        local_slack.events.subscribed.add(kind)
    await connect(app)
    public = local_slack.add_channel("gw-cbc", bot_member=False)
    private = local_slack.add_channel("ops", private=True)
    local_slack.archive(public)
    local_slack.unarchive(public)
    local_slack.invite(public)
    await local_slack.wait_for(lambda: len(heard) == 1)
    local_slack.archive(public)
    local_slack.archive(private)
    local_slack.kick(public)
    await local_slack.wait_for(lambda: len(heard) == 4)
    assert heard[0] == f"member_joined_channel {public}"
    assert set(heard[1:]) == {
        f"channel_archive {public}",
        f"group_archive {private}",
        f"channel_left {public}",
    }


async def test_messages_are_told_only_to_those_subscribed(
    local_slack: LocalSlack, app: AsyncApp, connect: Connect
) -> None:
    await connect(app)
    channel = local_slack.add_channel("gw-cbc")
    await local_slack.say("words", channel)
    assert local_slack.envelopes == []
    heard: list[Json] = []

    @app.event("message")
    async def message(event: Json) -> None:
        heard.append(event)

    local_slack.events.subscribed.add("message.channels")
    await local_slack.say("more words", channel)
    await local_slack.wait_for(lambda: heard)
    assert (heard[0]["text"], heard[0]["channel_type"]) == ("more words", "channel")


async def test_an_event_that_is_not_acknowledged_comes_again(
    local_slack: LocalSlack, app: AsyncApp, connect: Connect
) -> None:
    local_slack.events.retry_delays_s = (0.01, 0.01, 0.01)
    channel = local_slack.add_channel("gw-cbc")
    await local_slack.say("@gwevent while you were away", channel)
    await local_slack.wait_for(lambda: len(local_slack.envelopes) == 4)
    assert [envelope.retry for envelope in local_slack.envelopes] == [0, 1, 2, 3]
    assert {envelope.payload["event_id"] for envelope in local_slack.envelopes} == {
        local_slack.envelopes[0].payload["event_id"]
    }


async def test_app_uninstalled(local_slack: LocalSlack, app: AsyncApp, connect: Connect) -> None:
    heard: list[str] = []

    async def note(event: Json) -> None:
        heard.append(event["type"])

    app.event("app_uninstalled")(note)
    app.event("tokens_revoked")(note)
    local_slack.events.subscribed |= {"app_uninstalled", "tokens_revoked"}
    # Bolt asks auth.test before it hands an event on: it must remember the answer from before.
    await connect(app)
    await local_slack.say("@gwevent hello", local_slack.add_channel("gw-cbc"))
    local_slack.uninstall()
    await local_slack.wait_for(lambda: len(local_slack.envelopes) >= 3)
    kinds = {envelope.payload["event"]["type"] for envelope in local_slack.envelopes}
    assert kinds >= {"app_uninstalled", "tokens_revoked"}
    assert local_slack.workspace.token_state == "account_inactive"


@pytest.mark.parametrize("how", ["refresh", "close", "abort"])
async def test_app_reconnects(local_slack: LocalSlack, app: AsyncApp, connect: Connect, how: str) -> None:
    @app.command("/gwevent")
    async def command(ack: AsyncAck) -> None:
        await ack()

    await connect(app)
    channel = local_slack.add_channel("gw-cbc")
    if how == "refresh":
        await local_slack.refresh_sockets()
    else:
        await local_slack.close_sockets(abort=how == "abort")
    await local_slack.wait_for(lambda: local_slack.sockets.opened == 2 and local_slack.sockets.count == 1)
    assert (await local_slack.command("/gwevent", channel=channel)).ok


async def test_connections_can_be_refused_for_a_while(local_slack: LocalSlack) -> None:
    local_slack.refuse_sockets(60.0)
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(local_slack.sockets.create_url())
        assert refused.value.status == 503
        local_slack.refuse_sockets(0.0)
        async with session.ws_connect(local_slack.sockets.create_url()) as ws:
            assert (await ws.receive_json())["type"] == "hello"


async def test_a_ticket_is_good_once(local_slack: LocalSlack) -> None:
    url = local_slack.sockets.create_url()
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(url) as ws:
            hello = await ws.receive_json()
            assert (hello["type"], hello["num_connections"]) == ("hello", 1)
            await ws.ping(b"are you there")
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(url)
        assert refused.value.status == 403


async def test_ten_connections_and_no_more_and_each_gets_its_share(local_slack: LocalSlack) -> None:
    channel = local_slack.add_channel("gw-cbc")
    async with aiohttp.ClientSession() as session:
        sockets = [await session.ws_connect(local_slack.sockets.create_url()) for _ in range(10)]
        for ws in sockets:
            await ws.receive_json()
        one_too_many = await session.ws_connect(local_slack.sockets.create_url())
        assert (await one_too_many.receive_json())["reason"] == "too_many_websockets"

        async def acknowledge(ws: aiohttp.ClientWebSocketResponse) -> None:
            envelope = await ws.receive_json()
            await ws.send_str("no JSON")
            await ws.send_str(json.dumps({"envelope_id": envelope["envelope_id"]}))

        answers = [asyncio.create_task(acknowledge(ws)) for ws in sockets]
        for _ in range(10):
            assert (await local_slack.command("/gwevent", channel=channel)).ok
        await asyncio.gather(*answers)
        assert {envelope.socket for envelope in local_slack.envelopes} == set(range(1, 11))
        for ws in (*sockets, one_too_many):
            await ws.close()


async def test_a_connection_lost_in_the_middle_fails_the_command(local_slack: LocalSlack) -> None:
    channel = local_slack.add_channel("gw-cbc")
    async with aiohttp.ClientSession() as session, session.ws_connect(local_slack.sockets.create_url()) as ws:
        await ws.receive_json()
        call = asyncio.create_task(local_slack.command("/gwevent", channel=channel))
        await ws.receive_json()
        await local_slack.close_sockets(abort=True)
        assert (await call).error == "dispatch_failed"
