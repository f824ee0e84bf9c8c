"""Reads the criteria of channels that say which events are quiet."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from sqlalchemy import select

from bot.routing.intents import ChannelRef
from bot.store import schema
from bot.store.channels.clauses import IN_FORCE
from bot.store.channels.subscription_rows import resolve_rows
from bot.store.database import Database
from formatters.models.subscription import Criteria

_s = schema.subscriptions

MAY_SAY_QUIET = _s.c.words.like("% quiet %")
"""The condition that a subscription may say what is quiet.

It may be part of a name; then the channel's criteria are read for nothing.
"""


class QuietCriteriaRepository:
    """Returns what decides whether an event is quiet in a channel. Methods raise StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def for_channels(
        self, channel_refs: Collection[ChannelRef]
    ) -> dict[ChannelRef, tuple[Criteria, ...]]:
        """Return all criteria in force of each channel where one of them says what is quiet.

        Other channels are left out; for them this is one query and no criteria are parsed.
        """
        here = (
            IN_FORCE
            & _s.c.team_id.in_({team for team, _ in channel_refs})
            & _s.c.channel_id.in_({channel for _, channel in channel_refs})
        )
        naming = select(_s.c.channel_id).where(here, MAY_SAY_QUIET).distinct()
        async with self._database.read_transaction() as connection:
            channels = set((await connection.execute(naming)).scalars())
            if not channels:
                return {}
            query = select(_s).where(here, _s.c.channel_id.in_(channels)).order_by(_s.c.id)
            subscriptions = await resolve_rows(connection, (await connection.execute(query)).all())
        found: defaultdict[ChannelRef, list[Criteria]] = defaultdict(list)
        for subscription in subscriptions:
            found[subscription.team_id, subscription.channel_id].append(subscription.criteria)
        return {
            channel: tuple(criteria_list)
            for channel, criteria_list in found.items()
            if any(criteria.quiet is not None for criteria in criteria_list)
        }
