"""What channels asked for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.filters import FilterSyntaxError, parse_stored_criteria
from bot.store import schema
from bot.store.channels.change_log import (
    ChangeAuthor,
    load_change_page,
    load_delivery_changes,
    record_changes,
    subscription_change,
)
from bot.store.channels.refused_mentions import attach_refusals, forget_refusals
from bot.store.channels.subscription_numbers import allocate_number, assign_missing_numbers, is_former_number
from bot.store.database import Database
from bot.store.outbox.models import DeliveryKind, DeliveryState, delivery_row
from bot.store.outbox.plan_writer import dead_letter_orphans
from formatters.models.channel_change import BY_GWEVENT, ChannelChange
from formatters.models.subscription import Criteria, Subscription, fingerprint

log = structlog.get_logger(__name__)

UNSUBSCRIBED_REASON = "unsubscribed before it was posted"

_SUBSCRIPTION_KINDS = (
    DeliveryKind.ROOT,
    DeliveryKind.REPLY,
    DeliveryKind.MENTION,
    DeliveryKind.CIRCULAR,
    DeliveryKind.UNREADABLE_NOTICE,
)
"""What a channel gets for what it asked for; edits keep true what stands there, and come all the same."""


class SubscriptionRepository:
    """Subscriptions in, subscriptions out."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def for_channel(self, team_id: str, channel_id: str) -> list[Subscription]:
        """A channel's subscriptions, paused ones too, the oldest first."""
        place = (team_id, channel_id)
        while True:
            async with self._database.read_transaction() as connection:
                if not await _channels_without_numbers(connection, team_id, channel_id):
                    here = await load_active_subscriptions(connection, place, include_paused=True)
                    return await attach_refusals(connection, here, team_id)
            await self._assign_numbers([place])

    async def list_unconfirmed(self, team_id: str, channel_id: str) -> list[Subscription]:
        """A channel's subscriptions that wait for their confirmation, the oldest first."""
        async with self._database.read_transaction() as connection:
            return await _load_unconfirmed(connection, (team_id, channel_id))

    async def for_team(self, team_id: str) -> list[Subscription]:
        """A workspace's subscriptions, paused ones too, channel by channel, the oldest first."""
        while True:
            async with self._database.read_transaction() as connection:
                nameless = await _channels_without_numbers(connection, team_id)
                if not nameless:
                    every = await load_active_subscriptions(connection, include_paused=True)
                    mine = [s for s in every if s.team_id == team_id]
                    found = await attach_refusals(connection, mine, team_id)
                    break
            await self._assign_numbers(nameless)
        return sorted(found, key=lambda s: (s.channel_id, s.id))

    async def count(self) -> int:
        """How many are in force, in all workspaces."""
        async with self._database.read_transaction() as connection:
            return len(await load_active_subscriptions(connection))

    async def request(
        self, team_id: str, channel_id: str, criteria: Criteria, user_id: str, now: datetime
    ) -> tuple[Subscription, bool]:
        """Put a subscription and its confirmation in the ledger: (it, whether it is in force already).

        It comes into force when the confirmation stands in the channel. One that still waits for that, from
        an earlier try, is taken up again.
        """
        table, deliveries = schema.subscriptions, schema.deliveries
        mine = (
            (table.c.team_id == team_id)
            & (table.c.channel_id == channel_id)
            & (table.c.words == criteria.canonical)
        )
        async with self._database.exclusive_transaction() as connection:
            row = (await connection.execute(select(table).where(mine))).first()
            if row is not None:
                confirmation = (deliveries.c.kind == DeliveryKind.CONFIRMATION.value) & (
                    deliveries.c.subject_id == row.id
                )
                await connection.execute(
                    update(deliveries)
                    .where(confirmation, deliveries.c.state == DeliveryState.PENDING.value)
                    .values(not_before=now)
                )
                await assign_missing_numbers(connection, (team_id, channel_id))
                row = (await connection.execute(select(table).where(mine))).one()
                return _subscription_from_row(row), row.confirmed_at is not None
            number = await allocate_number(connection, (team_id, channel_id))
            result = await connection.execute(
                insert(table).values(
                    team_id=team_id,
                    channel_id=channel_id,
                    number=number,
                    words=criteria.canonical,
                    created_by=user_id,
                    created_at=now,
                )
            )
            assert result.inserted_primary_key is not None
            subscription_id = int(result.inserted_primary_key[0])
            row_ = delivery_row(team_id, channel_id, DeliveryKind.CONFIRMATION, subscription_id, now)
            await connection.execute(insert(deliveries).values(row_))
            asked = Subscription(
                id=subscription_id,
                number=number,
                team_id=team_id,
                channel_id=channel_id,
                criteria=criteria,
                created_by=user_id,
                created_at=now,
                is_pending=True,
            )
            return asked, False

    async def add_confirmed(
        self, team_id: str, channel_id: str, criteria: Criteria, user_id: str, now: datetime
    ) -> None:
        """Put a subscription in force without a post in the channel: for a channel that asked elsewhere."""
        place = (team_id, channel_id)
        async with self._database.exclusive_transaction() as connection:
            row = {
                "team_id": team_id,
                "channel_id": channel_id,
                "number": await allocate_number(connection, place),
                "words": criteria.canonical,
                "created_by": user_id,
                "created_at": now,
                "confirmed_at": now,
            }
            result = await connection.execute(
                insert(schema.subscriptions).values(row).returning(schema.subscriptions)
            )
            added = _subscription_from_row(result.one())
            await record_changes(
                connection,
                place,
                ChangeAuthor(user_id, now),
                [subscription_change(None, added)],
                announce=False,
            )

    async def get(self, subscription_id: int) -> Subscription | None:
        """One subscription, in force or waiting for its confirmation; None if it's gone."""
        table = schema.subscriptions
        query = select(table).where(table.c.id == subscription_id)
        async with self._database.read_transaction() as connection:
            row = (await connection.execute(query)).first()
        if row is not None and row.number is None:
            await self._assign_numbers([(row.team_id, row.channel_id)])
            async with self._database.read_transaction() as connection:
                row = (await connection.execute(query)).first()
        return None if row is None else _subscription_from_row(row)

    async def request_status(self, asked: Subscription) -> bool | str:
        """Whether it is in force, or waits for its confirmation; Slack's word if the channel refused it."""
        table, deliveries = schema.subscriptions, schema.deliveries
        async with self._database.read_transaction() as connection:
            query = select(table.c.confirmed_at).where(table.c.id == asked.id)
            row = (await connection.execute(query)).first()
            if row is not None:
                return row.confirmed_at is not None
            why = select(deliveries.c.reason).where(
                deliveries.c.team_id == asked.team_id,
                deliveries.c.channel_id == asked.channel_id,
                deliveries.c.kind == DeliveryKind.CONFIRMATION.value,
                deliveries.c.subject_id == asked.id,
            )
            reason = (await connection.execute(why)).scalar()
        return str(reason or "unsubscribed meanwhile")

    async def edit(
        self, team_id: str, channel_id: str, number: int, criteria: Criteria, by: ChangeAuthor
    ) -> tuple[Subscription, Subscription] | None:
        """Give one of a channel's subscriptions other words: (as it was, as it is); None if it has no such.

        They are in force at once: that the channel can be posted in is known, and the post that says so is
        tried until it stands there. Who changed it stands for it from then on. Where another one has these
        words already, nothing is changed, and that one is returned as it is.
        """
        table, place = schema.subscriptions, (team_id, channel_id)
        async with self._database.exclusive_transaction() as connection:
            here = await _load_numbered(connection, place)
            before = next((s for s in here if s.number == number), None)
            if before is None:
                return None
            same = next((s for s in here if s.criteria.canonical == criteria.canonical), None)
            if same is not None:
                return before, same
            # One that waits for its confirmation may have the same words: it is overtaken.
            await _end_subscriptions(
                connection,
                place,
                [s for s in await _load_unconfirmed(connection, place) if s.criteria == criteria],
                by,
            )
            await connection.execute(
                update(table)
                .where(table.c.id == before.id)
                .values(words=criteria.canonical, created_by=by.user_id)
            )
            await forget_refusals(connection, place)
            after = replace(before, criteria=criteria, created_by=by.user_id)
            await record_changes(connection, place, by, [subscription_change(before, after)])
            return before, after

    async def pause(
        self, team_id: str, channel_id: str, number: int, by: ChangeAuthor, *, resume: bool = False
    ) -> tuple[Subscription, Subscription] | None:
        """Let nothing come of a channel's subscription from now on, or let it come again: (before, after).

        Both at once. None if the channel has no such subscription; the same twice where it is so already.
        What waits to be posted is posted.
        """
        table, place = schema.subscriptions, (team_id, channel_id)
        async with self._database.exclusive_transaction() as connection:
            here = await _load_numbered(connection, place)
            before = next((s for s in here if s.number == number), None)
            if before is None:
                return None
            if (before.paused_at is None) is resume:
                return before, before
            after = replace(before, paused_at=None if resume else by.at)
            await connection.execute(
                update(table).where(table.c.id == before.id).values(paused_at=after.paused_at)
            )
            await record_changes(connection, place, by, [subscription_change(before, after)])
            return before, after

    async def end(
        self,
        team_id: str,
        channel_id: str,
        numbers: Collection[int],
        by: ChangeAuthor,
        marks: Mapping[int, str] | None = None,
    ) -> list[Subscription] | None:
        """End these of a channel's subscriptions, all of them or, where one isn't there, none: then None.

        `marks` says which of them must be as they were when somebody looked (`formatters.subscription.mark`).
        One that waits for its confirmation ends too. What waits to be posted goes with the last one; edits
        stay, and what may stand in the channel already.
        """
        place = (team_id, channel_id)
        async with self._database.exclusive_transaction() as connection:
            here = await _load_numbered(connection, place) + await _load_unconfirmed(connection, place)
            chosen = [s for s in here if s.number in numbers]
            seen = marks or {}
            if len(chosen) < len(set(numbers)) or any(
                fingerprint(s) != seen.get(s.number, fingerprint(s)) for s in chosen
            ):
                return None
            await _end_subscriptions(connection, place, chosen, by)
            return chosen

    async def get_by_former_number(self, team_id: str, channel_id: str, number: int) -> Subscription | None:
        """The subscription that the channel knew by this number before it counted for itself, if it lives."""
        place = (team_id, channel_id)
        here = await self.for_channel(team_id, channel_id)
        async with self._database.read_transaction() as connection:
            known = await is_former_number(connection, place, number)
        return next((s for s in here if known and s.id == number), None)

    async def history(self, team_id: str, channel_id: str, page: int) -> tuple[list[ChannelChange], int]:
        """One page of who changed what in a channel, the newest first, and how many changes are kept."""
        async with self._database.read_transaction() as connection:
            return await load_change_page(connection, (team_id, channel_id), page)

    async def changes_to_announce(
        self, delivery_id: int
    ) -> tuple[list[ChannelChange], list[Subscription]] | None:
        """The changes that a delivery is to say, and what the channel has now; None if another says them."""
        async with self._database.read_transaction() as connection:
            found = await load_delivery_changes(connection, delivery_id)
            if found is None:
                return None
            place, changes = found
            return changes, await load_active_subscriptions(connection, place, include_paused=True)

    async def _assign_numbers(self, places: Collection[tuple[str, str]]) -> None:
        async with self._database.exclusive_transaction() as connection:
            for place in sorted(places):
                await assign_missing_numbers(connection, place)


