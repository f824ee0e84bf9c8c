"""What was received: notices, superevents, payloads, quarantine; and the one transaction of an alert."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, delete, func, insert, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.filters import extract_attributes
from bot.routing.intents import Intent, Thread
from bot.sources.base import FILE, GRACEDB, LIVE_SOURCES
from bot.store import schema
from bot.store.channels.subscriptions import load_active_subscriptions
from bot.store.database import Database
from bot.store.events.circulars import link_earlier_circulars
from bot.store.events.duplicates import backfill_digests, find_duplicate, supersedes_archive_copy
from bot.store.operations.operator_alerts import (
    OperatorAlertRules,
    enqueue_operator_alerts,
    previous_real_event_time,
)
from bot.store.outbox.models import DeliveryKind, DeliveryState, delivery_row
from bot.store.outbox.plan_writer import event_rank, load_threads, write_plan
from formatters.models.notice import Category, Notice, NoticeKey, category_from_id, folded_id
from formatters.models.subscription import Subscription
from formatters.models.superevent import Superevent

Planner = Callable[[Superevent, Notice, Sequence[Thread], Sequence[Subscription]], list[Intent]]
UnreadableNoticePlanner = Callable[
    [Category, Sequence[Thread], Sequence[Subscription]], Sequence[tuple[str, str, int | None]]
]


@dataclass(frozen=True, slots=True)
class RecordResult:
    """What became of a notice handed to the store."""

    new: bool
    intents: int
    """How many intents its plan held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedPayload:
    """A payload that couldn't be handled."""

    id: int
    body: bytes
    origin: str
    reason: str
    superevent_id: str | None
    received_at: datetime


