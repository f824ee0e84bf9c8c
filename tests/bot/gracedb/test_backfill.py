"""Backfills from GraceDB, interrupted and resumed, and repairs of gaps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from bot.app.application import Application
from bot.app.factory import Factory, open_factory
from bot.gracedb.backfill import MAX_ATTEMPTS, Backfill, Progress, repair_gap
from bot.gracedb.client import GraceDbBusy, UnreadableAnswer
from bot.gracedb.importer import SupereventImporter
from bot.samples import to_json
from bot.settings import Settings
from bot.sources.base import Origin, Payload, SourceStatus
from tests.bot.gracedb.fake import BROKEN, FakeGraceDb, with_notices
from tests.support.factories import MOCK, NOW, REAL, Clock, create_pipeline, notice_record, subscribe

pytestmark = pytest.mark.backends("sqlite", "postgresql")

SINCE = date(2026, 11, 1)
IDS = [f"S2611{day}a" for day in range(10, 17)]


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def backfill(archive: SupereventImporter, factory: Factory, clock: Clock, slept: list[float]) -> Backfill:
    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        archive.gracedb._retry_not_before = 0.0

    return Backfill(archive, factory.gracedb_lookups, clock, sleep=sleep, page_size=3)


def filled(fake: FakeGraceDb) -> None:
    for superevent_id in IDS:
        event = fake.add(with_notices(superevent_id, notice_record(superevent_id), labels=("SIGNIF_LOCKED",)))
        event.superevent["created"] = f"2026-11-{superevent_id[5:7]} 01:00:00 UTC"


def counts(progress: Progress) -> tuple[int, int, int]:
    return progress.imported, progress.already_known, progress.notices


async def test_backfill_imports_all_pages(fake: FakeGraceDb, backfill: Backfill, factory: Factory) -> None:
    filled(fake)
    await subscribe(factory, "all", "C1")
    told: list[tuple[int, int]] = []
    progress = await backfill.run(
        SINCE, date(2026, 11, 20), on_progress=lambda p: told.append((p.processed, p.total))
    )
    assert counts(progress) == (7, 0, 7) and told[-1] == (7, 7) and told == sorted(told)
    assert sorted(await factory.notices.recent_ids()) == IDS
    assert (await factory.outbox_statistics.counts()).waiting == 0
    assert [query["start"] for query in fake.queries] == ["0", "3", "6"]
    assert fake.queries[0]["query"] == "category: Production created: 2026-11-01 .. 2026-11-21"
    assert fake.most_at_once == 1


async def test_interrupted_backfill_continues_where_it_stopped(
    fake: FakeGraceDb, backfill: Backfill, archive: SupereventImporter, factory: Factory
) -> None:
    filled(fake)
    fourth = asyncio.Event()

    def tell(progress: Progress) -> None:
        if progress.processed == 4:
            fourth.set()
            fake.gate.clear()

    running = asyncio.create_task(backfill.run(SINCE, on_progress=tell))
    await fourth.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    # The import of the fifth is shielded from the cancellation; it ends with the importer, as in the bot.
    await archive.close()
    fake.gate.set()
    assert sorted(await factory.notices.recent_ids()) == IDS[:4]
    assert counts(await backfill.run(SINCE)) == (3, 4, 3)


async def test_an_unsettled_event_is_imported_again(
    fake: FakeGraceDb, backfill: Backfill, clock: Clock
) -> None:
    filled(fake)
    fake.events[IDS[0]].superevent["created"] = "2026-05-01 00:00:00 UTC"
    await backfill.run(SINCE)
    assert counts(await backfill.run(SINCE)) == (0, 7, 0)
    clock.advance(days=2)
    assert counts(await backfill.run(SINCE)) == (6, 1, 0)


async def test_low_significance_only_on_request(
    fake: FakeGraceDb, backfill: Backfill, factory: Factory
) -> None:
    fake.add(with_notices(REAL, notice_record(), labels=("LOW_SIGNIF_LOCKED",)))
    progress = await backfill.run(SINCE)
    assert (progress.skipped_low_significance, progress.imported) == (1, 0)
    assert (await backfill.run(SINCE, lowsig=True)).imported == 1


async def test_retry_after_is_honoured_with_exponential_backoff_otherwise(
    fake: FakeGraceDb, backfill: Backfill, slept: list[float]
) -> None:
    filled(fake)
    fake.faults = {
        "api/superevents/": [(429, "17"), 500],
        f"{IDS[2]}-preliminary.json,0": [(503, "40")],
        f"{IDS[3]}/files/": [503],
    }
    told: list[str] = []
    assert counts(await backfill.run(SINCE, on_progress=lambda p: told.append(p.problem))) == (7, 0, 7)
    assert slept == [17.0, 4.0, 40.0, 2.0]
    assert set(told) == {
        "",
        "GraceDB asks us to wait 17 s.",
        "GraceDB asks us to wait 40 s.",
        "GraceDB has trouble of its own (HTTP 500).",
        "GraceDB is down for maintenance.",
    }


async def test_superevents_without_usable_answers_are_skipped(fake: FakeGraceDb, backfill: Backfill) -> None:
    filled(fake)
    fake.faults = {f"{IDS[2]}/files/": [404], f"{IDS[4]}/files/": [BROKEN]}
    fake.events[IDS[5]].superevent = {"superevent_id": "X1"}
    progress = await backfill.run(SINCE)
    assert (progress.imported, progress.unreadable, progress.processed) == (4, 3, 7)


async def test_backfill_gives_up_after_the_last_attempt(
    fake: FakeGraceDb, backfill: Backfill, factory: Factory, slept: list[float]
) -> None:
    filled(fake)
    fake.faults[f"{IDS[1]}/files/"] = [503] * MAX_ATTEMPTS
    with pytest.raises(GraceDbBusy, match="maintenance"):
        await backfill.run(SINCE)
    assert len(slept) == MAX_ATTEMPTS - 1
    assert await factory.notices.recent_ids() == [IDS[0]]
    fake.faults["api/superevents/"] = [BROKEN]
    with pytest.raises(UnreadableAnswer):
        await backfill.run(SINCE)


async def received(factory: Factory, clock: Clock, source: str = "hopskotch") -> None:
    pipeline = create_pipeline(factory, clock)
    await pipeline.handle(to_json(notice_record(MOCK)), Origin(source, "1", live=True))


async def test_a_gap_longer_than_the_brokers_retention_is_repaired(
    fake: FakeGraceDb, backfill: Backfill, factory: Factory, clock: Clock, slept: list[float]
) -> None:
    filled(fake)
    keeps = timedelta(days=28)
    await repair_gap(backfill, factory.notices, keeps, clock())
    await received(factory, clock, source="file")
    await repair_gap(backfill, factory.notices, keeps, NOW + timedelta(days=60))
    # Nothing was ever received from a broker, so nothing is missing.
    assert fake.requests() == 0
    clock.advance(minutes=1)
    await factory.notices.purge_mock_payloads(NOW)
    pipeline = create_pipeline(factory, clock)
    await pipeline.handle(to_json(notice_record(MOCK, "INITIAL", 1)), Origin("hopskotch", "1", live=True))
    await repair_gap(backfill, factory.notices, keeps, NOW + timedelta(days=27))
    assert fake.requests() == 0

    async def sleep(_: float) -> None:
        fake.faults.clear()

    fake.faults["api/superevents/"] = [503] * MAX_ATTEMPTS
    await repair_gap(backfill, factory.notices, keeps, NOW + timedelta(days=29), sleep)
    assert set(IDS) < set(await factory.notices.recent_ids())
    assert fake.queries[-1]["query"] == "category: Production created: 2026-10-23 .. now"


async def test_the_brokers_backlog_hides_no_gap(
    fake: FakeGraceDb, backfill: Backfill, factory: Factory, clock: Clock
) -> None:
    filled(fake)
    await received(factory, clock)
    clock.advance(hours=24 * 40)
    pipeline = create_pipeline(factory, clock)
    await pipeline.handle(to_json(notice_record(MOCK, "INITIAL", 1)), Origin("hopskotch", "2", live=True))
    await repair_gap(backfill, factory.notices, timedelta(days=28), clock() + timedelta(seconds=10))
    assert set(IDS) < set(await factory.notices.recent_ids())
    asked = fake.requests()
    await repair_gap(backfill, factory.notices, timedelta(days=28), clock() + timedelta(hours=3))
    assert fake.requests() == asked, "what came since shows that nothing is missing"


class SilentSource:
    """A source without payloads."""

    def __init__(self) -> None:
        self.stopped = asyncio.Event()
        self.nothing: list[Payload] = []

    async def payloads(self) -> AsyncIterator[Payload]:
        await self.stopped.wait()
        for payload in self.nothing:
            yield payload

    async def acknowledge(self, payload: Payload) -> None:
        raise AssertionError("nothing came")

    async def stop(self) -> None:
        self.stopped.set()

    def status(self) -> SourceStatus:
        return SourceStatus("hopskotch", True, "")


@pytest.mark.slow
async def test_the_bot_repairs_a_gap_at_its_start(
    fake: FakeGraceDb, tmp_path: Path, unused: Callable[[], int]
) -> None:
    filled(fake)
    settings = Settings.model_validate(
        {
            "slack_bot_token": "xoxb-1",
            "slack_app_token": "xapp-1",
            "slack_api_url": f"http://127.0.0.1:{unused()}/api/",
            "database_url": f"sqlite:///{tmp_path / 'gwevent.sqlite'}",
            "gracedb_url": fake.url,
        }
    )
    async with open_factory(settings) as factory:
        await received(factory, Clock())
        clock = Clock(NOW + timedelta(days=40))
        stop = asyncio.Event()
        running = asyncio.create_task(Application(settings, factory, [SilentSource()], clock).run(stop))
        while len(await factory.gracedb_lookups.get(IDS)) < len(IDS):
            assert not running.done()
            await asyncio.sleep(0.05)
        stop.set()
        await running
        assert (await factory.outbox_statistics.counts()).waiting == 0
