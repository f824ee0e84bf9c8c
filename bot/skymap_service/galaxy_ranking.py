"""The galaxies of the catalogue in the credible volume of an event's map, ranked off the event loop and kept.

The catalogue is looked for with each question: one that is imported, replaced or removed while the process
runs is used, or not, from the next question on.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog

from bot.galaxies.catalogue_index import Catalogue, CatalogueProblem, catalogue_slugs, open_catalogue
from bot.galaxies.completeness import completeness
from bot.galaxies.ranking import Ranking, first_ranked, rank_galaxies
from bot.runtime.single_flight import SingleFlight
from bot.runtime.threads import ThreadHangs, run_in_thread
from bot.skymap_service.position_levels import EventMap, PositionLevels
from bot.skymaps.skymap import SkyMap, distance_where_known
from bot.skymaps.volume_levels import VolumeLevels
from formatters.models.galaxy import GalaxyRanking, RankedGalaxy, RankingProblem, VolumeGalaxies
from formatters.models.notice import Distance, NoticeKey
from formatters.models.superevent import Superevent

RANKINGS_KEPT = 16
"""Maps whose ranking is kept; one takes at most 160 kB."""
MAX_RANKED = 5_000
"""Galaxies of one ranking that are kept, the first; nobody observes more, and an export in a terminal ends
there."""
TOP = 10
"""The Follow-up reply names the galaxies that enter the first so many."""
FOLLOW_UP_MAX = 300
"""The Follow-up reply names galaxies where the volume holds fewer."""

_FileState = tuple[str, int, int, int]
"""A catalogue's slug, and what of its description's file changes when it is replaced."""
_Key = tuple[NoticeKey, bool, bool, _FileState]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RankedMap:
    """The ranking for one map of an event, and which map it is."""

    map_: EventMap
    is_combined: bool
    """True if it is the map combined with an external coincidence, which may have no distances."""
    ranking: GalaxyRanking


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Kept:
    """A ranking without the numbers of its galaxies, which are read from the catalogue when asked for."""

    catalogue: Catalogue
    first: Ranking
    """At most MAX_RANKED galaxies."""
    completeness: float | None
    distance: Distance | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueChoice:
    """The catalogue that is used, and where the Follow-up reply speaks of it."""

    folder: Path | None = None
    """The folder of the catalogues, which needn't exist; None means that there are none."""
    slug: str | None = None
    """The name of the catalogue; with None, it is the one that was imported last."""
    follow_up_max: int = FOLLOW_UP_MAX
    """The Follow-up reply names galaxies where the volume holds fewer; 0: never."""


