"""One transaction of an alert: stored with its plan, or not at all."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from bot.alerts.decode import decode, notice_from_record
from bot.app.factory import Factory
from bot.filters import extract_attributes
from bot.routing.intents import Intent
from bot.routing.planner import plan
from bot.routing.state import RoutingState
from bot.samples import to_avro, to_json
from bot.samples.events import bns
from bot.store.database import Database
from formatters.models.notice import ALERT_TYPES, Category, Localization
from formatters.models.superevent import Superevent
from tests.support.factories import (
    MAX_AGE,
    MOCK,
    NOW,
    REAL,
    decoded_notice,
    notice_record,
    planner,
    record_notices,
    subscribe,
)

PLAN = planner()

pytestmark = pytest.mark.backends("sqlite", "postgresql")


async def everything(factory: Factory) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables."""
    tables = ("superevents", "notices", "payloads", "quarantine", "subscriptions", "threads", "deliveries")
    async with factory.database.read_transaction() as connection:
        return {
            table: [tuple(row) for row in (await connection.execute(text(f"SELECT * FROM {table}"))).all()]
            for table in tables
        }


async def roots(factory: Factory) -> list[str]:
    """The channels that have a root planned."""
    async with factory.database.read_transaction() as connection:
        query = text("SELECT channel_id FROM deliveries WHERE kind = 'root' ORDER BY channel_id")
        return list((await connection.execute(query)).scalars())


async def test_a_repeat_changes_nothing(factory: Factory) -> None:
    await subscribe(factory, "CBC", "C1")
    body = to_avro(notice_record())
    first = await factory.notices.record(decode(body), body, "hopskotch:0", NOW, PLAN)
    assert (first.new, first.intents) == (True, 1)
    before = await everything(factory)
    later = NOW + timedelta(hours=1)
    for again, origin in ((body, "hopskotch:1"), (to_json(notice_record()), "gcn:5")):
        repeat = await factory.notices.record(
            replace(decode(again), received=later), again, origin, later, planner(later)
        )
        assert (repeat.new, repeat.intents) == (False, 0)
    assert await everything(factory) == before


async def test_a_notice_with_its_maps_is_the_same_from_avro_and_json(factory: Factory) -> None:
    announced = bns(NOW)[3]
    for body in (to_avro(announced), to_json(announced)):
        await factory.notices.record(decode(body), body, "test:1", NOW, PLAN)
    known = await factory.notices.superevent(announced["superevent_id"])
    assert known is not None and len(known.notices) == 1
    assert known.latest == decode(to_avro(announced)), "what is stored is what was decoded"
    assert known.latest.external is not None and known.latest.external.localization is not None


async def test_a_repeat_stays_one_after_its_payload_is_purged_and_its_facts_too(factory: Factory) -> None:
    await subscribe(factory, "all mock", "C1")
    await record_notices(factory, decoded_notice(MOCK))
    assert await factory.notices.purge_mock_payloads(NOW + timedelta(seconds=1)) == 1
    assert await factory.notices.purge_mock_payloads(NOW + timedelta(seconds=1)) == 0
    again = await factory.notices.record(decoded_notice(MOCK), b"other bytes", "test:2", NOW, PLAN)
    assert not again.new
    # As one that an older gwevent stored: nothing says what it said.
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(text("UPDATE notices SET facts = NULL, content = ''"))
    for notice in (decoded_notice(MOCK), decoded_notice(MOCK, far=0.5)):
        again = await factory.notices.record(notice, b"bytes", "test:2", NOW, PLAN)
        assert not again.new
    assert await factory.notices.superevent(MOCK) is None, "nothing is known of it any more"
    assert await factory.notices.newest(category=Category.MOCK) == []
    # A further notice begins anew with what it says.
    await record_notices(factory, decoded_notice(MOCK, minutes=5))
    known = await factory.notices.superevent(MOCK)
    assert known is not None and len(known.notices) == 1
    assert await roots(factory) == ["C1"]


async def test_only_mocks_and_only_old_ones_are_purged(factory: Factory) -> None:
    await record_notices(factory, [decoded_notice(MOCK), decoded_notice(REAL)])
    await record_notices(factory, decoded_notice("MS261122b"), now=NOW + timedelta(days=1))
    assert await factory.notices.purge_mock_payloads(NOW + timedelta(hours=1)) == 1
    assert len((await everything(factory))["payloads"]) == 2


