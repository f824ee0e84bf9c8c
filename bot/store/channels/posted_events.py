"""The events that stand in channels, with their root messages."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import case, select

from bot.store import schema
from bot.store.database import Database
from formatters.models.notice import Category

_s = schema.superevents
_t = schema.threads


@dataclass(frozen=True, slots=True)
class PostedEvent:
    """An event whose root message stands in a channel."""

    superevent_id: str
    channel_id: str
    root_ts: str


class PostedEventRepository:
    """Reads the events that were posted. All methods raise StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def newest(self, team_id: str, channel_ids: Collection[str], limit: int) -> list[PostedEvent]:
        """Return the newest posted events of these channels, by event time, the newest first.

        Mocks and tests come after real events, which they would else hide: there is a mock every hour.
        `limit` counts events; one that stands in several of the channels is returned for each of them.
        """
        order = (
            case((_s.c.category == Category.REAL.value, 0), else_=1),
            _s.c.event_time.desc(),
            _s.c.superevent_id.desc(),
        )
        in_channels = (
            _t.c.team_id == team_id,
            _t.c.channel_id.in_(sorted(channel_ids)),
            _t.c.root_ts.is_not(None),
        )
        newest = (
            select(_s.c.superevent_id)
            .where(_s.c.superevent_id.in_(select(_t.c.superevent_id).where(*in_channels)))
            .order_by(*order)
            .limit(limit)
        )
        query = (
            select(_t.c.superevent_id, _t.c.channel_id, _t.c.root_ts)
            .join(_s, _s.c.superevent_id == _t.c.superevent_id)
            .where(*in_channels, _t.c.superevent_id.in_(newest))
            .order_by(*order, _t.c.channel_id)
        )
        if not channel_ids:
            return []
        async with self._database.read_transaction() as connection:
            return [PostedEvent(*row) for row in (await connection.execute(query)).all()]
