"""Repository of what was read in the Treasure Map: others' pointings for each superevent, and instruments.

No alert waits for it: of what is delivered, only a line of the Follow-up reply comes from these rows.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import structlog
from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.observing.footprints import FootprintProblem, polygon_footprint
from bot.runtime.single_flight import SingleFlight
from bot.store import schema
from bot.store.database import Database
from bot.store.events.treasure_map_content import ReportedPointings, from_bytes, to_bytes
from bot.store.outbox.follow_up_writer import request_follow_ups
from bot.store.outbox.plan_writer import load_threads
from formatters.models.notice import Category
from formatters.models.pointing import Footprint
from formatters.models.treasure_map import (
    NOT_READ,
    ReportedObservation,
    TreasureMapReading,
    TreasureMapState,
)

ASK_PAUSE = timedelta(minutes=2)
"""Age of an event's last request up to which a new question gets its answer."""
LONGEST_WAIT = timedelta(hours=2)
"""A next request further ahead was planned before the clock was set back, and is due."""

READINGS_KEPT = 2
"""Events whose pointings are kept as they were read: those of 100,000 take some 15 MB."""

Polygons = Sequence[Sequence[tuple[float, float]]]

_e = schema.treasure_map_events
_i = schema.treasure_map_instruments
_s = schema.superevents

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class EventToRead:
    """A superevent that is due, or that may have to be read from now on."""

    superevent_id: str
    event_time: datetime
    revision: int
    """The number of its notices, which changes with each."""
    failures: int
    """The number of requests that failed since the last complete answer."""


@dataclass(frozen=True, slots=True)
class ReportedInstrument:
    """An instrument of the Treasure Map's list."""

    id: int
    name: str
    nickname: str | None


@dataclass(frozen=True, slots=True)
class KnownInstrument:
    """The times at which an instrument was read."""

    listed_at: datetime
    footprint_read_at: datetime | None


