"""Draw the image of each new sky map, and upload it to the workspaces whose channels show the event.

Messages never wait for an image: once a workspace has the file, the roots get it by an edit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial

import structlog

from bot.delivery.image_drawer import UPLOAD_SCOPE, ImageDrawer
from bot.runtime.polling_worker import run_polling_worker
from bot.runtime.wakeups import Wakeups
from bot.skymap_service.image_process import ImageFailed, ImageProcessClosed, ImageProcessUnavailable
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
from bot.store.outbox.images import ImageRepository, StoredImageJob
from bot.store.outbox.leases import HEARTBEAT_INTERVAL_S
from bot.store.outbox.models import MAX_DELAY
from formatters.models.notice import id_as_file_name
from formatters.skymap_image import DrawnPicture

POLL_S = 1.0
GIVE_UP_AFTER = timedelta(hours=24)
"""Age at which an image is given up that only lacks a process to draw it, or a Slack that takes it."""
TOKEN_GIVE_UP_AFTER = timedelta(hours=1)
"""Age at which an image is given up whose workspace's token is refused."""
NO_CLIENT_RETRY = timedelta(seconds=10)

log = structlog.get_logger(__name__)


class ImageWorker:
    """Works on one image at a time: drawn once, uploaded once for each workspace or served to all."""

    def __init__(
        self,
        images: ImageRepository,
        clients: Mapping[str, SlackClient],
        drawer: ImageDrawer,
        clock: Callable[[], datetime],
        wakeups: Wakeups,
        *,
        serves_images: bool = False,
        poll_s: float = POLL_S,
    ) -> None:
        """`clients` are by team id. With `serves_images` the bot serves images itself and uploads none."""
        self._images = images
        self._clients = clients
        self._drawer = drawer
        self._clock = clock
        self._wakeups = wakeups
        self._serves_images = serves_images
        self._poll_s = poll_s

    def wake(self) -> None:
        """Wake the worker, so that it looks for wanted images now."""
        self._wakeups.images.set()

    async def run(self) -> None:
        """Work until cancelled or closed; failures of the store are waited out."""
        try:
            await run_polling_worker(
                self._process_next,
                self._wakeups.images,
                self._poll_s,
                expected=StoreUnavailable,
                on_expected=lambda error: log.warning(
                    "store_unavailable", subsystem="images", reason=str(error)
                ),
            )
        except ImageProcessClosed:
            # The bot stops. The image stays wanted.
            return

    async def close(self) -> None:
        """End the image process."""
        await self._drawer.close()

    async def _process_next(self) -> bool:
        """Work on the next wanted image; return False if there is none. Raises StoreUnavailable."""
        job = await self._images.next_wanted(self._clock()) if self._clients else None
        if job is None:
            return False
        await self._process(job)
        self._wakeups.deliveries.set()
        return True

    async def _process(self, job: StoredImageJob) -> None:
        bound = log.bind(superevent_id=job.superevent_id, team=job.team_id, image=job.id)
        now = self._clock()
        client = self._clients.get(job.team_id)
        try:
            if client is None:
                await self._images.retry_later(job, now + NO_CLIENT_RETRY, "no token for this workspace")
                return
            if not await self._images.is_newest(job):
                raise ImageFailed("A newer map took its place.")
            if self._serves_images:
                if await self._images.share_stored_png(job, self._clock()):
                    return
                drawn = await self._drawer.draw_stored(job.notice_id, job.superevent_id)
                await self._images.record_png(job, drawn.png, drawn.alt_text, self._clock())
                return
            if not client.has_scope(UPLOAD_SCOPE):
                raise ImageFailed("The scope files:write isn't granted.")
            drawn = await self._drawer.draw_stored(job.notice_id, job.superevent_id)
            name = f"{id_as_file_name(job.superevent_id)}-{job.notice_id}.png"
            with send_only_while(partial(self._images.owns_workspace, job)):
                file_id = await client.upload(drawn.png, name, job.superevent_id, drawn.alt_text)
        except ImageProcessClosed:
            raise
        except LeaseLost:
            # The image stays wanted, for the process that has the workspace's lease now.
            bound.info("image_not_uploaded", reason="lease_lost")
            await asyncio.sleep(HEARTBEAT_INTERVAL_S)
        except ImageProcessUnavailable as failure:
            # Not the image's fault, so it isn't given up for this before it is old news.
            pause = min(timedelta(seconds=_backoff_s(job)), MAX_DELAY)
            if now - job.created_at < GIVE_UP_AFTER:
                bound.warning("image_postponed", reason=failure.reason, retry_in_s=pause.total_seconds())
                await self._images.retry_later(job, now + pause, failure.reason)
            else:
                bound.warning("image_failed", reason=failure.reason)
                await self._images.mark_failed(job.id, failure.reason, now)
        except ImageFailed as failure:
            bound.info("image_failed", reason=failure.reason)
            await self._images.mark_failed(job.id, failure.reason, self._clock())
        except SlackFailure as failure:
            if _should_give_up(failure, job, now):
                bound.warning("image_failed", reason=failure.reason)
                await self._images.mark_failed(job.id, failure.reason, self._clock())
                return
            wait_s = failure.retry_after if isinstance(failure, RateLimited) else _backoff_s(job)
            bound.info("image_postponed", reason=failure.reason, retry_in_s=wait_s)
            not_before = self._clock() + min(timedelta(seconds=wait_s), MAX_DELAY)
            await self._images.retry_later(job, not_before, failure.reason)
        except StoreUnavailable:
            raise
        except Exception:  # noqa: BLE001 - it is logged
            # An image that can't be drawn must not end the bot, start after start.
            bound.exception("unexpected_error", subsystem="images")
            await self._images.mark_failed(job.id, "gwevent met a fault of its own.", self._clock())
        else:
            await self._record_upload(client, job, file_id, drawn)

    async def _record_upload(
        self, client: SlackClient, job: StoredImageJob, file_id: str, drawn: DrawnPicture
    ) -> None:
        """Record an uploaded file, or delete it if the image isn't wanted any more."""
        bound = log.bind(superevent_id=job.superevent_id, team=job.team_id, file=file_id)
        if await self._images.record_upload(job, file_id, drawn.alt_text, self._clock()):
            bound.info("image_uploaded", bytes=len(drawn.png))
            return
        try:
            await client.delete_file(file_id)
        except SlackFailure as failure:
            bound.warning("file_deletion_failed", reason=failure.reason)


def _backoff_s(job: StoredImageJob) -> float:
    """Return the seconds until the next attempt: 1, 2, 4 … 1,024."""
    return 2.0 ** min(job.attempts, 10)


def _should_give_up(failure: SlackFailure, job: StoredImageJob, now: datetime) -> bool:
    """Return whether a refused upload is given up. An unlisted error is retried like an outage."""
    age = now - job.created_at
    if isinstance(failure, WorkspaceUnavailable) and failure.reason not in PERMISSION_ERRORS:
        return age > TOKEN_GIVE_UP_AFTER
    return age > GIVE_UP_AFTER or not isinstance(
        failure, RateLimited | OutcomeUnknown | Unavailable | Unlisted
    )
