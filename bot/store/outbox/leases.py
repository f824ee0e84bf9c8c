"""Lease workspaces and singleton jobs to the processes that share one PostgreSQL database.

Several processes of the bot (workers) can deliver from one PostgreSQL database. The leases ensure that each
workspace is served by one worker at a time, and that another worker takes over soon after one dies. SQLite
allows only one process: on SQLite that process holds every lease, and nothing is written for it.

The table `workers` has one row for each worker, with the time until which it counts as alive. The table
`leases` has one row for each workspace and singleton job, with the worker that holds it, if any.

Who may send
------------
A worker claims deliveries only from workspaces whose leases it holds (`WorkerLeases.owned_workspaces`), and
each claimed row records the worker's id. Before and while it sends a delivery, it checks that the claim is
still valid (`is_claim_valid`): the worker is alive, and has the id under which the delivery was claimed. A
worker that has lapsed gets a new id when it returns. Claims under the old id are therefore never valid again,
even if the worker was only paused, because other workers may have taken them over meanwhile.

Heartbeat
---------
Every `HEARTBEAT_INTERVAL_S` seconds a worker calls `WorkerLeases.heartbeat`. In one transaction, which waits
for no delivery's transaction, the heartbeat extends the worker's row by `LEASE_DURATION`, deletes the rows of
dead workers, adds leases that do not exist yet, and takes or releases leases.

Take-over
---------
A worker whose last heartbeat is older than `LEASE_DURATION` is dead, and a lease is free if no live worker
holds it. The next heartbeat of any other worker takes free leases. Two workers that want the same lease do
not wait for each other: the one that comes second skips the locked row and looks again at its next heartbeat.
A worker that stops in an orderly way releases its leases at once (`release_all`), so that nobody has to wait
for them to expire.

Even shares and newcomers
-------------------------
The share of a worker is the number of workspaces that it could serve, divided by the number of live workers
and rounded up. A worker takes free leases until it has its share. A lease that has been free for
`GRACE_PERIOD` is taken by any worker that could serve it, even beyond its share, so that no workspace stays
without a worker. When the set of live workers changes, each worker once releases the leases that exceed its
new share. This makes room for newcomers; until the next change, leases do not move between live workers.

Clocks
------
A worker measures the validity of its own leases with the machine's monotonic clock, which advances while the
process is paused, starting before the heartbeat's transaction begins. It therefore stops sending before the
others can consider it dead. The others compare `alive_until` with the database's clock, which is the same for
all of them. That clock can be set forward or back:

- If a heartbeat detects that the database's clock jumped, this worker considers no worker dead until one
  `LEASE_DURATION` has passed, so that each live worker has time for a heartbeat by the new clock.
- An `alive_until` more than twice `LEASE_DURATION` ahead was written before the clock was set back, and does
  not count. A worker that has just started ignores this rule for one `LEASE_DURATION`, because it cannot know
  yet whether such a row is about to be renewed.

Singleton jobs
--------------
Work that one process does on behalf of all, such as the purge, has leases too (`SINGLETON_JOBS`). They do not
count towards the shares: the first worker that finds such a lease free takes it, and keeps it until it stops
or dies.
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
from sqlalchemy import ColumnElement, DateTime, Select, bindparam, delete, func, select, true, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.runtime import machine_clock
from bot.runtime.clock_rate import ClockReading, clock_jumped
from bot.store import schema
from bot.store.database import Database

LEASE_DURATION = timedelta(seconds=6)
"""The time after its last heartbeat at which a worker counts as dead.

It is short enough for another worker to notice, take over and send within 10 s.
"""
HEARTBEAT_INTERVAL_S = 1.0
"""The time between two heartbeats of a worker, in seconds."""
GRACE_PERIOD = timedelta(seconds=3)
"""The time after which a free lease may be taken by any worker, even beyond its even share."""

PURGE_JOB = "*purge"
"""The lease name of the singleton job that purges old rows. No workspace id begins with an asterisk."""
REPAIR_JOB = "*repair"
"""The lease name of the singleton job that fetches missed notices from GraceDB."""
TREASURE_MAP_JOB = "*treasure"
"""The lease name of the singleton job that reads others' pointings."""
SINGLETON_JOBS = frozenset({PURGE_JOB, REPAIR_JOB, TREASURE_MAP_JOB})
"""The lease names of all jobs that one process does on behalf of all."""

