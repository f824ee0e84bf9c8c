"""Reads whose messages channels want in their Follow-up replies: the streams of their subscriptions."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select

from bot.routing.intents import ChannelRef
from bot.store import schema
from bot.store.channels.subscription_rows import parse_rows
from bot.store.database import Database
from formatters.models.related_message import THREAD_STREAMS, Stream

_s = schema.subscriptions


class StreamChoices:
    """The streams of channels. Methods raise StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def for_channels(
        self, channel_refs: Collection[ChannelRef]
    ) -> dict[ChannelRef, tuple[Stream, ...]]:
        """Return the streams that each channel's subscriptions name together; without any it is left out.

        Paused subscriptions count: what a channel was shown doesn't vanish from a reply that stands.
        """
        query = select(_s).where(
            _s.c.confirmed_at.is_not(None),
            _s.c.team_id.in_({team for team, _ in channel_refs}),
            _s.c.channel_id.in_({channel for _, channel in channel_refs}),
        )
        async with self._database.read_transaction() as connection:
            rows = (await connection.execute(query)).all()
        chosen: dict[ChannelRef, set[Stream]] = {}
        for subscription in parse_rows(rows):
            channel = (subscription.team_id, subscription.channel_id)
            chosen.setdefault(channel, set()).update(subscription.criteria.streams)
        return {
            channel: tuple(stream for stream in THREAD_STREAMS if stream in streams)
            for channel, streams in chosen.items()
            if streams
        }
