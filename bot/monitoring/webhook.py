"""The operators' webhook: sends due calls with their newest content, and retries them for a day."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import structlog

from bot.monitoring.metrics import CallOutcome
from bot.routing.intents import CallKind
from bot.runtime import machine_clock
from bot.runtime.callbacks import always
from bot.runtime.http_proxy import proxy_for
from bot.runtime.polling_worker import run_polling_worker
from bot.runtime.running_timeout import running_timeout
from bot.runtime.wakeups import Wakeups
from bot.settings import Settings
from bot.slack.lease_check import LeaseLost, install_lease_check, send_only_while
from bot.store.channels.escalation_reports import EscalationReports
from bot.store.database import StoreUnavailable
from bot.store.events.notices import NoticeRepository
from bot.store.operations.incidents import IncidentRepository
from bot.store.operations.webhook_calls import CLAIM_DURATION, WebhookCall, WebhookOutbox
from formatters.webhook import escalation, payload
from formatters.webhook.payload import WebhookAction, WebhookEvent, WebhookFormat

POLL_S = 2.0
TIMEOUT_S = 10.0
MAX_BACKOFF_S = 300.0
GIVE_UP_AFTER = timedelta(hours=24)
UNHEARD_AFTER_ATTEMPTS = 6
"""Failed attempts, about a minute, after which an escalation's channel is told that nobody hears of it."""

log = structlog.get_logger(__name__)


class WebhookError(Exception):
    """The webhook did not accept a call. The text holds no secret."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """The address and format of the operators' webhook."""

    url: str
    """Secret: anyone who knows it can call it."""
    format: WebhookFormat
    key: str | None = None
    """PagerDuty's routing key; a bearer token for other formats."""

    async def send(self, session: aiohttp.ClientSession, webhook_event: WebhookEvent) -> None:
        """Send one call. Raises WebhookError."""
        url, topic = self.url, ""
        if self.format is WebhookFormat.NTFY:
            # ntfy accepts JSON only at its root URL, with the topic in the body.
            parts = urlsplit(self.url)
            base, _, topic = parts.path.rstrip("/").rpartition("/")
            url = urlunsplit(parts._replace(path=f"{base}/"))
        headers = {}
        if self.key is not None and self.format is not WebhookFormat.PAGERDUTY:
            headers["Authorization"] = f"Bearer {self.key}"
        for body in payload.request_bodies(
            webhook_event, self.format, topic=topic, routing_key=self.key or ""
        ):
            await _post(session, url, body, headers)


async def _post(
    session: aiohttp.ClientSession, url: str, body: dict[str, Any], headers: dict[str, str]
) -> None:
    """Send one request. Raises WebhookError."""
    try:
        async with (
            running_timeout(TIMEOUT_S),
            session.post(
                url, json=body, headers=headers, allow_redirects=False, proxy=proxy_for(url)
            ) as answer,
        ):
            if not 200 <= answer.status < 300:
                raise WebhookError(f"HTTP {answer.status}")
    except aiohttp.ClientConnectorError as error:
        raise WebhookError(f"can't connect: {error.os_error.strerror or type(error).__name__}") from error
    except (aiohttp.ClientError, TimeoutError) as error:
        raise WebhookError(f"no answer: {type(error).__name__}") from error


_ESCALATION_ACTIONS = {
    CallKind.ESCALATED: WebhookAction.TRIGGER,
    CallKind.ESCALATION_ACKNOWLEDGED: WebhookAction.ACKNOWLEDGE,
    CallKind.ESCALATION_ENDED: WebhookAction.RESOLVE,
}


class WebhookEventBuilder:
    """Builds the newest event for a webhook call from the incident, superevent or escalation behind it."""

    def __init__(
        self,
        incidents: IncidentRepository,
        notices: NoticeRepository,
        escalations: EscalationReports,
    ) -> None:
        self._incidents = incidents
        self._notices = notices
        self._escalations = escalations

    async def build(self, call: WebhookCall) -> WebhookEvent | None:
        """Return the event to send; None if its subject has changed so that nothing is to be sent."""
        if call.left is not None:
            return escalation.event_after_removal(call.left, call.created_at)
        if call.escalation_id is not None:
            return await self._of_escalation(call, call.escalation_id)
        is_resolved = call.kind in (CallKind.INCIDENT_RESOLVED, CallKind.EVENT_RETRACTED)
        if call.incident_id is not None:
            incident = await self._incidents.get(call.incident_id)
            if incident is None or (incident.ended is not None) is not is_resolved:
                return None
            return payload.event_from_incident(incident, is_resolved=is_resolved)
        assert call.superevent_id is not None, "a call is about an incident, a superevent or an escalation"
        superevent = await self._notices.superevent(call.superevent_id)
        if superevent is None or superevent.is_retracted is not is_resolved:
            return None
        return payload.event_from_superevent(superevent, is_resolved=is_resolved)

    async def _of_escalation(self, call: WebhookCall, escalation_id: int) -> WebhookEvent | None:
        report = await self._escalations.get(escalation_id)
        if report is None or await self._escalations.is_said_by_another(call.id):
            return None
        superevent = None
        if report.superevent_id is not None:
            superevent = await self._notices.superevent(report.superevent_id)
        event = escalation.event_from_escalation(
            report, superevent, _ESCALATION_ACTIONS[call.kind], call.created_at
        )
        return event and replace(event, reopens=await self._escalations.reopens(call.id))


