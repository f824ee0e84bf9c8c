import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition

from bot.demo.kafka_broker import MAX_UNREAD_BYTES, BrokerProcess, EmbeddedBroker, Publisher, publish


def read_all(url: str, count: int) -> list[tuple[bytes | None, dict[str, bytes]]]:
    address, _, topic = url.removeprefix("kafka://").partition("/")
    consumer = Consumer({"bootstrap.servers": address, "group.id": "test", "log_level": 2})
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        found: list[tuple[bytes | None, dict[str, bytes]]] = []
        while len(found) < count:
            message = consumer.poll(20)
            assert message is not None and message.error() is None
            headers = message.headers()
            assert isinstance(headers, list)
            found.append((message.value(), {name: value or b"" for name, value in headers}))  # type: ignore[misc]
        return found
    finally:
        consumer.close()


def commit(url: str, group: str, offset: int) -> None:
    address, _, topic = url.removeprefix("kafka://").partition("/")
    consumer = Consumer({"bootstrap.servers": address, "group.id": group, "log_level": 2})
    consumer.commit(offsets=[TopicPartition(topic, 0, offset)], asynchronous=False)
    consumer.close()


def test_publishes_bytes_unchanged_and_in_order_with_hops_headers() -> None:
    with EmbeddedBroker() as broker:
        broker.create_topic("t")
        bodies = [b"Obj\x01" + bytes([number]) * 100_000 for number in range(5)]
        with Publisher(broker.url("t")) as publisher:
            offsets = [publisher.publish(body) for body in bodies]
        publish(broker.url("t"), b"{}", "json")
        found = read_all(broker.url("t"), 6)
    assert offsets == [0, 1, 2, 3, 4]
    assert [body for body, _ in found] == [*bodies, b"{}"]
    assert [headers["_format"] for _, headers in found] == [b"avro"] * 5 + [b"json"]
    assert len({headers["_id"] for _, headers in found}) == 6


@pytest.mark.slow
def test_waits_for_the_reader_before_the_oldest_would_be_dropped() -> None:
    with EmbeddedBroker() as broker:
        broker.create_topic("t")
        with Publisher(broker.url("t")) as publisher:
            publisher.publish(b"a" * 2_000_000, reader_group="g")
            publisher.publish(b"b" * 2_000_000, reader_group="g")
            with pytest.raises(TimeoutError, match="left 2 payloads of t unread"):
                publisher.publish(b"c" * 2_000_000, reader_group="g", timeout=0.2)
            commit(broker.url("t"), "g", 1)
            publisher.publish(b"c" * 2_000_000, reader_group="g")
            with pytest.raises(TimeoutError, match="left 2"):
                publisher.wait_until_read("g", timeout=0.2)
            commit(broker.url("t"), "g", 3)
            publisher.wait_until_read("g")


def test_refuses_a_payload_that_no_partition_keeps() -> None:
    with EmbeddedBroker() as broker:
        broker.create_topic("t")
        with Publisher(broker.url("t")) as publisher, pytest.raises(ValueError, match="doesn't fit"):
            publisher.publish(b"x" * (MAX_UNREAD_BYTES + 1))


@pytest.mark.slow
def test_messages_published_before_an_outage_are_kept() -> None:
    with EmbeddedBroker() as broker:
        broker.create_topic("t")
        address = broker.address
        publish(broker.url("t"), b"before")
        broker.set_down()
        broker.set_up()
        assert broker.address == address
        assert [body for body, _ in read_all(broker.url("t"), 1)] == [b"before"]


def test_refused_topic_answers_with_an_error_until_allowed() -> None:
    with EmbeddedBroker() as broker:
        broker.create_topic("t")
        consumer = Consumer({"bootstrap.servers": broker.address, "group.id": "g", "log_level": 2})
        broker.refuse_topic("t", KafkaError.TOPIC_AUTHORIZATION_FAILED)
        error = consumer.list_topics("t", timeout=20).topics["t"].error
        assert error is not None and error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
        broker.refuse_topic("t", 0)
        assert consumer.list_topics("t", timeout=20).topics["t"].error is None
        consumer.close()


@pytest.mark.slow
def test_runs_in_a_process_of_its_own_with_its_topics() -> None:
    with BrokerProcess(["a", "b"]) as broker:
        publish(broker.url("b"), b"hello")
        assert [body for body, _ in read_all(broker.url("b"), 1)] == [b"hello"]


def test_says_so_when_it_isnt_running() -> None:
    broker = EmbeddedBroker()
    with pytest.raises(RuntimeError, match="isn't running"):
        broker.create_topic("t")
