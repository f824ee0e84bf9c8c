from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import pytest

from bot.sandbox.broker import EmbeddedBroker, Publisher
from bot.sources import Payload
from bot.sources.hopskotch import HopskotchSource, Timing

TOPIC = "igwn.gwalert"
QUICK = Timing(first_retry=0.05, longest_retry=0.2, look_every=0.1)
PATIENT = 60.0
"""A wait that fails the test instead of hanging it; nothing measures it."""


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as broker:
        broker.create_topic(TOPIC)
        yield broker


@contextlib.asynccontextmanager
async def reading(
    url: str, group: str = "gwevent", timing: Timing = QUICK
) -> AsyncIterator[tuple[HopskotchSource, AsyncIterator[Payload]]]:
    source = HopskotchSource(url, group, False, timing=timing)
    payloads = source.payloads()
    try:
        yield source, payloads
    finally:
        async with asyncio.timeout(PATIENT):
            await source.stop()


async def take(payloads: AsyncIterator[Payload], count: int) -> list[Payload]:
    async with asyncio.timeout(PATIENT):
        return [await anext(payloads) for _ in range(count)]


async def test_yields_payloads_in_order_and_remembers_what_was_acknowledged(broker: EmbeddedBroker) -> None:
    url = broker.url(TOPIC)
    with Publisher(url) as publisher:
        for number in range(5):
            publisher.publish(b"%d" % number)
    async with reading(url) as (source, payloads):
        found = await take(payloads, 5)
        for payload in found[:3]:
            await source.acknowledge(payload)
    assert [payload.body for payload in found] == [b"0", b"1", b"2", b"3", b"4"]
    assert [payload.origin.detail for payload in found][:2] == ["igwn.gwalert[0]@0", "igwn.gwalert[0]@1"]
    assert found[0].origin.source == "hopskotch" and found[0].origin.live
    async with reading(url) as (source, payloads):
        assert [payload.body for payload in await take(payloads, 2)] == [b"3", b"4"]
