"""Counts over the whole store for `/metrics`: subscriptions, workspaces, and who holds which leases."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import func, select

from bot.store import schema
from bot.store.database import Database

_s = schema.subscriptions
_l = schema.leases


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
        holders = select(func.coalesce(_l.c.worker_id, "").label("holder"), func.count()).group_by("holder")
        async with self._database.read_transaction() as connection:
            found = (await connection.execute(subscriptions)).one()
            rows = [] if self._database.is_sqlite else (await connection.execute(holders)).all()
            leases: dict[str, int] = {row.holder: row[1] for row in rows}
        return StoreCounts(found.active, found.paused, found.unconfirmed, found.workspaces, leases)
