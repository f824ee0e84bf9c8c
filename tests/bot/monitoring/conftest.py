"""A whole bot with its ops channel, and the services on loopback that it calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from bot.app.application import Application
from bot.app.factory import Factory
from bot.local_slack.server import LocalSlack
from bot.settings import Settings
from bot.sources.base import Origin, Payload, SourceStatus
from tests.support.factories import Clock

PATIENCE_S = 60.0


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


class Tray:
    """A source that yields the payloads put into it."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[bytes] = asyncio.Queue()
        self.connected = True
        self.acknowledged = 0

    async def payloads(self) -> AsyncIterator[Payload]:
        while True:
            yield Payload(await self.queue.get(), Origin("tray", "test", live=True))

    async def acknowledge(self, payload: Payload) -> None:
        self.acknowledged += 1

    async def stop(self) -> None:
        return None

    def status(self) -> SourceStatus:
        detail = "reads" if self.connected else "nothing to read"
        return SourceStatus("tray", self.connected, detail, 3, topic="igwn.gwalert")


@pytest.fixture
def tray() -> Tray:
    return Tray()


@pytest.fixture
def ops(local_slack: LocalSlack) -> str:
    return local_slack.add_channel("ops")


@pytest.fixture
async def bot(
    local_slack: LocalSlack,
    factory: Factory,
    clock: Clock,
    tray: Tray,
    ops: str,
    service: PingedService,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Application]:
    monkeypatch.setattr("bot.monitoring.dead_mans_switch.RECHECK_INTERVAL_S", 0.1)
    local_slack.workspace.clock = lambda: clock().timestamp()
    settings = Settings.model_validate(
        {
            "slack_bot_token": local_slack.bot_token,
            "slack_app_token": local_slack.app_token,
            "slack_api_url": local_slack.api_url,
            "ops_channel": ops,
            "http_port": 0,
            "heartbeat_url": service.url,
        }
    )
    bot = Application(settings, factory, [tray], clock)
    stop = asyncio.Event()
    running = asyncio.create_task(bot.run(stop))
    async with asyncio.timeout(PATIENCE_S):
        await bot.ready.wait()
    yield bot
    stop.set()
    await running