class NoticeRepository:
    """Notices in, nouns out."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(
        self,
        notice: Notice,
        body: bytes,
        origin: str,
        received_at: datetime,
        plan: Planner,
        *,
        draw_image: bool = False,
        operator_alerts: OperatorAlertRules | None = None,
    ) -> RecordResult:
        """Store a notice with its payload and what follows from it, in one transaction (law 3).

        The superevent is locked, so that two notices of one event that come at once are planned one after
        the other. A repeat (same key) changes nothing, and an archive's copy is one of whatever has its type
        and time; but where an archive was asked before the source brought the notice, the source's takes its
        place, and is planned as new. `picture` asks for one of
        its map, where anything is posted; `alarms` says who else is told. Raises StoreUnavailable.
        """
        async with self._database.exclusive_transaction() as connection:
            revision = await _lock_superevent(connection, notice)
            known = await load_notice_rows(connection, notice.superevent_id)
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
            await connection.execute(
                update(schema.superevents)
                .where(schema.superevents.c.superevent_id == notice.superevent_id)
                .values(revision=revision + 1, **_superevent_columns(superevent, revision + 1))
            )
            threads = await load_threads(connection, notice.superevent_id)
            subscriptions = await load_active_subscriptions(connection)
            intents = plan(superevent, notice, threads, subscriptions)
            # A notice that came late isn't shown, so its map needn't be drawn.
            shown = not superevent.is_retracted and superevent.latest_with_event is notice
            draw = draw_image and shown and notice.best_localization is not None
            await write_plan(connection, intents, superevent, notice_id, received_at, draw_image=draw)
            await link_earlier_circulars(
                connection, superevent.superevent_id, intents, subscriptions, received_at
            )
            if operator_alerts is not None:
                await enqueue_operator_alerts(
                    connection, operator_alerts, superevent, notice, notice_id, received_at
                )
            return RecordResult(new=True, intents=len(intents))

    async def quarantine(
        self,
        body: bytes,
        origin: str,
        reason: str,
        superevent_id: str | None,
        received_at: datetime,
        plan_unreadable: UnreadableNoticePlanner | None,
        ops_channel: tuple[str, str] | None,
    ) -> bool:
        """Keep a payload that couldn't be handled; False if the very same bytes are kept already.

        Then only the reason is brought up to date. `apologise` chooses the channels that are told (None:
        nobody); `ops` is the (team, channel) of who runs the bot.
        """
        digest = hashlib.sha256(body).hexdigest()
        reason = _sanitize(reason)
        async with self._database.exclusive_transaction() as connection:
            table = schema.quarantine
            again = update(table).where(table.c.digest == digest).values(reason=reason)
            if (await connection.execute(again)).rowcount:
                return False
            result = await connection.execute(
                insert(schema.quarantine).values(
                    digest=digest,
                    body=body,
                    origin=_sanitize(origin, 255),
                    reason=reason,
                    superevent_id=None if superevent_id is None else _sanitize(superevent_id, 64),
                    received_at=received_at,
                )
            )
            quarantine_id = _inserted_id(result.inserted_primary_key)
            rows = []
            if plan_unreadable is not None and superevent_id is not None:
                threads = await load_threads(connection, superevent_id)
                channels = plan_unreadable(
                    category_from_id(superevent_id), threads, await load_active_subscriptions(connection)
                )
                event = await event_rank(connection, superevent_id)
                rows += [
                    delivery_row(
                        team,
                        channel,
                        DeliveryKind.UNREADABLE_NOTICE,
                        quarantine_id,
                        received_at,
                        thread_id=thread,
                        event=event,
                    )
                    for team, channel, thread in channels
                ]
            if ops_channel is not None:
                rows.append(
                    delivery_row(*ops_channel, DeliveryKind.QUARANTINE_REPORT, quarantine_id, received_at)
                )
            if rows:
                await connection.execute(insert(schema.deliveries), rows)
            return True

    async def get_quarantined(self, quarantine_id: int) -> QuarantinedPayload | None:
        """One quarantined payload, or None if it was taken out since."""
        found = await self._quarantined(
            select(schema.quarantine).where(schema.quarantine.c.id == quarantine_id)
        )
        return found[0] if found else None

    async def next_quarantined(self, after: int = 0) -> QuarantinedPayload | None:
        """The quarantined payload after this id, for going through all of them one by one."""
        table = schema.quarantine
        found = await self._quarantined(select(table).where(table.c.id > after).order_by(table.c.id).limit(1))
        return found[0] if found else None

    async def _quarantined(self, query: Select[tuple[object, ...]]) -> list[QuarantinedPayload]:
        async with self._database.read_transaction() as connection:
            rows = (await connection.execute(query)).all()
        return [
            QuarantinedPayload(
                id=row.id,
                body=row.body,
                origin=row.origin,
                reason=row.reason,
                superevent_id=row.superevent_id,
                received_at=row.received_at,
            )
            for row in rows
        ]

    async def release_from_quarantine(self, quarantine_id: int) -> None:
        """Take a payload out of the quarantine, once it was handled. What was posted about it stays."""
        async with self._database.exclusive_transaction() as connection:
            await connection.execute(
                delete(schema.deliveries).where(
                    schema.deliveries.c.kind.in_(
                        [DeliveryKind.UNREADABLE_NOTICE, DeliveryKind.QUARANTINE_REPORT]
                    ),
                    schema.deliveries.c.subject_id == quarantine_id,
                    schema.deliveries.c.state == DeliveryState.PENDING,
                )
            )
            await connection.execute(delete(schema.quarantine).where(schema.quarantine.c.id == quarantine_id))

    async def superevent(self, superevent_id: str) -> Superevent | None:
        """All that is known of one superevent, or None."""
        found = await self.superevent_with_revision(superevent_id)
        return None if found is None else found[0]

    async def superevent_with_revision(self, superevent_id: str) -> tuple[Superevent, int] | None:
        """A superevent with the revision it was read at, or None."""
        async with self._database.read_transaction() as connection:
            query = select(schema.superevents.c.revision).where(
                schema.superevents.c.superevent_id == superevent_id
            )
            revision = (await connection.execute(query)).scalar_one_or_none()
            rows = await load_notice_rows(connection, superevent_id)
        notices = [Notice.from_json(row.facts) for row in rows if row.facts is not None]
        return None if revision is None or not notices else (Superevent.from_notices(notices), revision)

    async def payload(self, key: NoticeKey) -> bytes | None:
        """The bytes in which a notice came; None if it isn't known, or if they were purged."""
        table, payloads = schema.notices, schema.payloads
        query = select(payloads.c.body).join(table, table.c.id == payloads.c.notice_id).where(_has_key(key))
        query = query.order_by(table.c.content, table.c.id).limit(1)
        async with self._database.read_transaction() as connection:
            body: bytes | None = (await connection.execute(query)).scalar_one_or_none()
        return body

    async def notice_id(self, key: NoticeKey) -> int | None:
        """The store's id of a notice."""
        async with self._database.read_transaction() as connection:
            table = schema.notices
            query = select(table.c.id).where(_has_key(key)).order_by(table.c.content, table.c.id).limit(1)
            found: int | None = (await connection.execute(query)).scalar_one_or_none()
        return found

    async def notice_key(self, notice_id: int) -> NoticeKey | None:
        """The key of a stored notice."""
        table = schema.notices
        async with self._database.read_transaction() as connection:
            query = select(table.c.superevent_id, table.c.alert_type, table.c.time_created, table.c.content)
            row = (await connection.execute(query.where(table.c.id == notice_id))).first()
        return None if row is None else (row.superevent_id, row.alert_type, row.time_created, row.content)

    async def newest(
        self, *, category: Category, group: str | None = None, limit: int = 1
    ) -> list[Superevent]:
        """The newest superevents of a category by the time of the event, the newest first."""
        table = schema.superevents
        query = select(table.c.superevent_id).where(table.c.category == category.value)
        if group is not None:
            query = query.where(func.lower(table.c.group_name) == group.lower())
        async with self._database.read_transaction() as connection:
            order = query.order_by(table.c.event_time.desc(), table.c.superevent_id.desc()).limit(limit)
            ids = list((await connection.execute(order)).scalars())
        found = [await self.superevent(superevent_id) for superevent_id in ids]
        return [superevent for superevent in found if superevent is not None]

    async def recent_ids(self, limit: int = 2_000) -> list[str]:
        """The newest superevents' ids, for "did you mean"."""
        table = schema.superevents
        async with self._database.read_transaction() as connection:
            query = select(table.c.superevent_id).order_by(table.c.event_time.desc()).limit(limit)
            return list((await connection.execute(query)).scalars())

    async def find_ids(self, names: Sequence[str]) -> list[str]:
        """The stored ids that are among these names, in whatever case they were typed; exact ones first."""
        id_ = schema.superevents.c.superevent_id
        folded = {folded_id(name) for name in names}
        # The database folds ASCII alone; what else is typed as it is.
        like = func.lower(id_).in_(folded | {name.lower() for name in names}) | id_.in_(names)
        async with self._database.read_transaction() as connection:
            found = list((await connection.execute(select(id_).where(like).order_by(id_))).scalars())
        return sorted(
            (known for known in found if folded_id(known) in folded), key=lambda known: known not in names
        )

    async def last_received(
        self, sources: Sequence[str] = LIVE_SOURCES, *, before: datetime | None = None
    ) -> datetime | None:
        """When one of these sources brought a notice last, before a moment if one is given; None if never."""
        table = schema.notices
        brought = or_(*(table.c.origin.startswith(f"{source}:", autoescape=True) for source in sources))
        async with self._database.read_transaction() as connection:
            query = select(table.c.received_at).where(brought).order_by(table.c.received_at.desc()).limit(1)
            if before is not None:
                query = query.where(table.c.received_at < before)
            found: datetime | None = (await connection.execute(query)).scalar()
        return found

    async def last_notice(self) -> Notice | None:
        """The notice received last; what was looked up in an archive, or fed in from files, wasn't."""
        table = schema.notices
        async with self._database.read_transaction() as connection:
            query = select(table.c.facts).where(
                table.c.facts.is_not(None),
                table.c.origin.not_like(f"{GRACEDB}:%"),
                table.c.origin.not_like(f"{FILE}:%"),
            )
            facts = (
                await connection.execute(
                    query.order_by(table.c.received_at.desc(), table.c.id.desc()).limit(1)
                )
            ).scalar()
        return None if facts is None else Notice.from_json(facts)

    async def previous_real_event_time(self, superevent_id: str) -> datetime | None:
        """The time of the newest real event but this one."""
        async with self._database.read_transaction() as connection:
            return await previous_real_event_time(connection, superevent_id)

    async def purge_mock_payloads(self, received_before: datetime) -> int:
        """Remove the payloads of mocks received before; facts and keys stay. Return how many."""
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
    # Whoever noted a key without its content may have done so before that was known.
    said = table.c.content == key[3] if key[3] else true()
    return (table.c.superevent_id == key[0]) & same_time & said


