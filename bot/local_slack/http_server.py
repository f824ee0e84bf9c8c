"""The HTTP server of the local Slack: one port of 127.0.0.1, closed to other hosts and other sites."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from aiohttp import web

from bot.local_slack.origin_check import reject_foreign_origin

AddRoutes = Callable[[web.UrlDispatcher], None]
"""Adds the routes of one part of the server."""

MAX_BODY_BYTES = 64 * 1024**2


class HttpServer:
    """An HTTP server on loopback that serves the routes of several parts."""

    def __init__(self) -> None:
        self._port = 0
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """The address of the server, without a slash at the end."""
        return f"http://127.0.0.1:{self._port}"

    async def start(self, port: int, parts: Iterable[AddRoutes]) -> None:
        """Listen on 127.0.0.1; port 0 takes a free one.

        Raises OSError if the port is taken.
        """
        application = web.Application(middlewares=[reject_foreign_origin], client_max_size=MAX_BODY_BYTES)
        for add_routes in parts:
            add_routes(application.router)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port)
        try:
            await site.start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        self._port = runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening and close the open connections."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
