"""Repository of subscriptions.

A subscription is active once its confirmation was posted in its channel, so that nothing is subscribed where
nothing can be posted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.routing.intents import ChannelRef
from bot.runtime.outcome_notifier import OutcomeNotifier
from bot.store import schema
from bot.store.channels.change_log import (
    ChangeAuthor,
    load_change_page,
    load_delivery_changes,
    record_changes,
    subscription_change,
)
from bot.store.channels.clauses import in_channel
from bot.store.channels.criteria_set_rows import refuse_missing_sets
from bot.store.channels.escalation_rules import end_steps_without_rule
from bot.store.channels.refused_mentions import attach_refusals, forget_refusals
from bot.store.channels.subscription_numbers import (
    allocate_subscription_number,
    assign_missing_subscription_numbers,
    channels_without_numbers,
    is_former_subscription_number,
)
from bot.store.channels.subscription_rows import (
    load_active_subscriptions,
    parse_rows,
    resolve_rows,
    subscription_from_row,
)
from bot.store.database import Database
from bot.store.outbox.models import DeliveryKind, DeliveryState, delivery_row, kinds_where
from bot.store.outbox.plan_writer import dead_letter_orphans
from formatters.models.channel_change import BY_GWEVENT, ChannelChange
from formatters.models.subscription import Criteria, Subscription, fingerprint

CONFIRMATION_POLL_S = 0.25
"""Seconds between two reads of a confirmation's outcome, which another process may record."""
UNSUBSCRIBED_REASON = "unsubscribed before it was posted"

_SUBSCRIPTION_KINDS = kinds_where(lambda rule: rule.needs_subscription)
"""These are posted because of a subscription; edits keep true what stands already, whatever is subscribed."""


