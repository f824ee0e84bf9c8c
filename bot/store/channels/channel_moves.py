"""Moves all data of a channel to another id: subscriptions, sites, threads, deliveries.

Slack gives some channels a new id when Slack Connect shares them. Somebody may have subscribed again under
the new id by then, so the data of both ids are merged, and nothing that only one of them has is lost.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Table,
    UniqueConstraint,
    and_,
    delete,
    func,
    insert,
    select,
    union,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.routing.intents import ChannelRef
from bot.store import schema
from bot.store.channels.clauses import in_channel
from bot.store.channels.reachability import requeue_channel
from bot.store.channels.subscription_numbers import (
    allocate_subscription_number,
    is_former_subscription_number,
    last_number,
    reserve_subscription_number,
)
from bot.store.database import Database
from bot.store.outbox.edit_writer import mark_threads_stale
from bot.store.outbox.escalation_writer import merge_escalations
from bot.store.outbox.follow_up_writer import request_follow_ups
from bot.store.outbox.models import DeliveryKind, DeliveryState

_d, _s, _t, _m = schema.deliveries, schema.subscriptions, schema.threads, schema.mentions
_f = schema.follow_ups

ONCE_PER_THREAD_KINDS = (
    DeliveryKind.ROOT.value,
    DeliveryKind.EDIT.value,
    DeliveryKind.FOLLOW_UP.value,
    DeliveryKind.FOLLOW_UP_EDIT.value,
)
"""Kinds of which a thread has one delivery."""
_PROGRESS = {
    DeliveryState.DEAD.value: 0,
    DeliveryState.PENDING.value: 1,
    DeliveryState.SENDING.value: 2,
    DeliveryState.SENT.value: 3,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveResult:
    """The numbers of rows that were moved."""

    subscriptions: int
    threads: int
    merged: int
    """Rows that both ids had, and that were merged into one."""

    def __bool__(self) -> bool:
        return bool(self.subscriptions or self.threads or self.merged)


class ChannelMoves:
    """Moves the data of channels to other ids. All methods raise StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def move_channel(
        self, old: ChannelRef, new: ChannelRef, since: datetime, now: datetime
    ) -> MoveResult:
        """Move all data of `old` to `new`, in one transaction; a repeated call finds nothing to move.

        Deliveries that were given up because `old` was unreachable are pending again if they are newer than
        `since`.
        """
        if old == new:
            return MoveResult(subscriptions=0, threads=0, merged=0)
        async with self._database.exclusive_transaction() as connection:
            problem = await _pop_problem(connection, old)
            own_problem = await _pop_problem(connection, new)
            subscriptions, same = await _move_subscriptions(connection, old, new)
            threads, joined = await _move_threads(connection, old, new, now)
            merged = same + joined + await _move_deliveries(connection, old, new)
            await _renumber_sites(connection, old, new)
            done = {_d.name, _s.name, _t.name, schema.channel_problems.name, schema.channel_numbers.name}
            for table in channel_tables():
                if table.name not in done:
                    merged += await _reassign_rows(
                        connection, table, _channel_columns(old), _channel_columns(new)
                    )
            steps = schema.escalation_steps
            here = select(schema.escalations.c.id).where(in_channel(schema.escalations, new))
            mine = update(steps).where(steps.c.escalation_id.in_(here))
            await connection.execute(mine.values(team_id=new[0]))
            if problem is not None:
                await _set_problem(connection, new, problem, now)
                await requeue_channel(connection, new, since, now)
            if own_problem is not None:
                await _set_problem(connection, new, own_problem, now)
        return MoveResult(subscriptions=subscriptions, threads=threads, merged=merged)

    async def list_foreign_channels(self, teams: Collection[str]) -> list[ChannelRef]:
        """Return the channels with subscriptions or sites whose workspace is none of `teams`.

        Workspaces that another process serves, with a token of its own, are left out.
        """
        served = select(schema.leases.c.name).where(schema.leases.c.worker_id.is_not(None))
        tables = (_s, schema.channel_sites, schema.channel_conditions)
        places = union(*(select(t.c.team_id, t.c.channel_id) for t in tables)).subquery()
        none_of_these = places.c.team_id.not_in(teams) & places.c.team_id.not_in(served)
        asked = select(places).where(none_of_these)
        async with self._database.read_transaction() as connection:
            rows = (await connection.execute(asked)).all()
        return sorted((row.team_id, row.channel_id) for row in rows)

    async def list_unreachable_channels(self) -> list[tuple[str, str, str]]:
        """Return (team, channel, Slack's error code) of subscribed channels that cannot be posted to."""
        c = schema.channel_problems
        here = (_s.c.team_id == c.c.team_id) & (_s.c.channel_id == c.c.channel_id)
        query = select(c.c.team_id, c.c.channel_id, c.c.problem).join(_s, here).distinct()
        async with self._database.read_transaction() as connection:
            rows = (await connection.execute(query)).all()
        return sorted((row.team_id, row.channel_id, row.problem) for row in rows)


