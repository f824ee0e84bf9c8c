"""Repository of notices and superevents, and the one transaction of an alert.

The way of one notice through `NoticeRepository.record`, all of it in one transaction:

1. The superevent's row is locked, or inserted if it is new. Two notices of one superevent that arrive at the
   same time, at two consumers perhaps, are therefore planned one after the other.
2. The stored notices of the superevent are read. If one of them is the same notice (`duplicates`), nothing is
   changed. An exception is an archive's copy: the notice that a live source brings takes its place.
3. The notice and its payload are inserted. The superevent gets a new revision, and the attributes by which
   `/gwevent events` searches are computed again.
4. Everything that routing depends on is read (`routing_state`): threads with the progress of their root
   messages, active subscriptions, earlier related messages, webhook calls, the previous real event.
5. The pure planner decides (`bot.routing.planner.plan`); nothing is decided here.
6. The intents are written: to the outbox, to the webhook's outbox, and as a deferred notice if a filter needs
   the sky map (`deferred` is the second transaction of such a notice).

The source acknowledges the notice to its broker only after the commit. If the commit fails, the broker sends
the notice again and everything is repeated from the start; a notice is never stored without its plan.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy import (
    ColumnElement,
    bindparam,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    union_all,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.filters import extract_attributes
from bot.related_messages.nearby_windows import NearbyWindows
from bot.routing.intents import DeferToSkyMap, Intent
from bot.routing.planner import shows_new_map
from bot.routing.state import RoutingState
from bot.sources.base import FILE, GRACEDB, LIVE_SOURCES
from bot.store import schema
from bot.store.database import Database
from bot.store.events.duplicates import backfill_digests, find_duplicate, supersedes_archive_copy
from bot.store.events.routing_state import load_routing_state, previous_real_event_time, write_notice_plan
from bot.store.events.rows import UNREADABLE, inserted_id, read_notices, sanitize
from formatters.models.notice import Category, Notice, NoticeKey, folded_id
from formatters.models.superevent import Superevent

log = structlog.get_logger(__name__)

LAST_NOTICES = 10
"""So many notices are tried for the last one, where this version can't read the newest."""

# Built once, because building a statement takes longer than executing it.
_LOCK_REVISION = (
    select(schema.superevents.c.revision)
    .where(schema.superevents.c.superevent_id == bindparam("id"))
    .with_for_update()
)
_INSERT_SUPEREVENT = insert(schema.superevents)
_UPDATE_SUPEREVENT = update(schema.superevents).where(schema.superevents.c.superevent_id == bindparam("id"))
_NOTICES_OF_SUPEREVENT = (
    select(
        schema.notices.c.id,
        schema.notices.c.alert_type,
        schema.notices.c.time_created,
        schema.notices.c.content,
        schema.notices.c.facts,
    )
    .where(schema.notices.c.superevent_id == bindparam("id"))
    .order_by(schema.notices.c.id)
)
_INSERT_NOTICE = insert(schema.notices)
_INSERT_PAYLOAD = insert(schema.payloads)
_BEFORE_ANY_EVENT = datetime(1900, 1, 1, tzinfo=UTC)

Planner = Callable[[RoutingState], list[Intent]]
"""`bot.routing.planner.plan` or `plan_after_map_queries` with their settings applied."""


@dataclass(frozen=True, slots=True)
class RecordResult:
    """The outcome of recording a notice."""

    new: bool
    """False if the notice was stored before."""
    intents: int
    """The number of intents in its plan."""
    is_deferred: bool = False
    """True if a part of its plan waits for queries of its sky map."""


