"""Optional topics and patterns on a real Kafka protocol: absent, denied, dying, and beside each other."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from bot.demo.kafka_broker import EmbeddedBroker
from bot.setting_types.topics import ConfiguredTopic, parse_topic_streams
from bot.sources.base import UNKNOWN_STREAM, Payload
from bot.sources.broker_access import TopicTiming
from bot.sources.credentials import KafkaUrl
from bot.sources.hopskotch import hopskotch_broker
from bot.sources.topic_source import TopicSource

pytestmark = pytest.mark.slow

CIRCULARS = "gcn.circulars"
QUICK = TopicTiming(
    first_backoff_s=0.05,
    max_backoff_s=0.2,
    watermark_interval_s=0.1,
    pattern_interval_s=0.2,
    refused_retry_s=0.5,
)
PATIENT = 60.0


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as broker:
        yield broker


def publish(
    broker: EmbeddedBroker, topic: str, *bodies: bytes, headers: dict[str, str | bytes | None] | None = None
) -> None:
    producer = Producer({"bootstrap.servers": broker.address, "log_level": 2})
    for body in bodies:
        producer.produce(topic, body, headers=headers or {})
    assert producer.flush(30) == 0


@contextlib.asynccontextmanager
async def reading(
    broker: EmbeddedBroker,
    entry: str = CIRCULARS,
    *,
    streams: str = "",
    not_read: frozenset[str] = frozenset(),
    consumer_class: type[Consumer] = Consumer,
    timing: TopicTiming = QUICK,
) -> AsyncIterator[tuple[TopicSource, AsyncIterator[Payload]]]:
    access = hopskotch_broker(KafkaUrl.parse(broker.url(entry.rstrip("*"))), False)
    source = TopicSource(
        replace(access, consumer_class=consumer_class),
        ConfiguredTopic(entry, is_optional=True),
        "gwevent",
        parse_topic_streams(streams),
        not_read=not_read,
        timing=timing,
    )
    try:
        yield source, source.payloads()
    finally:
        async with asyncio.timeout(PATIENT):
            await source.stop()


async def take(payloads: AsyncIterator[Payload], count: int) -> list[Payload]:
    async with asyncio.timeout(PATIENT):
        return [await anext(payloads) for _ in range(count)]


async def end(waiting: asyncio.Task[list[Payload]]) -> None:
    waiting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await waiting


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENT):
        while not condition():
            await asyncio.sleep(0.01)


async def test_payloads_say_their_stream(broker: EmbeddedBroker) -> None:
    for topic in (CIRCULARS, "gcn.new"):
        broker.create_topic(topic)
        publish(broker, topic, b"one")
    # The list of topics with readers of their own names this one too.
    async with reading(broker, not_read=frozenset({CIRCULARS})) as (_, payloads):
        assert [payload.origin.stream for payload in await take(payloads, 1)] == ["circulars"]
    async with reading(broker, "gcn.new") as (_, payloads):
        assert [payload.origin.stream for payload in await take(payloads, 1)] == [UNKNOWN_STREAM]
    async with reading(broker, "gcn.new", streams="gcn.new=guano") as (_, payloads):
        assert [payload.origin.stream for payload in await take(payloads, 1)] == ["guano"]


async def test_a_topic_that_is_named_itself_is_read_beside_others(broker: EmbeddedBroker) -> None:
    broker.create_topic(CIRCULARS)
    publish(broker, CIRCULARS, b"one")
    async with reading(broker, not_read=frozenset({CIRCULARS, "gcn.new"})) as (_, payloads):
        assert [payload.body for payload in await take(payloads, 1)] == [b"one"]


async def test_an_empty_topic_is_known_to_be_read(broker: EmbeddedBroker) -> None:
    broker.create_topic(CIRCULARS)
    async with reading(broker) as (source, payloads):
        waiting = asyncio.create_task(take(payloads, 1))
        await until(lambda: source.status().connected)
        assert source.status().detail.startswith("reads gcn.circulars as gwevent since ")
        assert (source.status().topic, source.status().is_optional) == (CIRCULARS, True)
        await end(waiting)


async def test_an_absent_topic_is_said_and_read_once_it_is_there(broker: EmbeddedBroker) -> None:
    async with reading(broker) as (source, payloads):
        waiting = asyncio.create_task(take(payloads, 1))
        await until(lambda: "isn't on 127.0.0.1" in source.status().detail)
        assert not source.status().connected
        assert source.status().detail == (
            "isn't on 127.0.0.1, or this credential may not read it: my.hop.scimma.org gives the permission,"
            " within an hour"
        )
        broker.create_topic(CIRCULARS)
        publish(broker, CIRCULARS, b"first")
        assert [payload.body for payload in await waiting] == [b"first"]
        assert source.status().connected


async def test_a_denied_topic_is_said_and_read_once_it_is_allowed(broker: EmbeddedBroker) -> None:
    broker.create_topic(CIRCULARS)
    broker.refuse_topic(CIRCULARS, KafkaError.TOPIC_AUTHORIZATION_FAILED)
    async with reading(broker) as (source, payloads):
        waiting = asyncio.create_task(take(payloads, 1))
        await until(lambda: "may not be read with this credential" in source.status().detail)
        broker.refuse_topic(CIRCULARS, 0)
        publish(broker, CIRCULARS, b"first")
        assert [payload.body for payload in await waiting] == [b"first"]


async def test_a_topic_that_may_be_seen_and_not_fetched_is_not_read(broker: EmbeddedBroker) -> None:
    broker.create_topic(CIRCULARS)
    broker.refuse_next(1, *[KafkaError.TOPIC_AUTHORIZATION_FAILED] * 3)
    publish(broker, CIRCULARS, b"first")
    async with reading(broker) as (source, payloads):
        waiting = asyncio.create_task(take(payloads, 1))
        await until(lambda: source.status().detail != "not started")
        assert not source.status().connected
        assert [payload.body for payload in await waiting] == [b"first"]
        assert source.status().connected


async def test_a_topic_that_dies_is_said_and_read_on_later(broker: EmbeddedBroker) -> None:
    broker.create_topic(CIRCULARS)
    publish(broker, CIRCULARS, b"first")
    async with reading(broker) as (source, payloads):
        (first,) = await take(payloads, 1)
        await source.acknowledge(first)
        await until(lambda: source.status().lag == 0)
        broker.refuse_topic(CIRCULARS, KafkaError.UNKNOWN_TOPIC_OR_PART)
        waiting = asyncio.create_task(take(payloads, 1))
        await until(lambda: not source.status().connected)
        broker.refuse_topic(CIRCULARS, 0)
        publish(broker, CIRCULARS, b"second")
        assert [payload.body for payload in await waiting] == [b"second"]


async def test_a_message_that_hop_marks_as_a_test_is_dropped(broker: EmbeddedBroker) -> None:
    broker.create_topic(CIRCULARS)
    publish(broker, CIRCULARS, b"test", headers={"_test": b"true"})
    publish(broker, CIRCULARS, b"real")
    async with reading(broker) as (source, payloads):
        (real,) = await take(payloads, 1)
        await source.acknowledge(real)
        assert real.body == b"real"
        await until(lambda: source.status().lag == 0)


async def test_offsets_of_the_same_group_are_kept_apart(broker: EmbeddedBroker) -> None:
    for topic in (CIRCULARS, "gcn.notices.boom.alert"):
        broker.create_topic(topic)
        publish(broker, topic, b"one", b"two")
    async with (
        reading(broker) as (source, payloads),
        reading(broker, "gcn.notices.boom.alert") as (_, others),
    ):
        for payload in await take(payloads, 2):
            await source.acknowledge(payload)
        await take(others, 2)
        await until(lambda: source.status().lag == 0)
    publish(broker, CIRCULARS, b"three")
    async with reading(broker) as (_, payloads), reading(broker, "gcn.notices.boom.alert") as (_, others):
        assert [payload.body for payload in await take(payloads, 1)] == [b"three"]
        assert [payload.body for payload in await take(others, 2)] == [b"one", b"two"]


async def test_a_pattern_reads_its_topics_and_those_that_come_later(broker: EmbeddedBroker) -> None:
    for topic in ("hermes.discovery", "hermes.test", "hermes.own", "gcn.circulars"):
        broker.create_topic(topic)
        publish(broker, topic, topic.encode())
    async with reading(broker, "hermes.*", not_read=frozenset({"hermes.own"})) as (source, payloads):
        (first,) = await take(payloads, 1)
        assert (first.body, first.origin.stream) == (b"hermes.discovery", "hermes")
        await source.acknowledge(first)
        assert source.status().detail.startswith("reads 1 topics of hermes.* as gwevent")
        waiting = asyncio.create_task(take(payloads, 1))
        await until(lambda: source.status().lag == 0)
        broker.create_topic("hermes.later")
        publish(broker, "hermes.later", b"later")
        assert [payload.body for payload in await waiting] == [b"later"]


async def test_a_pattern_without_a_topic_is_said(broker: EmbeddedBroker) -> None:
    broker.create_topic("hermes.test")
    async with reading(broker, "hermes.*") as (source, payloads):
        waiting = asyncio.create_task(take(payloads, 1))
        await until(lambda: source.status().detail.startswith("no topic that begins so is on 127.0.0.1"))
        await end(waiting)


async def test_a_denied_topic_of_a_pattern_leaves_the_others(broker: EmbeddedBroker) -> None:
    for topic in ("hermes.bad", "hermes.good"):
        broker.create_topic(topic)
    broker.refuse_topic("hermes.bad", KafkaError.TOPIC_AUTHORIZATION_FAILED)
    publish(broker, "hermes.good", b"good")
    async with reading(broker, "hermes.*") as (source, payloads):
        (good,) = await take(payloads, 1)
        assert (good.body, source.status().connected) == (b"good", True)
        assert source.status().detail.endswith(", but not hermes.bad")
        broker.refuse_topic("hermes.bad", 0)
        publish(broker, "hermes.bad", b"allowed")
        await source.acknowledge(good)
        found = await take(payloads, 1)
        while found[0].body == b"good":
            found = await take(payloads, 1)
        assert [payload.body for payload in found] == [b"allowed"]


@pytest.fixture
def refusing() -> Any:
    """Return a class of consumers, the first of which hears of hermes.bad once that it may not fetch it.

    Each test has its own: readers of an earlier one can't use the refusal up.
    """

    class Refusing(Consumer):
        has_refused = False

        def poll(self, timeout: float = -1) -> Message | None:
            message = super().poll(timeout)
            if message is None or message.topic() != "hermes.bad" or Refusing.has_refused:
                return message
            Refusing.has_refused = True
            return Message(
                topic="hermes.bad", partition=0, error=KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)
            )

    return Refusing


async def test_a_topic_refused_in_fetching_is_left_out_of_a_pattern_and_tried_again(
    broker: EmbeddedBroker, refusing: Any
) -> None:
    for topic in ("hermes.bad", "hermes.good"):
        broker.create_topic(topic)
    publish(broker, "hermes.bad", b"bad")
    async with reading(broker, "hermes.*", consumer_class=refusing) as (source, payloads):
        # How long it is named depends on the retry; the test below sees it with a patient one.
        assert [payload.body for payload in await take(payloads, 1)] == [b"bad"]
        assert source.status().connected
        assert refusing.has_refused


async def test_a_topic_refused_in_fetching_is_named_until_it_is_tried_again(
    broker: EmbeddedBroker, refusing: Any
) -> None:
    for topic in ("hermes.bad", "hermes.good"):
        broker.create_topic(topic)
    publish(broker, "hermes.bad", b"bad")
    listed: list[str] = []

    class Listing(refusing):  # type: ignore[misc]
        def list_topics(self, topic: str | None = None, timeout: float = -1) -> Any:
            listed.append("")
            return super().list_topics(topic, timeout) if topic else super().list_topics(timeout=timeout)

    timing = replace(QUICK, refused_retry_s=PATIENT)
    async with reading(broker, "hermes.*", consumer_class=Listing, timing=timing) as (source, payloads):
        waiting = asyncio.create_task(take(payloads, 1))
        await until(lambda: "but not hermes.bad" in source.status().detail)
        # The broker is asked again and again which topics there are, and goes on to list this one.
        seen = len(listed)
        await until(lambda: len(listed) > seen + 2)
        assert "but not hermes.bad" in source.status().detail
        await end(waiting)


async def test_how_far_a_pattern_is_behind_is_asked_for_all_its_topics_together(
    broker: EmbeddedBroker,
) -> None:
    asked: list[int] = []

    class Counting(Consumer):
        def offsets_for_times(
            self, partitions: list[TopicPartition], timeout: float = -1
        ) -> list[TopicPartition]:
            asked.append(len(partitions))
            return super().offsets_for_times(partitions, timeout=timeout)

        def get_watermark_offsets(self, *_: object, **__: object) -> tuple[int, int]:
            raise AssertionError("each question is half a second in which nothing is read")

    topics = [f"hermes.{number}" for number in range(30)]
    for topic in topics:
        broker.create_topic(topic)
    publish(broker, topics[3], b"one", b"two")
    async with reading(broker, "hermes.*", consumer_class=Counting) as (source, payloads):
        first, _ = await take(payloads, 2)
        await source.acknowledge(first)
        waiting = asyncio.create_task(take(payloads, 1))
        await until(lambda: source.status().lag == 1)
        assert set(asked) == {len(topics)}
        await end(waiting)


async def test_a_pattern_of_which_nothing_may_be_fetched_is_not_read(
    broker: EmbeddedBroker, refusing: Any
) -> None:
    broker.create_topic("hermes.bad")
    publish(broker, "hermes.bad", b"bad")
    async with reading(broker, "hermes.*", consumer_class=refusing) as (source, payloads):
        waiting = asyncio.create_task(take(payloads, 1))
        await until(lambda: "may not be read with this credential" in source.status().detail)
        assert [payload.body for payload in await waiting] == [b"bad"]
