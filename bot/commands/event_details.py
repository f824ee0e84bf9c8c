"""`/gwevent <id> history|map|json|moc`: more about one event."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum

from bot.skymap_service.cache import StoredMaps
from bot.skymaps.image_process import PictureFailed
from bot.skymaps.moc import Moc, credible_moc
from formatters.answers import event_details, event_history
from formatters.answers import help as helping
from formatters.blockkit.message import Message
from formatters.models.notice import Notice
from formatters.models.superevent import Superevent
from formatters.posts.alert_card import Picture

Illustrate = Callable[[str, Superevent, Notice], Awaitable[Picture]]
"""(team, event, notice) -> the picture of the notice's map, where Slack has it. Raises PictureFailed."""


class Detail(StrEnum):
    """What may be asked about an event."""

    HISTORY = "history"
    MAP = "map"
    JSON = "json"
    MOC = "moc"


class Details:
    """Answers what stands after an event's id."""

    def __init__(self, maps: StoredMaps, illustrate: Illustrate | None = None) -> None:
        self._maps = maps
        self._illustrate = illustrate

    async def answer(self, superevent: Superevent, detail: Detail, team_id: str | None) -> Message:
        """Answer for a workspace, or for a terminal (None), which has room. Raises StoreUnavailable."""
        match detail:
            case Detail.HISTORY:
                return event_history.message(superevent)
            case Detail.JSON:
                return event_details.record(superevent, None if team_id is None else event_details.CODE_MAX)
            case Detail.MOC:
                return await self._moc(superevent, None if team_id is None else event_details.CODE_MAX)
            case Detail.MAP:
                return await self._map(superevent, team_id)

    async def _moc(self, superevent: Superevent, limit: int | None) -> Message:
        notice = superevent.latest_with_map
        if notice is None:
            return helping.complaint(_NO_MAP.format(superevent.superevent_id))
        maps = await self._maps.of(notice.key)
        skymap = None if maps is None else maps.best
        if maps is None or skymap is None:
            return helping.complaint(f"The map of {superevent.superevent_id} isn't kept any more.")
        exact = await asyncio.to_thread(credible_moc, skymap, 0.9)
        moc, text = await asyncio.to_thread(_written, exact, limit)
        return event_details.coverage(
            event_details.Coverage(
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
            return helping.complaint(_NO_MAP.format(superevent.superevent_id))
        if team_id is None or self._illustrate is None:
            return event_details.in_terminal(superevent)
        try:
            picture = await self._illustrate(team_id, superevent, notice)
        except PictureFailed as failure:
            return event_details.no_picture(superevent, failure.sentence)
        return event_details.picture(superevent, notice, picture)


_NO_MAP = "No sky map of {} was received that can be read."


def _written(moc: Moc, limit: int | None) -> tuple[Moc, str]:
    """The MOC in ASCII; of cells so large that it keeps within `limit` characters."""
    written = moc.ascii()
    for order in range(moc.finest - 1, -1, -1):
        if limit is None or len(written) <= limit:
            break
        moc = moc.coarsened(order)
        written = moc.ascii()
    return moc, written