async def _lock_superevent(connection: AsyncConnection, notice: Notice) -> int:
    """Lock the superevent's row, making it if it's new; return its revision (0 if new)."""
    table = schema.superevents
    query = select(table.c.revision).where(table.c.superevent_id == notice.superevent_id).with_for_update()
    revision: int | None = (await connection.execute(query)).scalar_one_or_none()
    if revision is not None:
        return revision
    new = {
        "superevent_id": notice.superevent_id,
        "category": notice.category.value,
        "revision": 0,
        **_superevent_columns(Superevent.from_notices([notice]), 0),
    }
    if connection.dialect.name == "postgresql":
        # Another consumer may be making the same row: wait for it, and take what it made.
        from sqlalchemy.dialects.postgresql import insert as upsert

        await connection.execute(upsert(table).values(new).on_conflict_do_nothing())
        made: int = (await connection.execute(query)).scalar_one()
        return made
    await connection.execute(insert(table).values(new))
    return 0


def _sanitize(words: str, limit: int | None = None) -> str:
    """The words, where PostgreSQL takes them: it has no character zero, and counts."""
    return words.replace("\0", "\N{REPLACEMENT CHARACTER}")[:limit]


def _superevent_columns(superevent: Superevent, revision: int) -> dict[str, object]:
    event, traits = superevent.event, extract_attributes(superevent)
    return {
        "traits": None if traits is None else traits.to_json(),
        "traits_revision": revision,
        "group_name": None if event is None else event.group[:32],
        "event_time": superevent.notices[0].time_created if event is None else event.time,
    }


