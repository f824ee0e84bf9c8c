"""Optional topics: whatever ends one is shown and counted, and nothing else hears of it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable

import pytest

from bot.app.factory import Factory
from bot.app.process import ServiceProcess
from bot.ingest.extra_topics import ExtraTopicConsumer, SequentialHandler
from bot.ingest.pipeline import IngestResult
from bot.settings import Settings
from bot.sources.base import Origin, Payload, SourceConfigError, SourceStatus
from bot.sources.factory import create_sources
from bot.sources.hopskotch import HopskotchSource
from bot.sources.restartable import RestartableSource
from bot.sources.topic_source import TopicSource
from tests.support.delivery_harness import IdleSource

PATIENT = 30.0


class Flaky:
    """A topic's source that yields some payloads, then meets a defect, unless none is left."""

    def __init__(self, left: list[bytes], defects: list[Exception]) -> None:
        self._left = left
        self._defects = defects
        self.stopped = False

    async def payloads(self) -> AsyncIterator[Payload]:
        while self._left:
            yield Payload(self._left[0], Origin("hopskotch", "gcn.circulars[0]@1", True, "circulars"))
            if self._defects:
                raise self._defects.pop()
        await asyncio.Event().wait()

    async def acknowledge(self, payload: Payload) -> None:
        assert self._left.pop(0) == payload.body

    async def stop(self) -> None:
        self.stopped = True
        raise ValueError("a defect in closing it")

    def status(self) -> SourceStatus:
        return SourceStatus("hopskotch", True, "reads", topic="gcn.circulars", is_optional=True)


class Recorder:
    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.at_once = self.most_at_once = 0

    async def handle(self, body: bytes, origin: Origin) -> IngestResult:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        self.bodies.append(body)
        return IngestResult.CIRCULAR


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENT):
        while not condition():
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("seed", range(5))
async def test_any_defect_is_shown_counted_and_loses_nothing(factory: Factory, seed: int) -> None:
    chance = random.Random(seed)
    kinds = [TypeError, KeyError, RuntimeError, AssertionError, MemoryError, OSError]
    defects: list[Exception] = [chance.choice(kinds)("x") for _ in range(4)]
    left = [b"%d" % number for number in range(6)]
    source = RestartableSource(lambda: Flaky(left, defects))
    recorder = Recorder()
    faults: list[SourceStatus] = []
    consumer = factory.create_consumer(source, recorder, "hopskotch:here")
    extra = ExtraTopicConsumer(source, consumer, faults.append, first_backoff_s=0.001)
    running = asyncio.create_task(extra.consume())
    await until(lambda: not left)
    assert not running.done()
    assert set(recorder.bodies) == {b"%d" % number for number in range(6)}
    assert len(faults) == 4 and not faults[0].connected
    assert faults[0].detail.startswith("gwevent met a fault of its own in reading it (")
    assert (faults[0].topic, faults[0].is_optional) == ("gcn.circulars", True)
    assert source.status().connected
    running.cancel()


async def test_a_reader_that_ends_without_a_word_starts_again(factory: Factory) -> None:
    begun = 0

    class Ending(Flaky):
        async def payloads(self) -> AsyncIterator[Payload]:
            nonlocal begun
            begun += 1
            for body in self._left:
                yield Payload(body, Origin("hopskotch", "gcn.circulars[0]@1", True, "circulars"))

    source = RestartableSource(lambda: Ending([], []))
    faults: list[SourceStatus] = []
    consumer = factory.create_consumer(source, Recorder(), "hopskotch:here")
    extra = ExtraTopicConsumer(source, consumer, faults.append, first_backoff_s=0.001)
    running = asyncio.create_task(extra.consume())
    await until(lambda: begun >= 3)
    assert "(its reader ended)" in faults[0].detail
    running.cancel()


async def test_a_source_that_was_stopped_after_a_defect_does_not_begin_again() -> None:
    made = 0

    def create() -> Flaky:
        nonlocal made
        made += 1
        return Flaky([b"1"], [])

    source = RestartableSource(create)
    for close in (source.end("a defect"), source.stop()):
        with pytest.raises(ValueError, match="closing"):
            await close
    assert [payload async for payload in source.payloads()] == []
    assert made == 1


async def test_payloads_of_all_extra_topics_are_handled_one_at_a_time() -> None:
    recorder = Recorder()
    handler = SequentialHandler(recorder)
    origin = Origin("hopskotch", "t[0]@1", live=True, stream="circulars")
    await asyncio.gather(*(handler.handle(b"x", origin) for _ in range(50)))
    assert (recorder.most_at_once, len(recorder.bodies)) == (1, 50)


async def test_a_process_with_a_broken_topic_goes_on_and_counts_it(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.ingest.extra_topics.FIRST_BACKOFF_S", 0.01)
    left = [b"x"]
    broken = RestartableSource(lambda: Flaky(left, [TypeError("a defect") for _ in range(3)]))
    process = ServiceProcess(Settings.model_validate({}), factory, [IdleSource(), broken])
    assert [len(process._consumers), len(process._extra_topic_consumers)] == [1, 1]
    extra = asyncio.create_task(process._extra_topic_consumers[0].consume())
    await until(
        lambda: (
            b'gwevent_topic_faults_total{source="hopskotch",topic="gcn.circulars"}'
            in process.metrics.exposition()
        )
    )
    assert not extra.done()
    extra.cancel()


def test_each_topic_has_a_source_and_alerts_come_first() -> None:
    settings = Settings.model_validate(
        {
            "kafka_url": "kafka://127.0.0.1:1/igwn.gwalert,ours",
            "kafka_auth": "off",
            "kafka_group": "here",
            "sources": "gcn,hopskotch",
            "gcn_broker": "127.0.0.1:1",
            "gcn_topics": "gcn.circulars,igwn.gwalert,gcn.heartbeat",
            "hopskotch_topics": "gcn.circulars,hermes.*",
        }
    )
    sources = create_sources(settings)
    shown = [(type(source), source.status().name, source.status().topic) for source in sources]
    assert shown == [
        (HopskotchSource, "hopskotch", "igwn.gwalert"),
        (HopskotchSource, "hopskotch", "ours"),
        (TopicSource, "gcn", "igwn.gwalert"),
        (RestartableSource, "hopskotch", "gcn.circulars"),
        (RestartableSource, "hopskotch", "hermes.*"),
        (RestartableSource, "gcn", "gcn.circulars"),
    ]


@pytest.mark.parametrize(
    "settings",
    [
        {"sources": "gcn", "gcn_topics": "off"},
        {"sources": "gcn", "gcn_topics": "gcn.circulars,gcn.heartbeat"},
        {"sources": "gcn", "gcn_topics": "gcn.notices.lvk.renamed"},
        {"sources": "gcn", "gcn_topics": "igwn.*"},
        {"topic_streams": "igwn.gwalert=circulars"},
    ],
)
def test_nothing_starts_that_would_read_no_alerts(settings: dict[str, str]) -> None:
    here = {"kafka_auth": "off", "kafka_group": "here", "gcn_broker": "127.0.0.1:1"}
    with pytest.raises(SourceConfigError, match="No topic that is read brings LVK's alerts"):
        create_sources(Settings.model_validate(here | settings))
