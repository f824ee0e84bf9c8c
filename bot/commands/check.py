"""`/gwevent check <RA> <Dec> [distance] [event]`: positions compared with the sky maps of an event."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

from bot.commands.errors import CommandError
from bot.commands.event_lookup import NO_EVENT, EventLookup
from bot.commands.position_query import PositionQuery, parse_query
from bot.runtime.typed_text import normalize_typed_text
from bot.skymap_service.cache import SkyMapCache
from bot.skymaps.crossmatch import COSMOLOGY, crossmatch
from bot.skymaps.skymap import SkyMap
from formatters.answers import help as helping
from formatters.answers import position_check
from formatters.answers.position_check import (
    MapResult,
    PositionCheck,
    PositionOnMap,
    SkyPosition,
)
from formatters.blockkit.message import Message
from formatters.models.notice import Notice
from formatters.models.superevent import Superevent


class CheckCommand:
    """Answers `check`."""

    def __init__(self, events: EventLookup, maps: SkyMapCache, clock: Callable[[], datetime]) -> None:
        self._events = events
        self._maps = maps
        self._clock = clock

    async def answer(self, text: str) -> Message:
        """Answer `check` with one position on each line.

        Raises FilterSyntaxError with a sentence for the person, NoSuchEvent, StoreUnavailable.
        """
        query = await self._parse(text)
        superevent = await self._events.get_named(query.superevent_id)
        if superevent is None:
            return helping.error_message(NO_EVENT)
        return await self._compare(superevent, query)

    async def answer_about(self, superevent_id: str, text: str) -> Message:
        """Compare the positions with the maps of this event.

        Raises FilterSyntaxError also if the text names another event; NoSuchEvent, StoreUnavailable.
        """
        query = await self._parse(text)
        if query.superevent_id not in (None, superevent_id):
            raise CommandError(
                f"Here positions are compared with {superevent_id} only: leave {query.superevent_id} out, or "
                "type /gwevent check with its id."
            )
        return await self._compare(await self._events.get(superevent_id), query)

    async def _parse(self, text: str) -> PositionQuery:
        text = normalize_typed_text(text)
        # In a thread: a redshift imports a module that takes a second to load.
        return await asyncio.to_thread(parse_query, text, await self._events.find_nonstandard_ids(text))

    async def _compare(self, superevent: Superevent, query: PositionQuery) -> Message:
        several = len(query.targets) > 1
        maps = await (self._newest_map if several else self._all_maps)(superevent, query.targets)
        return position_check.message(
            PositionCheck(
                superevent=superevent,
                targets=query.targets,
                maps=maps,
                cosmology=COSMOLOGY,
                omitted=query.omitted,
                asked_at=self._clock(),
            )
        )

    async def _all_maps(self, superevent: Superevent, targets: Sequence[SkyPosition]) -> list[MapResult]:
        return [
            result for notice in superevent.notices for result in await self._crossmatch_maps(notice, targets)
        ]

    async def _newest_map(self, superevent: Superevent, targets: Sequence[SkyPosition]) -> list[MapResult]:
        results: list[MapResult] = []
        for notice in reversed(superevent.notices):
            found = await self._crossmatch_maps(notice, targets)
            results = [*found, *results]
            if any(result.positions for result in found):
                break
        return results

    async def _crossmatch_maps(self, notice: Notice, targets: Sequence[SkyPosition]) -> list[MapResult]:
        external = notice.external
        problems = [
            (False, notice.map_problem),
            (True, None if external is None else external.map_problem),
        ]
        found = [
            MapResult(notice=notice, is_combined=combined, problem=f"The map can't be read: {problem}")
            for combined, problem in problems
            if problem is not None
        ]
        if notice.best_localization is None:
            return found
        maps = await self._maps.get(notice.key)
        if maps is None:
            return [*found, MapResult(notice=notice, problem="The map isn't kept any more.")]
        for combined, skymap in ((False, maps.gw), (True, maps.combined)):
            if skymap is not None:
                positions = await asyncio.to_thread(_crossmatch_positions, skymap, targets)
                found.append(MapResult(notice=notice, is_combined=combined, positions=positions))
        return found


def _crossmatch_positions(skymap: SkyMap, targets: Sequence[SkyPosition]) -> list[PositionOnMap | None]:
    nan = float("nan")
    return crossmatch(
        skymap,
        [target.ra for target in targets],
        [target.dec for target in targets],
        [nan if target.distance is None else target.distance for target in targets],
    )