class GalaxyRankingService:
    """Ranks the galaxies of the catalogue in use. Methods raise StoreUnavailable."""

    def __init__(self, levels: PositionLevels, catalogues: CatalogueChoice | None = None) -> None:
        """Without `catalogues` there are none."""
        self._levels = levels
        self._choice = catalogues or CatalogueChoice()
        self._opened: tuple[_FileState, Catalogue] | None = None
        self._kept: SingleFlight[_Key, _Kept | RankingProblem] = SingleFlight(RANKINGS_KEPT)

    async def ranking(self, superevent: Superevent, count: int) -> RankedMap | RankingProblem:
        """Return the first `count` galaxies (at most MAX_RANKED) for the event's newest map that can be read.

        Of a notice with two maps it is the combined one, or the one of the gravitational waves where that
        alone has distances. Raises CatalogueProblem for a catalogue that can't be read.
        """
        opened = await self._open()
        if opened is None:
            return RankingProblem.NO_CATALOGUE
        newest = await self._levels.newest_map(superevent)
        if newest is None:
            return RankingProblem.NO_MAP
        return await self._on_map(newest, opened, count)

    async def volume_galaxies(self, superevent: Superevent) -> VolumeGalaxies | None:
        """Return the galaxies for the Follow-up reply; None if there is nothing to say.

        Nothing is said without a catalogue, without galaxies in the volume and with too many, and of an event
        that is retracted. A catalogue that can't be read is logged.
        """
        if superevent.is_retracted or self._choice.follow_up_max <= 0:
            return None
        try:
            found = await self.ranking(superevent, TOP)
            if isinstance(found, RankingProblem) or not 0 < found.ranking.total < self._choice.follow_up_max:
                return None
            entered = await self._entered_top(superevent, found)
        except CatalogueProblem as problem:
            log.warning("galaxy_catalogue_unreadable", reason=str(problem))
            return None
        return VolumeGalaxies(
            ranking=found.ranking,
            map_notice=found.map_.notice,
            is_combined=found.is_combined,
            entered=entered,
        )

    async def _entered_top(self, superevent: Superevent, now: RankedMap) -> tuple[str, ...]:
        """Return the names of the first TOP galaxies that weren't among them on the map before."""
        before = await self._levels.map_before(superevent, now.map_)
        opened = await self._open()
        if before is None or opened is None or opened[1].info != now.ranking.catalogue:
            return ()
        found = await self._on_map(before, opened, TOP)
        if isinstance(found, RankingProblem):
            return ()
        were = {(one.galaxy.name, one.galaxy.ra, one.galaxy.dec) for one in found.ranking.galaxies}
        return tuple(
            one.galaxy.name
            for one in now.ranking.galaxies
            if (one.galaxy.name, one.galaxy.ra, one.galaxy.dec) not in were
        )

    async def _on_map(
        self, map_: EventMap, opened: tuple[_FileState, Catalogue], count: int
    ) -> RankedMap | RankingProblem:
        state, catalogue = opened
        choices = [(map_.skymap, map_.is_combined)]
        if map_.is_combined and map_.gw is not None:
            choices.append((map_.gw, False))
        for skymap, is_combined in choices:

            async def rank(skymap: SkyMap = skymap) -> _Kept | RankingProblem:
                try:
                    return await run_in_thread(_rank, catalogue, skymap)
                except ThreadHangs:
                    return RankingProblem.TOO_SLOW

            kept = await self._kept.get((map_.notice.key, map_.is_combined, is_combined, state), rank)
            if kept is RankingProblem.NO_DISTANCES:
                continue
            if isinstance(kept, RankingProblem):
                return kept
            first = await run_in_thread(partial(_named, kept, count))
            ranking = GalaxyRanking(
                catalogue=kept.catalogue.info,
                galaxies=first,
                total=kept.first.total,
                completeness=kept.completeness,
                distance=kept.distance,
            )
            return RankedMap(map_=map_, is_combined=is_combined, ranking=ranking)
        return RankingProblem.NO_DISTANCES

    async def _open(self) -> tuple[_FileState, Catalogue] | None:
        """Return the catalogue in use; None if there is none. Raises CatalogueProblem."""
        folder = self._choice.folder
        if folder is None:
            return None
        self._opened = await run_in_thread(_open_in_use, folder, self._choice.slug, self._opened)
        return self._opened


def _open_in_use(
    folder: Path, slug: str | None, opened: tuple[_FileState, Catalogue] | None
) -> tuple[_FileState, Catalogue] | None:
    """Return the catalogue in use, the one that is open where its description is unchanged.

    Without `slug` it is the newest that can be read, and a damaged one beside it is no reason to have none.
    Raises CatalogueProblem.
    """
    names = catalogue_slugs(folder)
    if slug is not None and slug not in names:
        if not names:
            return None
        raise CatalogueProblem(f"There is no catalogue {slug}; imported are: {', '.join(names[:5])}.")
    problem: CatalogueProblem | None = None
    found: list[tuple[_FileState, Catalogue]] = []
    for name in names if slug is None else [slug]:
        try:
            state = _file_state(folder, name)
            is_open = opened is not None and opened[0] == state
            found.append(opened if is_open and opened is not None else (state, open_catalogue(folder, name)))
        except CatalogueProblem as error:
            problem = error
    if not found and problem is not None:
        raise problem
    return max(found, key=lambda one: (one[1].info.imported_at, one[0]), default=None)


def _file_state(folder: Path, slug: str) -> _FileState:
    try:
        state = (folder / f"{slug}.json").stat()
    except OSError as error:
        raise CatalogueProblem(f"The catalogue {slug} can't be read: {error.strerror}.") from error
    return slug, state.st_ino, state.st_mtime_ns, state.st_size


def _rank(catalogue: Catalogue, skymap: SkyMap) -> _Kept | RankingProblem:
    levels = VolumeLevels.from_skymap(skymap)
    if levels is None:
        return RankingProblem.NO_DISTANCES
    ranking = rank_galaxies(catalogue, skymap, levels, MAX_RANKED)
    distance = skymap.distance or distance_where_known(skymap)[0]
    return _Kept(
        catalogue=catalogue,
        first=ranking,
        completeness=None if distance is None else completeness(catalogue.info, distance.mean, distance.std),
        distance=distance,
    )


def _named(kept: _Kept, count: int) -> tuple[RankedGalaxy, ...]:
    return first_ranked(kept.catalogue, kept.first, count)
