"""What channels asked for."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.filters import UnknownWord, parse_stored
from bot.store import schema
from bot.store.database import Database
from bot.store.ledger import Kind, State, delivery_row
from bot.store.planned import bury_orphans
from bot.store.refused_mentions import forget_refusals, with_refusals
from formatters.subscription import Subscription, Wish

log = structlog.get_logger(__name__)

UNSUBSCRIBED = "unsubscribed before it was posted"

_ASKED_FOR = (Kind.ROOT, Kind.REPLY, Kind.MENTION, Kind.CIRCULAR, Kind.APOLOGY)
"""What a channel gets for what it asked for; edits keep true what stands there, and come all the same."""


class Subscriptions:
    """Subscriptions in, subscriptions out."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_channel(self, team_id: str, channel_id: str) -> list[Subscription]:
        """A channel's subscriptions, paused ones too, the oldest first."""
        async with self._database.reading() as connection:
            here = await subscriptions_in_force(connection, (team_id, channel_id), paused=True)
            return await with_refusals(connection, here, team_id)

    async def of_team(self, team_id: str) -> list[Subscription]:
        """A workspace's subscriptions, paused ones too, channel by channel, the oldest first."""
        async with self._database.reading() as connection:
            every = await subscriptions_in_force(connection, paused=True)
            mine = await with_refusals(connection, [s for s in every if s.team_id == team_id], team_id)
        return sorted(mine, key=lambda s: (s.channel_id, s.id))

    async def count(self) -> int:
        """How many are in force, in all workspaces."""
        async with self._database.reading() as connection:
            return len(await subscriptions_in_force(connection))

    async def ask(
        self, team_id: str, channel_id: str, wish: Wish, user_id: str, now: datetime
    ) -> tuple[Subscription, bool]:
        """Put a subscription and its confirmation in the ledger: (it, whether it is in force already).

        It comes into force when the confirmation stands in the channel. One that still waits for that, from
        an earlier try, is taken up again.
        """
        table, deliveries = schema.subscriptions, schema.deliveries
        mine = (
            (table.c.team_id == team_id) & (table.c.channel_id == channel_id) & (table.c.words == wish.words)
        )
        async with self._database.writing() as connection:
            row = (await connection.execute(select(table).where(mine))).first()
            if row is not None:
                confirmation = (deliveries.c.kind == Kind.CONFIRMATION.value) & (
                    deliveries.c.subject_id == row.id
                )
                await connection.execute(
                    update(deliveries)
                    .where(confirmation, deliveries.c.state == State.PENDING.value)
                    .values(not_before=now)
                )
                return _subscription(row), row.confirmed_at is not None
            result = await connection.execute(
                insert(table).values(
                    team_id=team_id,
                    channel_id=channel_id,
                    words=wish.words,
                    created_by=user_id,
                    created_at=now,
                )
            )
            assert result.inserted_primary_key is not None
            subscription_id = int(result.inserted_primary_key[0])
            row_ = delivery_row(team_id, channel_id, Kind.CONFIRMATION, subscription_id, now)
            await connection.execute(insert(deliveries).values(row_))
            asked = Subscription(
                id=subscription_id,
                team_id=team_id,
                channel_id=channel_id,
                wish=wish,
                created_by=user_id,
                created_at=now,
            )
            return asked, False

    async def add_confirmed(
        self, team_id: str, channel_id: str, wish: Wish, user_id: str, now: datetime
    ) -> None:
        """Put a subscription in force without a post in the channel: for a channel that asked elsewhere."""
        async with self._database.writing() as connection:
            await connection.execute(
                insert(schema.subscriptions).values(
                    team_id=team_id,
                    channel_id=channel_id,
                    words=wish.words,
                    created_by=user_id,
                    created_at=now,
                    confirmed_at=now,
                )
            )

    async def get(self, subscription_id: int) -> Subscription | None:
        """One subscription, in force or waiting for its confirmation; None if it's gone."""
        table = schema.subscriptions
        async with self._database.reading() as connection:
            row = (await connection.execute(select(table).where(table.c.id == subscription_id))).first()
        return None if row is None else _subscription(row)

    async def fate(self, asked: Subscription) -> bool | str:
        """Whether it is in force, or waits for its confirmation; Slack's word if the channel refused it."""
        table, deliveries = schema.subscriptions, schema.deliveries
        async with self._database.reading() as connection:
            query = select(table.c.confirmed_at).where(table.c.id == asked.id)
            row = (await connection.execute(query)).first()
            if row is not None:
                return row.confirmed_at is not None
            why = select(deliveries.c.reason).where(
                deliveries.c.team_id == asked.team_id,
                deliveries.c.channel_id == asked.channel_id,
                deliveries.c.kind == Kind.CONFIRMATION.value,
                deliveries.c.subject_id == asked.id,
            )
            reason = (await connection.execute(why)).scalar()
        return str(reason or "unsubscribed meanwhile")

    async def edit(
        self, team_id: str, channel_id: str, number: int, wish: Wish, user_id: str
    ) -> tuple[Subscription, Subscription] | None:
        """Give one of a channel's subscriptions other words: (as it was, as it is); None if it has no such.

        Who changed it stands for it from then on. Where another one has these words already, nothing is
        changed, and that one is returned as it is.
        """
        table = schema.subscriptions
        async with self._database.writing() as connection:
            here = await subscriptions_in_force(connection, (team_id, channel_id), paused=True)
            before = next((s for s in here if s.id == number), None)
            if before is None:
                return None
            same = next((s for s in here if s.wish.words == wish.words), None)
            if same is not None:
                return before, same
            # One that waits for its confirmation may have the same words: it is overtaken.
            waiting = (table.c.team_id == team_id) & (table.c.channel_id == channel_id)
            await connection.execute(delete(table).where(waiting, table.c.words == wish.words))
            change = update(table).where(table.c.id == number)
            await connection.execute(change.values(words=wish.words, created_by=user_id))
            await forget_refusals(connection, (team_id, channel_id))
            return before, replace(before, wish=wish, created_by=user_id)

    async def pause(
        self, team_id: str, channel_id: str, number: int, since: datetime | None
    ) -> Subscription | None:
        """Let nothing come of a channel's subscription from a moment on (None: let it come again).

        None if the channel has no such subscription. What waits to be posted is posted.
        """
        async with self._database.writing() as connection:
            here = await subscriptions_in_force(connection, (team_id, channel_id), paused=True)
            found = next((s for s in here if s.id == number), None)
            if found is None:
                return None
            table = schema.subscriptions
            await connection.execute(update(table).where(table.c.id == number).values(paused_at=since))
            return replace(found, paused_at=since)

    async def remove(
        self, team_id: str, channel_id: str, wish: Wish | None, number: int | None = None
    ) -> list[Subscription]:
        """End one subscription of a channel, or all (None and None); return those that were confirmed.

        A bare group means all that begin with it ("Burst" ends "Burst lowsig" too); one with switches means
        those too that ask for the same and mention somebody.
        A confirmation not posted yet goes with its subscription, and what else waits to be posted goes with
        the last one; edits stay, and what may stand in the channel already.
        """
        table, deliveries = schema.subscriptions, schema.deliveries
        mine = (table.c.team_id == team_id) & (table.c.channel_id == channel_id)
        if wish is not None:
            mine &= _meant(wish)
        if number is not None:
            mine &= table.c.id == number
        async with self._database.writing() as connection:
            ended = [
                s
                for s in await subscriptions_in_force(connection, (team_id, channel_id), paused=True)
                if (wish is None or _means(wish, s.wish)) and number in (None, s.id)
            ]
            await connection.execute(
                delete(deliveries).where(
                    deliveries.c.kind == Kind.CONFIRMATION.value,
                    deliveries.c.subject_id.in_(select(table.c.id).where(mine)),
                    deliveries.c.state == State.PENDING.value,
                )
            )
            await connection.execute(delete(table).where(mine))
            if any(s.wish.notify is not None for s in ended):
                await forget_refusals(connection, (team_id, channel_id))
            if not await subscriptions_in_force(connection, (team_id, channel_id)):
                await connection.execute(
                    update(deliveries)
                    .where(deliveries.c.team_id == team_id, deliveries.c.channel_id == channel_id)
                    .where(deliveries.c.kind.in_(_ASKED_FOR))
                    .where(deliveries.c.state == State.PENDING.value, deliveries.c.doubtful.is_(False))
                    .values(state=State.DEAD.value, reason=UNSUBSCRIBED)
                )
                # An edit that was to bring a picture to a root that won't come.
                await bury_orphans(connection, (team_id, channel_id), UNSUBSCRIBED)
        return ended


