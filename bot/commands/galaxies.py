"""`/gwevent galaxies [EVENT] [N] [from SITE]`: the catalogue's galaxies in an event's volume, ranked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime

from bot.commands.context import CommandContext
from bot.commands.galaxy_words import MARKED, GalaxyVerb, GalaxyWords, read_words
from bot.galaxies.catalogue_index import CatalogueProblem
from bot.skymap_service.galaxy_ranking import MAX_RANKED, GalaxyRankingService, RankedMap
from bot.skymap_service.image_process import ImageFailed
from bot.skymap_service.observability import ObservabilityService
from bot.store.channels.sites import SiteRepository
from formatters.answers import event_details, galaxies_export
from formatters.answers import galaxies as answers
from formatters.answers import help as helping
from formatters.answers.event_details import MAX_CODE_CHARS
from formatters.blockkit.message import Message
from formatters.models.galaxy import RankedGalaxy, RankingProblem
from formatters.models.notice import Notice
from formatters.models.observing import ChannelSites, Site
from formatters.models.superevent import Superevent
from formatters.posts.channel_view import ImageRef
from formatters.skymap_image import Marks
from formatters.skymap_image.galaxy_marks import marks_of

ProvideMarkedImage = Callable[[str, Superevent, Notice, Marks], Awaitable[ImageRef]]
"""(team, event, notice, marks) -> the notice's map with the marks, uploaded to Slack. Raises ImageFailed."""


_USUAL_COUNT = {
    GalaxyVerb.LIST: answers.DEFAULT_ROWS,
    GalaxyVerb.CSV: MAX_RANKED,
    GalaxyVerb.DS9: MAX_RANKED,
    GalaxyVerb.MAP: MARKED,
}


class GalaxiesCommand:
    """Answers `galaxies`."""

    def __init__(
        self,
        service: GalaxyRankingService,
        observability: ObservabilityService,
        sites: SiteRepository,
        clock: Callable[[], datetime],
        image_provider: ProvideMarkedImage | None = None,
    ) -> None:
        self._service = service
        self._observability = observability
        self._sites = sites
        self._clock = clock
        self._image_provider = image_provider

    async def answer(self, superevent: Superevent, arguments: str, context: CommandContext | None) -> Message:
        """Return the event's galaxies as a table, as a file to copy, or on its picture.

        Raises CommandError, StoreUnavailable.
        """
        own = ChannelSites()
        if context is not None:
            own = await self._sites.for_channel(*context.channel)
        # In a thread: names are compared with all that are known, which takes tenths of a second.
        words = await asyncio.to_thread(read_words, arguments, own.sites)
        count = words.count or _USUAL_COUNT[words.verb]
        try:
            found = await self._service.ranking(superevent, count)
        except CatalogueProblem as problem:
            return helping.error_message(str(problem))
        if isinstance(found, RankingProblem):
            return answers.problem_message(superevent, found)
        # A terminal has no limit of characters.
        limit = None if context is None else MAX_CODE_CHARS
        made_on = _map_lines(superevent, found)
        match words.verb:
            case GalaxyVerb.CSV:
                return galaxies_export.csv_message(superevent, found.ranking, limit, made_on)
            case GalaxyVerb.DS9:
                return galaxies_export.ds9_message(superevent, found.ranking, limit, made_on)
            case GalaxyVerb.MAP:
                return await self._picture(superevent, found, context)
            case GalaxyVerb.LIST:
                return await self._list(superevent, found, words, own)

    async def _list(
        self, superevent: Superevent, found: RankedMap, words: GalaxyWords, own: ChannelSites
    ) -> Message:
        # A retracted event isn't followed up.
        sites = () if superevent.is_retracted else words.sites or own.sites
        constraints = own.constraints
        if words.altitude is not None:
            constraints = replace(constraints, altitude=words.altitude)
        now = self._clock()
        rows, windows_failed = await self._rows(
            found.ranking.galaxies, sites, replace(own, constraints=constraints), now
        )
        return answers.message(
            answers.GalaxyList(
                superevent=superevent,
                map_notice=found.map_.notice,
                is_combined=found.is_combined,
                unread=found.map_.unread,
                ranking=found.ranking,
                rows=rows,
                sites=sites,
                windows_failed=windows_failed,
                altitude_limit=constraints.altitude,
                asked_at=now,
            )
        )

    async def _rows(
        self, galaxies: Sequence[RankedGalaxy], sites: Sequence[Site], own: ChannelSites, now: datetime
    ) -> tuple[list[answers.GalaxyRow], bool]:
        """Return the rows, and whether their windows took too long to compute."""
        if not sites:
            return [answers.GalaxyRow(ranked=one) for one in galaxies], False
        places = [(one.galaxy.ra, one.galaxy.dec) for one in galaxies]
        altitudes = await self._observability.altitudes(places, sites, now)
        windows = await self._observability.windows(places, sites, own.constraints, now)
        rows = [
            answers.GalaxyRow(ranked=one, now=altitude, window=window)
            for one, altitude, window in zip(
                galaxies, altitudes, windows or (None,) * len(galaxies), strict=True
            )
        ]
        return rows, windows is None

    async def _picture(
        self, superevent: Superevent, found: RankedMap, context: CommandContext | None
    ) -> Message:
        if context is None or self._image_provider is None:
            return event_details.image_not_in_terminal(superevent)
        if not found.ranking.galaxies:
            # There is nothing to mark, and the list says why.
            return await self._list(superevent, found, GalaxyWords(), ChannelSites())
        marks = marks_of(found.ranking)
        try:
            image = await self._image_provider(context.team_id, superevent, found.map_.notice, marks)
        except ImageFailed as failure:
            return event_details.no_image(superevent, failure.reason)
        made_on = _map_lines(superevent, found)
        return answers.picture_message(superevent, found.map_.notice, found.ranking, image, made_on)


def _map_lines(superevent: Superevent, found: RankedMap) -> tuple[str, ...]:
    map_ = found.map_
    return tuple(
        answers.map_lines(superevent, map_.notice, is_combined=found.is_combined, unread=map_.unread)
    )
