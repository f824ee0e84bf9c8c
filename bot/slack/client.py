"""The calls that gwevent makes to Slack; the only place that catches what slack_sdk raises."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError, SlackClientError

from bot.proxy import proxy_for
from bot.slack.errors import (
    BLOCKS_REFUSED,
    METADATA_REFUSED,
    ChannelOutOfReach,
    FileNotReady,
    SlackFailure,
    Unavailable,
    Unknown,
    failure,
)
from bot.slack.lease_check import watch_requests
from bot.slack.web import web_client
from bot.timing.patience import running_timeout
from formatters import plain
from formatters.message import Message

METADATA_EVENT = "gwevent_delivery"
TIMEOUT_S = 15
UPLOAD_TIMEOUT_S = 30
FILE_PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Between attempts to show a file to somebody who waits for it; Slack takes a few seconds to be ready."""
ALT_TEXT_MAX = 1_000
"""Of a file; a block's may be longer (docs.slack.dev/reference/methods/files.getUploadURLExternal)."""
PAGES = 25
"""Of 200 messages: so far a channel's history is read for a post in doubt, whatever the clocks say."""
READING = frozenset(
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


Called = Callable[[str, SlackFailure | None], None]
"""(method, failure or None): told of every call that came to an end."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the bot is in a workspace."""

    team_id: str
    team: str
    user_id: str
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class ChannelFace:
    """What Slack says of a channel."""

    name: str
    private: bool
    archived: bool
    member: bool
    """Whether the bot is in it."""


class SlackClient:
    """One workspace's Web API. Every method raises a SlackFailure and nothing else of the network's."""

    def __init__(
        self,
        token: str,
        api_url: str,
        session: aiohttp.ClientSession,
        *,
        timeout_s: float = TIMEOUT_S,
        called: Called = lambda _method, _failure: None,
    ) -> None:
        """`called(method, failure)` is told of every call that came to an end."""
        # No retry handler at all: the default one sends a message again after a cut connection, in silence.
        # What is tried again, and when, is the ledger's decision.
        self._session = session
        watch_requests(session)
        self.web = web_client(token, api_url, session)
        # slack_sdk's own timeout is for sessions that it opens itself.
        self._timeout_s = timeout_s
        self._called = called

        self.scopes: frozenset[str] | None = None
        """What the token may do; None before `identify`."""

    def may(self, scope: str) -> bool:
        """Whether the token has this scope, as far as is known; unknown, it is worth a try."""
        return not self.scopes or scope in self.scopes

    async def identify(self) -> Identity:
        """Ask who the token belongs to."""
        data, headers = await self._call_with_headers("auth.test", {})
        granted = str(headers.get("x-oauth-scopes", ""))
        self.scopes = frozenset(scope.strip() for scope in granted.split(",") if scope.strip())
        return Identity(
            team_id=str(data["team_id"]),
            team=str(data.get("team", "")),
            user_id=str(data["user_id"]),
            scopes=self.scopes,
        )

    async def post(
        self,
        channel: str,
        message: Message,
        delivery_id: int,
        *,
        thread_ts: str | None = None,
        broadcast: bool = False,
    ) -> str:
        """Post a message and return its `ts`; words alone if Slack refuses what goes with them.

        `broadcast` shows a thread's reply in the channel too. Raises FileNotReady where a picture in it
        can't be shown yet.
        """
        body = {
            "channel": channel,
            "text": message.text,
            "blocks": list(message.blocks) or None,
            "metadata": {"event_type": METADATA_EVENT, "event_payload": {"delivery_id": delivery_id}},
            "thread_ts": thread_ts,
            "reply_broadcast": True if broadcast and thread_ts is not None else None,
            "unfurl_links": False,
            "unfurl_media": False,
        }
        return str((await self._or_words_alone("chat.postMessage", body, message))["ts"])

    async def show(self, channel: str, user: str, message: Message, *, thread_ts: str | None = None) -> None:
        """Show a message to one person; words alone if Slack refuses what goes with them.

        A picture that Slack can't show yet is waited for a while.
        """
        body = {
            "channel": channel,
            "user": user,
            "text": message.text,
            "blocks": list(message.blocks) or None,
            "thread_ts": thread_ts,
        }
        for pause in FILE_PAUSES_S:
            try:
                await self._or_words_alone("chat.postEphemeral", body, message)
                return
            except FileNotReady:
                await asyncio.sleep(pause)
        await self._or_words_alone("chat.postEphemeral", body, message)

    async def edit(self, channel: str, ts: str, message: Message) -> None:
        """Bring a message to a newer state; its metadata stays. Raises FileNotReady."""
        body = {"channel": channel, "ts": ts, "text": message.text, "blocks": list(message.blocks)}
        await self._or_words_alone("chat.update", body, message)

    async def channel(self, channel: str) -> ChannelFace:
        """What a channel is; `channel_not_found` where the bot can't see it."""
        data = await self._call("conversations.info", {"channel": channel})
        found = data.get("channel") or {}
        return ChannelFace(
            name=str(found.get("name", channel)),
            private=bool(found.get("is_private")),
            archived=bool(found.get("is_archived")),
            member=bool(found.get("is_member")),
        )

    async def permalink(self, channel: str, ts: str) -> str | None:
        """The address of a message; None where Slack doesn't tell it."""
        try:
            data = await self._call("chat.getPermalink", {"channel": channel, "message_ts": ts})
        except SlackFailure as failure:
            log.warning("no_permalink", reason=failure.reason, channel=channel)
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
            except ChannelOutOfReach:
                return False
            if user in data.get("members", []):
                return True
            cursor = str((data.get("response_metadata") or {}).get("next_cursor") or "")
            if not cursor:
                return False

    async def is_admin(self, user: str, team_id: str) -> bool:
        """Whether a person is an admin or an owner of this workspace; those of another's are none here."""
        found = (await self._call("users.info", {"user": user})).get("user") or {}
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
            {"filename": name, "length": len(png), "alt_txt": alt_text[:ALT_TEXT_MAX]},
        )
        await self._send_file(str(place["upload_url"]), png)
        file_id = str(place["file_id"])
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
        return str(data["view"]["id"])

    async def update_view(self, view_id: str, view: Mapping[str, Any]) -> None:
        """Show something else in an open dialog; what was typed into inputs that stay, stays."""
        await self._call("views.update", {"view_id": view_id, "view": view})

    async def publish_home(self, user_id: str, view: Mapping[str, Any]) -> None:
        """Set a person's home tab."""
        await self._call("views.publish", {"user_id": user_id, "view": view})

    async def channels_of(self, user_id: str) -> frozenset[str]:
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
            found.update(str(channel["id"]) for channel in data.get("channels", []))
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
                    raise Unknown(f"HTTP {answer.status} for an upload")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unknown(f"no answer to an upload: {type(error).__name__}") from error

    async def find(
        self, channel: str, delivery_id: int, oldest: float | None, *, thread_ts: str | None = None
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
        for _ in range(PAGES):
            data = await self._call(method, query | ({"cursor": cursor} if cursor else {}))
            messages = data.get("messages", [])
            for found in messages:
                metadata = found.get("metadata") or {}
                payload = metadata.get("event_payload") or {}
                if metadata.get("event_type") == METADATA_EVENT and payload.get("delivery_id") == delivery_id:
                    return str(found["ts"])
            cursor = str((data.get("response_metadata") or {}).get("next_cursor") or "")
            past = thread_ts is None and oldest is not None and _any_older(messages, oldest)
            if not cursor or past:
                return None
        log.warning("history_too_long", channel=channel, pages=PAGES)
        return None

    async def _or_words_alone(
        self, method: str, body: Mapping[str, Any], message: Message
    ) -> Mapping[str, Any]:
        while True:
            try:
                return await self._call(method, body)
            except FileNotReady:
                raise
            except SlackFailure as refused:
                about = "metadata" if refused.reason in METADATA_REFUSED else "blocks"
                known = refused.reason in BLOCKS_REFUSED | METADATA_REFUSED
                if not known or not body.get(about):
                    raise
                log.warning(
                    "slack_refused_blocks", method=method, reason=refused.reason, channel=body["channel"]
                )
            # An edit without blocks would keep the old ones.
            blocks: list[Any] | None = [] if method == "chat.update" else None
            body = {**body, "text": plain.fallback(message), "blocks": blocks}
            if about == "metadata":
                body["metadata"] = None

    async def _call(self, method: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        return (await self._call_with_headers(method, body))[0]

    async def _call_with_headers(
        self, method: str, body: Mapping[str, Any]
    ) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        try:
            answer = await self._send(method, body)
        except SlackFailure as failure:
            self._called(method, failure)
            raise
        self._called(method, None)
        return answer

    async def _send(
        self, method: str, body: Mapping[str, Any]
    ) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        json = {key: value for key, value in body.items() if value is not None}
        reading = method in READING
        try:
            async with running_timeout(self._timeout_s):
                if reading:
                    response = await self.web.api_call(method, params=json)
                else:
                    response = await self.web.api_call(method, json=json)
        except SlackApiError as error:
            raise _failure_of(error) from error
        except aiohttp.ClientConnectorError as error:
            raise Unavailable(f"can't connect: {error.os_error.strerror or error}") from error
        except (aiohttp.ClientError, TimeoutError, SlackClientError) as error:
            raise Unknown(f"no answer: {type(error).__name__}") from error
        data = response.data
        if not isinstance(data, dict):
            raise Unknown("an answer that is no JSON object")
        return data, {key.lower(): value for key, value in response.headers.items()}


def _any_older(messages: Iterable[Mapping[str, Any]], oldest: float) -> bool:
    return any(float(str(message.get("ts") or "inf")) < oldest for message in messages)


def _failure_of(error: SlackApiError) -> SlackFailure:
    response = error.response
    # slack_sdk hands over aiohttp's response itself where the body was no JSON.
    status = getattr(response, "status_code", None) or getattr(response, "status", 0)
    headers = getattr(response, "headers", None) or {}
    data = getattr(response, "data", None)
    data = data if isinstance(data, dict) else {}
    reason = data.get("error")
    if reason == "invalid_blocks":
        for why in map(str, data.get("errors") or ()):
            # A file that isn't ready, or an address that Slack couldn't fetch: the text is all right.
            if "slack file" in why or "downloading image failed" in why:
                return FileNotReady(why.partition(" [")[0])
    if status == 429:
        return failure("ratelimited", _seconds(headers.get("Retry-After")))
    if not isinstance(reason, str):
        return Unknown(f"HTTP {status}")
    return failure(reason, _seconds(headers.get("Retry-After")))


def _seconds(header: object) -> float | None:
    try:
        return max(0.0, float(str(header)))
    except ValueError:
        return None
