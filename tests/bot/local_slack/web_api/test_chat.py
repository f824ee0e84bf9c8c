"""Posting, editing and deleting with the real slack_sdk, and each error Slack has for it."""

from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.local_slack.server import LocalSlack

SECTION = {"type": "section", "text": {"type": "mrkdwn", "text": "words"}}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)


@pytest.fixture(autouse=True)
def further_scopes(local_slack: LocalSlack) -> None:
    for scope in ("files:read", "files:write", "im:write"):
        local_slack.grant(scope)


async def refused(awaitable: Any) -> str:
    with pytest.raises(SlackApiError) as caught:
        await awaitable
    return str(caught.value.response["error"])


async def test_a_message_is_posted_and_seen(local_slack: LocalSlack, slack_client: AsyncWebClient) -> None:
    channel = local_slack.add_channel("gw-cbc")
    first = await slack_client.chat_postMessage(channel=channel, text="a & b", blocks=[SECTION])
    second = await slack_client.chat_postMessage(channel=channel, text="second")
    assert second["ts"] > first["ts"]
    assert first["message"]["blocks"][0]["block_id"]
    seen = local_slack.messages(channel)
    assert [message["text"] for message in seen] == ["a & b", "second"]
    assert seen[0]["user"] == local_slack.bot_user_id
    assert seen[0]["bot"] is True


async def test_a_thread(local_slack: LocalSlack, slack_client: AsyncWebClient) -> None:
    channel = local_slack.add_channel("gw-cbc")
    root = await slack_client.chat_postMessage(channel=channel, text="root")
    reply = await slack_client.chat_postMessage(channel=channel, text="reply", thread_ts=root["ts"])
    await slack_client.chat_postMessage(channel=channel, text="other")
    thread = local_slack.messages(channel, thread_ts=root["ts"])
    assert [message["text"] for message in thread] == ["root", "reply"]
    assert thread[0]["reply_count"] == 1
    assert thread[0]["latest_reply"] == reply["ts"]
    assert thread[0]["reply_users"] == [local_slack.bot_user_id]
    post = slack_client.chat_postMessage
    assert await refused(post(channel=channel, text="x", thread_ts="1.000000")) == "thread_not_found"
    assert await refused(post(channel=channel, text="x", thread_ts="yesterday")) == "invalid_thread_ts"
    assert await refused(post(channel=channel, text="x", thread_ts=reply["ts"])) == "cannot_reply_to_message"
    assert await refused(post(channel=channel, text="x", reply_broadcast=True)) == "invalid_arguments"


async def test_where_the_bot_may_post(local_slack: LocalSlack, slack_client: AsyncWebClient) -> None:
    post = slack_client.chat_postMessage
    outside = local_slack.add_channel("elsewhere", bot_member=False)
    secret = local_slack.add_channel("secret", private=True, bot_member=False)
    await post(channel=outside, text="chat:write.public allows this")
    local_slack.ungrant("chat:write.public")
    assert await refused(post(channel=outside, text="x")) == "not_in_channel"
    assert await refused(post(channel=secret, text="x")) == "channel_not_found"
    assert await refused(post(channel="C000000000", text="x")) == "channel_not_found"
    assert await refused(post(channel="#elsewhere", text="x")) == "channel_not_found"
    local_slack.invite(secret)
    await post(channel=secret, text="invited")
    local_slack.kick(secret)
    assert await refused(post(channel=secret, text="x")) == "channel_not_found"
    local_slack.invite(outside)
    local_slack.archive(outside)
    assert await refused(post(channel=outside, text="x")) == "is_archived"
    local_slack.unarchive(outside)
    await post(channel=outside, text="back")


async def test_post_validation(local_slack: LocalSlack, slack_client: AsyncWebClient) -> None:
    channel = local_slack.add_channel("gw-cbc")
    post = slack_client.chat_postMessage
    assert await refused(slack_client.api_call("chat.postMessage", json={"channel": channel})) == "no_text"
    assert await refused(post(channel=channel, text="x", blocks="[{")) == "invalid_blocks_format"
    assert await refused(post(channel=channel, text="x" * 40_001)) == "msg_too_long"
    long = [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 2900}}] * 4
    assert await refused(post(channel=channel, text="x", blocks=long)) == "msg_blocks_too_long"
    with pytest.raises(SlackApiError) as caught:
        await post(channel=channel, text="x", blocks=[{"type": "hologram"}])
    assert caught.value.response["error"] == "invalid_blocks"
    assert caught.value.response["errors"] == ["unsupported type: hologram [json-pointer:/blocks/0/type]"]
    bad: Any = {"event_type": 1}
    assert await refused(post(channel=channel, text="x", metadata=bad)) == "invalid_metadata_format"
    assert local_slack.messages(channel) == []


async def test_editing(local_slack: LocalSlack, slack_client: AsyncWebClient) -> None:
    channel = local_slack.add_channel("gw-cbc")
    posted = await slack_client.chat_postMessage(
        channel=channel,
        text="first",
        blocks=[SECTION],
        metadata={"event_type": "delivery", "event_payload": {"id": "1"}},
    )
    ts = posted["ts"]
    update = slack_client.chat_update
    await update(channel=channel, ts=ts, text="second")
    (message,) = local_slack.messages(channel)
    assert message["text"] == "second"
    assert message["blocks"], "blocks that aren't given stay"
    assert message["metadata"]["event_payload"] == {"id": "1"}, "metadata that aren't given stay"
    assert message["edited"]
    cleared: Any = {}
    await update(channel=channel, ts=ts, text="third", blocks=[], metadata=cleared)
    (message,) = local_slack.messages(channel)
    assert message["blocks"] == []
    assert "metadata" not in message

    assert await refused(update(channel=channel, ts=ts, text="x" * 4001)) == "msg_too_long"
    assert await refused(update(channel=channel, ts="1.000000", text="x")) == "message_not_found"
    theirs = await local_slack.say("mine", channel)
    assert theirs.message is not None
    assert await refused(update(channel=channel, ts=theirs.message.ts, text="x")) == "cant_update_message"
    local_slack.fail("chat.update", error="edit_window_closed")
    assert await refused(update(channel=channel, ts=ts, text="x")) == "edit_window_closed"
    local_slack.archive(channel)
    assert await refused(update(channel=channel, ts=ts, text="x")) == "is_inactive"


