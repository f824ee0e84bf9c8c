"""Ends the escalations of a channel whose rule is gone, in the transaction that changes its subscriptions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.routing.escalation import step_targets
from bot.routing.intents import ChannelRef
from bot.store import schema
from bot.store.channels.clauses import in_channel
from bot.store.channels.subscription_rows import load_active_subscriptions
from bot.store.outbox.drill_writer import drill_steps, end_drills
from bot.store.outbox.edit_writer import mark_threads_stale
from bot.store.outbox.escalation_writer import end_escalations
from formatters.models.escalation import WEBHOOK, EscalationEnd, EscalationStep
from formatters.models.subscription import Subscription

_e = schema.escalations
_s = schema.escalation_steps
_t = schema.threads


async def end_steps_without_rule(connection: AsyncConnection, channel: ChannelRef, now: datetime) -> None:
    """Cancel the steps for events that no active subscription of the channel names any more.

    Whether the rules that are left hold for an event is asked when a step is due. Where nobody is awaited any
    more the card says so.
    """
    here = in_channel(_e, channel) & _e.c.closed_at.is_(None)
    if (await connection.execute(select(_e.c.id).where(here).limit(1))).first() is None:
        return
    subscriptions = await load_active_subscriptions(connection, channel)
    await _end_drills_without_rule(connection, here, subscriptions, now)
    open_ = here & _e.c.thread_id.is_not(None)
    kept = step_targets(subscription.criteria for subscription in subscriptions)
    ended = await end_escalations(connection, open_, EscalationEnd.CONDITION, now, kept=kept)
    cards = select(_t.c.id).join(_e, _e.c.thread_id == _t.c.id).where(_e.c.id.in_(ended))
    shown = (await connection.execute(cards.where(_t.c.root_ts.is_not(None)).distinct())).scalars()
    await mark_threads_stale(connection, dict.fromkeys(shown, channel), now)


async def _end_drills_without_rule(
    connection: AsyncConnection,
    here: ColumnElement[bool],
    subscriptions: Iterable[Subscription],
    now: datetime,
) -> None:
    """End the drills of subscriptions that are gone, are paused, or have another rule by now."""
    rules = {s.number: s.criteria.notify for s in subscriptions}
    query = (
        select(_e.c.id, _e.c.drill_number, _s.c.after_s, _s.c.targets, _s.c.webhook)
        .join(_s, _s.c.escalation_id == _e.c.id)
        .where(here, _e.c.drill_number.is_not(None))
        .order_by(_s.c.position)
    )
    drills: dict[tuple[int, int], list[tuple[int, str]]] = {}
    for row in (await connection.execute(query)).all():
        words = WEBHOOK if row.webhook else row.targets
        drills.setdefault((row.id, row.drill_number), []).append((row.after_s, words))
    ended = []
    for (drill_id, number), steps in drills.items():
        rule = rules.get(number)
        if rule is None or [*map(_stored, drill_steps(rule))] != steps:
            ended.append(drill_id)
    if ended:
        await end_drills(connection, _e.c.id.in_(ended), EscalationEnd.CONDITION, now)


def _stored(step: EscalationStep) -> tuple[int, str]:
    return round(step.after.total_seconds()), WEBHOOK if step.webhook else " ".join(step.targets)
