"""Nearby alerts of a stored superevent: measured once for each map and state of the alerts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from bot.alerts.decode import decode
from bot.app.factory import Factory
from bot.related_messages.coincidence import measure
from bot.related_messages.nearby import decode_nearby_alert
from bot.related_messages.nearby_windows import NearbyWindows, parse_window
from bot.runtime.threads import ThreadHangs
from bot.samples import Lobe, sky_map, to_avro
from bot.samples.nearby import gbm_trigger
from bot.skymap_service import nearby_coincidences
from bot.skymap_service.cache import SkyMapCache
from bot.skymap_service.nearby_coincidences import NearbyCoincidences
from bot.store.events.nearby_alerts import NearbyAlertRepository
from formatters.models.superevent import Superevent
from tests.support.factories import NOW, notice_record, planner

EVENT_TIME = NOW - timedelta(minutes=1)
PLACE = (130.0, -20.0)


async def stored_event(
    factory: Factory, *places: tuple[float, float], superevent_id: str = "S261122a"
) -> Superevent:
    """Record a notice with a map around each place, a minute apart; return the superevent."""
    for minutes, place in enumerate(places):
        skymap = sky_map([Lobe(*place, 1.0, 3.0)], superevent_id=superevent_id, time=EVENT_TIME)
        record = notice_record(superevent_id, "INITIAL", minutes, skymap=skymap)
        body = to_avro(record)
        await factory.notices.record(decode(body), body, "test:1", NOW, planner(NOW))
    superevent = await factory.notices.superevent(superevent_id)
    assert superevent is not None
    return superevent


async def record_burst(alerts: NearbyAlertRepository, **facts: Any) -> None:
    facts = {"classification": {"GRB": 0.9}} | facts
    alert = decode_nearby_alert("nearby", gbm_trigger(EVENT_TIME + timedelta(seconds=1.7), *PLACE, **facts))
    assert alert is not None
    await alerts.record(alert, NOW, is_news=True)


@pytest.fixture
def alerts(factory: Factory) -> NearbyAlertRepository:
    return NearbyAlertRepository(factory.database)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts the alerts of each comparison that is really made."""
    calls: list[int] = []

    def counted(timed: Any, skymap: Any) -> Any:
        calls.append(len(timed))
        return measure(timed, skymap)

    monkeypatch.setattr(nearby_coincidences, "measure", counted)
    return calls


async def test_a_burst_near_an_event_is_measured_once(
    factory: Factory, alerts: NearbyAlertRepository, measured: list[int]
) -> None:
    superevent = await stored_event(factory, PLACE)
    service = NearbyCoincidences(alerts, SkyMapCache(factory.notices))
    assert await service.for_event(superevent) == () and measured == []
    await record_burst(alerts)
    (one,) = await service.for_event(superevent)
    assert one.offset_s == pytest.approx(1.7, abs=1e-3) and one.overlap > 0.9
    assert 1e-7 < one.expected_by_chance < 1e-4
    assert await service.for_event(superevent) == (one,)
    assert measured == [1]


async def test_a_new_map_and_a_new_position_are_measured_again(
    factory: Factory, alerts: NearbyAlertRepository, measured: list[int]
) -> None:
    superevent = await stored_event(factory, PLACE)
    service = NearbyCoincidences(alerts, SkyMapCache(factory.notices))
    await record_burst(alerts)
    (first,) = await service.for_event(superevent)
    await record_burst(alerts, delay_s=90, radius=8.0)
    (second,) = await service.for_event(superevent)
    assert second.expected_by_chance > first.expected_by_chance
    await record_burst(alerts, delay_s=100, alert_type="retraction")
    assert await service.for_event(superevent) == ()
    await record_burst(alerts, delay_s=200)
    moved = await stored_event(factory, PLACE, (300.0, 60.0))
    assert await service.for_event(moved) == ()
    assert measured == [1, 1, 1]


async def test_without_a_map_there_is_none(factory: Factory, alerts: NearbyAlertRepository) -> None:
    await record_burst(alerts)
    body = to_avro(notice_record())
    await factory.notices.record(decode(body), body, "test:1", NOW, planner(NOW))
    superevent = await factory.notices.superevent("S261122a")
    assert superevent is not None
    assert await NearbyCoincidences(alerts, SkyMapCache(factory.notices)).for_event(superevent) == ()


async def test_a_mock_has_none(factory: Factory, alerts: NearbyAlertRepository, measured: list[int]) -> None:
    await record_burst(alerts)
    mock = await stored_event(factory, PLACE, superevent_id="MS261122a")
    assert await NearbyCoincidences(alerts, SkyMapCache(factory.notices)).for_event(mock) == ()
    assert measured == []


async def test_the_windows_are_the_settings(factory: Factory, alerts: NearbyAlertRepository) -> None:
    superevent = await stored_event(factory, PLACE)
    await record_burst(alerts)
    narrow = NearbyAlertRepository(factory.database, NearbyWindows(burst_cbc=parse_window("-1,1")))
    assert await NearbyCoincidences(narrow, SkyMapCache(factory.notices)).for_event(superevent) == ()


async def test_a_comparison_that_hangs_is_not_taken_for_none_and_is_tried_again(
    factory: Factory, alerts: NearbyAlertRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    superevent = await stored_event(factory, PLACE)
    await record_burst(alerts)

    async def hang(work: Callable[..., object], *args: object) -> object:
        raise ThreadHangs

    service = NearbyCoincidences(alerts, SkyMapCache(factory.notices))
    with monkeypatch.context() as hanging:
        hanging.setattr(nearby_coincidences, "run_in_thread", hang)
        with pytest.raises(ThreadHangs):
            await service.for_event(superevent)
    assert len(await service.for_event(superevent)) == 1
