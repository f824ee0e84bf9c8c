"""Repository of incidents: the bot's own faults, which are announced to the operators.

They are stored, so a restart neither forgets an incident nor announces it again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.routing.intents import ChannelRef
from bot.routing.limits import INCIDENT_ANNOUNCED_WITHIN
from bot.routing.operators import IncidentState, OpenIncident, plan_incident_alerts, resolved_incidents
from bot.store import schema
from bot.store.database import Database
from bot.store.outbox.announcement_writer import write_announcements
from bot.store.outbox.models import DeliveryKind, DeliveryState
from bot.store.outbox.webhook_writer import load_incident_calls, write_webhook_calls
from formatters.models.incident import Incident, IncidentKind

_d = schema.deliveries
_t = schema.incidents


log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class IncidentChanges:
    """The incidents that a health check opened and resolved."""

    opened: tuple[Incident, ...] = ()
    resolved: tuple[Incident, ...] = ()


class IncidentRepository:
    """Stores incidents with the announcements of their begin and end. All methods raise StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open_incidents(self) -> list[Incident]:
        """Return the open incidents of known kinds, the oldest first."""
        query = select(_t).where(_t.c.open_as.is_not(None)).order_by(_t.c.since, _t.c.id)
        async with self._database.read_transaction() as connection:
            rows = (await connection.execute(query)).all()
        return [incident for row in rows if (incident := _incident_from_row(row)) is not None]

    async def get(self, incident_id: int) -> Incident | None:
        """Return an incident, open or resolved; None if it or its kind is unknown."""
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
        """Store what a health check saw, and plan the announcements, in one transaction.

        An incident that was seen before and is not any more is resolved after a while, whichever process saw
        it. `ops_channel` is the operators' channel, None while it is unknown; `has_webhook` is True if there
        is a webhook, `already_called` are the kinds for which it was called while the store was unavailable.
        """
        if not seen and not await self._has_work(now, ops_channel is not None):
            return IncidentChanges()
        async with self._database.exclusive_transaction() as connection:
            known = await _load_open(connection)
            opened = await _record_seen(connection, known, seen, now)
            resolved = await _resolve(connection, resolved_incidents(known, [i.kind for i in seen], now))
            state = await _load_state(connection, opened, [id_ for id_, _ in resolved], now, has_webhook)
            intents = plan_incident_alerts(
                state, ops_channel=ops_channel, has_webhook=has_webhook, already_called=already_called
            )
            await write_webhook_calls(connection, intents, now)
            await write_announcements(connection, intents, now)
            if ops_channel is not None and state.unannounced:
                await connection.execute(update(_t).where(_t.c.id.in_(state.unannounced)).values(told=True))
        return IncidentChanges(
            tuple(incident for _, incident in opened), tuple(incident for _, incident in resolved)
        )

    async def _has_work(self, now: datetime, known: bool) -> bool:
        """Return True if an incident is open or, where the channel is known, not announced yet."""
        untold = ~_t.c.told & (_t.c.seen_at > now - INCIDENT_ANNOUNCED_WITHIN) if known else _t.c.id.is_(None)
        query = select(_t.c.id).where(_t.c.open_as.is_not(None) | untold).limit(1)
        async with self._database.read_transaction() as connection:
            return (await connection.execute(query)).first() is not None


async def _load_open(connection: AsyncConnection) -> list[OpenIncident]:
    """Return the open incidents, locked until the transaction ends."""
    query = select(_t.c.id, _t.c.open_as, _t.c.seen_at).where(_t.c.open_as.is_not(None)).order_by(_t.c.id)
    rows = (await connection.execute(query.with_for_update())).all()
    return [OpenIncident(row.id, row.open_as, row.seen_at) for row in rows]


async def _record_seen(
    connection: AsyncConnection, known: Sequence[OpenIncident], seen: Sequence[Incident], now: datetime
) -> list[tuple[int, Incident]]:
    """Store what a health check saw; return the incidents that are new, by id."""
    ids = {incident.kind: incident.id for incident in known}
    opened = []
    for incident in seen:
        kind = incident.kind.value
        if kind in ids:
            await connection.execute(
                update(_t).where(_t.c.id == ids[kind]).values(seen_at=now, detail=incident.detail)
            )
            continue
        new: dict[str, object] = {
            "what": kind,
            "open_as": kind,
            "detail": incident.detail,
            "since": incident.since,
            "seen_at": now,
            "told": False,
        }
        incident_id = await _insert_incident(connection, new)
        if incident_id is not None:
            opened.append((incident_id, incident))
    return opened


async def _insert_incident(connection: AsyncConnection, new: dict[str, object]) -> int | None:
    """Insert an incident and return its id; None if another process has just opened the same."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as upsert

        query = upsert(_t).values(new).on_conflict_do_nothing().returning(_t.c.id)
        inserted: int | None = (await connection.execute(query)).scalar_one_or_none()
        return inserted
    only: int = (await connection.execute(insert(_t).values(new).returning(_t.c.id))).scalar_one()
    return only


async def _resolve(connection: AsyncConnection, over: Sequence[OpenIncident]) -> list[tuple[int, Incident]]:
    """Close incidents at the time when they were seen last; return by id those whose kind is known."""
    if not over:
        return []
    ids = [incident.id for incident in over]
    rows = (await connection.execute(select(_t).where(_t.c.id.in_(ids)).order_by(_t.c.id))).all()
    await connection.execute(update(_t).where(_t.c.id.in_(ids)).values(open_as=None, ended_at=_t.c.seen_at))
    closed = [(row.id, _incident_from_row(row, row.seen_at)) for row in rows]
    return [(id_, incident) for id_, incident in closed if incident is not None]


async def _load_state(
    connection: AsyncConnection,
    opened: Sequence[tuple[int, Incident]],
    resolved: Sequence[int],
    now: datetime,
    has_webhook: bool,
) -> IncidentState:
    """Load the state on which the announcements of these incidents depend."""
    recent = (
        select(_t.c.id).where(~_t.c.told, _t.c.seen_at > now - INCIDENT_ANNOUNCED_WITHIN).order_by(_t.c.id)
    )
    posted = (
        select(_d.c.subject_id)
        .where(_d.c.kind == DeliveryKind.INCIDENT_OPENED.value, _d.c.subject_id.in_(resolved))
        .where((_d.c.state != DeliveryState.PENDING.value) | _d.c.doubtful)
    )
    return IncidentState(
        opened=opened,
        resolved=resolved,
        unannounced=list((await connection.execute(recent)).scalars()),
        announced=set((await connection.execute(posted)).scalars()) if resolved else set(),
        webhook_calls=await load_incident_calls(connection, resolved) if has_webhook else {},
    )


def _incident_from_row(row: Any, ended: datetime | None = None) -> Incident | None:
    """Return the incident of a row; None if its kind is one that only a newer version knows."""
    try:
        kind = IncidentKind(row.what)
    except ValueError:
        log.warning("incident_kind_unknown", id=row.id, kind=row.what)
        return None
    return Incident(
        kind=kind,
        since=row.since,
        detail=row.detail,
        ended=row.ended_at if ended is None else ended,
    )
