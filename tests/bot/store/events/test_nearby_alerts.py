"""Nearby alerts: kept in their newest state, and who is told of them."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from bot.app.factory import Factory
from bot.related_messages.nearby import decode_nearby_alert
from bot.related_messages.nearby_windows import NearbyWindows, parse_window
from bot.samples.nearby import gbm_ids, gbm_trigger, icecube_track, svom_trigger
from bot.store import schema
from bot.store.events.nearby_alerts import NearbyAlertRepository, load_alerts_between
from bot.store.outbox.models import DeadLettered
from formatters.models.nearby_alert import NearbyAlert
from tests.support.factories import MOCK, NOW, TEAM, decoded_notice, record_notices, subscribe

pytestmark = pytest.mark.backends("sqlite", "postgresql")

EVENT_TIME = NOW - timedelta(minutes=1)
"""That of the factories' notices."""


def decoded(body: bytes) -> NearbyAlert:
    alert = decode_nearby_alert("nearby", body)
    assert alert is not None
    return alert


def gbm(offset_s: float = 2.0, delay_s: float = 20.0, **facts: Any) -> NearbyAlert:
    time = EVENT_TIME + timedelta(seconds=offset_s)
    return decoded(gbm_trigger(time, 130.0, -20.0, delay_s=delay_s, **facts))


@pytest.fixture
def alerts(factory: Factory) -> NearbyAlertRepository:
    return NearbyAlertRepository(factory.database)


async def wanted(factory: Factory) -> set[str]:
    """Return the channels whose Follow-up reply was asked for."""
    threads, follow_ups = schema.threads, schema.follow_ups
    query = select(threads.c.channel_id).join(follow_ups, follow_ups.c.thread_id == threads.c.id)
    async with factory.database.read_transaction() as connection:
        return set((await connection.execute(query)).scalars())


async def rows(factory: Factory) -> int:
    async with factory.database.read_transaction() as connection:
        return len((await connection.execute(select(schema.nearby_alerts.c.id))).all())


async def test_the_newest_state_is_kept_in_one_row_and_a_repeat_changes_nothing(
    factory: Factory, alerts: NearbyAlertRepository
) -> None:
    flight, final = gbm(classification={"GRB": 0.9}), gbm(delay_s=600, radius=2.0)
    assert (await alerts.record(flight, NOW, is_news=True)).is_changed
    assert (await alerts.record(final, NOW, is_news=True)).is_changed
    assert not (await alerts.record(final, NOW, is_news=True)).is_changed
    assert not (await alerts.record(flight, NOW, is_news=True)).is_changed
    assert await rows(factory) == 1
    (alert,) = await alerts.between(EVENT_TIME, NOW)
    assert alert.position is not None and alert.position.radius == 2.0
    assert alert.classification == "GRB" and alert.ids == gbm_ids(alert.trigger_time)


async def test_any_order_of_arrival_ends_in_the_same_state(factory: Factory) -> None:
    versions = [gbm(delay_s=10.0 * n, radius=float(n + 1), record_number=n) for n in range(4)]
    versions += [gbm(delay_s=25.0, alert_type="retraction"), gbm(delay_s=5.0, classification={"SGR": 1})]
    states = []
    for seed in range(3):
        repository = NearbyAlertRepository(factory.database)
        mixed = list(versions)
        random.Random(seed).shuffle(mixed)
        for one in mixed:
            await repository.record(one, NOW, is_news=False)
        states.append(await repository.between(EVENT_TIME, NOW))
        async with factory.database.exclusive_transaction() as connection:
            await connection.execute(delete(schema.nearby_alerts))
    assert states[0] == states[1] == states[2] and len(states[0]) == 1


