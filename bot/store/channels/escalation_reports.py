"""Reads how an escalation or a drill went, for messages and webhook calls about it."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.routing.intents import CallKind
from bot.store import schema
from bot.store.channels.subscription_rows import parse_rows
from bot.store.database import Database
from bot.store.outbox.models import DeliveryKind, DeliveryState
from bot.store.outbox.webhook_writer import CANCELLED_REASON
from formatters.models.escalation import WEBHOOK, Acknowledgement, EscalationEnd, EscalationStep, Posted
from formatters.models.escalation_report import EscalationReport, ReportedStep, StepState

_a = schema.acknowledgements
_c = schema.webhook_calls
_d = schema.deliveries
_e = schema.escalations
_s = schema.escalation_steps
_t = schema.threads


class EscalationReports:
    """Reads escalations with their steps and acknowledgements. Raises StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, escalation_id: int) -> EscalationReport | None:
        """Return an escalation as it stands; None if it was purged."""
        async with self._database.read_transaction() as connection:
            return await load_report(connection, escalation_id)

    async def of_step(self, step_id: int) -> tuple[EscalationReport, ReportedStep] | None:
        """Return a step and its escalation; None if they were purged."""
        async with self._database.read_transaction() as connection:
            found = await connection.execute(select(_s.c.escalation_id).where(_s.c.id == step_id))
            escalation_id = found.scalar_one_or_none()
            report = None if escalation_id is None else await load_report(connection, escalation_id)
        if report is None:
            return None
        return report, next(reported for reported in report.steps if reported.id == step_id)

    async def count_webhook_steps(self) -> dict[str, int]:
        """Return the number of subscriptions, paused ones too, with a webhook step, by workspace."""
        table = schema.subscriptions
        query = select(table).where(table.c.confirmed_at.is_not(None))
        # Few have one, so the words are searched before any are parsed.
        query = query.where(table.c.words.like(f"%escalate%{WEBHOOK}%"))
        async with self._database.read_transaction() as connection:
            rows = (await connection.execute(query)).all()
        return dict(Counter(s.team_id for s in parse_rows(rows) if s.criteria.has_webhook_step))

    async def is_said_by_another(self, call_id: int) -> bool:
        """Return True if another escalation of the same thread says what this call says, or contradicts it.

        Escalations of one thread share one incident of the operators' service: it is acknowledged and
        resolved once, by the last call of a kind, and it stays open while any of them is open.
        """
        async with self._database.read_transaction() as connection:
            call = (
                await connection.execute(
                    select(_c.c.kind, _c.c.created_at, _c.c.escalation_id, _e.c.thread_id)
                    .join(_e, _e.c.id == _c.c.escalation_id)
                    .where(_c.c.id == call_id)
                )
            ).first()
            if call is None or call.thread_id is None:
                return False
            others = (
                await connection.execute(
                    select(_c.c.id, _c.c.kind, _c.c.state, _c.c.reason, _c.c.escalation_id)
                    .join(_e, _e.c.id == _c.c.escalation_id)
                    .where(_e.c.thread_id == call.thread_id, _c.c.escalation_id != call.escalation_id)
                )
            ).all()
        if any(
            row.kind == call.kind and row.state == DeliveryState.PENDING.value and row.id > call_id
            for row in others
        ):
            return True
        if call.kind != CallKind.ESCALATION_ENDED.value:
            return False
        opened = {
            row.escalation_id
            for row in others
            if row.kind == CallKind.ESCALATED.value and row.reason != CANCELLED_REASON
        }
        closed = {row.escalation_id for row in others if row.kind == CallKind.ESCALATION_ENDED.value}
        return not opened <= closed

    async def reopens(self, call_id: int) -> bool:
        """Return True if a call that nobody has it follows one, perhaps heard, that somebody has.

        The operators' service then shows an incident that is acknowledged, which pages nobody.
        """
        async with self._database.read_transaction() as connection:
            call = (
                await connection.execute(
                    select(_c.c.created_at, _e.c.thread_id)
                    .join(_e, _e.c.id == _c.c.escalation_id)
                    .where(_c.c.id == call_id, _c.c.kind == CallKind.ESCALATED.value)
                )
            ).first()
            if call is None or call.thread_id is None:
                return False
            others = (
                await connection.execute(
                    select(_c.c.kind, _c.c.created_at)
                    .join(_e, _e.c.id == _c.c.escalation_id)
                    .where(_e.c.thread_id == call.thread_id, _c.c.id != call_id, _c.c.attempts > 0)
                    .where(_c.c.created_at <= call.created_at)
                    .order_by(_c.c.created_at, _c.c.id)
                )
            ).all()
        return bool(others) and others[-1].kind == CallKind.ESCALATION_ACKNOWLEDGED.value


