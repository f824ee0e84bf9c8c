"""What a webhook is called with: so that a person is woken beyond Slack, or told that it is over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from formatters.blockkit.message import Message
from formatters.blockkit.mrkdwn import truncate, web_url
from formatters.models.incident import Incident
from formatters.models.notice import Category
from formatters.models.superevent import Superevent
from formatters.posts import alert_card, incident
from formatters.posts.alert_card import ChannelView
from formatters.terminal import message_text
from formatters.text import quantities

PAGERDUTY_SUMMARY_MAX = 1_024
"""https://developer.pagerduty.com/docs/send-alert-event"""


class WebhookFormat(StrEnum):
    """Whose JSON it is."""

    JSON = "json"
    NTFY = "ntfy"
    PAGERDUTY = "pagerduty"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEvent:
    """One call of the webhook."""

    dedup_key: str
    """The same for what begins and what ends it: "event:S241126dm", "trouble:silence"."""
    is_resolved: bool
    """It ends what was called before."""
    title: str
    text: str
    is_urgent: bool
    """Whether somebody is to be woken; else it only informs."""
    time: datetime
    """When it happened."""
    url: str | None = None


def event_from_incident(found: Incident, *, is_resolved: bool) -> WebhookEvent:
    """The bot's own trouble, or its end."""
    said = message_text.render(incident.resolved(found) if is_resolved else incident.opened(found))
    head = f"gwevent: {incident.kind_label(found.kind)}"
    return WebhookEvent(
        dedup_key=f"trouble:{found.kind.value}",
        is_resolved=is_resolved,
        title=f"{head}, over" if is_resolved else head,
        text=said,
        is_urgent=False,
        time=found.ended if is_resolved and found.ended is not None else found.since,
    )


def event_from_superevent(superevent: Superevent, *, is_resolved: bool) -> WebhookEvent:
    """An event that somebody is to be woken for, or its retraction."""
    said: Message = alert_card.alert_card(superevent, ChannelView())
    return WebhookEvent(
        dedup_key=f"event:{superevent.superevent_id}",
        is_resolved=is_resolved,
        title=message_text.notification_text(said),
        text=message_text.render(said),
        is_urgent=superevent.category is Category.REAL,
        time=superevent.latest.time_created,
        url=web_url(superevent.latest.urls.get("gracedb")),
    )


def request_body(
    alarm: WebhookEvent, form: WebhookFormat, *, topic: str = "", routing_key: str = ""
) -> dict[str, Any]:
    """The JSON object to send. `topic` is ntfy's, `routing_key` PagerDuty's."""
    match form:
        case WebhookFormat.NTFY:
            return _ntfy(alarm, topic)
        case WebhookFormat.PAGERDUTY:
            return _pagerduty(alarm, routing_key)
        case WebhookFormat.JSON:
            return {
                "source": "gwevent",
                "action": "resolve" if alarm.is_resolved else "trigger",
                "key": alarm.dedup_key,
                "severity": _severity(alarm),
                "title": alarm.title,
                "text": alarm.text,
                "time": quantities.iso(alarm.time),
                "url": alarm.url,
            }


def _severity(alarm: WebhookEvent) -> str:
    return "critical" if alarm.is_urgent else "warning"


def _ntfy(alarm: WebhookEvent, topic: str) -> dict[str, Any]:
    """https://docs.ntfy.sh/publish/#publish-as-json; a priority of 5 breaks through "do not disturb"."""
    said: dict[str, Any] = {
        "topic": topic,
        "title": truncate(alarm.title, 250),
        "message": truncate(alarm.text, 3_500),
        "priority": 3 if alarm.is_resolved else 5 if alarm.is_urgent else 4,
        "tags": ["white_check_mark" if alarm.is_resolved else "warning"],
    }
    return said if alarm.url is None else {**said, "click": alarm.url}


def _pagerduty(alarm: WebhookEvent, routing_key: str) -> dict[str, Any]:
    """Events API v2: https://developer.pagerduty.com/docs/send-alert-event."""
    said: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": "resolve" if alarm.is_resolved else "trigger",
        "dedup_key": f"gwevent:{alarm.dedup_key}",
        "client": "gwevent",
        "payload": {
            "summary": truncate(alarm.title, PAGERDUTY_SUMMARY_MAX),
            "source": "gwevent",
            "severity": _severity(alarm),
            "timestamp": quantities.iso(alarm.time),
            "custom_details": {"text": alarm.text},
        },
    }
    return said if alarm.url is None else {**said, "links": [{"href": alarm.url, "text": "GraceDB"}]}
