"""Repository of the quarantine: payloads that could not be handled, kept so that none is lost."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from sqlalchemy import Select, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.routing.intents import ChannelRef, Intent
from bot.routing.state import Thread
from bot.store import schema
from bot.store.channels.subscription_rows import load_active_subscriptions
from bot.store.database import Database
from bot.store.events.rows import inserted_id, sanitize
from bot.store.outbox.announcement_writer import delete_reports, write_announcements
from bot.store.outbox.models import DeliveryKind
from bot.store.outbox.plan_writer import load_threads
from formatters.models.notice import Category, category_from_id
from formatters.models.subscription import Subscription

UnreadablePayloadPlanner = Callable[
    [Category | None, Sequence[Thread], Sequence[Subscription], ChannelRef | None], list[Intent]
]
"""`bot.routing.planner.plan_unreadable_payload`."""

MAX_KEPT_OF_STREAM = 1_000
"""Most unreadable payloads of one stream beside LVK's notices: who sends them may send any number."""
TRIM_EVERY = 100
"""Payloads of a stream after which it is looked whether there are too many."""
MAX_TRIMMED = 500
"""Most payloads deleted by one transaction, since other writers wait for it."""

_d = schema.deliveries
_q = schema.quarantine

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedPayload:
    """A payload that could not be handled."""

    id: int
    body: bytes
    origin: str
    """Source and location, as in "hopskotch:igwn.gwalert:0:7"."""
    reason: str
    """A sentence."""
    superevent_id: str | None
    """The superevent's id, as far as it could be read."""
    received_at: datetime
    stream: str | None = None
    """The stream of messages that its topic brings beside notices; see `Origin.stream`."""


class QuarantineRepository:
    """Stores quarantined payloads and the reports about them. All methods raise StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._added: Counter[str] = Counter()
        """How many payloads of each stream this process has added."""

    async def add(
        self,
        body: bytes,
        origin: str,
        reason: str,
        superevent_id: str | None,
        received_at: datetime,
        plan: UnreadablePayloadPlanner,
        *,
        tell_channels: bool = False,
        ops_channel: ChannelRef | None = None,
        stream: str | None = None,
    ) -> bool:
        """Keep a payload that could not be handled, and write the reports about it, in one transaction.

        With `tell_channels` there are reports in the superevent's channels; `ops_channel` is the operators'
        channel, or None for no report there. `stream` is what its topic brings beside notices: of each stream
        one payload an hour is reported, and the newest `MAX_KEPT_OF_STREAM` are kept, so that junk on an
        optional topic fills neither the channel nor the disk. If the same bytes are kept already, only the
        reason is updated and False is returned.
        """
        digest = hashlib.sha256(body).hexdigest()
        reason = sanitize(reason)
        async with self._database.exclusive_transaction() as connection:
            known = update(_q).where(_q.c.digest == digest).values(reason=reason)
            if (await connection.execute(known)).rowcount:
                return False
            result = await connection.execute(
                insert(_q).values(
                    digest=digest,
                    body=body,
                    origin=sanitize(origin, 255),
                    reason=reason,
                    superevent_id=None if superevent_id is None else sanitize(superevent_id, 64),
                    received_at=received_at,
                    stream=stream,
                )
            )
            report_key = None if stream is None else sanitize(_report_key(stream, received_at), 96)
            if report_key is not None and await _is_reported(connection, ops_channel, report_key):
                ops_channel = None
            if tell_channels and superevent_id is not None:
                threads = await load_threads(connection, superevent_id)
                subscriptions = await load_active_subscriptions(connection)
                intents = plan(category_from_id(superevent_id), threads, subscriptions, ops_channel)
            else:
                intents = plan(None, (), (), ops_channel)
            await write_announcements(
                connection,
                intents,
                received_at,
                subject_id=inserted_id(result.inserted_primary_key),
                superevent_id=superevent_id,
                dedup_key=report_key,
            )
        if stream is not None:
            self._added[stream] += 1
            if self._added[stream] % TRIM_EVERY == 0:
                await self._trim(stream)
        return True

    async def _trim(self, stream: str) -> None:
        """Delete the oldest payloads of a stream beyond those that are kept, with their unsent reports."""
        newest_first = select(_q.c.id).where(_q.c.stream == stream).order_by(_q.c.id.desc())
        # Looked for in a read transaction, which blocks no writer.
        async with self._database.read_transaction() as connection:
            beyond = newest_first.offset(MAX_KEPT_OF_STREAM).limit(MAX_TRIMMED)
            old = (await connection.execute(beyond)).scalars().all()
        if not old:
            return
        async with self._database.exclusive_transaction() as connection:
            await delete_reports(connection, old)
            await connection.execute(delete(_q).where(_q.c.id.in_(old)))
        log.warning("quarantine_trimmed", stream=stream, payloads=len(old))

    async def get(self, quarantine_id: int) -> QuarantinedPayload | None:
        """Return one payload; None if it was released since."""
        return await self._first(select(_q).where(_q.c.id == quarantine_id))

    async def next(self, after: int = 0) -> QuarantinedPayload | None:
        """Return the payload with the smallest id above `after`, to go through all of them one by one."""
        return await self._first(select(_q).where(_q.c.id > after).order_by(_q.c.id).limit(1))

    async def _first(self, query: Select[tuple[object, ...]]) -> QuarantinedPayload | None:
        async with self._database.read_transaction() as connection:
            row = (await connection.execute(query)).first()
        return (
            None
            if row is None
            else QuarantinedPayload(
                id=row.id,
                body=row.body,
                origin=row.origin,
                reason=row.reason,
                superevent_id=row.superevent_id,
                received_at=row.received_at,
                stream=row.stream,
            )
        )

    async def release(self, quarantine_id: int) -> None:
        """Remove a payload that was handled since, and its reports that were not posted yet."""
        async with self._database.exclusive_transaction() as connection:
            await delete_reports(connection, [quarantine_id])
            await connection.execute(delete(_q).where(_q.c.id == quarantine_id))


def _report_key(stream: str, received_at: datetime) -> str:
    """Return the key of the report to the operators about a stream's payloads of this hour."""
    hour = received_at.astimezone(UTC)
    return f"{DeliveryKind.QUARANTINE_REPORT.value}:{hour:%Y-%m-%dT%H}:{stream}"


async def _is_reported(connection: AsyncConnection, channel: ChannelRef | None, key: str) -> bool:
    if channel is None:
        return False
    row = select(_d.c.id).where(_d.c.team_id == channel[0], _d.c.channel_id == channel[1], _d.c.slot == key)
    return (await connection.execute(row)).first() is not None
