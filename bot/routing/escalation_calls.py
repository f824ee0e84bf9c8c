"""Decides the webhook calls that follow the one that nobody has an event: somebody has it, it is over.

Calls follow from how an escalation stands, not from what changed, so nothing is lost however long nobody
looked. What follows the first call is said only to operators who may have heard of that; a call that was
never attempted is dropped instead. What a call says is rendered when it is made, from the newest state, and
one that was overtaken isn't made.
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.routing.intents import CallKind, CallWebhook, CancelWebhookCall
from bot.routing.state import CallState


def plan_escalation_calls(
    escalation_id: int, calls: Mapping[CallKind, CallState], *, is_acknowledged: bool, is_closed: bool
) -> list[CallWebhook | CancelWebhookCall]:
    """Return the calls to make and those to drop, so that the operators know how an escalation stands.

    `calls` are those that were planned, in the order in which they were last. Without the first one, which
    the webhook's step makes, nothing follows, and nothing follows the one that it is over. If the event is
    handed back and the operators rely on somebody, or were never called because of them, they are called
    again.
    """
    said = [kind for kind, state in calls.items() if state is not CallState.CANCELLED]
    wanted = CallKind.ESCALATED
    if is_closed:
        wanted = CallKind.ESCALATION_ENDED
    elif is_acknowledged:
        wanted = CallKind.ESCALATION_ACKNOWLEDGED
    first = calls.get(CallKind.ESCALATED)
    if first is None or CallKind.ESCALATION_ENDED in said or said[-1:] == [wanted]:
        return []
    plan: list[CallWebhook | CancelWebhookCall] = [
        CancelWebhookCall(kind=kind, escalation_id=escalation_id)
        for kind in said
        if kind is not wanted and calls[kind] is CallState.UNTRIED
    ]
    if wanted is CallKind.ESCALATED:
        relied_on = calls.get(CallKind.ESCALATION_ACKNOWLEDGED) is CallState.MAY_BE_HEARD
        is_needed = relied_on or first is CallState.CANCELLED
    else:
        is_needed = first is CallState.MAY_BE_HEARD
    return [*plan, CallWebhook(kind=wanted, escalation_id=escalation_id)] if is_needed else plan
