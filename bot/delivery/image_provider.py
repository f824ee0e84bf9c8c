"""The picture of an event's map for somebody who asks for it: the one Slack has, else a new one."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping

from bot.alerts.decode import UndecodablePayload, sky_maps
from bot.runtime.threads import Hangs, in_thread
from bot.skymaps.image_process import PictureFailed, Pictures
from bot.skymaps.skymap import UnreadableMap
from bot.slack.client import SlackClient
from bot.slack.errors import SlackFailure
from bot.store.events.notices import Store
from bot.store.outbox.images import PICTURE_PATH, PictureStore
from formatters.models.notice import Notice, file_name
from formatters.models.superevent import Superevent
from formatters.posts.alert_card import Picture

REMEMBERED = 100
"""Files uploaded for who asked; beyond, one is drawn and uploaded again."""


class Illustrations:
    """Finds the picture of a notice's map in a workspace, or draws and uploads it."""

    def __init__(
        self,
        store: Store,
        pictures: PictureStore,
        clients: Mapping[str, SlackClient],
        draw: Pictures,
        public_url: str | None = None,
    ) -> None:
        """`public_url` is where the bot serves pictures itself, without a slash at its end."""
        self._store = store
        self._pictures = pictures
        self._clients = clients
        self._draw = draw
        self._public_url = public_url
        self._uploaded: OrderedDict[tuple[str, int], Picture] = OrderedDict()
        self._one_at_a_time = asyncio.Lock()

    async def __call__(self, team_id: str, superevent: Superevent, notice: Notice) -> Picture:
        """Return the picture; Slack may not show it yet. Raises PictureFailed, StoreUnavailable."""
        notice_id = await self._store.notice_id(notice.key)
        if notice_id is None:
            raise PictureFailed("The notice is gone.")
        stored = await self._pictures.of_notice(team_id, notice_id)
        if stored is not None:
            if stored.file_id is not None:
                return Picture(alt_text=stored.alt_text, file_id=stored.file_id)
            if stored.token is not None and self._public_url is not None:
                url = self._public_url + PICTURE_PATH.format(token=stored.token)
                return Picture(alt_text=stored.alt_text, url=url)
        async with self._one_at_a_time:
            known = self._uploaded.get((team_id, notice_id))
            if known is None:
                known = await self._upload(team_id, superevent, notice)
                self._uploaded[team_id, notice_id] = known
                while len(self._uploaded) > REMEMBERED:
                    self._uploaded.popitem(last=False)
        return known

    async def _upload(self, team_id: str, superevent: Superevent, notice: Notice) -> Picture:
        client = self._clients.get(team_id)
        if client is None or not client.may("files:write"):
            raise PictureFailed("none was drawn, and the app may not upload one (scope files:write).")
        body = await self._store.payload(notice.key)
        if body is None:
            raise PictureFailed("the map isn't kept any more.")
        try:
            gw_map, combined_map = await in_thread(sky_maps, body)
        except (UndecodablePayload, UnreadableMap) as error:
            raise PictureFailed(error.reason) from error
        except Hangs as error:
            raise PictureFailed(str(error)) from error
        drawn = await self._draw.draw(superevent.upto(notice), gw_map, combined_map)
        title = superevent.superevent_id
        try:
            file_id = await client.upload(drawn.png, f"{file_name(title)}.png", title, drawn.alt_text)
        except SlackFailure as failure:
            raise PictureFailed(f"Slack didn't take it ({failure.reason}).") from failure
        return Picture(alt_text=drawn.alt_text, file_id=file_id)
