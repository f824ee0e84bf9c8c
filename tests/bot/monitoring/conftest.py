"""Services on loopback that the bot calls: a webhook, and the other end of a dead man's switch."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web


@dataclass
class Pager:
    """A webhook server that accepts or refuses calls."""

    url: str = ""
    status: int = 200
    calls: list[tuple[str, dict[str, Any], str | None]] = field(default_factory=list)
    """Path, body, Authorization."""
    refused: int = 0

    def heard(self) -> list[dict[str, Any]]:
        """Return the bodies of the accepted calls."""
        return [body for _, body, _ in self.calls]


@pytest.fixture
async def pager() -> AsyncIterator[Pager]:
    pager = Pager()

    async def take(request: web.Request) -> web.Response:
        if pager.status != 200:
            pager.refused += 1
            return web.Response(status=pager.status, headers={"Location": "/elsewhere"})
        pager.calls.append((request.path, await request.json(), request.headers.get("Authorization")))
        return web.Response()

    application = web.Application()
    application.router.add_post("/{path:.*}", take)
    runner = web.AppRunner(application, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    pager.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield pager
    await runner.cleanup()


class PingedService:
    """A service on loopback that counts pings."""

    def __init__(self) -> None:
        self.url = ""
        self.status = 200
        self.pings = 0

    async def handle(self, request: web.Request) -> web.Response:
        assert request.path == "/ping/swordfish"
        self.pings += self.status == 200
        return web.Response(status=self.status, headers={"Location": "/ping/elsewhere"})


@pytest.fixture
async def service() -> AsyncIterator[PingedService]:
    service = PingedService()
    application = web.Application()
    application.router.add_get("/{path:.*}", service.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    service.url = f"http://127.0.0.1:{runner.addresses[0][1]}/ping/swordfish"
    yield service
    await runner.cleanup()
