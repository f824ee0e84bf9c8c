"""The Web API methods `chat.*`."""

from __future__ import annotations

from bot.local_slack.block_kit import block_checks
from bot.local_slack.block_kit.checks import ValidationErrors
from bot.local_slack.errors import ApiError, Json, refuse_with_messages
from bot.local_slack.messages import Message, to_api
from bot.local_slack.web_api.arguments import MethodCall
from bot.local_slack.workspace import Channel, Draft, Workspace


def writable_channel(call: MethodCall, channel_id: str) -> Channel:
    """Return the channel if the bot may post to it.

    Raises ApiError: `channel_not_found` (also for a private channel without the bot), `not_in_channel`,
    `is_archived`.
    """
    workspace = call.workspace
    if channel_id in workspace.users and channel_id != workspace.bot.id:
        return workspace.open_direct(channel_id)
    channel = workspace.visible_channel(channel_id, workspace.bot.id)
    if channel.archived:
        raise ApiError("is_archived")
    if workspace.bot.id not in channel.members and "chat:write.public" not in workspace.scopes:
        raise ApiError("not_in_channel")
    return channel


def check_files(workspace: Workspace, found: ValidationErrors) -> None:
    """Reject images whose upload is not processed yet, as Slack does. Raises ApiError `invalid_blocks`."""
    wrong = []
    for pointer, reference in found.files:
        file = workspace.files.get(str(reference.get("id")))
        if file is None:
            file_url = str(reference.get("url"))
            file = next((file for file in workspace.files.values() if f"/{file.id}/" in file_url), None)
        picture = file is not None and file.mimetype in ("image/png", "image/jpeg", "image/gif")
        if file is None or not file.ready or not picture:
            wrong.append(f"invalid slack file [json-pointer:{pointer}]")
    if wrong:
        raise refuse_with_messages("invalid_blocks", wrong)


def _checked_content(call: MethodCall, most: int) -> tuple[str, tuple[Json, ...] | None]:
    """Check a call's text and blocks and return both; blocks are None if the call has none."""
    text = call.get("text")
    if len(text) > most:
        raise ApiError("msg_too_long")
    if call.args.get("markdown_text") is not None or call.args.get("attachments"):
        raise ApiError("invalid_arguments", response_metadata={"messages": ["[ERROR] use text and blocks"]})
    blocks = call.json_value("blocks", "invalid_blocks_format")
    if blocks is None:
        return text, None
    check_files(call.workspace, block_checks.check_message(blocks))
    return text, tuple(blocks)


def post_message(call: MethodCall) -> Json:
    """Handle `chat.postMessage`."""
    channel = writable_channel(call, call.require("channel"))
    text, blocks = _checked_content(call, block_checks.MAX_POST_TEXT)
    if not text and not blocks:
        raise ApiError("no_text")
    metadata = call.json_value("metadata", "invalid_metadata_format")
    if metadata is not None:
        metadata = block_checks.check_metadata(metadata) or None
    thread_ts = call.get("thread_ts") or None
    broadcast = call.flag("reply_broadcast")
    if broadcast and thread_ts is None:
        raise ApiError("invalid_arguments", response_metadata={"messages": ["[ERROR] no thread_ts"]})
    message = call.workspace.post(
        Draft(
            channel.id,
            call.workspace.bot.id,
            text,
            blocks or (),
            bot_id=call.workspace.bot_id,
            app_id=call.workspace.app_id,
            thread_ts=thread_ts,
            broadcast=broadcast,
            metadata=metadata,
        )
    )
    return {
        "channel": channel.id,
        "ts": message.ts,
        "message": to_api(message, metadata=True),
        **_warning(text),
    }


def _warning(text: str) -> Json:
    if text:
        return {}
    warning = "missing_text_in_message"
    return {"warning": warning, "response_metadata": {"warnings": [warning]}}


def post_ephemeral(call: MethodCall) -> Json:
    """Handle `chat.postEphemeral`."""
    channel = writable_channel(call, call.require("channel"))
    user = call.require("user")
    if user not in channel.members:
        raise ApiError("user_not_in_channel")
    if call.workspace.bot.id not in channel.members:
        raise ApiError("not_in_channel")
    text, blocks = _checked_content(call, block_checks.MAX_POST_TEXT)
    if not text and not blocks:
        raise ApiError("no_text")
    thread_ts = call.get("thread_ts") or None
    if thread_ts is not None:
        call.workspace.thread_root(channel, thread_ts)
    message = call.workspace.post_ephemeral(
        Draft(
            channel.id,
            call.workspace.bot.id,
            text,
            blocks or (),
            bot_id=call.workspace.bot_id,
            app_id=call.workspace.app_id,
            thread_ts=thread_ts,
        ),
        user,
    )
    return {"message_ts": message.ts}


def _own_message(call: MethodCall, refusal: str) -> Message:
    """Return a message that the bot itself posted in a channel to which it may post."""
    workspace = call.workspace
    channel = workspace.visible_channel(call.require("channel"), workspace.bot.id)
    if channel.archived:
        raise ApiError("is_inactive" if refusal == "cant_update_message" else "is_archived")
    if workspace.bot.id not in channel.members and "chat:write.public" not in workspace.scopes:
        raise ApiError("not_in_channel")
    message = workspace.message(channel, call.require("ts"))
    if message.bot_id != workspace.bot_id or message.deleted:
        raise ApiError(refusal)
    return message


def update(call: MethodCall) -> Json:
    """Handle `chat.update`. Without the argument `blocks` the blocks stay; an empty array removes them."""
    message = _own_message(call, "cant_update_message")
    text, blocks = _checked_content(call, block_checks.MAX_UPDATE_TEXT)
    if not text and not blocks:
        raise ApiError("no_text")
    if blocks is not None and _rich(message.blocks) and not _rich(blocks):
        raise ApiError("block_mismatch")
    metadata = call.json_value("metadata", "invalid_metadata_format")
    if metadata is not None:
        metadata = block_checks.check_metadata(metadata)
    call.workspace.edit(message, text=text, blocks=blocks, metadata=metadata)
    return {
        "channel": message.channel,
        "ts": message.ts,
        "text": message.text,
        "message": to_api(message, metadata=True),
    }


def _rich(blocks: list[Json] | tuple[Json, ...]) -> bool:
    return any(block["type"] == "rich_text" for block in blocks)


def delete(call: MethodCall) -> Json:
    """Handle `chat.delete`."""
    message = _own_message(call, "cant_delete_message")
    call.workspace.delete(message)
    return {"channel": message.channel, "ts": message.ts}


def permalink(base_url: str, message: Message) -> str:
    """Return the URL of a message on the local Slack's page."""
    link = f"{base_url}/archives/{message.channel}/p{message.ts.replace('.', '')}"
    if message.is_reply:
        link += f"?thread_ts={message.thread_ts}&cid={message.channel}"
    return link


def get_permalink(call: MethodCall) -> Json:
    """Handle `chat.getPermalink`."""
    channel = call.workspace.visible_channel(call.require("channel"), call.workspace.bot.id)
    message = call.workspace.message(channel, call.require("message_ts"))
    return {"channel": channel.id, "permalink": permalink(call.base_url, message)}