async def test_kinds_and_triggers_are_rows_of_their_own(
    factory: Factory, alerts: NearbyAlertRepository
) -> None:
    time = EVENT_TIME + timedelta(seconds=1)
    for body in (
        gbm_trigger(time, 1, 2),
        gbm_trigger(time + timedelta(seconds=10), 1, 2),
        svom_trigger(time, 1, 2),
        svom_trigger(time, 1, 2, instrument="GRM"),
        icecube_track(time, 1, 2),
    ):
        await alerts.record(decoded(body), NOW, is_news=True)
    assert await rows(factory) == 5
    found = await alerts.between(time, time + timedelta(seconds=5))
    assert [alert.stream for alert in found] == ["fermi-gbm", "icecube-gold", "svom-eclairs", "svom-grm"]


async def test_versions_that_named_one_id_each_are_one_once_both_are_known(
    factory: Factory, alerts: NearbyAlertRepository
) -> None:
    number, name = gbm_ids(EVENT_TIME + timedelta(seconds=2))
    await alerts.record(gbm(extra={"id": [name]}), NOW, is_news=True)
    await alerts.record(gbm(extra={"id": [number]}, delay_s=30), NOW, is_news=True)
    assert len(await alerts.between(EVENT_TIME, NOW)) == 2
    await alerts.record(gbm(extra={"id": [name, number]}, delay_s=60), NOW, is_news=True)
    assert [alert.name for alert in await alerts.between(EVENT_TIME, NOW)] == [name]


async def test_an_alert_near_a_known_event_is_told_where_a_channel_asked(
    factory: Factory, alerts: NearbyAlertRepository
) -> None:
    await subscribe(factory, "all streams nearby", "C1")
    await subscribe(factory, "all", "C2")
    await subscribe(factory, "all streams circulars icecube guano", "C3")
    await record_notices(factory, decoded_notice())
    assert (await alerts.record(gbm(), NOW, is_news=True)).follow_ups == 1
    assert await wanted(factory) == {"C1"}
    assert (await alerts.record(gbm(), NOW, is_news=True)).follow_ups == 0
    assert (await alerts.record(gbm(delay_s=60), NOW, is_news=True)).follow_ups == 1
    assert await wanted(factory) == {"C1"}


@pytest.mark.parametrize("offset", [-1.5, 6.0, 400.0])
async def test_outside_the_window_nobody_is_told(
    factory: Factory, alerts: NearbyAlertRepository, offset: float
) -> None:
    await subscribe(factory, "all streams nearby", "C1")
    await record_notices(factory, decoded_notice())
    assert (await alerts.record(gbm(offset), NOW, is_news=True)).follow_ups == 0
    assert await wanted(factory) == set()


async def test_the_window_follows_the_event_the_alert_and_the_settings(factory: Factory) -> None:
    await subscribe(factory, "all streams nearby", "C1")
    await record_notices(factory, decoded_notice(group="Burst"))
    usual = NearbyAlertRepository(factory.database)
    assert (await usual.record(gbm(400.0), NOW, is_news=True)).follow_ups == 1
    neutrino = decoded(icecube_track(EVENT_TIME - timedelta(seconds=450), 130, -20))
    assert (await usual.record(neutrino, NOW, is_news=True)).follow_ups == 1
    narrow = NearbyAlertRepository(factory.database, NearbyWindows(neutrino=parse_window("-10,10")))
    late = decoded(icecube_track(EVENT_TIME - timedelta(seconds=20), 130, -20, trigger_id="1_1"))
    assert (await narrow.record(late, NOW, is_news=True)).follow_ups == 0


async def test_what_is_no_news_is_kept_and_nobody_is_told(
    factory: Factory, alerts: NearbyAlertRepository
) -> None:
    await subscribe(factory, "all streams nearby", "C1")
    await record_notices(factory, decoded_notice())
    assert await alerts.record(gbm(), NOW, is_news=False) != (await alerts.record(gbm(), NOW, is_news=False))
    assert await wanted(factory) == set()
    async with factory.database.read_transaction() as connection:
        assert await load_alerts_between(connection, EVENT_TIME, NOW, only_news=True) == []
        assert len(await load_alerts_between(connection, EVENT_TIME, NOW)) == 1
    # Heard live later, it is: a notice that opens a thread then asks for its Follow-up reply.
    await alerts.record(gbm(), NOW, is_news=True)
    async with factory.database.read_transaction() as connection:
        assert len(await load_alerts_between(connection, EVENT_TIME, NOW, only_news=True)) == 1