async def load_notice_rows(connection: AsyncConnection, superevent_id: str) -> Sequence[Any]:
    """The notices of a superevent (id, alert_type, time_created, content, facts) in the order of arrival."""
    table = schema.notices
    query = select(table.c.id, table.c.alert_type, table.c.time_created, table.c.content, table.c.facts)
    result = await connection.execute(
        query.where(table.c.superevent_id == superevent_id).order_by(table.c.id)
    )
    return result.all()


async def _insert_notice(
    connection: AsyncConnection, notice: Notice, body: bytes, origin: str, received_at: datetime
) -> int:
    result = await connection.execute(
        insert(schema.notices).values(
            superevent_id=notice.superevent_id,
            alert_type=notice.alert_type,
            time_created=notice.time_created,
            received_at=received_at,
            origin=_sanitize(origin, 255),
            facts=notice.to_json(),
            content=notice.content or "",
        )
    )
    notice_id = _inserted_id(result.inserted_primary_key)
    await connection.execute(insert(schema.payloads).values(notice_id=notice_id, body=body))
    return notice_id


async def _replace_notice(
    connection: AsyncConnection,
    notice_id: int,
    notice: Notice,
    body: bytes,
    origin: str,
    received_at: datetime,
) -> int:
    """Put the source's notice in the place of the archive's, under the same number."""
    table, payloads = schema.notices, schema.payloads
    await connection.execute(
        update(table)
        .where(table.c.id == notice_id)
        .values(
            received_at=received_at,
            origin=_sanitize(origin, 255),
            facts=notice.to_json(),
            content=notice.content or "",
        )
    )
    await connection.execute(delete(payloads).where(payloads.c.notice_id == notice_id))
    await connection.execute(insert(payloads).values(notice_id=notice_id, body=body))
    return notice_id


def _inserted_id(key: object) -> int:
    assert isinstance(key, Row | tuple)
    value = key[0]
    assert isinstance(value, int)
    return value
