"""The three calls of an upload."""

from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.local_slack.server import LocalSlack

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)


@pytest.fixture(autouse=True)
def further_scopes(local_slack: LocalSlack) -> None:
    for scope in ("files:read", "files:write"):
        local_slack.grant(scope)


async def refused(awaitable: Any) -> str:
    with pytest.raises(SlackApiError) as caught:
        await awaitable
    return str(caught.value.response["error"])


async def test_an_upload_into_a_thread(local_slack: LocalSlack, slack_client: AsyncWebClient) -> None:
    channel = local_slack.add_channel("gw-cbc")
    root = await slack_client.chat_postMessage(channel=channel, text="root")
    upload = await slack_client.files_upload_v2(
        filename="map.png",
        content=PNG,
        title="Sky map",
        channel=channel,
        thread_ts=root["ts"],
        initial_comment="the map",
    )
    file_id = upload["file"]["id"]
    reply = local_slack.messages(channel, thread_ts=root["ts"])[1]
    assert (reply["files"], reply["text"]) == ([file_id], "the map")
    info = (await slack_client.files_info(file=file_id))["file"]
    assert (info["mimetype"], info["title"], info["channels"]) == ("image/png", "Sky map", [channel])
    assert slack_client.session is not None
    async with slack_client.session.get(info["url_private"]) as response:
        assert response.status == 404
    headers = {"Authorization": f"Bearer {local_slack.bot_token}"}
    async with slack_client.session.get(info["url_private"], headers=headers) as response:
        assert await response.read() == PNG
    async with slack_client.session.get(
        local_slack.url + local_slack.state()["files"][file_id]["url"]
    ) as response:
        assert (await response.read(), response.content_type) == (PNG, "image/png")


async def test_invalid_uploads_are_rejected(local_slack: LocalSlack, slack_client: AsyncWebClient) -> None:
    channel = local_slack.add_channel("gw-cbc", bot_member=False)
    begin, complete = slack_client.files_getUploadURLExternal, slack_client.files_completeUploadExternal
    assert await refused(begin(filename="a.png", length=0)) == "invalid_arguments"
    assert await refused(begin(filename="a.png", length=9, alt_txt="x" * 1001)) == "alt_txt_too_large"
    begun = await begin(filename="a.png", length=len(PNG))
    assert slack_client.session is not None
    assert await refused(complete(files=[{"id": begun["file_id"]}])) == "file_not_found"
    async with slack_client.session.post(begun["upload_url"], data=PNG + b"more") as response:
        assert response.status == 400
    async with slack_client.session.post(begun["upload_url"] + "x", data=PNG) as response:
        assert response.status == 404
    async with slack_client.session.post(begun["upload_url"], data=PNG) as response:
        assert response.status == 200
    wrong = complete(files=[{"id": begun["file_id"]}], channel_id=channel)
    assert await refused(wrong) == "not_in_channel"
    many = complete(files=[{"id": begun["file_id"]}], channels=[f"C{n}" for n in range(101)])
    assert await refused(many) == "channels_limit_exceeded"
    await complete(files=[{"id": begun["file_id"]}])
    assert await refused(complete(files=[{"id": begun["file_id"]}])) == "file_not_found"
    assert await refused(slack_client.files_info(file="F000000000")) == "file_not_found"


async def test_an_upload_is_ready_after_a_while(
    local_slack: LocalSlack, slack_client: AsyncWebClient
) -> None:
    local_slack.file_server.delay = 0.05
    upload = await slack_client.files_upload_v2(filename="map.png", content=PNG)
    file_id = upload["file"]["id"]
    assert local_slack.state()["files"][file_id]["ready"] is False
    await local_slack.wait_for(lambda: local_slack.state()["files"][file_id]["ready"])


async def test_only_pictures_can_be_shown(local_slack: LocalSlack, slack_client: AsyncWebClient) -> None:
    channel = local_slack.add_channel("gw-cbc")
    upload = await slack_client.files_upload_v2(filename="map.png", content=b"not a picture")
    image = [{"type": "image", "alt_text": "x", "slack_file": {"id": upload["file"]["id"]}}]
    assert (
        await refused(slack_client.chat_postMessage(channel=channel, text="x", blocks=image))
        == "invalid_blocks"
    )
