"""A local Slack in this process, with methods that act as its users and that cause failures.

`python -m bot.local_slack` runs it in a process of its own, controlled over HTTP (see control_api.py).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Collection, Coroutine, Iterable
from typing import Any, TypeVar

from bot.local_slack.app_manifest import EVENTS, SCOPES, AppConfig
from bot.local_slack.change_signal import ChangeSignal
from bot.local_slack.errors import ApiError, Json
from bot.local_slack.http_server import AddRoutes, HttpServer
from bot.local_slack.messages import to_page
from bot.local_slack.page_api import PageApi, user_state
from bot.local_slack.shared_channels import EXTERNAL_TEAM_ID, add_external_member, change_channel_id
from bot.local_slack.transport.delivery import RequestDelivery
from bot.local_slack.transport.events import EventsApi
from bot.local_slack.transport.file_server import FileServer
from bot.local_slack.transport.response_urls import ResponseUrls
from bot.local_slack.transport.socket_mode import Envelope, SocketModeServer
from bot.local_slack.trigger_ids import TriggerIds
from bot.local_slack.user_actions import ActionResult, UserActions
from bot.local_slack.web_api.dispatcher import RecordedCall, WebApi, WebApiHooks
from bot.local_slack.web_api.faults import Drop, Fault, Faults
from bot.local_slack.web_api.oauth import OAuth
from bot.local_slack.web_api.odd_answers import MessagePart, Oddity
from bot.local_slack.web_api.rate_limits import MINUTE, RateLimiter
from bot.local_slack.workspace import Change, Channel, User, Workspace

T = TypeVar("T")
APP_ID = "A0SANDBOX1"


class LocalSlack:
    """A local Slack with one app in one or more workspaces.

    `limits` switches the rate limits; blocks, texts and scopes are always checked. `file_delay` is how long
    an upload takes to become ready after its completion, in seconds. `minute` is how long a minute of the
    tiers ("50 a minute") lasts, in seconds; tests can shorten it.
    """

    def __init__(
        self,
        limits: bool = True,
        *,
        minute: float = MINUTE,
        scopes: Collection[str] = SCOPES,
        events: Collection[str] = EVENTS,
        file_delay: float = 0.2,
        team: str = "Observatory",
        config: AppConfig | None = None,
    ) -> None:
        self.config = config or AppConfig(scopes=frozenset(scopes), events=frozenset(events))
        self.app_token = f"xapp-1-{APP_ID}-{secrets.token_hex(16)}"
        self.workspaces: dict[str, Workspace] = {}
        """Workspace by team id."""
        self.file_server = FileServer(self.workspaces, file_delay)
        self.rate_limiter = RateLimiter(enabled=limits, minute=minute)
        self.faults = Faults()
        self._http_server = HttpServer()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._changes = ChangeSignal()
        trigger_ids = TriggerIds()
        self.sockets = SocketModeServer(APP_ID, self._changes.notify)
        self._response_urls = ResponseUrls(self.workspaces, self.faults)
        self.delivery = RequestDelivery(self.sockets)
        self.oauth = OAuth(self.workspaces, self.install)
        self.events = EventsApi(self.delivery, self.config.events, self._spawn)
        self._web_api = WebApi(
            self.workspaces,
            rate_limiter=self.rate_limiter,
            faults=self.faults,
            trigger_ids=trigger_ids,
            app_token=self.app_token,
            hooks=WebApiHooks(
                open_connection=self.sockets.create_url,
                exchange_code=self.oauth.exchange,
                settle_file=self.file_server.mark_ready_later,
                on_call=self._changes.notify,
            ),
        )
        self._user_actions = UserActions(
            self.config,
            delivery=self.delivery,
            trigger_ids=trigger_ids,
            response_urls=self._response_urls,
            events=self.events,
            wait=self.wait_for,
        )
        self._page = PageApi(self.workspaces, self.config, self._user_actions)
        self.workspace = self.add_team(team)
        self.user = self.workspace.add_user("observer", "Olivia Observer").id
        """The id of the user who acts if no other is given."""
        self.colleague = self.workspace.add_user("colleague", "Colin Colleague").id

    # The server

    async def start(self, port: int = 0, *, extra: Iterable[AddRoutes] = ()) -> None:
        """Listen on 127.0.0.1; port 0 takes a free one. Raises OSError if the port is taken."""
        own = (self._web_api, self.sockets, self._response_urls, self.file_server, self.oauth, self._page)
        await self._http_server.start(port, [*(part.add_routes for part in own), *extra])
        for part in (self.sockets, self._response_urls, self._web_api):
            part.base_url = self.url

    async def stop(self) -> None:
        """Close every connection and stop listening."""
        self._page.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.sockets.close(abort=True)
        await self._http_server.stop()

    async def __aenter__(self) -> LocalSlack:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """The address of the page, without a trailing slash."""
        return self._http_server.url

    @property
    def api_url(self) -> str:
        """The `base_url` for slack_sdk."""
        return f"{self.url}/api/"

    @property
    def bot_token(self) -> str:
        """The bot's token in the first workspace."""
        return self.workspace.bot_token

    @property
    def bot_user_id(self) -> str:
        """The id of the bot's user in the first workspace."""
        return self.workspace.bot.id

    @property
    def team_id(self) -> str:
        """The id of the first workspace."""
        return self.workspace.id

    def connection_info(self) -> Json:
        """Return the addresses, tokens, people and channels with which a bot and a test connect."""
        channels = self.workspace.channels.values()
        return {
            "url": self.url,
            "api_url": self.api_url,
            "bot_token": self.bot_token,
            "app_token": self.app_token,
            "bot_user_id": self.bot_user_id,
            "team_id": self.team_id,
            "user": self.user,
            "colleague": self.colleague,
            "channels": {channel.name: channel.id for channel in channels if not channel.is_im},
        }

    # Workspaces, channels, people

    def add_team(self, name: str, *, installed: bool = True) -> Workspace:
        """Add a workspace without users, with or without the app installed, and return it."""
        number = len(self.workspaces) + 1
        team_id = f"T0SANDBOX{number}"
        workspace = Workspace(
            id=team_id,
            name=name,
            domain=name.lower().replace(" ", "-"),
            bot=User(f"U0BOT{number:04d}", self.config.name, self.config.name, is_bot=True),
            bot_id=f"B0BOT{number:04d}",
            app_id=APP_ID,
            bot_token="",
            scopes=set(),
        )
        if installed:
            self.install(workspace, self.config.scopes)
        workspace.listeners.append(self._on_change)
        self.workspaces[team_id] = workspace
        self.events.watch(workspace)
        return workspace

    def install(self, workspace: Workspace, scopes: Collection[str]) -> str:
        """Install the app in a workspace, or add scopes to it there; return the bot's token."""
        if not workspace.bot_token or workspace.token_state != "good":  # noqa: S105
            workspace.bot_token = f"xoxb-sandbox-{workspace.id[-1]}-{secrets.token_hex(12)}"
            workspace.token_state = "good"  # noqa: S105
            workspace.scopes = set()
        workspace.scopes |= set(scopes)
        return workspace.bot_token

    def add_channel(
        self, name: str, private: bool = False, bot_member: bool = True, *, team: str | None = None
    ) -> str:
        """Create a channel with all users of the workspace as members and return its id."""
        workspace = self.workspaces[team or self.team_id]
        return workspace.add_channel(name, private=private, bot_member=bot_member).id

    def direct_message(self, user: str | None = None) -> str:
        """Return the id of the conversation between a user, the default one if None, and the bot."""
        return self.workspaces[self.team_id].open_direct(user or self.user).id

    def find(self, channel: str) -> tuple[Workspace, Channel]:
        """Return the workspace and channel of a channel id. Raises ApiError `channel_not_found`."""
        for workspace in self.workspaces.values():
            if channel in workspace.channels:
                return workspace, workspace.channels[channel]
        raise ApiError("channel_not_found")

    def archive(self, channel: str) -> None:
        """Archive a channel."""
        workspace, found = self.find(channel)
        workspace.archive(found)

    def unarchive(self, channel: str) -> None:
        """Unarchive a channel."""
        workspace, found = self.find(channel)
        workspace.archive(found, archived=False)

    def kick(self, channel: str) -> None:
        """Remove the bot from a channel."""
        workspace, found = self.find(channel)
        workspace.leave(found, workspace.bot.id)

    def invite(self, channel: str) -> None:
        """Add the bot to a channel, as `/invite` does."""
        workspace, found = self.find(channel)
        workspace.join(found, workspace.bot.id)

    def share(self, channel: str, *, team: str = EXTERNAL_TEAM_ID, name: str = "guest") -> str:
        """Share a channel with another workspace, add a user from there, and return the user's id."""
        workspace, found = self.find(channel)
        return add_external_member(workspace, found, team, name).id

    def convert(self, channel: str) -> str:
        """Give a channel a new id, as sharing sometimes does, and return it."""
        workspace, found = self.find(channel)
        return change_channel_id(workspace, found)

    # Actions of users

    async def command(
        self,
        command: str,
        text: str = "",
        *,
        channel: str,
        user: str | None = None,
        thread_ts: str | None = None,
    ) -> ActionResult:
        """Send a slash command; the result's `wait_for_answer` returns later answers of the app."""
        workspace, _ = self.find(channel)
        return await self._user_actions.command(
            workspace, self._who(workspace, user), channel, command, text, thread_ts
        )

    async def say(
        self, text: str, channel: str, thread_ts: str | None = None, *, user: str | None = None
    ) -> ActionResult:
        """Post a message as a user; a text that starts with "/" is a slash command."""
        workspace, _ = self.find(channel)
        return await self._user_actions.say(workspace, self._who(workspace, user), channel, text, thread_ts)

    async def press(
        self,
        channel: str,
        ts: str,
        action_id: str,
        value: str | None = None,
        *,
        block_id: str | None = None,
        chosen: Json | None = None,
        user: str | None = None,
    ) -> ActionResult:
        """Press a button of a message or an ephemeral answer."""
        workspace, _ = self.find(channel)
        who = self._who(workspace, user)
        return await self._user_actions.press(
            workspace, who, channel, ts, action_id, block_id=block_id, value=value, chosen=chosen
        )

    def view(self, user: str | None = None) -> Json | None:
        """Return the dialog that a user has open; None if there is none."""
        return self.state(user)["view"]  # type: ignore[no-any-return]

    def home(self, user: str | None = None) -> Json | None:
        """Return a user's home tab; None if it is not set."""
        return self.state(user)["home"]  # type: ignore[no-any-return]

    async def submit(
        self, values: Json | None = None, *, view_id: str | None = None, user: str | None = None
    ) -> ActionResult:
        """Submit the open dialog; `values` is {block_id: {action_id: {"type": …, "value": …}}}."""
        workspace, who = self._page.find_user(user)
        found = view_id or (workspace.modals[who.id][-1].id if workspace.modals.get(who.id) else "")
        return await self._user_actions.submit(workspace, who.id, found, values)

    async def close_view(self, *, user: str | None = None) -> ActionResult:
        """Close the open dialog."""
        workspace, who = self._page.find_user(user)
        stack = workspace.modals.get(who.id)
        return await self._user_actions.close(workspace, who.id, stack[-1].id if stack else "")

    async def view_action(
        self, action_id: str, value: str | None = None, *, view_id: str | None = None, user: str | None = None
    ) -> ActionResult:
        """Press a button of the open dialog, or of the home tab if no dialog is open."""
        workspace, who = self._page.find_user(user)
        shown = self.view(who.id) or self.home(who.id) or {"id": ""}
        return await self._user_actions.view_action(
            workspace, who.id, view_id or shown["id"], action_id, value=value
        )

    def open_home(self, user: str | None = None) -> ActionResult:
        """Open the app's home tab as a user."""
        workspace, who = self._page.find_user(user)
        return self._user_actions.open_home(workspace, who.id)

    # State

    def messages(self, channel: str, thread_ts: str | None = None) -> list[Json]:
        """Return a channel's messages and replies, or those of one thread, oldest first."""
        workspace, found = self.find(channel)
        if thread_ts is None:
            return [to_page(message) for message in found.messages.values()]
        return [to_page(m) for m in workspace.thread(found, workspace.message(found, thread_ts))]

    def ephemerals(self, channel: str, user: str | None = None) -> list[Json]:
        """Return a channel's ephemeral messages to one user, or to all users, oldest first."""
        _, found = self.find(channel)
        return [to_page(m) for m in found.ephemerals.values() if user in (None, m.seen_by)]

    def state(self, user: str | None = None) -> Json:
        """Return everything that a user sees, as the JSON that the page receives."""
        workspace, who = self._page.find_user(user)
        return user_state(workspace, self.config, who)

    @property
    def calls(self) -> list[RecordedCall]:
        """Recorded calls of the Web API, oldest first."""
        return self._web_api.calls

    @property
    def envelopes(self) -> list[Envelope]:
        """Recorded deliveries over Socket Mode, oldest first."""
        return self.sockets.envelopes

    async def wait_for(self, predicate: Callable[[], T], timeout: float = 30.0) -> T:  # noqa: ASYNC109
        """Wait until the predicate returns something true, and return it. Raises TimeoutError.

        The predicate is evaluated after each change of the local Slack, and at short intervals.
        """
        return await self._changes.wait_for(predicate, timeout)

    # Failures

    def fail(
        self,
        method: str,
        *,
        status: int | None = None,
        error: str | None = None,
        retry_after: float | None = None,
        times: int | None = 1,
        channel: str | None = None,
        drop: Drop | None = None,
        delay: float = 0.0,
        delay_after: float = 0.0,
        having: tuple[MessagePart, ...] = (),
        oddity: Oddity | None = None,
    ) -> None:
        """Make a Web API method fail ("*" for all methods); see faults.Fault."""
        fault = Fault(
            method, status, error, retry_after, times, channel, drop, delay, delay_after, having, oddity
        )
        self.faults.add(fault)

    async def close_sockets(self, *, abort: bool = False) -> None:
        """Close the Socket Mode connections with a close frame; with `abort` without one."""
        await self.sockets.close(abort=abort)

    async def refresh_sockets(self) -> None:
        """Ask the app to open new connections, as Slack does every few hours."""
        await self.sockets.refresh()

    def hang_sockets(self) -> None:
        """Stop reading from the open Socket Mode connections without closing them."""
        self.sockets.hang()

    def refuse_sockets(self, seconds: float) -> None:
        """Refuse new Socket Mode connections for a while."""
        self.sockets.refuse(seconds)

    async def deliver_to(self, request_url: str | None) -> None:
        """Deliver to the app by signed requests to this address; None means Socket Mode again.

        Raises ValueError if the address doesn't answer Slack's challenge.
        """
        self.delivery.request_url = request_url
        if request_url is not None and not await self.delivery.verify_url():
            self.delivery.request_url = None
            raise ValueError(f"{request_url} doesn't answer the challenge.")

    def revoke_token(self, error: str = "token_revoked", *, team: str | None = None) -> None:
        """Revoke the bot's token: every call returns `error` ("token_revoked", "account_inactive"…)."""
        if error not in ("token_revoked", "account_inactive", "token_expired"):
            raise ValueError(f"{error} is no state of a token")
        self.workspaces[team or self.team_id].token_state = error  # type: ignore[assignment]

    def restore_token(self, *, team: str | None = None) -> None:
        """Make the bot's token valid again."""
        self.workspaces[team or self.team_id].token_state = "good"  # noqa: S105

    def uninstall(self, *, team: str | None = None) -> None:
        """Uninstall the app from a workspace: revoke its token and notify the app."""
        workspace = self.workspaces[team or self.team_id]
        workspace.token_state = "account_inactive"  # noqa: S105
        self.events.emit(workspace, {"type": "app_uninstalled"})
        tokens = {"oauth": [], "bot": [workspace.bot.id]}
        self.events.emit(workspace, {"type": "tokens_revoked", "tokens": tokens})

    def settle_file(self, file_id: str) -> None:
        """Make an upload ready now; with an infinite `file_delay`, uploads become ready only so."""
        self.file_server.mark_ready(file_id)

    def grant(self, scope: str, *, team: str | None = None) -> None:
        """Add a scope to the bot's token."""
        self.workspaces[team or self.team_id].scopes.add(scope)

    def ungrant(self, scope: str, *, team: str | None = None) -> None:
        """Remove a scope from the bot's token."""
        self.workspaces[team or self.team_id].scopes.discard(scope)

    # Internal

    def _who(self, workspace: Workspace, user: str | None) -> str:
        return user or workspace.people()[0].id

    def _on_change(self, change: Change) -> None:
        self._changes.notify()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