def channel_tables() -> list[Table]:
    """Return every table with rows that belong to a channel."""
    return [t for t in schema.metadata.sorted_tables if {"team_id", "channel_id"} <= set(t.c.keys())]


def _channel_columns(channel: ChannelRef) -> dict[str, object]:
    return {"team_id": channel[0], "channel_id": channel[1]}


async def _load_rows(
    connection: AsyncConnection, table: Table, where: ColumnElement[bool]
) -> list[RowMapping]:
    order = list(table.primary_key.columns)
    return list((await connection.execute(select(table).where(where).order_by(*order))).mappings().all())


def _is_row(table: Table, row: RowMapping) -> ColumnElement[bool]:
    return and_(*(column == row[column.name] for column in table.primary_key.columns))


async def _reassign_rows(
    connection: AsyncConnection,
    table: Table,
    old_values: Mapping[str, object],
    new_values: Mapping[str, object],
) -> int:
    """Change the columns of all rows with the old values; return the number of rows that were dropped.

    A row that would violate a unique key is dropped in favour of the one that exists.
    """
    unique = [c.columns for c in table.constraints if isinstance(c, UniqueConstraint)]
    keys = [[c.name for c in columns] for columns in (table.primary_key.columns, *unique)]
    keys = [key for key in keys if set(key) & old_values.keys()]
    same = 0
    for row in await _load_rows(
        connection, table, and_(*(table.c[name] == value for name, value in old_values.items()))
    ):
        after = dict(row) | dict(new_values)
        taken = False
        for key in keys:
            if all(after[name] == row[name] for name in key):
                continue
            there = select(func.count()).where(and_(*(table.c[name] == after[name] for name in key)))
            taken = taken or bool((await connection.execute(there)).scalar_one())
        if taken:
            same += 1
            await connection.execute(delete(table).where(_is_row(table, row)))
        else:
            await connection.execute(update(table).where(_is_row(table, row)).values(dict(new_values)))
    return same


async def _pop_problem(connection: AsyncConnection, channel: ChannelRef) -> str | None:
    gone = (
        delete(schema.channel_problems)
        .where(in_channel(schema.channel_problems, channel))
        .returning(schema.channel_problems.c.problem)
    )
    problem: str | None = (await connection.execute(gone)).scalar_one_or_none()
    return problem


async def _set_problem(connection: AsyncConnection, channel: ChannelRef, problem: str, now: datetime) -> None:
    await connection.execute(
        delete(schema.channel_problems).where(in_channel(schema.channel_problems, channel))
    )
    await connection.execute(
        insert(schema.channel_problems).values(**_channel_columns(channel), problem=problem, since=now)
    )


