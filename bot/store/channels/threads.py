"""Repository of the threads that stand in a channel, for questions that people ask there."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import case, select

from bot.store import schema
from bot.store.database import Database
from formatters.models.notice import Category

_s = schema.superevents
_t = schema.threads


@dataclass(frozen=True, slots=True)
class ChannelThread:
    """The thread of an event in a channel, with its root message posted."""

    thread_id: int
    superevent_id: str
    root_ts: str


class ThreadRepository:
    """Reads a channel's threads. All methods raise StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def event_of_thread(self, team_id: str, channel_id: str, root_ts: str) -> str | None:
        """Return the id of the superevent whose root message has this `ts`; None for any other message."""
        query = select(_t.c.superevent_id).where(
            _t.c.team_id == team_id, _t.c.channel_id == channel_id, _t.c.root_ts == root_ts
        )
        async with self._database.read_transaction() as connection:
            found: str | None = (await connection.execute(query.limit(1))).scalar_one_or_none()
        return found

    async def thread_of_event(
        self, team_id: str, channel_id: str, superevent_id: str
    ) -> ChannelThread | None:
        """Return the event's thread in a channel; None if no root message was posted there."""
        query = select(_t.c.id, _t.c.root_ts).where(
            _t.c.team_id == team_id,
            _t.c.channel_id == channel_id,
            _t.c.superevent_id == superevent_id,
            _t.c.root_ts.is_not(None),
        )
        async with self._database.read_transaction() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else ChannelThread(row.id, superevent_id, row.root_ts)

    async def newest_events(self, team_id: str, channel_id: str, limit: int) -> list[str]:
        """Return the superevents with a root message in a channel, by the event's time, the newest first.

        Mocks and tests come after real events, which they would else hide: there is a mock every hour.
        """
        query = (
            select(_t.c.superevent_id)
            .join(_s, _s.c.superevent_id == _t.c.superevent_id)
            .where(_t.c.team_id == team_id, _t.c.channel_id == channel_id, _t.c.root_ts.is_not(None))
            .order_by(
                case((_s.c.category == Category.REAL.value, 0), else_=1),
                _s.c.event_time.desc(),
                _t.c.superevent_id.desc(),
            )
            .limit(limit)
        )
        async with self._database.read_transaction() as connection:
            return list((await connection.execute(query)).scalars())
