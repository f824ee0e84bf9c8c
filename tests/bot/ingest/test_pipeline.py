"""The one way in: stored, repeated, or quarantined, and never in the way of the next alert."""

from __future__ import annotations

import json
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from bot.alerts.decode import decode
from bot.app.factory import Factory
from bot.ingest.pipeline import IngestResult, Pipeline
from bot.routing.state import OperatorRules
from bot.runtime.wakeups import Wakeups
from bot.samples import to_avro, to_json
from bot.sources.base import Origin
from bot.store import engine
from bot.store.database import Database, StoreUnavailable
from formatters.models.notice import Notice
from tests.support.factories import (
    MAX_AGE,
    MOCK,
    NOW,
    REAL,
    TEAM,
    Clock,
    create_pipeline,
    notice_record,
    subscribe,
)

LIVE = Origin("hopskotch", "igwn.gwalert:0:7", live=True)
ARCHIVE = Origin("file", "old.avro", live=False)
OPERATORS = OperatorRules(ops_channel=(TEAM, "C0OPS"), quiet_period=timedelta(days=30))

pytestmark = pytest.mark.backends("sqlite", "postgresql")


def pipeline(factory: Factory, clock: Clock, **options: Any) -> Pipeline:
    return create_pipeline(factory, clock, **options)


async def planned(factory: Factory) -> list[tuple[str, str]]:
    """(kind, channel) of all deliveries."""
    async with factory.database.read_transaction() as connection:
        rows = await connection.execute(text("SELECT kind, channel_id FROM deliveries ORDER BY id"))
        return [(row.kind, row.channel_id) for row in rows.all()]


def mangled(superevent_id: str) -> bytes:
    return b'{"superevent_id": "%s", "alert_type": "UPDATE", "event": {' % superevent_id.encode()


@pytest.mark.slow
@pytest.mark.essential
async def test_a_notice_is_stored_and_its_repeat_is_one(factory: Factory, clock: Clock) -> None:
    await subscribe(factory, "CBC", "C1")
    wakeups = Wakeups()
    way_in = pipeline(factory, clock, wakeups=wakeups)
    assert await way_in.handle(to_avro(notice_record()), LIVE) is IngestResult.STORED
    assert wakeups.deliveries.is_set()
    assert not wakeups.deferred_routing.is_set(), "no subscription waits for a query of the map"
    wakeups.deliveries.clear()
    clock.advance(hours=1)
    assert await way_in.handle(to_avro(notice_record()), LIVE) is IngestResult.DUPLICATE
    assert await way_in.handle(to_json(notice_record()), LIVE) is IngestResult.DUPLICATE
    assert await planned(factory) == [("root", "C1")]
    assert not wakeups.deliveries.is_set(), "a repeat gives no work"
    last = await factory.notices.last_notice()
    assert last is not None and last.received == NOW, "a repeat isn't received anew"


async def test_an_archive_fills_the_store_in_silence(factory: Factory, clock: Clock) -> None:
    await subscribe(factory, "all", "C1")
    way_in = pipeline(factory, clock, operator_rules=OPERATORS)
    assert await way_in.handle(to_avro(notice_record()), ARCHIVE) is IngestResult.STORED
    known = await factory.notices.superevent(REAL)
    assert known is not None and not known.latest.live, "so nobody is told how long it took"
    assert await factory.notices.last_notice() is None, "a source that is silent stays so"
    assert await way_in.handle(mangled(REAL), ARCHIVE) is IngestResult.QUARANTINED
    assert await planned(factory) == []


GARBAGE = {
    "empty": b"",
    "text": b"good morning",
    "null": b"null",
    "list": b"[]",
    "deep": b"[" * 100_000,
    "avro head": b"Obj\x01",
    "avro cut": to_avro(notice_record())[:700],
    "avro bent": to_avro(notice_record()).replace(b"superevent_id", b"superevent_xy"),
    "no id": json.dumps({**notice_record(), "superevent_id": None}).encode(),
    "no time": json.dumps({**notice_record(), "time_created": "soon"}).encode(),
    "nul": bytes(1000),
    "latin": "événement".encode("latin-1"),
}


