"""Where those who run the bot are told of its troubles."""

from __future__ import annotations

from sqlalchemy import delete, insert, select

from bot.store import schema
from bot.store.database import Database

_o = schema.ops_channel


class OpsChannelRepository:
    """Written by whoever knows Slack, read by whoever meets trouble."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.cached: tuple[str, str] | None = None
        """Team and channel, as they were seen last."""

    async def set(self, team_id: str, channel_id: str | None) -> None:
        """Tell them there from now on; nowhere, if `channel_id` is None."""
        place = None if channel_id is None else (team_id, channel_id)
        if await self.get() == place:
            return
        async with self._database.exclusive_transaction() as connection:
            await connection.execute(delete(_o))
            if channel_id is not None:
                await connection.execute(insert(_o).values(team_id=team_id, channel_id=channel_id))
        self.cached = place

    async def get(self) -> tuple[str, str] | None:
        """Team and channel; None if they are told nowhere."""
        async with self._database.read_transaction() as connection:
            row = (await connection.execute(select(_o).limit(1))).first()
        self.cached = None if row is None else (row.team_id, row.channel_id)
        return self.cached
