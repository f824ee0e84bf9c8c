"""Channels that can't be posted to, and what happens when one can be posted to again.

Slack says with an event that the bot was invited back or that a channel was unarchived. Such an event may be
missed, and none says that a restriction of who may post was lifted. So what was given up is also tried again
from time to time (`choose_probes`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, delete, exists, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.routing.intents import ChannelRef
from bot.store import schema
from bot.store.channels.subscription_rows import load_active_subscriptions
from bot.store.outbox.models import (
    CHANNEL_ERRORS,
    DELIVERY_KINDS,
    EDIT_KINDS,
    DeliveryKind,
    DeliveryState,
)
from bot.store.outbox.plan_writer import dead_letter_orphans

_d = schema.deliveries
_t = schema.threads


async def channels_with_problem(
    connection: AsyncConnection, among: Collection[ChannelRef]
) -> set[ChannelRef]:
    """Return those of these channels that are recorded as out of reach."""
    if not among:
        return set()
    table = schema.channel_problems
    query = select(table.c.team_id, table.c.channel_id).where(
        table.c.team_id.in_({team for team, _ in among}), table.c.channel_id.in_({c for _, c in among})
    )
    known = (await connection.execute(query)).all()
    return {(row.team_id, row.channel_id) for row in known} & set(among)


async def record_channel_problems(
    connection: AsyncConnection, problems: Mapping[ChannelRef, str], now: datetime
) -> None:
    """Record why channels can't be posted to: Slack's error code, by channel."""
    if not problems:
        return
    table = schema.channel_problems
    known = await channels_with_problem(connection, problems.keys())
    for (team, channel), problem in problems.items():
        if (team, channel) in known:
            here = (table.c.team_id == team) & (table.c.channel_id == channel)
            await connection.execute(update(table).where(here).values(problem=problem))
        else:
            new = {"team_id": team, "channel_id": channel, "problem": problem, "since": now}
            await connection.execute(insert(table).values(new))


async def requeue_channel(
    connection: AsyncConnection, channel: ChannelRef, since: datetime, now: datetime
) -> int:
    """Requeue deliveries dead-lettered because the channel was out of reach, if created after `since`.

    Edits and reports of changes come back at any age: root messages and Follow-up replies stay true, and a
    channel whose subscriptions were changed hears of it. Where nothing is subscribed any more, nothing else
    does. Return how many deliveries wait again.
    """
    team_id, channel_id = channel
    table = schema.channel_problems
    known = (
        delete(table)
        .where(table.c.team_id == team_id, table.c.channel_id == channel_id)
        .returning(table.c.problem)
    )
    problem = (await connection.execute(known)).scalar_one_or_none()
    if problem is None:
        return 0
    here = (_d.c.team_id == team_id) & (_d.c.channel_id == channel_id)
    wanted = await _wanted_again(connection, channel, since)
    # A channel may have been out of reach for several reasons in turn, or for another one to edits.
    lost = _d.c.reason.in_(CHANNEL_ERRORS | {problem})
    revived = await connection.execute(
        update(_d)
        .where(here, _d.c.state == DeliveryState.DEAD.value, lost, wanted)
        .values(state=DeliveryState.PENDING.value, not_before=now, attempts=0, reason=None)
    )
    # A root may be too old to come back.
    return revived.rowcount - await dead_letter_orphans(connection, channel, problem)


async def choose_probes(connection: AsyncConnection, since: datetime) -> list[int]:
    """Return the id of one delivery in each channel that is recorded as out of reach, where there is one.

    It is the oldest post about a real event, or to the operators, that was created after `since` and would
    come back with the channel. If Slack takes it, all else comes back too; if not, it is given up again.
    """
    problems = schema.channel_problems
    known = (await connection.execute(select(problems).order_by(problems.c.since))).all()
    chosen: list[int] = []
    for row in known:
        channel = (row.team_id, row.channel_id)
        here = (_d.c.team_id == row.team_id) & (_d.c.channel_id == row.channel_id)
        lost = _d.c.reason.in_(CHANNEL_ERRORS | {row.problem})
        is_root = _d.c.kind == DeliveryKind.ROOT.value
        # A reply can't be posted before its root.
        stands = exists().where(_t.c.id == _d.c.thread_id, _t.c.root_ts.is_not(None))
        oldest = select(func.min(_d.c.id)).where(
            here,
            _d.c.state == DeliveryState.DEAD.value,
            lost,
            await _wanted_again(connection, channel, since),
            _d.c.created_at >= since,
            _d.c.kind.not_in(EDIT_KINDS),
            ~_d.c.mock,
            or_(_d.c.thread_id.is_(None), is_root, stands),
        )
        found = (await connection.execute(oldest)).scalar_one()
        chosen += [] if found is None else [found]
    return chosen


async def requeue_probes(connection: AsyncConnection, chosen: Collection[int], now: datetime) -> int:
    """Requeue those of the chosen deliveries that are still given up; return their number."""
    again = update(_d).where(_d.c.id.in_(chosen), _d.c.state == DeliveryState.DEAD.value)
    again = again.values(state=DeliveryState.PENDING.value, not_before=now, attempts=0, reason=None)
    return (await connection.execute(again)).rowcount


async def _wanted_again(
    connection: AsyncConnection, channel: ChannelRef, since: datetime
) -> ColumnElement[bool]:
    """Return the condition on dead deliveries that are to be posted once their channel can be posted to."""
    wanted: ColumnElement[bool] = _d.c.kind.in_(EDIT_KINDS)
    wanted |= _d.c.kind == DeliveryKind.CHANGE.value
    wanted |= (_d.c.created_at >= since) & _d.c.kind.in_(
        [kind.value for kind, rule in DELIVERY_KINDS.items() if rule.for_operators]
    )
    if await load_active_subscriptions(connection, channel):
        # A confirmation died with its subscription.
        wanted |= (_d.c.created_at >= since) & (_d.c.kind != DeliveryKind.CONFIRMATION.value)
    return wanted
