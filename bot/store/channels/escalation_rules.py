"""Ends the escalations of a channel whose rule is gone, in the transaction that changes its subscriptions."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.routing.escalation import step_targets
from bot.routing.intents import ChannelRef
from bot.store import schema
from bot.store.channels.clauses import in_channel
from bot.store.channels.subscription_rows import load_active_subscriptions
from bot.store.outbox.edit_writer import mark_threads_stale
from bot.store.outbox.escalation_writer import end_escalations
from formatters.models.escalation import EscalationEnd

_e = schema.escalations
_t = schema.threads


async def end_steps_without_rule(connection: AsyncConnection, channel: ChannelRef, now: datetime) -> None:
    """Cancel the steps for events that no active subscription of the channel names any more.

    Whether the rules that are left hold for an event is asked when a step is due. Where nobody is awaited any
    more the card says so.
    """
    open_ = in_channel(_e, channel) & _e.c.thread_id.is_not(None) & _e.c.closed_at.is_(None)
    if (await connection.execute(select(_e.c.id).where(open_).limit(1))).first() is None:
        return
    subscriptions = await load_active_subscriptions(connection, channel)
    kept = step_targets(subscription.criteria for subscription in subscriptions)
    ended = await end_escalations(connection, open_, EscalationEnd.CONDITION, now, kept=kept)
    cards = select(_t.c.id).join(_e, _e.c.thread_id == _t.c.id).where(_e.c.id.in_(ended))
    shown = (await connection.execute(cards.where(_t.c.root_ts.is_not(None)).distinct())).scalars()
    await mark_threads_stale(connection, dict.fromkeys(shown, channel), now)
