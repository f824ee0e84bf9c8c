"""Begin, end and resume escalations: rows that say who is next, and when, if nobody has an event.

All functions run in the caller's transaction, an exclusive one: an acknowledgement and a step that is due
never both win. What the operators' webhook is to say of a change is written with it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.routing.escalation_calls import EscalationChange
from bot.routing.intents import ChannelRef
from bot.store import schema
from bot.store.outbox.escalation_calls import call_for_escalations
from bot.store.outbox.models import DeliveryKind, DeliveryState
from formatters.models.escalation import WEBHOOK, EscalationEnd, EscalationStep
from formatters.models.escalation_report import StepState

WAITING, TAKEN, CANCELLED = StepState.WAITING.value, StepState.TAKEN.value, StepState.CANCELLED.value
"""The stored states of a step, as the rows have them."""

_a, _e, _s = schema.acknowledgements, schema.escalations, schema.escalation_steps
_d, _t = schema.deliveries, schema.threads
_FINAL = (EscalationEnd.RETRACTED, EscalationEnd.CONDITION, EscalationEnd.STOPPED)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEscalation:
    """An escalation that begins now."""

    channel: ChannelRef
    steps: tuple[EscalationStep, ...]
    thread_id: int | None = None
    """The event's thread; None for a drill."""
    mention_id: int | None = None
    """The mention that it follows; None for a drill."""
    drill_number: int | None = None
    """For a drill, the number of the channel's subscription."""
    started_by: str | None = None
    """For a drill, who began it: Slack's user id."""
    is_held: bool = False
    """True if somebody has the event: the steps come once it is handed back."""


async def begin_escalations(
    connection: AsyncConnection, escalations: Sequence[NewEscalation], now: datetime
) -> list[int]:
    """Write escalations whose times count from `now`, or from a hand-back; return their ids, in order.

    Nobody has an event that begins to escalate: an acknowledgement from before it was retracted ends.
    """
    if not escalations:
        return []
    # One alert may begin hundreds in the transaction that stores it: no statement for each.
    threads = [one.thread_id for one in escalations if one.thread_id is not None and not one.is_held]
    if threads:
        await connection.execute(delete(_a).where(_a.c.thread_id.in_(threads)))
    rows = [
        {
            "team_id": one.channel[0],
            "channel_id": one.channel[1],
            "thread_id": one.thread_id,
            "mention_id": one.mention_id,
            "drill_number": one.drill_number,
            "started_by": one.started_by,
            "started_at": now,
            "end_reason": EscalationEnd.ACKNOWLEDGED.value if one.is_held else None,
            "ended_at": now if one.is_held else None,
        }
        for one in escalations
    ]
    written = insert(_e).returning(_e.c.id, sort_by_parameter_order=True)
    ids = [int(found) for found in (await connection.execute(written, rows)).scalars()]
    steps = [
        {
            "escalation_id": escalation_id,
            "team_id": one.channel[0],
            "position": position,
            "after_s": round(step.after.total_seconds()),
            "targets": " ".join(step.targets),
            "unless_told": " ".join(step.unless_told),
            "webhook": step.webhook,
            "due_at": now + step.after,
            "state": CANCELLED if one.is_held else WAITING,
        }
        for escalation_id, one in zip(ids, escalations, strict=True)
        for position, step in enumerate(one.steps)
    ]
    await connection.execute(insert(_s), steps)
    return ids


def awaits_somebody() -> ColumnElement[bool]:
    """Return the condition on escalations of events that somebody is to take: they run, or all steps came."""
    runs = _e.c.end_reason.is_(None) | (_e.c.end_reason == EscalationEnd.COMPLETE.value)
    return _e.c.thread_id.is_not(None) & _e.c.closed_at.is_(None) & runs


async def mark_mentioned(connection: AsyncConnection, mention_ids: Collection[int], at: datetime) -> None:
    """Count the steps that mention people from `at`, when Slack accepted the first mention.

    The webhook goes on to count from when the notice was stored: while Slack is down it still pages.
    """
    if mention_ids:
        await count_steps_from(connection, _e.c.mention_id.in_(mention_ids), at)


async def count_steps_from(connection: AsyncConnection, which: ColumnElement[bool], at: datetime) -> None:
    """Count the steps that mention people from `at`, once, in the escalations among `which`."""
    unmentioned = which & _e.c.mentioned_at.is_(None)
    counted = update(_e).where(unmentioned).values(mentioned_at=at).returning(_e.c.id)
    ids = list((await connection.execute(counted)).scalars())
    if not ids:
        return
    waiting = _s.c.escalation_id.in_(ids) & (_s.c.state == WAITING) & _s.c.webhook.is_(False)
    lengths = (await connection.execute(select(_s.c.after_s).where(waiting).distinct())).scalars().all()
    for after_s in lengths:
        same = update(_s).where(waiting, _s.c.after_s == after_s)
        await connection.execute(same.values(due_at=at + timedelta(seconds=after_s)))


