"""The bot's own troubles: which last, and who was told. A restart forgets none and repeats none."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.routing.intents import ChannelRef
from bot.store import schema
from bot.store.database import Database
from bot.store.operations.webhook_calls import CallKind, cancel_call, enqueue_call, was_called
from bot.store.outbox.models import DeliveryKind, DeliveryState, delivery_row
from formatters.models.incident import Incident, IncidentKind

RESOLVE_AFTER = timedelta(seconds=40)
"""How long nobody must have seen a trouble for it to be over: one that comes and goes is one trouble."""
ANNOUNCE_WITHIN = timedelta(hours=24)
"""A trouble that is over for longer is told to nobody any more."""

_d = schema.deliveries
_t = schema.incidents


@dataclass(frozen=True, slots=True)
class IncidentChanges:
    """What a look changed."""

    opened: tuple[Incident, ...] = ()
    resolved: tuple[Incident, ...] = ()


class IncidentRepository:
    """Troubles in and out, each told once, and once more when it is over."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open_incidents(self) -> list[Incident]:
        """Those that last, the oldest first."""
        query = select(_t).where(_t.c.open_as.is_not(None)).order_by(_t.c.since, _t.c.id)
        async with self._database.read_transaction() as connection:
            return [_incident_from_row(row) for row in (await connection.execute(query)).all()]

    async def get(self, incident_id: int) -> Incident | None:
        """One of them, over or not."""
        async with self._database.read_transaction() as connection:
            row = (await connection.execute(select(_t).where(_t.c.id == incident_id))).first()
        return None if row is None else _incident_from_row(row)

    async def record_check(
        self,
        seen: Sequence[Incident],
        now: datetime,
        *,
        ops_channel: ChannelRef | None = None,
        has_webhook: bool = False,
        already_called: Collection[IncidentKind] = (),
    ) -> IncidentChanges:
        """Write down what was seen at this look, and in the same transaction whom that is to be told.

        What was seen before and isn't any more is over after a while, whichever process saw it. `ops` is
        the operators' (team, channel), if it is known yet; `webhook` says whether one is called, `called`
        for which troubles it was called already. Raises StoreUnavailable.
        """
        if not seen and not await self._has_work(now, ops_channel is not None):
            return IncidentChanges()
        async with self._database.exclusive_transaction() as connection:
            began = await _open_incidents(connection, seen, now)
            ended = await _resolve_incidents(connection, {trouble.kind for trouble in seen}, now)
            if has_webhook:
                for trouble_id, trouble in began:
                    done = trouble.kind in already_called
                    await enqueue_call(
                        connection, CallKind.INCIDENT_OPENED, now, incident_id=trouble_id, already_sent=done
                    )
                for trouble_id, _ in ended:
                    # What nobody heard of needn't be taken back.
                    heard = not await cancel_call(
                        connection, CallKind.INCIDENT_OPENED, incident_id=trouble_id
                    )
                    if heard and await was_called(
                        connection, CallKind.INCIDENT_OPENED, incident_id=trouble_id
                    ):
                        await enqueue_call(
                            connection, CallKind.INCIDENT_RESOLVED, now, incident_id=trouble_id
                        )
            if ops_channel is not None:
                await _enqueue_announcements(
                    connection, ops_channel, [trouble_id for trouble_id, _ in ended], now
                )
        return IncidentChanges(tuple(trouble for _, trouble in began), tuple(trouble for _, trouble in ended))

    async def _has_work(self, now: datetime, known: bool) -> bool:
        untold = ~_t.c.told & (_t.c.seen_at > now - ANNOUNCE_WITHIN) if known else _t.c.id.is_(None)
        query = select(_t.c.id).where(_t.c.open_as.is_not(None) | untold).limit(1)
        async with self._database.read_transaction() as connection:
            return (await connection.execute(query)).first() is not None


async def _open_incidents(
    connection: AsyncConnection, seen: Sequence[Incident], now: datetime
) -> list[tuple[int, Incident]]:
    query = select(_t.c.id, _t.c.open_as).where(_t.c.open_as.is_not(None)).with_for_update()
    known = {row.open_as: row.id for row in (await connection.execute(query)).all()}
    began = []
    for trouble in seen:
        if trouble.kind.value in known:
            await connection.execute(
                update(_t)
                .where(_t.c.id == known[trouble.kind.value])
                .values(seen_at=now, detail=trouble.detail)
            )
            continue
        new: dict[str, object] = {
            "what": trouble.kind.value,
            "open_as": trouble.kind.value,
            "detail": trouble.detail,
            "since": trouble.since,
            "seen_at": now,
            "told": False,
        }
        made = await _insert_incident(connection, new)
        if made is not None:
            began.append((made, trouble))
    return began


async def _insert_incident(connection: AsyncConnection, new: dict[str, object]) -> int | None:
    """The new row's id; None where another process has just seen the same."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as upsert

        query = upsert(_t).values(new).on_conflict_do_nothing().returning(_t.c.id)
        made: int | None = (await connection.execute(query)).scalar_one_or_none()
        return made
    only: int = (await connection.execute(insert(_t).values(new).returning(_t.c.id))).scalar_one()
    return only


async def _resolve_incidents(
    connection: AsyncConnection, seen: Collection[IncidentKind], now: datetime
) -> list[tuple[int, Incident]]:
    gone = _t.c.open_as.is_not(None) & (_t.c.seen_at < now - RESOLVE_AFTER)
    rows = (await connection.execute(select(_t).where(gone))).all()
    ended = [row for row in rows if IncidentKind(row.what) not in seen]
    for row in ended:
        await connection.execute(
            update(_t).where(_t.c.id == row.id).values(open_as=None, ended_at=row.seen_at)
        )
    return [(row.id, _incident_from_row(row, row.seen_at)) for row in ended]


async def _enqueue_announcements(
    connection: AsyncConnection, ops: ChannelRef, ended: Sequence[int], now: datetime
) -> None:
    untold = select(_t.c.id).where(~_t.c.told, _t.c.seen_at > now - ANNOUNCE_WITHIN).order_by(_t.c.id)
    news = list((await connection.execute(untold)).scalars())
    rows = [delivery_row(*ops, DeliveryKind.INCIDENT_OPENED, trouble_id, now) for trouble_id in news]
    # Where the first message is still to be sent, it says both.
    said = (
        select(_d.c.subject_id)
        .where(_d.c.kind == DeliveryKind.INCIDENT_OPENED.value, _d.c.subject_id.in_(ended))
        .where((_d.c.state != DeliveryState.PENDING.value) | _d.c.doubtful)
    )
    heard = set((await connection.execute(said)).scalars()) if ended else set()
    rows += [
        delivery_row(*ops, DeliveryKind.INCIDENT_RESOLVED, trouble_id, now)
        for trouble_id in ended
        if trouble_id in heard
    ]
    if rows:
        await connection.execute(insert(_d), rows)
    if news:
        await connection.execute(update(_t).where(_t.c.id.in_(news)).values(told=True))


def _incident_from_row(row: Any, ended: datetime | None = None) -> Incident:
    return Incident(
        kind=IncidentKind(row.what),
        since=row.since,
        detail=row.detail,
        ended=row.ended_at if ended is None else ended,
    )
