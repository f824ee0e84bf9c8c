"""HTTP server: health and metrics for operators, and the sky-map images that Slack fetches."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol

import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from bot.monitoring.monitor import Readiness
from bot.runtime.callbacks import no_op
from bot.settings import Settings, SettingsError
from bot.store.database import StoreUnavailable
from bot.store.outbox.images import IMAGE_PATH, ImageRepository

_TOKEN_PATTERN = re.compile(r"[A-Za-z0-9_-]{32,64}")

log = structlog.get_logger(__name__)


class HealthReporter(Protocol):
    """The part of `bot.monitoring.monitor.HealthMonitor` that the HTTP server uses."""

    async def readiness(self) -> Readiness:
        """Return the state of each part of the process."""
        ...

    async def metrics(self) -> bytes:
        """Return the metrics in Prometheus's text format."""
        ...


class HttpServer:
    """An HTTP server for `/healthz`, `/readyz`, `/metrics` and `/pictures/<token>.png`.

    Images can't be listed, and their random tokens can't be guessed.
    """

    def __init__(
        self,
        images: ImageRepository,
        host: str,
        port: int,
        health: HealthReporter | None = None,
        add_slack_routes: Callable[[web.UrlDispatcher], None] = no_op,
    ) -> None:
        """Without `health` there is no `/readyz` and no `/metrics`.

        `add_slack_routes` adds the routes that Slack requests: events and OAuth.
        """
        self._images = images
        self._health = health
        self._add_slack_routes = add_slack_routes
        self._host = host
        self._port = port
        self._runner: web.AppRunner | None = None
        self.port: int | None = None
        """The port it listens on; None before `start`."""

    async def start(self) -> int:
        """Listen, and return the port. Raises OSError if the port can't be used."""
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
        log.info("http_server_started", host=self._host, port=port)
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
        # An image never changes: a newer map has another token.
        headers = {
            "Cache-Control": "public, max-age=31536000, immutable",
            "X-Content-Type-Options": "nosniff",
        }
        return web.Response(body=png, content_type="image/png", headers=headers)

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    async def _readyz(self, request: web.Request) -> web.Response:
        _reject_proxied(request)
        assert self._health is not None, "the route exists only with a health reporter"
        readiness = await self._health.readiness()
        state: dict[str, object] = {"ready": readiness.ready, "parts": readiness.parts}
        if readiness.optional_topics:
            state["optional_topics"] = readiness.optional_topics
        return web.json_response(state, status=200 if readiness.ready else 503)

    async def _metrics(self, request: web.Request) -> web.Response:
        _reject_proxied(request)
        assert self._health is not None, "the route exists only with a health reporter"
        return web.Response(body=await self._health.metrics(), headers={"Content-Type": CONTENT_TYPE_LATEST})


async def start_listening(http: HttpServer, settings: Settings) -> None:
    """Start the HTTP server. Raises SettingsError if its port can't be used."""
    try:
        await http.start()
    except OSError as error:
        raise SettingsError(
            f"GWEVENT_HTTP_PORT {settings.effective_http_port} can't be used: {error.strerror}."
        ) from error


def _reject_proxied(request: web.Request) -> None:
    """Answer 404 to requests through a proxy: a public server of images must not publish its metrics."""
    if "X-Forwarded-For" in request.headers or "Forwarded" in request.headers:
        raise web.HTTPNotFound(text="This isn't served to the outside.")