async def test_the_same_type_and_second_with_other_content_is_a_notice_of_its_own(factory: Factory) -> None:
    await subscribe(factory, "all", "C1")
    first, second = decoded_notice(alert_type="UPDATE"), decoded_notice(alert_type="UPDATE", far=2e-9)
    assert first.key[:3] == second.key[:3] and first.key != second.key
    await record_notices(factory, [first, second])
    known = await factory.notices.superevent(REAL)
    assert known is not None and {n.key for n in known.notices} == {first.key, second.key}
    before = await everything(factory)
    for again in (first, second):
        assert not (await factory.notices.record(again, b"bytes", "test:2", NOW, PLAN)).new
    assert await everything(factory) == before
    for notice in (first, second):
        assert await factory.notices.payload(notice.key) == f"{notice.key}".encode()
        notice_id = await factory.notices.notice_id(notice.key)
        assert notice_id is not None and await factory.notices.notice_key(notice_id) == notice.key


async def test_an_archives_copy_never_differs(factory: Factory) -> None:
    theirs = replace(decoded_notice(far=2e-9), archive="GraceDB", content=None)
    await record_notices(factory, [decoded_notice(), decoded_notice(far=3e-9)])
    assert not (await factory.notices.record(theirs, b"bytes", "gracedb:1", NOW, PLAN)).new
    early = replace(decoded_notice(MOCK, far=2e-9), archive="GraceDB", content=None)
    await record_notices(factory, early, live=False)
    # The first that the source brings takes its place, whatever it says; the second is one of its own.
    await record_notices(factory, [decoded_notice(MOCK), decoded_notice(MOCK, far=3e-9)])
    known = await factory.notices.superevent(MOCK)
    assert known is not None and {n.key for n in known.notices} == {
        decoded_notice(MOCK).key,
        decoded_notice(MOCK, far=3e-9).key,
    }


async def test_content_of_notices_of_an_older_version_is_computed_from_the_payload(factory: Factory) -> None:
    body, other = (
        to_json(notice_record(alert_type="UPDATE")),
        to_json(notice_record(alert_type="UPDATE", far=2e-9)),
    )
    await factory.notices.record(decode(body), body, "test:1", NOW, PLAN)
    old = replace(decode(body), content=None).to_json()
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(text("UPDATE notices SET content = '', facts = :old"), {"old": old})
    avro = to_avro(notice_record(alert_type="UPDATE"))
    assert not (await factory.notices.record(decode(avro), avro, "test:2", NOW, PLAN)).new
    assert (await factory.notices.record(decode(other), other, "test:3", NOW, PLAN)).new
    known = await factory.notices.superevent(REAL)
    assert known is not None and {n.key for n in known.notices} == {decode(body).key, decode(other).key}
    assert await factory.notices.payload(decode(body).key) == body
    # Who noted its key before that was known finds it still.
    assert await factory.notices.payload((*decode(body).key[:3], "")) in (body, other)


async def test_a_map_measured_otherwise_by_a_newer_version_is_a_repeat(factory: Factory) -> None:
    await factory.notices.record(decoded_notice(), b"the bytes", "test:1", NOW, PLAN)
    measured = replace(
        decoded_notice(),
        localization=Localization(
            ra=1, dec=2, area_50=3, area_90=4, regions=(), distance=None, peak_distance=None
        ),
    )
    assert not (await factory.notices.record(measured, b"the bytes", "test:1", NOW, PLAN)).new


@pytest.mark.parametrize("seed", range(4))
async def test_any_order_of_arrival_and_any_repeats_end_in_the_same_state(
    factory: Factory, seed: int
) -> None:
    rng = random.Random(seed)
    burst = {
        "gcn_notice_id": 1,
        "ivorn": "ivo://x",
        "observatory": "Fermi",
        "search": "GRB",
        "time_difference": 1.0,
        "time_coincidence_far": 1e-9,
        "time_sky_position_coincidence_far": None,
        "combined_skymap": None,
    }
    records = [
        notice_record(),
        *(notice_record(alert_type="UPDATE", far=far) for far in (1e-9, 2e-9, 3e-9)),
        {**notice_record(alert_type="UPDATE"), "external_coinc": burst},
        notice_record(alert_type="NOVEL"),
        notice_record(alert_type="OTHER"),
        notice_record(alert_type="RETRACTION", minutes=rng.choice((-1, 0, 1))),
    ]
    expected = Superevent.from_notices(map(notice_from_record, records))
    # Avro's types of notices are a list.
    known_types = [one for one in records if one["alert_type"] in ALERT_TYPES]
    bodies = [*map(to_avro, known_types), *map(to_json, records), *map(to_json, records)]
    rng.shuffle(bodies)
    for body in bodies:
        await factory.notices.record(decode(body), body, "test:1", NOW, PLAN)
    known = await factory.notices.superevent(REAL)
    assert known == expected
    async with factory.database.read_transaction() as connection:
        [traits] = (await connection.execute(text("SELECT traits FROM superevents"))).scalars()
    told = extract_attributes(expected)
    assert told is not None and json.loads(traits) == json.loads(told.to_json())


