"""Webhook events and their request bodies: alerts, incidents, escalations, and the ends of each."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
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


NTFY_MESSAGE_BYTES = 4_096
"""ntfy makes a longer message an attachment (https://docs.ntfy.sh/publish/#limitations)."""
NTFY_MESSAGE_JSON_BYTES = 6_000
"""Room for the message in the request, of which ntfy reads twice the former (`transformBodyJSON`)."""


class WebhookAction(StrEnum):
    """The effects of a call on the incident with its key. The values are PagerDuty's, and `json`'s."""

    TRIGGER = "trigger"
    ACKNOWLEDGE = "acknowledge"
    """Somebody has it: nobody else is to be paged, and it isn't over."""
    RESOLVE = "resolve"


class WebhookFormat(StrEnum):
    """The service whose JSON format the webhook sends."""

    JSON = "json"
    NTFY = "ntfy"
    PAGERDUTY = "pagerduty"


@dataclass(frozen=True, slots=True)
class WebhookLink:
    """An address that belongs to a webhook event."""

    text: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEvent:
    """The content of one webhook call, independent of the service's format."""

    dedup_key: str
    """Key shared by the calls that open an alert, acknowledge and resolve it: "event:S241126dm"."""
    action: WebhookAction
    title: str
    text: str
    is_urgent: bool
    """True if the call should page somebody; False if it only informs."""
    time: datetime
    """Time of the notice, of the incident's start or end, or of what happened to the escalation."""
    links: tuple[WebhookLink, ...] = ()
    """Links to look at, the most useful first."""
    reopens: bool = False
    """True for a trigger after somebody acknowledged the same key and handed it back."""

    @property
    def url(self) -> str | None:
        """The most useful address; None if there is none."""
        return self.links[0].url if self.links else None


def event_from_incident(found: Incident, *, is_resolved: bool) -> WebhookEvent:
    """Return the webhook event for an incident of gwevent itself, or for its end."""
    text = message_text.render(incident.resolved(found) if is_resolved else incident.opened(found))
    head = f"gwevent: {incident.kind_label(found.kind)}"
    return WebhookEvent(
        dedup_key=f"trouble:{found.kind.value}",
        action=_begin_or_end(is_resolved),
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
        action=_begin_or_end(is_resolved),
        title=message_text.notification_text(card),
        text=message_text.render(card),
        is_urgent=superevent.category is Category.REAL,
        time=superevent.latest.time_created,
        links=gracedb_links(superevent),
    )


def gracedb_links(superevent: Superevent) -> tuple[WebhookLink, ...]:
    """Return the link to the superevent's page; none if the notice has no usable one."""
    url = web_url(superevent.latest.urls.get("gracedb"))
    return () if url is None else (WebhookLink("GraceDB", url),)


def _begin_or_end(is_resolved: bool) -> WebhookAction:
    return WebhookAction.RESOLVE if is_resolved else WebhookAction.TRIGGER


def request_bodies(
    alarm: WebhookEvent, form: WebhookFormat, *, topic: str = "", routing_key: str = ""
) -> list[dict[str, Any]]:
    """Return the JSON objects to send, one after the other; arguments as in `request_body`.

    What is acknowledged in PagerDuty pages nobody, even if it is triggered again, until it is resolved.
    """
    events = [alarm]
    if alarm.reopens and form is WebhookFormat.PAGERDUTY:
        events.insert(0, replace(alarm, action=WebhookAction.RESOLVE))
    return [request_body(event, form, topic=topic, routing_key=routing_key) for event in events]


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
                "action": alarm.action.value,
                "key": alarm.dedup_key,
                "severity": _severity(alarm),
                "title": alarm.title,
                "text": alarm.text,
                "time": quantities.iso(alarm.time),
                "url": alarm.url,
            }


_NTFY_TAGS = {
    WebhookAction.TRIGGER: "warning",
    WebhookAction.ACKNOWLEDGE: "raising_hand",
    WebhookAction.RESOLVE: "white_check_mark",
}
"""ntfy's names of emoji (https://docs.ntfy.sh/emojis/)."""


def _severity(event: WebhookEvent) -> str:
    return "critical" if event.is_urgent else "warning"


def _ntfy(event: WebhookEvent, topic: str) -> dict[str, Any]:
    """Return ntfy's JSON (https://docs.ntfy.sh/publish/#publish-as-json).

    Priority 5 overrides "do not disturb". Characters beyond ASCII take six bytes or more of the request.
    """
    body: dict[str, Any] = {
        "topic": topic,
        "title": truncate(event.title, 250),
        "message": _fit_ntfy(event.text),
        "priority": 3 if event.action is not WebhookAction.TRIGGER else 5 if event.is_urgent else 4,
        "tags": [_NTFY_TAGS[event.action]],
    }
    return body if event.url is None else {**body, "click": event.url}


def _fit_ntfy(text: str) -> str:
    """Truncate a text so that ntfy takes it as a message; the cut is marked with "…"."""
    fitted, limit = text, len(text)
    while (
        len(fitted.encode()) > NTFY_MESSAGE_BYTES or len(json.dumps(fitted)) > NTFY_MESSAGE_JSON_BYTES
    ) and limit > 0:
        limit -= max(1, limit // 20)
        fitted = truncate(text, limit)
    return fitted


def _pagerduty(event: WebhookEvent, routing_key: str) -> dict[str, Any]:
    """Return PagerDuty's JSON, Events API v2 (https://developer.pagerduty.com/docs/send-alert-event)."""
    body: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": event.action.value,
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
    links = [{"href": link.url, "text": link.text} for link in event.links]
    return {**body, "links": links} if links else body