async def test_rich_text_stays_rich_text(local_slack: LocalSlack, slack_client: AsyncWebClient) -> None:
    channel = local_slack.add_channel("gw-cbc")
    element = {"type": "rich_text_section", "elements": [{"type": "text", "text": "words"}]}
    rich = [{"type": "rich_text", "elements": [element]}]
    posted = await slack_client.chat_postMessage(channel=channel, text="x", blocks=rich)
    call = slack_client.chat_update(channel=channel, ts=posted["ts"], text="x", blocks=[SECTION])
    assert await refused(call) == "block_mismatch"


async def test_deleting(local_slack: LocalSlack, slack_client: AsyncWebClient) -> None:
    channel = local_slack.add_channel("gw-cbc")
    root = await slack_client.chat_postMessage(channel=channel, text="root")
    reply = await slack_client.chat_postMessage(channel=channel, text="reply", thread_ts=root["ts"])
    await slack_client.chat_delete(channel=channel, ts=root["ts"])
    tombstone, left = local_slack.messages(channel)
    assert tombstone["deleted"] is True
    assert tombstone["text"] == "This message was deleted."
    assert await refused(slack_client.chat_delete(channel=channel, ts=root["ts"])) == "cant_delete_message"
    await slack_client.chat_delete(channel=channel, ts=left["ts"])
    assert [message["ts"] for message in local_slack.messages(channel)] == [root["ts"]]
    assert await refused(slack_client.chat_delete(channel=channel, ts=reply["ts"])) == "message_not_found"


async def test_ephemeral_messages(local_slack: LocalSlack, slack_client: AsyncWebClient) -> None:
    channel = local_slack.add_channel("gw-cbc")
    show = slack_client.chat_postEphemeral
    shown = await show(channel=channel, user=local_slack.user, text="for you")
    assert [message["ts"] for message in local_slack.ephemerals(channel, local_slack.user)] == [
        shown["message_ts"]
    ]
    assert local_slack.ephemerals(channel, local_slack.colleague) == []
    assert local_slack.messages(channel) == []
    assert await refused(show(channel=channel, user="U000", text="x")) == "user_not_in_channel"
    update = slack_client.chat_update(channel=channel, ts=shown["message_ts"], text="x")
    assert await refused(update) == "message_not_found"
    local_slack.kick(channel)
    assert await refused(show(channel=channel, user=local_slack.user, text="x")) == "not_in_channel"


async def test_a_picture_that_is_not_ready_is_refused_as_slack_does(
    local_slack: LocalSlack, slack_client: AsyncWebClient
) -> None:
    channel = local_slack.add_channel("gw-cbc")
    local_slack.file_server.delay = float("inf")
    upload = await slack_client.files_upload_v2(filename="map.png", content=PNG)
    file_id = upload["file"]["id"]
    image = [{"type": "image", "alt_text": "sky map", "slack_file": {"id": file_id}}]
    with pytest.raises(SlackApiError) as caught:
        await slack_client.chat_postMessage(channel=channel, text="x", blocks=image)
    assert caught.value.response["error"] == "invalid_blocks"
    assert caught.value.response["errors"] == ["invalid slack file [json-pointer:/blocks/0/slack_file/id]"]
    assert (await slack_client.files_info(file=file_id))["file"]["mimetype"] == ""
    local_slack.settle_file(file_id)
    assert (await slack_client.files_info(file=file_id))["file"]["mimetype"] == "image/png"
    await slack_client.chat_postMessage(channel=channel, text="x", blocks=image)


async def test_a_permalink_leads_to_the_page(local_slack: LocalSlack, slack_client: AsyncWebClient) -> None:
    channel = local_slack.add_channel("gw-cbc")
    root = await slack_client.chat_postMessage(channel=channel, text="root")
    reply = await slack_client.chat_postMessage(channel=channel, text="reply", thread_ts=root["ts"])
    link = (await slack_client.chat_getPermalink(channel=channel, message_ts=reply["ts"]))["permalink"]
    assert link.startswith(f"{local_slack.url}/archives/{channel}/p")
    assert slack_client.session is not None
    async with slack_client.session.get(link, allow_redirects=False) as response:
        assert response.status == 302
        assert response.headers["Location"] == f"/#gw-cbc/{root['ts']}"
    lost = slack_client.chat_getPermalink(channel=channel, message_ts="1.000000")
    assert await refused(lost) == "message_not_found"


async def test_a_message_to_a_person_opens_a_direct_conversation(
    local_slack: LocalSlack, slack_client: AsyncWebClient
) -> None:
    posted = await slack_client.chat_postMessage(channel=local_slack.user, text="hello")
    opened = await slack_client.conversations_open(users=local_slack.user)
    assert posted["channel"] == opened["channel"]["id"]
    assert posted["channel"].startswith("D")
