"""Store the images of sky maps: those that are wanted, those that were made, and the canary of each.

Slack may need some time before it can show an uploaded image. One thread, the canary, therefore shows a new
image first; once that has succeeded, all other threads of the workspace about the same event show it too.

Each workspace has a row of its own, since each has its canary and, in Slack, its file. An image that the bot
serves itself is stored once, in the row of one workspace, whatever the number of workspaces.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, delete, false, or_, select, text, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store import schema
from bot.store.database import Database
from bot.store.outbox.due_time import due_conditions, due_parameters
from bot.store.outbox.edit_writer import mark_threads_stale
from bot.store.outbox.leases import WorkerLeases
from bot.store.outbox.models import DeliveryKind, DeliveryState, ImageState

IMAGE_PATH = "/pictures/{token}.png"
"""The path, below the bot's public address, at which the bot serves an image itself."""

_p = schema.images
_t = schema.threads
_d = schema.deliveries
AVAILABLE_STATES = (ImageState.UPLOADED.value, ImageState.READY.value)
# Without the PNG, which takes a hundred times the rest.
_COLUMNS = [column for column in _p.c if column is not _p.c.png]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredImageJob:
    """A wanted image that has not been made yet for a workspace."""

    id: int
    team_id: str
    superevent_id: str
    notice_id: int
    attempts: int
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredImage:
    """An image that a workspace can show."""

    id: int
    file_id: str | None
    """Slack's id of the file; None if the bot serves the image itself."""
    token: str | None
    """The unguessable part of the image's address; None if Slack has the file."""
    alt_text: str
    is_canary: bool
    """True if Slack may not be able to show the image yet and this thread is the first to try."""
    created_at: datetime


def active_roots(team_id: str, superevent_id: str) -> Select[tuple[int, str, str]]:
    """Return a query for a workspace's threads about an event: (id, team, channel).

    Threads whose root message was dead-lettered are left out.
    """
    root = (
        (_d.c.thread_id == _t.c.id)
        & (_d.c.kind == DeliveryKind.ROOT.value)
        & (_d.c.state != DeliveryState.DEAD.value)
    )
    return (
        select(_t.c.id, _t.c.team_id, _t.c.channel_id)
        .join(_d, root)
        .where(_t.c.team_id == team_id, _t.c.superevent_id == superevent_id)
    )


async def reassign_canary(connection: AsyncConnection, threads: Collection[int], now: datetime) -> None:
    """Choose another canary for each image whose canary is one of `threads`, whose roots cannot be edited."""
    if not threads:
        return
    theirs = select(_p.c.id, _p.c.team_id, _p.c.superevent_id).where(
        _p.c.trial_thread_id.in_(threads), _p.c.state == ImageState.UPLOADED.value
    )
    for row in (await connection.execute(theirs)).all():
        await _choose_canary(connection, row.id, row.team_id, row.superevent_id, now)


async def _choose_canary(
    connection: AsyncConnection, picture_id: int, team_id: str, superevent_id: str, now: datetime
) -> None:
    """Choose one thread that shows an uploaded image first; if no thread can, publish the image to all."""
    edit = _d.alias("edit")
    failed = (
        select(edit.c.id)
        .where(edit.c.thread_id == _t.c.id, edit.c.kind == DeliveryKind.EDIT.value)
        .where(edit.c.state == DeliveryState.DEAD.value)
        .exists()
    )
    able = (
        active_roots(team_id, superevent_id)
        # A muted thread isn't edited to show it.
        .where(~failed, _t.c.id.not_in(select(schema.muted_threads.c.thread_id)))
        # A root message that has been posted already can show the image at once.
        .order_by(_t.c.root_ts.is_(None), _t.c.id)
        .limit(1)
    )
    trial = (await connection.execute(able)).first()
    mine = update(_p).where(_p.c.id == picture_id)
    if trial is None:
        # Without a canary, each thread finds out by itself.
        await connection.execute(mine.values(state=ImageState.READY.value, trial_thread_id=None))
        await _refresh_roots(connection, active_roots(team_id, superevent_id), now)
        return
    await connection.execute(mine.values(trial_thread_id=trial.id))
    await mark_threads_stale(connection, {trial.id: (trial.team_id, trial.channel_id)}, now)


async def publish_to_others(connection: AsyncConnection, shown: Collection[int], now: datetime) -> None:
    """Mark images that a canary has shown as ready, and have the other root messages edited to show them."""
    if not shown:
        return
    first = (
        update(_p)
        .where(_p.c.id.in_(shown), _p.c.state == ImageState.UPLOADED.value)
        .values(state=ImageState.READY.value)
        .returning(_p.c.team_id, _p.c.superevent_id, _p.c.trial_thread_id)
    )
    for row in (await connection.execute(first)).all():
        # Also the roots that are being posted at this moment without the image.
        others = active_roots(row.team_id, row.superevent_id).where(_t.c.id != row.trial_thread_id)
        await _refresh_roots(connection, others, now)


