"""The pictures of maps: which are wanted, which Slack has."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, delete, false, or_, select, text, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store import schema
from bot.store.database import Database
from bot.store.outbox.edit_writer import mark_threads_stale
from bot.store.outbox.leases import WorkerLeases
from bot.store.outbox.models import MAX_DELAY, DeliveryKind, DeliveryState, ImageState

IMAGE_PATH = "/pictures/{token}.png"
"""Where the bot serves a picture itself, under its public address."""

_p = schema.images
_t = schema.threads
_d = schema.deliveries
_AVAILABLE_STATES = (ImageState.UPLOADED.value, ImageState.READY.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredImageJob:
    """A picture that a workspace lacks."""

    id: int
    team_id: str
    superevent_id: str
    notice_id: int
    attempts: int
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredImage:
    """A picture that a workspace has."""

    id: int
    file_id: str | None
    """Slack's id of it; None where the bot serves it itself."""
    token: str | None
    """The unguessable part of its address; None where Slack has the file."""
    alt_text: str
    is_canary: bool
    """Slack may not be able to show it yet; the caller's thread is the one that tries."""
    created_at: datetime


def active_roots(team_id: str, superevent_id: str) -> Select[tuple[int, str, str]]:
    """The threads (id, team, channel) of an event in a workspace whose root stands or is to come."""
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
    """Have other threads try the pictures that these, whose root can't be brought up to date, should have."""
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
    edit = _d.alias("edit")
    failed = (
        select(edit.c.id)
        .where(edit.c.thread_id == _t.c.id, edit.c.kind == DeliveryKind.EDIT.value)
        .where(edit.c.state == DeliveryState.DEAD.value)
        .exists()
    )
    able = (
        active_roots(team_id, superevent_id)
        .where(~failed)
        # One that stands already can try at once.
        .order_by(_t.c.root_ts.is_(None), _t.c.id)
        .limit(1)
    )
    trial = (await connection.execute(able)).first()
    mine = update(_p).where(_p.c.id == picture_id)
    if trial is None:
        # Then each finds out alone.
        await connection.execute(mine.values(state=ImageState.READY.value, trial_thread_id=None))
        await _refresh_roots(connection, active_roots(team_id, superevent_id), now)
        return
    await connection.execute(mine.values(trial_thread_id=trial.id))
    await mark_threads_stale(connection, {trial.id: (trial.team_id, trial.channel_id)}, now)


async def publish_to_others(connection: AsyncConnection, shown: Collection[int], now: datetime) -> None:
    """A picture that Slack showed once can be shown everywhere: the other roots get it."""
    if not shown:
        return
    first = (
        update(_p)
        .where(_p.c.id.in_(shown), _p.c.state == ImageState.UPLOADED.value)
        .values(state=ImageState.READY.value)
        .returning(_p.c.team_id, _p.c.superevent_id, _p.c.trial_thread_id)
    )
    for row in (await connection.execute(first)).all():
        # Those too whose root is being posted just now, without it.
        others = active_roots(row.team_id, row.superevent_id).where(_t.c.id != row.trial_thread_id)
        await _refresh_roots(connection, others, now)


async def _refresh_roots(
    connection: AsyncConnection, roots: Select[tuple[int, str, str]], now: datetime
) -> None:
    places = {row.id: (row.team_id, row.channel_id) for row in (await connection.execute(roots)).all()}
    await mark_threads_stale(connection, places, now)


