"""The calls that gwevent makes to Slack; the only place that catches what slack_sdk raises."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError, SlackClientError

from bot.runtime.http_proxy import proxy_for
from bot.runtime.running_timeout import running_timeout
from bot.slack.degradation import DroppedPart, MessagePart, OutgoingMessage
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
from bot.slack.responses import failure_from_response, required_text, required_ts
from bot.slack.web_client import create_web_client
from formatters.blockkit.message import Message

CALL_TIMEOUT_S = 15
UPLOAD_TIMEOUT_S = 30
FILE_RETRY_DELAYS_S = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Between attempts to show a file to somebody who waits for it; Slack takes a few seconds to be ready."""
MAX_ALT_TEXT = 1_000
"""Of a file; a block's may be longer (docs.slack.dev/reference/methods/files.getUploadURLExternal)."""
MAX_HISTORY_PAGES = 25
"""Of 200 messages: so far a channel's history is read for a post in doubt, whatever the clocks say."""
FORM_ENCODED_METHODS = frozenset(
    {
        "chat.getPermalink",
        "conversations.history",
        "conversations.members",
        "conversations.info",
        "conversations.replies",
        "files.getUploadURLExternal",
        "users.conversations",
        "users.info",
    }
)
"""Methods whose arguments Slack doesn't take as JSON."""

log = structlog.get_logger(__name__)


OnCall = Callable[[str, SlackFailure | None], None]
"""(method, failure or None): told of every call that came to an end."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the bot is in a workspace."""

    team_id: str
    team_name: str
    user_id: str
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class PostedMessage:
    """A message that stands in a channel."""

    ts: str
    dropped: tuple[DroppedPart, ...] = ()
    """What Slack took it without."""


@dataclass(frozen=True, slots=True)
class ChannelInfo:
    """What Slack says of a channel."""

    name: str
    is_private: bool
    is_archived: bool
    is_member: bool
    """Whether the bot is in it."""