@pytest.mark.parametrize(
    "unshown",
    [
        {"alert_type": "retraction"},
        {"classification": {"SFLARE": 1}},
        {"extra": {"ra": None}},
    ],
)
async def test_one_that_cannot_be_shown_changes_a_reply_and_makes_none(
    factory: Factory, alerts: NearbyAlertRepository, unshown: dict[str, Any]
) -> None:
    await subscribe(factory, "all streams nearby", "C1")
    await record_notices(factory, decoded_notice())
    await alerts.record(gbm(**unshown), NOW, is_news=True)
    assert await wanted(factory) == set()
    await alerts.record(gbm(offset_s=1.0), NOW, is_news=True)
    retraction = gbm(offset_s=1.0, delay_s=90, alert_type="retraction")
    assert (await alerts.record(retraction, NOW, is_news=True)).follow_ups == 1, "where it stood, it is told"
    assert await wanted(factory) == {"C1"}


async def test_mocks_are_not_told(factory: Factory, alerts: NearbyAlertRepository) -> None:
    await subscribe(factory, "all mock streams nearby", "C1")
    await record_notices(factory, decoded_notice(MOCK))
    assert (await alerts.record(gbm(), NOW, is_news=True)).follow_ups == 0


async def test_a_thread_whose_root_was_given_up_is_not_told(
    factory: Factory, alerts: NearbyAlertRepository
) -> None:
    await subscribe(factory, "all streams nearby", "C1")
    await record_notices(factory, decoded_notice())
    await factory.leases.heartbeat({TEAM})
    (root,) = await factory.outbox.claim(NOW, 10)
    await factory.outbox.record_outcomes([(root, DeadLettered(reason="msg_too_long"))], NOW)
    assert (await alerts.record(gbm(), NOW, is_news=True)).follow_ups == 0
    assert await wanted(factory) == set()


async def test_a_time_that_is_corrected_reaches_the_reply_that_showed_it(
    factory: Factory, alerts: NearbyAlertRepository
) -> None:
    await subscribe(factory, "all streams nearby", "C1")
    await record_notices(factory, decoded_notice())
    await alerts.record(gbm(), NOW, is_news=True)
    corrected = gbm(300.0, extra={"id": list(gbm_ids(EVENT_TIME + timedelta(seconds=2)))})
    assert (await alerts.record(corrected, NOW, is_news=True)).follow_ups == 1
    assert await wanted(factory) == {"C1"}


@pytest.mark.parametrize("facts", ["{}", "[]", "no JSON", '{"newest": {"key": 1}, "ids": []}'])
async def test_a_row_that_cannot_be_read_keeps_nothing_back_and_is_replaced(
    factory: Factory, alerts: NearbyAlertRepository, facts: str
) -> None:
    await subscribe(factory, "all streams nearby", "C1")
    await alerts.record(gbm(), NOW, is_news=True)
    track = decoded(icecube_track(EVENT_TIME + timedelta(seconds=3), 130, -20))
    await alerts.record(track, NOW, is_news=True)
    async with factory.database.exclusive_transaction() as connection:
        first = select(schema.nearby_alerts.c.id).order_by(schema.nearby_alerts.c.id).limit(1)
        row = (await connection.execute(first)).scalar_one()
        change = update(schema.nearby_alerts).where(schema.nearby_alerts.c.id == row)
        await connection.execute(change.values(facts=facts))
    await record_notices(factory, decoded_notice())
    assert await wanted(factory) == {"C1"}
    assert len(await alerts.between(EVENT_TIME, NOW)) == 1
    await alerts.record(gbm(), NOW, is_news=True)
    assert len(await alerts.between(EVENT_TIME, NOW)) == 2