class NoticeRepository:
    """Stores notices with their plans, and returns superevents. All methods raise StoreUnavailable."""

    def __init__(self, database: Database, windows: NearbyWindows | None = None) -> None:
        """`windows` are those in which an alert of another observatory counts as near an event."""
        self._database = database
        self._windows = windows or NearbyWindows()

    async def record(
        self,
        notice: Notice,
        body: bytes,
        origin: str,
        received_at: datetime,
        plan: Planner,
        *,
        draw_image: bool = False,
    ) -> RecordResult:
        """Store a notice with its payload and its plan, in one transaction; see the module's docstring.

        `origin` is source and location, `draw_image` is True if an image of its sky map is wanted where
        anything is posted. Raises StoreUnavailable: then nothing was stored.
        """
        async with self._database.exclusive_transaction() as connection:
            revision = await _lock_superevent(connection, notice)
            known = await load_notice_rows(connection, notice.superevent_id) if revision else ()
            if await backfill_digests(connection, notice, known):
                known = await load_notice_rows(connection, notice.superevent_id)
            repeat = find_duplicate(notice, known)
            if repeat is not None and not supersedes_archive_copy(notice, repeat.facts):
                return RecordResult(new=False, intents=0)
            if repeat is None:
                notice_id = await _insert_notice(connection, notice, body, origin, received_at)
            else:
                notice_id = await _replace_notice(connection, repeat.id, notice, body, origin, received_at)
            others = [row for row in known if row is not repeat and row.facts is not None]
            history = [Notice.from_json(row.facts) for row in others]
            superevent = Superevent.from_notices([*history, notice])
            columns = _superevent_columns(superevent, revision + 1)
            await connection.execute(
                _UPDATE_SUPEREVENT, {"id": notice.superevent_id, "revision": revision + 1, **columns}
            )
            state = await load_routing_state(connection, superevent, notice, self._windows)
            intents = plan(state)
            draw = draw_image and shows_new_map(state)
            await write_notice_plan(connection, intents, state, notice_id, received_at, draw_image=draw)
            return RecordResult(new=True, intents=len(intents), is_deferred=DeferToSkyMap() in intents)

    async def superevent(self, superevent_id: str) -> Superevent | None:
        """Return a superevent with all its notices; None if none is known."""
        found = await self.superevent_with_revision(superevent_id)
        return None if found is None else found[0]

    async def superevent_with_revision(self, superevent_id: str) -> tuple[Superevent, int] | None:
        """Return a superevent with the revision that was read; None if no notice is known."""
        async with self._database.read_transaction() as connection:
            query = select(schema.superevents.c.revision).where(
                schema.superevents.c.superevent_id == superevent_id
            )
            revision = (await connection.execute(query)).scalar_one_or_none()
            if revision is None:
                return None
            rows = await load_notice_rows(connection, superevent_id)
        notices = [Notice.from_json(row.facts) for row in rows if row.facts is not None]
        return (Superevent.from_notices(notices), revision) if notices else None

    async def superevent_with_notice_ids(
        self, superevent_id: str
    ) -> tuple[Superevent, Mapping[NoticeKey, int]] | None:
        """Return a superevent with the store's ids of its notices, by key; None if no notice is known."""
        async with self._database.read_transaction() as connection:
            rows = await load_notice_rows(connection, superevent_id)
        notices = [(row.id, Notice.from_json(row.facts)) for row in rows if row.facts is not None]
        if not notices:
            return None
        ids = {notice.key: notice_id for notice_id, notice in notices}
        return Superevent.from_notices([notice for _, notice in notices]), ids

    async def payload(self, key: NoticeKey) -> bytes | None:
        """Return the bytes of a notice as they were received; None if it is unknown or they were purged."""
        table, payloads = schema.notices, schema.payloads
        query = select(payloads.c.body).join(table, table.c.id == payloads.c.notice_id).where(_has_key(key))
        query = query.order_by(table.c.content, table.c.id).limit(1)
        async with self._database.read_transaction() as connection:
            body: bytes | None = (await connection.execute(query)).scalar_one_or_none()
        return body

    async def notice_id(self, key: NoticeKey) -> int | None:
        """Return the store's id of a notice; None if it is unknown."""
        async with self._database.read_transaction() as connection:
            table = schema.notices
            query = select(table.c.id).where(_has_key(key)).order_by(table.c.content, table.c.id).limit(1)
            found: int | None = (await connection.execute(query)).scalar_one_or_none()
        return found

    async def notice_key(self, notice_id: int) -> NoticeKey | None:
        """Return the key of a stored notice; None if there is no such id."""
        table = schema.notices
        async with self._database.read_transaction() as connection:
            query = select(table.c.superevent_id, table.c.alert_type, table.c.time_created, table.c.content)
            row = (await connection.execute(query.where(table.c.id == notice_id))).first()
        return None if row is None else (row.superevent_id, row.alert_type, row.time_created, row.content)

    async def newest(
        self, *, category: Category, group: str | None = None, limit: int = 1
    ) -> list[Superevent]:
        """Return the newest superevents of a category, by the time of the event, the newest first.

        `group` is "CBC" or "Burst", in any case; None means any.
        """
        table = schema.superevents
        query = select(table.c.superevent_id).where(table.c.category == category.value)
        if group is not None:
            query = query.where(func.lower(table.c.group_name) == group.lower())
        async with self._database.read_transaction() as connection:
            order = query.order_by(table.c.event_time.desc(), table.c.superevent_id.desc()).limit(limit)
            ids = list((await connection.execute(order)).scalars())
        found = []
        for superevent_id in ids:
            try:
                superevent = await self.superevent(superevent_id)
            except UNREADABLE:
                # Asked for by its id it is an error; here it must not hide the others.
                log.exception("stored_notice_unreadable", superevent_id=superevent_id)
                continue
            if superevent is not None:
                found.append(superevent)
        return found

    async def recent_ids(self, limit: int = 2_000) -> list[str]:
        """Return the ids of the newest superevents, in no order, for suggestions of a similar id.

        They are at most `limit`, and more only where several happened at the time of the last of these.
        """
        table = schema.superevents
        # The index has the times of each category in order; over all of them, every row would be sorted.
        times = [
            select(table.c.event_time)
            .where(table.c.category == category.value)
            .order_by(table.c.event_time.desc())
            .limit(limit)
            .subquery()
            for category in Category
        ]
        newest = union_all(*(select(one.c.event_time) for one in times)).subquery()
        last = select(newest.c.event_time).order_by(newest.c.event_time.desc()).limit(1).offset(limit - 1)
        since = func.coalesce(last.scalar_subquery(), literal(_BEFORE_ANY_EVENT, schema.UtcDateTime()))
        query = select(table.c.superevent_id).where(
            table.c.category.in_([category.value for category in Category]), table.c.event_time >= since
        )
        async with self._database.read_transaction() as connection:
            return list((await connection.execute(query)).scalars().all())

    async def ids_with_prefix(self, prefix: str, limit: int = 100) -> list[str]:
        """Return the stored superevent ids that begin with these letters and digits, in their order."""
        id_ = schema.superevents.c.superevent_id
        query = select(id_).where(id_.startswith(prefix, autoescape=True)).order_by(id_).limit(limit)
        async with self._database.read_transaction() as connection:
            found = list((await connection.execute(query)).scalars())
        # SQLite's LIKE ignores case.
        return sorted((name for name in found if name.startswith(prefix)), key=lambda name: (len(name), name))

    async def find_ids(self, names: Sequence[str]) -> list[str]:
        """Return the stored superevent ids among `names`, typed in any case; exact matches first."""
        id_ = schema.superevents.c.superevent_id
        folded = {folded_id(name) for name in names}
        # The databases' lower() folds ASCII only, so other characters are compared as they were typed.
        like = func.lower(id_).in_(folded | {name.lower() for name in names}) | id_.in_(names)
        async with self._database.read_transaction() as connection:
            found = list((await connection.execute(select(id_).where(like).order_by(id_))).scalars())
        return sorted(
            (known for known in found if folded_id(known) in folded), key=lambda known: known not in names
        )

    async def last_received(
        self, sources: Sequence[str] = LIVE_SOURCES, *, before: datetime | None = None
    ) -> datetime | None:
        """Return when one of these sources last brought a notice (before a given time); None if never."""
        table = schema.notices
        brought = or_(*(table.c.origin.startswith(f"{source}:", autoescape=True) for source in sources))
        async with self._database.read_transaction() as connection:
            query = select(table.c.received_at).where(brought).order_by(table.c.received_at.desc()).limit(1)
            if before is not None:
                query = query.where(table.c.received_at < before)
            found: datetime | None = (await connection.execute(query)).scalar()
        return found

    async def last_notice(self) -> Notice | None:
        """Return the notice that a live source brought last; lookups in GraceDB and files do not count."""
        table = schema.notices
        async with self._database.read_transaction() as connection:
            query = select(table.c.superevent_id, table.c.facts).where(
                table.c.facts.is_not(None),
                table.c.origin.not_like(f"{GRACEDB}:%"),
                table.c.origin.not_like(f"{FILE}:%"),
            )
            newest = query.order_by(table.c.received_at.desc(), table.c.id.desc()).limit(LAST_NOTICES)
            rows = (await connection.execute(newest)).all()
        for superevent_id, facts in rows:
            if readable := read_notices(superevent_id, [facts]):
                return readable[0]
        return None

    async def previous_real_event_time(self, superevent_id: str) -> datetime | None:
        """Return the time of the newest real event other than this one; None if there is none."""
        async with self._database.read_transaction() as connection:
            return await previous_real_event_time(connection, superevent_id)

    async def purge_mock_payloads(self, received_before: datetime) -> int:
        """Remove the payloads of mocks that were received before; decoded notices stay. Return the number."""
        mocks = (
            select(schema.notices.c.id)
            .join(schema.superevents, schema.superevents.c.superevent_id == schema.notices.c.superevent_id)
            .where(schema.superevents.c.category == Category.MOCK.value)
            .where(schema.notices.c.received_at < received_before)
        )
        async with self._database.exclusive_transaction() as connection:
            result = await connection.execute(
                delete(schema.payloads).where(schema.payloads.c.notice_id.in_(mocks))
            )
            return result.rowcount


