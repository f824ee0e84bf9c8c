"""Webhook events and their request bodies: alerts, incidents, and the ends of both."""

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
from formatters.posts.channel_view import ChannelView
from formatters.terminal import message_text
from formatters.text import quantities

PAGERDUTY_SUMMARY_MAX = 1_024
"""PagerDuty's limit of a summary (https://developer.pagerduty.com/docs/send-alert-event)."""


class WebhookFormat(StrEnum):
    """The service whose JSON format the webhook sends."""

    JSON = "json"
    NTFY = "ntfy"
    PAGERDUTY = "pagerduty"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEvent:
    """The content of one webhook call, independent of the service's format."""

    dedup_key: str
    """Key shared by the call that opens an alert and the one that resolves it: "event:S241126dm"."""
    is_resolved: bool
    """True if this call resolves an earlier one with the same key."""
    title: str
    text: str
    is_urgent: bool
    """True if the call should page somebody; False if it only informs."""
    time: datetime
    """Time of the notice, or of the incident's start or end."""
    url: str | None = None


def event_from_incident(found: Incident, *, is_resolved: bool) -> WebhookEvent:
    """Return the webhook event for an incident of gwevent itself, or for its end."""
    text = message_text.render(incident.resolved(found) if is_resolved else incident.opened(found))
    head = f"gwevent: {incident.kind_label(found.kind)}"
    return WebhookEvent(
        dedup_key=f"trouble:{found.kind.value}",
        is_resolved=is_resolved,
        title=f"{head}, over" if is_resolved else head,
        text=text,
        is_urgent=False,
        time=found.ended if is_resolved and found.ended is not None else found.since,
    )


def event_from_superevent(superevent: Superevent, *, is_resolved: bool) -> WebhookEvent:
    """Return the webhook event for a superevent that pages somebody, or for its retraction."""
    card: Message = alert_card.alert_card(superevent, ChannelView())
    return WebhookEvent(
        dedup_key=f"event:{superevent.superevent_id}",
        is_resolved=is_resolved,
        title=message_text.notification_text(card),
        text=message_text.render(card),
        is_urgent=superevent.category is Category.REAL,
        time=superevent.latest.time_created,
        url=web_url(superevent.latest.urls.get("gracedb")),
    )


def request_body(
    alarm: WebhookEvent, form: WebhookFormat, *, topic: str = "", routing_key: str = ""
) -> dict[str, Any]:
    """Return the JSON object to send. `topic` is used only by ntfy, `routing_key` only by PagerDuty."""
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


def _severity(event: WebhookEvent) -> str:
    return "critical" if event.is_urgent else "warning"


def _ntfy(event: WebhookEvent, topic: str) -> dict[str, Any]:
    """Return ntfy's JSON (https://docs.ntfy.sh/publish/#publish-as-json).

    Priority 5 overrides "do not disturb".
    """
    body: dict[str, Any] = {
        "topic": topic,
        "title": truncate(event.title, 250),
        "message": truncate(event.text, 3_500),
        "priority": 3 if event.is_resolved else 5 if event.is_urgent else 4,
        "tags": ["white_check_mark" if event.is_resolved else "warning"],
    }
    return body if event.url is None else {**body, "click": event.url}


def _pagerduty(event: WebhookEvent, routing_key: str) -> dict[str, Any]:
    """Return PagerDuty's JSON, Events API v2 (https://developer.pagerduty.com/docs/send-alert-event)."""
    body: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": "resolve" if event.is_resolved else "trigger",
        "dedup_key": f"gwevent:{event.dedup_key}",
        "client": "gwevent",
        "payload": {
            "summary": truncate(event.title, PAGERDUTY_SUMMARY_MAX),
            "source": "gwevent",
            "severity": _severity(event),
            "timestamp": quantities.iso(event.time),
            "custom_details": {"text": event.text},
        },
    }
    return body if event.url is None else {**body, "links": [{"href": event.url, "text": "GraceDB"}]}