async def _move_subscriptions(
    connection: AsyncConnection, old: ChannelRef, new: ChannelRef
) -> tuple[int, int]:
    """Return the numbers of subscriptions that were moved and that were merged with equal ones."""
    there = {row["words"]: row for row in await _load_rows(connection, _s, in_channel(_s, new))}
    # Messages of the new id show numbers that it gave: none of them may get another meaning.
    given = await last_number(connection, new)
    last = await last_number(connection, old)
    moved = same = 0
    rows = await _load_rows(connection, _s, in_channel(_s, old))
    # The same holds for numbers that subscriptions of the new id had before channels counted.
    other = {
        row["id"]
        for row in rows
        if row["number"] and await is_former_subscription_number(connection, new, row["number"])
    }
    await _reassign_rows(connection, schema.former_numbers, _channel_columns(old), _channel_columns(new))
    for row in rows:
        twin = there.get(row["words"])
        if twin is None:
            number = row["number"]
            if number is not None and (number <= given or row["id"] in other):
                number = await allocate_subscription_number(connection, new, beyond=last)
            await connection.execute(
                update(_s).where(_s.c.id == row["id"]).values(**_channel_columns(new), number=number)
            )
            moved += 1
            continue
        same += 1
        in_force = [r for r in (twin, row) if r["confirmed_at"] is not None]
        running = [r for r in in_force if r["paused_at"] is None]
        kept = (running or in_force or [twin])[0]
        values = {name: kept[name] for name in ("created_by", "confirmed_at", "paused_at")}
        await connection.execute(update(_s).where(_s.c.id == twin["id"]).values(values))
        await connection.execute(
            update(_t).where(_t.c.subscription_id == row["id"]).values(subscription_id=twin["id"])
        )
        confirmation = (_d.c.kind == DeliveryKind.CONFIRMATION.value) & (_d.c.subject_id == row["id"])
        await connection.execute(delete(_d).where(confirmation))
        await connection.execute(delete(_s).where(_s.c.id == row["id"]))
    if last:
        await reserve_subscription_number(connection, new, last)
        await connection.execute(
            delete(schema.channel_numbers).where(in_channel(schema.channel_numbers, old))
        )
    return moved, same


async def _move_threads(
    connection: AsyncConnection, old: ChannelRef, new: ChannelRef, now: datetime
) -> tuple[int, int]:
    """Return the numbers of threads that were moved and that were merged with one of the same superevent."""
    there = {row["superevent_id"]: row for row in await _load_rows(connection, _t, in_channel(_t, new))}
    moved = same = 0
    joined: set[int] = set()
    for row in await _load_rows(connection, _t, in_channel(_t, old)):
        twin = there.get(row["superevent_id"])
        if twin is None:
            moved += 1
        else:
            same += 1
            # If both roots are posted, the one that people see last continues.
            first = await _root_progress(connection, row) > await _root_progress(connection, twin)
            kept, lost = (row["id"], twin["id"]) if first else (twin["id"], row["id"])
            await merge_escalations(connection, kept, lost, now)
            await _merge_threads(connection, kept, lost)
            joined.add(kept)
        await connection.execute(update(_t).where(_t.c.id == row["id"]).values(_channel_columns(new)))
    posted = [row["id"] for row in await _load_rows(connection, _t, _t.c.id.in_(joined)) if row["root_ts"]]
    await mark_threads_stale(connection, dict.fromkeys(posted, new), now)
    asked = [row["thread_id"] for row in await _load_rows(connection, _f, _f.c.thread_id.in_(joined))]
    await request_follow_ups(connection, dict.fromkeys(asked, new), now)
    return moved, same


async def _root_progress(connection: AsyncConnection, thread: RowMapping) -> tuple[bool, int]:
    """Return the progress of a thread's root, for comparison: greater is further."""
    state = select(_d.c.state).where(_d.c.thread_id == thread["id"], _d.c.kind == DeliveryKind.ROOT.value)
    found = (await connection.execute(state)).scalar()
    return thread["root_ts"] is not None, -1 if found is None else _PROGRESS.get(found, 3)


