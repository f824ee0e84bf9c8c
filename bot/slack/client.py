"""The Web API calls that gwevent makes, and the failures that they end in."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import structlog

from bot.runtime.callbacks import no_op
from bot.runtime.http_proxy import proxy_for
from bot.runtime.running_timeout import running_timeout
from bot.slack.degradation import OutgoingMessage
from bot.slack.errors import (
    ChannelUnavailable,
    FileNotReady,
    OutcomeUnknown,
    RateLimited,
    SlackFailure,
    Unavailable,
    Unlisted,
)
from bot.slack.lease_check import install_lease_check
from bot.slack.message_metadata import DeliveryMetadata
from bot.slack.message_parts import DroppedPart, MessagePart
from bot.slack.responses import failure_from_answer, failure_from_exception, required_text, required_ts
from bot.slack.web_api import WebApi
from bot.slack.web_client import create_web_client
from formatters.blockkit.message import Message

CALL_TIMEOUT_S = 15
UPLOAD_TIMEOUT_S = 30
FILE_RETRY_DELAYS_S = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Waits between attempts to show an uploaded file to one person; Slack needs a few seconds to process it."""
MAX_ALT_TEXT = 1_000
"""Characters of a file's alt text (docs.slack.dev/reference/methods/files.getUploadURLExternal)."""
MAX_HISTORY_PAGES = 25
"""Pages of 200 messages that are searched for a post, whatever the clocks say."""
log = structlog.get_logger(__name__)


OnCall = Callable[[str, SlackFailure | None], None]
"""Called with the method and the failure, if any, after every call."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The bot's own ids in a workspace, and its scopes."""

    team_id: str
    team_name: str
    user_id: str
    scopes: frozenset[str]
    bot_id: str | None = None


@dataclass(frozen=True, slots=True)
class PostedMessage:
    """A message that stands in a channel."""

    ts: str
    dropped: tuple[DroppedPart, ...] = ()
    """The parts that Slack refused."""


@dataclass(frozen=True, slots=True)
class ChannelInfo:
    """A channel as Slack describes it."""

    name: str
    is_private: bool
    is_archived: bool
    is_member: bool
    """The bot is in it."""


