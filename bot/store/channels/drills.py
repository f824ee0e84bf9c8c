"""Repository of drills: a subscription's whole chain without an event, from the mention to "I have it"."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.routing.intents import ChannelRef
from bot.store import schema
from bot.store.channels.clauses import in_channel
from bot.store.channels.escalation_reports import load_call_fate, load_report
from bot.store.channels.event_actions import record_action
from bot.store.channels.refused_mentions import load_refused_mentions
from bot.store.channels.subscription_rows import load_active_subscriptions
from bot.store.database import Database
from bot.store.outbox.drill_writer import begin_drill, end_drills, load_finished_drills
from bot.store.outbox.escalation_writer import awaits_somebody
from bot.store.outbox.leases import WorkerLeases
from bot.store.outbox.models import DeliveryKind, DeliveryState
from formatters.models.drill import DrillReport
from formatters.models.escalation import EscalationEnd, Posted
from formatters.models.event_action import EventAction, EventActionKind

_d, _e = schema.deliveries, schema.escalations


class DrillOutcome(Enum):
    """The outcome of a person's request about a drill."""

    BEGUN = auto()
    RUNNING = auto()
    """The channel has a drill; nothing was changed."""
    AWAITED = auto()
    """An event in the channel waits for somebody to take it; nothing was changed."""
    NO_RULE = auto()
    """The subscription mentions nobody, or is paused; nothing was changed."""
    TAKEN = auto()
    """They pressed "I have it", which ended the drill."""
    STOPPED = auto()
    OVER = auto()
    """There is no drill any more; nothing was changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillResult:
    """The outcome of a request, and the drill that it is about."""

    outcome: DrillOutcome
    drill: DrillReport | None = None
    """The one that was begun or ended, that runs, or that is over; None without any."""


class DrillRepository:
    """Stores drills, which the worker of escalations carries on. All methods raise StoreUnavailable."""

    def __init__(self, database: Database, leases: WorkerLeases) -> None:
        self._database = database
        self._leases = leases

    async def begin(self, channel: ChannelRef, number: int, user_id: str, now: datetime) -> DrillResult:
        """Begin the drill of the channel's subscription with this number, unless something is in its way.

        While an event waits for somebody there, also after its last step, nobody is to be distracted.
        The action is recorded for the audit.
        """
        async with self._database.exclusive_transaction() as connection:
            running = await _running(connection, channel)
            if running is not None:
                return DrillResult(outcome=DrillOutcome.RUNNING, drill=running)
            if await _is_somebody_awaited(connection, channel):
                return DrillResult(outcome=DrillOutcome.AWAITED)
            here = await load_active_subscriptions(connection, channel)
            criteria = next((s.criteria for s in here if s.number == number), None)
            if criteria is None or criteria.notify is None:
                return DrillResult(outcome=DrillOutcome.NO_RULE)
            drill_id = await begin_drill(connection, channel, number, criteria.notify, user_id, now)
            detail = f"subscription {number}: {criteria.canonical}"
            await _record(connection, channel, user_id, EventActionKind.DRILL_BEGUN, detail, now)
            begun = await _load(connection, drill_id)
        return DrillResult(outcome=DrillOutcome.BEGUN, drill=begun)

    async def stop(self, channel: ChannelRef, user_id: str, now: datetime) -> DrillResult:
        """Stop the channel's drill. The action is recorded for the audit."""
        async with self._database.exclusive_transaction() as connection:
            running = await _running(connection, channel)
            if running is None:
                return DrillResult(outcome=DrillOutcome.OVER)
            mine = _e.c.id == running.report.id
            await end_drills(connection, mine, EscalationEnd.STOPPED, now, ended_by=user_id)
            detail = f"subscription {running.report.drill_number}"
            await _record(connection, channel, user_id, EventActionKind.DRILL_STOPPED, detail, now)
            stopped = await _load(connection, running.report.id)
        return DrillResult(outcome=DrillOutcome.STOPPED, drill=stopped)

    async def acknowledge(
        self, channel: ChannelRef, drill_id: int, user_id: str, now: datetime
    ) -> DrillResult:
        """Record that a person has pressed "I have it" in a drill, which ends it."""
        mine = in_channel(_e, channel) & (_e.c.id == drill_id)
        async with self._database.exclusive_transaction() as connection:
            ended = await end_drills(connection, mine, EscalationEnd.ACKNOWLEDGED, now, ended_by=user_id)
            if ended:
                await _record(connection, channel, user_id, EventActionKind.ACKNOWLEDGED, "a drill", now)
            found = await connection.execute(select(_e.c.id).where(mine, _e.c.drill_number.is_not(None)))
            drill = None if found.first() is None else await _load(connection, drill_id)
        return DrillResult(outcome=DrillOutcome.TAKEN if ended else DrillOutcome.OVER, drill=drill)

    async def end_finished(self, now: datetime) -> int:
        """End the drills that nobody has taken in time, in workspaces as those of steps; return how many."""
        mine = self._leases.serves_or_nobody_does(_e.c.team_id)
        async with self._database.read_transaction() as connection:
            if not await load_finished_drills(connection, mine, now):
                return 0
        async with self._database.exclusive_transaction() as connection:
            ids = await load_finished_drills(connection, mine, now)
            return len(await end_drills(connection, _e.c.id.in_(ids), EscalationEnd.COMPLETE, now))

    async def get(self, drill_id: int) -> DrillReport | None:
        """Return a drill as it stands; None if it was purged."""
        async with self._database.read_transaction() as connection:
            return await _load(connection, drill_id)

    async def of_step(self, step_id: int) -> DrillReport | None:
        """Return the drill of a step as it stands; None if it was purged."""
        steps = schema.escalation_steps
        query = select(steps.c.escalation_id).where(steps.c.id == step_id)
        async with self._database.read_transaction() as connection:
            drill_id = (await connection.execute(query)).scalar_one_or_none()
            return None if drill_id is None else await _load(connection, drill_id)