def _has_key(key: NoticeKey) -> ColumnElement[bool]:
    table = schema.notices
    same_time = (table.c.alert_type == key[1]) & (table.c.time_created == key[2])
    # A key without content may have been stored by a version that did not know the content.
    same_content = table.c.content == key[3] if key[3] else true()
    return (table.c.superevent_id == key[0]) & same_time & same_content


async def _lock_superevent(connection: AsyncConnection, notice: Notice) -> int:
    """Lock the superevent's row, inserting it if it is new; return its revision, 0 if it has no notice yet.

    What a new row says of the event is written with its first notice.
    """
    table, asked = schema.superevents, {"id": notice.superevent_id}
    revision: int | None = (await connection.execute(_LOCK_REVISION, asked)).scalar_one_or_none()
    if revision is not None:
        return revision
    new = {
        "superevent_id": notice.superevent_id,
        "category": notice.category.value,
        "revision": 0,
        "event_time": notice.time_created,
    }
    if connection.dialect.name == "postgresql":
        # Another consumer may be inserting the same row: wait for its commit, then read that row.
        from sqlalchemy.dialects.postgresql import insert as upsert

        await connection.execute(upsert(table).values(new).on_conflict_do_nothing())
        inserted: int = (await connection.execute(_LOCK_REVISION, asked)).scalar_one()
        return inserted
    await connection.execute(_INSERT_SUPEREVENT, new)
    return 0


