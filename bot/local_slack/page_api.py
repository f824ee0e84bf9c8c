"""The HTTP API of the page in the browser.

`GET /sandbox/state?user=U…` returns everything a user sees; `GET /sandbox/events?user=U…` streams changes:
`{type: "message" | "message_changed" | "ephemeral" | "ephemeral_changed", channel, message}`,
`{type: "message_deleted" | "ephemeral_deleted", channel, ts}`, `{type: "channel", channel}`,
`{type: "view" | "home", view}` and `{type: "file", file}`, after a first `{type: "hello"}`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from aiohttp import web

from bot.local_slack.app_manifest import AppConfig
from bot.local_slack.errors import ApiError, Json
from bot.local_slack.messages import to_page
from bot.local_slack.user_actions import ActionResult, UserActions
from bot.local_slack.web_api import views
from bot.local_slack.workspace import Change, Channel, File, User, Workspace

KEEP_ALIVE_S = 15.0
"""Seconds between comments on a stream without events."""
_TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".txt": "text/plain",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
    ".map": "application/json",
}
_STATIC = files("bot.local_slack") / "page" / "static"


def channel_json(workspace: Workspace, channel: Channel, user_id: str) -> Json:
    """Return a channel as JSON, as the user sees it."""
    return {
        "id": channel.id,
        "name": workspace.bot.name if channel.is_im else channel.name,
        "private": channel.private,
        "archived": channel.archived,
        "is_member": user_id in channel.members,
        "topic": channel.topic,
        "bot_member": workspace.bot.id in channel.members,
        "is_im": channel.is_im,
    }


def file_json(file: File) -> Json:
    """Return a file as JSON, with a URL that the page can load."""
    return {
        "id": file.id,
        "url": f"/sandbox/file/{file.id}",
        "mimetype": file.mimetype,
        "title": file.title,
        "alt_text": file.alt_text,
        "ready": file.ready,
    }


def _user_json(user: User) -> Json:
    return {
        "id": user.id,
        "name": user.name,
        "real_name": user.real_name,
        "is_bot": user.is_bot,
        "avatar": user.avatar,
    }


def user_state(workspace: Workspace, config: AppConfig, user: User) -> Json:
    """Return everything that a user sees, as JSON."""
    channels = [c for c in workspace.channels.values() if not c.private or user.id in c.members]
    stack, home = workspace.modals.get(user.id), workspace.homes.get(user.id)
    return {
        "team": {"id": workspace.id, "name": workspace.name},
        "me": {"id": user.id, "name": user.name},
        "users": [_user_json(each) for each in workspace.users.values()],
        "bot": {"user_id": workspace.bot.id, "name": workspace.bot.name},
        "channels": [channel_json(workspace, channel, user.id) for channel in channels],
        "messages": {c.id: [to_page(message) for message in c.messages.values()] for c in channels},
        "ephemerals": {
            c.id: [to_page(message) for message in c.ephemerals.values() if message.seen_by == user.id]
            for c in channels
        },
        "view": views.to_api(workspace, stack[-1]) if stack else None,
        "home": views.to_api(workspace, home) if home is not None else None,
        "files": {file.id: file_json(file) for file in workspace.files.values() if file.completed},
        "commands": [
            {
                "command": c.command,
                "description": c.description,
                "usage_hint": c.usage_hint,
                "examples": c.examples,
            }
            for c in config.commands
        ],
    }


def stream_event(workspace: Workspace, change: Change, user_id: str) -> Json | None:
    """Return the stream event of a change for a user's page; None if the user does not see the change."""
    channel = change.channel
    if channel is not None and channel.private and user_id not in channel.members and change.user != user_id:
        return None
    match change.type:
        case "message" | "message_changed" if channel is not None and change.message is not None:
            return {"type": change.type, "channel": channel.id, "message": to_page(change.message)}
        case "message_deleted" if channel is not None and change.message is not None:
            return {"type": change.type, "channel": channel.id, "ts": change.message.ts}
        case "ephemeral" | "ephemeral_changed" if channel is not None and change.message is not None:
            if change.user != user_id:
                return None
            return {"type": change.type, "channel": channel.id, "message": to_page(change.message)}
        case "ephemeral_deleted" if channel is not None and change.message is not None:
            if change.user != user_id:
                return None
            return {"type": change.type, "channel": channel.id, "ts": change.message.ts}
        case "view" | "home":
            if change.user != user_id:
                return None
            return {"type": change.type, "view": change.view and views.to_api(workspace, change.view)}
        case "file" if change.file is not None:
            return {"type": "file", "file": file_json(change.file)}
        case _ if channel is not None:
            return {"type": "channel", "channel": channel_json(workspace, channel, user_id)}
    return None