@pytest.mark.parametrize("name", GARBAGE)
async def test_unreadable_payload_is_quarantined_and_the_next_is_delivered(
    factory: Factory, clock: Clock, name: str
) -> None:
    await subscribe(factory, "CBC", "C1")
    way_in = pipeline(factory, clock)
    assert await way_in.handle(GARBAGE[name], LIVE) is IngestResult.QUARANTINED
    assert (await factory.outbox_statistics.counts()).quarantined == 1
    kept = await factory.quarantine.next()
    assert kept is not None and kept.body == GARBAGE[name] and kept.reason.endswith(".")
    assert kept.origin == "hopskotch:igwn.gwalert:0:7"
    assert await way_in.handle(to_avro(notice_record("S261122z")), LIVE) is IngestResult.STORED
    assert ("root", "C1") in await planned(factory)


async def test_repeated_unreadable_payload_is_kept_and_reported_once(factory: Factory, clock: Clock) -> None:
    await subscribe(factory, "all", "C1")
    way_in = pipeline(factory, clock, operator_rules=OPERATORS)
    for _ in range(3):
        assert await way_in.handle(mangled(REAL), LIVE) is IngestResult.QUARANTINED
    assert (await factory.outbox_statistics.counts()).quarantined == 1
    assert await planned(factory) == [("apology", "C1"), ("ops", "C0OPS")]


async def test_operators_are_told_of_a_payload_without_readable_id(factory: Factory, clock: Clock) -> None:
    await subscribe(factory, "all mock test lowsig", "C1")
    assert (
        await pipeline(factory, clock, operator_rules=OPERATORS).handle(b"noise", LIVE)
        is IngestResult.QUARANTINED
    )
    assert await planned(factory) == [("ops", "C0OPS")]


async def test_an_unreadable_notice_is_reported_where_it_would_have_gone(
    factory: Factory, clock: Clock
) -> None:
    await subscribe(factory, "CBC mock", "C1")
    await subscribe(factory, "Burst", "C2")
    await subscribe(factory, "all test", "C3")
    way_in = pipeline(factory, clock)
    await way_in.handle(mangled(MOCK), LIVE)
    assert await planned(factory) == [("apology", "C1")]


async def test_old_ids_get_no_report_of_an_unreadable_notice(factory: Factory, clock: Clock) -> None:
    await subscribe(factory, "all mock", "C1")
    way_in = pipeline(factory, clock)
    for superevent_id in ("S190814bv", "MS181101ab", "S261120a", "GW170817"):
        assert await way_in.handle(mangled(superevent_id), LIVE) is IngestResult.QUARANTINED
    assert await planned(factory) == []
    await way_in.handle(mangled("S261121a"), LIVE)
    assert await planned(factory) == [("apology", "C1")], "the day before may still be within 24 hours"


async def test_a_fault_in_decoding_stops_one_payload_and_no_other(factory: Factory, clock: Clock) -> None:
    await subscribe(factory, "CBC", "C1")

    def broken(body: bytes) -> Notice:
        if b"S261122x" in body:
            raise ZeroDivisionError("a fault on purpose")
        return decode(body)

    way_in = pipeline(factory, clock, decode=broken)
    assert await way_in.handle(to_avro(notice_record("S261122x")), LIVE) is IngestResult.QUARANTINED
    kept = await factory.quarantine.next()
    assert kept is not None and kept.reason == "gwevent met a fault of its own (ZeroDivisionError)."
    assert await way_in.handle(to_avro(notice_record()), LIVE) is IngestResult.STORED
    # Once mended, the same bytes are a notice.
    assert (
        await pipeline(factory, clock).handle(to_avro(notice_record("S261122x")), LIVE) is IngestResult.STORED
    )


