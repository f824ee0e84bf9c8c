"""The messages of the local Slack, and their JSON for the API and for the page."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bot.local_slack.errors import Json

TOMBSTONE = "This message was deleted."
"""Text that Slack shows in place of a deleted message with replies."""


@dataclass(slots=True)
class Message:
    """A message in a channel, or an ephemeral one for a single person."""

    ts: str
    channel: str
    user: str
    text: str
    team: str = ""
    blocks: list[Json] = field(default_factory=list)
    bot_id: str | None = None
    app_id: str | None = None
    username: str | None = None
    thread_ts: str | None = None
    broadcast: bool = False
    metadata: Json | None = None
    edited: str | None = None
    """The ts of the last edit, None if the message was never edited."""
    replies: list[str] = field(default_factory=list)
    """The ts of the replies that are not deleted, oldest first."""
    reply_users: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    seen_by: str | None = None
    """The only user who sees an ephemeral message; None if all members of the channel see it."""
    deleted: bool = False
    chosen: Json = field(default_factory=dict)
    """State of the message's select menus: block_id → action_id → value."""

    @property
    def ephemeral(self) -> bool:
        """True if only one user sees the message."""
        return self.seen_by is not None

    @property
    def is_reply(self) -> bool:
        """True if the message is a reply in a thread."""
        return self.thread_ts is not None and self.thread_ts != self.ts


def to_api(message: Message, *, metadata: bool = False) -> Json:
    """Return the message as JSON of Slack's API.

    `metadata` includes the message's metadata, which history returns only on request.
    """
    body: Json = {
        "type": "message",
        "user": message.user,
        "ts": message.ts,
        "text": message.text,
        "team": message.team,
    }
    if message.deleted:
        body |= {"subtype": "tombstone", "user": "USLACKBOT", "hidden": True}
    if message.bot_id is not None:
        body |= {"bot_id": message.bot_id, "app_id": message.app_id}
    if message.username is not None:
        body["username"] = message.username
    if message.blocks:
        body["blocks"] = message.blocks
    if message.files:
        body["files"] = [{"id": file} for file in message.files]
    if message.broadcast:
        body["subtype"] = "thread_broadcast"
    if message.edited is not None:
        body["edited"] = {"user": message.user, "ts": message.edited}
    if metadata and message.metadata is not None:
        body["metadata"] = message.metadata
    if message.replies:
        body |= {
            "thread_ts": message.ts,
            "reply_count": len(message.replies),
            "reply_users": message.reply_users,
            "reply_users_count": len(message.reply_users),
            "latest_reply": message.replies[-1],
        }
    elif message.thread_ts is not None:
        body["thread_ts"] = message.thread_ts
    return body


def to_page(message: Message) -> Json:
    """Return the message as JSON for the page and for the control API."""
    body: dict[str, Any] = {
        "ts": message.ts,
        "channel": message.channel,
        "user": message.user,
        "bot": message.bot_id is not None,
        "text": message.text,
        "blocks": message.blocks,
        "thread_ts": message.thread_ts,
        "reply_count": len(message.replies),
        "reply_users": message.reply_users,
        "latest_reply": message.replies[-1] if message.replies else None,
        "edited": message.edited,
        "broadcast": message.broadcast,
        "ephemeral": message.ephemeral,
    }
    if message.username is not None:
        body["username"] = message.username
    if message.deleted:
        body["deleted"] = True
    if message.metadata is not None:
        body["metadata"] = message.metadata
    if message.files:
        body["files"] = message.files
    return body