class SubscriptionRepository:
    """Stores subscriptions with the posts about their changes. All methods raise StoreUnavailable."""

    def __init__(self, database: Database, notifier: OutcomeNotifier) -> None:
        """`notifier` is notified by the outbox of the subscriptions whose confirmation has an outcome."""
        self._database = database
        self._notifier = notifier

    async def for_channel(self, team_id: str, channel_id: str) -> list[Subscription]:
        """Return a channel's active and paused subscriptions, the oldest first.

        The one read that may write: a row that an older version of gwevent stored since the last read, while
        two versions run, gets its number before anybody sees it, for a number never changes once it is shown.
        """
        channel = (team_id, channel_id)
        while True:
            async with self._database.read_transaction() as connection:
                if not await channels_without_numbers(connection, team_id, channel_id):
                    here = await load_active_subscriptions(connection, channel, include_paused=True)
                    return await attach_refusals(connection, here, team_id)
            await self._assign_numbers([channel])

    async def list_unconfirmed(self, team_id: str, channel_id: str) -> list[Subscription]:
        """Return a channel's subscriptions whose confirmation is pending, the oldest first."""
        async with self._database.read_transaction() as connection:
            return await _load_unconfirmed(connection, (team_id, channel_id))

    async def for_team(self, team_id: str) -> list[Subscription]:
        """Return a workspace's active and paused subscriptions by channel, the oldest first."""
        while True:
            async with self._database.read_transaction() as connection:
                nameless = await channels_without_numbers(connection, team_id)
                if not nameless:
                    every = await load_active_subscriptions(connection, include_paused=True)
                    mine = [s for s in every if s.team_id == team_id]
                    found = await attach_refusals(connection, mine, team_id)
                    break
            await self._assign_numbers(nameless)
        return sorted(found, key=lambda s: (s.channel_id, s.id))

    async def confirmed(self) -> list[Subscription]:
        """Return the active and paused subscriptions of all workspaces."""
        async with self._database.read_transaction() as connection:
            return await load_active_subscriptions(connection, include_paused=True)

    async def count(self) -> int:
        """Return the number of active subscriptions in all workspaces."""
        async with self._database.read_transaction() as connection:
            return len(await load_active_subscriptions(connection))

    async def request(
        self, team_id: str, channel_id: str, criteria: Criteria, user_id: str, now: datetime
    ) -> tuple[Subscription, bool]:
        """Store a subscription and plan its confirmation; return it, and True if it was active already.

        It becomes active when the confirmation is posted. If an earlier confirmation of the same words is
        still pending, that one is tried at once. Raises FilterSyntaxError if a set they name was removed.
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
                await assign_missing_subscription_numbers(connection, (team_id, channel_id))
                row = (await connection.execute(select(table).where(mine))).one()
                return (await resolve_rows(connection, [row]))[0], row.confirmed_at is not None
            await refuse_missing_sets(connection, team_id, criteria)
            number = await allocate_subscription_number(connection, (team_id, channel_id))
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
            confirmation_row = delivery_row(
                team_id, channel_id, DeliveryKind.CONFIRMATION, subscription_id, now
            )
            await connection.execute(insert(deliveries).values(confirmation_row))
            subscription = Subscription(
                id=subscription_id,
                number=number,
                team_id=team_id,
                channel_id=channel_id,
                criteria=criteria,
                created_by=user_id,
                created_at=now,
                is_pending=True,
            )
            return subscription, False

    async def add_confirmed(
        self, team_id: str, channel_id: str, criteria: Criteria, user_id: str, now: datetime
    ) -> None:
        """Store an active subscription without a post in the channel."""
        channel = (team_id, channel_id)
        async with self._database.exclusive_transaction() as connection:
            row = {
                "team_id": team_id,
                "channel_id": channel_id,
                "number": await allocate_subscription_number(connection, channel),
                "words": criteria.canonical,
                "created_by": user_id,
                "created_at": now,
                "confirmed_at": now,
            }
            result = await connection.execute(
                insert(schema.subscriptions).values(row).returning(schema.subscriptions)
            )
            added = subscription_from_row(result.one())
            await record_changes(
                connection,
                channel,
                ChangeAuthor(user_id, now),
                [subscription_change(None, added)],
                announce=False,
            )

    async def get(self, subscription_id: int) -> Subscription | None:
        """Return a subscription, confirmed or not; None if it has ended."""
        table = schema.subscriptions
        query = select(table).where(table.c.id == subscription_id)
        async with self._database.read_transaction() as connection:
            row = (await connection.execute(query)).first()
        if row is not None and row.number is None:
            await self._assign_numbers([(row.team_id, row.channel_id)])
            async with self._database.read_transaction() as connection:
                row = (await connection.execute(query)).first()
        return None if row is None else subscription_from_row(row)

    async def request_status(self, subscription: Subscription) -> bool | str:
        """Return True if active, False if its confirmation is pending, else Slack's error code for that."""
        table, deliveries = schema.subscriptions, schema.deliveries
        async with self._database.read_transaction() as connection:
            query = select(table.c.confirmed_at).where(table.c.id == subscription.id)
            row = (await connection.execute(query)).first()
            if row is not None:
                return row.confirmed_at is not None
            why = select(deliveries.c.reason).where(
                deliveries.c.team_id == subscription.team_id,
                deliveries.c.channel_id == subscription.channel_id,
                deliveries.c.kind == DeliveryKind.CONFIRMATION.value,
                deliveries.c.subject_id == subscription.id,
            )
            reason = (await connection.execute(why)).scalar()
        return str(reason or "unsubscribed meanwhile")

    async def wait_for_confirmation(self, subscription: Subscription, timeout_s: float) -> bool | str:
        """Wait until a requested subscription is confirmed or refused, at most `timeout_s` seconds.

        Return what `request_status` returns then. An outcome that this process records is noticed at once,
        one of another process within `CONFIRMATION_POLL_S`.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        with self._notifier.watch(subscription.id) as changed:
            while True:
                status = await self.request_status(subscription)
                left = deadline - loop.time()
                if status is not False or left <= 0:
                    return status
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(CONFIRMATION_POLL_S, left)):
                        await changed.wait()
                changed.clear()

    async def edit(
        self, team_id: str, channel_id: str, number: int, criteria: Criteria, by: ChangeAuthor
    ) -> tuple[Subscription, Subscription] | None:
        """Replace the criteria of a subscription; return it before and after, or None if there is none.

        The new criteria are active at once, since the channel is known to accept posts. The person who
        changes it becomes its creator. If another subscription has these criteria already, nothing is
        changed, and that one is returned as the state after. Raises FilterSyntaxError as `request` does.
        """
        table, channel = schema.subscriptions, (team_id, channel_id)
        async with self._database.exclusive_transaction() as connection:
            here = await _load_numbered(connection, channel)
            before = next((s for s in here if s.number == number), None)
            if before is None:
                return None
            same = next((s for s in here if s.criteria.canonical == criteria.canonical), None)
            if same is not None:
                return before, same
            await refuse_missing_sets(connection, team_id, criteria)
            # An unconfirmed one with the same words is superseded.
            waiting = await _load_unconfirmed(connection, channel)
            superseded = [s for s in waiting if s.criteria.canonical == criteria.canonical]
            await _end_subscriptions(connection, channel, superseded, by)
            await connection.execute(
                update(table)
                .where(table.c.id == before.id)
                .values(words=criteria.canonical, created_by=by.user_id)
            )
            await forget_refusals(connection, channel)
            await end_steps_without_rule(connection, channel, by.at)
            after = replace(before, criteria=criteria, created_by=by.user_id, missing_sets=())
            await record_changes(connection, channel, by, [subscription_change(before, after)])
            return before, after

    async def pause(
        self, team_id: str, channel_id: str, number: int, by: ChangeAuthor, *, resume: bool = False
    ) -> tuple[Subscription, Subscription] | None:
        """Pause or resume a subscription; return it before and after, or None if there is none.

        Before and after are the same if it is paused, or active, already. Pending messages are still posted.
        """
        table, channel = schema.subscriptions, (team_id, channel_id)
        async with self._database.exclusive_transaction() as connection:
            here = await _load_numbered(connection, channel)
            before = next((s for s in here if s.number == number), None)
            if before is None:
                return None
            if (before.paused_at is None) is resume:
                return before, before
            after = replace(before, paused_at=None if resume else by.at)
            await connection.execute(
                update(table).where(table.c.id == before.id).values(paused_at=after.paused_at)
            )
            await end_steps_without_rule(connection, channel, by.at)
            await record_changes(connection, channel, by, [subscription_change(before, after)])
            return before, after

    async def end(
        self,
        team_id: str,
        channel_id: str,
        numbers: Collection[int],
        by: ChangeAuthor,
        marks: Mapping[int, str] | None = None,
    ) -> list[Subscription] | None:
        """End subscriptions of a channel, all or none; return them, or None if one of them does not exist.

        `marks` gives the fingerprints that they must still have, by number, so that a button ends only what
        it showed. Unconfirmed ones end too. With the channel's last subscription its pending messages are
        dropped, except edits and messages that may have been posted already.
        """
        channel = (team_id, channel_id)
        async with self._database.exclusive_transaction() as connection:
            here = await _load_numbered(connection, channel) + await _load_unconfirmed(connection, channel)
            chosen = [s for s in here if s.number in numbers]
            seen = marks or {}
            if len(chosen) < len(set(numbers)) or any(
                fingerprint(s) != seen.get(s.number, fingerprint(s)) for s in chosen
            ):
                return None
            await _end_subscriptions(connection, channel, chosen, by)
        self._notifier.notify(s.id for s in chosen)
        return chosen

    async def get_by_former_number(self, team_id: str, channel_id: str, number: int) -> Subscription | None:
        """Return the subscription that an older gwevent showed with this number; None if it has ended."""
        channel = (team_id, channel_id)
        here = await self.for_channel(team_id, channel_id)
        async with self._database.read_transaction() as connection:
            known = await is_former_subscription_number(connection, channel, number)
        return next((s for s in here if known and s.id == number), None)

    async def history(self, team_id: str, channel_id: str, page: int) -> tuple[list[ChannelChange], int]:
        """Return one page of a channel's changes, the newest first, and the number of all its changes."""
        async with self._database.read_transaction() as connection:
            return await load_change_page(connection, (team_id, channel_id), page)

    async def changes_to_announce(
        self, delivery_id: int
    ) -> tuple[list[ChannelChange], list[Subscription]] | None:
        """Return the changes that a delivery posts and the channel's subscriptions; None if another does."""
        async with self._database.read_transaction() as connection:
            found = await load_delivery_changes(connection, delivery_id)
            if found is None:
                return None
            channel, changes = found
            return changes, await load_active_subscriptions(connection, channel, include_paused=True)

    async def _assign_numbers(self, places: Collection[ChannelRef]) -> None:
        async with self._database.exclusive_transaction() as connection:
            for channel in sorted(places):
                await assign_missing_subscription_numbers(connection, channel)


