"""Reads stored subscriptions, for the repositories that need them inside a transaction of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.filters import FilterSyntaxError, parse_stored_criteria
from bot.routing.intents import ChannelRef
from bot.store import schema
from bot.store.channels.clauses import in_channel
from bot.store.channels.criteria_set_rows import load_grades, may_name_sets, resolve_stored_criteria
from formatters.models.subscription import Subscription

_NO_SETS: Mapping[str, str] = {}

_s, _p = schema.subscriptions, schema.channel_problems
# Built once, because building a statement takes longer than executing it.
_CONFIRMED = (
    select(_s, _p.c.problem)
    .join(_p, (_p.c.team_id == _s.c.team_id) & (_p.c.channel_id == _s.c.channel_id), isouter=True)
    .where(_s.c.confirmed_at.is_not(None))
    .order_by(_s.c.id)
)
_ACTIVE = _CONFIRMED.where(_s.c.paused_at.is_(None))

log = structlog.get_logger(__name__)


async def load_active_subscriptions(
    connection: AsyncConnection, channel: ChannelRef | None = None, *, include_paused: bool = False
) -> list[Subscription]:
    """Return all confirmed subscriptions, or those of one channel, with their channel's delivery problem.

    Paused ones are left out unless `include_paused` is True. Conditions on grades have the definitions of
    their workspace's sets.
    """
    query = _CONFIRMED if include_paused else _ACTIVE
    if channel is not None:
        query = query.where(in_channel(_s, channel))
    return await resolve_rows(connection, (await connection.execute(query)).all())


async def resolve_rows(connection: AsyncConnection, rows: Sequence[Any]) -> list[Subscription]:
    """Return the subscriptions of these rows with the definitions of grades, without what can't be parsed."""
    teams = {row.team_id for row in rows if may_name_sets(row.words)}
    if not teams:
        return parse_rows(rows)  # The usual case: no further query.
    return parse_rows(rows, await load_grades(connection, teams.pop() if len(teams) == 1 else None))


def parse_rows(
    rows: Sequence[Any], grades: Mapping[str, Mapping[str, str]] | None = None
) -> list[Subscription]:
    """Return the subscriptions of these rows, without those that cannot be parsed.

    `grades` are what `load_grades` returns; without them conditions on grades have no definition.
    """
    found = []
    for row in rows:
        try:
            here = None if grades is None else grades.get(row.team_id, _NO_SETS)
            found.append(subscription_from_row(row, here))
        except FilterSyntaxError as error:
            # They may be of a newer version of gwevent; other channels must get their alerts.
            log.error("subscription_unreadable", id=row.id, reason=str(error))
    return found


def subscription_from_row(row: Any, grades: Mapping[str, str] | None = None) -> Subscription:
    """Return the subscription of a row. Raises FilterSyntaxError if its words cannot be parsed.

    `grades` are the stored sets of its workspace; without them conditions on grades have no definition.
    """
    missing: tuple[str, ...] = ()
    if grades is None:
        criteria = parse_stored_criteria(row.words)
    else:
        criteria, missing = resolve_stored_criteria(row.words, grades)
    return Subscription(
        id=row.id,
        # Without a number it is only used for planning; what people see has one.
        number=row.id if row.number is None else row.number,
        team_id=row.team_id,
        channel_id=row.channel_id,
        criteria=criteria,
        created_by=row.created_by,
        created_at=row.created_at,
        delivery_problem=getattr(row, "problem", None),
        paused_at=row.paused_at,
        is_pending=row.confirmed_at is None,
        missing_sets=missing,
    )
