"""Channels and their history: scopes, membership, metadata."""

from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.local_slack.server import LocalSlack

METADATA = {"event_type": "delivery", "event_payload": {"id": "7"}}


@pytest.fixture(autouse=True)
def further_scopes(local_slack: LocalSlack) -> None:
    for scope in ("channels:join", "im:write", "users:read"):
        local_slack.grant(scope)


async def refused(awaitable: Any) -> str:
    with pytest.raises(SlackApiError) as caught:
        await awaitable
    return str(caught.value.response["error"])


async def test_history_needs_scope_and_membership(
    local_slack: LocalSlack, slack_client: AsyncWebClient
) -> None:
    channel = local_slack.add_channel("gw-cbc", bot_member=False)
    with pytest.raises(SlackApiError) as caught:
        await slack_client.conversations_history(channel=channel)
    assert caught.value.response["error"] == "missing_scope"
    assert caught.value.response["needed"] == "channels:history"
    assert "chat:write" in caught.value.response["provided"].split(",")
    local_slack.grant("channels:history")
    assert await refused(slack_client.conversations_history(channel=channel)) == "not_in_channel"
    local_slack.invite(channel)
    assert (await slack_client.conversations_history(channel=channel))["messages"] == []
    private = local_slack.add_channel("secret", private=True)
    assert await refused(slack_client.conversations_history(channel=private)) == "missing_scope"
    local_slack.kick(private)
    assert await refused(slack_client.conversations_history(channel=private)) == "channel_not_found"


async def test_history_gives_metadata_only_when_asked(
    local_slack: LocalSlack, slack_client: AsyncWebClient
) -> None:
    channel = local_slack.add_channel("gw-cbc")
    local_slack.grant("channels:history")
    await slack_client.chat_postMessage(channel=channel, text="x", metadata=METADATA)
    (plain,) = (await slack_client.conversations_history(channel=channel))["messages"]
    assert "metadata" not in plain
    asked = await slack_client.conversations_history(channel=channel, include_all_metadata=True)
    assert asked["messages"][0]["metadata"] == METADATA


async def test_history_is_newest_first_without_replies(
    local_slack: LocalSlack, slack_client: AsyncWebClient
) -> None:
    channel = local_slack.add_channel("gw-cbc")
    local_slack.grant("channels:history")
    stamps = [(await slack_client.chat_postMessage(channel=channel, text=str(n)))["ts"] for n in range(5)]
    await slack_client.chat_postMessage(channel=channel, text="reply", thread_ts=stamps[0])
    await slack_client.chat_postMessage(
        channel=channel, text="shown", thread_ts=stamps[0], reply_broadcast=True, metadata=METADATA
    )

    async def texts(**window: Any) -> list[str]:
        answer = await slack_client.conversations_history(channel=channel, **window)
        return [message["text"] for message in answer["messages"]]

    assert await texts() == ["shown", "4", "3", "2", "1", "0"]
    assert await texts(oldest=stamps[2]) == ["shown", "4", "3"]
    assert await texts(oldest=stamps[2], latest=stamps[4], inclusive=True) == ["4", "3", "2"]
    first = await slack_client.conversations_history(channel=channel, limit=4)
    assert first["has_more"] is True
    rest = await texts(limit=4, cursor=first["response_metadata"]["next_cursor"])
    assert rest == ["1", "0"]
    assert await refused(slack_client.conversations_history(channel=channel, cursor="x")) == "invalid_cursor"
    assert await refused(slack_client.conversations_history(channel=channel, limit=1000)) == "invalid_limit"
    assert (
        await refused(slack_client.conversations_history(channel=channel, oldest="x")) == "invalid_ts_oldest"
    )

    replies = await slack_client.conversations_replies(
        channel=channel, ts=stamps[0], include_all_metadata=True
    )
    assert [message["text"] for message in replies["messages"]] == ["0", "reply", "shown"]
    assert replies["messages"][2]["metadata"] == METADATA
    assert replies["messages"][0]["reply_count"] == 2
    assert (
        await refused(slack_client.conversations_replies(channel=channel, ts="1.000000"))
        == "thread_not_found"
    )


async def test_lists_and_infos(local_slack: LocalSlack, slack_client: AsyncWebClient) -> None:
    public = local_slack.add_channel("gw-cbc")
    local_slack.add_channel("secret", private=True, bot_member=False)
    private = local_slack.add_channel("ops", private=True)
    old = local_slack.add_channel("old")
    local_slack.archive(old)

    async def ids(**wanted: Any) -> list[str]:
        answer = await slack_client.conversations_list(**wanted)
        return [channel["id"] for channel in answer["channels"]]

    assert await ids() == [public, old]
    assert await ids(types="public_channel,private_channel", exclude_archived=True) == [public, private]
    assert await refused(slack_client.conversations_list(types="im")) == "missing_scope"
    assert await refused(slack_client.conversations_list(types="rooms")) == "invalid_types"
    # Of a person's channels the app learns the private ones that it is in too.
    asked: dict[str, Any] = {
        "user": local_slack.user,
        "types": "public_channel,private_channel",
        "exclude_archived": True,
    }
    workspace = local_slack.workspace
    workspace.leave(workspace.channels[public], local_slack.user)
    own = (await slack_client.users_conversations(**asked))["channels"]
    assert [channel["id"] for channel in own] == [private]
    workspace.join(workspace.channels[public], local_slack.user)
    info = (await slack_client.conversations_info(channel=public))["channel"]
    assert (info["name"], info["is_member"], info["is_private"], info["is_archived"]) == (
        "gw-cbc",
        True,
        False,
        False,
    )
    members = (await slack_client.conversations_members(channel=public))["members"]
    assert set(members) == {local_slack.user, local_slack.colleague, local_slack.bot_user_id}
    local_slack.ungrant("groups:read")
    assert await refused(slack_client.conversations_info(channel=private)) == "missing_scope"


async def test_joining(local_slack: LocalSlack, slack_client: AsyncWebClient) -> None:
    public = local_slack.add_channel("gw-cbc", bot_member=False)
    private = local_slack.add_channel("ops", private=True)
    assert (await slack_client.conversations_join(channel=public))["channel"]["is_member"] is True
    assert (await slack_client.conversations_join(channel=public))["warning"] == "already_in_channel"
    wrong = slack_client.conversations_join(channel=private)
    assert await refused(wrong) == "method_not_supported_for_channel_type"
    local_slack.archive(public)
    assert await refused(slack_client.conversations_join(channel=public)) == "is_archived"


async def test_people(local_slack: LocalSlack, slack_client: AsyncWebClient) -> None:
    info = (await slack_client.users_info(user=local_slack.user))["user"]
    assert info["name"] == "observer"
    assert await refused(slack_client.users_info(user="U000")) == "user_not_found"
    names = {user["name"] for user in (await slack_client.users_list())["members"]}
    assert names == {"observer", "colleague", "gwevent"}
    assert await refused(slack_client.conversations_open(users="U000")) == "user_not_found"