async def confirm_subscriptions(
    connection: AsyncConnection, confirmations: Mapping[int, int], now: datetime
) -> None:
    """Put in force what these deliveries (by subscription) have confirmed in its channel."""
    table = schema.subscriptions
    waits = table.c.id.in_(confirmations) & table.c.confirmed_at.is_(None)
    places = (await connection.execute(select(table.c.team_id, table.c.channel_id).where(waits))).all()
    for place in {(row.team_id, row.channel_id) for row in places}:
        await assign_missing_numbers(connection, place)
    rows = (await connection.execute(select(table).where(waits))).all()
    await connection.execute(update(table).where(waits).values(confirmed_at=now))
    for row in rows:
        asked = _subscription_from_row(row)
        place = (asked.team_id, asked.channel_id)
        by = ChangeAuthor(asked.created_by, now)
        await record_changes(
            connection, place, by, [subscription_change(None, asked)], announced_by=confirmations[asked.id]
        )


async def discard_unconfirmed(
    connection: AsyncConnection, confirmations: Mapping[int, bool], now: datetime
) -> None:
    """Forget what couldn't be confirmed, by subscription; True: its confirmation may stand all the same.

    Then the channel is told that it isn't in force: it mustn't wait for what won't come.
    """
    table = schema.subscriptions
    waits = table.c.id.in_(confirmations) & table.c.confirmed_at.is_(None)
    rows = (await connection.execute(select(table).where(waits))).all()
    await connection.execute(delete(table).where(waits))
    for row in rows:
        if confirmations[row.id] and row.number is not None:
            asked = _subscription_from_row(row)
            place = (asked.team_id, asked.channel_id)
            await record_changes(
                connection, place, ChangeAuthor(BY_GWEVENT, now), [subscription_change(asked, None)]
            )


