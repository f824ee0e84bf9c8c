"""Repository of escalations: takes the steps that are due, and closes what is over.

A step is taken in the transaction that writes its delivery or call: a process that is killed repeats nothing
and loses nothing. Acknowledgements exclude that transaction, so never both win.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import ColumnElement, exists, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.criteria.decided_grades import DecidedGrades
from bot.filters import CriteriaEvaluator
from bot.routing.escalation import (
    ESCALATION_CLOSES_AFTER,
    EscalationFacts,
    StepAction,
    StepDecision,
    WaitingStep,
    decide_steps,
    wanted_targets,
)
from bot.routing.escalation_calls import EscalationChange
from bot.routing.intents import MentionReason
from bot.store import schema
from bot.store.channels.escalation_reports import load_call_fate
from bot.store.channels.subscription_rows import load_active_subscriptions
from bot.store.database import Database
from bot.store.events.notices import load_notice_rows
from bot.store.events.rows import read_notices
from bot.store.outbox.edit_writer import mark_threads_stale
from bot.store.outbox.escalation_calls import call_for_escalations
from bot.store.outbox.escalation_writer import CANCELLED, TAKEN, WAITING, awaits_somebody, end_escalations
from bot.store.outbox.event_rank import event_ranks
from bot.store.outbox.leases import WorkerLeases
from bot.store.outbox.models import DRILL_RANK, OPEN_STATES, DeliveryKind, DeliveryState, delivery_row
from formatters.models.escalation import EscalationEnd, EscalationStep, Posted
from formatters.models.subscription import Criteria
from formatters.models.superevent import Superevent

BATCH = 50
"""Most escalations of one transaction, since other writers wait for it."""

_a, _e, _s = schema.acknowledgements, schema.escalations, schema.escalation_steps
_d, _m, _t = schema.deliveries, schema.mentions, schema.threads

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenStep:
    """A step that was taken, for the message about it."""

    step: EscalationStep
    """With those of its targets that no other step of the same moment mentions."""
    taken_at: datetime
    end: EscalationEnd | None
    """Why the escalation has ended; None while it runs."""
    is_closed: bool
    """True if its reason is over, or a day has passed."""
    criteria_list: tuple[Criteria, ...]
    """The channel's active criteria that mention somebody: targets that are in none of them are left out."""
    call: Posted | None = None
    """The fate of the webhook's call; None if it wasn't called."""


@dataclass(frozen=True, slots=True)
class _Pending:
    """An escalation with the decisions about its waiting steps."""

    row: Any
    decisions: Sequence[StepDecision]
    superevent: Superevent | None
    """None for a drill, and if nothing about the event is stored any more."""
    is_acknowledged: bool
    """True if somebody has the event although steps wait: two threads of it were merged."""
    has_root: bool


