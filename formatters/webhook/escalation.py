"""Webhook events of escalations and drills: nobody has it, somebody has it, it is over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from urllib.parse import urlencode

from formatters.blockkit.mrkdwn import plain_text, replace_nbsp
from formatters.models.escalation import EscalationEnd
from formatters.models.escalation_report import EscalationReport, StepState
from formatters.models.left_incident import LeftIncident, Removal
from formatters.models.superevent import Superevent
from formatters.posts import alert_card
from formatters.posts.channel_view import ChannelView
from formatters.terminal import message_text
from formatters.text import quantities
from formatters.text.night_times import since_merger
from formatters.webhook.payload import WebhookAction, WebhookEvent, WebhookLink, gracedb_links

_MENTION = re.compile(r"<(?P<kind>@|!subteam\^)(?P<id>[A-Z0-9]{1,32})(\|[^>]*)?>")
_ENDS = {
    EscalationEnd.RETRACTED: "LVK retracted the event.",
    EscalationEnd.CONDITION: "Its condition no longer holds, or the channel changed its subscription.",
    EscalationEnd.STOPPED: "It was stopped.",
    EscalationEnd.PREEMPTED: "It gave way to an event.",
}
"""Why it is over, where that isn't time alone."""
_REMOVALS = {
    Removal.UNINSTALLED: "The {workspace} uninstalled gwevent (Slack: app_uninstalled).",
    Removal.REVOKED: "The {workspace} revoked gwevent's token (Slack: tokens_revoked).",
}


def event_from_escalation(
    report: EscalationReport, superevent: Superevent | None, action: WebhookAction, planned_at: datetime
) -> WebhookEvent | None:
    """Return the webhook event about an escalation; None if it doesn't hold (any more).

    `superevent` is None for a drill, and only for one. `planned_at` is when the call was due: nobody had the
    event then, since the step was taken or it was handed back.
    """
    if not _holds(report, superevent, action):
        return None
    time = _time(report, action, planned_at)
    card = None if superevent is None else alert_card.alert_card(superevent, ChannelView())
    subject = f"subscription {report.drill_number}" if card is None else message_text.notification_text(card)
    lines = [*_lines(report, superevent, action, time)]
    if card is not None:
        lines += ["", message_text.render(card)]
    links = (WebhookLink("Slack", channel_url(report.team_id, report.channel_id)),)
    return WebhookEvent(
        dedup_key=dedup_key(report),
        action=action,
        title=("DRILL: " if report.is_drill else "") + f"{_HEADS[action]}: {subject}",
        text="\n".join(map(replace_nbsp, lines)),
        is_urgent=True,
        time=time,
        links=links if superevent is None else (*links, *gracedb_links(superevent)),
    )


def event_after_removal(left: LeftIncident, removed_at: datetime) -> WebhookEvent:
    """Return the event that resolves an incident of a workspace which removed gwevent at `removed_at`."""
    is_drill = left.drill_number is not None
    subject = (
        f"subscription {left.drill_number}" if is_drill else plain_text(left.superevent_id or "an event")
    )
    who = f"workspace {plain_text(left.team_id)}"
    reason = _REMOVALS[left.removal].format(workspace=who)
    where = f"channel {plain_text(left.channel_id)}"
    return WebhookEvent(
        dedup_key=_key(is_drill, left.escalation_id, left.superevent_id, left.thread_id),
        action=WebhookAction.RESOLVE,
        title=("DRILL: " if is_drill else "") + f"{_HEADS[WebhookAction.RESOLVE]}: {subject}",
        text=replace_nbsp(
            f"{reason} gwevent calls nobody there any more. ({where}, {quantities.utc(removed_at)})"
        ),
        is_urgent=True,
        time=removed_at,
    )


def dedup_key(report: EscalationReport) -> str:
    """Return the key of the operators' incident: one for a channel's event, one for each drill."""
    return _key(report.is_drill, report.id, report.superevent_id, report.thread_id)


def _key(is_drill: bool, escalation_id: int, superevent_id: str | None, thread_id: int | None) -> str:
    return f"drill:{escalation_id}" if is_drill else f"escalation:{superevent_id}:{thread_id}"


