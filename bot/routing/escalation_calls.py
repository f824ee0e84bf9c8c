"""Decides the webhook calls about an escalation: that nobody has it, that somebody has, that it is over.

The call that nobody has it is made for the webhook's step. What follows is said only to operators who may
have heard of it: a call that was never attempted is dropped instead. What a call says is rendered when it is
made, from the newest state, and one that was overtaken isn't made.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

from bot.routing.intents import CallKind, CallWebhook, CancelWebhookCall, Intent
from bot.routing.state import CallState


class EscalationChange(Enum):
    """A change of an escalation, as far as the operators' webhook is concerned."""

    DUE = auto()
    """The webhook's step was taken: nobody has it."""
    ACKNOWLEDGED = auto()
    """Somebody has it whom nobody was before."""
    HANDED_BACK = auto()
    """The last person who had it no longer has it."""
    ENDED = auto()
    """Retracted, the condition's end, stopped, or a day later: whatever was opened is closed."""


def plan_escalation_calls(
    escalation_id: int, change: EscalationChange, calls: Mapping[CallKind, CallState]
) -> list[Intent]:
    """Return the calls to make and those to drop; `calls` are those that were planned before."""
    first, taken = calls.get(CallKind.ESCALATED), calls.get(CallKind.ESCALATION_ACKNOWLEDGED)
    if CallKind.ESCALATION_ENDED in calls:
        return []
    match change:
        case EscalationChange.DUE:
            return [_call(CallKind.ESCALATED, escalation_id)] if first is None else []
        case EscalationChange.ACKNOWLEDGED:
            if first is CallState.MAY_BE_HEARD:
                return [_call(CallKind.ESCALATION_ACKNOWLEDGED, escalation_id)]
            return _drop(calls, CallKind.ESCALATED, escalation_id)
        case EscalationChange.HANDED_BACK:
            # The operators rely on somebody, or were never called because somebody had it in time.
            if first is CallState.CANCELLED or taken is CallState.MAY_BE_HEARD:
                return [_call(CallKind.ESCALATED, escalation_id)]
            return _drop(calls, CallKind.ESCALATION_ACKNOWLEDGED, escalation_id)
        case EscalationChange.ENDED:
            dropped = _drop(calls, CallKind.ESCALATED, escalation_id)
            dropped += _drop(calls, CallKind.ESCALATION_ACKNOWLEDGED, escalation_id)
            if first is CallState.MAY_BE_HEARD:
                return [*dropped, _call(CallKind.ESCALATION_ENDED, escalation_id)]
            return dropped


def _call(kind: CallKind, escalation_id: int) -> CallWebhook:
    return CallWebhook(kind=kind, escalation_id=escalation_id)


def _drop(calls: Mapping[CallKind, CallState], kind: CallKind, escalation_id: int) -> list[Intent]:
    """Drop a call that nobody can have heard."""
    if calls.get(kind) is CallState.UNTRIED:
        return [CancelWebhookCall(kind=kind, escalation_id=escalation_id)]
    return []
