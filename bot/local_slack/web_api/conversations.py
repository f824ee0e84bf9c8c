"""The Web API methods `conversations.*` and `users.conversations`."""

from __future__ import annotations

from bot.local_slack.errors import ApiError, Json
from bot.local_slack.messages import Message, to_api
from bot.local_slack.web_api.arguments import MethodCall
from bot.local_slack.workspace import Channel


def _scope_resource(channel: Channel) -> str:
    """Return the name of this kind of channel in scopes, for example "groups"."""
    if channel.is_im:
        return "im"
    return "groups" if channel.private else "channels"


def _need_channel_scope(call: MethodCall, channel: Channel, what: str) -> None:
    call.require_scope(f"{_scope_resource(channel)}:{what}")


def _channel_json(call: MethodCall, channel: Channel) -> Json:
    member = call.workspace.bot.id in channel.members
    face: Json = {
        "id": channel.id,
        "created": channel.created,
        "is_archived": channel.archived,
        "is_im": channel.is_im,
        "is_mpim": False,
        "is_org_shared": False,
        "context_team_id": call.workspace.id,
    }
    if channel.is_im:
        person = next(user for user in channel.members if user != call.workspace.bot.id)
        return {**face, "user": person, "is_user_deleted": False}
    return {
        **face,
        "name": channel.name,
        "name_normalized": channel.name,
        "is_channel": not channel.private,
        "is_group": channel.private,
        "is_private": channel.private,
        "is_general": False,
        "is_shared": bool(channel.shared_with),
        "is_ext_shared": bool(channel.shared_with),
        "is_member": member,
        "num_members": len(channel.members),
        "topic": {"value": channel.topic, "creator": "", "last_set": 0},
        "purpose": {"value": "", "creator": "", "last_set": 0},
    }


def list_channels(call: MethodCall) -> Json:
    """Handle `conversations.list`: public channels, and private ones that the bot is a member of."""
    return _list_channels(call, None)


def list_user_channels(call: MethodCall) -> Json:
    """Handle `users.conversations`: a user's channels; of private ones those that the bot is in too."""
    return _list_channels(call, call.workspace.user(call.get("user") or call.workspace.bot.id).id)


def _list_channels(call: MethodCall, member: str | None) -> Json:
    words = {"public_channel": "channels", "private_channel": "groups", "im": "im"}
    kinds = set()
    for wanted in (call.get("types") or "public_channel").split(","):
        if wanted.strip() not in words:
            raise ApiError("invalid_types")
        call.require_scope(f"{words[wanted.strip()]}:read")
        kinds.add(words[wanted.strip()])
    bot = call.workspace.bot.id
    channels = [
        channel
        for channel in call.workspace.channels.values()
        if _scope_resource(channel) in kinds
        and (not channel.private or bot in channel.members)
        and not (channel.archived and call.flag("exclude_archived"))
        and member in (None, *channel.members)
    ]
    page, cursor = call.page(channels, call.number("limit", 100, 1000))
    return {
        "channels": [_channel_json(call, channel) for channel in page],
        "response_metadata": {"next_cursor": cursor},
    }


def info(call: MethodCall) -> Json:
    """Handle `conversations.info`."""
    channel = call.workspace.visible_channel(call.require("channel"), call.workspace.bot.id)
    _need_channel_scope(call, channel, "read")
    return {"channel": _channel_json(call, channel)}


def members(call: MethodCall) -> Json:
    """Handle `conversations.members`."""
    channel = call.workspace.visible_channel(call.require("channel"), call.workspace.bot.id)
    _need_channel_scope(call, channel, "read")
    page, cursor = call.page(sorted(channel.members), call.number("limit", 100, 1000))
    return {"members": page, "response_metadata": {"next_cursor": cursor}}


def join(call: MethodCall) -> Json:
    """Handle `conversations.join`, for public channels only."""
    channel = call.workspace.visible_channel(call.require("channel"), call.workspace.bot.id)
    if channel.private:
        raise ApiError("method_not_supported_for_channel_type")
    if channel.archived:
        raise ApiError("is_archived")
    answer: Json = {"channel": _channel_json(call, channel)}
    if not call.workspace.join(channel, call.workspace.bot.id):
        answer |= {
            "warning": "already_in_channel",
            "response_metadata": {"warnings": ["already_in_channel"]},
        }
    return {**answer, "channel": _channel_json(call, channel)}


def open_direct(call: MethodCall) -> Json:
    """Handle `conversations.open` with one user."""
    users = call.require("users").split(",")
    if len(users) != 1:
        raise ApiError("too_many_users")
    known = call.workspace.users.get(users[0])
    if known is None or known.is_bot:
        raise ApiError("user_not_found")
    return {"channel": {"id": call.workspace.open_direct(users[0]).id}}


def _history_channel(call: MethodCall) -> Channel:
    """Return the channel if its history may be read, which needs a scope and membership in any case."""
    channel = call.workspace.visible_channel(call.require("channel"), call.workspace.bot.id)
    _need_channel_scope(call, channel, "history")
    if call.workspace.bot.id not in channel.members:
        raise ApiError("not_in_channel")
    return channel


def _timestamp(call: MethodCall, name: str) -> str:
    """Return a ts padded to full length so that it compares as text; empty if the argument is missing."""
    value = call.get(name)
    if not value:
        return ""
    seconds, _, fraction = value.partition(".")
    if not seconds.isdigit() or not (fraction or "0").isdigit():
        raise ApiError(f"invalid_ts_{name}")
    return f"{int(seconds):010d}.{fraction:0<6.6}"


def _messages_in_range(call: MethodCall, messages: list[Message]) -> list[Message]:
    oldest, latest, inclusive = _timestamp(call, "oldest"), _timestamp(call, "latest"), call.flag("inclusive")

    def inside(ts: str) -> bool:
        if inclusive and ts in (oldest, latest):
            return True
        return (not oldest or ts > oldest) and (not latest or ts < latest)

    return [message for message in messages if inside(message.ts)]


def history(call: MethodCall) -> Json:
    """Handle `conversations.history`: newest first; of replies only those also shown in the channel."""
    channel = _history_channel(call)
    shown = [message for message in channel.messages.values() if not message.is_reply or message.broadcast]
    return _messages_response(call, _messages_in_range(call, shown)[::-1])


def replies(call: MethodCall) -> Json:
    """Handle `conversations.replies`: the root message, then its replies, oldest first."""
    channel = _history_channel(call)
    message = channel.messages.get(call.require("ts"))
    if message is None:
        raise ApiError("thread_not_found")
    root = channel.messages[message.thread_ts] if message.is_reply and message.thread_ts else message
    root_first, *rest = call.workspace.thread(channel, root)
    return _messages_response(call, [root_first, *_messages_in_range(call, rest)])


def _messages_response(call: MethodCall, messages: list[Message]) -> Json:
    page, cursor = call.page(messages, call.number("limit", 100, 999))
    metadata = call.flag("include_all_metadata")
    answer: Json = {
        "messages": [to_api(message, metadata=metadata) for message in page],
        "has_more": bool(cursor),
    }
    return {**answer, "response_metadata": {"next_cursor": cursor}} if cursor else answer