async def _running(connection: AsyncConnection, channel: ChannelRef) -> DrillReport | None:
    open_ = in_channel(_e, channel) & _e.c.drill_number.is_not(None) & _e.c.closed_at.is_(None)
    drill_id = (await connection.execute(select(_e.c.id).where(open_))).scalars().first()
    return None if drill_id is None else await _load(connection, drill_id)


async def _is_somebody_awaited(connection: AsyncConnection, channel: ChannelRef) -> bool:
    here = in_channel(_e, channel) & awaits_somebody()
    return (await connection.execute(select(_e.c.id).where(here).limit(1))).first() is not None


async def _load(connection: AsyncConnection, drill_id: int) -> DrillReport | None:
    """Return a drill with what became of its messages and of its call."""
    report = await load_report(connection, drill_id)
    if report is None:
        return None
    steps = [reported.id for reported in report.steps]
    messages = select(_d.c.subject_id, _d.c.state, _d.c.sent_at, _d.c.reason).where(
        _d.c.team_id == report.team_id,
        _d.c.channel_id == report.channel_id,
        _d.c.kind == DeliveryKind.DRILL.value,
        _d.c.subject_id.in_(steps),
    )
    posted = {row.subject_id: _posted(row) for row in (await connection.execute(messages)).all()}
    called = await load_call_fate(connection, drill_id)
    channel = (report.team_id, report.channel_id)
    found = await load_refused_mentions(connection, in_channel(schema.refused_mentions, channel))
    refused = {one.target: one.reason for one in found[channel]}
    return DrillReport(report=report, posted=posted, called=called, refused=refused)


def _posted(row: Any) -> Posted:
    is_given_up = row.state == DeliveryState.DEAD.value
    return Posted(at=row.sent_at, reason=row.reason, is_given_up=is_given_up)


async def _record(
    connection: AsyncConnection,
    channel: ChannelRef,
    user_id: str,
    kind: EventActionKind,
    detail: str,
    now: datetime,
) -> None:
    team_id, channel_id = channel
    action = EventAction(
        team_id=team_id,
        channel_id=channel_id,
        superevent_id=None,
        user_id=user_id,
        kind=kind,
        at=now,
        detail=detail,
    )
    await record_action(connection, action)
