"""Repository of observations: what a channel's people plan, have made and gave up of a superevent.

Each instrument has one plan; a newer one takes its place. What was done is a row for each report, and stays.
A plan's row keeps all its fields, so that "the first 12" means the same the whole night; what is *read* as
planned are those that the instrument hasn't done since.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.routing.intents import ChannelRef
from bot.store import schema
from bot.store.channels.clauses import in_channel
from bot.store.channels.event_actions import record_action
from bot.store.channels.observation_rows import (
    NOTE_MAX,
    folded_name,
    observations_from_rows,
    row_values,
)
from bot.store.database import Database
from bot.store.outbox.edit_writer import mark_threads_stale
from bot.store.outbox.follow_up_writer import request_follow_ups
from formatters.models.event_action import EventAction, EventActionKind
from formatters.models.observation import (
    NewObservation,
    Observation,
    ObservationStatus,
    ObservedField,
    without_done_fields,
)

MAX_OBSERVATIONS = 50
"""The most observations of one event in one channel."""
COALESCE_FOR = timedelta(seconds=30)
"""Time from a report to the edit of the card: what comes meanwhile is in the same edit."""

_o = schema.observations
_t = schema.threads


class TooManyObservations(ValueError):
    """The channel has as many observations of the event as it may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanResult:
    """The result of storing a plan."""

    observation: Observation
    replaced: tuple[Observation, ...]
    """The instrument's plans before it, with all their fields; usually none or one."""
    has_thread: bool
    """The channel has a message of the event, whose card shows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoneResult:
    """The result of storing a report that something was observed."""

    observation: Observation
    corrected: Observation | None
    """The report of the same fields, band and time that it takes the place of; None if there was none."""
    left: int
    """Fields of the instrument's plan that aren't done yet."""
    has_thread: bool
    """The channel has a message of the event, whose card shows it."""


class ObservationRepository:
    """Stores observations, each with its row in the log of actions, and has card and Follow-up reply edited.

    Methods raise StoreUnavailable.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def plan(self, new: NewObservation, detail: str, now: datetime) -> PlanResult:
        """Store an instrument's plan in place of its older one; `detail` says in words what is planned.

        Raises TooManyObservations.
        """
        async with self._database.exclusive_transaction() as connection:
            older = await _load(connection, _is_plan_of(new))
            if older:
                new = replace(new, instrument=older[-1].instrument)
            await connection.execute(delete(_o).where(_o.c.id.in_([one.id for one in older])))
            stored = await _insert(connection, new, ObservationStatus.PLANNED, now)
            has_thread = await _record(connection, new, EventActionKind.PLANNED, detail, now)
        return PlanResult(observation=stored, replaced=older, has_thread=has_thread)

    async def done(self, new: NewObservation, detail: str, now: datetime) -> DoneResult:
        """Store what an instrument observed; a report of the same fields, band and time replaces the former.

        Raises TooManyObservations.
        """
        async with self._database.exclusive_transaction() as connection:
            twin = await self._find_twin(connection, new)
            if twin is None:
                stored = await _insert(connection, new, ObservationStatus.DONE, now)
            else:
                values = row_values(new, ObservationStatus.DONE, now)
                values |= {"created_at": twin.created_at, "instrument": twin.instrument}
                await connection.execute(update(_o).where(_o.c.id == twin.id).values(values))
                (stored,) = await _load(connection, _o.c.id == twin.id)
            has_thread = await _record(connection, new, EventActionKind.OBSERVED, detail, now)
            here = _of_event((new.team_id, new.channel_id), new.superevent_id)
            left = without_done_fields(await _load(connection, here & _is_instrument(new.instrument)))
        planned = sum(len(one.fields) for one in left if one.status == ObservationStatus.PLANNED)
        return DoneResult(observation=stored, corrected=twin, left=planned, has_thread=has_thread)

    async def cancel(self, new: NewObservation, detail: str, now: datetime) -> tuple[Observation, ...]:
        """Cancel an instrument's plan for the reason in `new.note`; return the plans that were cancelled.

        What is done stays done. An instrument without a plan has nothing to cancel: nothing is stored.
        """
        async with self._database.exclusive_transaction() as connection:
            plans = await _load(connection, _is_plan_of(new))
            here = _of_event((new.team_id, new.channel_id), new.superevent_id)
            left = {
                one.id: one.fields
                for one in without_done_fields(await _load(connection, here & _is_instrument(new.instrument)))
            }
            open_plans = [one for one in plans if one.id in left]
            # With all its fields: what is done after all is told by the numbers of the plan.
            values = {
                "status": ObservationStatus.CANCELLED.value,
                "user_id": new.user_id,
                "changed_at": now,
                "note": new.note[:NOTE_MAX],
            }
            cancelled = _o.c.id.in_([one.id for one in open_plans])
            await connection.execute(update(_o).where(cancelled).values(values))
            if open_plans:
                await _record(connection, new, EventActionKind.CANCELLED, detail, now)
        return tuple(replace(one, fields=left[one.id]) for one in open_plans)

    async def last_done(
        self, team_id: str, channel_id: str, superevent_id: str, instrument: str
    ) -> Observation | None:
        """Return an instrument's newest report of what was done, None if there is none."""
        where = (
            _of_event((team_id, channel_id), superevent_id)
            & _is_instrument(instrument)
            & (_o.c.status == ObservationStatus.DONE.value)
        )
        async with self._database.read_transaction() as connection:
            found = await _load(connection, where)
        return max(found, key=lambda one: (one.changed_at, one.id), default=None)

    async def undo(self, done: Observation, new: NewObservation, detail: str, now: datetime) -> bool:
        """Delete a report of what was done; return whether it was still there.

        `new` says who takes it back, and where; the log of actions keeps that.
        """
        here = _of_event((new.team_id, new.channel_id), new.superevent_id)
        same = here & (_o.c.id == done.id) & (_o.c.changed_at == done.changed_at)
        async with self._database.exclusive_transaction() as connection:
            gone = (await connection.execute(delete(_o).where(same))).rowcount
            if gone:
                await _record(connection, new, EventActionKind.CANCELLED, detail, now)
        return bool(gone)

    async def whole_plan(
        self, team_id: str, channel_id: str, superevent_id: str, instrument: str
    ) -> Observation | None:
        """Return an instrument's newest plan with all its fields, done or not; None if it has none.

        One that was cancelled counts: the sky may have cleared.
        """
        where = (
            _of_event((team_id, channel_id), superevent_id)
            & _is_instrument(instrument)
            & (_o.c.status != ObservationStatus.DONE.value)
        )
        async with self._database.read_transaction() as connection:
            found = await _load(connection, where)
        return found[-1] if found else None

    async def for_event(self, team_id: str, channel_id: str, superevent_id: str) -> tuple[Observation, ...]:
        """Return a channel's observations of an event in the order in which they were reported first.

        A plan has the fields that its instrument hasn't done since; one without any left isn't returned.
        """
        async with self._database.read_transaction() as connection:
            found = await _load(connection, _of_event((team_id, channel_id), superevent_id))
        return without_done_fields(found)

    async def for_threads(self, thread_ids: Collection[int]) -> dict[int, tuple[Observation, ...]]:
        """Return the same as `for_event` by thread; threads without observations are left out."""
        here = (
            (_o.c.team_id == _t.c.team_id)
            & (_o.c.channel_id == _t.c.channel_id)
            & (_o.c.superevent_id == _t.c.superevent_id)
        )
        query = select(_o, _t.c.id.label("thread_id")).join(_t, here).where(_t.c.id.in_(thread_ids))
        by_thread: dict[int, list[object]] = {}
        async with self._database.read_transaction() as connection:
            for row in (await connection.execute(query.order_by(_o.c.id))).all():
                by_thread.setdefault(row.thread_id, []).append(row)
        found = {
            thread: without_done_fields(observations_from_rows(rows)) for thread, rows in by_thread.items()
        }
        return {thread: observations for thread, observations in found.items() if observations}

    async def _find_twin(self, connection: AsyncConnection, new: NewObservation) -> Observation | None:
        """Return the report, since the plan, of the same fields in the same band at the same time, if any."""
        here = _of_event((new.team_id, new.channel_id), new.superevent_id)
        where = here & _is_instrument(new.instrument) & (_o.c.status == ObservationStatus.DONE.value)
        plans = await _load(connection, _is_plan_of(new))
        newest_plan = max((one.id for one in plans), default=0)
        for one in await _load(connection, where):
            if one.id < newest_plan:
                # The fields were planned again since: this is another visit.
                continue
            same_time = one.observed_at == new.observed_at
            if same_time and one.band == new.band and _places(one.fields) == _places(new.fields):
                return one
        return None