async def end_escalations(
    connection: AsyncConnection,
    which: ColumnElement[bool],
    reason: EscalationEnd,
    now: datetime,
    *,
    kept: Collection[str] = (),
    is_final: bool = False,
) -> list[int]:
    """End the open escalations among `which`, a condition on `escalations`; return their ids.

    With `kept`, the targets that are still wanted (WEBHOOK for the webhook), only steps without any of them
    are cancelled, and only escalations that have no step left end. With `is_final` nothing follows for any
    reason, as where a drill ends.
    """
    open_ = which & _e.c.closed_at.is_(None)
    if reason is EscalationEnd.ACKNOWLEDGED:
        open_ &= _e.c.end_reason.is_(None) | (_e.c.end_reason == EscalationEnd.COMPLETE.value)
    rows = (await connection.execute(select(_e.c.id).where(open_))).all()
    ids = [row.id for row in rows]
    if not ids:
        return []
    waiting = _s.c.escalation_id.in_(ids) & (_s.c.state == WAITING)
    steps = (await connection.execute(select(_s).where(waiting))).all()
    unwanted = [row.id for row in steps if not kept or not step_targets(row) & set(kept)]
    await connection.execute(update(_s).where(_s.c.id.in_(unwanted)).values(state=CANCELLED))
    if kept:
        left = {row.escalation_id for row in steps if row.id not in unwanted}
        ids = sorted({row.escalation_id for row in steps} - left)
    if reason is EscalationEnd.ACKNOWLEDGED:
        await _take_back_unsaid(connection, ids)
    final = {"closed_at": now} if is_final or reason in _FINAL else {}
    await connection.execute(
        update(_e).where(_e.c.id.in_(ids)).values(end_reason=reason.value, ended_at=now, **final)
    )
    change = EscalationChange.ENDED if final else EscalationChange.ACKNOWLEDGED
    await call_for_escalations(connection, ids, change, now)
    return ids


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumedCalls:
    """The calls that go on because nobody has an event any more."""

    escalations: int = 0
    """Escalations that have steps left."""
    is_paged: bool = False
    """True if the operators' webhook is called at once."""


async def resume_escalations(
    connection: AsyncConnection, which: ColumnElement[bool], now: datetime
) -> ResumedCalls:
    """Resume acknowledged escalations, since nobody has the event any more.

    Each step that is left comes after the time that lay between it and the last one before it that was taken.
    Who was told before may be told again, by one step: whoever had the event hasn't dealt with it.
    """
    acknowledged = which & _e.c.closed_at.is_(None) & (_e.c.end_reason == EscalationEnd.ACKNOWLEDGED.value)
    resumed, is_paged = 0, False
    for escalation_id in (await connection.execute(select(_e.c.id).where(acknowledged))).scalars().all():
        mine = select(_s).where(_s.c.escalation_id == escalation_id).order_by(_s.c.position)
        steps = (await connection.execute(mine)).all()
        taken = [row for row in steps if row.state == TAKEN]
        left = _steps_left(steps)
        named: set[str] = set()
        for row in left:
            last = max((one.after_s for one in taken if one.after_s <= row.after_s), default=0)
            due = now + timedelta(seconds=row.after_s - last)
            unless_told = " ".join(target for target in row.unless_told.split() if target in named)
            named |= step_targets(row)
            again = update(_s).where(_s.c.id == row.id)
            await connection.execute(again.values(state=WAITING, due_at=due, unless_told=unless_told))
        end: dict[str, Any] = {"end_reason": None, "ended_at": None}
        if not left:
            end = {"end_reason": EscalationEnd.COMPLETE.value, "ended_at": now}
        await connection.execute(update(_e).where(_e.c.id == escalation_id).values(end))
        back = EscalationChange.HANDED_BACK
        is_paged |= await call_for_escalations(connection, [escalation_id], back, now)
        resumed += bool(left)
    return ResumedCalls(escalations=resumed, is_paged=is_paged)


