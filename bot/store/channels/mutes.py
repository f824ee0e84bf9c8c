"""Repository of mutes: a channel's people end an event's replies and edits there, and begin them again."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.routing.delivery_times import MIN_POST_INTERVAL
from bot.routing.intents import ChannelRef
from bot.store import schema
from bot.store.channels.clauses import in_channel
from bot.store.channels.event_actions import record_action
from bot.store.channels.subscription_rows import load_active_subscriptions
from bot.store.database import Database
from bot.store.outbox.edit_writer import mark_threads_stale
from bot.store.outbox.event_rank import event_rank
from bot.store.outbox.follow_up_writer import request_follow_ups
from bot.store.outbox.images import reassign_canary
from bot.store.outbox.models import DeliveryKind, DeliveryState, delivery_row
from bot.store.outbox.muted_threads import load_mutes
from formatters.models.event_action import EventAction, EventActionKind
from formatters.models.event_people import Mute
from formatters.models.observation import ObservationStatus

_a = schema.event_actions
_d = schema.deliveries
_o = schema.observations
_t = schema.threads
_u = schema.muted_threads


@dataclass(frozen=True, slots=True, kw_only=True)
class MuteOutcome:
    """The outcome of a request to mute an event in a channel, or to end that."""

    is_muted: bool
    """True if the event is muted in the channel now."""
    has_changed: bool
    """False if it was so already: nothing was written, and nothing is posted."""
    mute: Mute | None
    """The mute that stands, or that was ended; None if there was none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MuteAnnouncement:
    """The contents of a thread's post about a mute, or about its end."""

    user_id: str
    """Slack's user id of who did it."""
    at: datetime
    is_muted: bool
    """True if the event is muted since, False if that was ended."""
    muted_since: datetime | None
    """When the mute began that was ended; None if it isn't known, or if nothing was ended."""


class MuteRepository:
    """Stores mutes, and plans what shows them. All methods raise StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def mute(
        self, team_id: str, channel_id: str, superevent_id: str, user_id: str, now: datetime
    ) -> MuteOutcome | None:
        """End an event's replies and edits in a channel; None if the channel has no thread of the event.

        In one transaction with the row that says so, the action for the audit, the reply that tells the
        channel, and the last edit of the card. What waits to be sent is left out when its turn comes.
        """
        return await self._set(team_id, channel_id, superevent_id, user_id, now, wanted=True)

    async def unmute(
        self, team_id: str, channel_id: str, superevent_id: str, user_id: str, now: datetime
    ) -> MuteOutcome | None:
        """Begin an event's replies and edits in a channel again; None if it has no thread of the event.

        The card and the Follow-up reply are brought up to date by edits; replies that were left out stay so.
        """
        return await self._set(team_id, channel_id, superevent_id, user_id, now, wanted=False)

    async def toggle(
        self, team_id: str, channel_id: str, superevent_id: str, user_id: str, now: datetime
    ) -> MuteOutcome | None:
        """Mute an event in a channel, or end that if it is muted; None if it has no thread of the event."""
        return await self._set(team_id, channel_id, superevent_id, user_id, now, wanted=None)

    async def for_threads(self, thread_ids: Collection[int]) -> dict[int, Mute]:
        """Return the mutes of these threads; a thread that isn't muted is left out."""
        async with self._database.read_transaction() as connection:
            return await load_mutes(connection, thread_ids)

    async def announcement(self, action_id: int) -> MuteAnnouncement | None:
        """Return the contents of the reply about an action; None if the action isn't stored any more."""
        async with self._database.read_transaction() as connection:
            row = (await connection.execute(select(_a).where(_a.c.id == action_id))).one_or_none()
            if row is None:
                return None
            is_muted = row.action == EventActionKind.MUTED.value
            since = None
            if not is_muted:
                earlier = (
                    select(_a.c.at)
                    .where(in_channel(_a, (row.team_id, row.channel_id)), _a.c.id < row.id)
                    .where(_a.c.superevent_id == row.superevent_id)
                    .where(_a.c.action == EventActionKind.MUTED.value)
                    .order_by(_a.c.id.desc())
                    .limit(1)
                )
                since = (await connection.execute(earlier)).scalar_one_or_none()
            return MuteAnnouncement(user_id=row.user_id, at=row.at, is_muted=is_muted, muted_since=since)

    async def _set(
        self,
        team_id: str,
        channel_id: str,
        superevent_id: str,
        user_id: str,
        now: datetime,
        *,
        wanted: bool | None,
    ) -> MuteOutcome | None:
        channel = (team_id, channel_id)
        async with self._database.exclusive_transaction() as connection:
            query = select(_t.c.id).where(in_channel(_t, channel), _t.c.superevent_id == superevent_id)
            thread = (await connection.execute(query)).scalar_one_or_none()
            if thread is None:
                return None
            before = (await load_mutes(connection, [thread])).get(thread)
            is_muted = before is None if wanted is None else wanted
            if is_muted is (before is not None):
                return MuteOutcome(is_muted=is_muted, has_changed=False, mute=before)
            if is_muted:
                row = {"thread_id": thread, "muted_by": user_id, "muted_at": now}
                await connection.execute(insert(_u).values(row))
            else:
                await connection.execute(delete(_u).where(_u.c.thread_id == thread))
            kind = EventActionKind.MUTED if is_muted else EventActionKind.UNMUTED
            action = await record_action(
                connection,
                EventAction(
                    team_id=team_id,
                    channel_id=channel_id,
                    superevent_id=superevent_id,
                    user_id=user_id,
                    kind=kind,
                    at=now,
                ),
            )
            await _announce(connection, thread, channel, superevent_id, action, now)
            await mark_threads_stale(connection, {thread: channel}, now, even_muted=True)
            if is_muted:
                # Whatever tries a new picture first must be able to show it.
                await reassign_canary(connection, {thread}, now)
            elif await _may_have_follow_up(connection, thread, channel, superevent_id):
                await request_follow_ups(connection, {thread: channel}, now)
            mute = Mute(user_id=user_id, since=now) if is_muted else before
            return MuteOutcome(is_muted=is_muted, has_changed=True, mute=mute)