async def confirm_subscriptions(
    connection: AsyncConnection, confirmations: Mapping[int, int], now: datetime
) -> None:
    """Activate the subscriptions that were confirmed; `confirmations` gives the delivery by subscription."""
    table = schema.subscriptions
    waits = table.c.id.in_(confirmations) & table.c.confirmed_at.is_(None)
    places = (await connection.execute(select(table.c.team_id, table.c.channel_id).where(waits))).all()
    for channel in {(row.team_id, row.channel_id) for row in places}:
        await assign_missing_subscription_numbers(connection, channel)
    rows = (await connection.execute(select(table).where(waits))).all()
    await connection.execute(update(table).where(waits).values(confirmed_at=now))
    # One that can't be parsed is put in force all the same: the version that wrote it understands it.
    for subscription in parse_rows(rows):
        channel = (subscription.team_id, subscription.channel_id)
        by = ChangeAuthor(subscription.created_by, now)
        await record_changes(
            connection,
            channel,
            by,
            [subscription_change(None, subscription)],
            announced_by=confirmations[subscription.id],
        )


async def discard_unconfirmed(
    connection: AsyncConnection, confirmations: Mapping[int, bool], now: datetime
) -> None:
    """Delete the subscriptions whose confirmation could not be posted.

    The value in `confirmations` is True if the confirmation may have been posted nevertheless: then the
    change is posted in the channel.
    """
    table = schema.subscriptions
    waits = table.c.id.in_(confirmations) & table.c.confirmed_at.is_(None)
    rows = (await connection.execute(select(table).where(waits))).all()
    await connection.execute(delete(table).where(waits))
    maybe_posted = [row for row in rows if confirmations[row.id] and row.number is not None]
    for subscription in parse_rows(maybe_posted):
        channel = (subscription.team_id, subscription.channel_id)
        await record_changes(
            connection, channel, ChangeAuthor(BY_GWEVENT, now), [subscription_change(subscription, None)]
        )