async def _end_subscriptions(
    connection: AsyncConnection, place: tuple[str, str], chosen: Sequence[Subscription], by: ChangeAuthor
) -> None:
    """End subscriptions, waiting ones too, and say so where the channel may think that they are in force."""
    if not chosen:
        return
    table, deliveries = schema.subscriptions, schema.deliveries
    ids = [s.id for s in chosen]
    confirmation = (
        (deliveries.c.team_id == place[0])
        & (deliveries.c.channel_id == place[1])
        & (deliveries.c.kind == DeliveryKind.CONFIRMATION.value)
        & deliveries.c.subject_id.in_(ids)
    )
    seen = deliveries.c.doubtful.is_(True) | (deliveries.c.state == DeliveryState.SENDING.value)
    may_stand = set(
        (await connection.execute(select(deliveries.c.subject_id).where(confirmation, seen))).scalars()
    )
    await connection.execute(
        delete(deliveries).where(confirmation, deliveries.c.state == DeliveryState.PENDING.value)
    )
    await connection.execute(delete(table).where(table.c.id.in_(ids)))
    if any(s.criteria.notify is not None and not s.is_pending for s in chosen):
        await forget_refusals(connection, place)
    ended = [subscription_change(s, None) for s in chosen if not s.is_pending or s.id in may_stand]
    await record_changes(connection, place, by, ended)
    if not await load_active_subscriptions(connection, place):
        await connection.execute(
            update(deliveries)
            .where(deliveries.c.team_id == place[0], deliveries.c.channel_id == place[1])
            .where(deliveries.c.kind.in_(_SUBSCRIPTION_KINDS))
            .where(deliveries.c.state == DeliveryState.PENDING.value, deliveries.c.doubtful.is_(False))
            .values(state=DeliveryState.DEAD.value, reason=UNSUBSCRIBED_REASON)
        )
        # An edit that was to bring a picture to a root that won't come.
        await dead_letter_orphans(connection, place, UNSUBSCRIBED_REASON)


