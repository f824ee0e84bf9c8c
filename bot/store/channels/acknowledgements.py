"""Repository of acknowledgements: who pressed "I have it" on an event's card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.routing.intents import ChannelRef
from bot.store import schema
from bot.store.channels.event_actions import record_action
from bot.store.database import Database
from bot.store.outbox.edit_writer import mark_threads_stale
from bot.store.outbox.escalation_writer import ResumedCalls, end_escalations, resume_escalations
from bot.store.outbox.models import Priority
from formatters.models.escalation import Acknowledgement, EscalationEnd
from formatters.models.event_action import EventAction, EventActionKind
from formatters.models.forgotten import FORGOTTEN
from formatters.models.notice import Notice
from formatters.models.superevent import Superevent

_a = schema.acknowledgements
_e = schema.escalations
_n = schema.notices
_t = schema.threads


class AcknowledgeOutcome(Enum):
    """The outcome of somebody's "I have it"."""

    NEW = auto()
    """They have it now."""
    MINE = auto()
    """They had it already."""
    OTHERS = auto()
    """Somebody else has it; nothing was changed."""
    NO_THREAD = auto()
    """The channel has no thread of this event."""
    RETRACTED = auto()
    """The event is retracted: there is nothing to have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcknowledgeResult:
    """The outcome of "I have it", and who has the event afterwards."""

    outcome: AcknowledgeOutcome
    acknowledgements: tuple[Acknowledgement, ...] = ()
    """The people who have it now, the first one first; empty without a thread and after a retraction."""


class HandBackOutcome(Enum):
    """The outcome of somebody's "I no longer have it"."""

    HANDED_BACK = auto()
    NOT_MINE = auto()
    """They don't have it; nothing was changed."""
    NO_THREAD = auto()
    """The channel has no thread of this event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandBackResult:
    """The outcome of handing an event back, and who has it afterwards."""

    outcome: HandBackOutcome
    acknowledgements: tuple[Acknowledgement, ...] = ()
    """The people who have it now, the first one first."""
    resumed: int = 0
    """Escalations that go on: the next step comes unless somebody presses "I have it"."""
    is_paged: bool = False
    """True if the operators' webhook is called at once, since its turn had come before."""


