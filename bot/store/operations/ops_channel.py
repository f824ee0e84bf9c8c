"""Repository of the operators' channel, where incidents and quarantined payloads are reported."""

from __future__ import annotations

from sqlalchemy import delete, insert, select

from bot.routing.intents import ChannelRef
from bot.store import schema
from bot.store.database import Database

_o = schema.ops_channel


class OpsChannelRepository:
    """Stores the operators' channel, and keeps a copy of it in this process.

    The process that is connected to Slack writes the channel; every process that plans alerts reads the copy
    (`cached`) and calls `refresh` from time to time. All methods raise StoreUnavailable.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._cached: ChannelRef | None = None

    @property
    def cached(self) -> ChannelRef | None:
        """The channel as it was stored at the last call of `set` or `refresh`; None if there is none."""
        return self._cached

    async def set(self, team_id: str, channel_id: str | None) -> None:
        """Store the operators' channel; None removes it."""
        channel = None if channel_id is None else (team_id, channel_id)
        if await self.refresh() == channel:
            return
        async with self._database.exclusive_transaction() as connection:
            await connection.execute(delete(_o))
            if channel_id is not None:
                await connection.execute(insert(_o).values(team_id=team_id, channel_id=channel_id))
        self._cached = channel

    async def get(self) -> ChannelRef | None:
        """Return the stored channel; None if there is none."""
        async with self._database.read_transaction() as connection:
            row = (await connection.execute(select(_o).limit(1))).first()
        return None if row is None else (row.team_id, row.channel_id)

    async def refresh(self) -> ChannelRef | None:
        """Read the stored channel, keep it as `cached`, and return it."""
        self._cached = await self.get()
        return self._cached
