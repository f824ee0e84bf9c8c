"""`/gwevent <id> history|map|json|moc|ds9`: details of one event."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from enum import StrEnum

from bot.skymap_service.cache import NoticeMaps, SkyMapCache
from bot.skymap_service.image_process import ImageFailed
from bot.skymaps.ds9 import polygon_lines
from bot.skymaps.ellipse import fit_ellipse
from bot.skymaps.moc import Moc, credible_moc
from bot.skymaps.skymap import SkyMap, credible_areas
from formatters.answers import event_details, event_history, region_file
from formatters.answers import help as helping
from formatters.blockkit.message import Message
from formatters.models.notice import Notice
from formatters.models.superevent import Superevent
from formatters.posts.alert_card import ImageRef

ProvideImage = Callable[[str, Superevent, Notice], Awaitable[ImageRef]]
"""(team, event, notice) -> the image of the notice's sky map, uploaded to Slack. Raises ImageFailed."""


class DetailKind(StrEnum):
    """A word that may follow an event's id."""

    HISTORY = "history"
    MAP = "map"
    JSON = "json"
    MOC = "moc"
    DS9 = "ds9"


class EventDetailsCommand:
    """Answers questions about the details of an event."""

    def __init__(self, maps: SkyMapCache, image_provider: ProvideImage | None = None) -> None:
        self._maps = maps
        self._image_provider = image_provider

    async def answer(
        self, superevent: Superevent, detail: DetailKind, team_id: str | None, now: datetime
    ) -> Message:
        """Return a detail of an event, asked for at `now`. The terminal, `team_id` None, has no limit.

        Raises StoreUnavailable.
        """
        match detail:
            case DetailKind.HISTORY:
                return event_history.message(superevent, now)
            case DetailKind.JSON:
                return event_details.json_record(
                    superevent, None if team_id is None else event_details.MAX_CODE_CHARS
                )
            case DetailKind.MOC:
                return await self._moc_answer(
                    superevent, None if team_id is None else event_details.MAX_CODE_CHARS
                )
            case DetailKind.DS9:
                return await self._region_file_answer(
                    superevent, None if team_id is None else region_file.MAX_POLYGON_CHARS
                )
            case DetailKind.MAP:
                return await self._image_answer(superevent, team_id)

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
