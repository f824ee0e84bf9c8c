"""Draws the picture of each new map, and brings it to the workspaces whose channels show the event."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

import structlog

from bot.alerts.decode import UndecodablePayload, extract_sky_maps
from bot.runtime.threads import ThreadHangs, run_in_thread
from bot.skymap_service.image_process import (
    ImageFailed,
    ImageProcess,
    ImageProcessClosed,
    ImageProcessUnavailable,
)
from bot.skymaps.errors import UnreadableMap
from bot.slack.client import SlackClient
from bot.slack.errors import (
    PERMISSION_ERRORS,
    OutcomeUnknown,
    RateLimited,
    SlackFailure,
    Unavailable,
    Unlisted,
    WorkspaceUnavailable,
)
from bot.slack.lease_check import LeaseLost, send_only_while
from bot.store.database import StoreUnavailable
from bot.store.events.notices import NoticeRepository
from bot.store.outbox.images import ImageRepository, StoredImageJob
from bot.store.outbox.leases import HEARTBEAT_INTERVAL_S
from bot.store.outbox.models import MAX_DELAY
from formatters.models.notice import id_as_file_name
from formatters.skymap_image import DrawnPicture

POLL_S = 1.0
GIVE_UP_AFTER = timedelta(hours=24)
"""How long a picture is wanted that only lacks a process to draw it, or a Slack that takes it."""
TOKEN_GIVE_UP_AFTER = timedelta(hours=1)
"""How long a picture waits for a token that is good again."""
CACHE_SIZE = 4
"""Drawn pictures kept, for the other workspaces that want the same."""

log = structlog.get_logger(__name__)


class ImageWorker:
    """One picture at a time: drawn once, uploaded once a workspace; its roots then get it by an edit."""

    def __init__(
        self,
        notices: NoticeRepository,
        images: ImageRepository,
        clients: Mapping[str, SlackClient],
        image_process: ImageProcess,
        clock: Callable[[], datetime],
        *,
        wake_deliveries: Callable[[], None],
        serves_images: bool = False,
        poll_s: float = POLL_S,
    ) -> None:
        """`serve` says that the bot serves pictures itself, so that none is uploaded."""
        self._serves_images = serves_images
        self._poll_s = poll_s
        self._notices = notices
        self._images = images
        self._clients = clients
        self._image_process = image_process
        self._clock = clock
        self._wake_deliveries = wake_deliveries
        self._wake_event = asyncio.Event()
        self._image_cache: OrderedDict[int, DrawnPicture] = OrderedDict()

    def wake(self) -> None:
        """Say that a picture may be wanted."""
        self._wake_event.set()

    async def run(self) -> None:
        """Work until cancelled or closed; the store's failures are waited out."""
        while True:
            self._wake_event.clear()
            try:
                job = await self._images.next_wanted(self._clock()) if self._clients else None
                if job is not None:
                    await self._process(job)
                    self._wake_deliveries()
                    continue
            except ImageProcessClosed:
                # It stays wanted.
                return
            except StoreUnavailable as error:
                log.warning("pictures_wait_for_store", reason=str(error))
            # Not wait_for: Python 3.11's loses a cancellation that comes with what it waits for.
            with suppress(TimeoutError):
                async with asyncio.timeout(self._poll_s):
                    await self._wake_event.wait()

    async def close(self) -> None:
        """End the process that draws."""
        await self._image_process.close()

    async def _process(self, job: StoredImageJob) -> None:
        bound = log.bind(superevent_id=job.superevent_id, team=job.team_id, picture=job.id)
        now = self._clock()
        client = self._clients.get(job.team_id)
        try:
            if client is None:
                await self._images.retry_later(
                    job, now + timedelta(seconds=10), "no token for this workspace"
                )
                return
            if not await self._images.is_newest(job):
                raise ImageFailed("A newer map took its place.")
            if self._serves_images:
                drawn = await self._get_image(job)
                await self._images.record_png(job, drawn.png, drawn.alt_text, self._clock())
                return
            if not client.has_scope("files:write"):
                raise ImageFailed("The scope files:write isn't granted.")
            drawn = await self._get_image(job)
            name = f"{id_as_file_name(job.superevent_id)}-{job.notice_id}.png"
            with send_only_while(partial(self._images.owns_workspace, job)):
                file_id = await client.upload(drawn.png, name, job.superevent_id, drawn.alt_text)
        except ImageProcessClosed:
            raise
        except LeaseLost:
            # It stays wanted, by whoever has the workspace now.
            bound.info("lease_lost_before_uploading")
            await asyncio.sleep(HEARTBEAT_INTERVAL_S)
        except ImageProcessUnavailable as failure:
            # Not the picture's fault, so it isn't given up for it before it is old news.
            pause = min(timedelta(seconds=2.0 ** min(job.attempts, 10)), MAX_DELAY)
            bound.warning("picture_waits", reason=failure.reason, again_in_s=pause.total_seconds())
            if now - job.created_at < GIVE_UP_AFTER:
                await self._images.retry_later(job, now + pause, failure.reason)
            else:
                await self._images.mark_failed(job.id, failure.reason, now)
        except ImageFailed as failure:
            bound.info("no_picture", reason=failure.reason)
            await self._images.mark_failed(job.id, failure.reason, self._clock())
        except SlackFailure as failure:
            if _should_give_up(failure, job, now):
                bound.warning("picture_refused", reason=failure.reason)
                await self._images.mark_failed(job.id, failure.reason, self._clock())
                return
            wait = failure.retry_after if isinstance(failure, RateLimited) else 2.0 ** min(job.attempts, 10)
            bound.info("picture_later", reason=failure.reason, attempts=job.attempts)
            again = self._clock() + min(timedelta(seconds=wait), MAX_DELAY)
            await self._images.retry_later(job, again, failure.reason)
        except StoreUnavailable:
            raise
        except Exception:  # noqa: BLE001 - it is logged
            # The guard of law 6 for pictures: what can't be drawn must not end the bot, start after start.
            bound.exception("picture_broke_gwevent")
            await self._images.mark_failed(job.id, "gwevent met a fault of its own.", self._clock())
        else:
            await self._record_upload(client, job, file_id, drawn)

    async def _record_upload(
        self, client: SlackClient, job: StoredImageJob, file_id: str, drawn: DrawnPicture
    ) -> None:
        bound = log.bind(superevent_id=job.superevent_id, team=job.team_id, file=file_id)
        if await self._images.record_upload(job, file_id, drawn.alt_text, self._clock()):
            bound.info("picture_uploaded", bytes=len(drawn.png))
            return
        try:
            await client.delete_file(file_id)
        except SlackFailure as failure:
            bound.warning("file_not_deleted", reason=failure.reason)

    async def _get_image(self, job: StoredImageJob) -> DrawnPicture:
        known = self._image_cache.get(job.notice_id)
        if known is not None:
            return known
        key = await self._notices.notice_key(job.notice_id)
        superevent = await self._notices.superevent(job.superevent_id)
        body = None if key is None else await self._notices.payload(key)
        notice = None if superevent is None else next((n for n in superevent.notices if n.key == key), None)
        if superevent is None or notice is None or body is None:
            raise ImageFailed("The notice or its payload is gone.")
        if superevent.is_retracted:
            raise ImageFailed("The event was retracted.")
        try:
            gw_map, combined_map = await run_in_thread(extract_sky_maps, body)
        except (UndecodablePayload, UnreadableMap) as error:
            raise ImageFailed(error.reason) from error
        except ThreadHangs as error:
            raise ImageFailed(str(error)) from error
        drawn = await self._image_process.draw(superevent.up_to(notice), gw_map, combined_map)
        self._image_cache[job.notice_id] = drawn
        while len(self._image_cache) > CACHE_SIZE:
            self._image_cache.popitem(last=False)
        return drawn


def _should_give_up(failure: SlackFailure, job: StoredImageJob, now: datetime) -> bool:
    """Whether a refused upload is given up; what stands in no list may pass, and is tried as long."""
    age = now - job.created_at
    if isinstance(failure, WorkspaceUnavailable) and failure.reason not in PERMISSION_ERRORS:
        return age > TOKEN_GIVE_UP_AFTER
    return age > GIVE_UP_AFTER or not isinstance(
        failure, RateLimited | OutcomeUnknown | Unavailable | Unlisted
    )
