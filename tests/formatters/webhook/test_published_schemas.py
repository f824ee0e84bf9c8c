"""The bodies that the webhook sends are what PagerDuty and ntfy say they take."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from formatters.models.escalation import Acknowledgement, EscalationEnd, EscalationStep
from formatters.models.escalation_report import EscalationReport, ReportedStep, StepState
from formatters.models.incident import Incident, IncidentKind
from formatters.models.notice import Notice
from formatters.models.superevent import Superevent
from formatters.webhook import payload
from formatters.webhook.escalation import event_from_escalation
from formatters.webhook.payload import WebhookAction, WebhookEvent, WebhookFormat, WebhookLink, request_body

NOW = datetime(2026, 11, 28, 3, 13, tzinfo=UTC)

URL = {"type": "string", "format": "uri", "pattern": "^https?://"}
PAGERDUTY: dict[str, Any] = {
    "type": "object",
    "properties": {
        "routing_key": {"type": "string", "minLength": 1},
        "event_action": {"enum": ["trigger", "acknowledge", "resolve"]},
        "dedup_key": {"type": "string", "minLength": 1, "maxLength": 255},
        "client": {"type": "string"},
        "client_url": URL,
        "links": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"href": URL, "text": {"type": "string"}},
                "required": ["href"],
                "additionalProperties": False,
            },
        },
        "payload": {
            "type": "object",
            "properties": {
                "summary": {"type": "string", "minLength": 1, "maxLength": 1024},
                "timestamp": {"type": "string", "format": "date-time"},
                "severity": {"enum": ["critical", "warning", "error", "info"]},
                "source": {"type": "string", "minLength": 1},
                "component": {"type": "string"},
                "group": {"type": "string"},
                "class": {"type": "string"},
                "custom_details": {"type": "object"},
            },
            "required": ["summary", "severity", "source"],
            "additionalProperties": False,
        },
    },
    # The key is required unless the action is `trigger`; here it is always given.
    "required": ["routing_key", "event_action", "dedup_key", "payload"],
    "additionalProperties": False,
}
"""Events API v2, `POST /enqueue` (PagerDuty/api-schema at 5cd58ff2, reference/events-v2/openapiv3.json).

The lengths stand in its documentation (PagerDuty/developer-docs at 1da9f6a2,
docs/events-API-v2/02-Trigger-Events.md). Unknown properties are refused here, which the schema doesn't say.
"""
PAGERDUTY_EVENT_BYTES = 512 * 1024
"""The largest event (docs/events-API-v2/01-Overview.md of the same)."""

NTFY: dict[str, Any] = {
    "type": "object",
    "properties": {
        "topic": {"type": "string", "pattern": "^[-_A-Za-z0-9]{1,64}$"},
        "message": {"type": "string"},
        "title": {"type": "string"},
        "priority": {"type": "integer", "minimum": 1, "maximum": 5},
        "tags": {"type": "array", "items": {"type": "string"}},
        "click": URL,
        "icon": URL,
        "attach": URL,
        "filename": {"type": "string"},
        "email": {"type": "string", "format": "email"},
        "call": {"type": "string"},
        "delay": {"type": "string"},
        "cache": {"type": "string"},
        "firebase": {"type": "string"},
        "markdown": {"type": "boolean"},
    },
    "required": ["topic"],
    "additionalProperties": False,
}
"""`PublishMessage` and a topic's name (binwiederhier/ntfy at 4baf9778, docs/api/openapi.yaml)."""
NTFY_MESSAGE_BYTES, NTFY_REQUEST_BYTES = 4_096, 8_192
"""The server's `message-size-limit`, and twice as much for a request in JSON (server/server.go)."""


def assert_taken(event: WebhookEvent) -> None:
    """Compare the bodies with the published schemas, and with the services' limits."""
    duty = request_body(event, WebhookFormat.PAGERDUTY, routing_key="e93facc04764012d7bfb002500d5d1a6")
    Draft202012Validator(PAGERDUTY, format_checker=FormatChecker()).validate(duty)
    assert len(json.dumps(duty)) <= PAGERDUTY_EVENT_BYTES
    ntfy = request_body(event, WebhookFormat.NTFY, topic="gw")
    Draft202012Validator(NTFY, format_checker=FormatChecker()).validate(ntfy)
    assert len(ntfy["message"].encode()) <= NTFY_MESSAGE_BYTES
    assert len(json.dumps(ntfy)) <= NTFY_REQUEST_BYTES, "aiohttp writes ASCII only"
    assert duty["event_action"] == request_body(event, WebhookFormat.JSON)["action"] == event.action.value