class EscalationRepository:
    """Takes due steps in the workspaces that this process serves, and in those that no process serves.

    While Slack is down a process that was started since serves none, but the operators' webhook is to page.
    All methods raise StoreUnavailable.
    """

    def __init__(self, database: Database, leases: WorkerLeases) -> None:
        self._database = database
        self._leases = leases

    async def take_due(self, now: datetime, can_call: Callable[[str], bool]) -> list[StepAction]:
        """Take the steps that are due at `now`, and return what was decided about each.

        `can_call` tells whether the operators' webhook is there, and may be called for a workspace.
        """
        async with self._database.read_transaction() as connection:
            # Usually nothing is to be done, and other writers need not wait for that.
            ids = [one.row.id for one in await self._load_pending(connection, now, can_call)]
        decided: list[StepAction] = []
        for start in range(0, len(ids), BATCH):
            async with self._database.exclusive_transaction() as connection:
                batch = _e.c.id.in_(ids[start : start + BATCH])
                pending = await self._load_pending(connection, now, can_call, batch)
                for one in pending:
                    await _apply(connection, one, now)
            # Of an escalation that somebody took in between only the end is written.
            decided += [d.action for one in pending if not one.is_acknowledged for d in one.decisions]
        return decided

    async def close_old(self, now: datetime) -> int:
        """Close the escalations that began a day ago, whatever became of them; return how many.

        Cards whose event nobody took lose the button by an edit that waits for all others.
        """
        old = (
            self._leases.serves_or_nobody_does(_e.c.team_id)
            & _e.c.closed_at.is_(None)
            & (_e.c.started_at <= now - ESCALATION_CLOSES_AFTER)
        )
        async with self._database.read_transaction() as connection:
            ids = (await connection.execute(select(_e.c.id).where(old).limit(BATCH))).scalars().all()
        if not ids:
            return 0
        async with self._database.exclusive_transaction() as connection:
            waiting = _s.c.escalation_id.in_(ids) & (_s.c.state == WAITING)
            await connection.execute(update(_s).where(waiting).values(state=CANCELLED))
            mine = _e.c.id.in_(ids) & _e.c.closed_at.is_(None)
            shown = select(_t.c.id, _t.c.team_id, _t.c.channel_id).join(_e, _e.c.thread_id == _t.c.id)
            shown = shown.where(mine, awaits_somebody(), _t.c.root_ts.is_not(None))
            cards = {row.id: (row.team_id, row.channel_id) for row in (await connection.execute(shown)).all()}
            runs = update(_e).where(mine, _e.c.end_reason.is_(None))
            await connection.execute(runs.values(end_reason=EscalationEnd.COMPLETE.value, ended_at=now))
            await connection.execute(update(_e).where(mine).values(closed_at=now))
            await call_for_escalations(connection, ids, EscalationChange.ENDED, now)
            await mark_threads_stale(connection, cards, now)
        return len(ids)

    async def taken_step(self, step_id: int) -> TakenStep | None:
        """Return a step that was taken; None if it was taken back, or is purged."""
        query = (
            select(_s, _e.c.channel_id, _e.c.end_reason, _e.c.closed_at, _e.c.thread_id)
            .join(_e, _e.c.id == _s.c.escalation_id)
            .where(_s.c.id == step_id, _s.c.state == TAKEN)
        )
        async with self._database.read_transaction() as connection:
            row = (await connection.execute(query)).first()
            if row is None:
                return None
            earlier = await _load_notified(connection, row.escalation_id, before=row.position)
            has_it = select(_a.c.user_id).where(_a.c.thread_id == row.thread_id).limit(1)
            is_acknowledged = (await connection.execute(has_it)).first() is not None
            here = await load_active_subscriptions(connection, (row.team_id, row.channel_id))
            call = await load_call_fate(connection, row.escalation_id)
        left_out = set(row.unless_told.split())
        mentioned = {
            target
            for one in earlier
            for target in one.targets.split()
            if one.taken_at == row.taken_at or target in left_out
        }
        end = None if row.end_reason is None else EscalationEnd(row.end_reason)
        return TakenStep(
            step=EscalationStep(
                after=timedelta(seconds=row.after_s),
                targets=tuple(target for target in row.targets.split() if target not in mentioned),
                webhook=row.webhook,
            ),
            taken_at=row.taken_at,
            end=EscalationEnd.ACKNOWLEDGED if is_acknowledged else end,
            is_closed=row.closed_at is not None,
            criteria_list=tuple(s.criteria for s in here if s.criteria.notify is not None),
            call=call,
        )

    async def _load_pending(
        self,
        connection: AsyncConnection,
        now: datetime,
        can_call: Callable[[str], bool],
        which: ColumnElement[bool] | None = None,
    ) -> list[_Pending]:
        """Return the escalations with steps about which something is to be decided now."""
        waiting = (_s.c.state == WAITING) & self._leases.serves_or_nobody_does(_s.c.team_id)
        query = select(_e, _s.c.id.label("step_id"), _s.c.after_s, _s.c.targets, _s.c.webhook, _s.c.due_at)
        query = query.add_columns(_s.c.unless_told, _s.c.position)
        query = query.add_columns(
            _t.c.superevent_id,
            _t.c.root_ts,
            exists().where(_a.c.thread_id == _e.c.thread_id).label("is_acknowledged"),
        )
        query = query.join(_s, _s.c.escalation_id == _e.c.id).where(waiting)
        query = query.join(_t, _t.c.id == _e.c.thread_id, isouter=True)
        if which is not None:
            query = query.where(which)
        found: dict[int, tuple[Any, list[WaitingStep]]] = {}
        for row in (await connection.execute(query.order_by(_e.c.id, _s.c.position))).all():
            found.setdefault(row.id, (row, []))[1].append(_waiting_step(row))
        pending = []
        # One event may be due in hundreds of channels.
        superevents: dict[str, Superevent | None] = {}
        for row, steps in found.values():
            # A time further ahead than the step's own length was written before the clock was set back.
            if all(now < one.due_at <= now + one.step.after for one in steps):
                continue
            one = await _decide(connection, row, steps, now, can_call, superevents)
            if one.decisions or one.is_acknowledged:
                pending.append(one)
        return pending