def _superevent_columns(superevent: Superevent, revision: int) -> dict[str, object]:
    event, attributes = superevent.event, extract_attributes(superevent)
    return {
        "traits": None if attributes is None else attributes.to_json(),
        "traits_revision": revision,
        "group_name": None if event is None else event.group[:32],
        "event_time": superevent.notices[0].time_created if event is None else event.time,
    }


async def load_notice_rows(connection: AsyncConnection, superevent_id: str) -> Sequence[Any]:
    """Return a superevent's notices (id, alert_type, time_created, content, facts) in order of arrival."""
    return (await connection.execute(_NOTICES_OF_SUPEREVENT, {"id": superevent_id})).all()


async def _insert_notice(
    connection: AsyncConnection, notice: Notice, body: bytes, origin: str, received_at: datetime
) -> int:
    result = await connection.execute(
        _INSERT_NOTICE,
        {
            "superevent_id": notice.superevent_id,
            "alert_type": notice.alert_type,
            "time_created": notice.time_created,
            "received_at": received_at,
            "origin": sanitize(origin, 255),
            "facts": notice.to_json(),
            "content": notice.content or "",
        },
    )
    notice_id = inserted_id(result.inserted_primary_key)
    await connection.execute(_INSERT_PAYLOAD, {"notice_id": notice_id, "body": body})
    return notice_id


async def _replace_notice(
    connection: AsyncConnection,
    notice_id: int,
    notice: Notice,
    body: bytes,
    origin: str,
    received_at: datetime,
) -> int:
    """Replace an archive's copy by the notice of a live source, under the same id."""
    table, payloads = schema.notices, schema.payloads
    await connection.execute(
        update(table)
        .where(table.c.id == notice_id)
        .values(
            received_at=received_at,
            origin=sanitize(origin, 255),
            facts=notice.to_json(),
            content=notice.content or "",
        )
    )
    await connection.execute(delete(payloads).where(payloads.c.notice_id == notice_id))
    await connection.execute(insert(payloads).values(notice_id=notice_id, body=body))
    return notice_id