def report(**changes: Any) -> EscalationReport:
    """Return an escalation whose last step has called the webhook."""
    start = NOW - timedelta(minutes=10)
    second = EscalationStep(after=timedelta(minutes=5), targets=("<!subteam^S0SECOND>",))
    last = EscalationStep(after=timedelta(minutes=10), webhook=True)
    steps = tuple(
        ReportedStep(
            id=number,
            step=step,
            state=StepState.TAKEN,
            due_at=start + step.after,
            taken_at=start + step.after,
            is_posted=True,
        )
        for number, step in enumerate((second, last))
    )
    found = EscalationReport(
        id=7, team_id="T0TEAM", channel_id="C0NIGHT", started_at=start, mentioned_at=start, steps=steps
    )
    return replace(found, **changes)


def of_event(**changes: Any) -> EscalationReport:
    return report(**{"thread_id": 12, "superevent_id": "S241126dm", **changes})


def drill(**changes: Any) -> EscalationReport:
    return report(**{"drill_number": 2, "started_by": "U0BEGAN", **changes})


HAS_IT = (Acknowledgement(user_id="U0HASIT", since=NOW + timedelta(minutes=1)),)


def test_every_event_of_the_samples_is_taken_by_both_services(stories: dict[str, list[Notice]]) -> None:
    for notices in stories.values():
        superevent = Superevent.from_notices(notices)
        for is_resolved in (False, True):
            assert_taken(payload.event_from_superevent(superevent, is_resolved=is_resolved))
        found = of_event(superevent_id=superevent.superevent_id)
        for action in WebhookAction:
            if event := event_from_escalation(found, superevent, action, NOW):
                assert_taken(event)


@pytest.mark.parametrize("kind", IncidentKind)
def test_incidents_are_taken_by_both_services(kind: IncidentKind) -> None:
    incident = Incident(kind=kind, since=NOW, detail="why", ended=NOW + timedelta(hours=1))
    for is_resolved in (False, True):
        assert_taken(payload.event_from_incident(incident, is_resolved=is_resolved))


@pytest.mark.slow
@settings(deadline=None)
@given(
    st.text(min_size=1, max_size=2_000),
    st.text(max_size=9_000) | st.sampled_from(["\u2212" * 5_000, "\U0001f52d" * 5_000, '"\n' * 5_000]),
    st.sampled_from(WebhookAction),
)
def test_any_text_is_taken_by_both_services(title: str, text: str, action: WebhookAction) -> None:
    assert_taken(
        WebhookEvent(
            dedup_key="event:S241126dm",
            action=action,
            title=title,
            text=text,
            is_urgent=True,
            time=NOW,
            links=(WebhookLink("GraceDB", "https://gracedb.ligo.org/superevents/S241126dm/"),),
        )
    )


def test_a_page_says_whom_slack_has_not_told(stories: dict[str, list[Notice]]) -> None:
    bns = Superevent.from_notices(stories["bns"][:1])
    unsaid = tuple(replace(step, is_posted=False) for step in report().steps)
    trigger = event_from_escalation(
        of_event(steps=unsaid, mentioned_at=None), bns, WebhookAction.TRIGGER, NOW
    )
    assert trigger is not None
    assert "Slack hasn't accepted the first mention, which was to come at 2026-11-28 03:03" in trigger.text
    assert "Slack hasn't accepted the message to: user group S0SECOND." in trigger.text
    assert "Mentioned since then" not in trigger.text
    late = of_event(mentioned_at=NOW - timedelta(minutes=2))
    said = event_from_escalation(late, bns, WebhookAction.TRIGGER, NOW)
    assert said is not None and "the first mention was at 2026-11-28 03:11:00 UTC" in said.text