def _waiting_step(row: Any) -> WaitingStep:
    step = EscalationStep(
        after=timedelta(seconds=row.after_s),
        targets=tuple(row.targets.split()),
        webhook=row.webhook,
        unless_told=tuple(row.unless_told.split()),
    )
    return WaitingStep(id=row.step_id, step=step, due_at=row.due_at)


async def _decide(
    connection: AsyncConnection,
    row: Any,
    steps: Sequence[WaitingStep],
    now: datetime,
    can_call: Callable[[str], bool],
    superevents: dict[str, Superevent | None],
) -> _Pending:
    """Read what the fate of an escalation's steps depends on, and decide it.

    `superevents` are those that were read before; it is added to.
    """
    if row.thread_id is None:
        drill = EscalationFacts(wanted=None, can_mention=True, can_call=can_call(row.team_id))
        return _Pending(row, decide_steps(steps, drill, now), None, is_acknowledged=False, has_root=True)
    is_acknowledged, has_root = bool(row.is_acknowledged), row.root_ts is not None
    can_mention = has_root and (
        row.mentioned_at is not None or not await _is_mention_under_way(connection, row.mention_id)
    )
    if row.superevent_id and not can_mention and not any(_needs_no_slack(one, now) for one in steps):
        # Asked each second while Slack is down, in hundreds of channels: the rest would cost a core.
        return _Pending(row, [], None, is_acknowledged=is_acknowledged, has_root=has_root)
    superevent = None
    if row.superevent_id is not None:
        if row.superevent_id not in superevents:
            superevents[row.superevent_id] = await _load_superevent(connection, row.superevent_id)
        superevent = superevents[row.superevent_id]
    wanted: frozenset[str] = frozenset()
    if superevent is not None:
        here = await load_active_subscriptions(connection, (row.team_id, row.channel_id))
        evaluator = CriteriaEvaluator(superevent, DecidedGrades(superevent))
        wanted = wanted_targets([s.criteria for s in here], evaluator)
    notified: set[str] = set()
    if any(one.step.unless_told and one.due_at <= now for one in steps):
        notified = {t for one in await _load_notified(connection, row.id) for t in one.targets.split()}
    facts = EscalationFacts(
        wanted=wanted, can_mention=can_mention, can_call=can_call(row.team_id), notified=frozenset(notified)
    )
    return _Pending(
        row,
        decide_steps(steps, facts, now),
        superevent,
        is_acknowledged=is_acknowledged,
        has_root=has_root,
    )


def _needs_no_slack(waiting: WaitingStep, now: datetime) -> bool:
    """Return whether something can be decided about a step before its root and first mention stand."""
    is_due = waiting.due_at <= now and waiting.step.webhook
    return is_due or waiting.due_at > now + waiting.step.after


async def _load_notified(
    connection: AsyncConnection, escalation_id: int, *, before: int | None = None
) -> Sequence[Any]:
    """Return the targets and times of an escalation's taken steps, but for those whose message was given up.

    With `before`, of those at earlier positions only. Whoever is named by a message that waits will be told.
    """
    given_up = exists().where(
        _d.c.thread_id == _e.c.thread_id,
        _d.c.kind == DeliveryKind.ESCALATION.value,
        _d.c.subject_id == _s.c.id,
        _d.c.state == DeliveryState.DEAD.value,
    )
    query = select(_s.c.targets, _s.c.taken_at).join(_e, _e.c.id == _s.c.escalation_id)
    query = query.where(_s.c.escalation_id == escalation_id, _s.c.state == TAKEN, ~given_up)
    if before is not None:
        query = query.where(_s.c.position < before)
    return (await connection.execute(query)).all()


