from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import KafkaError, Producer

from bot.demo.kafka_broker import BrokerProcess, EmbeddedBroker, Publisher, publish
from bot.sources.base import Origin, Payload, SourceConfigError
from bot.sources.hopskotch import HopskotchSource, HopskotchTiming

TOPIC = "igwn.gwalert"
QUICK = HopskotchTiming(first_backoff_s=0.05, max_backoff_s=0.2, watermark_interval_s=0.1)
PATIENT = 60.0
"""A wait that fails the test instead of hanging it; nothing measures it."""


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as broker:
        broker.create_topic(TOPIC)
        yield broker


@contextlib.asynccontextmanager
async def reading(
    url: str, *, timing: HopskotchTiming = QUICK, hand_over: int = 2
) -> AsyncIterator[tuple[HopskotchSource, AsyncIterator[Payload]]]:
    source = HopskotchSource(url, "gwevent", False, timing=timing, queue_size=hand_over)
    payloads = source.payloads()
    try:
        yield source, payloads
    finally:
        async with asyncio.timeout(PATIENT):
            await source.stop()


async def take(payloads: AsyncIterator[Payload], count: int) -> list[Payload]:
    async with asyncio.timeout(PATIENT):
        return [await anext(payloads) for _ in range(count)]


async def bodies(payloads: AsyncIterator[Payload], count: int) -> list[bytes]:
    return [payload.body for payload in await take(payloads, count)]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENT):
        while not condition():
            await asyncio.sleep(0.01)


def publish_all(url: str, *bodies: bytes) -> None:
    with Publisher(url) as publisher:
        for body in bodies:
            publisher.publish(body)


def produce(broker: EmbeddedBroker, value: bytes | None, headers: dict[str, str | bytes | None]) -> None:
    producer = Producer({"bootstrap.servers": broker.address, "log_level": 2})
    producer.produce(TOPIC, value, headers=headers)
    assert producer.flush(20) == 0


@pytest.mark.slow
async def test_payloads_are_ordered_and_acknowledged_ones_remembered(broker: EmbeddedBroker) -> None:
    url = broker.url(TOPIC)
    publish_all(url, b"0", b"1", b"2", b"3", b"4")
    async with reading(url) as (source, payloads):
        found = await take(payloads, 5)
        for payload in found[:3]:
            await source.acknowledge(payload)
    assert [payload.body for payload in found] == [b"0", b"1", b"2", b"3", b"4"]
    assert found[1].origin == Origin("hopskotch", "igwn.gwalert[0]@1", True)
    async with reading(url) as (source, payloads):
        assert await bodies(payloads, 2) == [b"3", b"4"]


@pytest.mark.slow
async def test_unacknowledged_payload_is_delivered_again(broker: EmbeddedBroker) -> None:
    url = broker.url(TOPIC)
    publish_all(url, b"0", b"1", b"2")
    async with reading(url) as (source, payloads):
        first, second, third = await take(payloads, 3)
        await source.acknowledge(first)
        await source.acknowledge(third)
    async with reading(url) as (source, payloads):
        assert await bodies(payloads, 2) == [second.body, third.body]


@pytest.mark.slow
async def test_without_any_acknowledgement_everything_comes_again(broker: EmbeddedBroker) -> None:
    url = broker.url(TOPIC)
    publish_all(url, b"0", b"1")
    for _ in range(2):
        async with reading(url) as (_, payloads):
            assert await bodies(payloads, 2) == [b"0", b"1"]


@pytest.mark.slow
async def test_messages_published_before_the_first_start_are_read(broker: EmbeddedBroker) -> None:
    publish(broker.url(TOPIC), b"early")
    async with reading(broker.url(TOPIC)) as (_, payloads):
        assert await bodies(payloads, 1) == [b"early"]
        publish(broker.url(TOPIC), b"late")
        assert await bodies(payloads, 1) == [b"late"]


