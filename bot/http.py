"""The bot's own HTTP side, where a public address is set: the pictures that Slack fetches."""

from __future__ import annotations

import re

import structlog
from aiohttp import web

from bot.store.database import StoreUnavailable
from bot.store.pictures import PICTURE_PATH, PictureStore

_TOKEN = re.compile(r"[A-Za-z0-9_-]{32,64}")

log = structlog.get_logger(__name__)


class HttpServer:
    """Serves `/pictures/<token>.png` and `/healthz`; nothing is listed, and no token can be guessed."""

    def __init__(self, pictures: PictureStore, host: str, port: int) -> None:
        self._pictures = pictures
        self._host = host
        self._port = port
        self._runner: web.AppRunner | None = None

    async def start(self) -> int:
        """Listen, and return the port. Raises OSError where it is taken."""
        application = web.Application()
        application.router.add_get(PICTURE_PATH, self._picture)
        application.router.add_get("/healthz", self._health)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        port: int = runner.addresses[0][1]
        log.info("http_listens", host=self._host, port=port)
        return port

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _picture(self, request: web.Request) -> web.Response:
        token = request.match_info["token"]
        try:
            png = await self._pictures.served(token) if _TOKEN.fullmatch(token) else None
        except StoreUnavailable:
            raise web.HTTPServiceUnavailable(text="The store doesn't answer.") from None
        if png is None:
            raise web.HTTPNotFound(text="There is no such picture.")
        # A picture never changes: a newer map has a token of its own.
        headers = {
            "Cache-Control": "public, max-age=31536000, immutable",
            "X-Content-Type-Options": "nosniff",
        }
        return web.Response(body=png, content_type="image/png", headers=headers)

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"ok": True})