class SlackClient:
    """One workspace's Web API. Every method raises a SlackFailure and nothing else of the network's."""

    def __init__(
        self,
        token: str,
        api_url: str,
        session: aiohttp.ClientSession,
        *,
        timeout_s: float = CALL_TIMEOUT_S,
        on_call: OnCall = lambda _method, _failure: None,
    ) -> None:
        """`called(method, failure)` is told of every call that came to an end."""
        # No retry handler at all: the default one sends a message again after a cut connection, in silence.
        # What is tried again, and when, is the ledger's decision.
        self._session = session
        install_lease_check(session)
        self.web = create_web_client(token, api_url, session)
        # slack_sdk's own timeout is for sessions that it opens itself.
        self._timeout_s = timeout_s
        self._on_call = on_call

        self.scopes: frozenset[str] | None = None
        """What the token may do; None before `identify`."""
        self._bot_id: str | None = None

    def has_scope(self, scope: str) -> bool:
        """Whether the token has this scope, as far as is known; unknown, it is worth a try."""
        return not self.scopes or scope in self.scopes

    async def identify(self) -> Identity:
        """Ask who the token belongs to."""
        data, headers = await self._call_with_headers("auth.test", {})
        granted = str(headers.get("x-oauth-scopes", ""))
        self.scopes = frozenset(scope.strip() for scope in granted.split(",") if scope.strip())
        self._bot_id = str(data["bot_id"]) if data.get("bot_id") else None
        return Identity(
            team_id=required_text(data, "team_id"),
            team_name=str(data.get("team", "")),
            user_id=required_text(data, "user_id"),
            scopes=self.scopes,
        )

    async def post(
        self,
        channel: str,
        message: Message,
        metadata: DeliveryMetadata,
        *,
        thread_ts: str | None = None,
        broadcast: bool = False,
        dropped: tuple[DroppedPart, ...] = (),
    ) -> PostedMessage:
        """Post a message; without what Slack refuses of it, down to the words alone.

        `broadcast` shows a thread's reply in the channel too; `dropped` is left out from the start. Raises
        FileNotReady where a picture in it can't be shown yet.
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
            metadata=metadata.slack_metadata,
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
        """Show a message to one person; without what Slack refuses of it, down to the words alone.

        A picture that Slack can't show yet is waited for a while.
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
        """Bring a message to a newer state, its metadata stay; return what it lost. Raises FileNotReady."""

        def body(sent: OutgoingMessage) -> dict[str, Any]:
            # An edit without blocks would keep the old ones.
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

    async def channel_info(self, channel: str) -> ChannelInfo:
        """What a channel is; `channel_not_found` where the bot can't see it."""
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
        """The address of a message; None where Slack doesn't tell it."""
        try:
            data = await self._call("chat.getPermalink", {"channel": channel, "message_ts": ts})
        except SlackFailure as failure:
            log.warning("permalink_failed", reason=failure.reason, channel=channel)
            return None
        return str(data["permalink"]) if data.get("permalink") else None

    async def is_member(self, channel: str, user: str) -> bool:
        """Whether a person is in a channel; False where the channel isn't to be seen."""
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
        """Whether a person is an admin or an owner of this workspace; those of another's are none here."""
        found = (await self._call("users.info", {"user": user})).get("user")
        if not isinstance(found, dict):
            raise OutcomeUnknown("an answer without user")
        # In an Enterprise Grid organisation the person's first workspace may be another.
        teams = (found.get("enterprise_user") or {}).get("teams") or ()
        if found.get("is_stranger") is True or not (
            found.get("team_id") in (None, team_id) or team_id in teams
        ):
            return False
        return found.get("is_admin") is True or found.get("is_owner") is True

    async def upload(self, png: bytes, name: str, title: str, alt_text: str) -> str:
        """Upload a picture that no channel shows by itself; return the file's id.

        Slack takes it as done before it can show it (`FileNotReady` then).
        """
        place = await self._call(
            "files.getUploadURLExternal",
            {"filename": name, "length": len(png), "alt_txt": alt_text[:MAX_ALT_TEXT]},
        )
        await self._send_file(required_text(place, "upload_url"), png)
        file_id = required_text(place, "file_id")
        await self._call("files.completeUploadExternal", {"files": [{"id": file_id, "title": title}]})
        return file_id

    async def delete_file(self, file_id: str) -> None:
        """Delete an uploaded file; one that is gone already is no failure."""
        try:
            await self._call("files.delete", {"file": file_id})
        except SlackFailure as failure:
            if failure.reason not in ("file_not_found", "file_deleted"):
                raise

    async def open_view(self, trigger_id: str, view: Mapping[str, Any]) -> str:
        """Open a dialog within 3 s of what the person did; return the view's id."""
        data = await self._call("views.open", {"trigger_id": trigger_id, "view": view})
        return required_text(data.get("view"), "id")

    async def update_view(self, view_id: str, view: Mapping[str, Any]) -> None:
        """Show something else in an open dialog; what was typed into inputs that stay, stays."""
        await self._call("views.update", {"view_id": view_id, "view": view})

    async def publish_home(self, user_id: str, view: Mapping[str, Any]) -> None:
        """Set a person's home tab."""
        await self._call("views.publish", {"user_id": user_id, "view": view})

    async def user_channels(self, user_id: str) -> frozenset[str]:
        """The channels that a person is in; of private ones those that the bot is in too."""
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
        """Look for a delivery in the channel's history, the newest first; its `ts`, or None.

        No further back than `oldest` (Unix time by Slack's clock), and in any case no more than so many
        pages; in a thread from its root on. Raises SlackFailure, `missing_scope` among them, where the
        history can't be read.
        """
        # `oldest` isn't asked for: with it Slack begins at that end, and posts in doubt stand at the other.
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
        """Call with ever less of a message until Slack takes it; return its answer and what was taken."""
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
        json = {key: value for key, value in body.items() if value is not None}
        reading = method in FORM_ENCODED_METHODS
        try:
            async with running_timeout(self._timeout_s):
                if reading:
                    response = await self.web.api_call(method, params=json)
                else:
                    response = await self.web.api_call(method, json=json)
        except SlackApiError as error:
            raise failure_from_response(error) from error
        except aiohttp.ClientConnectorError as error:
            raise Unavailable(f"can't connect: {error.os_error.strerror or error}") from error
        except (aiohttp.ClientError, TimeoutError, SlackClientError) as error:
            raise OutcomeUnknown(f"no answer: {type(error).__name__}") from error
        except (AttributeError, LookupError, UnicodeError, RecursionError) as error:
            # slack_sdk asks an answer for "ok" before it looks whether it is an object, or even text.
            raise OutcomeUnknown("an answer that is no JSON object") from error
        data = response.data
        if not isinstance(data, dict):
            raise OutcomeUnknown("an answer that is no JSON object")
        return data, {key.lower(): value for key, value in response.headers.items()}


def _any_older(messages: Iterable[object], oldest: float) -> bool:
    """Whether one of them is older; one without a readable `ts` isn't."""
    return any(isinstance(m, dict) and _parse_ts(m.get("ts")) < oldest for m in messages)


def _parse_ts(ts: object) -> float:
    try:
        return float(str(ts))
    except ValueError:
        return math.inf