async def test_notices_out_of_order_end_in_the_same_superevent(factory: Factory) -> None:
    story = [
        decoded_notice(),
        decoded_notice(alert_type="INITIAL", minutes=5),
        decoded_notice(alert_type="UPDATE", minutes=9),
    ]
    await record_notices(factory, [story[2], story[0], story[1]])
    known = await factory.notices.superevent_with_revision(REAL)
    assert known is not None
    assert known[0].notices == tuple(story)
    assert known[1] == 3, "the revision counts what was stored"


async def test_a_late_preliminary_after_the_retraction_opens_nothing(factory: Factory) -> None:
    await subscribe(factory, "CBC", "C1")
    await record_notices(factory, [decoded_notice(alert_type="RETRACTION", minutes=5), decoded_notice()])
    assert await roots(factory) == []


async def test_two_concurrent_notices_open_one_root(factory: Factory, database_url: str) -> None:
    await subscribe(factory, "CBC", "C1", "C2")
    other = Factory(Database(database_url))
    story = [decoded_notice(minutes=minute) for minute in range(6)]
    recorded = await asyncio.gather(
        *(
            (factory, other)[number % 2].notices.record(notice, b"bytes", "test:1", NOW, PLAN)
            for number, notice in enumerate(story)
        )
    )
    assert all(one.new for one in recorded)
    assert await roots(factory) == ["C1", "C2"]
    rows = await everything(factory)
    assert len(rows["threads"]) == 2
    assert len(rows["deliveries"]) == 2 + 5 * 2, "each further notice is a reply, once a channel"
    await other.database.close()


async def test_the_same_notice_twice_at_once_is_stored_once(factory: Factory, database_url: str) -> None:
    await subscribe(factory, "CBC", "C1")
    other = Factory(Database(database_url))
    recorded = await asyncio.gather(
        *(one.notices.record(decoded_notice(), b"bytes", "test:1", NOW, PLAN) for one in (factory, other) * 3)
    )
    assert sorted(one.new for one in recorded) == [False] * 5 + [True]
    assert await roots(factory) == ["C1"]
    await other.database.close()


async def test_a_planner_that_fails_leaves_nothing_behind(factory: Factory) -> None:
    await record_notices(factory, decoded_notice())
    before = await everything(factory)

    def broken(state: RoutingState) -> list[Intent]:
        raise KeyError("a fault on purpose")

    for notice in (decoded_notice(minutes=5), decoded_notice("S261122b")):
        with pytest.raises(KeyError):
            await factory.notices.record(notice, b"bytes", "test:1", NOW, broken)
    assert await everything(factory) == before
    await record_notices(factory, decoded_notice(minutes=5))


async def test_planner_gets_notices_threads_and_subscriptions(factory: Factory) -> None:
    await subscribe(factory, "CBC", "C1")
    await record_notices(factory, decoded_notice())
    seen: list[tuple[int, int, int]] = []

    def watching(state: RoutingState) -> list[Intent]:
        seen.append((len(state.superevent.notices), len(state.threads), len(state.subscriptions)))
        return plan(state, live=True, now=NOW, max_age=MAX_AGE)

    await factory.notices.record(decoded_notice(minutes=5), b"bytes", "test:1", NOW, watching)
    assert seen == [(2, 1, 1)]


async def test_newest_filters_by_category_and_group(factory: Factory) -> None:
    await record_notices(
        factory,
        [
            decoded_notice("S261121a"),
            decoded_notice("S261122b", group="Burst"),
            decoded_notice(MOCK),
            decoded_notice("S261120c", alert_type="RETRACTION", minutes=-60),
        ],
    )
    newest = [s.superevent_id for s in await factory.notices.newest(category=Category.REAL, limit=9)]
    assert newest == ["S261122b", "S261121a", "S261120c"]
    bursts = await factory.notices.newest(category=Category.REAL, group="burst", limit=9)
    assert [s.superevent_id for s in bursts] == ["S261122b"]
    last = await factory.notices.last_notice()
    assert last is not None and last.superevent_id == "S261120c"


async def test_unreadable_subscription_does_not_block_others(factory: Factory) -> None:
    await subscribe(factory, "CBC", "C1", "C2")
    async with factory.database.exclusive_transaction() as connection:
        newer = "UPDATE subscriptions SET words = 'CBC glitchiness<3' WHERE channel_id = 'C1'"
        await connection.execute(text(newer))
    await record_notices(factory, decoded_notice())
    assert await roots(factory) == ["C2"]
