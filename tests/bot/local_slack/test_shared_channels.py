"""A channel that the local Slack shares with another workspace, and one that gets another id."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.local_slack.server import LocalSlack
from bot.local_slack.shared_channels import EXTERNAL_TEAM_ID


async def newest_event(local_slack: LocalSlack, kind: str) -> dict[str, Any]:
    """The newest event of a kind that the app was told of."""

    def found() -> list[dict[str, Any]]:
        return [e.payload for e in local_slack.envelopes if e.payload.get("event", {}).get("type") == kind]

    return (await local_slack.wait_for(found, 10))[-1]


async def connected(local_slack: LocalSlack, client: AsyncWebClient) -> AsyncSocketModeHandler:
    app = AsyncApp(client=client)
    web = AsyncWebClient(local_slack.app_token, base_url=local_slack.api_url)
    handler = AsyncSocketModeHandler(app, local_slack.app_token, web_client=web)
    await handler.connect_async()  # type: ignore[no-untyped-call]
    return handler


@pytest.mark.slow
async def test_slack_names_the_workspace_of_whoever_did_it(
    local_slack: LocalSlack, slack_client: AsyncWebClient
) -> None:
    channel = local_slack.add_channel("gw")
    guest = local_slack.share(channel)
    other = local_slack.add_channel("ours")
    assert guest in local_slack.find(channel)[1].members and guest not in local_slack.find(other)[1].members
    handler = await connected(local_slack, slack_client)
    try:
        await local_slack.say("@gwevent hello", channel, user=guest)
        event = await newest_event(local_slack, "app_mention")
        assert event["team_id"] == event["event"]["team"] == EXTERNAL_TEAM_ID
        assert event["authorizations"][0]["team_id"] == event["context_team_id"] == local_slack.team_id
        assert event["is_ext_shared_channel"] is True
        posted = await slack_client.chat_postMessage(
            channel=channel,
            text="press",
            blocks=[
                {
                    "type": "actions",
                    "elements": [
                        {
                            "type": "button",
                            "action_id": "go",
                            "text": {"type": "plain_text", "text": "Go"},
                        }
                    ],
                }
            ],
        )
        done = await local_slack.press(channel, posted["ts"], "go", user=guest)
        assert done.envelope is not None
        body = done.envelope.payload
        assert body["team"]["id"] == body["user"]["team_id"] == EXTERNAL_TEAM_ID
        assert body["message"]["team"] == local_slack.team_id
    finally:
        await handler.close_async()  # type: ignore[no-untyped-call]


async def test_a_channel_gets_another_id(local_slack: LocalSlack, slack_client: AsyncWebClient) -> None:
    channel = local_slack.add_channel("gw")
    posted = await slack_client.chat_postMessage(channel=channel, text="before")
    handler = await connected(local_slack, slack_client)
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{local_slack.url}/sandbox/control/convert", json={"channel": channel}) as answer,
        ):
            new = (await answer.json())["result"]
        event = (await newest_event(local_slack, "channel_id_changed"))["event"]
        assert (event["old_channel_id"], event["new_channel_id"]) == (channel, new)
        with pytest.raises(SlackApiError, match="channel_not_found"):
            await slack_client.chat_postMessage(channel=channel, text="after")
        await slack_client.chat_update(channel=new, ts=posted["ts"], text="still there")
        assert [message["text"] for message in local_slack.messages(new)] == ["still there"]
    finally:
        await handler.close_async()  # type: ignore[no-untyped-call]
