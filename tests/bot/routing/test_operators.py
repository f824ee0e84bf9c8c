"""Alerts of the operators: webhook calls, the first real event, incidents."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest

from bot.filters import CriteriaEvaluator, parse_criteria
from bot.routing.intents import (
    AlertOperators,
    CallKind,
    CallWebhook,
    CancelWebhookCall,
    Intent,
    OperatorAlert,
    WelcomeInstaller,
)
from bot.routing.limits import INCIDENT_RESOLVED_AFTER
from bot.routing.operators import (
    IncidentState,
    OpenIncident,
    plan_incident_alerts,
    plan_operator_alerts,
    resolved_incidents,
)
from bot.routing.planner import plan, plan_installation
from bot.routing.state import CallState, OperatorRules, RoutingState
from formatters.models.incident import Incident, IncidentKind
from formatters.models.notice import Notice
from formatters.models.superevent import Superevent
from tests.support.factories import MAX_AGE, MOCK, NOW, REAL, TEAM, decoded_notice

OPS = (TEAM, "C0OPS")
QUIET = timedelta(days=30)
RETRACTED = decoded_notice(alert_type="RETRACTION", minutes=5)
FIRST_REAL = [AlertOperators(*OPS, OperatorAlert.FIRST_REAL_EVENT)]


def planned(
    *notices: Notice,
    calls: Mapping[CallKind, CallState] | None = None,
    previous: datetime | None = None,
    matches: bool | None = None,
    in_channel: bool = False,
) -> list[Intent]:
    state = RoutingState(
        superevent=Superevent.from_notices(notices),
        notice=notices[-1],
        webhook_calls=calls or {},
        previous_real_event_at=previous,
    )
    rules = OperatorRules(
        ops_channel=OPS if in_channel else None,
        quiet_period=QUIET,
        webhook_criteria=None if matches is None else parse_criteria("CBC" if matches else "Burst"),
    )
    return plan_operator_alerts(state, rules, NOW, CriteriaEvaluator(state.superevent))


CALLED = {CallKind.EVENT_MATCHED: CallState.MAY_BE_HEARD}
UNTRIED = {CallKind.EVENT_MATCHED: CallState.UNTRIED}


@pytest.mark.parametrize(
    ("retracted", "matches", "calls", "expected"),
    [
        (False, True, {}, [CallWebhook(kind=CallKind.EVENT_MATCHED, superevent_id=REAL)]),
        (False, False, {}, []),
        (False, True, UNTRIED, []),
        (False, True, CALLED, []),
        (True, True, {}, []),
        (True, True, UNTRIED, [CancelWebhookCall(kind=CallKind.EVENT_MATCHED, superevent_id=REAL)]),
        (True, False, CALLED, [CallWebhook(kind=CallKind.EVENT_RETRACTED, superevent_id=REAL)]),
        (True, True, CALLED | {CallKind.EVENT_RETRACTED: CallState.UNTRIED}, []),
    ],
)
def test_the_webhook_is_called_once_for_an_event_and_once_for_its_retraction(
    retracted: bool, matches: bool, calls: Mapping[CallKind, CallState], expected: list[Intent]
) -> None:
    notices = [decoded_notice(), RETRACTED] if retracted else [decoded_notice()]
    assert planned(*notices, calls=calls, matches=matches) == expected
    assert planned(*notices, calls=calls, matches=None) == [], "there is no webhook"


def test_the_first_real_event_after_a_pause_is_announced() -> None:
    assert planned(decoded_notice(), in_channel=True) == FIRST_REAL
    assert planned(decoded_notice(), in_channel=True, previous=NOW - QUIET) == []
    assert planned(decoded_notice(), in_channel=True, previous=NOW - QUIET - timedelta(1)) == FIRST_REAL
    assert planned(decoded_notice(), decoded_notice(minutes=5), in_channel=True) == []
    assert planned(decoded_notice(MOCK), in_channel=True) == []


@pytest.mark.parametrize(("live", "age"), [(False, timedelta(0)), (True, MAX_AGE + timedelta(minutes=1))])
def test_archives_and_old_news_tell_no_operator(live: bool, age: timedelta) -> None:
    notice = decoded_notice()
    rules = OperatorRules(ops_channel=OPS, quiet_period=QUIET, webhook_criteria=parse_criteria("CBC"))
    state = RoutingState(superevent=Superevent.from_notices([notice]), notice=notice)
    now = NOW + age
    assert plan(state, live=live, now=now, max_age=MAX_AGE, operator_rules=rules) == []
    assert len(plan(state, live=True, now=NOW, max_age=MAX_AGE, operator_rules=rules)) == 2


def test_incident_unseen_for_long_is_resolved() -> None:
    slack = OpenIncident(1, "slack", NOW)
    other_version = OpenIncident(2, "a kind of a newer version", NOW)
    both = [slack, other_version]
    soon, late = NOW + INCIDENT_RESOLVED_AFTER, NOW + INCIDENT_RESOLVED_AFTER + timedelta(seconds=1)
    assert resolved_incidents(both, [], soon) == []
    assert resolved_incidents(both, [IncidentKind.SLACK], late) == [other_version]
    assert resolved_incidents(both, [], late) == both


def test_incidents_are_announced_once_and_their_end_once() -> None:
    opened = [
        (1, Incident(kind=IncidentKind.SLACK, since=NOW)),
        (2, Incident(kind=IncidentKind.LAG, since=NOW)),
    ]
    state = IncidentState(opened=opened, unannounced=[1, 2], webhook_calls={})
    assert plan_incident_alerts(
        state, ops_channel=OPS, has_webhook=True, already_called=[IncidentKind.LAG]
    ) == [
        CallWebhook(kind=CallKind.INCIDENT_OPENED, incident_id=1),
        CallWebhook(kind=CallKind.INCIDENT_OPENED, incident_id=2, already_made=True),
        AlertOperators(*OPS, OperatorAlert.INCIDENT_OPENED, 1),
        AlertOperators(*OPS, OperatorAlert.INCIDENT_OPENED, 2),
    ]
    assert plan_incident_alerts(state, ops_channel=None, has_webhook=False) == []
    over = IncidentState(
        resolved=[1, 2, 3],
        announced={2},
        webhook_calls={
            1: {CallKind.INCIDENT_OPENED: CallState.UNTRIED},
            2: {CallKind.INCIDENT_OPENED: CallState.MAY_BE_HEARD},
        },
    )
    assert plan_incident_alerts(over, ops_channel=OPS, has_webhook=True) == [
        CancelWebhookCall(kind=CallKind.INCIDENT_OPENED, incident_id=1),
        CallWebhook(kind=CallKind.INCIDENT_RESOLVED, incident_id=2),
        AlertOperators(*OPS, OperatorAlert.INCIDENT_RESOLVED, 2),
    ]


def test_only_a_new_workspace_is_welcomed() -> None:
    assert plan_installation(TEAM, "U1", is_new=True) == [WelcomeInstaller(TEAM, "U1")]
    assert plan_installation(TEAM, "U1", is_new=False) == []
