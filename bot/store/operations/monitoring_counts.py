"""Counts over the whole store for `/metrics`: subscriptions, workspaces, leases, waiting webhook calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select

from bot.routing.intents import CallKind
from bot.store import schema
from bot.store.database import Database
from bot.store.outbox.models import DeliveryState

_s = schema.subscriptions
_l = schema.leases
_c = schema.webhook_calls


@dataclass(frozen=True, slots=True)
class StoreCounts:
    """Numbers of rows at one moment."""

    active_subscriptions: int
    paused_subscriptions: int
    unconfirmed_subscriptions: int
    """Subscriptions whose confirmation isn't posted yet."""
    workspaces: int
    """Workspaces with a subscription."""
    leases_by_holder: dict[str, int] = field(default_factory=dict)
    """Id of a worker -> leases that it holds; "" for those that nobody holds. Empty on SQLite."""


class MonitoringCounts:
    """A reader of counts; each call is one short transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self) -> StoreCounts:
        """Return the counts of now. Raises StoreUnavailable."""
        confirmed, paused = _s.c.confirmed_at.is_not(None), _s.c.paused_at.is_not(None)
        subscriptions = select(
            func.count().filter(confirmed & ~paused).label("active"),
            func.count().filter(confirmed & paused).label("paused"),
            func.count().filter(~confirmed).label("unconfirmed"),
            func.count(_s.c.team_id.distinct()).label("workspaces"),
        )
        holders = select(_l.c.worker_id, func.count()).group_by(_l.c.worker_id)
        async with self._database.read_transaction() as connection:
            found = (await connection.execute(subscriptions)).one()
            leases: dict[str, int] = {}
            if not self._database.is_sqlite:
                leases = {holder or "": held for holder, held in (await connection.execute(holders)).all()}
        return StoreCounts(found.active, found.paused, found.unconfirmed, found.workspaces, leases)

    async def oldest_webhook_call(self) -> datetime | None:
        """Return when the oldest call that the webhook has not accepted was planned; None if none waits.

        Calls of kinds that only a newer gwevent knows don't count: this one doesn't make them.
        Raises StoreUnavailable.
        """
        query = select(func.min(_c.c.created_at)).where(
            _c.c.state == DeliveryState.PENDING.value, _c.c.kind.in_([kind.value for kind in CallKind])
        )
        async with self._database.read_transaction() as connection:
            found: datetime | None = (await connection.execute(query)).scalar_one()
        return found
