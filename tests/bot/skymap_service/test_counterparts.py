"""Counterpart candidates of an event, as a channel sees them, compared with its maps."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.alerts.decode import decode, extract_sky_maps
from bot.app.factory import Factory
from bot.samples import bns, ms181101ab, retracted, to_avro
from bot.skymap_service import counterparts
from bot.skymaps.crossmatch import crossmatch, luminosity_distance
from bot.skymaps.skymap import read_sky_map
from formatters.models.counterpart import Decision
from formatters.models.related_message import MessageKind, RelatedMessage, ReportedPosition, Stream
from formatters.models.superevent import Superevent
from tests.support.factories import AUTHOR, NOW, TEAM, decoded_notice, planner

HERE = (TEAM, "C1")


async def stored(factory: Factory, bodies: list[bytes]) -> Superevent:
    for body in bodies:
        await factory.notices.record(decode(body), body, "test:1", NOW, planner(NOW))
    return Superevent.from_notices(map(decode, bodies))


async def report(
    factory: Factory, superevent: Superevent, *positions: ReportedPosition, number: int = 1, **more: Any
) -> None:
    message = RelatedMessage(
        stream=more.pop("stream", Stream.CIRCULARS),
        key=str(number),
        number=number,
        created=more.pop("created", NOW + timedelta(minutes=number)),
        superevent_ids=(superevent.superevent_id,),
        kind=MessageKind.CANDIDATES,
        subject="candidates",
        positions=positions,
        **more,
    )
    await factory.related_messages.record(message, NOW, is_news=False, plan=lambda _: [])


def peak(superevent: Superevent, **changes: Any) -> ReportedPosition:
    notice = superevent.latest_with_map
    assert notice is not None and notice.best_localization is not None
    place = ReportedPosition(
        ra=notice.best_localization.ra, dec=notice.best_localization.dec, name="AT2026abc"
    )
    return replace(place, **changes)


async def test_levels_are_those_of_the_newest_map(factory: Factory) -> None:
    bodies = [to_avro(record) for record in ms181101ab(NOW)[1:3]]
    superevent = await stored(factory, bodies)
    near = peak(superevent, redshift=0.02)
    await report(factory, superevent, near, peak(superevent, name="", ra=near.ra + 3))
    # Far behind the source, which is why it comes last.
    second, first = await factory.counterpart_service.candidates(superevent, *HERE)
    fits, _ = extract_sky_maps(bodies[-1])
    assert fits is not None
    skymap = read_sky_map(fits)
    # The same numbers as `check`, which are held against ligo.skymap's in test_crossmatch.
    distances = [luminosity_distance(0.02), float("nan")]
    expected = crossmatch(skymap, [near.ra, near.ra + 3], [near.dec, near.dec], distances)
    assert [first.on_map, second.on_map] == expected
    along = first.on_map.distance if first.on_map is not None else None
    assert along is not None and first.distance_sigmas is not None
    assert (first.distance_sigmas > 0) == (luminosity_distance(0.02) > along.mean)


async def test_levels_agree_with_installed_ligo_skymap(factory: Factory, tmp_path: Any) -> None:
    matching = pytest.importorskip("ligo.skymap.postprocess.crossmatch", reason="pip install ligo.skymap")
    reading = pytest.importorskip("ligo.skymap.io")
    from astropy import units
    from astropy.coordinates import SkyCoord

    bodies = [to_avro(record) for record in ms181101ab(NOW)[1:3]]
    superevent = await stored(factory, bodies)
    near = peak(superevent, redshift=0.01)
    await report(factory, superevent, near)
    [found] = await factory.counterpart_service.candidates(superevent, *HERE)
    path = tmp_path / "map.multiorder.fits"
    path.write_bytes(extract_sky_maps(bodies[-1])[0])
    place = SkyCoord(near.ra * units.deg, near.dec * units.deg, luminosity_distance(0.01) * units.Mpc)
    theirs = matching.crossmatch(reading.read_sky_map(str(path), moc=True), place)
    assert found.on_map is not None
    assert found.on_map.credible_level == pytest.approx(theirs.searched_prob, abs=1e-6)
    assert found.on_map.credible_level_3d == pytest.approx(theirs.searched_prob_vol, abs=2e-3)


async def test_a_new_map_moves_candidates(factory: Factory) -> None:
    bodies = [to_avro(record) for record in bns(NOW)]
    superevent = await stored(factory, bodies)
    newest = await factory.position_levels.newest_map(superevent)
    assert newest is not None
    before = await factory.position_levels.map_before(superevent, newest)
    assert before is not None
    rings = [peak(superevent, name=f"ring{n}", dec=peak(superevent).dec + 0.5 * n) for n in range(-40, 41)]
    await report(factory, superevent, *rings, created=before.notice.time_created)
    candidates = await factory.counterpart_service.candidates(superevent, *HERE)
    change = await factory.counterpart_service.region_change(superevent, candidates)
    places = await factory.position_levels.check_on(before, [one.position for one in candidates])
    assert change is not None and places is not None
    was = {one.name for one, there in zip(candidates, places, strict=True) if there and there.in_90}
    now = {one.name for one in candidates if one.on_map and one.on_map.in_90}
    assert (set(change.entered), set(change.left)) == (now - was, was - now)
    later = [replace(one, sources=(replace(one.sources[0], reported=NOW),)) for one in candidates]
    assert newest.notice.time_created < NOW
    assert await factory.counterpart_service.region_change(superevent, later) is None
    alone = Superevent.from_notices([next(n for n in superevent.notices if n.best_localization)])
    assert await factory.counterpart_service.region_change(alone, candidates) is None


async def test_only_this_channels_people_are_seen(factory: Factory) -> None:
    superevent = await stored(factory, [to_avro(record) for record in ms181101ab(NOW)[1:2]])
    name = superevent.superevent_id
    await factory.counterparts.add(HERE, name, [("AT2026abd", ReportedPosition(ra=1, dec=2))], AUTHOR)
    await factory.counterparts.decide(HERE, name, ["AT2026abd"], Decision.KEEP, AUTHOR)
    [own] = await factory.counterpart_service.candidates(superevent, *HERE)
    assert own.decision is not None and own.sources[0].user_id == AUTHOR.user_id
    assert await factory.counterpart_service.candidates(superevent, TEAM, "C2") == ()
    assert await factory.counterpart_service.candidates(superevent, "T2", "C1") == ()
    assert await factory.counterpart_service.common_candidates(superevent) == ()


async def test_without_a_map_and_after_a_retraction_there_is_a_list(factory: Factory) -> None:
    superevent = Superevent.from_notices([decoded_notice()])
    await report(factory, superevent, ReportedPosition(ra=1, dec=2, redshift=0.1))
    [found] = await factory.counterpart_service.candidates(superevent, *HERE)
    assert found.on_map is None and found.distance_sigmas is None
    assert await factory.counterpart_service.region_change(superevent, [found]) is None
    gone = await stored(factory, [to_avro(record) for record in retracted(NOW)])
    await report(factory, gone, ReportedPosition(ra=1, dec=2), number=2)
    assert len(await factory.counterpart_service.candidates(gone, *HERE)) == 1


async def test_what_is_no_distance_gives_no_level_in_the_volume(factory: Factory) -> None:
    superevent = await stored(factory, [to_avro(record) for record in ms181101ab(NOW)[1:2]])
    await report(factory, superevent, ReportedPosition(ra=10, dec=20, redshift=-1.0, distance=-5.0))
    [found] = await factory.counterpart_service.candidates(superevent, *HERE)
    assert found.on_map is not None and found.on_map.credible_level_3d is None
    assert found.distance_sigmas is None


async def test_of_many_only_the_best_are_compared_in_the_volume(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counterparts, "MAX_IN_VOLUME", 3)
    superevent = await stored(factory, [to_avro(record) for record in ms181101ab(NOW)[1:3]])
    places = [
        peak(superevent, name=f"X{n}", dec=peak(superevent).dec - 3.0 * n, redshift=0.01) for n in range(8)
    ]
    await report(factory, superevent, *places)
    found = await factory.counterpart_service.candidates(superevent, *HERE)
    assert len(found) == 8 and all(one.on_map is not None for one in found)
    by_sky = sorted(found, key=lambda one: one.on_map.credible_level if one.on_map else 2)
    in_volume = [one.name for one in by_sky if one.on_map and one.on_map.credible_level_3d is not None]
    assert in_volume == [one.name for one in by_sky[:3]]
    assert all(one.distance_sigmas is not None for one in found)