class PageApi:
    """The routes of the page's API."""

    def __init__(
        self, workspaces: Mapping[str, Workspace], config: AppConfig, user_actions: UserActions
    ) -> None:
        self._workspaces = workspaces
        self._config = config
        self._user_actions = user_actions
        self._streams: set[asyncio.Queue[str | None]] = set()

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the routes to an application."""
        router.add_get("/", self._index)
        router.add_get("/page/{name}", self._static)
        router.add_get("/archives/{channel}/{message}", self._archives)
        router.add_get("/sandbox/state", self._state)
        router.add_get("/sandbox/events", self._events)
        router.add_get("/sandbox/file/{file}", self._file)
        router.add_post("/sandbox/say", self._user_action(self._say))
        router.add_post("/sandbox/press", self._user_action(self._press))
        router.add_post("/sandbox/view/submit", self._user_action(self._submit))
        router.add_post("/sandbox/view/close", self._user_action(self._close))
        router.add_post("/sandbox/view/action", self._user_action(self._view_action))
        router.add_post("/sandbox/home/open", self._user_action(self._open_home))

    def close(self) -> None:
        """Close all streams."""
        for stream in self._streams:
            stream.put_nowait(None)

    def find_user(self, user_id: str | None, team_id: str | None = None) -> tuple[Workspace, User]:
        """Return a user and their workspace; the first user if none is named. Raises `user_not_found`."""
        for workspace in self._workspaces.values():
            if team_id in (None, "", workspace.id):
                people = workspace.people()
                if not user_id:
                    return workspace, people[0]
                if user_id in workspace.users and not workspace.users[user_id].is_bot:
                    return workspace, workspace.users[user_id]
        raise ApiError("user_not_found")

    async def _index(self, request: web.Request) -> web.Response:
        return _serve(_STATIC / "index.html")

    async def _static(self, request: web.Request) -> web.Response:
        return _serve(_STATIC / request.match_info["name"])

    async def _archives(self, request: web.Request) -> web.Response:
        """Redirect a permalink to its channel and thread."""
        channel_id, digits = request.match_info["channel"], request.match_info["message"].removeprefix("p")
        for workspace in self._workspaces.values():
            channel = workspace.channels.get(channel_id)
            message = channel.messages.get(f"{digits[:-6]}.{digits[-6:]}") if channel is not None else None
            if channel is not None and message is not None:
                thread = message.thread_ts or (message.ts if message.replies else None)
                raise web.HTTPFound(f"/#{channel.name}{f'/{thread}' if thread else ''}")
        raise web.HTTPNotFound(text="There is no such message.")

    async def _state(self, request: web.Request) -> web.Response:
        try:
            workspace, user = self.find_user(request.query.get("user"), request.query.get("team"))
        except ApiError as refusal:
            return web.json_response(refusal.body(), status=404)
        return web.json_response(user_state(workspace, self._config, user))

    async def _file(self, request: web.Request) -> web.Response:
        for workspace in self._workspaces.values():
            file = workspace.files.get(request.match_info["file"])
            if file is not None and file.content is not None:
                kind = file.mimetype or "application/octet-stream"
                headers = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"}
                return web.Response(body=file.content, content_type=kind, headers=headers)
        raise web.HTTPNotFound(text="There is no such file.")

    async def _events(self, request: web.Request) -> web.StreamResponse:
        try:
            workspace, user = self.find_user(request.query.get("user"), request.query.get("team"))
        except ApiError as refusal:
            return web.json_response(refusal.body(), status=404)
        stream: asyncio.Queue[str | None] = asyncio.Queue()

        def listener(change: Change) -> None:
            event = stream_event(workspace, change, user.id)
            if event is not None:
                stream.put_nowait(json.dumps(event))

        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        )
        await response.prepare(request)
        workspace.listeners.append(listener)
        self._streams.add(stream)
        stream.put_nowait('{"type": "hello"}')
        try:
            # A closed page is detected only by writing to its stream.
            with suppress(ConnectionError):
                await _write_events(stream, response)
        finally:
            workspace.listeners.remove(listener)
            self._streams.discard(stream)
        return response

    def _user_action(self, act: Callable[[Workspace, str, Json], Any]) -> Callable[[web.Request], Any]:
        """Return a route handler that performs an action as the user named in the body."""

        async def handler(request: web.Request) -> web.Response:
            try:
                body = await request.json()
            except ValueError:
                return web.json_response({"ok": False, "error": "invalid_json"}, status=400)
            if not isinstance(body, dict):
                return web.json_response({"ok": False, "error": "invalid_json"}, status=400)
            try:
                workspace, user = self.find_user(body.get("user"), body.get("team"))
                done: ActionResult = await act(workspace, user.id, body)
            except ApiError as refusal:
                return web.json_response(refusal.body())
            return web.json_response(done.to_json())

        return handler

    async def _say(self, workspace: Workspace, user_id: str, body: Json) -> ActionResult:
        channel, text = str(body.get("channel")), str(body.get("text") or "")
        return await self._user_actions.say(workspace, user_id, channel, text, body.get("thread_ts") or None)

    async def _press(self, workspace: Workspace, user_id: str, body: Json) -> ActionResult:
        channel, ts, action_id = (str(body.get(key)) for key in ("channel", "ts", "action_id"))
        return await self._user_actions.press(workspace, user_id, channel, ts, action_id, **_choice(body))

    async def _submit(self, workspace: Workspace, user_id: str, body: Json) -> ActionResult:
        return await self._user_actions.submit(
            workspace, user_id, str(body.get("view_id")), body.get("state")
        )

    async def _close(self, workspace: Workspace, user_id: str, body: Json) -> ActionResult:
        return await self._user_actions.close(workspace, user_id, str(body.get("view_id")))

    async def _view_action(self, workspace: Workspace, user_id: str, body: Json) -> ActionResult:
        view_id, action_id = str(body.get("view_id")), str(body.get("action_id"))
        return await self._user_actions.view_action(
            workspace, user_id, view_id, action_id, state=body.get("state"), **_choice(body)
        )

    async def _open_home(self, workspace: Workspace, user_id: str, body: Json) -> ActionResult:
        return self._user_actions.open_home(workspace, user_id)


def _choice(body: Json) -> Json:
    """Return the element that a request body names, and the value chosen in it."""
    return {"block_id": body.get("block_id"), "value": body.get("value"), "chosen": body}


async def _write_events(stream: asyncio.Queue[str | None], response: web.StreamResponse) -> None:
    while True:
        try:
            event = await asyncio.wait_for(stream.get(), KEEP_ALIVE_S)
        except TimeoutError:
            await response.write(b": still here\n\n")
            continue
        if event is None:
            return
        await response.write(f"data: {event}\n\n".encode())


def _serve(file: Traversable) -> web.Response:
    if not (_STATIC / "index.html").is_file():
        sentence = "The page isn't built: run bot/local_slack/page/build, then load this address again."
        return web.Response(text=sentence, status=503)
    suffix = f".{file.name.rpartition('.')[2]}"
    if suffix not in _TYPES or not file.is_file():
        raise web.HTTPNotFound(text="There is no such file.")
    headers = {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": "frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
    }
    charset = None if suffix in (".png", ".woff2") else "utf-8"
    return web.Response(body=file.read_bytes(), content_type=_TYPES[suffix], charset=charset, headers=headers)
