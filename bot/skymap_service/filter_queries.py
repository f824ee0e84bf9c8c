"""What the filters ask of sky maps, answered off the loop: each question once a map."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

import structlog

from bot.observing.observability import observable_probability
from bot.observing.observatories import find_observatory
from bot.runtime.threads import ThreadHangs, run_in_thread
from bot.skymap_service.cache import SkyMapCache
from bot.skymaps.cone_search import probability_in_cone
from bot.skymaps.skymap import SkyMap
from formatters.models.filter import ConeQuery, MapQuery, SiteQuery
from formatters.models.notice import NoticeKey

log = structlog.get_logger(__name__)


class ObservableProbability(Protocol):
    """How much of a map's probability a site can observe in the night that follows a moment, 0 to 1."""

    def __call__(self, site: str, skymap: SkyMap, when: datetime) -> float | None:
        """None where the site isn't known any more."""


def observatory_probability(site: str, skymap: SkyMap, when: datetime) -> float | None:
    """`ObservableProbability` for the observatories, in the usual conditions."""
    known = find_observatory(site)
    return None if known is None else observable_probability(known, skymap, when)


class SkyMapQueries:
    """Asks the maps of stored notices."""

    def __init__(
        self, maps: SkyMapCache, observable_probability: ObservableProbability = observatory_probability
    ) -> None:
        self._maps = maps
        self._observable_probability = observable_probability

    async def probabilities(
        self, key: NoticeKey, queries: Collection[MapQuery], when: datetime
    ) -> dict[MapQuery, float | None]:
        """The answers of one notice's map, for the night after `when`.

        None where the map can't be read any more. Raises StoreUnavailable.
        """
        maps = await self._maps.get(key) if queries else None
        if maps is None or maps.best is None:
            return dict.fromkeys(queries)
        try:
            return await run_in_thread(self._evaluate_all, maps.best, queries, when)
        except ThreadHangs:
            return dict.fromkeys(queries)

    def _evaluate_all(
        self, skymap: SkyMap, queries: Collection[MapQuery], when: datetime
    ) -> dict[MapQuery, float | None]:
        found: dict[MapQuery, float | None] = {}
        for question in queries:
            try:
                found[question] = self._evaluate(question, skymap, when)
            except Exception:
                # The guard of law 6: one question that breaks gwevent leaves the others their answers.
                log.exception("question_broke_gwevent", question=str(question))
                found[question] = None
        return found

    def _evaluate(self, query: MapQuery, skymap: SkyMap, when: datetime) -> float | None:
        match query:
            case ConeQuery(ra, dec, radius):
                return probability_in_cone(skymap, ra, dec, radius)
            case SiteQuery(name):
                return self._observable_probability(name, skymap, when)
