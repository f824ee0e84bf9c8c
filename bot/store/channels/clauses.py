"""The SQL conditions that select the rows of one channel, and the subscriptions in force."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Table

from bot.routing.intents import ChannelRef
from bot.store import schema

IN_FORCE = schema.subscriptions.c.confirmed_at.is_not(None) & schema.subscriptions.c.paused_at.is_(None)
"""The condition that a subscription is confirmed and not paused."""


def in_channel(table: Table, channel: ChannelRef) -> ColumnElement[bool]:
    """Return the condition that a row of `table` belongs to `channel`."""
    return (table.c.team_id == channel[0]) & (table.c.channel_id == channel[1])
