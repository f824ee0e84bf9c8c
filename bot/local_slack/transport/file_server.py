"""The endpoints for uploading and downloading files, and the time at which files become ready."""

from __future__ import annotations

import asyncio
import math
import secrets
from collections.abc import Mapping

from aiohttp import web

from bot.local_slack.errors import ApiError
from bot.local_slack.web_api.files import mimetype
from bot.local_slack.workspace import Change, File, Workspace


class FileServer:
    """A server that accepts uploads and returns files to clients with the bot's token.

    `delay` is the time in seconds until a completed upload is ready; if it is infinite, an upload becomes
    ready only by `mark_ready`.
    """

    def __init__(self, workspaces: Mapping[str, Workspace], delay: float) -> None:
        self.delay = delay
        self._workspaces = workspaces

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the routes to an application."""
        router.add_post("/upload/v1/{file}/{secret}", self._upload)
        router.add_get("/files-pri/{ids}/{file}/{name}", self._private)

    def mark_ready_later(self, workspace: Workspace, file: File) -> None:
        """Make a completed file ready after the delay."""
        workspace.notify(Change("file", file=file))
        if self.delay <= 0:
            _ready(workspace, file)
        elif self.delay < math.inf:
            asyncio.get_running_loop().call_later(self.delay, _ready, workspace, file)

    def mark_ready(self, file_id: str) -> None:
        """Make a file ready at once. Raises ApiError `file_not_found`."""
        for workspace in self._workspaces.values():
            if file_id in workspace.files:
                _ready(workspace, workspace.files[file_id])
                return
        raise ApiError("file_not_found")

    async def _upload(self, request: web.Request) -> web.Response:
        """Accept a file's bytes at the URL that `files.getUploadURLExternal` returned."""
        for workspace in self._workspaces.values():
            file = workspace.files.get(request.match_info["file"])
            if file is None or not secrets.compare_digest(file.secret, request.match_info["secret"]):
                continue
            content = await _body(request)
            if len(content) != file.length:
                return web.Response(status=400, text="The length isn't the one that was announced.")
            file.content, file.mimetype = content, mimetype(content)
            return web.Response(text=f"OK - {len(content)}")
        return web.Response(status=404, text="There is no such upload.")

    async def _private(self, request: web.Request) -> web.Response:
        """Serve `url_private`, which requires the bot's token and the scope."""
        for workspace in self._workspaces.values():
            file = workspace.files.get(request.match_info["file"])
            if file is None or file.content is None or not file.ready:
                continue
            allowed = request.headers.get("Authorization") == f"Bearer {workspace.bot_token}"
            if allowed and "files:read" in workspace.scopes and workspace.token_state == "good":  # noqa: S105
                return web.Response(body=file.content, content_type=file.mimetype)
        return web.Response(status=404, text="There is no such file for you.")


def _ready(workspace: Workspace, file: File) -> None:
    file.ready = True
    workspace.notify(Change("file", file=file))


async def _body(request: web.Request) -> bytes:
    """Return a request's bytes, which may be the raw body or the only part of a form."""
    if request.content_type != "multipart/form-data":
        return await request.read()
    for part in (await request.post()).values():
        if isinstance(part, web.FileField):
            return part.file.read()
    return b""
