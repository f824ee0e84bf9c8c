"""The service that ranks galaxies: which map, which catalogue, and what the Follow-up reply gets."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bot.alerts.decode import decode
from bot.app.factory import Factory
from bot.demo.galaxies import write_demo_catalogue
from bot.galaxies.catalogue_index import CatalogueProblem
from bot.samples import bbh, bns, burst, retracted, to_avro
from bot.samples.events import BNS_PLACE
from bot.skymap_service.galaxy_ranking import CatalogueChoice, GalaxyRankingService, RankedMap
from formatters.models.galaxy import RankingProblem
from formatters.models.superevent import Superevent
from tests.support.factories import NOW, planner
from tests.support.galaxies import made_catalogue, made_columns


async def stored(factory: Factory, bodies: Sequence[bytes]) -> Superevent:
    for body in bodies:
        notice = replace(decode(body), received=NOW)
        await factory.notices.record(notice, body, "hopskotch:1", NOW, planner(NOW))
    found = await factory.notices.superevent(notice.superevent_id)
    assert found is not None
    return found


@pytest.fixture(scope="session")
def catalogues(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("catalogues")
    write_demo_catalogue(folder, NOW)
    return folder


def service(factory: Factory, folder: Path | None, **choice: object) -> GalaxyRankingService:
    return GalaxyRankingService(
        factory.position_levels,
        CatalogueChoice(folder=folder, **choice),  # type: ignore[arg-type]
    )


async def ranked(ranking: GalaxyRankingService, superevent: Superevent, count: int = 10) -> RankedMap:
    found = await ranking.ranking(superevent, count)
    assert isinstance(found, RankedMap)
    return found


async def test_galaxies_of_the_newest_map_by_rank(factory: Factory, catalogues: Path) -> None:
    superevent = await stored(factory, list(map(to_avro, bns(NOW))))
    found = await ranked(service(factory, catalogues), superevent, 4)
    ranking = found.ranking
    assert found.map_.notice == superevent.latest and found.is_combined
    assert [one.rank for one in ranking.galaxies] == [1, 2, 3, 4]
    shares = [one.share for one in ranking.galaxies]
    assert shares == sorted(shares, reverse=True) and 0 < sum(shares) < 1
    assert ranking.total > 4 and all(one.level_3d <= 0.9 for one in ranking.galaxies)
    assert ranking.distance is not None and ranking.completeness == pytest.approx(1, abs=0.1)
    nearest = ranking.galaxies[0].galaxy
    assert abs(nearest.ra - BNS_PLACE[0]) < 1 and abs(nearest.dec - BNS_PLACE[1]) < 1
    everything = await ranked(service(factory, catalogues), superevent, 5_000)
    assert len(everything.ranking.galaxies) == ranking.total
    assert sum(one.share for one in everything.ranking.galaxies) == pytest.approx(1)


async def test_why_none_can_be_ranked(factory: Factory, catalogues: Path, tmp_path: Path) -> None:
    stars = await stored(factory, list(map(to_avro, bns(NOW))))
    transient = await stored(factory, list(map(to_avro, burst(NOW))))
    assert await service(factory, None).ranking(stars, 5) is RankingProblem.NO_CATALOGUE
    assert await service(factory, tmp_path).ranking(stars, 5) is RankingProblem.NO_CATALOGUE
    missing = service(factory, tmp_path / "not made")
    assert await missing.ranking(stars, 5) is RankingProblem.NO_CATALOGUE
    assert await service(factory, catalogues).ranking(transient, 5) is RankingProblem.NO_DISTANCES
    without = replace(stars, notices=(replace(stars.latest, localization=None, external=None),))
    assert await service(factory, catalogues).ranking(without, 5) is RankingProblem.NO_MAP


async def test_a_distant_event_has_none_in_a_near_catalogue(factory: Factory, catalogues: Path) -> None:
    superevent = await stored(factory, list(map(to_avro, bbh(NOW))))
    found = await ranked(service(factory, catalogues), superevent)
    assert found.ranking.total == 0 and found.ranking.galaxies == ()
    assert found.ranking.completeness is not None and found.ranking.completeness < 0.01


async def test_a_catalogue_that_is_replaced_is_used_from_the_next_question_on(
    factory: Factory, tmp_path: Path
) -> None:
    superevent = await stored(factory, list(map(to_avro, bns(NOW))))
    folder = tmp_path / "catalogues"
    ranking = service(factory, folder)
    assert await ranking.ranking(superevent, 5) is RankingProblem.NO_CATALOGUE
    made_catalogue(tmp_path, made_columns(20_000, seed=1, max_redshift=0.02))
    first = await ranked(ranking, superevent)
    again = await ranked(ranking, superevent)
    assert again.ranking == first.ranking
    made_catalogue(tmp_path, made_columns(20_000, seed=2, max_redshift=0.02))
    second = await ranked(ranking, superevent)
    assert second.ranking.galaxies != first.ranking.galaxies
    for file in folder.iterdir():
        file.unlink()
    assert await ranking.ranking(superevent, 5) is RankingProblem.NO_CATALOGUE


async def test_the_catalogue_that_is_named_else_the_newest_is_used(factory: Factory, tmp_path: Path) -> None:
    superevent = await stored(factory, list(map(to_avro, bns(NOW))))
    made_catalogue(tmp_path, made_columns(5_000, max_redshift=0.02), slug="older")
    folder = tmp_path / "catalogues"
    write_demo_catalogue(folder, NOW.replace(year=NOW.year + 1))
    assert (await ranked(service(factory, folder), superevent)).ranking.catalogue.slug == "demo"
    named = service(factory, folder, slug="older")
    assert (await ranked(named, superevent)).ranking.catalogue.slug == "older"
    with pytest.raises(CatalogueProblem, match="There is no catalogue glade; imported are: demo, older"):
        await service(factory, folder, slug="glade").ranking(superevent, 5)


async def test_a_damaged_catalogue_is_said_and_hides_no_other(factory: Factory, tmp_path: Path) -> None:
    superevent = await stored(factory, list(map(to_avro, bns(NOW))))
    made_catalogue(tmp_path, made_columns(5_000, max_redshift=0.02))
    folder = tmp_path / "catalogues"
    (folder / "broken.json").write_text("{")
    assert (await ranked(service(factory, folder), superevent)).ranking.catalogue.slug == "made"
    (rows,) = folder.glob("made-*.npy")
    os.truncate(rows, 1_000)
    with pytest.raises(CatalogueProblem, match="can't be read"):
        await service(factory, folder).ranking(superevent, 5)
    assert await service(factory, folder).volume_galaxies(superevent) is None


async def test_the_follow_up_reply_gets_the_first_and_who_entered_the_top(
    factory: Factory, catalogues: Path
) -> None:
    bodies = list(map(to_avro, bns(NOW)))
    superevent = await stored(factory, bodies)
    ranking = service(factory, catalogues)
    told = await ranking.volume_galaxies(superevent)
    assert told is not None and told.map_notice == superevent.latest
    now = {one.galaxy.name for one in told.ranking.galaxies}
    before = await ranked(ranking, superevent.up_to(superevent.notices[-2]))
    were = {one.galaxy.name for one in before.ranking.galaxies}
    assert set(told.entered) == now - were != set()
    assert list(told.entered) == [
        one.galaxy.name for one in told.ranking.galaxies if one.galaxy.name in told.entered
    ]
    # The first map has no other before it.
    first = await service(factory, catalogues, follow_up_max=10_000).volume_galaxies(
        superevent.up_to(superevent.notices[0])
    )
    assert first is not None and first.entered == ()


async def test_the_follow_up_reply_says_nothing_of_too_many_of_none_and_of_a_retracted_event(
    factory: Factory, catalogues: Path
) -> None:
    superevent = await stored(factory, list(map(to_avro, bns(NOW))))
    total = (await ranked(service(factory, catalogues), superevent)).ranking.total
    assert await service(factory, catalogues, follow_up_max=total).volume_galaxies(superevent) is None
    assert await service(factory, catalogues, follow_up_max=total + 1).volume_galaxies(superevent) is not None
    assert await service(factory, catalogues, follow_up_max=0).volume_galaxies(superevent) is None
    gone = await stored(factory, list(map(to_avro, retracted(NOW))))
    assert gone.is_retracted
    assert await service(factory, catalogues, follow_up_max=10**6).volume_galaxies(gone) is None


async def test_a_combined_map_without_distances_gives_way_to_the_map_of_gw_alone(
    factory: Factory, catalogues: Path
) -> None:
    superevent = await stored(factory, list(map(to_avro, bns(NOW))))
    newest = await factory.position_levels.newest_map(superevent)
    assert newest is not None and newest.is_combined and newest.gw is not None
    bare = replace(newest, skymap=replace(newest.skymap, distmu=None, distsigma=None, distnorm=None))

    class Levels:
        async def newest_map(self, superevent: Superevent) -> object:
            return bare

    found = await GalaxyRankingService(
        Levels(),  # type: ignore[arg-type]
        CatalogueChoice(folder=catalogues),
    ).ranking(superevent, 5)
    assert isinstance(found, RankedMap) and not found.is_combined
    assert np.isfinite([one.share for one in found.ranking.galaxies]).all()
