"""Details of one event: its history, its sky map's picture, and its data as text to copy."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from functools import partial

from bot.commands.command_types import EventHandler
from bot.commands.context import CommandContext
from bot.commands.errors import CommandError
from bot.skymap_service.cache import SkyMapCache
from bot.skymap_service.image_process import ImageFailed
from bot.skymaps.ds9 import ds9_region
from bot.skymaps.moc import Moc, credible_moc
from formatters.answers import answer, event_details, event_history
from formatters.answers import help as helping
from formatters.blockkit.message import Message
from formatters.models.notice import Notice
from formatters.models.superevent import Superevent
from formatters.posts.alert_card import ImageRef

ProvideImage = Callable[[str, Superevent, Notice], Awaitable[ImageRef]]
"""(team, event, notice) -> the image of the notice's sky map, uploaded to Slack. Raises ImageFailed."""

EXPORT_EXAMPLE = "export moc S230518h"


class ExportFormat(StrEnum):
    """What `export` gives."""

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

    def __init__(self, maps: SkyMapCache, image_provider: ProvideImage | None = None) -> None:
        self._maps = maps
        self._image_provider = image_provider

    @property
    def export_words(self) -> Mapping[str, EventHandler]:
        """The handlers of the words that mean an export by themselves: `moc S230518h`."""
        return {word: partial(self._export_as, word) for word in ("json", "moc", "ds9", "csv", "tiles")}

    async def history(
        self, superevent: Superevent, arguments: str, context: CommandContext | None
    ) -> Message:
        """Answer `history`: a table of all notices."""
        return event_history.message(superevent)

    async def map(self, superevent: Superevent, arguments: str, context: CommandContext | None) -> Message:
        """Answer `map`: the picture of the newest sky map. Raises StoreUnavailable."""
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
        # A terminal has no limit of characters.
        limit = None if context is None else event_details.MAX_CODE_CHARS
        match FORMAT_WORDS[word]:
            case ExportFormat.JSON:
                return event_details.json_record(superevent, limit)
            case ExportFormat.CSV:
                return event_details.csv_table(superevent, limit)
            case ExportFormat.DS9:
                return await self._region_answer(superevent, limit, as_ds9=True)
            case ExportFormat.MOC:
                found = await self._region_answer(superevent, limit)
                if word != "tiles":
                    return found
                return answer.with_introduction(
                    "gwevent plans no pointings yet; this is the 90 % region to plan them with.", found
                )

    async def _region_answer(
        self, superevent: Superevent, limit: int | None, *, as_ds9: bool = False
    ) -> Message:
        notice = superevent.latest_with_map
        if notice is None:
            return helping.error_message(_NO_MAP.format(superevent.superevent_id))
        maps = await self._maps.get(notice.key)
        skymap = None if maps is None else maps.best
        if maps is None or skymap is None:
            return helping.error_message(f"The map of {superevent.superevent_id} isn't kept any more.")
        exact = await asyncio.to_thread(credible_moc, skymap, 0.9)
        write = ds9_region if as_ds9 else Moc.to_ascii
        moc, text = await asyncio.to_thread(_fit_to_limit, exact, limit, write)
        return event_details.moc_answer(
            event_details.MocAnswer(
                superevent=superevent,
                notice=notice,
                is_combined=skymap is maps.combined,
                moc=text,
                moc_area=moc.area,
                region_area=exact.area,
                max_order=moc.max_order,
                is_coarsened=moc is not exact,
                is_ds9=as_ds9,
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


_NO_MAP = "No sky map of {} was received that can be read."


def _fit_to_limit(moc: Moc, limit: int | None, write: Callable[[Moc], str]) -> tuple[Moc, str]:
    """Return the MOC and its text, degraded to larger cells until it has at most `limit` characters."""
    text = write(moc)
    for order in range(moc.max_order - 1, -1, -1):
        if limit is None or len(text) <= limit:
            break
        moc = moc.degrade_to_order(order)
        text = write(moc)
    return moc, text