class AcknowledgementRepository:
    """Stores who has an event, stops and resumes its escalations, and plans the card's edit.

    The edit goes before other edits. Who calls a method wakes the deliveries and the escalations, and the
    webhook by them. All methods raise StoreUnavailable.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def acknowledge(
        self, team_id: str, channel_id: str, superevent_id: str, user_id: str, now: datetime
    ) -> AcknowledgeResult:
        """Record that a person has the event, unless somebody does; no step comes any more.

        `user_id` is Slack's. The action is recorded for the audit.
        """
        async with self._database.exclusive_transaction() as connection:
            thread = await _thread(connection, team_id, channel_id, superevent_id)
            if thread is None:
                return AcknowledgeResult(outcome=AcknowledgeOutcome.NO_THREAD)
            if await _is_retracted(connection, superevent_id):
                return AcknowledgeResult(outcome=AcknowledgeOutcome.RETRACTED)
            present = await _acknowledgements(connection, thread)
            if present:
                is_mine = any(one.user_id == user_id for one in present)
                outcome = AcknowledgeOutcome.MINE if is_mine else AcknowledgeOutcome.OTHERS
                return AcknowledgeResult(outcome=outcome, acknowledgements=present)
            await connection.execute(insert(_a).values(thread_id=thread, user_id=user_id, since=now))
            await end_escalations(connection, _e.c.thread_id == thread, EscalationEnd.ACKNOWLEDGED, now)
            await _record(
                connection, team_id, channel_id, superevent_id, user_id, EventActionKind.ACKNOWLEDGED, now
            )
            channels = {thread: (team_id, channel_id)}
            await mark_threads_stale(connection, channels, now, priority=Priority.ANSWER, even_muted=True)
        mine = Acknowledgement(user_id=user_id, since=now)
        return AcknowledgeResult(outcome=AcknowledgeOutcome.NEW, acknowledgements=(mine,))

    async def hand_back(
        self, team_id: str, channel_id: str, superevent_id: str, user_id: str, now: datetime
    ) -> HandBackResult:
        """Record that a person no longer has the event. If nobody else has it, its escalations go on."""
        async with self._database.exclusive_transaction() as connection:
            thread = await _thread(connection, team_id, channel_id, superevent_id)
            if thread is None:
                return HandBackResult(outcome=HandBackOutcome.NO_THREAD)
            mine = (_a.c.thread_id == thread) & (_a.c.user_id == user_id)
            gone = (await connection.execute(delete(_a).where(mine))).rowcount
            left = await _acknowledgements(connection, thread)
            if not gone:
                return HandBackResult(outcome=HandBackOutcome.NOT_MINE, acknowledgements=left)
            resumed = await _hand_back(connection, thread, (team_id, channel_id), superevent_id, user_id, now)
        return HandBackResult(
            outcome=HandBackOutcome.HANDED_BACK,
            acknowledgements=left,
            resumed=resumed.escalations,
            is_paged=resumed.is_paged,
        )


async def forget_acknowledgements(connection: AsyncConnection, user_id: str, now: datetime) -> int:
    """Hand back what a person has, in the name of a forgotten person; return how many events they had."""
    mine = select(_a.c.thread_id, _t.c.team_id, _t.c.channel_id, _t.c.superevent_id)
    mine = mine.join(_t, _t.c.id == _a.c.thread_id).where(_a.c.user_id == user_id).order_by(_a.c.thread_id)
    rows = (await connection.execute(mine)).all()
    await connection.execute(delete(_a).where(_a.c.user_id == user_id))
    for row in rows:
        channel = (row.team_id, row.channel_id)
        await _hand_back(connection, row.thread_id, channel, row.superevent_id, FORGOTTEN, now)
    return len(rows)


async def _hand_back(
    connection: AsyncConnection,
    thread: int,
    channel: ChannelRef,
    superevent_id: str,
    user_id: str,
    now: datetime,
) -> ResumedCalls:
    """Record that a person no longer has an event, whose row is gone; resume its steps if nobody else has."""
    resumed = ResumedCalls()
    left = await _acknowledgements(connection, thread)
    if not left and not await _is_retracted(connection, superevent_id):
        resumed = await resume_escalations(connection, _e.c.thread_id == thread, now)
    await _record(connection, *channel, superevent_id, user_id, EventActionKind.HANDED_BACK, now)
    await mark_threads_stale(connection, {thread: channel}, now, priority=Priority.ANSWER, even_muted=True)
    return resumed


async def _thread(
    connection: AsyncConnection, team_id: str, channel_id: str, superevent_id: str
) -> int | None:
    query = select(_t.c.id).where(
        _t.c.team_id == team_id, _t.c.channel_id == channel_id, _t.c.superevent_id == superevent_id
    )
    found: int | None = (await connection.execute(query)).scalar_one_or_none()
    return found


async def _acknowledgements(connection: AsyncConnection, thread_id: int) -> tuple[Acknowledgement, ...]:
    query = select(_a).where(_a.c.thread_id == thread_id).order_by(_a.c.since, _a.c.user_id)
    rows = (await connection.execute(query)).all()
    return tuple(Acknowledgement(user_id=row.user_id, since=row.since) for row in rows)


async def _is_retracted(connection: AsyncConnection, superevent_id: str) -> bool:
    query = select(_n.c.facts).where(_n.c.superevent_id == superevent_id, _n.c.facts.is_not(None))
    facts: Sequence[str] = (await connection.execute(query.order_by(_n.c.id))).scalars().all()
    return bool(facts) and Superevent.from_notices([Notice.from_json(one) for one in facts]).is_retracted


async def _record(
    connection: AsyncConnection,
    team_id: str,
    channel_id: str,
    superevent_id: str,
    user_id: str,
    kind: EventActionKind,
    now: datetime,
) -> None:
    action = EventAction(
        team_id=team_id,
        channel_id=channel_id,
        superevent_id=superevent_id,
        user_id=user_id,
        kind=kind,
        at=now,
    )
    await record_action(connection, action)
