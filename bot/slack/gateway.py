"""Connect the app to Slack, for one workspace or many, by Socket Mode or HTTP.

A single workspace has its token in the settings; many have theirs in the store, and are added and removed at
any time. Slack sends requests through a WebSocket that the app opens (Socket Mode), or signed to its HTTP
address.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

import aiohttp
import structlog
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_sdk.errors import SlackClientError

from bot.runtime.retry import retry_until_done
from bot.runtime.wakeups import Wakeups
from bot.settings import Settings, SettingsError
from bot.slack import oauth
from bot.slack.client import Identity, OnCall, SlackClient
from bot.slack.errors import SlackFailure
from bot.slack.request_team import SHARED_CHANNEL_HINT, TeamResolver
from bot.slack.scopes import requested_scopes
from bot.slack.socket_mode import OtherConnectionsWarning, SocketModeSupervisor, SocketState
from bot.slack.token_cipher import InvalidKeys, TokenCipher
from bot.slack.web_client import create_web_client
from bot.slack.workspaces import WorkspaceRegistry
from bot.store.channels.installations import InstallationRepository
from bot.store.database import StoreUnavailable
from formatters.models.left_incident import Removal

EVENTS_PATH = "/slack/events"
MAX_REQUEST_BYTES = 1_000_000
"""Bytes of a request's body; Slack's have a few thousand."""
FIRST_BACKOFF_S = 0.5
MAX_BACKOFF_S = 60.0
BOLT_ENV_VARIABLES = (
    "SLACK_BOT_TOKEN",
    "SLACK_CLIENT_ID",
    "SLACK_CLIENT_SECRET",
    "SLACK_SIGNING_SECRET",
    "SLACK_VERIFICATION_TOKEN",
)

T = TypeVar("T")

log = structlog.get_logger(__name__)


class SlackGateway:
    """Connects the app to Slack and keeps it connected."""

    def __init__(
        self,
        settings: Settings,
        installations: InstallationRepository,
        clients: dict[str, SlackClient],
        clock: Callable[[], datetime],
        *,
        register_listeners: Callable[[AsyncApp], None],
        wakeups: Wakeups,
        on_call: OnCall,
    ) -> None:
        """`clients`, by team id, is filled here as workspaces become known.

        `register_listeners` adds the listeners to a Bolt app. Raises SettingsError if the tokens are missing
        or the encryption keys are invalid.
        """
        self._access = access = settings.slack_access()
        self._settings = settings
        self._installations = installations
        self._clients = clients
        self._clock = clock
        self._register_listeners = register_listeners
        self._wakeups = wakeups
        self._on_call = on_call
        self._app: AsyncApp | None = None
        self._oauth_flow: AsyncOAuthFlow | None = None
        self._socket_mode: SocketModeSupervisor | None = None
        self._workspaces: WorkspaceRegistry | None = None
        try:
            keys = [key.get_secret_value() for key in access.keys]
            self._token_cipher = None if access.client_id is None else TokenCipher(keys)
        except InvalidKeys as error:
            raise SettingsError(str(error)) from error

    @property
    def state(self) -> SocketState:
        """The state of the connection by which requests come."""
        if self._socket_mode is not None:
            return self._socket_mode.state
        if self._app is None or self._access.app_token is not None:
            return SocketState(False, "not connected yet")
        return SocketState(True, "")

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the HTTP routes for Slack's requests and for installing the app, as far as they are used."""
        if self._access.app_token is None:
            router.add_post(EVENTS_PATH, self._handle_request)
        if self._access.client_id is not None:
            router.add_get(oauth.INSTALL_PATH, self._handle_install)
            router.add_get(oauth.REDIRECT_PATH, self._handle_oauth_redirect)

    async def run(
        self,
        session: aiohttp.ClientSession,
        on_identified: Callable[[Identity | None], Awaitable[None]],
        on_connected: Callable[[], None],
    ) -> None:
        """Identify the bot, call `on_identified`, then serve requests until cancelled.

        With many workspaces `on_identified` gets None. `on_connected` is called once requests can come.
        """
        if self._access.bot_token is not None:
            app, identity = await self._single_workspace(self._access.bot_token.get_secret_value(), session)
            await on_identified(identity)
            await self._serve_requests(app, session, on_connected)
            return
        workspaces, app = await self._multi_workspace(session)
        await on_identified(None)
        async with asyncio.TaskGroup() as group:
            group.create_task(workspaces.run())
            group.create_task(self._serve_requests(app, session, on_connected))

    async def close(self) -> None:
        """Close the connection."""
        if self._socket_mode is not None:
            await self._socket_mode.close()

    async def _single_workspace(
        self, token: str, session: aiohttp.ClientSession
    ) -> tuple[AsyncApp, Identity]:
        client = SlackClient(token, self._settings.slack_api_url, session, on_call=self._on_call)
        identity = await _retry_until_connected(client.identify)
        log.info("slack_connected", team=identity.team_id, bot=identity.user_id)
        self._clients[identity.team_id] = client
        self._wakeups.deliveries.set()

        async def authorize() -> AuthorizeResult:
            # With the token alone Bolt asks auth.test at the first request, and if Slack doesn't answer just
            # then, it drops the request and tells the person to install the app again.
            return AuthorizeResult(
                enterprise_id=None,
                team_id=identity.team_id,
                bot_token=token,
                bot_id=identity.bot_id,
                bot_user_id=identity.user_id,
            )

        app = self._create_bolt_app(
            TeamResolver(self._clients),
            client=create_web_client(None, self._settings.slack_api_url, session),
            authorize=authorize,
        )
        self._register_listeners(app)
        return app, identity

    async def _multi_workspace(self, session: aiohttp.ClientSession) -> tuple[WorkspaceRegistry, AsyncApp]:
        access, token_cipher = self._access, self._token_cipher
        assert access.client_id is not None and access.client_secret is not None and token_cipher is not None
        assert self._settings.public_url is not None, "the settings require it for many workspaces"
        workspaces = WorkspaceRegistry(
            self._installations,
            token_cipher,
            self._clients,
            self._settings.slack_api_url,
            session,
            self._wakeups,
            on_call=self._on_call,
        )
        self._workspaces = workspaces
        # Without a token: Bolt passes a workspace's token with each call.
        client = create_web_client(None, self._settings.slack_api_url, session)

        async def authorize(team_id: str | None) -> AuthorizeResult | None:
            return await workspaces.authorize(team_id)

        self._oauth_flow = oauth.create_oauth_flow(
            self._installations,
            token_cipher,
            self._clock,
            client_id=access.client_id,
            client_secret=access.client_secret.get_secret_value(),
            public_url=self._settings.public_url,
            client=client,
            authorization_url=self._settings.authorization_url,
            scopes=requested_scopes(self._settings.who_may_subscribe),
            on_saved=workspaces.request_sync,
        )
        missing = (
            "gwevent isn't installed here, or not any more; "
            f"{self._settings.public_url}{oauth.INSTALL_PATH} installs it."
        )
        app = self._create_bolt_app(
            TeamResolver(
                self._clients,
                sync_installations=workspaces.sync,
                not_installed=f"{missing} {SHARED_CHANNEL_HINT}",
            ),
            client=client,
            authorize=authorize,
            user_facing_authorize_error_message=missing,
        )
        # Registered first: the last of the other listeners accepts every event.
        oauth.register_uninstall_listeners(app, self._forget_workspace)
        self._register_listeners(app)
        return workspaces, app

    def _create_bolt_app(self, team_resolver: TeamResolver, **options: Any) -> AsyncApp:
        secret = self._access.signing_secret
        with _hide_bolt_env_variables():
            return AsyncApp(
                # Without a name Bolt looks for the caller's file, and for that through all modules: 0.1 s.
                name="gwevent",
                signing_secret=None if secret is None else secret.get_secret_value(),
                # Without this logger Bolt uses the root's level, and logs at DEBUG what people write.
                logger=logging.getLogger("slack_bolt"),
                before_authorize=team_resolver.middleware,
                **options,
            )

    async def _serve_requests(
        self, app: AsyncApp, session: aiohttp.ClientSession, on_connected: Callable[[], None]
    ) -> None:
        self._app = app
        if self._access.app_token is None:
            log.info("http_requests_accepted", path=EVENTS_PATH)
            on_connected()
            await asyncio.Event().wait()
            return
        token = self._access.app_token.get_secret_value()
        client = create_web_client(token, self._settings.slack_api_url, session)
        # On PostgreSQL any number of processes may share the token.
        is_alone = self._settings.effective_database_url.startswith("sqlite")
        warnings = [OtherConnectionsWarning()] if is_alone else []

        def create_handler() -> AsyncSocketModeHandler:
            handler = AsyncSocketModeHandler(app, token, web_client=client)
            # The WebSocket uses the proxy of the call that returns its address.
            handler.client.proxy = client.proxy
            handler.client.message_listeners.extend(warnings)
            return handler

        if self._socket_mode is not None:
            # Restarted after a system error: the previous connection may still be open.
            await self._socket_mode.close()
        self._socket_mode = SocketModeSupervisor(create_handler)

        def on_socket_connected() -> None:
            log.info("socket_mode_connected")
            on_connected()

        await self._socket_mode.run(on_socket_connected)

    async def _forget_workspace(self, team_id: str, at: datetime, removal: Removal) -> None:
        is_removed = await retry_until_done(
            lambda: self._installations.delete_workspace(team_id, self._clock(), removal, at=at),
            expected=StoreUnavailable,
            on_failure=lambda error, _wait_s: log.warning(
                "store_unavailable", subsystem="slack", work="delete_workspace", reason=str(error)
            ),
            first_wait_s=FIRST_BACKOFF_S,
            max_wait_s=MAX_BACKOFF_S,
        )
        if not is_removed:
            log.info("workspace_deletion_skipped", team=team_id, reason="not known, or installed again since")
            return
        self._clients.pop(team_id, None)
        log.info("workspace_deleted", team=team_id)
        self._wakeups.webhook.set()
        if self._workspaces is not None:
            self._workspaces.request_sync()

    async def _handle_request(self, request: web.Request) -> web.Response:
        if self._app is None:
            raise web.HTTPServiceUnavailable(text="Not ready yet.")
        # A proxy may send it in chunks without a length; aiohttp itself limits those to 1 MiB.
        if request.content_length is not None and request.content_length > MAX_REQUEST_BYTES:
            raise web.HTTPRequestEntityTooLarge(MAX_REQUEST_BYTES, request.content_length)
        return await to_aiohttp_response(await self._app.async_dispatch(await to_bolt_request(request)))

    async def _handle_install(self, request: web.Request) -> web.Response:
        if self._oauth_flow is None:
            raise web.HTTPServiceUnavailable(text="Not ready yet.")
        try:
            response = await self._oauth_flow.handle_installation(await to_bolt_request(request))
        except StoreUnavailable:
            raise web.HTTPServiceUnavailable(text="The store doesn't answer; try again.") from None
        return await to_aiohttp_response(response)

    async def _handle_oauth_redirect(self, request: web.Request) -> web.Response:
        if self._oauth_flow is None:
            raise web.HTTPServiceUnavailable(text="Not ready yet.")
        try:
            response = await self._oauth_flow.handle_callback(await to_bolt_request(request))
        except StoreUnavailable:
            raise web.HTTPServiceUnavailable(text="The store doesn't answer; begin again.") from None
        except (SlackClientError, aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("installation_failed", reason=type(error).__name__)
            raise web.HTTPBadGateway(text="Slack didn't answer; begin again.") from None
        return await to_aiohttp_response(response)


@contextmanager
def _hide_bolt_env_variables() -> Iterator[None]:
    """Hide the environment variables that Bolt's constructor would read by itself.

    It would warn about a second token, and create an OAuth flow of its own beside ours.
    """
    kept = {name: os.environ.pop(name) for name in BOLT_ENV_VARIABLES if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)


async def _retry_until_connected(work: Callable[[], Awaitable[T]]) -> T:
    def log_failure(error: Exception, wait_s: float) -> None:
        reason = error.reason if isinstance(error, SlackFailure) else f"{type(error).__name__}: {error}"
        log.error("slack_unreachable", reason=reason, retry_in_s=wait_s)

    return await retry_until_done(
        work,
        expected=(SlackFailure, SlackClientError, aiohttp.ClientError, TimeoutError, OSError),
        on_failure=log_failure,
        first_wait_s=FIRST_BACKOFF_S,
        max_wait_s=MAX_BACKOFF_S,
    )
