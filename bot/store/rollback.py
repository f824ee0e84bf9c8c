"""Change what gwevent 0.1.0 (commit e8f3c8d) can't read, so that it can be started again on this database.

Its tables may stay as they are. But an open delivery or incident of a kind that 0.1.0 doesn't know ends its
process, and so does each restart. Later versions hold such rows instead (`unknown_deliveries_held`). And a
subscription whose words it doesn't know brings nothing: those that name criteria sets are written without
them, with the conditions of a grade in place of its name, so that the channel goes on to get the same alerts,
and of the streams only the circulars stay, which 0.1.0 links one by one. No event is quiet, and nobody is
mentioned after the first mention. Follow-up replies stand as they are; when this version runs again, the next
message about the event brings them up to date.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import reduce
from operator import and_, or_
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.filters import FilterSyntaxError, parse_criteria
from bot.store import schema
from bot.store.channels.change_log import ChangeAuthor, record_changes, subscription_change
from bot.store.channels.clauses import in_channel
from bot.store.channels.subscription_numbers import assign_missing_subscription_numbers
from bot.store.channels.subscription_rows import resolve_rows
from bot.store.database import Database
from bot.store.outbox.escalation_writer import CANCELLED, WAITING
from bot.store.outbox.models import OPEN_STATES, DeliveryKind, DeliveryState
from formatters.models.channel_change import BY_ROLLBACK
from formatters.models.escalation import EscalationEnd
from formatters.models.filter import (
    And,
    Compare,
    Detector,
    External,
    FarCompare,
    FieldIn,
    Filter,
    GradeCondition,
    Near,
    Not,
    Or,
    VisibleFrom,
    conditions,
)
from formatters.models.notice import CLASSES, PROPERTIES
from formatters.models.related_message import Stream
from formatters.models.subscription import Criteria

DELIVERY_KINDS_OF_0_1_0 = [
    "root",
    "reply",
    "edit",
    "mention",
    "confirmation",
    "welcome",
    "circular",
    "apology",
    "ops",
    "trouble",
    "over",
    "first_real",
]
INCIDENT_KINDS_OF_0_1_0 = ["silence", "source", "lag", "deliveries", "slack", "store"]
CALL_KINDS_OF_0_1_0 = ["trouble", "over", "alert", "stand_down"]
QUANTITIES_OF_0_1_0 = {*CLASSES, *PROPERTIES, "NS", "remnant", "area50", "area90", "distance", "instruments"}
STREAMS_OF_0_1_0 = (Stream.CIRCULARS,)
FIELDS_OF_0_1_0 = {"group", "search", "pipeline", "type"}
REASON = "closed for an older gwevent"
"""Stored as the reason of the deliveries and calls that are closed."""

_ABOUT_INCIDENTS = (DeliveryKind.INCIDENT_OPENED.value, DeliveryKind.INCIDENT_RESOLVED.value)
_c = schema.webhook_calls
_d = schema.deliveries
_e, _steps = schema.escalations, schema.escalation_steps
_i = schema.incidents
_s = schema.subscriptions


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackResult:
    """The numbers of rows that were closed or rewritten, by kind."""

    deliveries: int
    incidents: int
    calls: int
    escalations: int = 0
    """Escalations that were open: nobody further is mentioned."""
    rewritten: int = 0
    """Subscriptions that no longer name criteria sets, grades, streams, quiet events or steps."""
    left_out: tuple[str, ...] = ()
    """Subscriptions that 0.1.0 can't read all the same, so they bring nothing: "C0123 subscription 2"."""


async def prepare_rollback(database: Database, now: datetime) -> RollbackResult:
    """Close every open delivery, incident and webhook call that 0.1.0 can't read; nothing is deleted.

    Subscriptions are written without criteria sets and streams as far as that is possible; the channels'
    histories keep their words, and the next change that this version posts in a channel tells of it. No
    process of this version may run meanwhile or afterwards, since it would write new rows. Raises
    StoreUnavailable.
    """
    unknown = _i.c.what.not_in(INCIDENT_KINDS_OF_0_1_0)
    incidents = select(_i.c.id).where(unknown)
    dead: dict[str, Any] = {"state": DeliveryState.DEAD.value, "reason": REASON}
    async with database.exclusive_transaction() as connection:
        # Before the deliveries are closed, among them those that would tell of it.
        rewritten, left_out = await _rewrite_subscriptions(connection, now)
        deliveries = await connection.execute(
            update(_d)
            .where(_d.c.state.in_(OPEN_STATES))
            .where(
                _d.c.kind.not_in(DELIVERY_KINDS_OF_0_1_0)
                | (_d.c.kind.in_(_ABOUT_INCIDENTS) & _d.c.subject_id.in_(incidents))
            )
            .values(**dead, claimed_by=None)
        )
        calls = await connection.execute(
            update(_c)
            .where(_c.c.state == DeliveryState.PENDING.value)
            .where(_c.c.kind.not_in(CALL_KINDS_OF_0_1_0) | _c.c.trouble_id.in_(incidents))
            .values(**dead)
        )
        # 0.1.0 reads what is open in each of its checks, and tells the operators what they weren't told.
        # 0.1.0 has no button to take an event; nobody is to be woken hours later, by this version again.
        waiting = update(_steps).where(_steps.c.state == WAITING)
        await connection.execute(waiting.values(state=CANCELLED))
        escalations = await connection.execute(
            update(_e)
            .where(_e.c.closed_at.is_(None))
            .values(
                end_reason=func.coalesce(_e.c.end_reason, EscalationEnd.STOPPED.value),
                ended_at=func.coalesce(_e.c.ended_at, now),
                closed_at=now,
            )
        )
        closed = await connection.execute(
            update(_i)
            .where(unknown, _i.c.open_as.is_not(None) | ~_i.c.told)
            .values(open_as=None, told=True, ended_at=func.coalesce(_i.c.ended_at, _i.c.seen_at))
        )
    return RollbackResult(
        deliveries=deliveries.rowcount,
        incidents=closed.rowcount,
        calls=calls.rowcount,
        escalations=escalations.rowcount,
        rewritten=rewritten,
        left_out=left_out,
    )


