"""Whose request it is: the workspace through whose installation of the app it came.

In a channel that Slack Connect shares, people of other workspaces press, type and mention too, and Slack
names their workspace beside ours in most of what it sends: `team_id` at the top of an event is that of who
wrote, `user.team_id` of a button that of who pressed. Subscriptions, clients and tokens belong to ours.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Container, Iterator, Mapping
from typing import Any

import structlog
from slack_bolt.async_app import AsyncAck, AsyncBoltContext
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from bot.runtime.http_proxy import proxy_for
from bot.slack.client import SlackClient
from bot.slack.errors import SlackFailure, WorkspaceUnavailable
from bot.slack.middleware import is_allowed_response_url
from bot.slack.web_client import ProxiedRespond
from bot.store.database import StoreUnavailable
from formatters.answers.help import error_message

CALL_TIMEOUT_S = 1.2
"""How long Slack may take for one call before it is acknowledged; it waits 3 s itself."""
MAX_REMEMBERED = 10_000
UNINSTALL_EVENTS = frozenset({"app_uninstalled", "tokens_revoked"})
"""Events about an installation itself."""
SHARED_CHANNEL_HINT = (
    "In a channel that is shared with another workspace, mention @gwevent with the same words instead."
)
NOT_INSTALLED = f"gwevent isn't installed in the workspace that this came from, so nothing was done. {SHARED_CHANNEL_HINT}"

log = structlog.get_logger(__name__)


def teams_in_request(body: Mapping[str, Any]) -> tuple[str, ...]:
    """Every workspace that a request names, the surest to be the app's own first.

    A view says where its app is installed, a message of ours who posted it, an event by which installation
    it may be seen; what follows may be the workspace of the person.
    """
    return tuple(dict.fromkeys(team for team in _teams_named(body) if isinstance(team, str) and team))


def request_team(body: Mapping[str, Any], installed: Container[str]) -> str | None:
    """The workspace whose installation a request came through; None if it names none of them."""
    return next((team for team in teams_in_request(body) if team in installed), None)


def uninstalled_team(body: Mapping[str, Any]) -> str | None:
    """The workspace that took the app away.

    All that it had is removed, so where the event names more than one workspace it is none.
    """
    named = teams_in_request(body)
    return named[0] if len(named) == 1 else None


def _teams_named(body: Mapping[str, Any]) -> Iterator[object]:
    view, user = _object_field(body, "view"), _object_field(body, "user")
    yield view.get("app_installed_team_id")
    yield _object_field(body, "message").get("team")
    authorizations = body.get("authorizations")
    for one in authorizations if isinstance(authorizations, list) else ():
        # Null where a whole organisation installed it.
        yield one.get("team_id") if isinstance(one, dict) else None
    yield body.get("context_team_id")
    yield _object_field(body, "team").get("id")
    yield body.get("team")
    yield body.get("team_id")
    yield user.get("team_id")
    yield view.get("team_id")


def _object_field(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = body.get(name)
    return found if isinstance(found, dict) else {}


class TeamResolver:
    """Finds the workspace of each request before anything else is done with it."""

    def __init__(
        self,
        clients: Mapping[str, SlackClient],
        *,
        sync_installations: Callable[[], Awaitable[None]] | None = None,
        not_installed: str = NOT_INSTALLED,
    ) -> None:
        """`clients` are the installations, by team.

        `follow` brings them up to date where there are many, None says that there is one; `stranger` is
        said to people of workspaces that aren't among them.
        """
        self._clients = clients
        self._sync_installations = sync_installations
        self._not_installed = not_installed
        self._remembered_teams: OrderedDict[tuple[str, str], str] = OrderedDict()
        """(channel, person of another workspace) -> whose installation answered them there."""

    async def resolve(self, body: Mapping[str, Any]) -> str | None:
        """The workspace of a request; None if it is of no installation that is known."""
        if _object_field(body, "event").get("type") in UNINSTALL_EVENTS:
            return uninstalled_team(body)
        named, where = teams_in_request(body), _channel_and_user(body)
        if self._sync_installations is not None and not (named and named[0] in self._clients):
            # Another process may have taken the installation in a moment ago.
            try:
                await self._sync_installations()
            except StoreUnavailable as error:
                log.warning("installations_wait_for_store", reason=str(error))
        team = request_team(body, self._clients)
        if team is not None:
            if len(named) > 1 and where is not None:
                self._remember(where, team)
            return team
        # A button of an answer that one person alone sees comes without a message that would name us.
        remembered = None if where is None else self._remembered_teams.get(where)
        if remembered is not None and remembered in self._clients:
            return remembered
        return await self._resolve_single(body) if self._sync_installations is None else None

    async def _resolve_single(self, body: Mapping[str, Any]) -> str | None:
        """Of the one workspace that is served, unless it is about a channel that isn't in its reach."""
        own = next(iter(self._clients), None)
        if own is None or "actions" in body or "view" in body:
            # Nobody can press or enter anything but in messages and views of this installation.
            return own
        channel = _channel_id(body)
        if channel is None:
            return None
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                await self._clients[own].channel_info(channel)
        except (SlackFailure, TimeoutError) as failure:
            reason = failure.reason if isinstance(failure, SlackFailure) else "no answer"
            log.warning("channel_not_in_reach", channel=channel, reason=reason)
            # Not allowed to look: then the post in the channel will tell.
            return own if reason == "missing_scope" else None
        return own

    def _remember(self, where: tuple[str, str], team: str) -> None:
        self._remembered_teams[where] = team
        self._remembered_teams.move_to_end(where)
        while len(self._remembered_teams) > MAX_REMEMBERED:
            self._remembered_teams.popitem(last=False)

    async def middleware(
        self,
        ack: AsyncAck,
        client: AsyncWebClient,
        body: dict[str, Any],
        context: AsyncBoltContext,
        next_: Callable[[], Awaitable[BoltResponse]],
    ) -> BoltResponse:
        """Put the workspace into the request's context, for authorisation and every listener.

        A request of a workspace that isn't known ends here, with a sentence where one can be shown.
        """
        if body.get("type") in ("url_verification", "ssl_check") or "ssl_check" in body:
            return await next_()
        # Those that Bolt makes for each request take HTTPS_PROXY for everything.
        client.proxy = proxy_for(client.base_url)
        context["respond"] = respond = ProxiedRespond(response_url=context.response_url)
        team = await self.resolve(body)
        if team is not None:
            context["team_id"] = team
            # Bolt sends it along with every call of this request.
            client.default_params["team_id"] = team
            return await next_()
        log.warning(
            "request_of_unknown_workspace",
            teams=teams_in_request(body),
            type=_object_field(body, "event").get("type") or body.get("type"),
            command=body.get("command"),
        )
        said = error_message(self._not_installed)
        if body.get("type") == "view_submission":
            return await ack(response_action="update", view=_message_modal(said.text))
        if is_allowed_response_url(body.get("response_url"), client.base_url):
            await _respond_ephemeral(respond, said.text)
        return await ack()


