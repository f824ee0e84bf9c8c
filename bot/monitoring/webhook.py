"""Calls the webhook: what is due, with the newest words, again and again until it is heard."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import structlog

from bot.routing.intents import CallKind
from bot.runtime import machine_clock
from bot.runtime.http_proxy import proxy_for
from bot.runtime.running_timeout import running_timeout
from bot.slack.lease_check import LeaseLost, install_lease_check, send_only_while
from bot.store.database import StoreUnavailable
from bot.store.events.notices import NoticeRepository
from bot.store.operations.incidents import IncidentRepository
from bot.store.operations.webhook_calls import CLAIM_DURATION, WebhookCall, WebhookOutbox
from formatters.webhook import payload
from formatters.webhook.payload import WebhookEvent, WebhookFormat

POLL_S = 2.0
TIMEOUT_S = 10.0
MAX_BACKOFF_S = 300.0
GIVE_UP_AFTER = timedelta(hours=24)

log = structlog.get_logger(__name__)


class WebhookError(Exception):
    """The webhook didn't take it; the reason holds nothing secret."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where to call, and how."""

    url: str
    """Secret: who knows it can call it."""
    format: WebhookFormat
    key: str | None = None
    """PagerDuty's routing key; for the others a bearer token."""

    async def send(self, session: aiohttp.ClientSession, said: WebhookEvent) -> None:
        """Call once. Raises WebhookError."""
        url, topic = self.url, ""
        if self.format is WebhookFormat.NTFY:
            # ntfy takes JSON at its root only, with the topic inside.
            parts = urlsplit(self.url)
            base, _, topic = parts.path.rstrip("/").rpartition("/")
            url = urlunsplit(parts._replace(path=f"{base}/"))
        body = payload.request_body(said, self.format, topic=topic, routing_key=self.key or "")
        headers = {}
        if self.key is not None and self.format is not WebhookFormat.PAGERDUTY:
            headers["Authorization"] = f"Bearer {self.key}"
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


class WebhookNotifier:
    """Makes the calls that the store holds."""

    def __init__(
        self,
        webhook: Webhook,
        outbox: WebhookOutbox,
        incidents: IncidentRepository,
        notices: NoticeRepository,
        clock: Callable[[], datetime],
        *,
        poll_s: float = POLL_S,
        elapsed: Callable[[], float] = machine_clock.monotonic_time,
        is_clock_trusted: Callable[[], bool] = lambda: True,
    ) -> None:
        """`may_give_up` says whether the clock is good enough for that."""
        self._elapsed = elapsed
        self._is_clock_trusted = is_clock_trusted
        self._webhook = webhook
        self._outbox = outbox
        self._incidents = incidents
        self._notices = notices
        self._clock = clock
        self._poll_s = poll_s
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Say that a call may be due."""
        self._wake.set()

    async def run(self) -> None:
        """Call for ever; the store's failures are waited out."""
        async with aiohttp.ClientSession() as session:
            install_lease_check(session)
            while True:
                self._wake.clear()
                try:
                    while await self._send_next(session):
                        pass
                except StoreUnavailable as error:
                    log.warning("webhook_waits_for_store", reason=str(error))
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._poll_s):
                        await self._wake.wait()

    async def _send_next(self, session: aiohttp.ClientSession) -> bool:
        """Make the next call; False where none is due."""
        until = self._elapsed() + CLAIM_DURATION.total_seconds()
        call = await self._outbox.claim(self._clock())
        if call is None:
            return False
        try:
            with send_only_while(lambda: self._elapsed() < until):
                await self._send_call(session, call)
        except LeaseLost:
            # This process was paused for so long that another one may be calling.
            log.warning("lease_lost_before_calling", call=call.id)
        return True

    async def send_now(self, said: WebhookEvent) -> bool:
        """Call without the store, for what concerns the store itself; whether it was heard."""
        try:
            async with aiohttp.ClientSession() as session:
                await self._webhook.send(session, said)
        except WebhookError as failure:
            log.warning("webhook_not_heard", key=said.dedup_key, reason=str(failure))
            return False
        return True

    async def _send_call(self, session: aiohttp.ClientSession, call: WebhookCall) -> None:
        said = await self._build_event(call)
        if said is None:
            await self._outbox.dead_letter(call, "nothing to say any more")
            return
        try:
            await self._webhook.send(session, said)
        except WebhookError as failure:
            now = self._clock()
            log.warning("webhook_not_heard", key=said.dedup_key, reason=str(failure), attempts=call.attempts)
            if now - call.created_at > GIVE_UP_AFTER and self._is_clock_trusted():
                await self._outbox.dead_letter(call, str(failure))
                return
            wait = min(MAX_BACKOFF_S, 2.0 ** min(call.attempts, 10)) * random.uniform(0.75, 1.25)  # noqa: S311
            await self._outbox.retry_later(call, now + timedelta(seconds=wait), str(failure))
            return
        log.info("webhook_called", key=said.dedup_key, over=said.is_resolved)
        await self._outbox.mark_sent(call, self._clock())

    async def _build_event(self, call: WebhookCall) -> WebhookEvent | None:
        """The words; None where what was to be said is over, and was never heard."""
        over = call.kind in (CallKind.INCIDENT_RESOLVED, CallKind.EVENT_RETRACTED)
        if call.incident_id is not None:
            trouble = await self._incidents.get(call.incident_id)
            if trouble is None or (trouble.ended is not None) is not over:
                return None
            return payload.event_from_incident(trouble, is_resolved=over)
        assert call.superevent_id is not None, "a call is about a trouble or about an event"
        superevent = await self._notices.superevent(call.superevent_id)
        if superevent is None or superevent.is_retracted is not over:
            return None
        return payload.event_from_superevent(superevent, is_resolved=over)
