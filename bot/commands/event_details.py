"""Details of one event: its history, its sky map's picture, and its data as text to copy."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from enum import StrEnum
from functools import partial

from bot.commands.command_types import EventHandler
from bot.commands.context import CommandContext
from bot.commands.errors import CommandError
from bot.commands.understanding import unexplained_words
from bot.skymap_service.cache import NoticeMaps, SkyMapCache
from bot.skymap_service.image_process import ImageFailed
from bot.skymaps.ds9 import polygon_lines
from bot.skymaps.ellipse import fit_ellipse
from bot.skymaps.moc import Moc, credible_moc
from bot.skymaps.skymap import SkyMap, credible_areas
from formatters.answers import answer, event_details, event_history, region_file
from formatters.answers import help as helping
from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import plain_text
from formatters.models.notice import Notice
from formatters.models.superevent import Superevent
from formatters.posts.channel_view import ImageRef

ProvideImage = Callable[[str, Superevent, Notice], Awaitable[ImageRef]]
"""(team, event, notice) -> the image of the notice's sky map, uploaded to Slack. Raises ImageFailed."""

_OTHER_LEVEL = re.compile(r"(?<![\w.])(?!(?:90|0?\.90?)\s*%?(?![\w.]))(?:\d+(?:\.\d*)?|\.\d+)\s*%?(?![\w.])")
"""A number that isn't the level of the region that is exported."""
EXPORT_EXAMPLE = "export moc S230518h"


class ExportFormat(StrEnum):
    """The file formats of `export`."""

    JSON = "json"
    MOC = "moc"
    DS9 = "ds9"
    CSV = "csv"


FORMAT_WORDS: Mapping[str, ExportFormat] = {
    **{kind.value: kind for kind in ExportFormat},
    "tiles": ExportFormat.MOC,
    "region": ExportFormat.MOC,
    "regions": ExportFormat.MOC,
    "aladin": ExportFormat.MOC,
    "mocpy": ExportFormat.MOC,
    "reg": ExportFormat.DS9,
    "table": ExportFormat.CSV,
}
"""The words after `export`."""


class EventDetailsCommand:
    """Answers `history`, `map` and `export`."""

    def __init__(
        self, maps: SkyMapCache, clock: Callable[[], datetime], image_provider: ProvideImage | None = None
    ) -> None:
        self._maps = maps
        self._clock = clock
        self._image_provider = image_provider

    @property
    def export_words(self) -> Mapping[str, EventHandler]:
        """The handlers of the words that mean an export by themselves: `moc S230518h`."""
        return {word: partial(self._export_as, word) for word in ("json", "moc", "ds9", "csv", "tiles")}

    async def history(
        self, superevent: Superevent, arguments: str, context: CommandContext | None
    ) -> Message:
        """Answer `history`: a table of all notices. Raises CommandError."""
        _refuse_unread(superevent, "history", arguments)
        return event_history.message(superevent, self._clock())

    async def map(self, superevent: Superevent, arguments: str, context: CommandContext | None) -> Message:
        """Answer `map`: the picture of the newest sky map. Raises CommandError, StoreUnavailable."""
        _refuse_unread(superevent, "map", arguments)
        return await self._image_answer(superevent, None if context is None else context.team_id)

    async def export(self, superevent: Superevent, arguments: str, context: CommandContext | None) -> Message:
        """Answer `export json|moc|ds9|csv`. Raises CommandError, StoreUnavailable."""
        for word in arguments.casefold().replace(",", " ").split():
            if word in FORMAT_WORDS:
                return await self._export_as(word, superevent, arguments, context)
        choices = ", ".join(ExportFormat)
        what = f'"{arguments[:40]}" is none' if arguments else "Say which"
        raise CommandError(f"{what} of {choices}: {EXPORT_EXAMPLE}.")

    async def _export_as(
        self, word: str, superevent: Superevent, arguments: str, context: CommandContext | None
    ) -> Message:
        level = None if word in ("tiles", "json", "csv") else _OTHER_LEVEL.search(arguments)
        if level is not None:
            raise CommandError(
                f'"{level[0].strip()}": only the 90 % region is exported:'
                f" export {word} {superevent.superevent_id}."
            )
        if word != "tiles":
            # What follows "tiles" describes a telescope's, and the answer says that `plan` has those.
            _refuse_unread(superevent, f"export {word}", arguments, _EXPORT_WORDS)
        # A terminal has no limit of characters.
        limit = None if context is None else event_details.MAX_CODE_CHARS
        match FORMAT_WORDS[word]:
            case ExportFormat.JSON:
                return event_details.json_record(superevent, limit)
            case ExportFormat.CSV:
                return event_details.csv_table(superevent, limit)
            case ExportFormat.DS9:
                return await self._region_file_answer(
                    superevent, None if context is None else region_file.MAX_POLYGON_CHARS
                )
            case ExportFormat.MOC:
                found = await self._moc_answer(superevent, limit)
                if word != "tiles":
                    return found
                return answer.with_introduction(
                    "This is the 90 % region; which fields a telescope observes, and when: plan.", found
                )

    async def _moc_answer(self, superevent: Superevent, limit: int | None) -> Message:
        found = await self._map_of(superevent)
        if isinstance(found, str):
            return helping.error_message(found)
        notice, maps, skymap = found
        exact = await asyncio.to_thread(credible_moc, skymap, 0.9)
        moc, text = await asyncio.to_thread(_fit_to_limit, exact, limit)
        return event_details.moc_answer(
            event_details.MocAnswer(
                superevent=superevent,
                notice=notice,
                is_combined=skymap is maps.combined,
                moc=text,
                moc_area=moc.area,
                region_area=credible_areas(skymap, (0.9,))[0],
                max_order=moc.max_order,
                is_coarsened=moc is not exact,
            )
        )

    async def _map_of(self, superevent: Superevent) -> tuple[Notice, NoticeMaps, SkyMap] | str:
        """Return the newest notice with a map, its maps and the best of them, or why there is none."""
        notice = superevent.latest_with_map
        if notice is None:
            return _NO_MAP.format(superevent.superevent_id)
        maps = await self._maps.get(notice.key)
        if maps is None or maps.best is None:
            return f"The map of {superevent.superevent_id} isn't kept any more."
        return notice, maps, maps.best

    async def _region_file_answer(self, superevent: Superevent, limit: int | None) -> Message:
        found = await self._map_of(superevent)
        if isinstance(found, str):
            return helping.error_message(found)
        notice, maps, skymap = found
        exact = await asyncio.to_thread(credible_moc, skymap, 0.9)
        moc, polygons = await asyncio.to_thread(_fit_polygons_to_limit, exact, limit)
        fit = await asyncio.to_thread(fit_ellipse, skymap)
        return region_file.message(
            region_file.RegionFileAnswer(
                superevent=superevent,
                notice=notice,
                is_combined=skymap is maps.combined,
                region_area=credible_areas(skymap, (0.9,))[0],
                ellipse=None if fit is None else fit.ellipse,
                ellipse_fits=fit is not None and fit.describes_region,
                polygons=polygons,
                cells_area=moc.area,
                is_coarsened=moc is not exact,
            )
        )

    async def _image_answer(self, superevent: Superevent, team_id: str | None) -> Message:
        notice = superevent.latest_with_map
        if notice is None:
            return helping.error_message(_NO_MAP.format(superevent.superevent_id))
        if team_id is None or self._image_provider is None:
            return event_details.image_not_in_terminal(superevent)
        try:
            image = await self._image_provider(team_id, superevent, notice)
        except ImageFailed as failure:
            return event_details.no_image(superevent, failure.reason)
        return event_details.image_message(superevent, notice, image)


