"""The Web API's dispatcher: checks a call's token, faults, rate limits and scopes, then runs the method."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

from bot.local_slack.errors import ApiError, Json
from bot.local_slack.trigger_ids import TriggerIds
from bot.local_slack.web_api import chat, conversations, files, users, views
from bot.local_slack.web_api.arguments import MethodCall
from bot.local_slack.web_api.faults import Fault, Faults
from bot.local_slack.web_api.odd_answers import odd_response
from bot.local_slack.web_api.rate_limits import RateLimiter
from bot.local_slack.web_api.request_arguments import request_arguments
from bot.local_slack.workspace import File, Workspace

TIER_2, TIER_3, TIER_4 = 20, 50, 100
"""Calls a minute."""


@dataclass(frozen=True, slots=True)
class ApiMethod:
    """A Web API method's handler and the conditions for calling it."""

    handler: Callable[[MethodCall], Json]
    scope: str | None = None
    """The scope that the token needs; None if none is needed or it depends on the channel."""
    per_minute: int | None = None
    """Allowed calls per minute (Slack's tier); None if the method has no tier."""
    posts: bool = False
    """True if a call counts as a message of its channel."""
    takes_json: bool = False
    """True if the method reads a JSON body; see `request_arguments` for what happens otherwise."""


METHODS: Mapping[str, ApiMethod] = {
    "auth.test": ApiMethod(users.auth_test, takes_json=True),
    "chat.postMessage": ApiMethod(chat.post_message, "chat:write", posts=True, takes_json=True),
    "chat.postEphemeral": ApiMethod(chat.post_ephemeral, "chat:write", TIER_4, takes_json=True),
    "chat.update": ApiMethod(chat.update, "chat:write", TIER_3, takes_json=True),
    "chat.delete": ApiMethod(chat.delete, "chat:write", TIER_3, takes_json=True),
    "chat.getPermalink": ApiMethod(chat.get_permalink),
    "conversations.list": ApiMethod(conversations.list_channels, None, TIER_2),
    "conversations.info": ApiMethod(conversations.info, None, TIER_3),
    "conversations.history": ApiMethod(conversations.history, None, TIER_3),
    "conversations.replies": ApiMethod(conversations.replies, None, TIER_3),
    "conversations.members": ApiMethod(conversations.members, None, TIER_4),
    "conversations.join": ApiMethod(conversations.join, "channels:join", TIER_3, takes_json=True),
    "conversations.open": ApiMethod(conversations.open_direct, "im:write", TIER_3, takes_json=True),
    "files.getUploadURLExternal": ApiMethod(files.get_upload_url, "files:write", TIER_4),
    "files.completeUploadExternal": ApiMethod(files.complete_upload, "files:write", TIER_4, takes_json=True),
    "files.delete": ApiMethod(files.delete, "files:write", TIER_3, takes_json=True),
    "files.info": ApiMethod(files.info, "files:read", TIER_4),
    "users.conversations": ApiMethod(conversations.list_user_channels, None, TIER_3),
    "users.info": ApiMethod(users.info, "users:read", TIER_4),
    "users.list": ApiMethod(users.list_users, "users:read", TIER_2),
    "views.open": ApiMethod(views.open_view, None, TIER_4, takes_json=True),
    "views.push": ApiMethod(views.push, None, TIER_4, takes_json=True),
    "views.update": ApiMethod(views.update, None, TIER_4, takes_json=True),
    "views.publish": ApiMethod(views.publish, None, TIER_4, takes_json=True),
}
"""Which take JSON follows Slack's rule that methods that write mostly do. Of those that don't, the reference
on api.slack.com said so for `conversations.members` and `files.getUploadURLExternal`; that the others that
read are alike is unverified but for those in `request_arguments`. The reference of 2026 names JSON for most.
"""
OAUTH_ACCESS = "oauth.v2.access"
CONNECTIONS_OPEN = "apps.connections.open"
CONNECTIONS_OPEN_PER_MINUTE = TIER_3


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """A recorded Web API call."""

    method: str
    time: float
    """Unix time of the call's arrival, s."""
    outcome: str
    """"ok", Slack's error name, "http 500", "dropped before" or "dropped after"."""
    args: Json
    team: str | None = None


@dataclass(frozen=True, slots=True)
class WebApiHooks:
    """The functions by which the Web API uses other parts of the local Slack."""

    open_connection: Callable[[], str]
    """Returns the address of a new Socket Mode connection."""
    exchange_code: Callable[[Json, str], Json]
    """Answers `oauth.v2.access`; takes the arguments and the Authorization header."""
    settle_file: Callable[[Workspace, File], None]
    """Makes an upload ready after its delay."""
    on_call: Callable[[], None]
    """Called after each recorded call."""


