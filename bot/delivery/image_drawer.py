"""Draw the image of a notice's sky map once, for everyone who asks for it.

The worker that puts images into root messages and the command that shows one on request share the drawn
images, so that each is drawn once however many workspaces and people want it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from bot.alerts.decode import UndecodablePayload, extract_sky_maps
from bot.runtime.single_flight import SingleFlight
from bot.runtime.threads import ThreadHangs, run_in_thread
from bot.skymap_service.image_process import ImageFailed, ImageProcess
from bot.skymaps.errors import UnreadableMap
from bot.store.events.notices import NoticeRepository
from formatters.models.notice import Notice
from formatters.models.superevent import Superevent
from formatters.skymap_image import DrawnPicture, Marks

UPLOAD_SCOPE = "files:write"
CACHE_SIZE = 4
"""Drawn images kept in memory."""

LoadNotice = Callable[[], Awaitable[tuple[Superevent, Notice]]]


class ImageDrawer:
    """Draws images in the image process, and keeps the newest of them."""

    def __init__(self, notices: NoticeRepository, image_process: ImageProcess) -> None:
        self._notices = notices
        self._image_process = image_process
        self._drawn: SingleFlight[int, DrawnPicture] = SingleFlight(CACHE_SIZE)

    async def draw_stored(self, notice_id: int, superevent_id: str) -> DrawnPicture:
        """Draw the map of a stored notice. Raises StoreUnavailable; ImageFailed, also if it was retracted."""

        async def load() -> tuple[Superevent, Notice]:
            key = await self._notices.notice_key(notice_id)
            superevent = await self._notices.superevent(superevent_id)
            notice = (
                None if superevent is None else next((n for n in superevent.notices if n.key == key), None)
            )
            if superevent is None or notice is None:
                raise ImageFailed("The notice is gone.")
            if superevent.is_retracted:
                raise ImageFailed("The event was retracted.")
            return superevent, notice

        return await self._drawn.get(notice_id, lambda: self._draw(load))

    async def draw(self, notice_id: int, superevent: Superevent, notice: Notice) -> DrawnPicture:
        """Draw the map of one of a superevent's notices. Raises ImageFailed, StoreUnavailable."""

        async def load() -> tuple[Superevent, Notice]:
            return superevent, notice

        return await self._drawn.get(notice_id, lambda: self._draw(load))

    async def draw_marked(self, superevent: Superevent, notice: Notice, marks: Marks) -> DrawnPicture:
        """Draw the map of a notice with marks, which isn't kept. Raises ImageFailed, StoreUnavailable."""

        async def load() -> tuple[Superevent, Notice]:
            return superevent, notice

        return await self._draw(load, marks)

    async def close(self) -> None:
        """End the image process."""
        await self._image_process.close()

    async def _draw(self, load: LoadNotice, marks: Marks | None = None) -> DrawnPicture:
        superevent, notice = await load()
        payload = await self._notices.payload(notice.key)
        if payload is None:
            raise ImageFailed("the map isn't kept any more.")
        try:
            gw_map, combined_map = await run_in_thread(extract_sky_maps, payload)
        except (UndecodablePayload, UnreadableMap) as error:
            raise ImageFailed(error.reason) from error
        except ThreadHangs as error:
            raise ImageFailed(str(error)) from error
        then = superevent.up_to(notice)
        if marks is None:
            return await self._image_process.draw(then, gw_map, combined_map)
        return await self._image_process.draw_marked(then, gw_map, combined_map, marks)
