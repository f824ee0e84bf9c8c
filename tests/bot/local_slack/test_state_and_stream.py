"""What the page is given: everything once, then each change; and who else may ask."""

import json
from typing import Any

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.local_slack.server import LocalSlack

Json = dict[str, Any]


async def next_event(stream: aiohttp.StreamReader) -> Json:
    while True:
        line = await stream.readline()
        if line.startswith(b"data: "):
            event: Json = json.loads(line[6:])
            return event


async def test_the_state_is_what_a_person_sees(local_slack: LocalSlack, slack_client: AsyncWebClient) -> None:
    channel = local_slack.add_channel("gw-cbc")
    secret = local_slack.add_channel("ops", private=True)
    local_slack.workspace.leave(local_slack.workspace.channels[secret], local_slack.user)
    await slack_client.chat_postMessage(channel=channel, text="for all")
    await slack_client.chat_postEphemeral(channel=channel, user=local_slack.colleague, text="for one")
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{local_slack.url}/sandbox/state") as response:
            mine = await response.json()
        async with session.get(
            f"{local_slack.url}/sandbox/state", params={"user": local_slack.colleague}
        ) as response:
            theirs = await response.json()
        async with session.get(f"{local_slack.url}/sandbox/state", params={"user": "U000"}) as response:
            assert response.status == 404
    assert mine["me"]["id"] == local_slack.user
    assert [each["id"] for each in mine["channels"]] == [channel]
    assert [each["id"] for each in theirs["channels"]] == [channel, secret]
    assert [each["text"] for each in mine["messages"][channel]] == ["for all"]
    assert mine["ephemerals"][channel] == []
    assert [each["text"] for each in theirs["ephemerals"][channel]] == ["for one"]
    assert mine["commands"][0]["command"] == "/gwevent"
    assert mine["bot"]["user_id"] == local_slack.bot_user_id
    assert (mine["view"], mine["home"], mine["files"]) == (None, None, {})


async def test_the_stream_tells_each_change(local_slack: LocalSlack, slack_client: AsyncWebClient) -> None:
    channel = local_slack.add_channel("gw-cbc")
    secret = local_slack.add_channel("ops", private=True)
    local_slack.workspace.leave(local_slack.workspace.channels[secret], local_slack.user)
    local_slack.grant("files:write")
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{local_slack.url}/sandbox/events") as response,
    ):
        stream = response.content
        assert await next_event(stream) == {"type": "hello"}
        await slack_client.chat_postMessage(channel=secret, text="none of your business")
        await slack_client.chat_postEphemeral(channel=channel, user=local_slack.colleague, text="nor this")
        posted = await slack_client.chat_postMessage(channel=channel, text="root")
        event = await next_event(stream)
        assert (event["type"], event["channel"], event["message"]["text"]) == ("message", channel, "root")
        reply = await slack_client.chat_postMessage(channel=channel, text="reply", thread_ts=posted["ts"])
        assert (await next_event(stream))["message"]["thread_ts"] == posted["ts"]
        assert (await next_event(stream))["message"]["reply_count"] == 1
        await slack_client.chat_update(channel=channel, ts=posted["ts"], text="edited")
        event = await next_event(stream)
        assert (event["type"], event["message"]["text"]) == ("message_changed", "edited")
        await slack_client.chat_delete(channel=channel, ts=reply["ts"])
        assert await next_event(stream) == {"type": "message_deleted", "channel": channel, "ts": reply["ts"]}
        assert (await next_event(stream))["message"]["reply_count"] == 0
        shown = await slack_client.chat_postEphemeral(channel=channel, user=local_slack.user, text="for you")
        event = await next_event(stream)
        assert (event["type"], event["message"]["ts"]) == ("ephemeral", shown["message_ts"])
        local_slack.archive(channel)
        event = await next_event(stream)
        assert (event["type"], event["channel"]["archived"]) == ("channel", True)
        await slack_client.files_upload_v2(filename="a.png", content=b"\x89PNG\r\n\x1a\n")
        assert [(await next_event(stream))["file"]["ready"] for _ in range(2)] == [False, True]
        home = {"type": "home", "blocks": [{"type": "divider"}]}
        await slack_client.views_publish(user_id=local_slack.user, view=home)
        event = await next_event(stream)
        assert (event["type"], event["view"]["type"]) == ("home", "home")


async def test_a_person_acts_over_http(local_slack: LocalSlack) -> None:
    channel = local_slack.add_channel("gw-cbc")
    async with aiohttp.ClientSession() as session:

        async def act(path: str, **body: Any) -> Json:
            async with session.post(f"{local_slack.url}/sandbox/{path}", json=body) as response:
                answer: Json = await response.json()
                return answer

        assert (await act("say", channel=channel, text="a < b"))["message"]["text"] == "a &lt; b"
        assert (await act("say", channel=channel, text="/gwevent latest"))["error"] == "dispatch_failed"
        assert (await act("say", channel=channel, text=" "))["error"] == "no_text"
        assert (await act("say", channel="C000", text="x"))["error"] == "channel_not_found"
        assert (await act("say", user="U000", channel=channel, text="x"))["error"] == "user_not_found"
        wrong = await act("press", channel=channel, ts="1.000000", action_id="go", block_id="b")
        assert wrong["error"] == "message_not_found"
        assert (await act("view/submit", view_id="V000", state={"values": {}}))["error"] == "not_found"
        assert (await act("view/close", view_id="V000"))["error"] == "not_found"
        assert (await act("view/action", view_id="V000", action_id="x"))["error"] == "not_found"
        assert (await act("home/open"))["ok"] is True
        local_slack.archive(channel)
        assert (await act("say", channel=channel, text="x"))["error"] == "is_archived"


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example.org"},
        {"Origin": "https://evil.example.org"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
    ],
    ids=str,
)
async def test_foreign_origin_is_rejected(local_slack: LocalSlack, headers: dict[str, str]) -> None:
    async with aiohttp.ClientSession(headers=headers) as session:
        async with session.get(f"{local_slack.url}/sandbox/state") as response:
            assert response.status == 403
        async with session.post(f"{local_slack.url}/sandbox/say", json={}) as response:
            assert response.status == 403


async def test_a_form_of_another_site_gets_nothing(local_slack: LocalSlack) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.post(f"{local_slack.url}/sandbox/say", data='{"text": "x"}') as response:
            assert response.status == 403
        async with session.delete(f"{local_slack.url}/sandbox/state") as response:
            assert response.status == 403


async def test_the_page_itself_may_ask_and_be_linked_to(local_slack: LocalSlack) -> None:
    same = {"Origin": local_slack.url, "Sec-Fetch-Site": "same-origin"}
    linked = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{local_slack.url}/sandbox/state", headers=same) as response:
            assert response.status == 200
        async with session.get(f"{local_slack.url}/", headers=linked) as response:
            assert response.status != 403
        for path in (
            "/page/nothing.js",
            "/page/..%2f..%2fserver.py",
            "/sandbox/file/F000",
            "/archives/C1/p1",
        ):
            async with session.get(local_slack.url + path, headers=same) as response:
                assert response.status == 404, path