async def _may_have_follow_up(
    connection: AsyncConnection, thread: int, channel: ChannelRef, superevent_id: str
) -> bool:
    """Return whether a thread's Follow-up reply was ever asked for, or its channel has what makes one."""
    replies = schema.follow_ups
    asked = select(replies.c.thread_id).where(replies.c.thread_id == thread)
    if (await connection.execute(asked)).first() is not None:
        return True
    here = in_channel(_o, channel) & (_o.c.superevent_id == superevent_id) & _o.c.shape.is_not(None)
    here &= _o.c.status != ObservationStatus.CANCELLED.value
    if (
        await connection.execute(select(_o.c.id).where(here, _o.c.fields != "[]").limit(1))
    ).first() is not None:
        # Reported while the event was muted.
        return True
    subscriptions = await load_active_subscriptions(connection, channel)
    return any(subscription.criteria.streams for subscription in subscriptions)


async def _announce(
    connection: AsyncConnection,
    thread: int,
    channel: ChannelRef,
    superevent_id: str,
    action: int,
    now: datetime,
) -> None:
    """Plan a post in the thread, at most once in MIN_POST_INTERVAL, so that nobody floods it.

    A reply that was never tried says the newest action instead of an older one.
    """
    about = (_d.c.thread_id == thread) & (_d.c.kind == DeliveryKind.MUTE.value)
    unseen = about & (_d.c.state == DeliveryState.PENDING.value) & _d.c.doubtful.is_(False)
    taken_up = await connection.execute(update(_d).where(unseen).values(subject_id=action))
    if taken_up.rowcount:
        return
    newest = select(func.max(_d.c.created_at, type_=schema.UtcDateTime())).where(about)
    before = (await connection.execute(newest)).scalar_one()
    # A time ahead of that is of a clock that was set back.
    due = now if before is None else min(max(now, before + MIN_POST_INTERVAL), now + MIN_POST_INTERVAL)
    event = await event_rank(connection, superevent_id)
    row = delivery_row(
        *channel, DeliveryKind.MUTE, action, now, thread_id=thread, not_before=due, event=event
    )
    await connection.execute(insert(_d).values(row))
