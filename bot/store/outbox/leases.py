"""Who works for which workspace, where many processes share one PostgreSQL.

A worker gives a sign of life each second; as long as it lives its leases are its own. What a dead worker had
goes to the others. SQLite has one process, which everything is for.

A worker counts its own lease by the machine's count, which goes on while the process is paused. The others
compare signs of life with the database's clock. Where that was set, forward or back, nobody is taken for dead
until each had the time to give a sign by the new clock; a sign too far ahead to be anybody's is no sign.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import ColumnElement, DateTime, Select, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.runtime import machine_clock
from bot.runtime.clock_rate import ClockReading, clock_jumped
from bot.store import schema
from bot.store.database import Database

LEASE_DURATION = timedelta(seconds=6)
"""A worker silent for so long is taken for dead; with what it takes to notice and to send, under 10 s."""
HEARTBEAT_INTERVAL_S = 1.0
GRACE_PERIOD = timedelta(seconds=3)
"""What is free for so long is taken by whoever sees it, even if that is more than its part."""

PURGE_JOB = "*purge"
"""The duty of removing what is old. No workspace has such a name."""
REPAIR_JOB = "*repair"
"""The duty of filling gaps from GraceDB."""
SINGLETON_JOBS = frozenset({PURGE_JOB, REPAIR_JOB})
"""What one of all processes does for all."""

_w = schema.workers
_l = schema.leases

log = structlog.get_logger(__name__)


class WorkerLeases:
    """What this process works for."""

    def __init__(
        self,
        database: Database,
        lease: timedelta = LEASE_DURATION,
        elapsed: Callable[[], float] = machine_clock.monotonic_time,
    ) -> None:
        """`elapsed` counts seconds, those too in which this process is paused."""
        self._database = database
        self._lease_duration = lease
        self._elapsed = elapsed
        self.worker_id = _new_worker_id()
        """Another one after a lapse: what was claimed under the old name is somebody else's by then."""
        self._held_leases: frozenset[str] = frozenset()
        self._alive_until = 0.0
        self._is_registered = False
        self._database_clock: ClockReading | None = None
        self._newcomer_until = elapsed() + lease.total_seconds()
        """Until then it can't know that a sign of life which is too far ahead isn't replaced."""
        self._clock_unsure_until = 0.0
        """Until then the database's clock says of nobody that it is dead."""
        self._balanced_for: frozenset[str] = frozenset()
        self._lock = asyncio.Lock()

    @property
    def is_alive(self) -> bool:
        """Whether the others still take this worker for alive, by this process's own clock."""
        return self._database.is_sqlite or self._elapsed() < self._alive_until

    def is_claim_valid(self, claimed_by: str) -> bool:
        """Whether what was claimed under this name is this worker's yet: it lives, and never lapsed since."""
        return self._database.is_sqlite or (claimed_by == self.worker_id and self.is_alive)

    def holds_lease(self, name: str) -> bool:
        """Whether this process works for a workspace, or has a duty."""
        return self._database.is_sqlite or (name in self._held_leases and self.is_alive)

    async def heartbeat(self, workspaces: Collection[str]) -> frozenset[str]:
        """Give a sign of life, and take or give away leases; return what was gained.

        `workspaces` are those this process could work for; without any it is no worker. Each takes its even
        part of what is free; a newcomer gets room once. Raises StoreUnavailable.
        """
        if self._database.is_sqlite:
            return frozenset()
        if not workspaces:
            await self.release_all()
            return frozenset()
        async with self._lock:
            return await self._heartbeat({*workspaces, *SINGLETON_JOBS})

    async def _heartbeat(self, wanted: set[str]) -> frozenset[str]:
        began = self._elapsed()
        async with self._database.independent_transaction() as connection:
            await self._read_database_clock(connection)
            worker_id, known = await self._renew_worker(connection)
            await connection.execute(delete(_w).where(_w.c.id.not_in(self._live_workers())))
            living = frozenset(str(name) for name in (await connection.execute(select(_w.c.id))).scalars())
            rows = (await connection.execute(select(_l))).all()
            unknown = wanted - {row.name for row in rows}
            if unknown:
                await _insert_leases(connection, unknown)
                rows = (await connection.execute(select(_l))).all()
            now = (await connection.execute(select(_database_now()))).scalar_one()
            mine = {row.name for row in rows if row.worker_id == worker_id}
            workspaces = wanted - SINGLETON_JOBS
            part = -(-len(workspaces) // len(living))
            free = [row for row in rows if row.name in wanted and row.worker_id not in living]
            taken = await self._acquire(
                connection, worker_id, _choose_leases(free, part - len(mine & workspaces), now)
            )
            given = mine - wanted
            if living != self._balanced_for:
                given |= set(sorted(mine & workspaces)[part:])
            await _release(connection, worker_id, given)
        if known != self._is_registered and self._is_registered:
            log.warning("lease_expired", was=self.worker_id, now=worker_id)
        gained = frozenset(taken) if known else frozenset(mine | taken)
        self.worker_id, self._is_registered = worker_id, True
        self._balanced_for = living
        self._held_leases = frozenset((mine | taken) - given)
        self._alive_until = began + self._lease_duration.total_seconds()
        if taken or given:
            log.info("leases_changed", held=len(self._held_leases), taken=len(taken), given=len(given))
        return gained

    async def _renew_worker(self, connection: AsyncConnection) -> tuple[str, bool]:
        """Return under which name this worker lives now, and whether it did before."""
        until = _database_now() + self._lease_duration
        if self._is_registered:
            again = update(_w).where(_w.c.id == self.worker_id)
            if not self.is_alive:
                # Somebody may be about to take it for dead, whether or not its row is gone yet.
                again = again.where(_w.c.alive_until > _database_now())
            if (await connection.execute(again.values(alive_until=until))).rowcount:
                return self.worker_id, True
        name = _new_worker_id() if self._is_registered else self.worker_id
        await connection.execute(
            # It is there already if only the answer to an earlier try was lost.
            upsert(_w)
            .values(id=name, alive_until=until)
            .on_conflict_do_update(index_elements=[_w.c.id], set_={"alive_until": until})
        )
        return name, False

    async def _read_database_clock(self, connection: AsyncConnection) -> None:
        before = self._elapsed()
        said = (await connection.execute(select(_database_now()))).scalar_one()
        reading, known = ClockReading(said, before, self._elapsed()), self._database_clock
        if known is not None and clock_jumped(known, reading):
            self._clock_unsure_until = reading.monotonic_after + self._lease_duration.total_seconds()
            log.warning("database_clock_jumped", was=known.reported.isoformat(), now=said.isoformat())
        self._database_clock = reading

    def _live_workers(self) -> Select[tuple[str]]:
        """For a query: who gave a sign of life that is still good."""
        now = self._elapsed()
        if now < self._clock_unsure_until:
            return select(_w.c.id)
        good = _w.c.alive_until > _database_now()
        if now >= self._newcomer_until:
            # Written before the clock was set back: who lives has given another sign since.
            good &= _w.c.alive_until <= _database_now() + 2 * self._lease_duration
        return select(_w.c.id).where(good)

    async def _acquire(self, connection: AsyncConnection, worker_id: str, names: Collection[str]) -> set[str]:
        if not names:
            return set()
        # Of two that want the same one waits for nothing and looks again.
        free = (
            select(_l.c.name)
            .where(_l.c.name.in_(names), self.is_orphaned(_l.c.worker_id))
            .with_for_update(skip_locked=True)
        )
        taken = update(_l).where(_l.c.name.in_(free)).values(worker_id=worker_id, since=_database_now())
        return set((await connection.execute(taken.returning(_l.c.name))).scalars())

    async def has_other_workers(self) -> bool:
        """Whether another process delivers from this database."""
        if self._database.is_sqlite:
            return False
        async with self._database.read_transaction() as connection:
            others = self._live_workers().where(_w.c.id != self.worker_id)
            return (await connection.execute(others.limit(1))).first() is not None

    async def count_workers(self) -> int | None:
        """How many processes deliver; None on SQLite, where only this one may. Raises StoreUnavailable."""
        if self._database.is_sqlite:
            return None
        async with self._database.read_transaction() as connection:
            return len((await connection.execute(self._live_workers())).all())

    async def release_all(self) -> None:
        """Give everything back at once, at the end. Raises StoreUnavailable."""
        if self._database.is_sqlite:
            return
        async with self._lock:
            self._held_leases, self._alive_until = frozenset(), 0.0
            if self._is_registered:
                await self._release_all()

    async def _release_all(self) -> None:
        # `writing` wakes the others.
        async with self._database.exclusive_transaction() as connection:
            mine = update(_l).where(_l.c.worker_id == self.worker_id)
            await connection.execute(mine.values(worker_id=None, since=_database_now() - GRACE_PERIOD))
            await connection.execute(delete(_w).where(_w.c.id == self.worker_id))
        self._is_registered = False
        self.worker_id = _new_worker_id()

    def is_orphaned(self, worker_id: ColumnElement[Any]) -> ColumnElement[bool]:
        """For a query: whether what a worker had claimed is nobody's any more."""
        return worker_id.is_(None) | worker_id.not_in(self._live_workers())

    def owned_workspaces(self) -> Select[tuple[str]]:
        """For a query: the names this worker has the leases of, by the database's word."""
        return select(_l.c.name).where(_l.c.worker_id == self.worker_id)


def _new_worker_id() -> str:
    return f"{socket.gethostname()[:32]}-{os.getpid()}-{secrets.token_hex(4)}"


def _database_now() -> ColumnElement[Any]:
    # Not now(): that is when the transaction began.
    return func.clock_timestamp(type_=DateTime(timezone=True))


def _choose_leases(free: Sequence[Any], room: int, now: Any) -> list[str]:
    """Which of the free leases to take: duties, what there is room for, and what nobody else wants."""
    duties = [row for row in free if row.name in SINGLETON_JOBS]
    workspaces = sorted(
        (row for row in free if row.name not in SINGLETON_JOBS), key=lambda row: str(row.name)
    )
    within = workspaces[: max(room, 0)]
    beyond = [row for row in workspaces[max(room, 0) :] if now - row.since >= GRACE_PERIOD]
    return [row.name for row in (*duties, *within, *beyond)]


async def _insert_leases(connection: AsyncConnection, names: Collection[str]) -> None:
    rows = [{"name": name, "worker_id": None} for name in sorted(names)]
    await connection.execute(upsert(_l).values(since=_database_now()).on_conflict_do_nothing(), rows)


async def _release(connection: AsyncConnection, worker_id: str, names: Collection[str]) -> None:
    if not names:
        return
    mine = update(_l).where(_l.c.name.in_(names), _l.c.worker_id == worker_id)
    await connection.execute(mine.values(worker_id=None, since=_database_now()))