class TreasureMapRepository:
    """Stores what the Treasure Map answered. Methods raise StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._readings: SingleFlight[tuple[Any, ...], TreasureMapReading] = SingleFlight(READINGS_KEPT)
        self.is_read = False
        """True if the settings have the Treasure Map read, by this process or another."""

    async def pointings(self, superevent_id: str) -> TreasureMapReading:
        """Return the last reading of a superevent, with the instruments' names and fields of view.

        A fan-out asks for each of its channels: the pointings, of which there may be 100,000, are read again
        only if the row or an instrument was written since, which is asked each time.
        """
        listed = select(func.count(), func.max(_i.c.listed_at), func.max(_i.c.footprint_read_at))
        listed = listed.add_columns(func.sum(func.length(_i.c.polygons)))
        row = select(_e.c.read_at, _e.c.problem, func.length(_e.c.content)).where(
            _e.c.superevent_id == superevent_id
        )
        async with self._database.read_transaction() as connection:
            found = (await connection.execute(row)).first()
            if found is None:
                return NOT_READ
            version = (superevent_id, *found, *(await connection.execute(listed)).one())
        return await self._readings.get(version, lambda: self._read(superevent_id))

    async def _read(self, superevent_id: str) -> TreasureMapReading:
        async with self._database.read_transaction() as connection:
            query = select(_e).where(_e.c.superevent_id == superevent_id)
            row = (await connection.execute(query)).first()
            if row is None:
                return NOT_READ
            instruments = () if row.content is None else (await connection.execute(select(_i))).all()
        return await asyncio.to_thread(_reading, row, instruments)

    async def ask(self, superevent_id: str, now: datetime) -> None:
        """Request that a superevent is read soon, since somebody asks, unless its last request is recent."""
        async with self._database.independent_transaction() as connection:
            new = _insert(connection, _e).values(superevent_id=superevent_id, next_at=now, failures=0)
            is_old = or_(
                _e.c.tried_at.is_(None), _e.c.tried_at <= now - ASK_PAUSE, _e.c.tried_at > now
            ) & or_(_e.c.next_at.is_(None), _e.c.next_at > now)
            await connection.execute(
                new.on_conflict_do_update(
                    index_elements=["superevent_id"], set_={"next_at": now}, where=is_old
                )
            )

    async def list_due(self, now: datetime) -> list[EventToRead]:
        """Return the superevents that are to be read now, those that have waited longest first."""
        due = or_(_e.c.next_at <= now, _e.c.next_at > now + LONGEST_WAIT)
        # It knows LVK's real events only.
        return await self._events(due & (_s.c.category == Category.REAL.value), _e.c.next_at)

    async def list_young(self, since: datetime) -> list[EventToRead]:
        """Return the real superevents after a time that have a thread and aren't read regularly."""
        threads = schema.threads
        has_thread = select(threads.c.id).where(threads.c.superevent_id == _s.c.superevent_id).exists()
        is_young = (_s.c.category == Category.REAL.value) & (_s.c.event_time >= since)
        return await self._events(is_young & has_thread & _e.c.next_at.is_(None), _s.c.event_time.desc())

    async def _events(self, where: ColumnElement[bool], order: Any) -> list[EventToRead]:
        columns = (_s.c.superevent_id, _s.c.event_time, _s.c.revision, _e.c.failures)
        joined = _s.outerjoin(_e, _e.c.superevent_id == _s.c.superevent_id)
        query = select(*columns).select_from(joined).where(where).order_by(order, _s.c.superevent_id)
        async with self._database.read_transaction() as connection:
            rows = (await connection.execute(query)).all()
        return [EventToRead(row[0], row[1], row[2], row[3] or 0) for row in rows]

    async def begin(self, superevent_id: str, next_at: datetime) -> None:
        """Schedule regular readings of a superevent, beginning at `next_at`."""
        async with self._database.independent_transaction() as connection:
            new = _insert(connection, _e).values(superevent_id=superevent_id, next_at=next_at, failures=0)
            await connection.execute(
                new.on_conflict_do_update(
                    index_elements=["superevent_id"], set_={"next_at": next_at}, where=_e.c.next_at.is_(None)
                )
            )

    async def record(
        self, superevent_id: str, pointings: ReportedPointings, now: datetime, next_at: datetime | None
    ) -> bool:
        """Store a complete answer in place of the last one; return whether it differs from that.

        If so, Follow-up replies that stand are brought up to date, which say what is covered: by an edit that
        can wait, and none is posted for it.

        `next_at` is the time of the next request; None if there is none unless somebody asks.
        """
        content = await asyncio.to_thread(to_bytes, pointings)
        row = {"next_at": next_at, "tried_at": now, "read_at": now, "failures": 0, "problem": None}
        here = _e.c.superevent_id == superevent_id
        async with self._database.independent_transaction() as connection:
            known = (await connection.execute(select(_e.c.content).where(here))).scalar()
            if known == content:
                await connection.execute(update(_e).where(here).values(row))
                return False
        async with self._database.exclusive_transaction() as connection:
            new = _insert(connection, _e).values(superevent_id=superevent_id, content=content, **row)
            await connection.execute(
                new.on_conflict_do_update(index_elements=["superevent_id"], set_={**row, "content": content})
            )
            threads = await load_threads(connection, superevent_id)
            channels = {thread.id: thread.channel for thread in threads}
            await request_follow_ups(connection, channels, now, create=False, can_wait=True)
        return True

    async def record_failure(
        self, superevent_id: str, problem: str, now: datetime, next_at: datetime | None
    ) -> None:
        """Store why a request failed; what was read before stays."""
        failed = {"next_at": next_at, "tried_at": now, "problem": problem}
        async with self._database.independent_transaction() as connection:
            await connection.execute(
                update(_e)
                .where(_e.c.superevent_id == superevent_id)
                .values(failures=_e.c.failures + 1, **failed)
            )

    async def instruments(self) -> dict[int, KnownInstrument]:
        """Return when each known instrument was read, by the Treasure Map's id."""
        query = select(_i.c.instrument_id, _i.c.listed_at, _i.c.footprint_read_at)
        async with self._database.read_transaction() as connection:
            return {row[0]: KnownInstrument(row[1], row[2]) for row in await connection.execute(query)}

    async def record_instruments(self, instruments: Iterable[ReportedInstrument], now: datetime) -> None:
        """Store the list of instruments; what it no longer holds stays for old pointings."""
        async with self._database.independent_transaction() as connection:
            for one in instruments:
                names = {"name": one.name, "nickname": one.nickname, "listed_at": now}
                new = _insert(connection, _i).values(instrument_id=one.id, **names)
                await connection.execute(
                    new.on_conflict_do_update(index_elements=["instrument_id"], set_=names)
                )

    async def record_footprint(self, instrument_id: int, polygons: Polygons, now: datetime) -> None:
        """Store the field of view of an instrument that is known; no polygons if it has none to be used."""
        read = {"polygons": json.dumps(polygons), "footprint_read_at": now}
        async with self._database.independent_transaction() as connection:
            await connection.execute(update(_i).where(_i.c.instrument_id == instrument_id).values(read))

    async def state(self) -> TreasureMapState:
        """Return how reading goes."""
        tried = select(_e.c.problem).where(_e.c.tried_at.is_not(None))
        newest = tried.order_by(_e.c.tried_at.desc()).limit(1)
        counts = select(func.max(_e.c.read_at), func.count(_e.c.next_at))
        async with self._database.read_transaction() as connection:
            read_at, events = (await connection.execute(counts)).one()
            problem = (await connection.execute(newest)).scalar()
        return TreasureMapState(read_at=read_at, problem=problem, events=events)


def _insert(connection: AsyncConnection, table: Any) -> Any:
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    return insert(table)


def _reading(row: Any, instruments: Sequence[Any]) -> TreasureMapReading:
    pointings = ReportedPointings()
    if row.content is not None:
        try:
            pointings = from_bytes(row.content)
        except ValueError as error:
            # Of a later version: the next answer replaces it.
            log.error("stored_pointings_unreadable", superevent_id=row.superevent_id, reason=str(error))
            return replace(NOT_READ, problem=row.problem)
    by_id = {one.instrument_id: one for one in instruments}
    observations = tuple(_with_instrument(one, by_id) for one in pointings.observations)
    return TreasureMapReading(
        observations=observations, read_at=row.read_at, problem=row.problem, left_out=pointings.left_out
    )


def _with_instrument(one: ReportedObservation, instruments: Mapping[int, Any]) -> ReportedObservation:
    row = instruments.get(one.instrument_id)
    if row is None:
        return one
    names = dict.fromkeys(name for name in (row.nickname, row.name) if name and name != one.instrument)
    footprint = None if not row.polygons else _footprint(row.polygons, one.instrument)
    return replace(one, other_names=tuple(names), footprint=footprint)


@lru_cache(maxsize=500)
def _footprint(polygons: str, name: str) -> Footprint | None:
    """Return the field of view of stored polygons; None if there is none that can be used."""
    try:
        found = [[(float(x), float(y)) for x, y in polygon] for polygon in json.loads(polygons)]
        return polygon_footprint(found, name) if found else None
    except (FootprintProblem, TypeError, ValueError):
        return None
