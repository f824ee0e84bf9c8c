"""Install the app in a workspace: Bolt's OAuth flow on our own store."""

from __future__ import annotations

import html
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import structlog
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltContext
from slack_bolt.error import BoltError
from slack_bolt.oauth.async_callback_options import AsyncCallbackOptions, AsyncFailureArgs, AsyncSuccessArgs
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.oauth.installation_store import Installation
from slack_sdk.oauth.installation_store.async_installation_store import AsyncInstallationStore
from slack_sdk.oauth.state_store.async_state_store import AsyncOAuthStateStore
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.install_page import install_page, security_headers
from bot.slack.request_team import context_team
from bot.slack.token_cipher import TokenCipher
from bot.store.channels.installations import STATE_LIFETIME, InstallationRepository, InstalledWorkspace
from bot.store.database import StoreUnavailable
from formatters.models.left_incident import Removal

INSTALL_PATH = "/slack/install"
REDIRECT_PATH = "/slack/oauth_redirect"

ORGANISATION_NOT_SUPPORTED = (
    "gwevent is installed in one workspace at a time, not in a whole Enterprise Grid organisation: choose a"
    " workspace."
)

log = structlog.get_logger(__name__)


class _BoltInstallationStore(AsyncInstallationStore):  # type: ignore[misc, unused-ignore]
    """Adapts `InstallationRepository` to Bolt, for saving only: requests are authorized elsewhere."""

    def __init__(
        self,
        installations: InstallationRepository,
        token_cipher: TokenCipher,
        clock: Callable[[], datetime],
        on_saved: Callable[[], None],
    ) -> None:
        self._installations = installations
        self._token_cipher = token_cipher
        self._clock = clock
        self._on_saved = on_saved

    @property
    def logger(self) -> logging.Logger:
        """Return Bolt's logger."""
        return logging.getLogger("slack_bolt")

    async def async_save(self, installation: Installation) -> None:
        """Store an installation. Raises BoltError, whose text is shown to the person who installs."""
        if installation.is_enterprise_install or installation.team_id is None:
            raise BoltError(ORGANISATION_NOT_SUPPORTED)
        if installation.bot_token is None or installation.bot_refresh_token is not None:
            raise BoltError("gwevent needs a bot token that doesn't rotate: switch token rotation off.")
        installed = InstalledWorkspace(
            team_id=installation.team_id,
            team_name=installation.team_name or "",
            bot_user_id=installation.bot_user_id or "",
            bot_id=installation.bot_id or "",
            app_id=installation.app_id or "",
            scopes=frozenset(installation.bot_scopes or ()),
            token=self._token_cipher.encrypt(installation.bot_token),
            installed_by=installation.user_id,
        )
        try:
            new = await self._installations.save(installed, self._clock())
        except StoreUnavailable as error:
            raise BoltError("gwevent can't store the installation right now; try again.") from error
        log.info("workspace_installed", team=installed.team_id, new=new)
        self._on_saved()


class _BoltStateStore(AsyncOAuthStateStore):  # type: ignore[misc, unused-ignore]
    def __init__(self, installations: InstallationRepository, clock: Callable[[], datetime]) -> None:
        self._installations = installations
        self._clock = clock

    @property
    def logger(self) -> logging.Logger:
        """Return Bolt's logger."""
        return logging.getLogger("slack_bolt")

    async def async_issue(self, *args: Any, **kwargs: Any) -> str:
        """Return a new OAuth state."""
        return await self._installations.issue_state(self._clock())

    async def async_consume(self, state: str) -> bool:
        """Invalidate a state, and return whether it was valid."""
        return await self._installations.consume_state(state, self._clock())


class _OAuthFlow(AsyncOAuthFlow):  # type: ignore[misc, unused-ignore]
    """Bolt's flow with our own install page."""

    async def handle_installation(self, request: AsyncBoltRequest) -> BoltResponse:
        """Return the install page, and the cookie that ties the installation to this browser."""
        response = await super().handle_installation(request)
        response.headers.update({name: [value] for name, value in security_headers().items()})
        return response

    async def build_install_page_html(self, url: str, request: AsyncBoltRequest) -> str:
        """Return the install page, whose button leads to `url`."""
        return install_page(url, self.settings.scopes or ())