@pytest.mark.slow
async def test_unreadable_payloads_do_not_stop_the_source(broker: EmbeddedBroker) -> None:
    url = broker.url(TOPIC)
    produce(broker, None, {"_format": b"avro"})
    produce(broker, b"Obj\x01 broken", {"_format": b"avro"})
    produce(broker, b"{broken", {"_format": b"json"})
    produce(broker, b"?", {"_format": b"nonsense"})
    produce(broker, b"?", {"_format": None})
    produce(broker, b"no header", {})
    produce(broker, b'{"url": "http://127.0.0.1:1/"}', {"_format": b"external"})
    async with reading(url) as (source, payloads):
        found = await take(payloads, 7)
        for payload in found:
            await source.acknowledge(payload)
    assert [payload.body for payload in found] == [
        b"",
        b"Obj\x01 broken",
        b"{broken",
        b"?",
        b"?",
        b"no header",
        b'{"url": "http://127.0.0.1:1/"}',
    ]
    publish(url, b"next")
    async with reading(url) as (_, payloads):
        assert await bodies(payloads, 1) == [b"next"]


async def test_drops_test_messages_and_moves_on(broker: EmbeddedBroker) -> None:
    url = broker.url(TOPIC)
    with Publisher(url) as publisher:
        publisher.publish(b"test", headers={"_test": b"false"})
        publisher.publish(b"real")
        async with reading(url) as (source, payloads):
            (real,) = await take(payloads, 1)
            await source.acknowledge(real)
            assert real.body == b"real"
            publisher.publish(b"test", headers={"_test": b"true"})
            # the group's offset moves past the test message, although nobody acknowledges it
            await asyncio.to_thread(publisher.wait_until_read, "gwevent", PATIENT)


@pytest.mark.slow
async def test_hands_over_no_more_than_the_pipeline_takes(broker: EmbeddedBroker) -> None:
    publish_all(broker.url(TOPIC), *(b"%d" % number for number in range(10)))
    async with reading(broker.url(TOPIC), hand_over=2) as (source, payloads):
        (first,) = await take(payloads, 1)
        # One taken, two handed over, one in the reader's hand; what isn't acknowledged is still to come.
        await until(lambda: source._reader.bridge.queued == 2 and source.status().lag == 10)
        await source.acknowledge(first)
        await until(lambda: source.status().lag == 9)
        rest = await take(payloads, 9)
        assert [payload.body for payload in rest] == [b"%d" % number for number in range(1, 10)]
        assert source.status().lag == 9
        for payload in rest:
            await source.acknowledge(payload)
        await until(lambda: source.status().lag == 0)


async def test_waits_for_a_broker_that_is_down_at_the_start(broker: EmbeddedBroker) -> None:
    publish(broker.url(TOPIC), b"hello")
    broker.set_down()
    async with reading(
        broker.url(TOPIC), timing=HopskotchTiming(first_backoff_s=0.05, query_timeout_s=0.2)
    ) as (
        source,
        payloads,
    ):
        assert source.status().detail == "not started"
        waiting = asyncio.create_task(take(payloads, 1))
        await until(lambda: source.status().detail != "not started")
        status = source.status()
        assert not status.connected
        broker.set_up()
        assert [payload.body for payload in await waiting] == [b"hello"]
        await until(lambda: source.status().connected)
        assert source.status().detail.startswith(
            f"reads igwn.gwalert from {broker.address} as gwevent since "
        )


@pytest.mark.slow
async def test_comes_back_after_the_broker_was_away(broker: EmbeddedBroker) -> None:
    url = broker.url(TOPIC)
    publish(url, b"before")
    async with reading(
        url, timing=HopskotchTiming(first_backoff_s=0.05, watermark_interval_s=0.1, query_timeout_s=0.2)
    ) as (
        source,
        payloads,
    ):
        (before,) = await take(payloads, 1)
        broker.set_down()
        await until(lambda: not source.status().connected)
        assert broker.address in source.status().detail
        await source.acknowledge(before)
        broker.set_up()
        publish(url, b"after")
        (after,) = await take(payloads, 1)
        assert after.body == b"after"
        await source.acknowledge(after)
        await until(lambda: source.status().connected)
        with Publisher(url) as publisher:
            publisher.publish(b"last")
            (last,) = await take(payloads, 1)
            # what couldn't be committed while the broker was away is committed now
            await source.acknowledge(last)
            await asyncio.to_thread(publisher.wait_until_read, "gwevent", PATIENT)