async def load_call_fate(connection: AsyncConnection, escalation_id: int) -> Posted | None:
    """Return the fate of the call that nobody has it; None if it wasn't planned."""
    query = select(_c.c.state, _c.c.sent_at, _c.c.reason).where(
        _c.c.escalation_id == escalation_id, _c.c.kind == CallKind.ESCALATED.value
    )
    row = (await connection.execute(query)).first()
    if row is None:
        return None
    reason = "it was over before" if row.reason == CANCELLED_REASON else row.reason
    return Posted(at=row.sent_at, reason=reason, is_given_up=row.state == DeliveryState.DEAD.value)


async def load_report(connection: AsyncConnection, escalation_id: int) -> EscalationReport | None:
    """Return an escalation as it stands; None if it was purged."""
    row = (
        await connection.execute(
            select(_e, _t.c.superevent_id)
            .join(_t, _t.c.id == _e.c.thread_id, isouter=True)
            .where(_e.c.id == escalation_id)
        )
    ).first()
    if row is None:
        return None
    steps = await connection.execute(
        select(_s).where(_s.c.escalation_id == escalation_id).order_by(_s.c.position)
    )
    rows = steps.all()
    kind = (DeliveryKind.DRILL if row.thread_id is None else DeliveryKind.ESCALATION).value
    sent = select(_d.c.subject_id).where(
        _d.c.team_id == row.team_id,
        _d.c.channel_id == row.channel_id,
        _d.c.slot.in_([f"{kind}:step:{step.id}" for step in rows]),
        _d.c.state == DeliveryState.SENT.value,
    )
    posted = set((await connection.execute(sent)).scalars())
    return EscalationReport(
        id=row.id,
        team_id=row.team_id,
        channel_id=row.channel_id,
        started_at=row.started_at,
        mentioned_at=row.mentioned_at,
        steps=tuple(_reported_step(step, is_posted=step.id in posted) for step in rows),
        acknowledgements=await _acknowledgements(connection, row),
        # What only a newer gwevent knows as a reason is a condition that is over.
        end=None if row.end_reason is None else _end(row.end_reason),
        ended_at=row.ended_at,
        is_closed=row.closed_at is not None,
        thread_id=row.thread_id,
        superevent_id=row.superevent_id,
        drill_number=row.drill_number,
        started_by=row.started_by,
        ended_by=row.acknowledged_by,
    )


def _end(stored: str) -> EscalationEnd:
    try:
        return EscalationEnd(stored)
    except ValueError:
        return EscalationEnd.CONDITION


def _reported_step(row: Row[tuple[object, ...]], *, is_posted: bool) -> ReportedStep:
    known = {state.value: state for state in StepState}
    return ReportedStep(
        id=row.id,
        step=EscalationStep(
            after=timedelta(seconds=row.after_s), targets=tuple(row.targets.split()), webhook=row.webhook
        ),
        state=known.get(row.state, StepState.CANCELLED),
        due_at=row.due_at,
        taken_at=row.taken_at,
        is_posted=is_posted,
    )


async def _acknowledgements(
    connection: AsyncConnection, row: Row[tuple[object, ...]]
) -> tuple[Acknowledgement, ...]:
    """Return who has the event; for a drill that is in its own row, since it ends with it."""
    if row.thread_id is None:
        if row.acknowledged_by is None or row.end_reason != EscalationEnd.ACKNOWLEDGED.value:
            return ()
        return (Acknowledgement(user_id=row.acknowledged_by, since=row.ended_at or row.started_at),)
    people = select(_a.c.user_id, _a.c.since).where(_a.c.thread_id == row.thread_id)
    return tuple(
        Acknowledgement(user_id=person.user_id, since=person.since)
        for person in (await connection.execute(people.order_by(_a.c.since, _a.c.user_id))).all()
    )