async def _end_subscriptions(
    connection: AsyncConnection, channel: ChannelRef, chosen: Sequence[Subscription], by: ChangeAuthor
) -> None:
    """End subscriptions, and plan the post about those that the channel may believe to be active."""
    if not chosen:
        return
    table, deliveries = schema.subscriptions, schema.deliveries
    ids = [s.id for s in chosen]
    confirmation = (
        in_channel(deliveries, channel)
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
        await forget_refusals(connection, channel)
    await end_steps_without_rule(connection, channel, by.at)
    ended = [subscription_change(s, None) for s in chosen if not s.is_pending or s.id in may_stand]
    await record_changes(connection, channel, by, ended)
    if not await load_active_subscriptions(connection, channel):
        await connection.execute(
            update(deliveries)
            .where(in_channel(deliveries, channel))
            .where(deliveries.c.kind.in_(_SUBSCRIPTION_KINDS))
            .where(deliveries.c.state == DeliveryState.PENDING.value, deliveries.c.doubtful.is_(False))
            .values(state=DeliveryState.DEAD.value, reason=UNSUBSCRIBED_REASON)
        )
        # Edits of roots that will not be posted, such as one that adds an image.
        await dead_letter_orphans(connection, channel, UNSUBSCRIBED_REASON)


async def _load_numbered(connection: AsyncConnection, channel: ChannelRef) -> list[Subscription]:
    """Return a channel's active and paused subscriptions, each with its number."""
    await assign_missing_subscription_numbers(connection, channel)
    return await load_active_subscriptions(connection, channel, include_paused=True)


async def _load_unconfirmed(connection: AsyncConnection, channel: ChannelRef) -> list[Subscription]:
    """Return a channel's subscriptions whose confirmation is pending."""
    table = schema.subscriptions
    query = select(table).where(in_channel(table, channel))
    rows = (await connection.execute(query.where(table.c.confirmed_at.is_(None)).order_by(table.c.id))).all()
    return await resolve_rows(connection, rows)
