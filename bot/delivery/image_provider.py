"""The picture of an event's map for somebody who asks for it: the one Slack has, else a new one."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping

from bot.alerts.decode import UndecodablePayload, extract_sky_maps
from bot.runtime.threads import ThreadHangs, run_in_thread
from bot.skymap_service.image_process import ImageFailed, ImageProcess
from bot.skymaps.errors import UnreadableMap
from bot.slack.client import SlackClient
from bot.slack.errors import SlackFailure
from bot.store.events.notices import NoticeRepository
from bot.store.outbox.images import IMAGE_PATH, ImageRepository
from formatters.models.notice import Notice, id_as_file_name
from formatters.models.superevent import Superevent
from formatters.posts.alert_card import ImageRef

MAX_REMEMBERED = 100
"""Files uploaded for who asked; beyond, one is drawn and uploaded again."""


class ImageProvider:
    """Finds the picture of a notice's map in a workspace, or draws and uploads it."""

    def __init__(
        self,
        notices: NoticeRepository,
        images: ImageRepository,
        clients: Mapping[str, SlackClient],
        image_process: ImageProcess,
        public_url: str | None = None,
    ) -> None:
        """`public_url` is where the bot serves pictures itself, without a slash at its end."""
        self._notices = notices
        self._images = images
        self._clients = clients
        self._image_process = image_process
        self._public_url = public_url
        self._uploaded_images: OrderedDict[tuple[str, int], ImageRef] = OrderedDict()
        self._upload_lock = asyncio.Lock()

    async def __call__(self, team_id: str, superevent: Superevent, notice: Notice) -> ImageRef:
        """Return the picture; Slack may not show it yet. Raises ImageFailed, StoreUnavailable."""
        notice_id = await self._notices.notice_id(notice.key)
        if notice_id is None:
            raise ImageFailed("The notice is gone.")
        stored = await self._images.for_notice(team_id, notice_id)
        if stored is not None:
            if stored.file_id is not None:
                return ImageRef(alt_text=stored.alt_text, file_id=stored.file_id)
            if stored.token is not None and self._public_url is not None:
                url = self._public_url + IMAGE_PATH.format(token=stored.token)
                return ImageRef(alt_text=stored.alt_text, url=url)
        async with self._upload_lock:
            known = self._uploaded_images.get((team_id, notice_id))
            if known is None:
                known = await self._upload(team_id, superevent, notice)
                self._uploaded_images[team_id, notice_id] = known
                while len(self._uploaded_images) > MAX_REMEMBERED:
                    self._uploaded_images.popitem(last=False)
        return known

    async def _upload(self, team_id: str, superevent: Superevent, notice: Notice) -> ImageRef:
        client = self._clients.get(team_id)
        if client is None or not client.has_scope("files:write"):
            raise ImageFailed("none was drawn, and the app may not upload one (scope files:write).")
        body = await self._notices.payload(notice.key)
        if body is None:
            raise ImageFailed("the map isn't kept any more.")
        try:
            gw_map, combined_map = await run_in_thread(extract_sky_maps, body)
        except (UndecodablePayload, UnreadableMap) as error:
            raise ImageFailed(error.reason) from error
        except ThreadHangs as error:
            raise ImageFailed(str(error)) from error
        drawn = await self._image_process.draw(superevent.up_to(notice), gw_map, combined_map)
        title = superevent.superevent_id
        try:
            file_id = await client.upload(drawn.png, f"{id_as_file_name(title)}.png", title, drawn.alt_text)
        except SlackFailure as failure:
            raise ImageFailed(f"Slack didn't take it ({failure.reason}).") from failure
        return ImageRef(alt_text=drawn.alt_text, file_id=file_id)
