"""`/gwevent <id> history|map|json|moc`: more about one event."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum

from bot.skymap_service.cache import SkyMapCache
from bot.skymaps.image_process import ImageFailed
from bot.skymaps.moc import Moc, credible_moc
from formatters.answers import event_details, event_history
from formatters.answers import help as helping
from formatters.blockkit.message import Message
from formatters.models.notice import Notice
from formatters.models.superevent import Superevent
from formatters.posts.alert_card import ImageRef

ProvideImage = Callable[[str, Superevent, Notice], Awaitable[ImageRef]]
"""(team, event, notice) -> the picture of the notice's map, where Slack has it. Raises ImageFailed."""


class DetailKind(StrEnum):
    """What may be asked about an event."""

    HISTORY = "history"
    MAP = "map"
    JSON = "json"
    MOC = "moc"


class EventDetailsCommand:
    """Answers what stands after an event's id."""

    def __init__(self, maps: SkyMapCache, illustrate: ProvideImage | None = None) -> None:
        self._maps = maps
        self._illustrate = illustrate

    async def answer(self, superevent: Superevent, detail: DetailKind, team_id: str | None) -> Message:
        """Answer for a workspace, or for a terminal (None), which has room. Raises StoreUnavailable."""
        match detail:
            case DetailKind.HISTORY:
                return event_history.message(superevent)
            case DetailKind.JSON:
                return event_details.json_record(
                    superevent, None if team_id is None else event_details.MAX_CODE_CHARS
                )
            case DetailKind.MOC:
                return await self._moc(superevent, None if team_id is None else event_details.MAX_CODE_CHARS)
            case DetailKind.MAP:
                return await self._map(superevent, team_id)

    async def _moc(self, superevent: Superevent, limit: int | None) -> Message:
        notice = superevent.latest_with_map
        if notice is None:
            return helping.error_message(_NO_MAP.format(superevent.superevent_id))
        maps = await self._maps.get(notice.key)
        skymap = None if maps is None else maps.best
        if maps is None or skymap is None:
            return helping.error_message(f"The map of {superevent.superevent_id} isn't kept any more.")
        exact = await asyncio.to_thread(credible_moc, skymap, 0.9)
        moc, text = await asyncio.to_thread(_fit_to_limit, exact, limit)
        return event_details.moc_answer(
            event_details.MocAnswer(
                superevent=superevent,
                notice=notice,
                combined=skymap is maps.combined,
                moc=text,
                area=moc.area,
                exact_area=exact.area,
                order=moc.finest,
                coarsened=moc is not exact,
            )
        )

    async def _map(self, superevent: Superevent, team_id: str | None) -> Message:
        notice = superevent.latest_with_map
        if notice is None:
            return helping.error_message(_NO_MAP.format(superevent.superevent_id))
        if team_id is None or self._illustrate is None:
            return event_details.image_not_in_terminal(superevent)
        try:
            picture = await self._illustrate(team_id, superevent, notice)
        except ImageFailed as failure:
            return event_details.no_image(superevent, failure.sentence)
        return event_details.image_message(superevent, notice, picture)


_NO_MAP = "No sky map of {} was received that can be read."


def _fit_to_limit(moc: Moc, limit: int | None) -> tuple[Moc, str]:
    """The MOC in ASCII; of cells so large that it keeps within `limit` characters."""
    written = moc.ascii()
    for order in range(moc.finest - 1, -1, -1):
        if limit is None or len(written) <= limit:
            break
        moc = moc.coarsened(order)
        written = moc.ascii()
    return moc, written
