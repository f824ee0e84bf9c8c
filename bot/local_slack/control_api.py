"""An HTTP interface that controls a local Slack in a separate process.

`POST /sandbox/control/<verb>` calls `LocalSlack`'s method of that name with the arguments in a JSON object
and returns {"ok": true, "result": …}. For a user's action, the additional argument `wait` delays the response
until the app's first answer, for at most that many seconds. Three verbs are not methods: `limits` {on},
`file_delay` {seconds}, `clear_faults` {}.

State is read by `GET /sandbox/control/messages?channel=C…&thread_ts=…`, `…/ephemerals?channel=C…&user=U…`,
`…/calls?since=N`, `…/envelopes?since=N`, `…/sockets` and `…/about`.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from aiohttp import web

from bot.local_slack.errors import ApiError, Json
from bot.local_slack.server import LocalSlack
from bot.local_slack.user_actions import ActionResult

COMMANDS = (
    "add_channel",
    "archive",
    "close_sockets",
    "close_view",
    "command",
    "convert",
    "fail",
    "grant",
    "hang_sockets",
    "home",
    "invite",
    "kick",
    "open_home",
    "press",
    "refresh_sockets",
    "refuse_sockets",
    "restore_token",
    "revoke_token",
    "say",
    "share",
    "settle_file",
    "submit",
    "unarchive",
    "ungrant",
    "uninstall",
    "view",
    "view_action",
)
ANSWER_SECONDS = 5.0


class ControlApi:
    """A set of HTTP routes that control a local Slack."""

    def __init__(self, local_slack: LocalSlack) -> None:
        self._local_slack = local_slack

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the routes to an application's router."""
        router.add_post("/sandbox/control/{verb}", self._run_command)
        router.add_get("/sandbox/control/messages", self._messages)
        router.add_get("/sandbox/control/ephemerals", self._ephemerals)
        router.add_get("/sandbox/control/calls", self._calls)
        router.add_get("/sandbox/control/envelopes", self._envelopes)
        router.add_get("/sandbox/control/sockets", self._sockets)
        router.add_get("/sandbox/control/about", self._connection_info)

    async def _run_command(self, request: web.Request) -> web.Response:
        verb = request.match_info["verb"]
        try:
            body = await request.json()
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            return _bad_request("The body must be one JSON object.")
        wait = body.pop("wait", 0.0)
        try:
            if verb == "limits":
                self._local_slack.rate_limiter.enabled = bool(body.get("on", True))
                result = None
            elif verb == "file_delay":
                self._local_slack.file_server.delay = float(body["seconds"])
                result = None
            elif verb == "clear_faults":
                self._local_slack.faults.clear()
                result = None
            elif verb in COMMANDS:
                result = await self._call(getattr(self._local_slack, verb), body)
            else:
                return _bad_request(f"There is no verb {verb}.")
        except ApiError as refusal:
            return web.json_response(refusal.body())
        except (KeyError, TypeError, ValueError) as error:
            return _bad_request(f"{verb}: {error}")
        if isinstance(result, ActionResult):
            return web.json_response(await _action_json(result, wait))
        return web.json_response({"ok": True, "result": result})

    async def _call(self, method: Callable[..., Any], body: Json) -> Any:
        result = method(**body)
        return await result if inspect.isawaitable(result) else result

    async def _messages(self, request: web.Request) -> web.Response:
        return self._respond(
            lambda: self._local_slack.messages(request.query["channel"], request.query.get("thread_ts"))
        )

    async def _ephemerals(self, request: web.Request) -> web.Response:
        return self._respond(
            lambda: self._local_slack.ephemerals(request.query["channel"], request.query.get("user"))
        )

    async def _calls(self, request: web.Request) -> web.Response:
        return self._respond(lambda: [asdict(call) for call in self._local_slack.calls[_since(request) :]])

    async def _envelopes(self, request: web.Request) -> web.Response:
        return self._respond(
            lambda: [asdict(envelope) for envelope in self._local_slack.envelopes[_since(request) :]]
        )

    async def _sockets(self, request: web.Request) -> web.Response:
        sockets = self._local_slack.sockets
        return web.json_response({"open": sockets.count, "opened": sockets.opened})

    async def _connection_info(self, request: web.Request) -> web.Response:
        return web.json_response(self._local_slack.connection_info())

    def _respond(self, read: Callable[[], Any]) -> web.Response:
        try:
            return web.json_response(read())
        except ApiError as refusal:
            return web.json_response(refusal.body(), status=404)
        except KeyError as error:
            return _bad_request(f"The query must name {error}.")


def _since(request: web.Request) -> int:
    since = request.query.get("since", "0")
    return int(since) if since.isdigit() else 0


def _bad_request(sentence: str) -> web.Response:
    return web.json_response({"ok": False, "error": sentence}, status=400)


async def _action_json(done: ActionResult, wait: object) -> Json:
    """Return an action's result as JSON; with `wait`, after the app's first answer."""
    if done.ok and done.response_url is not None and isinstance(wait, int | float) and wait > 0:
        try:
            await done.wait_for_answer(min(float(wait), 60.0))
        except TimeoutError:
            await asyncio.sleep(0)
    return done.to_json()