async def _is_mention_under_way(connection: AsyncConnection, mention_id: int | None) -> bool:
    """Return True if a mention of its own wasn't posted yet; one in a root is posted with that."""
    own = (_d.c.kind == DeliveryKind.MENTION.value) & (_d.c.subject_id == _m.c.id)
    own &= _d.c.thread_id == _m.c.thread_id
    query = (
        select(_d.c.id)
        .select_from(_m)
        .join(_d, own)
        .where(_m.c.id == mention_id, _m.c.occasion != MentionReason.NEW_EVENT.value)
        .where(_d.c.state.in_(OPEN_STATES))
    )
    return (await connection.execute(query.limit(1))).first() is not None


async def _load_superevent(connection: AsyncConnection, superevent_id: str) -> Superevent | None:
    rows = await load_notice_rows(connection, superevent_id)
    notices = read_notices(superevent_id, (row.facts for row in rows if row.facts is not None))
    return Superevent.from_notices(notices) if notices else None


async def _apply(connection: AsyncConnection, pending: _Pending, now: datetime) -> None:
    """Write what was decided about an escalation's steps."""
    row = pending.row
    mine = _e.c.id == row.id
    if pending.is_acknowledged:
        await end_escalations(connection, mine, EscalationEnd.ACKNOWLEDGED, now)
        return
    for decision in pending.decisions:
        await _apply_decision(connection, pending, decision, now)
    steps = (await connection.execute(select(_s.c.state).where(_s.c.escalation_id == row.id))).scalars().all()
    if WAITING in steps:
        return
    if TAKEN in steps:
        complete = {"end_reason": EscalationEnd.COMPLETE.value, "ended_at": now}
        await connection.execute(update(_e).where(mine).values(complete))
        return
    is_retracted = pending.superevent is not None and pending.superevent.is_retracted
    reason = EscalationEnd.RETRACTED if is_retracted else EscalationEnd.CONDITION
    await end_escalations(connection, mine, reason, now)
    if row.thread_id is not None and pending.has_root:
        # Nobody is awaited any more.
        await mark_threads_stale(connection, {row.thread_id: (row.team_id, row.channel_id)}, now)


async def _apply_decision(
    connection: AsyncConnection, pending: _Pending, decision: StepDecision, now: datetime
) -> None:
    row, waiting = pending.row, decision.step
    this = update(_s).where(_s.c.id == waiting.id)
    log.info(
        "escalation_step_decided",
        escalation=row.id,
        channel=row.channel_id,
        action=decision.action.name.lower(),
        superevent_id=None if pending.superevent is None else pending.superevent.superevent_id,
    )
    match decision.action:
        case StepAction.POSTPONE:
            await connection.execute(this.values(due_at=now + waiting.step.after))
            return
        case StepAction.CANCEL:
            await connection.execute(this.values(state=CANCELLED))
            return
        case StepAction.CALL:
            await call_for_escalations(connection, [row.id], EscalationChange.DUE, now)
        case StepAction.MENTION:
            await _write_delivery(connection, row, waiting.id, now)
        case StepAction.REPORT if pending.has_root:
            await _write_delivery(connection, row, waiting.id, now)
        case StepAction.REPORT | StepAction.SKIP:
            pass
    await connection.execute(this.values(state=TAKEN, taken_at=now))


async def _write_delivery(connection: AsyncConnection, row: Any, step_id: int, now: datetime) -> None:
    """Write the delivery of a step: in the event's channel, or in that of a drill."""
    kind = DeliveryKind.DRILL if row.thread_id is None else DeliveryKind.ESCALATION
    ranks = {} if row.thread_id is None else await event_ranks(connection, [row.thread_id])
    new = delivery_row(
        row.team_id,
        row.channel_id,
        kind,
        step_id,
        now,
        thread_id=row.thread_id,
        dedup_key=f"{kind.value}:step:{step_id}",
        event=DRILL_RANK if row.thread_id is None else ranks.get(row.thread_id),
    )
    await connection.execute(insert(_d).values(new))
