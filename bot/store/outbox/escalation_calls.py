"""Plans and writes the webhook calls about escalations, in the transaction that changes them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.routing.escalation_calls import EscalationChange, plan_escalation_calls
from bot.routing.intents import CallKind, CallWebhook
from bot.store.outbox.webhook_writer import load_escalation_calls, write_webhook_calls


async def call_for_escalations(
    connection: AsyncConnection, escalation_ids: Collection[int], change: EscalationChange, now: datetime
) -> bool:
    """Write the calls that follow from a change of these escalations, and drop those that it makes void.

    Return True if the operators are to be told, among these, that nobody has it. Lock the escalations' rows
    first: two changes of one escalation must not be planned at once.
    """
    is_paged = False
    planned = await load_escalation_calls(connection, escalation_ids)
    for escalation_id in sorted(escalation_ids):
        intents = plan_escalation_calls(escalation_id, change, planned[escalation_id])
        await write_webhook_calls(connection, intents, now)
        is_paged |= CallWebhook(kind=CallKind.ESCALATED, escalation_id=escalation_id) in intents
    return is_paged
