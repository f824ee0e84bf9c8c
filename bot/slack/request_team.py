"""Find the workspace of each request: the one through whose installation of the app it came."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from cachetools import LRUCache
from slack_bolt.async_app import AsyncAck, AsyncBoltContext
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.runtime.http_proxy import proxy_for
from bot.slack.client import SlackClient
from bot.slack.errors import SlackFailure, WorkspaceUnavailable
from bot.slack.middleware import is_allowed_response_url, respond_ephemeral
from bot.slack.request_body import (
    object_field,
    request_channel,
    request_channel_and_user,
    request_team,
    teams_in_request,
    uninstalled_team,
)
from bot.slack.web_client import ProxiedRespond
from bot.store.database import StoreUnavailable
from formatters.answers.help import error_message

CALL_TIMEOUT_S = 1.2
"""Time that one call may take before the request is acknowledged; Slack waits 3 s for that."""
MAX_REMEMBERED = 10_000
UNINSTALL_EVENTS = frozenset({"app_uninstalled", "tokens_revoked"})
"""Events about an installation itself."""
SHARED_CHANNEL_HINT = (
    "In a channel that is shared with another workspace, mention @gwevent with the same words instead."
)
NOT_INSTALLED = (
    "gwevent isn't installed in the workspace that this came from, so nothing was done. "
    f"{SHARED_CHANNEL_HINT}"
)

log = structlog.get_logger(__name__)


class TeamResolver:
    """Resolves the workspace of each request before Bolt authorizes it."""

    def __init__(
        self,
        clients: Mapping[str, SlackClient],
        *,
        sync_installations: Callable[[], Awaitable[None]] | None = None,
        not_installed: str = NOT_INSTALLED,
    ) -> None:
        """`clients` are the installations, by team id.

        `sync_installations` updates them; None if a single workspace is served. `not_installed` is the answer
        to requests from other workspaces.
        """
        self._clients = clients
        self._sync_installations = sync_installations
        self._not_installed = not_installed
        self._remembered_teams: LRUCache[tuple[str, str], str] = LRUCache(MAX_REMEMBERED)
        """(channel, person of another workspace) -> the team whose installation answered there."""

    async def resolve(self, body: Mapping[str, Any]) -> str | None:
        """Return the workspace of a request; None if it belongs to no known installation."""
        if object_field(body, "event").get("type") in UNINSTALL_EVENTS:
            return uninstalled_team(body)
        named, where = teams_in_request(body), request_channel_and_user(body)
        if self._sync_installations is not None and not (named and named[0] in self._clients):
            # Another process may have stored the installation a moment ago.
            try:
                await self._sync_installations()
            except StoreUnavailable as error:
                log.warning(
                    "store_unavailable", subsystem="slack", work="sync_installations", reason=str(error)
                )
        team = request_team(body, self._clients)
        if team is not None:
            if len(named) > 1 and where is not None:
                self._remembered_teams[where] = team
            return team
        # A button of an ephemeral answer comes without a message, which would name our workspace.
        remembered = None if where is None else self._remembered_teams.get(where)
        if remembered is not None and remembered in self._clients:
            return remembered
        return await self._resolve_single(body) if self._sync_installations is None else None

    async def _resolve_single(self, body: Mapping[str, Any]) -> str | None:
        """Return the single workspace that is served, unless it can't see the request's channel."""
        own = next(iter(self._clients), None)
        if own is None or "actions" in body or "view" in body:
            # Buttons and inputs exist only in messages and views of this installation.
            return own
        channel = request_channel(body)
        if channel is None:
            return None
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                await self._clients[own].channel_info(channel)
        except (SlackFailure, TimeoutError) as failure:
            reason = failure.reason if isinstance(failure, SlackFailure) else "no answer"
            log.warning("channel_not_visible", channel=channel, reason=reason)
            # Without the scope it can't be checked: the post in the channel will show it.
            return own if reason == "missing_scope" else None
        return own

    async def middleware(
        self,
        ack: AsyncAck,
        client: AsyncWebClient,
        body: dict[str, Any],
        context: AsyncBoltContext,
        next_: Callable[[], Awaitable[BoltResponse]],
    ) -> BoltResponse:
        """Put the workspace into the request's context, for authorization and all listeners.

        A request from an unknown workspace ends here, with a sentence if one can be shown.
        """
        if body.get("type") in ("url_verification", "ssl_check") or "ssl_check" in body:
            return await next_()
        # The client that Bolt creates for each request uses HTTPS_PROXY for every address.
        client.proxy = proxy_for(client.base_url)
        context["respond"] = respond = ProxiedRespond(response_url=context.response_url)
        team = await self.resolve(body)
        if team is not None:
            context["team_id"] = team
            # Sent with every call that this request's client makes.
            client.default_params["team_id"] = team
            return await next_()
        log.warning(
            "request_rejected",
            reason="unknown_workspace",
            teams=teams_in_request(body),
            type=object_field(body, "event").get("type") or body.get("type"),
            command=body.get("command"),
        )
        message = error_message(self._not_installed)
        if body.get("type") == "view_submission":
            return await ack(response_action="update", view=_message_modal(message.text))
        if is_allowed_response_url(body.get("response_url"), client.base_url):
            await respond_ephemeral(respond, message.text, CALL_TIMEOUT_S)
        return await ack()


def context_team(context: Mapping[str, Any]) -> str:
    """Return the workspace of the request that a listener handles."""
    return str(context["team_id"])


def get_client(clients: Mapping[str, SlackClient], team_id: str) -> SlackClient:
    """Return a workspace's client. Raises WorkspaceUnavailable if the app was uninstalled meanwhile."""
    client = clients.get(team_id)
    if client is None:
        raise WorkspaceUnavailable("not_installed")
    return client


def _message_modal(text: str) -> dict[str, Any]:
    return {
        "type": "modal",
        "title": {"type": "plain_text", "text": "gwevent"},
        "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": text}}],
    }
