"""The consumer alone, seen from outside."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from bot.reading import consume
from bot.rooms import Rooms
from bot.settings import Settings
from tests.bot.slack.conftest import Silent


@pytest.mark.backends("postgresql")
async def test_says_that_it_lives_where_it_is_asked(rooms: Rooms, backend: str, unused_tcp_port: int) -> None:
    settings = Settings(_env_file=None, kafka_group="gwevent-here", http_port=unused_tcp_port)  # type: ignore[call-arg]
    stop = asyncio.Event()
    running = asyncio.create_task(consume(settings, rooms, [Silent()], stop))
    address = f"http://127.0.0.1:{unused_tcp_port}"
    async with asyncio.timeout(60), aiohttp.ClientSession() as session:
        while not await answers(session, address):
            await asyncio.sleep(0.01)
        async with session.get(f"{address}/readyz") as answer:
            parts = {"silent": "ok", "store": "ok"}
            assert await answer.json() == {"ready": True, "parts": parts}
        async with session.get(f"{address}/metrics") as answer:
            figures = await answer.text()
        assert 'gwevent_source_connected{source="silent"} 1.0' in figures
        assert "gwevent_slack_connected NaN" in figures
        stop.set()
        await running
        assert not await answers(session, address)


async def answers(session: aiohttp.ClientSession, address: str) -> bool:
    try:
        async with session.get(f"{address}/healthz") as answer:
            return answer.status == 200
    except aiohttp.ClientConnectionError:
        return False