_NOTHING_WORDS = """
    map maps skymap skymaps sky image images picture pictures plot png history notices notice timeline
    table latest newest last update updates updated localization localisation changed
"""
_SAYS_NOTHING = frozenset(_NOTHING_WORDS.split())
"""Words beside `map` and `history` that ask for what these answer anyway."""
_EXPORT_ONLY_WORDS = """
    export file files ascii string format fits contour contours credible area data record list
    90 90% % 0.9 0.90 percent level download copy polygon polygons
"""
_EXPORT_WORDS = _SAYS_NOTHING.union(FORMAT_WORDS, _EXPORT_ONLY_WORDS.split())
"""Words beside `export` that name a format, or ask for what every export holds."""


def _refuse_unread(
    superevent: Superevent, command: str, arguments: str, known: frozenset[str] = _SAYS_NOTHING
) -> None:
    """Raise CommandError for a word that isn't read: the answer would be about something else."""
    words = [word.strip(",:;.?!()'\"") for word in arguments.replace(",", " ").split()]
    for word in words:
        if word.casefold() not in known and unexplained_words(word):
            raise CommandError(
                f'I don\'t read "{plain_text(word, 40)}" here:'
                f" type {command} {superevent.superevent_id} alone."
            )


_NO_MAP = "No sky map of {} was received that can be read."


def _fit_to_limit(moc: Moc, limit: int | None) -> tuple[Moc, str]:
    """Return the MOC and its ASCII form, degraded to larger cells until it has at most `limit` characters."""
    text = moc.to_ascii()
    for order in range(moc.max_order - 1, -1, -1):
        if limit is None or len(text) <= limit:
            break
        moc = moc.degrade_to_order(order)
        text = moc.to_ascii()
    return moc, text


def _fit_polygons_to_limit(moc: Moc, limit: int | None) -> tuple[Moc, list[str]]:
    """Return the MOC and its cells as DS9 polygons, degraded until they have at most `limit` characters."""
    order = moc.max_order
    # Most maps of this size are far beyond the limit: a cell takes at least 30 characters.
    while limit is not None and order and moc.order.size * 30 > limit:
        order -= 1
        moc = moc.degrade_to_order(order)
    lines = polygon_lines(moc)
    while limit is not None and order and sum(map(len, lines)) + len(lines) > limit:
        order -= 1
        moc = moc.degrade_to_order(order)
        lines = polygon_lines(moc)
    return moc, lines
