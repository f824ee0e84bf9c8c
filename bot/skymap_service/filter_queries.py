"""Evaluation of the sky-map conditions of filters, off the event loop, each query once per map."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from bot.observing.observability import observable_probability
from bot.observing.site_references import find_referenced_site
from bot.runtime.threads import ThreadHangs, run_in_thread
from bot.skymap_service.cache import NoticeMaps, SkyMapCache
from bot.skymaps.cone_search import probability_in_cone
from bot.skymaps.distance_probability import probability_within
from bot.skymaps.skymap import SkyMap
from formatters.models.filter import ConeQuery, DistanceQuery, GradeQuery, MapQuery, SiteQuery
from formatters.models.notice import NoticeKey
from formatters.models.observing import MIN_UP

log = structlog.get_logger(__name__)


class ObservableProbability(Protocol):
    """A function that computes the probability that a named site can observe in this night or the next."""

    def __call__(self, site: str, skymap: SkyMap, when: datetime) -> float | None:
        """Return the probability, None if no site has that name any more."""


def observatory_probability(
    site: str, skymap: SkyMap, when: datetime, min_up: timedelta = MIN_UP
) -> float | None:
    """Implement `ObservableProbability` for the sites that filters name and the default constraints.

    `min_up` is the time for which a tile has to be up without a break to count.
    """
    found = find_referenced_site(site)
    return None if found is None else observable_probability(found, skymap, when, min_up=min_up)


class GradeAnswers(Protocol):
    """Answers what filters ask of criteria sets that judge sky maps themselves."""

    async def answer_about(self, query: GradeQuery, superevent_id: str) -> float | None:
        """Return 1 if the event's grade compares as asked, 0 if not, None if that isn't decided or known."""


class SkyMapQueries:
    """Evaluates filter queries on the sky maps of stored notices."""

    def __init__(
        self,
        maps: SkyMapCache,
        observable_probability: ObservableProbability = observatory_probability,
        grades: GradeAnswers | None = None,
    ) -> None:
        """Without `grades`, questions to criteria sets have no answer."""
        self._maps = maps
        self._observable_probability = observable_probability
        self._grades = grades

    async def probabilities(
        self, key: NoticeKey, queries: Collection[MapQuery], when: datetime
    ) -> dict[MapQuery, float | None]:
        """Return each query's probability (0 to 1) on the notice's best map.

        `visible from` is judged for the night that it is at `when` and the next, the better of both. Grades
        are those of the whole superevent.

        A probability is None if it can't be computed, as when the map was purged. Raises StoreUnavailable.
        """
        of_grades = [query for query in queries if isinstance(query, GradeQuery)]
        of_map = [query for query in queries if not isinstance(query, GradeQuery)]
        found = dict(await self._ask_map(key, of_map, when))
        for query in of_grades:
            found[query] = None if self._grades is None else await self._grades.answer_about(query, key[0])
        return found

    async def _ask_map(
        self, key: NoticeKey, queries: Collection[MapQuery], when: datetime
    ) -> dict[MapQuery, float | None]:
        maps = await self._maps.get(key) if queries else None
        if maps is None or maps.best is None:
            return dict.fromkeys(queries)
        try:
            return await run_in_thread(self._evaluate_all, maps, queries, when)
        except ThreadHangs:
            return dict.fromkeys(queries)

    def _evaluate_all(
        self, maps: NoticeMaps, queries: Collection[MapQuery], when: datetime
    ) -> dict[MapQuery, float | None]:
        probabilities: dict[MapQuery, float | None] = {}
        for query in queries:
            try:
                probabilities[query] = self._evaluate(query, maps, when)
            except Exception:
                # A defect that one query meets must not take the result from the others.
                log.exception("unexpected_error", subsystem="map_query", query=str(query))
                probabilities[query] = None
        return probabilities

    def _evaluate(self, query: MapQuery, maps: NoticeMaps, when: datetime) -> float | None:
        skymap = maps.best
        if skymap is None:
            return None
        match query:
            case ConeQuery(ra, dec, radius):
                return probability_in_cone(skymap, ra, dec, radius)
            case SiteQuery(name):
                return self._observable_probability(name, skymap, when)
            case DistanceQuery(limit):
                found = probability_within(skymap, limit)
                # A combined map may have no distances where the GW map has.
                return found if found is not None or maps.gw is None else probability_within(maps.gw, limit)
            case GradeQuery():
                return None
