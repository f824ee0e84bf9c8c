"""A Kafka-protocol broker inside this process, for the demo and the tests.

It is librdkafka's mock cluster, which the confluent-kafka wheel contains. It speaks the real protocol on
loopback and keeps topics, groups, commits and headers in memory. Each partition keeps at most 5 MB and drops
its oldest payload beyond that, so publish through `Publisher`, which waits for the reader.

`python -m bot.demo.kafka_broker --topic igwn.gwalert` runs one in a process of its own.
"""

from __future__ import annotations

import argparse
import ctypes
import signal
import subprocess
import sys
import time
import uuid
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import TracebackType
from typing import Literal, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition, cimpl
from hop.io import Stream

PARTITION_BYTES = 5_000_000
"""Capacity of a partition in bytes (librdkafka, rdkafka_mock.c, `max_size`)."""

MAX_UNREAD_BYTES = 4_500_000
"""Most unread bytes that the publisher allows on a topic, with a margin for headers and batch framing."""

_PRODUCER = 0
_BROKER_ID = 1
_CONFIG_OK = 0

Format = Literal["avro", "json", "external"]


class EmbeddedBroker:
    """A mock broker on a free loopback port, from `start` to `stop`.

    Raises RuntimeError if librdkafka refuses to start or to create a topic.
    """

    def __init__(self) -> None:
        self._library = _librdkafka()
        self._handle: int | None = None
        self._cluster: int | None = None

    def start(self) -> Self:
        """Open the port. Payloads published before the last `stop` are lost."""
        errors = ctypes.create_string_buffer(512)
        conf = self._library.rd_kafka_conf_new()
        # librdkafka logs to standard error, where an intended fault would look like a real one
        for name, value in ((b"log_level", b"2"), (b"client.id", b"gwevent-broker")):
            if self._library.rd_kafka_conf_set(conf, name, value, errors, len(errors)) != _CONFIG_OK:
                raise RuntimeError(f"librdkafka refused a setting: {errors.value.decode()}")
        self._handle = self._library.rd_kafka_new(_PRODUCER, conf, errors, len(errors))
        if not self._handle:
            raise RuntimeError(f"librdkafka did not start: {errors.value.decode()}")
        self._cluster = self._library.rd_kafka_mock_cluster_new(self._handle, 1)
        if not self._cluster:
            raise RuntimeError("librdkafka could not open a port for the embedded broker.")
        return self

    def stop(self) -> None:
        """Close the port and discard all topics."""
        if self._cluster is not None:
            self._library.rd_kafka_mock_cluster_destroy(self._cluster)
            self._cluster = None
        if self._handle is not None:
            self._library.rd_kafka_destroy(self._handle)
            self._handle = None

    @property
    def address(self) -> str:
        """The broker's address, 127.0.0.1:PORT."""
        bootstraps: bytes = self._library.rd_kafka_mock_cluster_bootstraps(self._require_cluster())
        return bootstraps.decode()

    def url(self, topic: str) -> str:
        """Return the topic as hop names it: kafka://127.0.0.1:PORT/topic."""
        return f"kafka://{self.address}/{topic}"

    def create_topic(self, topic: str, partitions: int = 1) -> None:
        """Create a topic, which must exist before a reader subscribes to it.

        One partition keeps the order of publishing.
        """
        error = self._library.rd_kafka_mock_topic_create(
            self._require_cluster(), topic.encode(), partitions, 1
        )
        if error:
            raise RuntimeError(f"The topic {topic} could not be created: {KafkaError(error).str()}.")

    def refuse_topic(self, topic: str, error: int) -> None:
        """Answer every request for the topic's metadata with a Kafka error code; code 0 ends that."""
        self._library.rd_kafka_mock_topic_set_error(self._require_cluster(), topic.encode(), error)

    def refuse_next(self, api: int, *errors: int) -> None:
        """Answer the next requests with one Kafka API key (1 Fetch, 8 OffsetCommit, …) with errors."""
        codes = (ctypes.c_int * len(errors))(*errors)
        self._library.rd_kafka_mock_push_request_errors_array(
            self._require_cluster(), api, len(errors), codes
        )

    def advertise(self, host: str, port: int) -> None:
        """Advertise another address to clients, for example a proxy's in front of the broker."""
        self._library.rd_kafka_mock_broker_set_host_port(
            self._require_cluster(), _BROKER_ID, host.encode(), port
        )

    def set_down(self) -> None:
        """Drop all connections and accept none. Published payloads are kept."""
        self._library.rd_kafka_mock_broker_set_down(self._require_cluster(), _BROKER_ID)

    def set_up(self) -> None:
        """Accept connections again, on the same port."""
        self._library.rd_kafka_mock_broker_set_up(self._require_cluster(), _BROKER_ID)

    def _require_cluster(self) -> int:
        if self._cluster is None:
            raise RuntimeError("The embedded broker isn't running.")
        return self._cluster

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class BrokerProcess:
    """A broker in a process of its own, which keeps running when a process that uses it is killed."""

    def __init__(self, topics: Sequence[str]) -> None:
        self._topics = tuple(topics)
        self._process: subprocess.Popen[str] | None = None
        self.address = ""

    def __enter__(self) -> Self:
        arguments = [part for topic in self._topics for part in ("--topic", topic)]
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "bot.demo.kafka_broker", *arguments], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.address = self._process.stdout.readline().strip()
        if not self.address:
            raise RuntimeError("The embedded broker's process ended before it was ready.")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.communicate()

    def url(self, topic: str) -> str:
        """Return the topic as hop names it: kafka://127.0.0.1:PORT/topic."""
        return f"kafka://{self.address}/{topic}"

    def freeze(self) -> None:
        """Stop the broker's process, so that its connections stay open but nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Resume the broker's process after `freeze`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


class Publisher:
    """A publisher of raw bytes to one topic of a broker without credentials, through hop.

    Raises confluent_kafka.KafkaException if the broker does not accept a payload within 10 s.
    """

    def __init__(self, url: str) -> None:
        # the mock broker doesn't know DescribeConfigs, which hop asks for unless told not to offload
        self._stream = Stream(auth=False).open(
            url, "w", produce_timeout=timedelta(seconds=10), automatic_offload=False
        )
        address, _, self._topic = url.removeprefix("kafka://").partition("/")
        self._address = address
        self._unread: deque[tuple[TopicPartition, int]] = deque()

    def publish(
        self,
        body: bytes,
        format: Format | None = "avro",  # noqa: A002 - hop's own word
        *,
        headers: Mapping[str, bytes] | None = None,
        reader_group: str | None = None,
        timeout: float = 60.0,
    ) -> int:
        """Publish one payload and return its offset. With format None no format header is sent.

        With `reader_group`, first wait until that group has acknowledged enough for the payload to fit
        (TimeoutError after `timeout` seconds). Raises ValueError if no partition can keep the payload.
        """
        size = len(body)
        if size > MAX_UNREAD_BYTES:
            raise ValueError(
                f"A payload of {size} bytes doesn't fit the embedded broker's {MAX_UNREAD_BYTES} bytes."
            )
        if reader_group is not None:
            self._wait_for_room(reader_group, MAX_UNREAD_BYTES - size, timeout)
        delivered: list[tuple[KafkaError | None, Message]] = []
        fields = [("_id", uuid.uuid4().bytes), *(headers or {}).items()]
        if format is not None:
            fields.append(("_format", format.encode()))
        self._stream.write_raw(
            body, fields, delivery_callback=lambda error, message: delivered.append((error, message))
        )
        self._stream.flush(timedelta(seconds=10))
        if not delivered:
            raise KafkaException(KafkaError(KafkaError._MSG_TIMED_OUT))
        error, message = delivered[0]
        if error is not None:
            raise KafkaException(error)
        partition, offset = message.partition(), message.offset()
        assert partition is not None and offset is not None
        self._unread.append((TopicPartition(self._topic, partition, offset), size))
        return offset

    def wait_until_read(self, group: str, timeout: float = 60.0) -> None:
        """Wait until the group has acknowledged everything published here.

        Raises TimeoutError after `timeout` s.
        """
        self._wait_for_room(group, 0, timeout)

    def _wait_for_room(self, group: str, room: int, timeout: float) -> None:
        if sum(size for _, size in self._unread) <= room and room:
            return
        deadline = time.monotonic() + timeout
        watcher = Consumer({"bootstrap.servers": self._address, "group.id": group, "log_level": 2})
        try:
            while True:
                self._drop_acknowledged(watcher)
                if not self._unread or (room and sum(size for _, size in self._unread) <= room):
                    return
                if time.monotonic() > deadline:
                    raise TimeoutError(
                        f"The group {group} left {len(self._unread)} payloads of {self._topic} unread."
                    )
                time.sleep(0.02)
        finally:
            watcher.close()

    def _drop_acknowledged(self, watcher: Consumer) -> None:
        partitions = {place.partition for place, _ in self._unread}
        asked = [TopicPartition(self._topic, partition) for partition in partitions]
        committed = {place.partition: place.offset for place in watcher.committed(asked, timeout=10)}
        self._unread = deque(item for item in self._unread if item[0].offset >= committed[item[0].partition])

    def close(self) -> None:
        """Close the connection to the broker."""
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def publish(topic_url: str, body: bytes, format: Format = "avro") -> int:  # noqa: A002 - hop's own word
    """Publish a single payload and return its offset. For several payloads use one `Publisher`."""
    with Publisher(topic_url) as publisher:
        return publisher.publish(body, format)


def _librdkafka() -> ctypes.CDLL:
    # the extension module links librdkafka, so its handle finds every symbol wherever the library lies
    library = ctypes.CDLL(cimpl.__file__)
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    for name, result, arguments in (
        ("rd_kafka_conf_new", pointer, ()),
        ("rd_kafka_conf_set", number, (pointer, text, text, text, ctypes.c_size_t)),
        ("rd_kafka_new", pointer, (number, pointer, text, ctypes.c_size_t)),
        ("rd_kafka_destroy", None, (pointer,)),
        ("rd_kafka_mock_cluster_new", pointer, (pointer, number)),
        ("rd_kafka_mock_cluster_destroy", None, (pointer,)),
        ("rd_kafka_mock_cluster_bootstraps", text, (pointer,)),
        ("rd_kafka_mock_topic_create", number, (pointer, text, number, number)),
        ("rd_kafka_mock_topic_set_error", None, (pointer, text, number)),
        (
            "rd_kafka_mock_push_request_errors_array",
            None,
            (pointer, ctypes.c_int16, ctypes.c_size_t, ctypes.POINTER(number)),
        ),
        ("rd_kafka_mock_broker_set_host_port", None, (pointer, ctypes.c_int32, text, number)),
        ("rd_kafka_mock_broker_set_down", number, (pointer, ctypes.c_int32)),
        ("rd_kafka_mock_broker_set_up", number, (pointer, ctypes.c_int32)),
    ):
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    return library


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a broker until SIGTERM or SIGINT; print its address as the first line of standard output."""
    parser = argparse.ArgumentParser(prog="python -m bot.demo.kafka_broker", description=__doc__)
    parser.add_argument("--topic", action="append", default=[], help="a topic to create; may be repeated")
    parser.add_argument("--partitions", type=int, default=1, help="partitions of each topic")
    chosen = parser.parse_args(arguments)
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    with EmbeddedBroker() as broker:
        for topic in chosen.topic:
            broker.create_topic(topic, chosen.partitions)
        sys.stdout.write(f"{broker.address}\n")
        sys.stdout.flush()
        signal.sigwait(ends)


if __name__ == "__main__":
    main()
