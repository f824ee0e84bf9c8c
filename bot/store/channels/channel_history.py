"""Repository of a channel's history: what people changed there, and what they did about events for it."""

from __future__ import annotations

from sqlalchemy import func, literal, select, union_all

from bot.store import schema
from bot.store.channels.change_log import change_from_row
from bot.store.channels.clauses import in_channel
from bot.store.channels.event_actions import action_from_row
from bot.store.database import Database
from formatters.models.channel_change import PAGE_SIZE, ChannelChange
from formatters.models.event_action import OBSERVATION_KINDS, EventAction

HistoryEntry = ChannelChange | EventAction

_a = schema.event_actions
_c = schema.channel_changes


class ChannelHistory:
    """Reads who changed what a channel receives. Raises StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, team_id: str, channel_id: str, page: int) -> tuple[list[HistoryEntry], int]:
        """Return one page of a channel's history (the first is 1), the newest first, and the number of all.

        Actions about events are mutes, drills, and who took an event. Observations, of which a night may
        bring a hundred, change nothing of what the channel receives: the audit has them.
        """
        channel = (team_id, channel_id)
        actions = in_channel(_a, channel) & _a.c.action.not_in([kind.value for kind in OBSERVATION_KINDS])
        every = union_all(
            select(literal(0).label("is_action"), _c.c.id, _c.c.changed_at.label("at")).where(
                in_channel(_c, channel)
            ),
            select(literal(1).label("is_action"), _a.c.id, _a.c.at).where(actions),
        ).subquery()
        chosen = (
            select(every)
            .order_by(every.c.at.desc(), every.c.is_action, every.c.id.desc())
            .limit(PAGE_SIZE)
            .offset((page - 1) * PAGE_SIZE)
        )
        async with self._database.read_transaction() as connection:
            total = (await connection.execute(select(func.count()).select_from(every))).scalar_one()
            keys = [(row.is_action, row.id) for row in (await connection.execute(chosen)).all()]
            found: dict[tuple[int, int], HistoryEntry] = {}
            for row in await connection.execute(
                select(_c).where(_c.c.id.in_([id_ for is_action, id_ in keys if not is_action]))
            ):
                found[0, row.id] = change_from_row(row)
            for row in await connection.execute(
                select(_a).where(_a.c.id.in_([id_ for is_action, id_ in keys if is_action]))
            ):
                found[1, row.id] = action_from_row(row)
        return [found[key] for key in keys], total
