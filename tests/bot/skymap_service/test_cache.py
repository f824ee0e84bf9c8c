"""Maps of stored notices."""

from __future__ import annotations

import json

from bot.alerts.decode import decode
from bot.app.factory import Factory
from bot.samples import bns, ms181101ab, retracted, to_avro
from bot.skymap_service.cache import SkyMapCache, read_notice_maps
from bot.skymaps.skymap import credible_areas
from formatters.models.notice import Notice
from tests.support.factories import NOW, planner


async def stored(factory: Factory, body: bytes) -> Notice:
    notice = decode(body)
    assert (await factory.notices.record(notice, body, "test:1", NOW, planner(NOW))).new
    return notice


def test_payload_that_is_no_notice_has_no_maps() -> None:
    assert read_notice_maps(b"rubbish").best is None
    assert read_notice_maps(json.dumps({"event": {"skymap": 7}}).encode()).best is None


async def test_the_map_of_a_stored_notice_is_read_once(factory: Factory) -> None:
    notice = await stored(factory, to_avro(ms181101ab(NOW)[1]))
    kept = SkyMapCache(factory.notices)
    maps = await kept.get(notice.key)
    assert maps is not None and maps.gw is not None and maps.combined is None
    assert notice.localization is not None
    assert abs(credible_areas(maps.gw, (0.9,))[0] - notice.localization.area_90) < 1e-9
    assert await kept.get(notice.key) is maps


async def test_the_combined_map_is_the_best_one(factory: Factory) -> None:
    body = next(to_avro(r) for r in bns(NOW) if r.get("external_coinc"))
    maps = await SkyMapCache(factory.notices).get((await stored(factory, body)).key)
    assert maps is not None and maps.combined is not None
    assert maps.best is maps.combined


async def test_a_retraction_and_an_unknown_notice(factory: Factory) -> None:
    gone = await stored(factory, to_avro(retracted(NOW)[-1]))
    kept = SkyMapCache(factory.notices)
    maps = await kept.get(gone.key)
    assert maps is not None and maps.best is None
    assert await kept.get(("S990101a", "INITIAL", NOW, "")) is None


async def test_few_maps_are_kept(factory: Factory) -> None:
    kept = SkyMapCache(factory.notices, max_entries=1)
    first, second = [await stored(factory, to_avro(record)) for record in ms181101ab(NOW)[1:3]]
    maps = await kept.get(first.key)
    await kept.get(second.key)
    assert await kept.get(first.key) is not maps
