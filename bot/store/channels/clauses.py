"""The SQL condition that selects the rows of one channel."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Table

from bot.routing.intents import ChannelRef


def in_channel(table: Table, channel: ChannelRef) -> ColumnElement[bool]:
    """Return the condition that a row of `table` belongs to `channel`."""
    return (table.c.team_id == channel[0]) & (table.c.channel_id == channel[1])
