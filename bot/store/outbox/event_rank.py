"""The rank of a superevent's deliveries in the queue: real before mock, then the newest event first."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store import schema
from bot.store.outbox.models import EventRank
from formatters.models.notice import Category, category_from_id

_n = schema.notices
_t = schema.threads

_FIRST_NOTICE = select(func.min(_n.c.id)).where(_n.c.superevent_id == bindparam("superevent_id"))


async def event_rank(connection: AsyncConnection, superevent_id: str) -> EventRank:
    """Return the rank of an event's deliveries; an event of unknown category counts as real."""
    first = (await connection.execute(_FIRST_NOTICE, {"superevent_id": superevent_id})).scalar_one()
    return _create_rank(superevent_id, first)


async def event_ranks(connection: AsyncConnection, threads: Collection[int]) -> dict[int, EventRank]:
    """Return the ranks of the threads' events, by thread id."""
    # A scalar subquery looks up each event by its index; for a join PostgreSQL would read a whole table.
    first = select(func.min(_n.c.id)).where(_n.c.superevent_id == _t.c.superevent_id).scalar_subquery()
    query = select(_t.c.id, _t.c.superevent_id, first.label("first")).where(_t.c.id.in_(threads))
    rows = (await connection.execute(query)).all()
    return {row.id: _create_rank(row.superevent_id, row.first) for row in rows}


def _create_rank(superevent_id: str, first: int | None) -> EventRank:
    return EventRank(mock=category_from_id(superevent_id) is not Category.REAL, order=-(first or 0))