class SlackClient:
    """One workspace's Web API. Its methods raise SlackFailure, and no other error of the network."""

    def __init__(
        self,
        token: str,
        api_url: str,
        session: aiohttp.ClientSession,
        *,
        timeout_s: float = CALL_TIMEOUT_S,
        on_call: OnCall = no_op,
    ) -> None:
        self._session = session
        install_lease_check(session)
        self.web = create_web_client(token, api_url, session)
        """slack_sdk's client with this token, for Bolt."""
        # It makes each call once: what is retried, and when, is decided in bot.delivery.
        self.api = WebApi(self.web, session)
        self._timeout_s = timeout_s
        self._on_call = on_call

        self.scopes: frozenset[str] | None = None
        """The scopes of the token; None before `identify`."""
        self._bot_id: str | None = None

    def has_scope(self, scope: str) -> bool:
        """Return whether the token has this scope; True also if its scopes aren't known."""
        return not self.scopes or scope in self.scopes

    async def identify(self) -> Identity:
        """Return the bot's identity by its token, and remember its scopes."""
        data, headers = await self._call_with_headers("auth.test", {})
        granted = str(headers.get("x-oauth-scopes", ""))
        self.scopes = frozenset(scope.strip() for scope in granted.split(",") if scope.strip())
        self._bot_id = str(data["bot_id"]) if data.get("bot_id") else None
        return Identity(
            team_id=required_text(data, "team_id"),
            team_name=str(data.get("team", "")),
            user_id=required_text(data, "user_id"),
            scopes=self.scopes,
            bot_id=self._bot_id,
        )

    async def post(
        self,
        channel: str,
        message: Message,
        metadata: DeliveryMetadata | None,
        *,
        thread_ts: str | None = None,
        broadcast: bool = False,
        dropped: tuple[DroppedPart, ...] = (),
    ) -> PostedMessage:
        """Post a message, without the parts that Slack refuses, down to the words alone.

        `broadcast` shows a reply in the channel too; the parts in `dropped` are left out from the start.
        Raises FileNotReady if Slack can't show its image yet.
        """

        def body(sent: OutgoingMessage) -> dict[str, Any]:
            left = sent.message
            in_thread = thread_ts is not None and sent.keeps(MessagePart.THREAD)
            return {
                "channel": channel,
                "text": left.text,
                "blocks": list(left.blocks) or None,
                "metadata": sent.metadata if sent.keeps(MessagePart.METADATA) else None,
                "thread_ts": thread_ts if in_thread else None,
                "reply_broadcast": True
                if broadcast and in_thread and sent.keeps(MessagePart.BROADCAST)
                else None,
                "unfurl_links": False,
                "unfurl_media": False,
            }

        whole = OutgoingMessage(
            original=message,
            thread_ts=thread_ts,
            broadcast=broadcast,
            metadata=None if metadata is None else metadata.slack_metadata,
            dropped=dropped,
        )
        answer, sent = await self._call_degrading("chat.postMessage", whole, body)
        try:
            return PostedMessage(required_ts(answer), sent.dropped)
        except OutcomeUnknown as unknown:
            unknown.dropped = sent.dropped
            raise

    async def post_ephemeral(
        self, channel: str, user: str, message: Message, *, thread_ts: str | None = None
    ) -> None:
        """Show a message to one person, without the parts that Slack refuses, down to the words alone.

        If Slack can't show its image yet, wait up to 15.5 s for it.
        """

        def body(sent: OutgoingMessage) -> dict[str, Any]:
            return {
                "channel": channel,
                "user": user,
                "text": sent.message.text,
                "blocks": list(sent.message.blocks) or None,
                "thread_ts": thread_ts if sent.keeps(MessagePart.THREAD) else None,
            }

        whole = OutgoingMessage(original=message, thread_ts=thread_ts)
        for pause in FILE_RETRY_DELAYS_S:
            try:
                await self._call_degrading("chat.postEphemeral", whole, body)
                return
            except FileNotReady:
                await asyncio.sleep(pause)
        whole = whole.drop(MessagePart.PICTURE, "not ready in time")
        await self._call_degrading("chat.postEphemeral", whole, body)

    async def edit(
        self, channel: str, ts: str, message: Message, *, dropped: tuple[DroppedPart, ...] = ()
    ) -> tuple[DroppedPart, ...]:
        """Edit a message, except its metadata; return the parts that Slack refused. Raises FileNotReady."""

        def body(sent: OutgoingMessage) -> dict[str, Any]:
            # If an edit has no blocks, Slack keeps the old ones.
            return {
                "channel": channel,
                "ts": ts,
                "text": sent.message.text,
                "blocks": list(sent.message.blocks),
            }

        _, sent = await self._call_degrading(
            "chat.update", OutgoingMessage(original=message, dropped=dropped), body
        )
        return sent.dropped

    async def delete(self, channel: str, ts: str) -> None:
        """Delete a message of the bot's."""
        await self._call("chat.delete", {"channel": channel, "ts": ts})

    async def check_socket_mode(self) -> None:
        """Ask for a Socket Mode address, which needs an app token, and don't use it."""
        await self._call("apps.connections.open", {})

    async def channel_info(self, channel: str) -> ChannelInfo:
        """Return a channel's description. Raises ChannelUnavailable if the bot can't see it."""
        data = await self._call("conversations.info", {"channel": channel})
        found = data.get("channel")
        if not isinstance(found, dict):
            raise OutcomeUnknown("an answer without channel")
        return ChannelInfo(
            name=str(found.get("name", channel)),
            is_private=bool(found.get("is_private")),
            is_archived=bool(found.get("is_archived")),
            is_member=bool(found.get("is_member")),
        )

    async def permalink(self, channel: str, ts: str) -> str | None:
        """Return the address of a message; None if Slack doesn't return one."""
        try:
            data = await self._call("chat.getPermalink", {"channel": channel, "message_ts": ts})
        except SlackFailure as failure:
            log.warning("permalink_failed", reason=failure.reason, channel=channel)
            return None
        return str(data["permalink"]) if data.get("permalink") else None

    async def some_members(self, channel: str, count: int) -> tuple[str, ...]:
        """Return the ids of up to `count` people and bots of a channel."""
        data = await self._call("conversations.members", {"channel": channel, "limit": count})
        return tuple(user for user in data.get("members") or [] if isinstance(user, str))

    async def is_member(self, channel: str, user: str) -> bool:
        """Return whether a person is in a channel; False if the bot can't see the channel."""
        query: dict[str, Any] = {"channel": channel, "limit": 1_000}
        cursor = ""
        while True:
            try:
                data = await self._call(
                    "conversations.members", query | ({"cursor": cursor} if cursor else {})
                )
            except ChannelUnavailable:
                return False
            if user in (data.get("members") or []):
                return True
            cursor = str((data.get("response_metadata") or {}).get("next_cursor") or "")
            if not cursor:
                return False

    async def is_admin(self, user: str, team_id: str) -> bool:
        """Return whether a person is an admin or owner of this workspace, not only of another."""
        found = await self._user(user)
        # In an Enterprise Grid organisation the person's first workspace may be another.
        teams = (found.get("enterprise_user") or {}).get("teams") or ()
        if found.get("is_stranger") is True or not (
            found.get("team_id") in (None, team_id) or team_id in teams
        ):
            return False
        return found.get("is_admin") is True or found.get("is_owner") is True

    async def is_deactivated(self, user: str) -> bool:
        """Return whether a person's account was deactivated, so that a mention notifies nobody."""
        return (await self._user(user)).get("deleted") is True

    async def _user(self, user: str) -> Mapping[str, Any]:
        found = (await self._call("users.info", {"user": user})).get("user")
        if not isinstance(found, dict):
            raise OutcomeUnknown("an answer without user")
        return found

    async def upload(self, png: bytes, name: str, title: str, alt_text: str) -> str:
        """Upload an image without showing it in a channel; return the file's id.

        Slack may need some seconds more before a message can show it (see FileNotReady).
        """
        upload = await self._call(
            "files.getUploadURLExternal",
            {"filename": name, "length": len(png), "alt_txt": alt_text[:MAX_ALT_TEXT]},
        )
        await self._send_file(required_text(upload, "upload_url"), png)
        file_id = required_text(upload, "file_id")
        await self._call("files.completeUploadExternal", {"files": [{"id": file_id, "title": title}]})
        return file_id

    async def delete_file(self, file_id: str) -> None:
        """Delete an uploaded file, unless it is deleted already."""
        try:
            await self._call("files.delete", {"file": file_id})
        except SlackFailure as failure:
            if failure.reason not in ("file_not_found", "file_deleted"):
                raise

    async def open_view(self, trigger_id: str, view: Mapping[str, Any]) -> str:
        """Open a modal, within 3 s of the interaction; return the view's id."""
        data = await self._call("views.open", {"trigger_id": trigger_id, "view": view})
        return required_text(data.get("view"), "id")

    async def update_view(self, view_id: str, view: Mapping[str, Any]) -> None:
        """Replace the content of an open modal. Inputs that remain keep what was typed into them."""
        await self._call("views.update", {"view_id": view_id, "view": view})

    async def publish_home(self, user_id: str, view: Mapping[str, Any]) -> None:
        """Set a person's home tab."""
        await self._call("views.publish", {"user_id": user_id, "view": view})

    async def user_channels(self, user_id: str) -> frozenset[str]:
        """Return the ids of the channels that a person is in; private ones only if the bot is in them too."""
        query = {
            "user": user_id,
            "types": "public_channel,private_channel",
            "exclude_archived": True,
            "limit": 999,
        }
        found: set[str] = set()
        cursor = ""
        while True:
            data = await self._call("users.conversations", query | ({"cursor": cursor} if cursor else {}))
            found.update(required_text(channel, "id") for channel in data.get("channels") or [])
            cursor = str((data.get("response_metadata") or {}).get("next_cursor") or "")
            if not cursor:
                return frozenset(found)

    async def _send_file(self, url: str, body: bytes) -> None:
        try:
            async with (
                running_timeout(UPLOAD_TIMEOUT_S),
                self._session.post(url, data=body, proxy=proxy_for(url)) as answer,
            ):
                if answer.status != 200:
                    raise OutcomeUnknown(f"HTTP {answer.status} for an upload")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise OutcomeUnknown(f"no answer to an upload: {type(error).__name__}") from error

    async def find_delivery(
        self, channel: str, metadata: DeliveryMetadata, oldest: float | None, *, thread_ts: str | None = None
    ) -> str | None:
        """Search a channel's history for a delivery, newest messages first; return its `ts`, or None.

        The search goes back to `oldest` (Unix time by Slack's clock), and at most MAX_HISTORY_PAGES pages; in
        a thread it begins at the root. Raises SlackFailure if the history can't be read.
        """
        # `oldest` isn't sent: with it Slack begins at the old end, and the post would be at the new one.
        query: dict[str, Any] = {"channel": channel, "include_all_metadata": True, "limit": 200}
        method = "conversations.history"
        if thread_ts is not None:
            method = "conversations.replies"
            query["ts"] = thread_ts
        cursor = ""
        for _ in range(MAX_HISTORY_PAGES):
            data = await self._call(method, query | ({"cursor": cursor} if cursor else {}))
            messages = data.get("messages")
            if not isinstance(messages, list):
                raise OutcomeUnknown("a history without messages")
            for found in messages:
                if isinstance(found, dict) and metadata.matches(found, self._bot_id):
                    return required_ts(found)
            cursor = str((data.get("response_metadata") or {}).get("next_cursor") or "")
            past = thread_ts is None and oldest is not None and _any_older(messages, oldest)
            if not cursor or past:
                return None
        log.warning("history_truncated", channel=channel, pages=MAX_HISTORY_PAGES)
        return None

    async def _call_degrading(
        self, method: str, outgoing: OutgoingMessage, body: Callable[[OutgoingMessage], dict[str, Any]]
    ) -> tuple[Mapping[str, Any], OutgoingMessage]:
        """Call with fewer and fewer parts until Slack accepts; return its answer and what was sent."""
        while True:
            try:
                return await self._call(method, body(outgoing)), outgoing
            except SlackFailure as refused:
                less = outgoing.degrade(refused)
                if less is None:
                    if isinstance(refused, RateLimited | OutcomeUnknown):
                        refused.dropped = outgoing.dropped
                    if isinstance(refused, FileNotReady) and MessagePart.PICTURE not in outgoing.parts:
                        raise Unlisted(refused.reason) from refused
                    raise
                drop = less.dropped[-1]
                log.warning(
                    "message_part_dropped",
                    method=method,
                    part=drop.part.value,
                    reason=drop.reason,
                    guessed=drop.guessed,
                    channel=body(less)["channel"],
                )
                outgoing = less

    async def _call(self, method: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        return (await self._call_with_headers(method, body))[0]

    async def _call_with_headers(
        self, method: str, body: Mapping[str, Any]
    ) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        try:
            answer = await self._send(method, body)
        except SlackFailure as failure:
            self._on_call(method, failure)
            raise
        self._on_call(method, None)
        return answer

    async def _send(
        self, method: str, body: Mapping[str, Any]
    ) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        if self._session.closed:
            raise Unavailable("the bot is stopping")
        try:
            async with running_timeout(self._timeout_s):
                answer = await self.api.call(method, body)
        except (aiohttp.ClientError, TimeoutError, UnicodeError) as error:
            raise failure_from_exception(error) from error
        data = answer.data
        if answer.status != 200 or not isinstance(data, dict) or not data.get("ok"):
            raise failure_from_answer(answer)
        return data, answer.headers


def _any_older(messages: Iterable[object], oldest: float) -> bool:
    """Return whether any message is older than `oldest`; one without a valid `ts` doesn't count."""
    return any(isinstance(m, dict) and _parse_ts(m.get("ts")) < oldest for m in messages)


def _parse_ts(ts: object) -> float:
    try:
        return float(str(ts))
    except ValueError:
        return math.inf