async def _share_png(connection: AsyncConnection, notice_id: int, alt_text: str, now: datetime) -> None:
    """Share the image that is served with every workspace that waits for one of its notice."""
    waiting = (
        update(_p)
        .where(_p.c.notice_id == notice_id, _p.c.state == ImageState.WANTED.value)
        .values(state=ImageState.UPLOADED.value, alt_text=alt_text, created_at=now)
        .returning(_p.c.id, _p.c.team_id, _p.c.superevent_id)
    )
    for row in (await connection.execute(waiting)).all():
        await _choose_canary(connection, row.id, row.team_id, row.superevent_id, now)


async def _refresh_roots(
    connection: AsyncConnection, roots: Select[tuple[int, str, str]], now: datetime
) -> None:
    places = {row.id: (row.team_id, row.channel_id) for row in (await connection.execute(roots)).all()}
    await mark_threads_stale(connection, places, now)


class ImageRepository:
    """A repository of the images of sky maps."""

    def __init__(self, database: Database, leases: WorkerLeases) -> None:
        self._database = database
        self._leases = leases

    async def next_wanted(self, now: datetime) -> StoredImageJob | None:
        """Return the next image to make, or None if none is due. Raises StoreUnavailable.

        Images of real events come before those of mocks, and newer ones before older ones, because an older
        image is soon superseded. On PostgreSQL only workspaces that this process leases are considered.
        """
        query = (
            select(*_COLUMNS)
            .where(text(schema.WANTED_IMAGES))
            .where(or_(*due_conditions(_p.c.not_before)))
            .order_by(_p.c.created_at.desc(), _p.c.id.desc())
            .limit(1)
        )
        if not self._database.is_sqlite:
            query = query.where(_p.c.team_id.in_(self._leases.owned_workspaces()))
        async with self._database.read_transaction() as connection:
            # As two separate queries, each reads only the end of an index.
            moment = due_parameters(now)
            row = (await connection.execute(query.where(_p.c.mock.is_(false())), moment)).first()
            if row is None:
                row = (await connection.execute(query.where(_p.c.mock.is_(true())), moment)).first()
        if row is None:
            return None
        return StoredImageJob(
            id=row.id,
            team_id=row.team_id,
            superevent_id=row.superevent_id,
            notice_id=row.notice_id,
            attempts=row.attempts,
            created_at=row.created_at,
        )

    def owns_workspace(self, job: StoredImageJob) -> bool:
        """Return True if this process still holds the lease of the job's workspace."""
        return self._leases.holds_lease(job.team_id)

    async def is_newest(self, job: StoredImageJob) -> bool:
        """Return True if no newer image of the event was requested in this workspace.

        Raises StoreUnavailable.
        """
        newer = select(_p.c.id).where(
            _p.c.team_id == job.team_id, _p.c.superevent_id == job.superevent_id, _p.c.id > job.id
        )
        async with self._database.read_transaction() as connection:
            return (await connection.execute(newer.limit(1))).first() is None

    async def record_upload(self, job: StoredImageJob, file_id: str, alt_text: str, now: datetime) -> bool:
        """Record that the image was uploaded to Slack, and choose the canary thread that shows it first.

        Return False if the image was no longer wanted, because another process was faster; the file is then a
        duplicate. Raises StoreUnavailable.
        """
        async with self._database.exclusive_transaction() as connection:
            result = await connection.execute(
                update(_p)
                .where(_p.c.id == job.id, _p.c.state == ImageState.WANTED.value)
                .values(state=ImageState.UPLOADED.value, file_id=file_id, alt_text=alt_text, created_at=now)
            )
            if result.rowcount:
                await _choose_canary(connection, job.id, job.team_id, job.superevent_id, now)
            return bool(result.rowcount)

    async def record_png(self, job: StoredImageJob, png: bytes, alt_text: str, now: datetime) -> None:
        """Store an image that the bot serves itself, for all workspaces that want it.

        In each a canary thread is chosen that shows it first. Nothing happens if the job's image is no longer
        wanted. Raises StoreUnavailable.
        """
        async with self._database.exclusive_transaction() as connection:
            result = await connection.execute(
                update(_p)
                .where(_p.c.id == job.id, _p.c.state == ImageState.WANTED.value)
                .values(token=secrets.token_urlsafe(32), png=png)
            )
            if result.rowcount:
                await _share_png(connection, job.notice_id, alt_text, now)

    async def share_stored_png(self, job: StoredImageJob, now: datetime) -> bool:
        """Share the image that is served to another workspace with this one; return False if none is.

        Raises StoreUnavailable.
        """
        served = select(_p.c.alt_text).where(
            _p.c.notice_id == job.notice_id, _p.c.token.is_not(None), _p.c.state.in_(AVAILABLE_STATES)
        )
        async with self._database.exclusive_transaction() as connection:
            row = (await connection.execute(served.limit(1))).first()
            if row is not None:
                await _share_png(connection, job.notice_id, row.alt_text or "", now)
        return row is not None

    async def get_png(self, token: str) -> bytes | None:
        """Return the image (PNG) with this token, or None if there is none. Raises StoreUnavailable."""
        async with self._database.read_transaction() as connection:
            png: bytes | None = (
                await connection.execute(select(_p.c.png).where(_p.c.token == token))
            ).scalar_one_or_none()
        return png

    async def retry_later(self, job: StoredImageJob, not_before: datetime, reason: str) -> None:
        """Postpone a wanted image until `not_before`, and count the attempt. Raises StoreUnavailable."""
        async with self._database.exclusive_transaction() as connection:
            await connection.execute(
                update(_p)
                .where(_p.c.id == job.id, _p.c.state == ImageState.WANTED.value)
                .values(not_before=not_before, reason=reason, attempts=job.attempts + 1)
            )

    async def mark_failed(self, picture_id: int, reason: str, now: datetime) -> None:
        """Mark an image as failed, and make the edits that waited for it due now. Raises StoreUnavailable.

        The messages are shown without the image.
        """
        async with self._database.exclusive_transaction() as connection:
            row = (
                await connection.execute(
                    update(_p)
                    .where(_p.c.id == picture_id)
                    .values(state=ImageState.FAILED.value, reason=reason)
                    .returning(_p.c.team_id, _p.c.superevent_id)
                )
            ).first()
            if row is None:
                return
            mine = (
                select(_t.c.id)
                .where(_t.c.team_id == row.team_id, _t.c.superevent_id == row.superevent_id)
                .scalar_subquery()
            )
            await connection.execute(
                update(_d)
                .where(_d.c.thread_id.in_(mine), _d.c.kind == DeliveryKind.EDIT.value, _d.c.reason.is_(None))
                .where(_d.c.state == DeliveryState.PENDING.value, _d.c.not_before > now)
                .values(not_before=now)
            )

    async def for_threads(
        self, asked: Collection[tuple[str, int, int]]
    ) -> dict[tuple[str, int, int], StoredImage]:
        """Return the images that root messages may show now, by (team, notice, thread).

        A key of `asked` is left out if its notice has no image, or none that its thread may show yet. Raises
        StoreUnavailable.
        """
        query = select(*_COLUMNS).where(_p.c.notice_id.in_({notice for _, notice, _ in asked}))
        async with self._database.read_transaction() as connection:
            rows = (await connection.execute(query)).all()
        tokens = {row.notice_id: row.token for row in rows if row.token}
        pictures = {(row.team_id, row.notice_id): row for row in rows}
        found = {}
        for team, notice, thread in asked:
            row = pictures.get((team, notice))
            token = tokens.get(notice)
            if row is None or not (row.file_id or token):
                continue
            trial = row.state == ImageState.UPLOADED.value and row.trial_thread_id == thread
            if row.state == ImageState.READY.value or trial:
                found[team, notice, thread] = StoredImage(
                    id=row.id,
                    file_id=row.file_id,
                    token=None if row.file_id else token,
                    alt_text=row.alt_text or "",
                    is_canary=trial,
                    created_at=row.created_at,
                )
        return found

    async def for_notice(self, team_id: str, notice_id: int) -> StoredImage | None:
        """Return a notice's image in a workspace for an answer to a person, or None if there is none.

        Raises StoreUnavailable.
        """
        query = select(*_COLUMNS).where(_p.c.notice_id == notice_id, _p.c.state.in_(AVAILABLE_STATES))
        async with self._database.read_transaction() as connection:
            rows = (await connection.execute(query)).all()
        row = next((row for row in rows if row.team_id == team_id), None)
        token = next((row.token for row in rows if row.token), None)
        if row is None or not (row.file_id or token):
            return None
        return StoredImage(
            id=row.id,
            file_id=row.file_id,
            token=None if row.file_id else token,
            alt_text=row.alt_text or "",
            is_canary=False,
            created_at=row.created_at,
        )

    async def list_old_mocks(self, received_before: datetime) -> list[tuple[int, str, str | None]]:
        """Return the images of mocks made before a time, for deletion, as (id, team, Slack file id or None).

        Raises StoreUnavailable.
        """
        query = (
            select(_p.c.id, _p.c.team_id, _p.c.file_id)
            .join(schema.superevents, schema.superevents.c.superevent_id == _p.c.superevent_id)
            .where(schema.superevents.c.category == "mock", _p.c.created_at < received_before)
            .where(_p.c.state.in_(AVAILABLE_STATES))
        )
        async with self._database.read_transaction() as connection:
            return [(row.id, row.team_id, row.file_id) for row in (await connection.execute(query)).all()]

    async def delete(self, picture_id: int) -> None:
        """Delete an image's row, after its file was deleted from Slack. Raises StoreUnavailable."""
        async with self._database.exclusive_transaction() as connection:
            await connection.execute(delete(_p).where(_p.c.id == picture_id))