def _steps_left(steps: Sequence[Any]) -> list[Any]:
    """Return those steps of an acknowledged escalation that come if the event is handed back.

    The webhook may have been called before earlier steps, while Slack was down: these are left all the same.
    """
    last_mention_s = max((row.after_s for row in steps if row.state == TAKEN and not row.webhook), default=0)
    return [row for row in steps if row.state == CANCELLED and row.after_s >= last_mention_s]


async def merge_escalations(connection: AsyncConnection, kept: int, lost: int, now: datetime) -> None:
    """Cancel the steps of thread `lost` for people who wait in thread `kept` of the same event and channel.

    Those that are left go on in the merged thread, unless somebody has the event.
    """
    both = (_s.c.state == WAITING) & _e.c.thread_id.in_([kept, lost])
    query = select(_e.c.thread_id, _s.c.targets, _s.c.webhook).join(_s, _s.c.escalation_id == _e.c.id)
    named: dict[int, set[str]] = {kept: set(), lost: set()}
    for row in (await connection.execute(query.where(both))).all():
        named[row.thread_id] |= step_targets(row)
    if named[kept] & named[lost]:
        own = named[lost] - named[kept]
        await end_escalations(connection, _e.c.thread_id == lost, EscalationEnd.CONDITION, now, kept=own)


def step_targets(row: Any) -> set[str]:
    """Return the targets of a step's row, or WEBHOOK."""
    return {WEBHOOK} if row.webhook else set(row.targets.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTargets:
    """The targets of the steps of a thread's open escalations, WEBHOOK for the webhook."""

    waiting: frozenset[str] = frozenset()
    held: frozenset[str] = frozenset()
    """By steps that come if the event is handed back."""


async def load_open_targets(connection: AsyncConnection, superevent_id: str) -> Mapping[int, OpenTargets]:
    """Return the targets of steps that may still come, by thread with an open escalation."""
    query = (
        select(_e.c.id, _e.c.thread_id, _e.c.end_reason, _s.c.state, _s.c.after_s, _s.c.targets, _s.c.webhook)
        .join(_s, _s.c.escalation_id == _e.c.id, isouter=True)
        .join(_t, _t.c.id == _e.c.thread_id)
        .where(_t.c.superevent_id == superevent_id, _e.c.closed_at.is_(None))
        .order_by(_e.c.id)
    )
    found: dict[int, OpenTargets] = {}
    for _, group in groupby((await connection.execute(query)).all(), key=lambda row: row.id):
        steps = list(group)
        waiting = [row for row in steps if row.state == WAITING]
        is_held = steps[0].end_reason == EscalationEnd.ACKNOWLEDGED.value
        held = _steps_left(steps) if is_held else []
        before = found.get(steps[0].thread_id, OpenTargets())
        found[steps[0].thread_id] = OpenTargets(
            waiting=before.waiting.union(*map(step_targets, waiting)),
            held=before.held.union(*map(step_targets, held)),
        )
    return found


async def load_notified_by_steps(
    connection: AsyncConnection, superevent_id: str
) -> Mapping[int, frozenset[str]]:
    """Return by thread of an event whom the messages of steps may have mentioned."""
    mine = (_d.c.thread_id == _t.c.id) & (_d.c.kind == DeliveryKind.ESCALATION.value)
    doubtful = (_d.c.state == DeliveryState.PENDING.value) & _d.c.doubtful
    may_be_seen = _d.c.state.in_([DeliveryState.SENT.value, DeliveryState.SENDING.value]) | doubtful
    query = (
        select(_t.c.id, _s.c.targets)
        .join(_d, mine)
        .join(_s, _s.c.id == _d.c.subject_id)
        .where(_t.c.superevent_id == superevent_id, may_be_seen)
    )
    found: dict[int, frozenset[str]] = {}
    for row in (await connection.execute(query)).all():
        found[row.id] = found.get(row.id, frozenset()) | set(row.targets.split())
    return found


async def _take_back_unsaid(connection: AsyncConnection, escalation_ids: Collection[int]) -> None:
    """Cancel taken steps that nobody can have heard yet, so that they come if the event is handed back."""
    steps = select(_s.c.id).where(_s.c.escalation_id.in_(escalation_ids), _s.c.state == TAKEN)
    unsent = (_d.c.kind == DeliveryKind.ESCALATION.value) & _d.c.subject_id.in_(steps)
    unsent &= (_d.c.state == DeliveryState.PENDING.value) & _d.c.doubtful.is_(False)
    gone = delete(_d).where(unsent).returning(_d.c.subject_id)
    ids = list((await connection.execute(gone)).scalars())
    back = update(_s).where(_s.c.id.in_(ids))
    await connection.execute(back.values(state=CANCELLED, taken_at=None))
