"""Which superevents are read when, what a failure does, and that nothing is read twice."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select
from structlog.testing import capture_logs

from bot.app.factory import Factory
from bot.samples.treasure_map import pointing
from bot.store import schema
from bot.store.database import StoreUnavailable
from bot.store.outbox.models import DeliveryKind
from bot.treasure_map import client as client_module
from bot.treasure_map import conversion, reading, sync
from bot.treasure_map.client import TreasureMap
from bot.treasure_map.sync import TreasureMapSync, interval_at, pause_after
from formatters.models.observation import ObservationStatus
from formatters.models.treasure_map import TreasureMapReading
from tests.support.factories import MOCK, NOW, REAL, Clock, decoded_notice, record_notices, subscribe
from tests.support.treasure_map import CUT_OFF, HANGS, HTML, TOKEN, FakeTreasureMap, Fault, grid

pytestmark = pytest.mark.backends("sqlite", "postgresql")

SECOND = "S261122b"


@pytest.fixture
async def event(factory: Factory, fake: FakeTreasureMap) -> str:
    """A real, significant event with a thread, at which two groups point."""
    await subscribe(factory, "CBC", "C1")
    await record_notices(factory, decoded_notice())
    fake.pointings[REAL] = [
        pointing(1, 10, 10, NOW),
        pointing(2, 14, 10, NOW + timedelta(minutes=1), status="planned"),
        pointing(3, 200, -20, NOW, instrumentid=38, instrument_name="DECam", band="i", depth=23.0),
    ]
    return REAL


async def fields(factory: Factory, superevent_id: str = REAL) -> int:
    known = await factory.treasure_map.pointings(superevent_id)
    return sum(len(one.fields) for one in known.observations)


async def test_pointings_are_read_with_names_and_fields_of_view(
    factory: Factory, reader: TreasureMapSync, fake: FakeTreasureMap, event: str, outcomes: list[str]
) -> None:
    assert await reader.read_due() == 1
    known = await factory.treasure_map.pointings(event)
    assert (known.read_at, known.problem, known.left_out) == (NOW, None, 0)
    assert [(one.instrument, one.other_names, one.status, one.band) for one in known.observations] == [
        ("DECam", ("Dark Energy Camera",), ObservationStatus.DONE, "i"),
        ("ZTF", ("Zwicky Transient Facility",), ObservationStatus.DONE, "g"),
        ("ZTF", ("Zwicky Transient Facility",), ObservationStatus.PLANNED, "g"),
    ]
    areas = [one.footprint and round(one.footprint.area, 1) for one in known.observations]
    assert areas == [3.2, 47.1, 47.1]
    assert outcomes == ["ok"]
    assert fake.asked["instruments"] == 1 and fake.asked["footprints"] == 2


async def test_it_is_read_every_few_minutes_while_the_event_is_young(
    factory: Factory, reader: TreasureMapSync, fake: FakeTreasureMap, event: str, clock: Clock
) -> None:
    repository = factory.treasure_map
    for age_days, minutes in [(0, 5), (0.99, 5), (1.01, 15), (2.9, 15), (3.1, 60), (6.9, 60)]:
        clock.now = NOW + timedelta(days=age_days)
        assert await reader.read_due() == 1
        clock.advance(minutes=minutes, seconds=-1)
        assert not await repository.list_due(clock())
        clock.advance(seconds=1)
        assert len(await repository.list_due(clock())) == 1
    clock.now = NOW + timedelta(days=7.1)
    assert await reader.read_due() == 1
    clock.advance(days=30)
    assert await reader.read_due() == 0
    # Names and fields of view once a week.
    assert fake.asked["instruments"] == 2 and fake.asked["footprints"] == 4


def test_intervals_and_pauses() -> None:
    ages = [timedelta(0), timedelta(hours=23), timedelta(days=1), timedelta(days=3)]
    assert [interval_at(age) for age in ages] == [timedelta(minutes=n) for n in (5, 5, 15, 60)]
    assert interval_at(timedelta(days=7)) is None
    assert interval_at(-timedelta(minutes=5)) == timedelta(minutes=5)
    assert [pause_after(n).total_seconds() / 60 for n in (1, 2, 3, 6, 7, 1_000)] == [1, 2, 4, 32, 60, 60]


@pytest.mark.parametrize(
    "notices",
    [
        [decoded_notice(MOCK)],
        [decoded_notice(significant=False)],
        [decoded_notice(), decoded_notice(alert_type="RETRACTION", minutes=1)],
    ],
    ids=["mock", "low significance", "retracted"],
)
async def test_what_nobody_follows_up_is_not_read(
    factory: Factory, reader: TreasureMapSync, fake: FakeTreasureMap, notices: list[Any]
) -> None:
    await subscribe(factory, "CBC mock lowsig", "C1")
    await record_notices(factory, notices)
    assert await reader.read_due() == 0 and not fake.requests()


async def test_an_event_without_a_thread_is_not_read(
    factory: Factory, reader: TreasureMapSync, fake: FakeTreasureMap
) -> None:
    await record_notices(factory, decoded_notice())
    assert await reader.read_due() == 0


async def test_an_event_that_becomes_significant_is_read_from_then_on(
    factory: Factory, reader: TreasureMapSync, fake: FakeTreasureMap
) -> None:
    await subscribe(factory, "CBC mock lowsig", "C1")
    await record_notices(factory, decoded_notice(significant=False))
    assert await reader.read_due() == 0
    await record_notices(factory, decoded_notice(minutes=1))
    assert await reader.read_due() == 1


async def test_a_retraction_ends_the_reading_and_a_notice_after_it_begins_it_again(
    factory: Factory, reader: TreasureMapSync, fake: FakeTreasureMap, event: str, clock: Clock
) -> None:
    assert await reader.read_due() == 1
    await record_notices(factory, decoded_notice(alert_type="RETRACTION", minutes=1))
    clock.advance(minutes=5)
    assert await reader.read_due() == 1
    for _ in range(5):
        clock.advance(minutes=5)
        assert await reader.read_due() == 0
    assert await fields(factory) == 3
    await record_notices(factory, decoded_notice(alert_type="UPDATE", minutes=30))
    assert await reader.read_due() == 1


async def test_a_pointing_that_disappears_or_changes_is_as_the_newest_answer_says(
    factory: Factory, reader: TreasureMapSync, fake: FakeTreasureMap, event: str, clock: Clock
) -> None:
    await reader.read_due()
    del fake.pointings[REAL][0]
    fake.pointings[REAL][0]["status"] = "cancelled"
    clock.advance(minutes=5)
    await reader.read_due()
    known = await factory.treasure_map.pointings(event)
    assert [(one.instrument, one.status) for one in known.observations] == [
        ("DECam", ObservationStatus.DONE),
        ("ZTF", ObservationStatus.CANCELLED),
    ]
    assert known.read_at == clock()
    fake.pointings[REAL] = []
    clock.advance(minutes=5)
    await reader.read_due()
    assert (await factory.treasure_map.pointings(event)).observations == ()


async def test_a_follow_up_reply_that_stands_is_edited_when_pointings_change_and_none_is_posted(
    factory: Factory, reader: TreasureMapSync, fake: FakeTreasureMap, event: str, clock: Clock
) -> None:
    follow_ups, deliveries, threads = schema.follow_ups, schema.deliveries, schema.threads

    async def wanted() -> list[tuple[int, int]]:
        """Return the revision that each reply should show, and the number of edits that wait."""
        async with factory.database.read_transaction() as connection:
            revisions = (await connection.execute(select(follow_ups.c.wanted_revision))).scalars().all()
            edits = select(deliveries.c.id).where(deliveries.c.kind == DeliveryKind.FOLLOW_UP_EDIT.value)
            waiting = len((await connection.execute(edits)).all())
        return [(revision, waiting) for revision in revisions]

    await reader.read_due()
    assert await wanted() == [], "nobody asked for a reply, and others' pointings post none"
    async with factory.database.exclusive_transaction() as connection:
        thread = (await connection.execute(select(threads.c.id))).scalar_one()
        stands = {"thread_id": thread, "ts": "2.0", "wanted_revision": 1, "shown_revision": 1}
        await connection.execute(insert(follow_ups).values(stands))
    clock.advance(minutes=5)
    await reader.read_due()
    assert await wanted() == [(1, 0)], "nothing changed"
    fake.pointings[REAL] += grid(2, NOW, first=50)
    clock.advance(minutes=5)
    await reader.read_due()
    assert await wanted() == [(2, 1)]


@pytest.mark.parametrize("fault", [500, 503, (503, "20"), (429, "20"), 400, HTML, CUT_OFF, HANGS])
async def test_a_failure_keeps_what_was_read_and_says_why(
    factory: Factory,
    reader: TreasureMapSync,
    fake: FakeTreasureMap,
    event: str,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    fault: Fault,
) -> None:
    monkeypatch.setattr(client_module, "READ_TIMEOUT_S", 0.2)
    await reader.read_due()
    clock.advance(minutes=5)
    fake.faults["pointings"] = [fault]
    await reader.read_due()
    known = await factory.treasure_map.pointings(event)
    assert known.read_at == NOW and len(known.observations) == 3
    assert known.problem is not None and known.problem.startswith("The Treasure Map")
    state = await factory.treasure_map.state()
    assert (state.read_at, state.problem, state.events) == (NOW, known.problem, 1)


@pytest.mark.parametrize(("header", "minutes"), [("20", 1), ("600", 10), ("86400", 60)])
async def test_retry_after_is_kept_for_every_event(
    factory: Factory,
    reader: TreasureMapSync,
    fake: FakeTreasureMap,
    event: str,
    clock: Clock,
    header: str,
    minutes: int,
) -> None:
    await record_notices(factory, decoded_notice(SECOND))
    fake.faults["pointings"] = [(429, header)]
    assert await reader.read_due() == 1
    assert await reader.read_due() == 0 and fake.requests() == 1
    due = [one.superevent_id for one in await factory.treasure_map.list_due(clock())]
    assert len(due) == 1, "the other event wasn't asked for, and stays due"
    clock.advance(minutes=minutes - 0.1)
    assert len(await factory.treasure_map.list_due(clock())) == 1
    clock.advance(minutes=0.1)
    assert len(await factory.treasure_map.list_due(clock())) == 2


async def test_pauses_grow_while_an_answer_cannot_be_read_and_end_with_the_first_that_can(
    factory: Factory, reader: TreasureMapSync, fake: FakeTreasureMap, event: str, clock: Clock
) -> None:
    fake.faults["pointings"] = [HTML] * 4
    pauses = []
    for _ in range(4):
        assert await reader.read_due() == 1
        minutes = 0
        while not await factory.treasure_map.list_due(clock()):
            clock.advance(minutes=1)
            minutes += 1
        pauses.append(minutes)
    assert pauses == [1, 2, 4, 8]
    await reader.read_due()
    known = await factory.treasure_map.pointings(event)
    assert known.problem is None and len(known.observations) == 3


async def test_a_refused_token_is_logged_once_and_asked_again_in_an_hour(
    factory: Factory,
    fake: FakeTreasureMap,
    event: str,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    outcomes: list[str],
) -> None:
    client = TreasureMap(fake.url, "another token")
    reader = TreasureMapSync(
        client,
        factory.treasure_map,
        factory.notices,
        clock,
        may_read=lambda: True,
        on_request=outcomes.append,
    )
    with capture_logs() as logs:
        await reader.read_due()
        for _ in range(3):
            clock.advance(minutes=61)
            monkeypatch.setattr(reader, "_not_before", 0.0)
            await reader.read_due()
    await client.close()
    refused = [entry for entry in logs if entry["event"] == "treasure_map_token_refused"]
    assert len(refused) == 1 and refused[0]["log_level"] == "error"
    assert "another token" not in str(logs)
    assert outcomes == ["refused"] * 4 and fake.requests() == 4
    assert (await factory.treasure_map.state()).problem == "The Treasure Map refuses the token (HTTP 401)."


@pytest.mark.parametrize("where", ["group_pointings", "parse_footprint"])
async def test_a_defect_ends_neither_the_reading_nor_the_process(
    factory: Factory,
    reader: TreasureMapSync,
    fake: FakeTreasureMap,
    event: str,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
) -> None:
    def fails(*_: Any) -> Any:
        raise ZeroDivisionError

    with monkeypatch.context() as patch, capture_logs() as logs:
        patch.setattr(conversion, where, fails)
        assert await reader.read_due() == 1
    assert [entry["subsystem"] for entry in logs if entry["event"] == "unexpected_error"] == ["treasure_map"]
    known = await factory.treasure_map.pointings(event)
    assert (known.problem is not None) is (where == "group_pointings")
    clock.advance(minutes=5)
    await reader.read_due()
    known = await factory.treasure_map.pointings(event)
    assert known.problem is None and all(one.footprint is not None for one in known.observations)


async def test_a_restart_asks_nothing_again(
    factory: Factory,
    client: TreasureMap,
    reader: TreasureMapSync,
    fake: FakeTreasureMap,
    event: str,
    clock: Clock,
) -> None:
    await reader.read_due()
    clock.advance(minutes=4)
    again = TreasureMapSync(client, factory.treasure_map, factory.notices, clock, may_read=lambda: True)
    assert await again.read_due() == 0 and fake.requests() == 1
    assert await fields(factory) == 3
    clock.advance(minutes=1)
    assert await again.read_due() == 1


async def test_only_the_process_with_the_lease_reads(
    factory: Factory, client: TreasureMap, fake: FakeTreasureMap, event: str, clock: Clock
) -> None:
    readers = [
        TreasureMapSync(client, factory.treasure_map, factory.notices, clock, may_read=may_read)
        for may_read in (lambda: True, lambda: False)
    ]
    tasks = [asyncio.create_task(one.run()) for one in readers]
    async with asyncio.timeout(20):
        while await fields(factory) != 3:
            await asyncio.sleep(0.02)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert fake.requests() == 1


async def test_a_process_that_loses_its_lease_stops_between_two_events(
    factory: Factory, client: TreasureMap, fake: FakeTreasureMap, event: str, clock: Clock
) -> None:
    await record_notices(factory, decoded_notice(SECOND))
    reader = TreasureMapSync(
        client, factory.treasure_map, factory.notices, clock, may_read=lambda: not fake.requests()
    )
    assert await reader.read_due() == 1


async def test_who_asks_for_an_old_event_has_it_read_once(
    factory: Factory, reader: TreasureMapSync, fake: FakeTreasureMap, event: str, clock: Clock
) -> None:
    clock.advance(days=30)
    assert await reader.read_due() == 0
    assert await factory.treasure_map.pointings(event) == TreasureMapReading()
    await factory.treasure_map.ask(event, clock())
    await factory.treasure_map.ask(event, clock())
    assert await reader.read_due() == 1
    assert await fields(factory) == 3
    # What was just read isn't read again, however many ask.
    clock.advance(minutes=1)
    await factory.treasure_map.ask(event, clock())
    assert await reader.read_due() == 0
    clock.advance(minutes=1)
    await factory.treasure_map.ask(event, clock())
    assert await reader.read_due() == 1
    clock.advance(days=1)
    assert await reader.read_due() == 0


async def test_who_asks_for_a_young_event_does_not_wait_for_its_turn_nor_delay_it(
    factory: Factory, reader: TreasureMapSync, fake: FakeTreasureMap, event: str, clock: Clock
) -> None:
    await reader.read_due()
    clock.advance(minutes=3)
    await factory.treasure_map.ask(event, clock())
    assert await reader.read_due() == 1
    clock.advance(minutes=5)
    assert await reader.read_due() == 1


async def test_an_old_event_that_cannot_be_read_is_given_up_after_some_failures(
    factory: Factory, reader: TreasureMapSync, fake: FakeTreasureMap, event: str, clock: Clock
) -> None:
    clock.advance(days=30)
    await factory.treasure_map.ask(event, clock())
    fake.faults["pointings"] = [HTML] * 100
    for _ in range(60):
        await reader.read_due()
        clock.advance(minutes=2)
    assert fake.requests() == sync.MAX_FAILURES_WHEN_ASKED
    assert (await factory.treasure_map.pointings(event)).problem is not None


async def test_mocks_are_not_read_even_if_somebody_asks(
    factory: Factory, reader: TreasureMapSync, fake: FakeTreasureMap, clock: Clock
) -> None:
    await subscribe(factory, "CBC mock lowsig", "C1")
    await record_notices(factory, decoded_notice(MOCK))
    await factory.treasure_map.ask(MOCK, clock())
    assert await reader.read_due() == 0


async def test_a_clock_that_was_set_back_delays_nothing_for_long(
    factory: Factory, reader: TreasureMapSync, fake: FakeTreasureMap, event: str, clock: Clock
) -> None:
    clock.advance(days=2)
    await reader.read_due()
    clock.advance(days=-2)
    assert await reader.read_due() == 1


async def test_without_footprints_pointings_are_kept_and_they_are_asked_for_again(
    factory: Factory, reader: TreasureMapSync, fake: FakeTreasureMap, event: str, clock: Clock
) -> None:
    fake.faults["footprints"] = [500]
    await reader.read_due()
    known = await factory.treasure_map.pointings(event)
    assert len(known.observations) == 3 and all(one.footprint is None for one in known.observations)
    clock.advance(minutes=5)
    await reader.read_due()
    known = await factory.treasure_map.pointings(event)
    assert all(one.footprint is not None for one in known.observations)


async def test_an_unlisted_instrument_without_a_field_of_view_is_asked_for_once_a_week(
    factory: Factory, reader: TreasureMapSync, fake: FakeTreasureMap, event: str, clock: Clock
) -> None:
    fake.pointings[REAL] = [pointing(1, 10, 10, NOW, instrumentid=999, instrument_name="New")]
    for _ in range(3):
        await reader.read_due()
        clock.advance(minutes=5)
    (one,) = (await factory.treasure_map.pointings(event)).observations
    assert (one.instrument, one.footprint) == ("New", None)
    assert fake.asked["instruments"] == 1 and fake.asked["footprints"] == 1


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_an_answer_that_is_too_large_is_read_in_parts(
    factory: Factory,
    reader: TreasureMapSync,
    fake: FakeTreasureMap,
    event: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client_module, "MAX_JSON_BYTES", 200_000)
    done = grid(1_500, NOW, step=timedelta(seconds=80))
    planned = grid(300, NOW + timedelta(hours=2), first=5_000, status="planned")
    cancelled = grid(10, NOW, first=6_000, status="cancelled")
    fake.pointings[REAL] = done + planned + cancelled
    await reader.read_due()
    known = await factory.treasure_map.pointings(event)
    counts: dict[str, int] = {}
    for one in known.observations:
        counts[one.status_word] = counts.get(one.status_word, 0) + len(one.fields)
    assert counts == {"completed": 1_500, "planned": 300, "cancelled": 10}
    assert known.problem is None and fake.requests() <= reading.MAX_REQUESTS


async def test_pointings_that_no_part_is_small_enough_for_are_said_to_be_too_many(
    factory: Factory,
    reader: TreasureMapSync,
    fake: FakeTreasureMap,
    event: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client_module, "MAX_JSON_BYTES", 2_000)
    fake.pointings[REAL] = grid(10, NOW, step=timedelta(0))
    await reader.read_due()
    problem = (await factory.treasure_map.pointings(event)).problem
    assert problem == "The Treasure Map's answer has more than 0.002 MB."
    assert fake.requests() <= reading.MAX_REQUESTS + 1


async def test_an_unreachable_store_ends_a_round_and_not_the_task(
    factory: Factory,
    reader: TreasureMapSync,
    fake: FakeTreasureMap,
    event: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sync, "POLL_S", 0.01)
    whole, failed = factory.treasure_map.list_young, asyncio.Event()

    async def fail_once(since: Any) -> Any:
        if failed.is_set():
            return await whole(since)
        failed.set()
        raise StoreUnavailable("The database doesn't answer.")

    monkeypatch.setattr(factory.treasure_map, "list_young", fail_once)
    task = asyncio.create_task(reader.run())
    async with asyncio.timeout(20):
        while await fields(factory) != 3:
            await asyncio.sleep(0.02)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert failed.is_set()


async def test_the_token_is_in_no_log_line(
    reader: TreasureMapSync, fake: FakeTreasureMap, event: str
) -> None:
    with capture_logs() as logs:
        await reader.read_due()
    assert [entry["event"] for entry in logs if entry["event"].startswith("treasure")] == [
        "treasure_map_pointings_changed"
    ]
    assert TOKEN not in str(logs)
