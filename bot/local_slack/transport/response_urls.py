"""Response URLs: an app may answer an interaction up to five times within thirty minutes."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic

from aiohttp import web

from bot.local_slack.block_kit import block_checks
from bot.local_slack.errors import ApiError, Json
from bot.local_slack.messages import Message
from bot.local_slack.web_api.faults import RESPOND, Faults
from bot.local_slack.workspace import Draft, Workspace

MAX_USES = 5
LIFETIME_S = 30 * 60.0
"""How long a response URL is valid, seconds."""
ALLOWED_KEYS = frozenset(
    {
        "text",
        "blocks",
        "attachments",
        "response_type",
        "replace_original",
        "delete_original",
        "thread_ts",
        "unfurl_links",
        "unfurl_media",
        "metadata",
        "headers",
    }
)


@dataclass(slots=True)
class ResponseUrl:
    """A response URL of one interaction."""

    url: str
    team: str
    channel: str
    user: str
    original: Message | None
    """The message whose button was pressed, if any."""
    created_at: float
    uses: int = 0
    messages: list[Message] = field(default_factory=list)
    """Messages posted through the URL, oldest first."""


class ResponseUrls:
    """The response URLs that were issued."""

    def __init__(
        self, workspaces: Mapping[str, Workspace], faults: Faults, clock: Callable[[], float] = monotonic
    ) -> None:
        """`faults` of the method "respond" refuse an answer, with their status (else 400) and error."""
        self._workspaces = workspaces
        self._faults = faults
        self._clock = clock
        self._urls: dict[str, ResponseUrl] = {}
        self.base_url = ""

    def create(self, team: str, channel: str, user: str, original: Message | None = None) -> ResponseUrl:
        """Create a response URL for a user's interaction."""
        secret = secrets.token_urlsafe(18)
        url = f"{self.base_url}/response/{team}/{secret}"
        response_url = ResponseUrl(url, team, channel, user, original, self._clock())
        self._urls[secret] = response_url
        return response_url

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the route of the response URLs."""
        router.add_post("/response/{team}/{secret}", self._handle)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        known = self._urls.get(request.match_info["secret"])
        if known is None:
            return web.json_response({"ok": False, "error": "expired_url"}, status=404)
        if self._clock() - known.created_at > LIFETIME_S:
            return web.json_response({"ok": False, "error": "expired_url"}, status=404)
        if known.uses >= MAX_USES:
            return web.json_response({"ok": False, "error": "used_url"}, status=404)
        known.uses += 1
        try:
            body = await request.json()
        except ValueError:
            return web.json_response({"ok": False, "error": "invalid_payload"}, status=400)
        fault = self._faults.match(RESPOND, known.channel, body if isinstance(body, dict) else None)
        if fault is not None:
            return web.Response(text=fault.error or "internal_error", status=fault.status or 400)
        try:
            self.apply_answer(known, body)
        except ApiError as refusal:
            return web.json_response(refusal.body(), status=404 if "not_found" in refusal.error else 400)
        return web.Response(text="ok")

    def apply_answer(self, known: ResponseUrl, body: object) -> None:
        """Apply the app's answer, from a response URL or an acknowledgement.

        Raises ApiError as `chat.postMessage` does.
        """
        workspace = self._workspaces[known.team]
        if not isinstance(body, dict) or not body.keys() <= ALLOWED_KEYS or body.get("attachments"):
            raise ApiError("invalid_payload")
        original = known.original
        if body.get("delete_original"):
            if original is None:
                raise ApiError("invalid_payload")
            workspace.delete(original)
            return
        text, blocks = self._content(workspace, body)
        if body.get("replace_original"):
            if original is None:
                raise ApiError("invalid_payload")
            workspace.edit(original, text=text, blocks=blocks or ())
            known.messages.append(original)
            return
        kind = body.get("response_type", "ephemeral")
        channel = workspace.visible_channel(known.channel, known.user)
        if kind not in ("ephemeral", "in_channel"):
            raise ApiError("invalid_payload")
        if channel.archived:
            raise ApiError("is_archived")
        thread_ts = body.get("thread_ts")
        if thread_ts is not None:
            workspace.thread_root(channel, str(thread_ts))
        draft = Draft(
            channel.id,
            workspace.bot.id,
            text,
            blocks or (),
            bot_id=workspace.bot_id,
            app_id=workspace.app_id,
            thread_ts=thread_ts,
        )
        shown = workspace.post(draft) if kind == "in_channel" else workspace.post_ephemeral(draft, known.user)
        known.messages.append(shown)

    def _content(self, workspace: Workspace, body: Json) -> tuple[str, tuple[Json, ...] | None]:
        text, blocks = body.get("text") or "", body.get("blocks")
        if not isinstance(text, str):
            raise ApiError("invalid_payload")
        if len(text) > block_checks.MAX_POST_TEXT:
            raise ApiError("msg_too_long")
        if blocks is not None:
            found = block_checks.check_message(blocks)
            if found.files:
                # It is not documented that Slack accepts images here; `chat.postEphemeral` does.
                raise ApiError("invalid_blocks")
        if not text and not blocks:
            raise ApiError("no_text")
        return text, None if blocks is None else tuple(blocks)