async def _rewrite_subscriptions(connection: AsyncConnection, now: datetime) -> tuple[int, tuple[str, ...]]:
    """Write subscriptions without sets and streams; return how many, and which can't be read by 0.1.0."""
    rewritten = 0
    left_out = []
    rows = (await connection.execute(select(_s).order_by(_s.c.id))).all()
    for channel in {(row.team_id, row.channel_id) for row in rows if row.number is None}:
        await assign_missing_subscription_numbers(connection, channel)
    rows = (await connection.execute(select(_s).order_by(_s.c.team_id, _s.c.channel_id, _s.c.id))).all()
    for before in await resolve_rows(connection, rows):
        if _is_readable(before.criteria):
            continue
        channel = (before.team_id, before.channel_id)
        plain = _in_words_of_0_1_0(before.criteria)
        words = plain.canonical
        same = select(_s.c.id).where(in_channel(_s, channel), _s.c.words == words)
        if not _is_readable(plain) or (await connection.execute(same)).first() is not None:
            left_out.append(f"{before.channel_id} subscription {before.number}")
            continue
        await connection.execute(update(_s).where(_s.c.id == before.id).values(words=words))
        rewritten += 1
        if not before.is_pending:
            change = subscription_change(before, replace(before, criteria=plain))
            await record_changes(connection, channel, ChangeAuthor(BY_ROLLBACK, now), [change])
    return rewritten, tuple(left_out)


def _is_readable(criteria: Criteria) -> bool:
    """Return whether 0.1.0 can read the criteria."""
    mention = None if criteria.notify is None else criteria.notify.condition
    every = [one for part in (criteria.filter, mention) if part is not None for one in conditions(part)]
    if criteria.criteria_sets or not criteria.real or not all(map(_is_condition_of_0_1_0, every)):
        return False
    if not set(criteria.streams) <= set(STREAMS_OF_0_1_0) or criteria.quiet is not None:
        return False
    if criteria.notify is not None and criteria.notify.escalation:
        return False
    try:
        parse_criteria(criteria.canonical)
    except FilterSyntaxError:
        return False  # Written out, it has too many conditions or characters.
    return True


def _is_condition_of_0_1_0(condition: Filter) -> bool:
    match condition:
        case Compare(quantity):
            return quantity in QUANTITIES_OF_0_1_0
        case FieldIn(field):
            return field in FIELDS_OF_0_1_0
        case FarCompare() | Detector() | External() | Near() | VisibleFrom():
            return True
        case _:
            return False


def _in_words_of_0_1_0(criteria: Criteria) -> Criteria:
    """Return criteria without what 0.1.0 doesn't know, the definitions of grades in place of their names.

    Whom they mention is mentioned by 0.1.0 too, but nobody after them.
    """
    notify = criteria.notify
    if notify is not None:
        condition = None if notify.condition is None else _written_out(notify.condition)
        notify = replace(notify, condition=condition, escalation=())
    filter_ = None if criteria.filter is None else _written_out(criteria.filter)
    streams = tuple(stream for stream in criteria.streams if stream in STREAMS_OF_0_1_0)
    return replace(criteria, streams=streams, criteria_sets=(), filter=filter_, quiet=None, notify=notify)


def _written_out(node: Filter) -> Filter:
    match node:
        case And(parts):
            return reduce(and_, map(_written_out, parts))
        case Or(parts):
            return reduce(or_, map(_written_out, parts))
        case Not(part):
            return ~_written_out(part)
        case GradeCondition(definition=Filter() as definition):
            return definition
        case _:
            return node
