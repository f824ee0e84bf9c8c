"""The consumer alone, seen from outside."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from structlog.testing import capture_logs

from bot.reading import consume
from bot.rooms import Rooms
from bot.settings import Settings
from tests.bot.slack.conftest import Silent


@pytest.mark.backends("postgresql")
async def test_says_that_it_lives_where_it_is_asked(rooms: Rooms, backend: str) -> None:
    settings = Settings(_env_file=None, kafka_group="gwevent-here", http_port=0)  # type: ignore[call-arg]
    stop = asyncio.Event()
    with capture_logs() as logs:
        running = asyncio.create_task(consume(settings, rooms, [Silent()], stop))
        async with asyncio.timeout(60):
            while not (ports := [entry["port"] for entry in logs if entry["event"] == "http_listens"]):
                await asyncio.sleep(0.01)
            async with aiohttp.ClientSession() as session:
                address = f"http://127.0.0.1:{ports[0]}/healthz"
                async with session.get(address) as answer:
                    assert answer.status == 200
                async with session.get(address.replace("healthz", "readyz")) as answer:
                    parts = {"silent": "ok", "store": "ok"}
                    assert await answer.json() == {"ready": True, "parts": parts}
                async with session.get(address.replace("healthz", "metrics")) as answer:
                    figures = await answer.text()
                assert 'gwevent_source_connected{source="silent"} 1.0' in figures
                assert "gwevent_slack_connected NaN" in figures
                stop.set()
                await running
                with pytest.raises(aiohttp.ClientConnectionError):
                    await session.get(address)
