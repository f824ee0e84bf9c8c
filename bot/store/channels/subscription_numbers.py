"""The numbers of a channel's subscriptions: 1, 2, 3 …, each given once and never again.

Older versions of gwevent showed the id instead, which counts through all channels, and their messages stay.
So a number that was shown for another subscription of the same channel is never given.
"""

from __future__ import annotations

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.routing.intents import ChannelRef
from bot.store import schema
from bot.store.channels.clauses import in_channel

_f = schema.former_numbers
_n = schema.channel_numbers
_s = schema.subscriptions


async def allocate_subscription_number(
    connection: AsyncConnection, channel: ChannelRef, *, beyond: int = 0
) -> int:
    """Return and reserve the channel's next number, greater than `beyond`; in an exclusive transaction."""
    await assign_missing_subscription_numbers(connection, channel)
    number = max(await last_number(connection, channel), beyond)
    former = await _load_former_numbers(connection, channel)
    number += 1
    while number in former:
        number += 1
    await reserve_subscription_number(connection, channel, number)
    return number


async def assign_missing_subscription_numbers(connection: AsyncConnection, channel: ChannelRef) -> None:
    """Give a number to each subscription of the channel that has none, the oldest first.

    An older version of gwevent stored those, and people know them by their ids.
    """
    nameless = select(_s.c.id).where(in_channel(_s, channel), _s.c.number.is_(None)).order_by(_s.c.id)
    ids = list((await connection.execute(nameless)).scalars())
    if not ids:
        return
    former = await _load_former_numbers(connection, channel)
    fresh = [id_ for id_ in ids if id_ not in former]
    if fresh:
        row = {"team_id": channel[0], "channel_id": channel[1]}
        await connection.execute(insert(_f), [{**row, "number": id_} for id_ in fresh])
    former.update(ids)
    number = await last_number(connection, channel)
    for id_ in ids:
        number += 1
        # Its own former number may be its new one.
        while number in former and number != id_:
            number += 1
        await connection.execute(update(_s).where(_s.c.id == id_).values(number=number))
    await reserve_subscription_number(connection, channel, number)


async def last_number(connection: AsyncConnection, channel: ChannelRef) -> int:
    """Return the highest number that the channel ever gave; 0 if none."""
    found = (await connection.execute(select(_n.c.last_number).where(in_channel(_n, channel)))).scalar()
    return int(found or 0)


async def reserve_subscription_number(connection: AsyncConnection, channel: ChannelRef, number: int) -> None:
    """Prevent that a number up to this one is given again."""
    last = await last_number(connection, channel)
    if not last:
        row = {"team_id": channel[0], "channel_id": channel[1], "last_number": number}
        await connection.execute(insert(_n).values(row))
    elif number > last:
        await connection.execute(update(_n).where(in_channel(_n, channel)).values(last_number=number))


async def is_former_subscription_number(
    connection: AsyncConnection, channel: ChannelRef, number: int
) -> bool:
    """Return True if an older version of gwevent showed this number for a subscription of the channel."""
    known = select(_f.c.number).where(in_channel(_f, channel), _f.c.number == number)
    return (await connection.execute(known)).first() is not None


async def _load_former_numbers(connection: AsyncConnection, channel: ChannelRef) -> set[int]:
    return set((await connection.execute(select(_f.c.number).where(in_channel(_f, channel)))).scalars())


async def channels_without_numbers(
    connection: AsyncConnection, team_id: str, channel_id: str | None = None
) -> set[ChannelRef]:
    """Return the channels, of a workspace or the one given, with subscriptions that have no number yet."""
    table = schema.subscriptions
    query = select(table.c.team_id, table.c.channel_id).where(
        table.c.team_id == team_id, table.c.number.is_(None)
    )
    if channel_id is not None:
        query = query.where(table.c.channel_id == channel_id)
    return {(row.team_id, row.channel_id) for row in (await connection.execute(query.distinct())).all()}