def test_an_escalation_has_one_key_from_trigger_to_resolve(stories: dict[str, list[Notice]]) -> None:
    bns = Superevent.from_notices(stories["bns"][:1])
    trigger = event_from_escalation(of_event(), bns, WebhookAction.TRIGGER, NOW)
    taken = event_from_escalation(of_event(acknowledgements=HAS_IT), bns, WebhookAction.ACKNOWLEDGE, NOW)
    ended = of_event(end=EscalationEnd.RETRACTED, ended_at=NOW + timedelta(hours=1))
    over = event_from_escalation(ended, bns, WebhookAction.RESOLVE, NOW)
    assert trigger is not None and taken is not None and over is not None
    assert trigger.dedup_key == taken.dedup_key == over.dedup_key == "escalation:S241126dm:12"
    assert trigger.title.startswith("Nobody has it: BNS 93% ") and trigger.is_urgent
    assert "nobody in channel C0NIGHT (workspace T0TEAM) had pressed “I have it”" in trigger.text
    assert "the first mention was at 2026-11-28 03:03:00 UTC" in trigger.text
    assert "Mentioned since then: user group S0SECOND." in trigger.text
    assert [link.text for link in trigger.links] == ["Slack", "GraceDB"]
    assert trigger.url == "https://slack.com/app_redirect?team=T0TEAM&channel=C0NIGHT"
    assert taken.title.startswith("Somebody has it: ")
    assert "Slack user U0HASIT in channel C0NIGHT" in taken.text and taken.time == HAS_IT[0].since
    assert over.title.startswith("Over: ") and over.text.startswith("LVK retracted the event.")
    ntfy = [request_body(event, WebhookFormat.NTFY, topic="gw") for event in (trigger, taken, over)]
    assert [body["priority"] for body in ntfy] == [5, 3, 3]
    assert [body["tags"] for body in ntfy] == [["warning"], ["raising_hand"], ["white_check_mark"]]


def test_a_call_that_was_overtaken_says_nothing(stories: dict[str, list[Notice]]) -> None:
    bns = Superevent.from_notices(stories["bns"][:1])
    ended = [Superevent.from_notices(notices) for notices in stories.values()]
    retracted = next(superevent for superevent in ended if superevent.is_retracted)
    trigger, acknowledge = WebhookAction.TRIGGER, WebhookAction.ACKNOWLEDGE
    assert event_from_escalation(of_event(acknowledgements=HAS_IT), bns, trigger, NOW) is None
    assert event_from_escalation(of_event(end=EscalationEnd.CONDITION), bns, trigger, NOW) is None
    assert event_from_escalation(of_event(), bns, acknowledge, NOW) is None, "it was handed back"
    assert event_from_escalation(of_event(), None, trigger, NOW) is None, "its event isn't known (any more)"
    assert event_from_escalation(of_event(), retracted, trigger, NOW) is None
    complete = of_event(end=EscalationEnd.COMPLETE)
    assert event_from_escalation(complete, bns, trigger, NOW) is not None, "it is the last step"
    assert event_from_escalation(replace(complete, is_closed=True), bns, trigger, NOW) is None


def test_a_drill_is_marked_in_every_call() -> None:
    trigger = event_from_escalation(drill(), None, WebhookAction.TRIGGER, NOW)
    over = event_from_escalation(
        drill(end=EscalationEnd.ACKNOWLEDGED, acknowledgements=HAS_IT), None, WebhookAction.RESOLVE, NOW
    )
    for event in (trigger, over):
        assert event is not None
        assert event.title.startswith("DRILL: ") and "subscription 2" in event.title
        assert event.text.startswith("This is a drill that Slack user U0BEGAN began: there is no event.")
        assert event.dedup_key == "drill:7"
        assert_taken(event)


def test_cut_texts_say_so() -> None:
    long = payload.WebhookEvent(
        dedup_key="event:S1",
        action=WebhookAction.TRIGGER,
        title="t",
        text="\u2212" * 3_000,
        is_urgent=True,
        time=NOW,
    )
    assert request_body(long, WebhookFormat.NTFY, topic="gw")["message"].endswith("…")