def create_oauth_flow(
    installations: InstallationRepository,
    token_cipher: TokenCipher,
    clock: Callable[[], datetime],
    *,
    client_id: str,
    client_secret: str,
    public_url: str,
    client: AsyncWebClient,
    authorization_url: str,
    scopes: Sequence[str],
    on_saved: Callable[[], None],
) -> AsyncOAuthFlow:
    """Return the flow that handles the install page and the redirect.

    `client` requests the token and has none itself; `on_saved` is called after each installation.
    """
    return _OAuthFlow(
        client=client,
        logger=logging.getLogger("slack_bolt"),
        settings=AsyncOAuthSettings(
            client_id=client_id,
            client_secret=client_secret,
            scopes=list(scopes),
            user_scopes=[],
            redirect_uri=f"{public_url}{REDIRECT_PATH}",
            install_path=INSTALL_PATH,
            redirect_uri_path=REDIRECT_PATH,
            authorization_url=authorization_url,
            installation_store=_BoltInstallationStore(installations, token_cipher, clock, on_saved),
            state_store=_BoltStateStore(installations, clock),
            state_expiration_seconds=int(STATE_LIFETIME.total_seconds()),
            callback_options=AsyncCallbackOptions(success=_on_success, failure=_on_failure),
            logger=logging.getLogger("slack_bolt"),
        ),
    )


async def _on_success(args: AsyncSuccessArgs) -> BoltResponse:
    team = args.installation.team_name or "your workspace"
    return _html_response(200, "gwevent is installed", f"It is in {team} now. It wrote you what to do next.")


async def _on_failure(args: AsyncFailureArgs) -> BoltResponse:
    sentence = {
        "access_denied": "You didn't allow it, so nothing was installed.",
        "invalid_browser": "This browser didn't begin the installation: open the install page in it.",
        "invalid_state": "This link was used already or is older than ten minutes: begin again.",
        "invalid_code": "Slack didn't take the code: begin again.",
        "storage_error": str(args.error) if args.error is not None else "It couldn't be stored: try again.",
    }.get(args.reason, "Slack sent something unexpected: begin again.")
    log.warning("installation_failed", reason=args.reason)
    return _html_response(args.suggested_status_code, "gwevent is not installed", sentence)


def _html_response(status: int, title: str, sentence: str) -> BoltResponse:
    body = (
        "<!doctype html><html lang=en><meta name=viewport content='width=device-width'>"
        f"<title>{html.escape(title)}</title><body style='font:16px system-ui;max-width:34em;margin:3em auto;"
        f"padding:0 1em'><h1>{html.escape(title)}</h1><p>{html.escape(sentence)}</p>"
    )
    return BoltResponse(status=status, body=body, headers={"Content-Type": "text/html; charset=utf-8"})


def register_uninstall_listeners(
    app: AsyncApp, forget_workspace: Callable[[str, datetime, Removal], Awaitable[None]]
) -> None:
    """Register the listeners for uninstallation; `forget_workspace(team id, time, why)` must not fail.

    `TeamResolver` has determined the workspace: an event that names two is handled for neither.
    """

    @app.event("app_uninstalled")
    async def on_uninstalled(ack: AsyncAck, body: dict[str, Any], context: AsyncBoltContext) -> None:
        # Acknowledged first, so Slack won't repeat it: `forget_workspace` retries until it is done.
        await ack()
        await forget_workspace(context_team(context), _event_time(body), Removal.UNINSTALLED)

    @app.event("tokens_revoked")
    async def on_revoked(
        ack: AsyncAck, event: dict[str, Any], body: dict[str, Any], context: AsyncBoltContext
    ) -> None:
        await ack()
        # Users' tokens may be revoked too; gwevent only has the bot's.
        if (event.get("tokens") or {}).get("bot"):
            await forget_workspace(context_team(context), _event_time(body), Removal.REVOKED)


def _event_time(body: dict[str, Any]) -> datetime:
    """Return when an event happened: one that wasn't acknowledged is repeated minutes later."""
    return datetime.fromtimestamp(int(body["event_time"]), UTC)
