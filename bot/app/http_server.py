"""The bot's own HTTP side: health and figures for who runs it, the pictures that Slack fetches."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol

import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from bot.monitoring.monitor import Readiness
from bot.settings import Settings, SettingsError
from bot.store.database import StoreUnavailable
from bot.store.outbox.images import IMAGE_PATH, ImageRepository

_TOKEN_PATTERN = re.compile(r"[A-Za-z0-9_-]{32,64}")

log = structlog.get_logger(__name__)


class HealthReporter(Protocol):
    """What can say how the bot is doing (`bot.monitoring.monitor.HealthMonitor`)."""

    async def readiness(self) -> Readiness:
        """Whether each part does its work."""
        ...

    async def metrics(self) -> bytes:
        """The figures as Prometheus reads them."""
        ...


class HttpServer:
    """Serves `/healthz`, `/readyz`, `/metrics` and `/pictures/<token>.png`.

    Nothing is listed, and no token can be guessed.
    """

    def __init__(
        self,
        images: ImageRepository,
        host: str,
        port: int,
        health: HealthReporter | None = None,
        add_slack_routes: Callable[[web.UrlDispatcher], None] = lambda _: None,
    ) -> None:
        """Without `health` only `/healthz` says something: that the process is alive.

        `slack` adds the routes that Slack asks for.
        """
        self._images = images
        self._health = health
        self._add_slack_routes = add_slack_routes
        self._host = host
        self._port = port
        self._runner: web.AppRunner | None = None
        self.port: int | None = None
        """What it listens on; None before `start`."""

    async def start(self) -> int:
        """Listen, and return the port. Raises OSError where it is taken."""
        application = web.Application()
        application.router.add_get(IMAGE_PATH, self._serve_image)
        application.router.add_get("/healthz", self._healthz)
        if self._health is not None:
            application.router.add_get("/readyz", self._readyz)
            application.router.add_get("/metrics", self._metrics)
        self._add_slack_routes(application.router)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        port: int = runner.addresses[0][1]
        self.port = port
        log.info("http_listens", host=self._host, port=port)
        return port

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _serve_image(self, request: web.Request) -> web.Response:
        token = request.match_info["token"]
        try:
            png = await self._images.get_png(token) if _TOKEN_PATTERN.fullmatch(token) else None
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

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    async def _readyz(self, request: web.Request) -> web.Response:
        _reject_proxied(request)
        assert self._health is not None, "the route exists only with it"
        found = await self._health.readiness()
        return web.json_response(
            {"ready": found.ready, "parts": found.parts}, status=200 if found.ready else 503
        )

    async def _metrics(self, request: web.Request) -> web.Response:
        _reject_proxied(request)
        assert self._health is not None, "the route exists only with it"
        return web.Response(body=await self._health.metrics(), headers={"Content-Type": CONTENT_TYPE_LATEST})


async def start_listening(http: HttpServer, settings: Settings) -> None:
    """Listen where the settings say. Raises SettingsError where the port can't be had."""
    try:
        await http.start()
    except OSError as error:
        raise SettingsError(
            f"GWEVENT_HTTP_PORT {settings.effective_http_port} can't be used: {error.strerror}."
        ) from error


def _reject_proxied(request: web.Request) -> None:
    """Refuse what a proxy passed on: where pictures are public, the figures needn't be."""
    if "X-Forwarded-For" in request.headers or "Forwarded" in request.headers:
        raise web.HTTPNotFound(text="This isn't served to the outside.")