@pytest.mark.parametrize("failures", range(5))
async def test_a_notice_waits_while_memory_is_short_but_not_for_ever(
    failures: int, factory: Factory, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.ingest.pipeline.MEMORY_WAITS_S", (0.0, 0.0, 0.0))
    left = failures

    def short_of_memory(body: bytes) -> Notice:
        nonlocal left
        left -= 1
        if left >= 0:
            raise MemoryError
        return decode(body)

    result = await pipeline(factory, clock, decode=short_of_memory).handle(to_avro(notice_record()), LIVE)
    assert result is (IngestResult.STORED if failures < 4 else IngestResult.QUARANTINED)


async def test_a_fault_in_planning_leaves_nothing_but_a_report(
    factory: Factory, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await subscribe(factory, "CBC", "C1")
    way_in = pipeline(factory, clock)

    def broken(*_: object, **__: object) -> list[object]:
        raise KeyError("a fault on purpose")

    with monkeypatch.context() as patched:
        patched.setattr("bot.ingest.pipeline.plan", broken)
        assert await way_in.handle(to_avro(notice_record()), LIVE) is IngestResult.QUARANTINED
    assert await factory.notices.superevent(REAL) is None
    assert await planned(factory) == [("apology", "C1")]
    assert await way_in.handle(to_avro(notice_record("S261122b")), LIVE) is IngestResult.STORED


async def test_the_same_type_and_second_with_other_words_is_posted_too(
    factory: Factory, clock: Clock
) -> None:
    await subscribe(factory, "CBC", "C1")
    way_in = pipeline(factory, clock)
    assert await way_in.handle(to_avro(notice_record()), LIVE) is IngestResult.STORED
    assert await way_in.handle(to_avro(notice_record(far=0.5)), LIVE) is IngestResult.STORED
    assert await planned(factory) == [("root", "C1"), ("reply", "C1")]
    for again in (to_json(notice_record()), to_json(notice_record(far=0.5))):
        assert await way_in.handle(again, LIVE) is IngestResult.DUPLICATE
    known = await factory.notices.superevent(REAL)
    assert known is not None and len(known.notices) == 2
    assert await factory.quarantine.next() is None


@pytest.mark.parametrize("body", [to_avro(notice_record()), b"noise"], ids=["notice", "noise"])
@pytest.mark.essential
async def test_only_the_stores_own_failure_is_raised(
    database_path: Path, clock: Clock, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_MS", 20)
    factory = Factory(Database(f"sqlite+aiosqlite:///{database_path}"))
    way_in = pipeline(factory, clock)
    other = sqlite3.connect(database_path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable):
        await way_in.handle(body, LIVE)
    other.execute("ROLLBACK")
    other.close()
    assert await way_in.handle(body, LIVE) in (IngestResult.STORED, IngestResult.QUARANTINED)
    await factory.database.close()


async def test_releasing_from_quarantine_cancels_the_unposted_unreadable_notice(
    factory: Factory, clock: Clock
) -> None:
    await subscribe(factory, "CBC", "C1")
    way_in = pipeline(factory, clock, operator_rules=OPERATORS)
    await way_in.handle(mangled(REAL), LIVE)
    kept = await factory.quarantine.next()
    assert kept is not None
    await factory.quarantine.release(kept.id)
    assert await planned(factory) == []
    assert await factory.quarantine.get(kept.id) is None
    assert (await factory.outbox_statistics.counts()).quarantined == 0


async def test_a_notice_from_long_ago_is_stored_and_opens_nothing(factory: Factory, clock: Clock) -> None:
    await subscribe(factory, "CBC", "C1")
    clock.now = NOW + MAX_AGE + timedelta(minutes=1)
    assert await pipeline(factory, clock).handle(to_avro(notice_record()), LIVE) is IngestResult.STORED
    assert await planned(factory) == []


UNSTORABLE = [
    to_json(notice_record() | {"alert_type": "INI\0TIAL"}),
    to_json(notice_record() | {"a key\0": "and its value\0", "urls": {"gracedb": "https://x\0"}}),
    mangled("S261122" + "a" * 100),
    b'{"superevent_id": "S261122a\0", "alert_type": "\0"}',
    b"\0\0",
    to_json(notice_record("S261122" + "a" * 60)),
    to_json(notice_record(group="B" * 500, minutes=2)),
]


async def test_unstorable_characters_do_not_stop_ingest(factory: Factory, clock: Clock) -> None:
    await subscribe(factory, "all", "C1")
    way_in = pipeline(factory, clock, operator_rules=OPERATORS)
    for number, body in enumerate(UNSTORABLE):
        origin = Origin("hopskotch", f"igwn\0.gwalert:{number}:" + "9" * 300, live=True)
        first = await way_in.handle(body, origin)
        assert await way_in.handle(body, origin) is (
            IngestResult.DUPLICATE if first is IngestResult.STORED else IngestResult.QUARANTINED
        )
    assert await way_in.handle(to_avro(notice_record(minutes=9)), LIVE) is IngestResult.STORED
