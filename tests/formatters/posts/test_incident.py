"""Tests of the incident reports to the operators, in Slack and by webhook."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from formatters.answers import status
from formatters.blockkit.message import Message
from formatters.models.incident import Incident, IncidentKind
from formatters.models.notice import Notice
from formatters.models.superevent import Superevent
from formatters.posts import incident
from formatters.webhook import payload
from formatters.webhook.payload import WebhookFormat

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DETAILS = {
    IncidentKind.SOURCE: "kafka.scimma.org:9092 says: <!channel> *no* since 2026-11-22 11:00:00 UTC",
    IncidentKind.LAG: "12 payloads",
    IncidentKind.DELIVERIES: "1,234",
    IncidentKind.SLACK: "pings aren't answered",
    IncidentKind.STORE: "The database can't do its work now: database or disk is full.",
    IncidentKind.SPACE: "412 MB free",
    IncidentKind.CLOCK: incident.clock_detail(90_000, corrected=False),
}


def wrong(what: IncidentKind, ended: datetime | None = None) -> Incident:
    return Incident(kind=what, since=NOW - timedelta(hours=3), detail=DETAILS.get(what, ""), ended=ended)


@pytest.mark.parametrize("what", IncidentKind)
def test_incident_messages(
    what: IncidentKind, check: Callable[[Message], Message], golden: Callable[[str, Message], None]
) -> None:
    golden(f"incident-{what.value}", check(incident.opened(wrong(what))))
    golden(f"incident-{what.value}-over", check(incident.resolved(wrong(what, NOW))))


@pytest.mark.parametrize("corrected", [False, True])
@pytest.mark.parametrize(("ahead", "said"), [(90_000.0, "25 h ahead"), (-2_592_000.0, "30 days b")])
def test_which_clock_was_wrong_and_which_way(ahead: float, said: str, corrected: bool) -> None:
    detail = incident.clock_detail(ahead, corrected=corrected).replace("\u00a0", " ")
    assert said in detail
    assert detail.startswith("gwevent's clock" if corrected else "The machine's clock")


def test_incident_over_before_report_and_first_real_event(
    check: Callable[[Message], Message], golden: Callable[[str, Message], None]
) -> None:
    golden("incident-over-before-report", check(incident.opened(wrong(IncidentKind.SLACK, NOW))))
    golden(
        "first-real", check(incident.first_real_event("S261122a", "EARLYWARNING", NOW - timedelta(days=200)))
    )
    golden("first-real-ever", check(incident.first_real_event("S261122a", "PRELIMINARY", None)))


def test_status_begins_with_open_incidents(
    check: Callable[[Message], Message], golden: Callable[[str, Message], None]
) -> None:
    said = status.Status(
        version="0.1.0",
        started_at=NOW - timedelta(days=3),
        sources=(),
        last_notice=None,
        posting_time=None,
        pending_deliveries=0,
        dead_letters=0,
        quarantined=0,
        subscriptions=3,
        incidents=(wrong(IncidentKind.SILENCE), wrong(IncidentKind.SLACK)),
    )
    golden("answer-status-incidents", check(status.message(said, NOW)))


def test_a_webhook_says_the_same_to_each(stories: dict[str, list[Notice]]) -> None:
    bns = Superevent.from_notices(stories["bns"])
    woken = payload.event_from_superevent(bns.up_to(bns.notices[0]), is_resolved=False)
    assert woken.is_urgent and woken.dedup_key == "event:S241126dm"
    plain, ntfy, duty = (
        payload.request_body(woken, form, topic="gw", routing_key="r") for form in WebhookFormat
    )
    assert plain["title"] == ntfy["title"] == duty["payload"]["summary"]
    assert plain["text"] == ntfy["message"] == duty["payload"]["custom_details"]["text"]
    assert "&" not in plain["text"] and "*" not in plain["text"]
    assert plain["url"] == ntfy["click"] == duty["links"][0]["href"]
    assert plain["time"] == duty["payload"]["timestamp"]
    mock = payload.event_from_superevent(Superevent.from_notices(stories["mock"][:1]), is_resolved=False)
    assert not mock.is_urgent, "mocks inform, if they are wanted at all"
    over = payload.event_from_incident(wrong(IncidentKind.SOURCE, NOW), is_resolved=True)
    assert payload.request_body(over, WebhookFormat.PAGERDUTY)["event_action"] == "resolve"
    assert over.title == "gwevent: source unreachable, over"
