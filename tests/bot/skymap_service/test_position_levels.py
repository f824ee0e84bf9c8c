"""Places of reported positions in the newest sky map of a superevent."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.alerts.decode import decode, extract_sky_maps
from bot.app.factory import Factory
from bot.samples import bns, ms181101ab, retracted, to_avro
from bot.skymap_service import position_levels
from bot.skymap_service.cache import SkyMapCache
from bot.skymap_service.position_levels import PositionLevels, locate_positions
from bot.skymaps.crossmatch import crossmatch, luminosity_distance
from bot.skymaps.skymap import read_sky_map
from formatters.models.related_message import ReportedPosition
from formatters.models.superevent import Superevent
from tests.support.factories import NOW, decoded_notice, planner


async def stored(factory: Factory, bodies: list[bytes]) -> Superevent:
    for body in bodies:
        await factory.notices.record(decode(body), body, "test:1", NOW, planner(NOW))
    return Superevent.from_notices(map(decode, bodies))


def levels(factory: Factory) -> PositionLevels:
    return PositionLevels(SkyMapCache(factory.notices))


def at(superevent: Superevent, **changes: Any) -> ReportedPosition:
    place = superevent.latest_with_map
    assert place is not None and place.best_localization is not None
    return ReportedPosition(
        ra=place.best_localization.ra, dec=place.best_localization.dec, name="AT2026abc", **changes
    )


async def test_a_position_is_compared_with_the_newest_map(factory: Factory) -> None:
    bodies = [to_avro(record) for record in ms181101ab(NOW)[1:3]]
    superevent = await stored(factory, bodies)
    found = await levels(factory).check(superevent, [at(superevent), ReportedPosition(ra=10, dec=80)])
    newest = read_sky_map(extract_sky_maps(bodies[-1])[0] or b"")
    peak = at(superevent)
    assert found == tuple(crossmatch(newest, [peak.ra, 10], [peak.dec, 80]))
    assert found[0] is not None and found[0].in_50 and found[0].credible_level_3d is None
    assert found[1] is not None and not found[1].in_90


async def test_a_redshift_or_a_distance_gives_the_level_in_the_volume(factory: Factory) -> None:
    superevent = await stored(factory, [to_avro(ms181101ab(NOW)[1])])
    by_distance, by_redshift, both, nothing = await levels(factory).check(
        superevent,
        [
            at(superevent, distance=luminosity_distance(0.02)),
            at(superevent, redshift=0.02),
            at(superevent, redshift=3.0, distance=luminosity_distance(0.02)),
            at(superevent, redshift=-0.001),
        ],
    ) or (None, None, None, None)
    assert by_distance is not None and by_distance.credible_level_3d is not None
    assert by_redshift == by_distance == both
    assert nothing is not None and nothing.credible_level_3d is None


async def test_the_combined_map_is_the_one_of_a_coincidence_and_says_so(factory: Factory) -> None:
    body = next(to_avro(r) for r in bns(NOW) if r.get("external_coinc"))
    superevent = await stored(factory, [body])
    newest = await levels(factory).newest_map(superevent)
    assert newest is not None and newest.is_combined and newest.gw is not None
    found = await levels(factory).check(superevent, [at(superevent)])
    combined = read_sky_map(extract_sky_maps(body)[1] or b"")
    assert found == tuple(crossmatch(combined, [at(superevent).ra], [at(superevent).dec]))


async def test_an_event_without_a_map_has_no_levels(factory: Factory) -> None:
    superevent = Superevent.from_notices([decoded_notice()])
    assert await levels(factory).check(superevent, [ReportedPosition(ra=1, dec=2)]) is None


async def test_a_retraction_keeps_the_last_map(factory: Factory) -> None:
    superevent = await stored(factory, [to_avro(record) for record in retracted(NOW)])
    assert superevent.is_retracted
    assert await levels(factory).check(superevent, [at(superevent)]) is not None


async def test_where_the_newest_map_is_gone_the_one_before_stands_and_it_is_said(factory: Factory) -> None:
    first, second = [decode(to_avro(record)) for record in ms181101ab(NOW)[1:3]]
    body = to_avro(ms181101ab(NOW)[1])
    await factory.notices.record(first, body, "test:1", NOW, planner(NOW))
    newest = await levels(factory).newest_map(Superevent.from_notices([first, second]))
    assert newest is not None and newest.notice == first and newest.unread == (second,)


async def test_the_map_before_the_newest_is_one_that_differs(factory: Factory) -> None:
    bodies = [to_avro(record) for record in bns(NOW)]
    superevent = await stored(factory, bodies)
    service = levels(factory)
    newest = await service.newest_map(superevent)
    assert newest is not None
    before = await service.map_before(superevent, newest)
    assert before is not None and before.notice.time_created <= newest.notice.time_created
    assert before.is_combined != newest.is_combined or (
        before.notice.localization != newest.notice.localization
    )
    only = Superevent.from_notices([newest.notice])
    assert await service.map_before(only, newest) is None


async def test_equal_questions_are_computed_once(factory: Factory, monkeypatch: pytest.MonkeyPatch) -> None:
    superevent = await stored(factory, [to_avro(ms181101ab(NOW)[1])])
    service, asked = levels(factory), []

    def counted(*args: Any) -> Any:
        asked.append(args)
        return locate_positions(*args)

    monkeypatch.setattr(position_levels, "locate_positions", counted)
    found = await asyncio.gather(*(service.check(superevent, [at(superevent)]) for _ in range(20)))
    assert len(asked) == 1 and len(set(found)) == 1


async def test_the_overlap_of_a_region_is_that_of_the_gravitational_waves(factory: Factory) -> None:
    body = next(to_avro(r) for r in bns(NOW) if r.get("external_coinc"))
    superevent = await stored(factory, [body])
    service = levels(factory)
    newest = await service.newest_map(superevent)
    assert newest is not None
    gw, combined = extract_sky_maps(body)
    assert await service.overlap(newest, gw or b"") == pytest.approx(0.9, abs=0.02)
    assert (await service.overlap(newest, combined or b"") or 1) < 0.9
    assert await service.overlap(newest, b"rubbish") is None


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@example([ReportedPosition(ra=150.0, dec=0.0, distance=1e155)])
@given(
    st.lists(
        st.builds(
            ReportedPosition,
            ra=st.floats(allow_nan=True, allow_infinity=True),
            dec=st.floats(-100, 100) | st.floats(),
            redshift=st.none() | st.floats(),
            distance=st.none() | st.floats(),
        ),
        max_size=6,
    )
)
def test_no_number_of_a_message_raises(positions: list[ReportedPosition]) -> None:
    skymap = read_sky_map(extract_sky_maps(to_avro(ms181101ab(NOW)[1]))[0] or b"")
    assert len(locate_positions(skymap, positions)) == len(positions)
