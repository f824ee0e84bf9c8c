"""Installation of the app by OAuth: the consent page, its code, and the exchange of the code for a token.

https://docs.slack.dev/authentication/installing-with-oauth
"""

from __future__ import annotations

import base64
import html
import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from time import monotonic
from urllib.parse import urlencode, urlsplit

from aiohttp import web

from bot.local_slack.errors import ApiError, Json
from bot.local_slack.workspace import Workspace

CODE_LIFETIME_S = 600.0
KNOWN_SCOPES = frozenset(
    {
        "app_mentions:read",
        "channels:history",
        "channels:join",
        "channels:read",
        "chat:write",
        "chat:write.public",
        "commands",
        "files:read",
        "files:write",
        "groups:history",
        "groups:read",
        "im:history",
        "im:write",
        "users:read",
    }
)
"""Scopes for which the local Slack has methods."""


@dataclass(frozen=True, slots=True)
class _Grant:
    team: str
    user: str
    scopes: frozenset[str]
    redirect_uri: str
    created_at: float


class OAuth:
    """The OAuth endpoints, which exchange a code from a user's consent and the app's secret for a token."""

    def __init__(
        self,
        workspaces: Mapping[str, Workspace],
        install: Callable[[Workspace, Collection[str]], str],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Create the endpoints; `install(workspace, scopes)` installs the app and returns the bot's token."""
        self.client_id = f"{secrets.randbelow(10**12)}.{secrets.randbelow(10**12)}"
        self.client_secret = secrets.token_hex(16)
        self.app_id = ""
        self._workspaces = workspaces
        self._install = install
        self._clock = clock
        self._grants: dict[str, _Grant] = {}

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the consent page and the endpoint for its buttons."""
        router.add_get("/oauth/v2/authorize", self._consent_page)
        router.add_get("/oauth/v2/allow", self._grant_consent)

    async def _consent_page(self, request: web.Request) -> web.Response:
        scopes, redirect_uri = self._parse_authorization(request)
        buttons = "".join(
            f'<p><a href="/oauth/v2/allow?{html.escape(urlencode(dict(request.query) | {"team": team}))}">'
            f"Allow in {html.escape(workspace.name)}</a></p>"
            for team, workspace in self._workspaces.items()
        )
        asked = ", ".join(sorted(scopes))
        page = (
            f"<!doctype html><title>Install gwevent</title><h1>gwevent asks for</h1>"
            f"<p>{html.escape(asked)}</p>"
            f"{buttons}<p>Then you go to {html.escape(urlsplit(redirect_uri).netloc)}.</p>"
        )
        return web.Response(text=page, content_type="text/html")

    async def _grant_consent(self, request: web.Request) -> web.Response:
        scopes, redirect_uri = self._parse_authorization(request)
        workspace = self._workspaces.get(request.query.get("team", ""))
        if workspace is None:
            raise web.HTTPBadRequest(text="team_not_found")
        code = secrets.token_urlsafe(24)
        user = request.query.get("user") or workspace.people()[0].id
        self._grants[code] = _Grant(workspace.id, user, scopes, redirect_uri, self._clock())
        given = urlencode({"code": code, "state": request.query.get("state", "")})
        raise web.HTTPFound(f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{given}")

    def _parse_authorization(self, request: web.Request) -> tuple[frozenset[str], str]:
        """Return the requested scopes and redirect URL. Raises HTTPBadRequest with Slack's error name."""
        scopes = frozenset(scope for scope in request.query.get("scope", "").split(",") if scope)
        redirect_uri = request.query.get("redirect_uri", "")
        if request.query.get("client_id") != self.client_id:
            raise web.HTTPBadRequest(text="invalid_client_id")
        if not scopes or not scopes <= KNOWN_SCOPES:
            raise web.HTTPBadRequest(text="invalid_scope")
        if urlsplit(redirect_uri).scheme not in ("http", "https"):
            raise web.HTTPBadRequest(text="bad_redirect_uri")
        return scopes, redirect_uri

    def exchange(self, args: Json, authorization: str) -> Json:
        """Handle `oauth.v2.access`. Raises ApiError with that method's error names."""
        client_id, client_secret = _credentials(args, authorization)
        if client_id != self.client_id:
            raise ApiError("invalid_client_id")
        if not secrets.compare_digest(client_secret, self.client_secret):
            raise ApiError("bad_client_secret")
        grant = self._grants.pop(str(args.get("code", "")), None)
        if grant is None:
            raise ApiError("invalid_code")
        if self._clock() - grant.created_at > CODE_LIFETIME_S:
            raise ApiError("code_expired")
        if str(args.get("redirect_uri", grant.redirect_uri)) != grant.redirect_uri:
            raise ApiError("bad_redirect_uri")
        workspace = self._workspaces[grant.team]
        token = self._install(workspace, grant.scopes)
        return {
            "ok": True,
            "access_token": token,
            "token_type": "bot",
            "scope": ",".join(sorted(grant.scopes)),
            "bot_user_id": workspace.bot.id,
            "app_id": workspace.app_id,
            "team": {"id": workspace.id, "name": workspace.name},
            "enterprise": None,
            "is_enterprise_install": False,
            "authed_user": {"id": grant.user},
        }


def _credentials(args: Json, authorization: str) -> tuple[str, str]:
    """Return the client id and secret, from HTTP Basic or the arguments; empty strings if missing."""
    kind, _, given = authorization.partition(" ")
    if kind.lower() == "basic":
        try:
            name, _, secret = base64.b64decode(given, validate=True).decode().partition(":")
        except ValueError:
            return "", ""
        return name, secret
    return str(args.get("client_id", "")), str(args.get("client_secret", ""))