def _places(fields: Collection[ObservedField]) -> set[tuple[float, float, datetime | None]]:
    return {(one.ra, one.dec, one.time) for one in fields}


def _of_event(channel: ChannelRef, superevent_id: str) -> ColumnElement[bool]:
    return in_channel(_o, channel) & (_o.c.superevent_id == superevent_id)


def _is_instrument(instrument: str) -> ColumnElement[bool]:
    return _o.c.folded == folded_name(instrument)


def _is_plan_of(new: NewObservation) -> ColumnElement[bool]:
    here = _of_event((new.team_id, new.channel_id), new.superevent_id)
    return here & _is_instrument(new.instrument) & (_o.c.status == ObservationStatus.PLANNED.value)


async def _load(connection: AsyncConnection, where: ColumnElement[bool]) -> tuple[Observation, ...]:
    rows = (await connection.execute(select(_o).where(where).order_by(_o.c.id))).all()
    return observations_from_rows(rows)


async def _insert(
    connection: AsyncConnection, new: NewObservation, status: ObservationStatus, now: datetime
) -> Observation:
    """Raises TooManyObservations."""
    here = _of_event((new.team_id, new.channel_id), new.superevent_id)
    count = (await connection.execute(select(func.count()).select_from(_o).where(here))).scalar_one()
    if count >= MAX_OBSERVATIONS:
        raise TooManyObservations(f"This channel has {MAX_OBSERVATIONS} observations of the event.")
    known = select(_o.c.instrument).where(here, _is_instrument(new.instrument)).limit(1)
    name: str | None = (await connection.execute(known)).scalar_one_or_none()
    # One instrument has one name, however it is typed the second time.
    values = row_values(new if name is None else replace(new, instrument=name), status, now)
    result = await connection.execute(insert(_o).values(values).returning(_o.c.id))
    (stored,) = await _load(connection, _o.c.id == int(result.scalar_one()))
    return stored


async def _record(
    connection: AsyncConnection, new: NewObservation, kind: EventActionKind, detail: str, now: datetime
) -> bool:
    """Write the action, and have the thread's card and Follow-up reply brought up to date.

    Only what covers something of the map asks for a reply where none stands, which is posted once it has
    something else to list too. Return whether there is a thread.
    """
    action = EventAction(
        team_id=new.team_id,
        channel_id=new.channel_id,
        superevent_id=new.superevent_id,
        user_id=new.user_id,
        kind=kind,
        at=now,
        detail=detail,
    )
    await record_action(connection, action)
    channel = (new.team_id, new.channel_id)
    query = select(_t.c.id).where(in_channel(_t, channel), _t.c.superevent_id == new.superevent_id)
    threads = dict.fromkeys((await connection.execute(query)).scalars(), channel)
    await mark_threads_stale(connection, threads, now, not_before=now + COALESCE_FOR)
    covers = kind is not EventActionKind.CANCELLED and bool(new.fields) and new.footprint is not None
    await request_follow_ups(connection, threads, now, create=covers, can_wait=True)
    return bool(threads)
