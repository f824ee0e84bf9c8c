"""Provide the image of an event's sky map to a person who asks for it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from bot.delivery.image_drawer import UPLOAD_SCOPE, ImageDrawer
from bot.runtime.single_flight import SingleFlight
from bot.skymap_service.image_process import ImageFailed
from bot.slack.client import SlackClient
from bot.slack.errors import SlackFailure
from bot.store.events.notices import NoticeRepository
from bot.store.outbox.images import IMAGE_PATH, ImageRepository
from formatters.models.notice import Notice, NoticeKey, id_as_file_name
from formatters.models.superevent import Superevent
from formatters.posts.channel_view import ImageRef
from formatters.skymap_image import DrawnPicture, Marks

MAX_REMEMBERED = 100
"""Uploads on request that are remembered; an older one is uploaded again."""


class ImageProvider:
    """Returns the image that a workspace already has of a notice's map, else draws and uploads one."""

    def __init__(
        self,
        notices: NoticeRepository,
        images: ImageRepository,
        clients: Mapping[str, SlackClient],
        drawer: ImageDrawer,
        public_url: str | None = None,
    ) -> None:
        """`public_url` is the address at which the bot serves images itself, without a slash at its end."""
        self._notices = notices
        self._images = images
        self._clients = clients
        self._drawer = drawer
        self._public_url = public_url
        # People may ask for many maps at once; drawn one by one, they leave room for an alert's image.
        self._one_at_a_time = asyncio.Lock()
        self._marked: SingleFlight[tuple[str, NoticeKey, Marks], ImageRef] = SingleFlight(MAX_REMEMBERED)
        self._uploads: SingleFlight[tuple[str, int], ImageRef] = SingleFlight(MAX_REMEMBERED)

    async def __call__(self, team_id: str, superevent: Superevent, notice: Notice) -> ImageRef:
        """Return the image; Slack may not be ready to show it yet. Raises ImageFailed, StoreUnavailable."""
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
        return await self._uploads.get(
            (team_id, notice_id), lambda: self._upload(team_id, notice_id, superevent, notice)
        )

    async def marked(self, team_id: str, superevent: Superevent, notice: Notice, marks: Marks) -> ImageRef:
        """Return the image with marks, drawn and uploaded once for a workspace.

        Raises ImageFailed, StoreUnavailable.
        """
        return await self._marked.get(
            (team_id, notice.key, marks), lambda: self._upload_marked(team_id, superevent, notice, marks)
        )

    async def _upload_marked(
        self, team_id: str, superevent: Superevent, notice: Notice, marks: Marks
    ) -> ImageRef:
        async with self._one_at_a_time:
            client = self._client(team_id)
            drawn = await self._drawer.draw_marked(superevent, notice, marks)
            return await _uploaded(client, superevent.superevent_id, drawn)

    async def _upload(self, team_id: str, notice_id: int, superevent: Superevent, notice: Notice) -> ImageRef:
        client = self._client(team_id)
        async with self._one_at_a_time:
            drawn = await self._drawer.draw(notice_id, superevent, notice)
            return await _uploaded(client, superevent.superevent_id, drawn)

    def _client(self, team_id: str) -> SlackClient:
        client = self._clients.get(team_id)
        if client is None or not client.has_scope(UPLOAD_SCOPE):
            raise ImageFailed("none was drawn, and the app may not upload one (scope files:write).")
        return client


async def _uploaded(client: SlackClient, title: str, drawn: DrawnPicture) -> ImageRef:
    try:
        file_id = await client.upload(drawn.png, f"{id_as_file_name(title)}.png", title, drawn.alt_text)
    except SlackFailure as failure:
        raise ImageFailed(f"Slack didn't take it ({failure.reason}).") from failure
    return ImageRef(alt_text=drawn.alt_text, file_id=file_id)
