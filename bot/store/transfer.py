"""What channels asked for, all of it, out of one database and into another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store import schema
from bot.store.database import Database
from bot.store.ledger import Kind, State
from bot.store.sites import Place, add_sites, set_conditions, sites_of_all
from formatters.visibility import ChannelSites, Conditions

_d = schema.deliveries
_s = schema.subscriptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One subscription in force."""

    words: str
    """Canonical."""
    created_by: str
    created_at: datetime
    paused_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """All that one channel asked for."""

    team_id: str
    channel_id: str
    subscriptions: tuple[Asked, ...]
    sites: ChannelSites


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What an import changed."""

    channels: int
    """How many it was about."""
    subscriptions: int
    """How many came into force."""
    known: int
    """How many were in force already."""
    sites: int
    """How many are in force by it, new or known."""


class Transfer:
    """Channels out, channels in."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def export(self) -> list[Channel]:
        """Every channel that asked for anything, by team and channel. Raises StoreUnavailable.

        A subscription whose confirmation doesn't stand in its channel yet is left out.
        """
        async with self._database.reading() as connection:
            rows = (
                await connection.execute(select(_s).where(_s.c.confirmed_at.is_not(None)).order_by(_s.c.id))
            ).all()
            sites = await sites_of_all(connection)
        asked: defaultdict[Place, list[Asked]] = defaultdict(list)
        for row in rows:
            asked[row.team_id, row.channel_id].append(
                Asked(
                    words=row.words,
                    created_by=row.created_by,
                    created_at=row.created_at,
                    paused_at=row.paused_at,
                )
            )
        return [
            Channel(
                team_id=place[0],
                channel_id=place[1],
                subscriptions=tuple(asked.get(place, ())),
                sites=sites.get(place, ChannelSites()),
            )
            for place in sorted(asked.keys() | sites.keys())
        ]

    async def is_unused(self) -> bool:
        """Whether no bot ever worked on this database: nothing came, nobody asked."""
        async with self._database.reading() as connection:
            for table in (schema.notices, _s, _d, schema.installations, schema.channel_sites):
                if (await connection.execute(select(table).limit(1))).first() is not None:
                    return False
        return True

    async def take(self, channels: Sequence[Channel], now: datetime) -> Taken:
        """Put in force what these channels asked for elsewhere, in one transaction, without a post.

        What is in force already stays as it is, so a second time changes nothing; a site that the channel
        has by that name gets the place it has here. Raises TooManySites, StoreUnavailable.
        """
        new = known = sites = 0
        async with self._database.writing() as connection:
            for channel in channels:
                for asked in channel.subscriptions:
                    fresh = await _put_in_force(connection, channel, asked, now)
                    new, known = new + fresh, known + (not fresh)
                place = (channel.team_id, channel.channel_id)
                if channel.sites.sites:
                    await add_sites(connection, place, channel.sites.sites)
                    sites += len(channel.sites.sites)
                if channel.sites.conditions != Conditions():
                    await set_conditions(connection, place, channel.sites.conditions)
        return Taken(channels=len(channels), subscriptions=new, known=known, sites=sites)


async def _put_in_force(connection: AsyncConnection, channel: Channel, asked: Asked, now: datetime) -> bool:
    """Whether it wasn't in force before."""
    mine = (
        (_s.c.team_id == channel.team_id)
        & (_s.c.channel_id == channel.channel_id)
        & (_s.c.words == asked.words)
    )
    row = (await connection.execute(select(_s.c.id, _s.c.confirmed_at).where(mine))).first()
    if row is None:
        values = {
            "team_id": channel.team_id,
            "channel_id": channel.channel_id,
            "words": asked.words,
            "created_by": asked.created_by,
            "created_at": asked.created_at,
            "confirmed_at": now,
            "paused_at": asked.paused_at,
        }
        await connection.execute(insert(_s).values(values))
        return True
    if row.confirmed_at is not None:
        return False
    # It waits for its confirmation here; the channel had one elsewhere.
    await connection.execute(
        update(_s).where(_s.c.id == row.id).values(confirmed_at=now, paused_at=asked.paused_at)
    )
    waiting = (_d.c.kind == Kind.CONFIRMATION.value) & (_d.c.subject_id == row.id)
    await connection.execute(delete(_d).where(waiting, _d.c.state == State.PENDING.value))
    return True