async def _merge_threads(connection: AsyncConnection, kept: int, lost: int) -> None:
    """Move the rows of thread `lost` to thread `kept`, of the same superevent and channel, and delete it."""
    mine = _d.c.thread_id == lost
    await connection.execute(delete(_d).where(mine, _d.c.kind.in_(ONCE_PER_THREAD_KINDS)))
    twins = select(_m.c.notice_id).where(_m.c.thread_id == kept)
    doubled = select(_m.c.id).where(_m.c.thread_id == lost, _m.c.notice_id.in_(twins))
    mention = (_d.c.kind == DeliveryKind.MENTION.value) & _d.c.subject_id.in_(doubled)
    await connection.execute(delete(_d).where(mine, mention))
    for row in await _load_rows(connection, _d, mine):
        own = await _load_rows(connection, _d, (_d.c.thread_id == kept) & (_d.c.slot == row["slot"]))
        if own and (own[0]["state"] != DeliveryState.DEAD.value or row["state"] == DeliveryState.DEAD.value):
            await connection.execute(delete(_d).where(_is_row(_d, row)))
            continue
        for dead in own:
            await connection.execute(delete(_d).where(_is_row(_d, dead)))
        await connection.execute(update(_d).where(_is_row(_d, row)).values(thread_id=kept))
    await _merge_follow_ups(connection, kept, lost)
    for table in schema.metadata.sorted_tables:
        if "thread_id" in table.c and table.name not in (_d.name, _f.name):
            await _reassign_rows(connection, table, {"thread_id": lost}, {"thread_id": kept})
    tried = schema.images.c.trial_thread_id == lost
    await connection.execute(update(schema.images).where(tried).values(trial_thread_id=kept))
    await connection.execute(delete(_t).where(_t.c.id == lost))


async def _merge_follow_ups(connection: AsyncConnection, kept: int, lost: int) -> None:
    """Give thread `kept` a Follow-up reply if either had one; that of `lost` stays where it stands.

    The reply hangs below the root that is lost to people, so it isn't edited any more.
    """
    gone = delete(_f).where(_f.c.thread_id == lost).returning(_f.c.thread_id)
    had_one = (await connection.execute(gone)).scalar_one_or_none() is not None
    known = (await _load_rows(connection, _f, _f.c.thread_id == kept)) if had_one else []
    if had_one and not known:
        await connection.execute(insert(_f).values(thread_id=kept, wanted_revision=0))


async def _move_deliveries(connection: AsyncConnection, old: ChannelRef, new: ChannelRef) -> int:
    """Move the deliveries; return how many were merged. Of two, the one that got further is kept."""
    same = 0
    for row in await _load_rows(connection, _d, in_channel(_d, old)):
        own = await _load_rows(connection, _d, in_channel(_d, new) & (_d.c.slot == row["slot"]))
        if own and _PROGRESS.get(own[0]["state"], 3) >= _PROGRESS.get(row["state"], 3):
            same += 1
            await connection.execute(delete(_d).where(_is_row(_d, row)))
            continue
        for other in own:
            same += 1
            await connection.execute(delete(_d).where(_is_row(_d, other)))
        await connection.execute(update(_d).where(_is_row(_d, row)).values(_channel_columns(new)))
    return same


async def _renumber_sites(connection: AsyncConnection, old: ChannelRef, new: ChannelRef) -> None:
    """Number the sites of the old id so that they follow those of the new one."""
    table = schema.channel_sites
    highest = select(func.max(table.c.ordinal)).where(in_channel(table, new))
    last = (await connection.execute(highest)).scalar_one_or_none()
    if last is not None:
        behind = update(table).where(in_channel(table, old)).values(ordinal=table.c.ordinal + last + 1)
        await connection.execute(behind)