async def _channels_without_numbers(
    connection: AsyncConnection, team_id: str, channel_id: str | None = None
) -> set[tuple[str, str]]:
    """The channels of a workspace, or the one, with subscriptions that have no number yet."""
    table = schema.subscriptions
    query = select(table.c.team_id, table.c.channel_id).where(
        table.c.team_id == team_id, table.c.number.is_(None)
    )
    if channel_id is not None:
        query = query.where(table.c.channel_id == channel_id)
    return {(row.team_id, row.channel_id) for row in (await connection.execute(query.distinct())).all()}


async def _load_numbered(connection: AsyncConnection, place: tuple[str, str]) -> list[Subscription]:
    """A channel's subscriptions in force, paused ones too, each with its number."""
    await assign_missing_numbers(connection, place)
    return await load_active_subscriptions(connection, place, include_paused=True)


async def _load_unconfirmed(connection: AsyncConnection, place: tuple[str, str]) -> list[Subscription]:
    """A channel's subscriptions that wait for their confirmation."""
    table = schema.subscriptions
    query = select(table).where(table.c.team_id == place[0], table.c.channel_id == place[1])
    rows = (await connection.execute(query.where(table.c.confirmed_at.is_(None)).order_by(table.c.id))).all()
    return _parse_rows(rows)


async def load_active_subscriptions(
    connection: AsyncConnection, channel: tuple[str, str] | None = None, *, include_paused: bool = False
) -> list[Subscription]:
    """All confirmed subscriptions (of one channel), with their channel's problem if it has one.

    `paused` says that paused ones are meant too.
    """
    table, channels = schema.subscriptions, schema.channel_problems
    same = (channels.c.team_id == table.c.team_id) & (channels.c.channel_id == table.c.channel_id)
    query = select(table, channels.c.problem).join(channels, same, isouter=True).order_by(table.c.id)
    query = query.where(table.c.confirmed_at.is_not(None))
    if not include_paused:
        query = query.where(table.c.paused_at.is_(None))
    if channel is not None:
        query = query.where(table.c.team_id == channel[0], table.c.channel_id == channel[1])
    return _parse_rows((await connection.execute(query)).all())


def _parse_rows(rows: Sequence[Any]) -> list[Subscription]:
    found = []
    for row in rows:
        try:
            found.append(_subscription_from_row(row))
        except FilterSyntaxError as error:
            # Words of a newer gwevent, perhaps: one channel's mustn't withhold the alerts of all.
            log.error("subscription_unreadable", id=row.id, reason=str(error))
    return found


def _subscription_from_row(row: Any) -> Subscription:
    return Subscription(
        id=row.id,
        # Who is told of it has seen to it that there is one; a plan needs none.
        number=row.id if row.number is None else row.number,
        team_id=row.team_id,
        channel_id=row.channel_id,
        criteria=parse_stored_criteria(row.words),
        created_by=row.created_by,
        created_at=row.created_at,
        delivery_problem=getattr(row, "problem", None),
        paused_at=row.paused_at,
        is_pending=row.confirmed_at is None,
    )