class WebApi:
    """The handler of `/api/<method>`."""

    def __init__(
        self,
        workspaces: Mapping[str, Workspace],
        *,
        rate_limiter: RateLimiter,
        faults: Faults,
        trigger_ids: TriggerIds,
        app_token: str,
        hooks: WebApiHooks,
    ) -> None:
        self.workspaces = workspaces
        """Workspaces by team id."""
        self.rate_limiter = rate_limiter
        self.faults = faults
        self.calls: list[RecordedCall] = []
        self.base_url = ""
        self._trigger_ids = trigger_ids
        self._app_token = app_token
        self._hooks = hooks

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the route of the methods."""
        router.add_route("*", "/api/{method}", self._handle)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        arrived = time.time()
        unreadable: ApiError | None = None
        args: Json = {}
        try:
            args = await request_arguments(request, takes_json=_takes_json(method))
        except ApiError as refusal:
            unreadable = refusal
        channel = args.get("channel")
        fault = self.faults.match(method, channel if isinstance(channel, str) else None, args)

        def record(outcome: str, team: str | None = None) -> None:
            self.calls.append(RecordedCall(method, arrived, outcome, args, team))
            self._hooks.on_call()

        if fault is not None:
            if fault.delay:
                await asyncio.sleep(fault.delay)
            if fault.drop == "before":
                record("dropped before")
                return _abort(request)
            answer = _fault_answer(fault)
            if answer is not None:
                record(fault.error or f"http {answer.status}")
                return answer
        headers: dict[str, str] = {}
        team = None
        try:
            if method == OAUTH_ACCESS and unreadable is None:
                # The app says who it is by its own secret; it has no token yet.
                body = self._hooks.exchange_code(args, request.headers.get("Authorization", ""))
                team, args = str(body["team"]["id"]), {}
            elif method == CONNECTIONS_OPEN and unreadable is None:
                body = self._open_connection(_token(request), headers)
            else:
                token = _token(request)
                if unreadable is not None:
                    raise unreadable
                workspace = self._workspace(token)
                team = workspace.id
                headers["x-oauth-scopes"] = ",".join(sorted(workspace.scopes))
                body = self._run(method, args, workspace, headers)
            outcome = "ok"
        except ApiError as refusal:
            body, outcome = refusal.body(), refusal.error
        record(outcome, team)
        if fault is not None:
            if fault.delay_after:
                await asyncio.sleep(fault.delay_after)
            if fault.drop == "after":
                self.calls[-1] = RecordedCall(method, arrived, "dropped after", args, team)
                return _abort(request)
            if fault.oddity is not None and body["ok"]:
                self.calls[-1] = RecordedCall(method, arrived, f"ok as {fault.oddity}", args, team)
                return odd_response(fault.oddity, body)
        return web.json_response(body, status=429 if "Retry-After" in headers else 200, headers=headers)

    def _run(self, method: str, args: Json, workspace: Workspace, headers: dict[str, str]) -> Json:
        known = METHODS.get(method)
        if known is None:
            raise ApiError("unknown_method", req_method=method)
        wait = self.rate_limiter.count_call(workspace.id, method, known.per_minute) if known.per_minute else 0
        if known.posts and not wait:
            wait = self.rate_limiter.count_post(workspace.id, str(args.get("channel")))
        self._check_rate_limit(wait, headers)
        call = MethodCall(method, args, workspace, self._trigger_ids, self.base_url, self._hooks.settle_file)
        if known.scope is not None:
            headers["x-accepted-oauth-scopes"] = known.scope
            call.require_scope(known.scope)
        return {"ok": True, **known.handler(call)}

    def _workspace(self, token: str) -> Workspace:
        for workspace in self.workspaces.values():
            if token == workspace.bot_token:
                if workspace.token_state != "good":  # noqa: S105
                    raise ApiError(workspace.token_state)
                return workspace
        if token == self._app_token:
            raise ApiError("not_allowed_token_type")
        raise ApiError("invalid_auth")

    def _open_connection(self, token: str, headers: dict[str, str]) -> Json:
        if token != self._app_token:
            known = any(token == workspace.bot_token for workspace in self.workspaces.values())
            raise ApiError("not_allowed_token_type" if known else "invalid_auth")
        self._check_rate_limit(
            self.rate_limiter.count_call("", CONNECTIONS_OPEN, CONNECTIONS_OPEN_PER_MINUTE), headers
        )
        return {"ok": True, "url": self._hooks.open_connection()}

    def _check_rate_limit(self, wait: int, headers: dict[str, str]) -> None:
        """Raise ApiError `ratelimited` and set the header `Retry-After` if the call has to wait."""
        if wait:
            headers["Retry-After"] = str(wait)
            raise ApiError("ratelimited")


def _token(request: web.Request) -> str:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind != "Bearer" or not token:
        raise ApiError("not_authed")
    return token


def _takes_json(method: str) -> bool:
    if method == CONNECTIONS_OPEN:
        return True
    known = METHODS.get(method)
    return known is not None and known.takes_json


def _fault_answer(fault: Fault) -> web.Response | None:
    if fault.status is None and fault.error is None:
        return None
    status = fault.status or 200
    headers = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
    if status == 429:
        headers.setdefault("Retry-After", "1")
    error = fault.error or {429: "ratelimited", 503: "service_unavailable"}.get(status, "internal_error")
    return web.json_response({"ok": False, "error": error}, status=status, headers=headers)


def _abort(request: web.Request) -> web.StreamResponse:
    """Abort the connection, so that no response is sent."""
    transport = request.transport
    if transport is not None:
        transport.abort()
    return web.Response(status=500)