class WebhookNotifier:
    """The worker that sends the webhook calls of the store, each until it succeeds or is given up."""

    def __init__(
        self,
        webhook: Webhook,
        outbox: WebhookOutbox,
        events: WebhookEventBuilder,
        clock: Callable[[], datetime],
        *,
        wakeups: Wakeups,
        on_outcome: Callable[[CallOutcome], None],
        is_clock_trusted: Callable[[], bool] = always,
    ) -> None:
        """`on_outcome` hears of each attempt; a call is given up only while `is_clock_trusted`."""
        self._webhook = webhook
        self._outbox = outbox
        self._events = events
        self._clock = clock
        self._wakeups = wakeups
        self._on_outcome = on_outcome
        self._is_clock_trusted = is_clock_trusted

    async def run(self) -> None:
        """Send calls until cancelled; while the store is unavailable it waits."""
        async with aiohttp.ClientSession() as session:
            install_lease_check(session)
            await run_polling_worker(
                lambda: self._send_next(session),
                self._wakeups.webhook,
                POLL_S,
                expected=StoreUnavailable,
                on_expected=lambda error: log.warning(
                    "store_unavailable", subsystem="webhook", reason=str(error)
                ),
            )

    async def _send_next(self, session: aiohttp.ClientSession) -> bool:
        """Send the next due call; return False if none is due."""
        until = machine_clock.monotonic_time() + CLAIM_DURATION.total_seconds()
        call = await self._outbox.claim(self._clock())
        if call is None:
            return False
        try:
            with send_only_while(lambda: machine_clock.monotonic_time() < until):
                await self._send_call(session, call)
        except LeaseLost:
            # This process was paused for so long that another may have claimed the call.
            log.warning("webhook_claim_expired", call=call.id)
        return True

    async def send_now(self, webhook_event: WebhookEvent) -> bool:
        """Send a call about the store itself, without the store; return True if it was accepted."""
        try:
            async with aiohttp.ClientSession() as session:
                await self._webhook.send(session, webhook_event)
        except WebhookError as failure:
            log.warning("webhook_call_failed", key=webhook_event.dedup_key, reason=str(failure))
            self._on_outcome(CallOutcome.LATER)
            return False
        self._on_outcome(CallOutcome.SENT)
        return True

    async def _send_call(self, session: aiohttp.ClientSession, call: WebhookCall) -> None:
        webhook_event = await self._events.build(call)
        if webhook_event is None:
            await self._outbox.dead_letter(call, "nothing to say any more")
            self._on_outcome(CallOutcome.UNNEEDED)
            return
        try:
            await self._webhook.send(session, webhook_event)
        except WebhookError as failure:
            now = self._clock()
            log.warning(
                "webhook_call_failed",
                key=webhook_event.dedup_key,
                reason=str(failure),
                attempts=call.attempts,
            )
            if now - call.created_at > GIVE_UP_AFTER and self._is_clock_trusted():
                await self._outbox.dead_letter(call, str(failure))
                self._on_outcome(CallOutcome.DEAD)
                return
            is_unheard = call.kind is CallKind.ESCALATED and call.attempts >= UNHEARD_AFTER_ATTEMPTS
            # Its channel relies on the operators, who know nothing of it yet.
            if is_unheard and await self._outbox.report_unheard(call, now):
                self._wakeups.deliveries.set()
            wait = min(MAX_BACKOFF_S, 2.0 ** min(call.attempts, 10)) * random.uniform(0.75, 1.25)  # noqa: S311
            await self._outbox.retry_later(call, now + timedelta(seconds=wait), str(failure))
            self._on_outcome(CallOutcome.LATER)
            return
        log.info(
            "webhook_call_sent",
            key=webhook_event.dedup_key,
            action=webhook_event.action.value,
            resolved=webhook_event.action is WebhookAction.RESOLVE,
        )
        self._on_outcome(CallOutcome.SENT)
        await self._outbox.mark_sent(call, self._clock())


def create_webhook(settings: Settings) -> Webhook | None:
    """Return the operators' webhook; None if none is configured."""
    if settings.webhook_url is None:
        return None
    key = settings.webhook_key
    return Webhook(
        settings.webhook_url.get_secret_value(),
        settings.webhook_format,
        None if key is None else key.get_secret_value(),
    )