class ImageRepository:
    """Pictures wanted, pictures made."""

    def __init__(self, database: Database, leases: WorkerLeases) -> None:
        self._database = database
        self._leases = leases

    async def next_wanted(self, now: datetime) -> StoredImageJob | None:
        """The next picture to make: real before mock, then the newest, since an older one is soon overtaken.

        Where many share the database, only for the workspaces this process has the leases of.
        """
        query = (
            select(_p)
            .where(text(schema.WANTED_IMAGES))
            .where(or_(_p.c.not_before <= now, _p.c.not_before > now + MAX_DELAY))
            .order_by(_p.c.created_at.desc(), _p.c.id.desc())
            .limit(1)
        )
        if not self._database.is_sqlite:
            query = query.where(_p.c.team_id.in_(self._leases.owned_workspaces()))
        async with self._database.read_transaction() as connection:
            # Asked one after the other, each is the end of an index.
            row = (await connection.execute(query.where(_p.c.mock.is_(false())))).first()
            if row is None:
                row = (await connection.execute(query.where(_p.c.mock.is_(true())))).first()
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
        """Whether this process still works for the job's workspace."""
        return self._leases.holds_lease(job.team_id)

    async def is_newest(self, job: StoredImageJob) -> bool:
        """Whether no newer notice of the event has a picture of its own in this workspace."""
        newer = select(_p.c.id).where(
            _p.c.team_id == job.team_id, _p.c.superevent_id == job.superevent_id, _p.c.id > job.id
        )
        async with self._database.read_transaction() as connection:
            return (await connection.execute(newer.limit(1))).first() is None

    async def record_upload(self, job: StoredImageJob, file_id: str, alt_text: str, now: datetime) -> bool:
        """Slack has the file: one thread shall try whether it can be shown.

        False if another process was faster; then this file is one too many.
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
        """The bot serves this picture itself: one thread shall try whether Slack can fetch it."""
        async with self._database.exclusive_transaction() as connection:
            result = await connection.execute(
                update(_p)
                .where(_p.c.id == job.id, _p.c.state == ImageState.WANTED.value)
                .values(
                    state=ImageState.UPLOADED.value,
                    token=secrets.token_urlsafe(32),
                    png=png,
                    alt_text=alt_text,
                    created_at=now,
                )
            )
            if result.rowcount:
                await _choose_canary(connection, job.id, job.team_id, job.superevent_id, now)

    async def get_png(self, token: str) -> bytes | None:
        """The picture (PNG) at this address; None if there is none."""
        async with self._database.read_transaction() as connection:
            png: bytes | None = (
                await connection.execute(select(_p.c.png).where(_p.c.token == token))
            ).scalar_one_or_none()
        return png

    async def retry_later(self, job: StoredImageJob, not_before: datetime, reason: str) -> None:
        """Try again at `not_before`."""
        async with self._database.exclusive_transaction() as connection:
            await connection.execute(
                update(_p)
                .where(_p.c.id == job.id, _p.c.state == ImageState.WANTED.value)
                .values(not_before=not_before, reason=reason, attempts=job.attempts + 1)
            )

    async def mark_failed(self, picture_id: int, reason: str, now: datetime) -> None:
        """There will be no picture: the text stands alone, and edits that waited for it go."""
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
        """By (team, notice, thread) what the thread's root shows now as the notice's picture, if any."""
        query = select(_p).where(_p.c.notice_id.in_({notice for _, notice, _ in asked}))
        async with self._database.read_transaction() as connection:
            rows = (await connection.execute(query)).all()
        pictures = {(row.team_id, row.notice_id): row for row in rows if row.file_id or row.token}
        found = {}
        for team, notice, thread in asked:
            row = pictures.get((team, notice))
            if row is None:
                continue
            trial = row.state == ImageState.UPLOADED.value and row.trial_thread_id == thread
            if row.state == ImageState.READY.value or trial:
                found[team, notice, thread] = StoredImage(
                    id=row.id,
                    file_id=row.file_id,
                    token=row.token,
                    alt_text=row.alt_text or "",
                    is_canary=trial,
                    created_at=row.created_at,
                )
        return found

    async def for_notice(self, team_id: str, notice_id: int) -> StoredImage | None:
        """The picture of a notice that a workspace has, for who asks for it; None if it has none."""
        query = select(_p).where(_p.c.team_id == team_id, _p.c.notice_id == notice_id)
        async with self._database.read_transaction() as connection:
            row = (await connection.execute(query.where(_p.c.state.in_(_AVAILABLE_STATES)))).first()
        if row is None or not (row.file_id or row.token):
            return None
        return StoredImage(
            id=row.id,
            file_id=row.file_id,
            token=row.token,
            alt_text=row.alt_text or "",
            is_canary=False,
            created_at=row.created_at,
        )

    async def list_old_mocks(self, received_before: datetime) -> list[tuple[int, str, str | None]]:
        """Pictures of mocks received before: (id, team, file in Slack if there is one), for deleting them."""
        query = (
            select(_p.c.id, _p.c.team_id, _p.c.file_id)
            .join(schema.superevents, schema.superevents.c.superevent_id == _p.c.superevent_id)
            .where(schema.superevents.c.category == "mock", _p.c.created_at < received_before)
            .where(_p.c.file_id.is_not(None) | _p.c.token.is_not(None))
        )
        async with self._database.read_transaction() as connection:
            return [(row.id, row.team_id, row.file_id) for row in (await connection.execute(query)).all()]

    async def delete(self, picture_id: int) -> None:
        """The file is gone from Slack."""
        async with self._database.exclusive_transaction() as connection:
            await connection.execute(delete(_p).where(_p.c.id == picture_id))