def _means(wish: Wish, other: Wish) -> bool:
    """Whether ending `wish` ends `other`."""
    if wish == Wish(group=wish.group):
        return other.group == wish.group
    return wish in (other, replace(other, notify=None))


def _meant(wish: Wish) -> ColumnElement[bool]:
    """`_means`, for the words in the table."""
    words = schema.subscriptions.c.words
    if wish.notify is not None:
        return words == wish.words
    further = wish.words if wish == Wish(group=wish.group) else f"{wish.words} notify"
    return (words == wish.words) | words.startswith(f"{further} ", autoescape=True)


async def subscriptions_in_force(
    connection: AsyncConnection, channel: tuple[str, str] | None = None, *, paused: bool = False
) -> list[Subscription]:
    """All confirmed subscriptions (of one channel), with their channel's problem if it has one.

    `paused` says that paused ones are meant too.
    """
    table, channels = schema.subscriptions, schema.channels
    same = (channels.c.team_id == table.c.team_id) & (channels.c.channel_id == table.c.channel_id)
    query = select(table, channels.c.problem).join(channels, same, isouter=True).order_by(table.c.id)
    query = query.where(table.c.confirmed_at.is_not(None))
    if not paused:
        query = query.where(table.c.paused_at.is_(None))
    if channel is not None:
        query = query.where(table.c.team_id == channel[0], table.c.channel_id == channel[1])
    found = []
    for row in (await connection.execute(query)).all():
        try:
            found.append(_subscription(row, row.problem))
        except UnknownWord as error:
            # Words of a newer gwevent, perhaps: one channel's mustn't withhold the alerts of all.
            log.error("subscription_unreadable", id=row.id, reason=str(error))
    return found


def _subscription(row: Any, problem: str | None = None) -> Subscription:
    return Subscription(
        id=row.id,
        team_id=row.team_id,
        channel_id=row.channel_id,
        wish=parse_stored(row.words),
        created_by=row.created_by,
        created_at=row.created_at,
        problem=problem,
        paused_at=row.paused_at,
    )
