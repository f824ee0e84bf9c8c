"""The thread that commits offsets goes on after whatever ended its work."""

from __future__ import annotations

import time

import pytest
import structlog
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from bot.sources import offset_committer
from bot.sources.offset_committer import OffsetCommitter

ENDS: list[Exception] = [
    KafkaException(KafkaError(KafkaError._FAIL, "Failed to create thread: Too many open files")),
    OSError(24, "Too many open files"),
    RuntimeError("Consumer closed"),
    MemoryError(),
    TypeError("a fault"),
]


class Broker:
    """A Kafka consumer with the methods that the committer calls; its construction fails first."""

    ends: list[Exception]
    committed_offsets: list[int]

    def __init__(self, _: object) -> None:
        if Broker.ends:
            raise Broker.ends.pop()

    def poll(self, _: float) -> None: ...

    def commit(self, offsets: list[TopicPartition], **_: object) -> list[TopicPartition]:
        Broker.committed_offsets += [place.offset for place in offsets]
        return []

    def list_topics(self, *_: object, **__: object) -> None:
        raise KafkaException(KafkaError(KafkaError._TRANSPORT))

    def close(self) -> None: ...


def test_offset_committer_restarts_after_an_unexpected_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offset_committer, "Consumer", Broker)
    monkeypatch.setattr(offset_committer, "RESTART_DELAY_S", 0.01)
    Broker.ends, Broker.committed_offsets = list(ENDS), []
    failed: list[KafkaException] = []
    one = OffsetCommitter(
        {},
        ("x",),
        watermark_interval_s=0.1,
        timeout_s=1.0,
        on_watermarks=print,
        on_error=failed.append,
        log=structlog.get_logger(),
    )
    one.start()
    one.commit(("x", 0), 7)
    deadline = time.monotonic() + 20
    while not Broker.committed_offsets and time.monotonic() < deadline:
        time.sleep(0.01)
    assert Broker.committed_offsets == [7] and Broker.ends == []
    one.stop()
    assert one.ended.wait(5)
