"""GCN's source on a real Kafka protocol: groups, commits, heartbeats."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, Producer

from bot.demo.kafka_broker import EmbeddedBroker
from bot.doctor.gcn import check_gcn
from bot.setting_types.topics import HEARTBEAT_TOPIC, ConfiguredTopic, parse_topic_streams
from bot.sources.base import Origin, Payload, SourceConfigError
from bot.sources.broker_access import TopicTiming
from bot.sources.gcn import GcnAccess, gcn_broker
from bot.sources.topic_source import TopicSource
from formatters.terminal.findings import Level
from tests.support.tls_proxy import SaslProxy, listen_on_loopback

pytestmark = pytest.mark.slow

NOTICES, CIRCULARS = "igwn.gwalert", "gcn.circulars"
TOPICS = (NOTICES, CIRCULARS, HEARTBEAT_TOPIC)
ALERTS = ConfiguredTopic(NOTICES, is_optional=False)
QUICK = TopicTiming(first_backoff_s=0.05, max_backoff_s=0.2, watermark_interval_s=0.1, query_timeout_s=1.0)
PATIENT = 60.0


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as broker:
        for topic in TOPICS:
            broker.create_topic(topic)
        yield broker


def publish(broker: EmbeddedBroker, topic: str, *bodies: bytes) -> None:
    producer = Producer({"bootstrap.servers": broker.address, "log_level": 2})
    for body in bodies:
        producer.produce(topic, body)
    assert producer.flush(30) == 0


def make_source(
    address: str, topic: ConfiguredTopic = ALERTS, *, has_heartbeat: bool = False, timing: TopicTiming = QUICK
) -> TopicSource:
    return TopicSource(
        gcn_broker(GcnAccess(broker=address)),
        topic,
        "gwevent",
        parse_topic_streams(""),
        has_heartbeat=has_heartbeat,
        timing=timing,
    )


@contextlib.asynccontextmanager
async def reading(
    broker: EmbeddedBroker, *, has_heartbeat: bool = False, timing: TopicTiming = QUICK
) -> AsyncIterator[tuple[TopicSource, AsyncIterator[Payload]]]:
    source = make_source(broker.address, has_heartbeat=has_heartbeat, timing=timing)
    try:
        yield source, source.payloads()
    finally:
        async with asyncio.timeout(PATIENT):
            await source.stop()


async def take(payloads: AsyncIterator[Payload], count: int) -> list[Payload]:
    async with asyncio.timeout(PATIENT):
        return [await anext(payloads) for _ in range(count)]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENT):
        while not condition():
            await asyncio.sleep(0.01)


async def test_alerts_come_and_heartbeats_stay(broker: EmbeddedBroker) -> None:
    publish(broker, HEARTBEAT_TOPIC, b"{}", b"{}")  # of the past, so nobody's pulse
    publish(broker, NOTICES, b"one", b"two")
    async with reading(broker, has_heartbeat=True) as (source, payloads):
        taken = await take(payloads, 2)
        assert [payload.body for payload in taken] == [b"one", b"two"]
        assert taken[0].origin == Origin("gcn", f"{NOTICES}[0]@0", live=True)
        assert "heartbeat" not in source.status().detail
        async with asyncio.timeout(PATIENT):
            while "heartbeat" not in source.status().detail:
                publish(broker, HEARTBEAT_TOPIC, b"{}")
                await asyncio.sleep(0.05)
        assert source.status().connected
        await until(lambda: source.status().lag == 2)
        for payload in taken:
            await source.acknowledge(payload)
        await until(lambda: source.status().lag == 0)


async def test_lag_counts_unacknowledged_messages(broker: EmbeddedBroker) -> None:
    publish(broker, NOTICES, *(b"%d" % number for number in range(8)))
    async with reading(broker) as (source, payloads):
        taken = await take(payloads, 1)
        await until(lambda: source.status().lag == 8)
        publish(broker, NOTICES, b"more")
        await until(lambda: source.status().lag == 9)
        taken += await take(payloads, 8)
        for payload in taken:
            await source.acknowledge(payload)
        await until(lambda: source.status().lag == 0)


async def test_acknowledged_messages_are_not_read_again(broker: EmbeddedBroker) -> None:
    publish(broker, NOTICES, b"one", b"two", b"three")
    async with reading(broker) as (source, payloads):
        first, second = await take(payloads, 2)
        await source.acknowledge(second)
        await source.acknowledge(first)
    async with reading(broker) as (_, payloads):
        assert [payload.body for payload in await take(payloads, 1)] == [b"three"]


async def test_unacknowledged_messages_are_read_again(broker: EmbeddedBroker) -> None:
    publish(broker, NOTICES, b"one", b"two")
    async with reading(broker) as (source, payloads):
        _, second = await take(payloads, 2)
        await source.acknowledge(second)
    async with reading(broker) as (_, payloads):
        assert [payload.body for payload in await take(payloads, 2)] == [b"one", b"two"]


async def test_a_broker_that_comes_back_is_read_on(broker: EmbeddedBroker) -> None:
    async with reading(broker) as (source, payloads):
        publish(broker, NOTICES, b"one")
        (first,) = await take(payloads, 1)
        await source.acknowledge(first)
        broker.set_down()
        await until(lambda: not source.status().connected)
        broker.set_up()
        publish(broker, NOTICES, b"two")
        # The first comes again where its acknowledgement didn't get through before; the store knows it.
        (next_one,) = await take(payloads, 1)
        while next_one.body == b"one":
            (next_one,) = await take(payloads, 1)
        assert next_one.body == b"two"
        assert source.status().connected


async def test_missing_heartbeat_reopens_the_connection(broker: EmbeddedBroker) -> None:
    publish(broker, HEARTBEAT_TOPIC, b"{}")
    timing = TopicTiming(first_backoff_s=0.05, max_backoff_s=0.2, heartbeat_timeout_s=2.0)
    async with reading(broker, has_heartbeat=True, timing=timing) as (source, payloads):
        waiting = asyncio.create_task(take(payloads, 1))
        await until(lambda: source._reader.reconnect_loop.failures >= 1)
        publish(broker, NOTICES, b"one")
        assert [payload.body for payload in await waiting] == [b"one"]


async def test_refused_login_is_reported(broker: EmbeddedBroker, certificate: tuple[Path, Path]) -> None:
    host, port = broker.address.split(":")
    with listen_on_loopback(SaslProxy((host, int(port)), certificate, "right").serve) as address:
        source = make_source(address)
        source._options |= {
            "security.protocol": "SASL_SSL",
            "ssl.ca.location": str(certificate[0]),
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": "jane",
            "sasl.password": "wrong",
        }
        waiting = asyncio.create_task(take(source.payloads(), 1))
        await until(lambda: "uthentication" in source.status().detail)
        assert not source.status().connected
        await source.stop()
        await asyncio.gather(waiting, return_exceptions=True)


async def test_a_broker_that_answers_again_is_connected_before_it_has_news(broker: EmbeddedBroker) -> None:
    async with reading(broker) as (source, payloads):
        waiting = asyncio.create_task(take(payloads, 1))
        await until(lambda: source.status().connected)
        # What librdkafka says where a broker closed a connection that was idle.
        source._on_error(KafkaError(KafkaError._ALL_BROKERS_DOWN))
        assert not source.status().connected
        await until(lambda: source.status().connected)
        waiting.cancel()


def test_wrong_settings_are_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SourceConfigError, match="GWEVENT_GCN_CLIENT_ID"):
        gcn_broker(GcnAccess())
    monkeypatch.setitem(sys.modules, "gcn_kafka", None)
    with pytest.raises(SourceConfigError, match=r"gwevent-bot\[gcn\]"):
        gcn_broker(GcnAccess("id", "secret"))


def test_the_credential_goes_where_gcn_gives_tokens() -> None:
    gcn_kafka = pytest.importorskip("gcn_kafka", reason="pip install gwevent-bot[gcn]")
    given = {"client_id": "id", "client_secret": "secret", "domain": "gcn.nasa.gov"}
    options = gcn_kafka.core.get_config("consumer", given)
    assert options["sasl.oauthbearer.token.endpoint.url"] == "https://auth.gcn.nasa.gov/oauth2/token"
    source = TopicSource(gcn_broker(GcnAccess("id", "secret")), ALERTS, "gwevent", parse_topic_streams(""))
    assert not source.status().connected


def test_doctor_distinguishes_reachable_unknown_topic_and_down(broker: EmbeddedBroker) -> None:
    topics = [ALERTS, ConfiguredTopic(CIRCULARS, is_optional=True), ConfiguredTopic("gcn.c*", True)]
    assert check_gcn(GcnAccess(broker=broker.address), topics, 30.0).level is Level.OK
    odd = check_gcn(GcnAccess(broker=broker.address), [ConfiguredTopic("gcn.typo", False)], 30.0)
    assert (odd.level, "gcn.typo" in odd.result) == (Level.WARN, True)
    optional = check_gcn(GcnAccess(broker=broker.address), [ALERTS, ConfiguredTopic("gcn.x*", True)], 30.0)
    assert optional.result == "GCN doesn't show gcn.x* (optional: the alerts come without)."
    broker.set_down()
    assert check_gcn(GcnAccess(broker=broker.address), topics, 1.0).level is Level.FAIL
    assert check_gcn(GcnAccess(), topics, 1.0).level is Level.FAIL
