"""What the filters ask of sky maps, answered off the loop: each question once a map."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

import structlog

from bot.observing.observability import visible_share
from bot.observing.observatories import known_site
from bot.runtime.threads import Hangs, in_thread
from bot.skymap_service.cache import StoredMaps
from bot.skymaps.cone_search import share_in_cone
from bot.skymaps.skymap import SkyMap
from formatters.models.filter import Cone, MapQuestion, Site
from formatters.models.notice import NoticeKey

log = structlog.get_logger(__name__)


class VisibleShare(Protocol):
    """How much of a map's probability a site can observe in the night that follows a moment, 0 to 1."""

    def __call__(self, site: str, skymap: SkyMap, when: datetime) -> float | None:
        """None where the site isn't known any more."""


def site_name(called: str) -> str | None:
    """An observatory's canonical name; a channel's own sites are no part of any filter."""
    known = known_site(called)
    return None if known is None else known.name


def visible_from(site: str, skymap: SkyMap, when: datetime) -> float | None:
    """`VisibleShare` for the observatories, in the usual conditions."""
    known = known_site(site)
    return None if known is None else visible_share(known, skymap, when)


class MapAsker:
    """Asks the maps of stored notices."""

    def __init__(self, maps: StoredMaps, visible: VisibleShare = visible_from) -> None:
        self._maps = maps
        self._visible = visible

    async def shares(
        self, key: NoticeKey, questions: Collection[MapQuestion], when: datetime
    ) -> dict[MapQuestion, float | None]:
        """The answers of one notice's map, for the night after `when`.

        None where the map can't be read any more. Raises StoreUnavailable.
        """
        maps = await self._maps.of(key) if questions else None
        if maps is None or maps.best is None:
            return dict.fromkeys(questions)
        try:
            return await in_thread(self._ask, maps.best, questions, when)
        except Hangs:
            return dict.fromkeys(questions)

    def _ask(
        self, skymap: SkyMap, questions: Collection[MapQuestion], when: datetime
    ) -> dict[MapQuestion, float | None]:
        found: dict[MapQuestion, float | None] = {}
        for question in questions:
            try:
                found[question] = self._answer(question, skymap, when)
            except Exception:
                # The guard of law 6: one question that breaks gwevent leaves the others their answers.
                log.exception("question_broke_gwevent", question=str(question))
                found[question] = None
        return found

    def _answer(self, question: MapQuestion, skymap: SkyMap, when: datetime) -> float | None:
        match question:
            case Cone(ra, dec, radius):
                return share_in_cone(skymap, ra, dec, radius)
            case Site(name):
                return self._visible(name, skymap, when)
