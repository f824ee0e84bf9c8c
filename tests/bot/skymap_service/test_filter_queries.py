"""What filters ask of the maps of stored notices."""

from __future__ import annotations

import pytest

from bot.app.factory import Factory
from bot.samples import sky_map
from bot.skymap_service.cache import NoticeMaps
from bot.skymap_service.filter_queries import SkyMapQueries
from bot.skymaps.distance_probability import probability_within
from bot.skymaps.skymap import SkyMap, read_sky_map
from formatters.models.filter import ConeQuery, DistanceQuery, GradeQuery, MapQuery, Op
from formatters.models.notice import NoticeKey
from tests.support.factories import NOW

KEY: NoticeKey = ("S261122a", "INITIAL", NOW, "")
NEAR = DistanceQuery(200.0)


def made_map(distance: tuple[float, float] | None) -> SkyMap:
    peaks = [(60.0, -30.0, 1.0, 2.0)]
    fits = sky_map(peaks, superevent_id="S261122a", time=NOW, distance=distance, base_order=2, rounds=3)
    return read_sky_map(fits)


async def ask(
    factory: Factory, monkeypatch: pytest.MonkeyPatch, maps: NoticeMaps | None, *queries: MapQuery
) -> list[float | None]:
    async def get(_: NoticeKey) -> NoticeMaps | None:
        return maps

    monkeypatch.setattr(factory.skymap_cache, "get", get)
    found = await SkyMapQueries(factory.skymap_cache).probabilities(KEY, queries, NOW)
    assert found.keys() == set(queries)
    return [found[query] for query in queries]


async def test_distance_is_asked_of_the_combined_map_where_that_has_distances(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    gw, combined = made_map((150.0, 40.0)), made_map((400.0, 90.0))
    expected = {one: probability_within(one, 200.0) for one in (gw, combined)}
    assert await ask(factory, monkeypatch, NoticeMaps(gw, combined), NEAR) == [expected[combined]]
    assert await ask(factory, monkeypatch, NoticeMaps(gw, None), NEAR) == [expected[gw]]
    assert await ask(factory, monkeypatch, NoticeMaps(gw, made_map(None)), NEAR) == [expected[gw]]


async def test_what_cannot_be_answered_is_unknown_beside_what_can(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, grade = ConeQuery(60.0, -30.0, 20.0), GradeQuery("rubin-2026", Op.GE, None)
    found = await ask(factory, monkeypatch, NoticeMaps(made_map(None), None), NEAR, here, grade)
    assert found[0] is None and found[2] is None, "no distances; nobody to ask for grades"
    assert found[1] == pytest.approx(1.0, abs=0.01)
    assert await ask(factory, monkeypatch, None, NEAR, here) == [None, None]
    assert await ask(factory, monkeypatch, NoticeMaps(None, None), NEAR) == [None]
    assert await ask(factory, monkeypatch, None) == []