def context_team(context: Mapping[str, Any]) -> str:
    """The workspace of the request that a listener is called for."""
    return str(context["team_id"])


def get_client(clients: Mapping[str, SlackClient], team_id: str) -> SlackClient:
    """The client of a workspace. Raises WorkspaceUnavailable where the app was taken away meanwhile."""
    client = clients.get(team_id)
    if client is None:
        raise WorkspaceUnavailable("not_installed")
    return client


def _channel_and_user(body: Mapping[str, Any]) -> tuple[str, str] | None:
    event = _object_field(body, "event")
    user = event.get("user") or _object_field(body, "user").get("id") or body.get("user_id")
    channel = _channel_id(body)
    return (channel, user) if isinstance(user, str) and channel is not None else None


def _channel_id(body: Mapping[str, Any]) -> str | None:
    channel = _object_field(body, "event").get("channel") or body.get("channel_id") or body.get("channel")
    channel = channel.get("id") if isinstance(channel, dict) else channel
    return channel if isinstance(channel, str) and channel else None


def _message_modal(text: str) -> dict[str, Any]:
    return {
        "type": "modal",
        "title": {"type": "plain_text", "text": "gwevent"},
        "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": text}}],
    }


async def _respond_ephemeral(respond: ProxiedRespond, text: str) -> None:
    try:
        async with asyncio.timeout(CALL_TIMEOUT_S):
            await respond(text=text, response_type="ephemeral", replace_original=False)
    except (SlackClientError, OSError, TimeoutError) as error:
        log.warning("not_told", reason=type(error).__name__)
