"""Repository of planned mentions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select

from bot.routing.intents import ChannelRef, MentionReason
from bot.store import schema
from bot.store.channels.subscription_rows import load_active_subscriptions
from bot.store.database import Database
from formatters.models.notice import NoticeKey
from formatters.models.subscription import Criteria

_m = schema.mentions
_n = schema.notices
_t = schema.threads


@dataclass(frozen=True, slots=True)
class PlannedMention:
    """A mention as it was planned, with the channel's criteria of now."""

    reason: MentionReason
    notice_key: NoticeKey
    targets: tuple[str, ...]
    criteria_list: tuple[Criteria, ...]
    """The channel's active criteria that mention somebody: targets that are in none of them are left out."""


class MentionRepository:
    """Returns planned mentions. All methods raise StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, mention_id: int) -> PlannedMention | None:
        """Return one mention; None if it was removed."""
        query = select(_m, _t.c.team_id, _t.c.channel_id, _n.c.superevent_id, _n.c.alert_type)
        query = query.add_columns(_n.c.time_created, _n.c.content).join(_t, _t.c.id == _m.c.thread_id)
        query = query.join(_n, _n.c.id == _m.c.notice_id).where(_m.c.id == mention_id)
        async with self._database.read_transaction() as connection:
            row = (await connection.execute(query)).first()
            if row is None:
                return None
            here = await load_active_subscriptions(connection, (row.team_id, row.channel_id))
        return PlannedMention(
            reason=MentionReason(row.occasion),
            notice_key=(row.superevent_id, row.alert_type, row.time_created, row.content),
            targets=tuple(row.targets.split()),
            criteria_list=tuple(s.criteria for s in here if s.criteria.notify is not None),
        )

    async def for_roots(
        self, thread_ids: Collection[int]
    ) -> dict[int, tuple[tuple[str, ...], tuple[Criteria, ...]]]:
        """Return the targets of the root posts of these threads, and their channels' criteria of now."""
        query = (
            select(_m.c.thread_id, _m.c.targets, _t.c.team_id, _t.c.channel_id)
            .join(_t, _t.c.id == _m.c.thread_id)
            .where(_m.c.thread_id.in_(thread_ids), _m.c.occasion == MentionReason.NEW_EVENT.value)
            .order_by(_m.c.id)
        )
        async with self._database.read_transaction() as connection:
            rows = (await connection.execute(query)).all()
            subscriptions = await load_active_subscriptions(connection) if rows else []
        criteria_list: defaultdict[ChannelRef, list[Criteria]] = defaultdict(list)
        for s in subscriptions:
            if s.criteria.notify is not None:
                criteria_list[s.team_id, s.channel_id].append(s.criteria)
        found: dict[int, tuple[tuple[str, ...], tuple[Criteria, ...]]] = {}
        for row in rows:
            before, _ = found.get(row.thread_id, ((), ()))
            here = tuple(criteria_list[row.team_id, row.channel_id])
            found[row.thread_id] = ((*before, *row.targets.split()), here)
        return found