_w = schema.workers
_l = schema.leases

log = structlog.get_logger(__name__)


class WorkerLeases:
    """A registry of the leases that this process holds as a worker, renewed by its heartbeat."""

    def __init__(
        self,
        database: Database,
        lease: timedelta = LEASE_DURATION,
        elapsed: Callable[[], float] = machine_clock.monotonic_time,
    ) -> None:
        """Start without leases. `elapsed` is a monotonic clock that advances while the process is paused."""
        self._database = database
        self._lease_duration = lease
        self._elapsed = elapsed
        self.worker_id = _new_worker_id()
        """This worker's id. It is replaced after a lapse, when other workers may own the old id's claims."""
        self._held_leases: frozenset[str] = frozenset()
        self._alive_until = 0.0
        self._is_registered = False
        self._database_clock: ClockReading | None = None
        self._newcomer_until = elapsed() + lease.total_seconds()
        """The monotonic time until which heartbeats too far ahead count, as they may yet be renewed."""
        self._clock_unsure_until = 0.0
        """The monotonic time until which no worker counts as dead, because the database's clock jumped."""
        self._balanced_for: frozenset[str] = frozenset()
        """The live workers at the last heartbeat; if they change, excess leases are released once."""
        self._lock = asyncio.Lock()

    @property
    def is_alive(self) -> bool:
        """Return True if the other workers still consider this one alive, by this process's own clock."""
        return self._database.is_sqlite or self._elapsed() < self._alive_until

    def is_claim_valid(self, claimed_by: str) -> bool:
        """Return True if this worker is alive and has not lapsed since it made the claim.

        `claimed_by` is the worker id that the claim was made under.
        """
        return self._database.is_sqlite or (claimed_by == self.worker_id and self.is_alive)

    def holds_lease(self, name: str) -> bool:
        """Return True if this process holds the lease of a workspace (its team id) or of a singleton job."""
        return self._database.is_sqlite or (name in self._held_leases and self.is_alive)

    async def heartbeat(self, workspaces: Collection[str]) -> frozenset[str]:
        """Renew this worker, take and release leases, and return the names of the leases it gained.

        `workspaces` are the team ids that this process is able to serve. If it is empty, this process is not
        a worker and releases everything. Otherwise it takes free leases up to its even share, releases
        those that it can no longer serve, and releases the excess once whenever the set of live workers has
        changed. After a lapse, every lease that it holds counts as gained. On SQLite nothing happens, and the
        result is empty. Raises StoreUnavailable.
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
        """Extend this worker's row, or register the worker under a new id if it has lapsed.

        Return the worker's id, and True if it was renewed or False if it was registered.
        """
        until = _database_now() + self._lease_duration
        if self._is_registered:
            again = update(_w).where(_w.c.id == self.worker_id)
            if not self.is_alive:
                # Another worker may consider it dead already, even if its row has not been deleted yet.
                again = again.where(_w.c.alive_until > _database_now())
            if (await connection.execute(again.values(alive_until=until))).rowcount:
                return self.worker_id, True
        name = _new_worker_id() if self._is_registered else self.worker_id
        await connection.execute(
            # The row exists already if an earlier attempt was committed but its answer was lost.
            upsert(_w)
            .values(id=name, alive_until=until)
            .on_conflict_do_update(index_elements=[_w.c.id], set_={"alive_until": until})
        )
        return name, False

    async def _read_database_clock(self, connection: AsyncConnection) -> None:
        """Read the database's clock; if it has jumped, consider no worker dead for one lease duration."""
        before = self._elapsed()
        said = (await connection.execute(select(_database_now()))).scalar_one()
        reading, known = ClockReading(said, before, self._elapsed()), self._database_clock
        if known is not None and clock_jumped(known, reading):
            self._clock_unsure_until = reading.monotonic_after + self._lease_duration.total_seconds()
            log.warning("database_clock_jumped", was=known.reported.isoformat(), now=said.isoformat())
        self._database_clock = reading

    def _live_workers(self) -> Select[tuple[str]]:
        """Return a query for the ids of the live workers, by the database's clock.

        After a jump of that clock, it returns every registered worker for one lease duration.
        """
        now = self._elapsed()
        if now < self._clock_unsure_until:
            return select(_w.c.id)
        good = _w.c.alive_until > _database_now()
        if now >= self._newcomer_until:
            # A time further ahead was written before the clock was set back; no live worker has such a time.
            good &= _w.c.alive_until <= _database_now() + 2 * self._lease_duration
        return select(_w.c.id).where(good)

    async def _acquire(self, connection: AsyncConnection, worker_id: str, names: Collection[str]) -> set[str]:
        """Take those of the named leases that are still free, and return their names."""
        if not names:
            return set()
        # If two workers want the same lease, the second skips it and looks again at its next heartbeat.
        free = (
            select(_l.c.name)
            .where(_l.c.name.in_(names), self.is_orphaned(_l.c.worker_id))
            .with_for_update(skip_locked=True)
        )
        taken = update(_l).where(_l.c.name.in_(free)).values(worker_id=worker_id, since=_database_now())
        return set((await connection.execute(taken.returning(_l.c.name))).scalars())

    async def has_other_workers(self) -> bool:
        """Return True if another live worker delivers from this database. Raises StoreUnavailable."""
        if self._database.is_sqlite:
            return False
        async with self._database.read_transaction() as connection:
            others = self._live_workers().where(_w.c.id != self.worker_id)
            return (await connection.execute(others.limit(1))).first() is not None

    async def count_workers(self) -> int | None:
        """Return the number of live workers, or None on SQLite. Raises StoreUnavailable."""
        if self._database.is_sqlite:
            return None
        async with self._database.read_transaction() as connection:
            return len((await connection.execute(self._live_workers())).all())

    async def release_all(self) -> None:
        """Release all leases and unregister this worker, so that others can take over immediately.

        Raises StoreUnavailable.
        """
        if self._database.is_sqlite:
            return
        async with self._lock:
            self._held_leases, self._alive_until = frozenset(), 0.0
            if self._is_registered:
                await self._release_all()

    async def _release_all(self) -> None:
        # An exclusive transaction notifies the other processes.
        async with self._database.exclusive_transaction() as connection:
            mine = update(_l).where(_l.c.worker_id == self.worker_id)
            await connection.execute(mine.values(worker_id=None, since=_database_now() - GRACE_PERIOD))
            await connection.execute(delete(_w).where(_w.c.id == self.worker_id))
        self._is_registered = False
        self.worker_id = _new_worker_id()

    def is_orphaned(self, worker_id: ColumnElement[Any]) -> ColumnElement[bool]:
        """Return an SQL condition that is true if a column of worker ids holds no live worker's id."""
        return worker_id.is_(None) | worker_id.not_in(self._live_workers())

    def owned_workspaces(self) -> Select[tuple[str]]:
        """Return a query for the names of the leases that this worker holds according to the database.

        It asks for the id that the worker has when it is executed, so it may be built once.
        """
        now = bindparam(None, callable_=lambda: self.worker_id, unique=True, type_=_l.c.worker_id.type)
        return select(_l.c.name).where(_l.c.worker_id == now)

    def serves_or_nobody_does(self, team_id: ColumnElement[str]) -> ColumnElement[bool]:
        """Return the condition that this worker serves a workspace, or that no worker does.

        It is for work that needs no Slack and mustn't wait for it: a process that is started while Slack is
        down doesn't know its workspaces. Several may do such work at once, each in an exclusive transaction.
        """
        if self._database.is_sqlite:
            return true()
        served = select(_l.c.name).where(_l.c.worker_id.in_(self._live_workers()))
        return team_id.in_(self.owned_workspaces()) | team_id.not_in(served)


def _new_worker_id() -> str:
    return f"{socket.gethostname()[:32]}-{os.getpid()}-{secrets.token_hex(4)}"


def _database_now() -> ColumnElement[Any]:
    # Not now(), which is the time at which the transaction began.
    return func.clock_timestamp(type_=DateTime(timezone=True))


def _choose_leases(free: Sequence[Any], room: int, now: Any) -> list[str]:
    """Return the names of the free leases to take.

    These are all singleton jobs, as many workspaces as there is `room` for in the worker's share, and every
    workspace that has been free for `GRACE_PERIOD`.
    """
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