def channel_url(team_id: str, channel_id: str) -> str:
    """Return the address that opens a channel (https://docs.slack.dev/interactivity/deep-linking)."""
    return f"https://slack.com/app_redirect?{urlencode({'team': team_id, 'channel': channel_id})}"


_HEADS = {
    WebhookAction.TRIGGER: "Nobody has it",
    WebhookAction.ACKNOWLEDGE: "Somebody has it",
    WebhookAction.RESOLVE: "Over",
}


def _holds(report: EscalationReport, superevent: Superevent | None, action: WebhookAction) -> bool:
    """Return True if a call still says what is so: it may have waited for hours."""
    if superevent is None and not report.is_drill:
        return False
    is_over = report.end in _ENDS
    match action:
        case WebhookAction.TRIGGER:
            is_retracted = superevent is not None and superevent.is_retracted
            return not (report.acknowledgements or is_over or is_retracted or report.is_closed)
        case WebhookAction.ACKNOWLEDGE:
            return bool(report.acknowledgements) and not is_over
        case WebhookAction.RESOLVE:
            return True


def _time(report: EscalationReport, action: WebhookAction, planned_at: datetime) -> datetime:
    match action:
        case WebhookAction.TRIGGER:
            return planned_at
        case WebhookAction.ACKNOWLEDGE:
            return report.acknowledgements[0].since
        case WebhookAction.RESOLVE:
            return report.ended_at or planned_at


def _lines(
    report: EscalationReport, superevent: Superevent | None, action: WebhookAction, time: datetime
) -> Iterator[str]:
    """Yield the sentences, as plain text."""
    if report.is_drill:
        who = plain_text(report.started_by or "somebody")
        yield f"This is a drill that Slack user {who} began: there is no event."
    where = f"channel {plain_text(report.channel_id)} (workspace {plain_text(report.team_id)})"
    event = None if superevent is None else superevent.event
    merger = since_merger(time, None if event is None else event.time)
    at = quantities.utc(time) + (f" ({merger})" if merger else "")
    match action:
        case WebhookAction.TRIGGER:
            if report.mentioned_at is None:
                began = quantities.utc(report.started_at)
                first = f"Slack hasn't accepted the first mention, which was to come at {began}"
            else:
                first = f"the first mention was at {quantities.utc(report.mentioned_at)}"
            yield f"At {at} nobody in {where} had pressed “I have it”; {first}."
            if mentioned := _mentioned_since(report, is_posted=True):
                yield f"Mentioned since then: {', '.join(mentioned)}."
            # A step whose people an earlier one has told has no message of its own.
            if waiting := [one for one in _mentioned_since(report, is_posted=False) if one not in mentioned]:
                yield f"Slack hasn't accepted the message to: {', '.join(waiting)}."
        case WebhookAction.ACKNOWLEDGE:
            people = ", ".join(plain_text(taken.user_id) for taken in report.acknowledgements)
            yield f"Slack user {people} in {where} has had it since {at}."
        case WebhookAction.RESOLVE:
            reason = None if report.end is None else _ENDS.get(report.end)
            if reason is None and report.is_drill:
                who = ", ".join(plain_text(taken.user_id) for taken in report.acknowledgements)
                reason = f"Slack user {who} pressed “I have it”." if who else "Nobody pressed “I have it”."
            elif reason is None:
                reason = "A day has passed since it began."
            yield f"{reason} ({where}, {at})"


def _mentioned_since(report: EscalationReport, *, is_posted: bool) -> list[str]:
    """Return the targets of steps after the first mention, as far as Slack has accepted their messages."""
    named = (
        _plain_target(target)
        for reported in report.steps
        if reported.state is StepState.TAKEN and reported.step.after and reported.is_posted is is_posted
        for target in reported.step.targets
    )
    return [*dict.fromkeys(named)]


def _plain_target(target: str) -> str:
    """Return a mention in Slack's syntax as plain text; only Slack knows the names behind the ids."""
    match = _MENTION.fullmatch(target)
    if match is None:
        return message_text.strip_mrkdwn(target)
    return f"{'user' if match['kind'] == '@' else 'user group'} {match['id']}"
