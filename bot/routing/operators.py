"""Decides the alerts of the operators: messages in their channel, and calls of their webhook."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.filters import CriteriaEvaluator
from bot.routing.intents import (
    AlertOperators,
    CallKind,
    CallWebhook,
    CancelWebhookCall,
    ChannelRef,
    DeferToSkyMap,
    Intent,
    OperatorAlert,
)
from bot.routing.limits import INCIDENT_RESOLVED_AFTER
from bot.routing.state import CallState, OperatorRules, RoutingState
from formatters.models.incident import Incident, IncidentKind
from formatters.models.notice import Category
from formatters.models.subscription import Criteria


def plan_operator_alerts(
    state: RoutingState, rules: OperatorRules, now: datetime, evaluator: CriteriaEvaluator
) -> list[Intent]:
    """Plan a new notice's webhook calls, and the announcement of the first real event after a pause."""
    intents: list[Intent] = []
    if rules.webhook_criteria is not None:
        intents += plan_event_call(state, rules.webhook_criteria, evaluator)
    if (
        rules.ops_channel is not None
        and is_first_notice_of_real_event(state)
        and (state.previous_real_event_at is None or now - state.previous_real_event_at > rules.quiet_period)
    ):
        intents.append(AlertOperators(*rules.ops_channel, OperatorAlert.FIRST_REAL_EVENT))
    return intents


def is_first_notice_of_real_event(state: RoutingState) -> bool:
    """Return True if the notice is the only one known of a real event."""
    return state.superevent.category is Category.REAL and len(state.superevent.notices) == 1


def plan_event_call(state: RoutingState, criteria: Criteria, evaluator: CriteriaEvaluator) -> list[Intent]:
    """Plan one call for each event that matches, and one more if it is retracted after that.

    An event for which the sky map decides is deferred; `evaluator` has its answers the second time.
    """
    superevent, calls = state.superevent, state.webhook_calls
    superevent_id = superevent.superevent_id
    if superevent.is_retracted:
        return _plan_end_of_call(
            calls, CallKind.EVENT_MATCHED, CallKind.EVENT_RETRACTED, superevent_id=superevent_id
        )
    if state.notice.is_retraction or calls.get(CallKind.EVENT_MATCHED, CallState.CANCELLED) is not (
        CallState.CANCELLED
    ):
        return []
    found = evaluator.evaluate(criteria)
    if found.is_undecided:
        return [DeferToSkyMap()]
    if not found.matches:
        return []
    return [CallWebhook(kind=CallKind.EVENT_MATCHED, superevent_id=superevent_id)]


def _plan_end_of_call(
    calls: Mapping[CallKind, CallState],
    begin: CallKind,
    end: CallKind,
    *,
    incident_id: int | None = None,
    superevent_id: str | None = None,
) -> list[Intent]:
    """Cancel the first call if nobody can have heard it; otherwise call once more to take it back."""
    match calls.get(begin):
        case CallState.UNTRIED:
            return [CancelWebhookCall(kind=begin, incident_id=incident_id, superevent_id=superevent_id)]
        case CallState.MAY_BE_HEARD if end not in calls:
            return [CallWebhook(kind=end, incident_id=incident_id, superevent_id=superevent_id)]
    return []


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """An incident that the store holds as open."""

    id: int
    kind: str
    """The value of its `IncidentKind`, or one that only a newer version knows."""
    seen_at: datetime


def resolved_incidents(
    open_incidents: Sequence[OpenIncident], seen: Collection[IncidentKind], now: datetime
) -> list[OpenIncident]:
    """Return the open incidents that are over: not seen now, and not for a while, by any process."""
    kinds = {kind.value for kind in seen}
    return [
        incident
        for incident in open_incidents
        if incident.kind not in kinds and incident.seen_at < now - INCIDENT_RESOLVED_AFTER
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentState:
    """The stored facts that the announcement of incidents depends on, after a health check was recorded."""

    opened: Sequence[tuple[int, Incident]] = ()
    """The incidents that this check found first, by id."""
    resolved: Sequence[int] = ()
    """The ids of those that are over since this check."""
    unannounced: Sequence[int] = ()
    """The ids of recent incidents that were not announced in the operators' channel yet, over or not."""
    announced: Collection[int] = ()
    """Of the resolved ones, those whose first message may have been posted."""
    webhook_calls: Mapping[int, Mapping[CallKind, CallState]]
    """The webhook calls about the resolved incidents that were planned before, by incident."""


def plan_incident_alerts(
    state: IncidentState,
    *,
    ops_channel: ChannelRef | None,
    has_webhook: bool,
    already_called: Collection[IncidentKind] = (),
) -> list[Intent]:
    """Plan the messages and webhook calls about incidents: each is announced once, and its end once.

    `already_called` are the kinds for which the webhook was called while the store was unavailable.
    """
    intents: list[Intent] = []
    if has_webhook:
        intents += [
            CallWebhook(
                kind=CallKind.INCIDENT_OPENED,
                incident_id=incident_id,
                already_made=incident.kind in already_called,
            )
            for incident_id, incident in state.opened
        ]
        for incident_id in state.resolved:
            intents += _plan_end_of_call(
                state.webhook_calls.get(incident_id, {}),
                CallKind.INCIDENT_OPENED,
                CallKind.INCIDENT_RESOLVED,
                incident_id=incident_id,
            )
    if ops_channel is not None:
        intents += [
            AlertOperators(*ops_channel, OperatorAlert.INCIDENT_OPENED, incident_id)
            for incident_id in state.unannounced
        ]
        # A first message that is still to be sent will say that the incident is over.
        intents += [
            AlertOperators(*ops_channel, OperatorAlert.INCIDENT_RESOLVED, incident_id)
            for incident_id in state.resolved
            if incident_id in state.announced
        ]
    return intents
