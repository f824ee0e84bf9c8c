"""The consumer process: health, metrics, and retries of payloads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from bot.app.consumer_application import ConsumerApplication
from bot.app.factory import Factory
from bot.ingest.pipeline import IngestResult, IngestRules, Pipeline
from bot.runtime.wakeups import Wakeups
from bot.settings import Settings
from bot.sources.base import Origin, Payload
from tests.support.delivery_harness import IdleSource
from tests.support.factories import MAX_AGE, Clock


@pytest.mark.backends("postgresql")
async def test_consumer_serves_health(factory: Factory, backend: str, unused_tcp_port: int) -> None:
    settings = Settings(_env_file=None, kafka_group="gwevent-here", http_port=unused_tcp_port)  # type: ignore[call-arg]
    stop = asyncio.Event()
    running = asyncio.create_task(ConsumerApplication(settings, factory, [IdleSource()]).run(stop))
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


@pytest.mark.parametrize("error", [MemoryError(), OSError(24, "x"), RuntimeError("can't start new thread")])
@pytest.mark.essential
async def test_payload_is_retried_after_a_system_error(factory: Factory, error: Exception) -> None:
    """The payload is retried in place: a restarted consumer would continue with the next one."""
    did: list[str] = []

    class One(IdleSource):
        async def payloads(self) -> AsyncIterator[Payload]:
            yield Payload(b"x", Origin("silent", "1", live=True))
            await asyncio.Event().wait()

        async def acknowledge(self, payload: Payload) -> None:
            did.append("acknowledged")

    class Starved(Pipeline):
        async def handle(self, body: bytes, origin: Origin) -> IngestResult:
            did.append("tried")
            if len(did) < 3:
                raise error
            return IngestResult.STORED

    pipeline = Starved(factory.ingest_stores, Clock(), Wakeups(), IngestRules(max_age=MAX_AGE))
    reading = asyncio.create_task(factory.create_consumer(One(), pipeline, "silent").consume())
    async with asyncio.timeout(10):
        while "acknowledged" not in did and not reading.done():
            await asyncio.sleep(0.01)
    assert did == ["tried", "tried", "tried", "acknowledged"]
    reading.cancel()


async def answers(session: aiohttp.ClientSession, address: str) -> bool:
    try:
        async with session.get(f"{address}/healthz") as answer:
            return answer.status == 200
    except aiohttp.ClientConnectionError:
        return False
