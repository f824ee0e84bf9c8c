"""Steering over HTTP, and the sandbox in a process of its own."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.local_slack.__main__ import main
from bot.local_slack.server import LocalSlack

Json = dict[str, Any]


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def post_command(session: aiohttp.ClientSession, url: str, verb: str, **body: Any) -> Json:
    async with session.post(f"{url}/sandbox/control/{verb}", json=body) as response:
        answer: Json = await response.json()
        return answer


async def test_every_verb_does_what_the_method_does(
    local_slack: LocalSlack, slack_client: AsyncWebClient, session: aiohttp.ClientSession
) -> None:
    url = local_slack.url
    channel = (await post_command(session, url, "add_channel", name="gw-cbc"))["result"]
    await post_command(session, url, "fail", method="chat.postMessage", error="restricted_action")
    with pytest.raises(SlackApiError, match="restricted_action"):
        await slack_client.chat_postMessage(channel=channel, text="x")
    await post_command(session, url, "fail", method="chat.postMessage", status=500, times=None)
    await post_command(session, url, "clear_faults")
    posted = await slack_client.chat_postMessage(channel=channel, text="x")
    async with session.get(f"{url}/sandbox/control/messages", params={"channel": channel}) as response:
        assert [message["ts"] for message in await response.json()] == [posted["ts"]]
    async with session.get(f"{url}/sandbox/control/calls", params={"since": "1"}) as response:
        assert [call["outcome"] for call in await response.json()] == ["ok"]
    said = await post_command(session, url, "say", channel=channel, text="@gwevent hello")
    assert said["message"]["text"].endswith("hello")
    lost = await post_command(
        session, url, "command", command="/gwevent", text="latest", channel=channel, wait=1
    )
    assert (lost["ok"], lost["error"]) == (False, "dispatch_failed")
    async with session.get(f"{url}/sandbox/control/ephemerals", params={"channel": channel}) as response:
        assert len(await response.json()) == 1
    async with session.get(f"{url}/sandbox/control/envelopes") as response:
        assert {envelope["type"] for envelope in await response.json()} == {"events_api", "slash_commands"}
    async with session.get(f"{url}/sandbox/control/sockets") as response:
        assert await response.json() == {"open": 0, "opened": 0}
    await post_command(session, url, "revoke_token")
    with pytest.raises(SlackApiError, match="token_revoked"):
        await slack_client.auth_test()
    await post_command(session, url, "restore_token")
    await post_command(session, url, "kick", channel=channel)
    await post_command(session, url, "archive", channel=channel)
    with pytest.raises(SlackApiError, match="is_archived"):
        await slack_client.chat_postMessage(channel=channel, text="x")
    await post_command(session, url, "limits", on=True)
    assert local_slack.rate_limiter.enabled
    await post_command(session, url, "file_delay", seconds=9)
    assert local_slack.file_server.delay == 9
    for verb in ("close_sockets", "refresh_sockets"):
        assert (await post_command(session, url, verb))["ok"] is True


async def test_wrong_steering_gets_a_sentence(
    local_slack: LocalSlack, session: aiohttp.ClientSession
) -> None:
    url = local_slack.url
    assert (await post_command(session, url, "explode"))["error"] == "There is no verb explode."
    assert "unexpected keyword" in (await post_command(session, url, "archive", room="x"))["error"]
    assert (await post_command(session, url, "archive", channel="C000"))["error"] == "channel_not_found"
    assert "no state of a token" in (await post_command(session, url, "revoke_token", error="x"))["error"]
    async with session.post(f"{url}/sandbox/control/archive", json=[]) as response:
        assert response.status == 400
    async with session.get(f"{url}/sandbox/control/messages") as response:
        assert "channel" in (await response.json())["error"]
    async with session.get(f"{url}/sandbox/control/messages", params={"channel": "C0"}) as response:
        assert response.status == 404


@pytest.mark.process
async def test_in_a_process_of_its_own(session: aiohttp.ClientSession) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "bot.local_slack", "--channel", "gw-cbc", "--private-channel", "ops", "--no-limits"),
        *("--scope", "channels:history"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    about = json.loads(await process.stdout.readline())
    client = AsyncWebClient(about["bot_token"], base_url=about["api_url"], session=session)
    channel = about["channels"]["gw-cbc"]
    await client.chat_postMessage(channel=channel, text="x")
    assert len((await client.conversations_history(channel=channel))["messages"]) == 1
    async with session.get(f"{about['url']}/sandbox/control/about") as response:
        assert await response.json() == about
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 60) == 0


async def test_a_port_that_is_taken(local_slack: LocalSlack, capfd: pytest.CaptureFixture[str]) -> None:
    port = local_slack.url.rpartition(":")[2]
    status = await asyncio.to_thread(main_quietly, port)
    assert status == 2
    assert f"can't listen on 127.0.0.1:{port}" in capfd.readouterr().err


def main_quietly(port: str) -> int:
    return main(["--port", port])


@pytest.mark.parametrize(
    "body", ["[" * 100_000, '{"a":' * 50_000, "NaN", "9" * 5_000, '"\\ud800"', "{", "\udcff"]
)
async def test_hostile_json_is_a_sentence(
    local_slack: LocalSlack, session: aiohttp.ClientSession, body: str
) -> None:
    data = body.encode("utf-8", "surrogateescape")
    headers = {"Content-Type": "application/json"}
    async with session.post(
        f"{local_slack.url}/sandbox/control/fail", data=data, headers=headers
    ) as response:
        answer = await response.json()
        assert response.status == 400 and answer == {
            "ok": False,
            "error": "The body must be one JSON object.",
        }
    headers["Authorization"] = f"Bearer {local_slack.bot_token}"
    async with session.post(f"{local_slack.api_url}chat.postMessage", data=data, headers=headers) as response:
        answer = await response.json()
        assert not answer["ok"] and answer["error"] in ("invalid_json", "json_not_object")