@pytest.mark.slow
async def test_finds_a_topic_that_appears_later(broker: EmbeddedBroker) -> None:
    url = broker.url("gcn.later")
    async with reading(url) as (source, payloads):
        waiting = asyncio.create_task(take(payloads, 1))
        await until(lambda: "gcn.later doesn't exist" in source.status().detail)
        assert "up to an hour" in source.status().detail
        broker.create_topic("gcn.later")
        publish(url, b"hello")
        assert [payload.body for payload in await waiting] == [b"hello"]


async def test_says_that_a_topic_may_not_be_read(broker: EmbeddedBroker) -> None:
    async with reading(broker.url(TOPIC)) as (source, payloads):
        waiting = asyncio.create_task(take(payloads, 1))
        await until(lambda: source.status().connected)
        broker.refuse_topic(TOPIC, KafkaError.TOPIC_AUTHORIZATION_FAILED)
        await until(lambda: "authorization failed" in source.status().detail)
        broker.refuse_topic(TOPIC, 0)
        publish(broker.url(TOPIC), b"hello")
        assert [payload.body for payload in await waiting] == [b"hello"]


@pytest.mark.slow
async def test_a_fetch_that_is_refused_is_tried_again(broker: EmbeddedBroker) -> None:
    publish(broker.url(TOPIC), b"hello")
    broker.refuse_next(1, *[KafkaError.TOPIC_AUTHORIZATION_FAILED] * 2)
    async with reading(broker.url(TOPIC)) as (_, payloads):
        assert await bodies(payloads, 1) == [b"hello"]


async def test_a_commit_that_is_refused_is_tried_again(broker: EmbeddedBroker) -> None:
    url = broker.url(TOPIC)
    with Publisher(url) as publisher:
        publisher.publish(b"hello")
        async with reading(url) as (source, payloads):
            (hello,) = await take(payloads, 1)
            broker.refuse_next(8, KafkaError.GROUP_AUTHORIZATION_FAILED)
            await source.acknowledge(hello)
            await asyncio.to_thread(publisher.wait_until_read, "gwevent", PATIENT)


class Deaf:
    """A consumer that reads nothing and complains of nothing, as in librdkafka#5153."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self.asked = False

    def consume(self, *_: object) -> list[Any]:
        self.asked = True
        time.sleep(0.01)
        return []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._consumer, name)


@pytest.mark.slow
async def test_silent_reader_is_reopened(broker: EmbeddedBroker) -> None:
    timing = HopskotchTiming(first_backoff_s=0.05, watermark_interval_s=0.1, stuck_timeout_s=0.5)
    async with reading(broker.url(TOPIC), timing=timing) as (source, payloads):
        publish(broker.url(TOPIC), b"first")
        (first,) = await take(payloads, 1)
        await source.acknowledge(first)
        assert source._connection is not None
        deaf = Deaf(source._connection.stream._consumer._consumer)
        source._connection.stream._consumer._consumer = deaf
        await until(lambda: deaf.asked)
        publish(broker.url(TOPIC), b"second")
        assert await bodies(payloads, 1) == [b"second"]


@pytest.mark.process
async def test_stops_at_once_when_the_broker_hangs() -> None:
    with BrokerProcess([TOPIC]) as broker:
        url = broker.url(TOPIC)
        publish_all(url, b"0", b"1", b"2")
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            READER,
            url,
            "stop",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdin is not None and process.stdout is not None
        assert (await process.stdout.readline()).strip() == b"b'0'"
        broker.freeze()
        # far less than the 45 s for which Kafka's client waits for a commit
        process.stdin.write(b"\n")
        async with asyncio.timeout(20):
            assert await process.wait() == 0
        broker.thaw()


@pytest.mark.process
async def test_a_killed_reader_loses_nothing() -> None:
    with BrokerProcess([TOPIC]) as broker:
        url = broker.url(TOPIC)
        publish_all(url, b"0", b"1", b"2", b"3")
        seen: list[bytes] = []
        for _ in range(3):
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", READER, url, "kill", stdout=asyncio.subprocess.PIPE
            )
            assert process.stdout is not None
            async with asyncio.timeout(PATIENT):
                output = await process.stdout.read()
                assert await process.wait() == -signal.SIGKILL
            seen += output.split()
        # each run acknowledges one and dies with the next in hand
        assert seen == [b"b'0'", b"b'1'", b"b'1'", b"b'2'", b"b'2'", b"b'3'"]


READER = """
import asyncio, os, signal, sys, threading
from bot.demo.kafka_broker import Publisher
from bot.sources.hopskotch import HopskotchSource
from confluent_kafka import Consumer, TopicPartition
import structlog

structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
url, end = sys.argv[1:]

def committed(offset):
    address, topic = url.removeprefix("kafka://").split("/")
    watcher = Consumer({"bootstrap.servers": address, "group.id": "gwevent"})
    while watcher.committed([TopicPartition(topic, 0)])[0].offset != offset:
        pass

async def main():
    source = HopskotchSource(url, "gwevent", False)
    payloads = source.payloads()
    payload = await anext(payloads)
    print(payload.body, flush=True)
    if end == "kill":
        await source.acknowledge(payload)
        await asyncio.to_thread(committed, payload.ack_token.offset.offset + 1)
        print((await anext(payloads)).body, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    await asyncio.to_thread(sys.stdin.readline)
    await source.acknowledge(payload)
    await source.stop()

asyncio.run(main())
"""


async def test_stop_ends_the_payloads_and_may_come_first(broker: EmbeddedBroker) -> None:
    async with reading(broker.url(TOPIC)) as (source, payloads):
        ended = asyncio.create_task(take(payloads, 1))
        await until(lambda: source.status().connected)
        await source.stop()
        with pytest.raises(StopAsyncIteration):
            await ended
    never_started = HopskotchSource(broker.url(TOPIC), "g", False)
    await never_started.stop()
    assert [payload async for payload in never_started.payloads()] == []


async def test_is_read_once_and_acknowledges_its_own(broker: EmbeddedBroker) -> None:
    publish(broker.url(TOPIC), b"0")
    async with reading(broker.url(TOPIC)) as (source, payloads):
        await take(payloads, 1)
        with pytest.raises(RuntimeError, match="being read already"):
            await anext(source.payloads())
        with pytest.raises(TypeError, match=r"^here didn't come from this source"):
            await source.acknowledge(Payload(b"", Origin("file", "here", False)))


async def test_hop_applies_every_option(broker: EmbeddedBroker) -> None:
    """hop drops the options it doesn't know without a word."""
    async with reading(broker.url(TOPIC)) as (source, payloads):
        publish(broker.url(TOPIC), b"0")
        await take(payloads, 1)
        assert source._connection is not None
        stream = source._connection.stream
        assert stream.fetch_external is False and stream.ignoretest is False
        assert stream._conf.error_callback == source._on_error
        assert stream._conf.check_crcs is True
        options = stream._conf._to_confluent_kafka()
        assert options["group.id"] == "gwevent"
        assert options["default.topic.config"] == {"auto.offset.reset": "EARLIEST"}
        assert options["socket.keepalive.enable"] is True


def test_says_when_it_cant_be_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SourceConfigError, match="isn't a Kafka URL"):
        HopskotchSource("kafka://host", "g", False)
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    with pytest.raises(SourceConfigError, match="Neither HOME nor"):
        HopskotchSource("kafka://host/topic", "g", False)
