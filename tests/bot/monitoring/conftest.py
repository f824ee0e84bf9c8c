"""A webhook server on loopback that records its calls."""

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
