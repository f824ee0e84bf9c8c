"""The webhook: the content of calls, and their retries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import text

from bot.app.factory import Factory
from bot.criteria.operator_criteria import parse_operator_criteria
from bot.ingest.deferred_routing import DeferredRoutingWorker
from bot.ingest.pipeline import IngestResult, Pipeline
from bot.monitoring import webhook as webhook_module
from bot.monitoring.metrics import CallOutcome
from bot.monitoring.webhook import Webhook, WebhookEventBuilder, WebhookNotifier
from bot.routing.state import OperatorRules
from bot.runtime import machine_clock
from bot.runtime.wakeups import Wakeups
from bot.samples import Record, sky_map, to_json
from bot.sources.base import Origin
from bot.store.operations.webhook_calls import CLAIM_DURATION, WebhookCall
from formatters.models.notice import RETRACTION
from formatters.webhook.payload import WebhookEvent, WebhookFormat
from tests.bot.monitoring.conftest import Pager
from tests.support.factories import MAX_AGE, MOCK, NOW, REAL, Clock, create_pipeline, notice_record

PATIENCE_S = 60.0
LIVE = Origin("kafka", "test", live=True)


@pytest.fixture(autouse=True)
def poll_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_module, "POLL_S", 0.02)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not true():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def calling(
    factory: Factory,
    clock: Clock,
    webhook: Webhook,
    on_outcome: Callable[[CallOutcome], None] = lambda _: None,
) -> AsyncIterator[WebhookNotifier]:
    events = WebhookEventBuilder(factory.incidents, factory.notices, factory.escalation_reports)
    caller = WebhookNotifier(
        webhook, factory.webhook_outbox, events, clock, wakeups=Wakeups(), on_outcome=on_outcome
    )
    task = asyncio.create_task(caller.run())
    yield caller
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def pipeline(factory: Factory, clock: Clock, words: str) -> Pipeline:
    alarms = OperatorRules(
        ops_channel=None, quiet_period=MAX_AGE, webhook_criteria=parse_operator_criteria(words)
    )
    return create_pipeline(factory, clock, operator_rules=alarms)


async def take(line: Pipeline, *records: Record, origin: Origin = LIVE) -> None:
    for one in records:
        assert await line.handle(to_json(one), origin) is IngestResult.STORED


def said(pager: Pager) -> list[tuple[Any, Any]]:
    return [(call["action"], call["key"]) for call in pager.heard()]


async def test_an_event_for_which_the_sky_map_decides_calls_once_it_was_asked(
    factory: Factory, clock: Clock, pager: Pager
) -> None:
    words = "CBC (grade rubin-2026 >= Silver or near 60 -30 5deg > 0.99)"
    where = sky_map([(60.0, -30.0, 1.0, 1.5)], superevent_id=REAL, time=NOW, base_order=3, rounds=4)
    line = pipeline(factory, clock, words)
    worker = DeferredRoutingWorker(
        factory.deferred_routing,
        factory.skymap_queries,
        clock,
        Wakeups(),
        max_age=MAX_AGE,
        webhook_criteria=parse_operator_criteria(words),
    )
    async with calling(factory, clock, Webhook(pager.url, WebhookFormat.JSON)):
        await take(line, notice_record(skymap=where), notice_record("S261122b", far=1e-6))
        assert await factory.webhook_outbox.count_by_state() == {}
        await worker.process_pending()
        await until(lambda: len(pager.calls) == 1)
        await take(line, notice_record(alert_type="INITIAL", minutes=5, skymap=where))
        await worker.process_pending()
        await take(line, notice_record(alert_type=RETRACTION, minutes=9))
        await until(lambda: len(pager.calls) == 2)
    assert said(pager) == [("trigger", f"event:{REAL}"), ("resolve", f"event:{REAL}")]


async def test_an_event_calls_once_and_its_retraction_once(
    factory: Factory, clock: Clock, pager: Pager
) -> None:
    async with calling(factory, clock, Webhook(pager.url, WebhookFormat.JSON, "a secret")):
        line = pipeline(factory, clock, "CBC")
        await take(line, notice_record(), notice_record(alert_type="INITIAL", minutes=5), notice_record(MOCK))
        await until(lambda: len(pager.calls) == 1)
        await take(
            line, notice_record(alert_type=RETRACTION, minutes=9), notice_record(MOCK, RETRACTION, minutes=9)
        )
        await until(lambda: len(pager.calls) == 2)
    assert said(pager) == [("trigger", f"event:{REAL}"), ("resolve", f"event:{REAL}")]
    first, last = pager.heard()
    assert first["severity"] == "critical" and first["title"].startswith("BNS 95% ")
    assert "RETRACTED" in last["title"] and last["url"].startswith("https://gracedb.ligo.org/")
    assert {authorization for _, _, authorization in pager.calls} == {"Bearer a secret"}


async def test_old_news_and_archives_call_nobody(factory: Factory, clock: Clock, pager: Pager) -> None:
    line = pipeline(factory, clock, "all mock")
    await take(line, notice_record(), origin=Origin("file", "archive", live=False))
    await take(line, notice_record(MOCK, minutes=-1500))
    assert await factory.webhook_outbox.count_by_state() == {}


async def test_failed_call_is_retried_even_after_a_restart(
    factory: Factory, clock: Clock, pager: Pager, monkeypatch: pytest.MonkeyPatch
) -> None:
    retry_later, stored = factory.webhook_outbox.retry_later, 0

    async def counted(*arguments: Any) -> None:
        nonlocal stored
        await retry_later(*arguments)
        stored += 1

    monkeypatch.setattr(factory.webhook_outbox, "retry_later", counted)
    pager.status = 302
    webhook = Webhook(pager.url, WebhookFormat.JSON)
    async with calling(factory, clock, webhook):
        await take(pipeline(factory, clock, "all"), notice_record())
        # The time of the next attempt counts from when the failure is written down, not from the refusal.
        await until(lambda: stored == 1)
        for failures in (2, 3, 4):
            clock.advance(minutes=10)
            await until(lambda failures=failures: stored == failures)  # type: ignore[misc]
    assert pager.refused == 4
    pager.status = 200
    clock.advance(minutes=10)
    async with calling(factory, clock, webhook):
        await until(lambda: len(pager.calls) == 1)
        await until_settled(factory)
    assert said(pager) == [("trigger", f"event:{REAL}")]


async def until_settled(factory: Factory) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while "pending" in await factory.webhook_outbox.count_by_state():
            await asyncio.sleep(0.01)


async def test_retraction_before_the_webhook_call_cancels_it(
    factory: Factory, clock: Clock, pager: Pager
) -> None:
    line = pipeline(factory, clock, "all")
    await take(line, notice_record(), notice_record(alert_type=RETRACTION, minutes=5))
    assert await factory.webhook_outbox.count_by_state() == {"dead": 1}
    await take(line, notice_record(alert_type=RETRACTION, minutes=6))
    assert await factory.webhook_outbox.count_by_state() == {"dead": 1}, "nobody heard of it"
    await take(line, notice_record(alert_type="UPDATE", minutes=7))
    assert await factory.webhook_outbox.count_by_state() == {"pending": 1}, "a candidate again"
    await take(line, notice_record(alert_type=RETRACTION, minutes=8))
    assert await factory.webhook_outbox.count_by_state() == {"dead": 1}
    pager.status = 503
    await take(line, notice_record("S261122b"))
    async with calling(factory, clock, Webhook(pager.url, WebhookFormat.JSON)):
        await until(lambda: pager.refused == 1)
        # It may have been heard all the same, so it is taken back.
        await take(line, notice_record("S261122b", RETRACTION, minutes=5))
        pager.status = 200
        clock.advance(minutes=10)
        await until_settled(factory)
    assert said(pager) == [("resolve", "event:S261122b")]


async def test_ntfy_and_pagerduty(factory: Factory, clock: Clock, pager: Pager) -> None:
    line = pipeline(factory, clock, "all")
    async with calling(factory, clock, Webhook(f"{pager.url}/gw", WebhookFormat.NTFY)):
        await take(line, notice_record())
        await until(lambda: len(pager.calls) == 1)
        await until_settled(factory)
    async with calling(
        factory, clock, Webhook(f"{pager.url}/v2/enqueue", WebhookFormat.PAGERDUTY, "routing")
    ):
        await take(line, notice_record(alert_type=RETRACTION, minutes=5))
        await until(lambda: len(pager.calls) == 2)
    (ntfy_path, ntfy, _), (pd_path, pagerduty, authorization) = pager.calls
    assert (ntfy_path, ntfy["topic"], ntfy["priority"]) == ("/hook/", "gw", 5)
    assert pd_path == "/hook/v2/enqueue" and authorization is None
    assert pagerduty["routing_key"] == "routing" and pagerduty["event_action"] == "resolve"
    assert pagerduty["dedup_key"] == f"gwevent:event:{REAL}"
    assert pagerduty["payload"]["timestamp"].startswith(f"{NOW:%Y-%m-%dT}")
    assert len(pagerduty["payload"]["summary"]) <= 1024


async def test_expired_claim_sends_no_call(
    factory: Factory, clock: Clock, pager: Pager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process is paused between claim and request, so another one may have made the call."""
    slept = 0.0
    monkeypatch.setattr(machine_clock, "monotonic_time", lambda: slept)
    events = WebhookEventBuilder(factory.incidents, factory.notices, factory.escalation_reports)
    caller = WebhookNotifier(
        Webhook(pager.url, WebhookFormat.JSON),
        factory.webhook_outbox,
        events,
        clock,
        wakeups=Wakeups(),
        on_outcome=lambda _: None,
    )
    words = events.build

    async def sleepily(call: WebhookCall) -> WebhookEvent | None:
        nonlocal slept
        slept += CLAIM_DURATION.total_seconds() + 1.0 if not slept else 0.0
        return await words(call)

    events.build = sleepily  # type: ignore[method-assign]
    await take(pipeline(factory, clock, "all"), notice_record())
    running = asyncio.create_task(caller.run())
    await until(lambda: slept > 0)
    await asyncio.sleep(0.2)
    assert pager.calls == [] and await factory.webhook_outbox.count_by_state() == {"pending": 1}
    clock.advance(seconds=CLAIM_DURATION.total_seconds() + 1.0)
    await until(lambda: len(pager.calls) == 1)
    await until_settled(factory)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert said(pager) == [("trigger", f"event:{REAL}")]


async def test_a_call_of_a_newer_gwevent_holds_nothing_up(factory: Factory, clock: Clock) -> None:
    await take(pipeline(factory, clock, "all"), notice_record())
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(text("UPDATE webhook_calls SET kind = 'novelty'"))
    assert await factory.webhook_outbox.claim(clock()) is None
    assert await factory.webhook_outbox.count_by_state() == {"pending": 1}


async def test_late_failure_does_not_undo_a_delivered_call(factory: Factory, clock: Clock) -> None:
    await take(pipeline(factory, clock, "all"), notice_record())
    slow = await factory.webhook_outbox.claim(clock())
    clock.advance(seconds=CLAIM_DURATION.total_seconds() + 1.0)
    quick = await factory.webhook_outbox.claim(clock())
    assert (
        slow is not None and quick is not None and (slow.id, slow.attempts + 1) == (quick.id, quick.attempts)
    )
    await factory.webhook_outbox.retry_later(slow, clock(), "no answer")
    assert await factory.webhook_outbox.claim(clock()) is None, "it is the other's"
    await factory.webhook_outbox.mark_sent(quick, clock())
    await factory.webhook_outbox.retry_later(slow, clock(), "no answer")
    await factory.webhook_outbox.dead_letter(slow, "no answer")
    assert await factory.webhook_outbox.count_by_state() == {"sent": 1}


async def test_outcomes_of_calls_are_counted(factory: Factory, clock: Clock, pager: Pager) -> None:
    heard: list[CallOutcome] = []
    line = pipeline(factory, clock, "all")
    pager.status = 503
    async with calling(factory, clock, Webhook(pager.url, WebhookFormat.JSON), heard.append):
        await take(line, notice_record())
        await until(lambda: heard == [CallOutcome.LATER])
        pager.status = 200
        clock.advance(minutes=1)
        await until(lambda: heard == [CallOutcome.LATER, CallOutcome.SENT])
        pager.status = 503
        await take(line, notice_record("S261122b"))
        await until(lambda: len(heard) == 3)
        await take(line, notice_record("S261122b", alert_type=RETRACTION, minutes=9))
        clock.advance(minutes=1)
        await until(lambda: CallOutcome.UNNEEDED in heard)
        await take(line, notice_record("S261122c"))
        await until(lambda: len(heard) >= 6)
        clock.advance(hours=25)
        await until(lambda: CallOutcome.DEAD in heard)


async def test_the_oldest_call_not_accepted_is_known(factory: Factory, clock: Clock) -> None:
    line = pipeline(factory, clock, "all")
    assert await factory.monitoring_counts.oldest_webhook_call() is None
    await take(line, notice_record())
    planned = clock()
    clock.advance(minutes=5)
    await take(line, notice_record("S261122b"))
    assert await factory.monitoring_counts.oldest_webhook_call() == planned
    first = await factory.webhook_outbox.claim(clock())
    assert first is not None
    await factory.webhook_outbox.retry_later(first, clock(), "HTTP 503")
    assert await factory.monitoring_counts.oldest_webhook_call() == planned, "a failed call waits on"
    await factory.webhook_outbox.mark_sent(first, clock())
    assert await factory.monitoring_counts.oldest_webhook_call() == clock()
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(text("UPDATE webhook_calls SET kind = 'novelty'"))
    assert await factory.monitoring_counts.oldest_webhook_call() is None, "a newer gwevent's"


async def test_after_a_jump_no_call_is_given_up(factory: Factory, clock: Clock, pager: Pager) -> None:
    sure = False
    events = WebhookEventBuilder(factory.incidents, factory.notices, factory.escalation_reports)
    caller = WebhookNotifier(
        Webhook(pager.url, WebhookFormat.JSON),
        factory.webhook_outbox,
        events,
        clock,
        wakeups=Wakeups(),
        on_outcome=lambda _: None,
        is_clock_trusted=lambda: sure,
    )
    pager.status = 503
    await take(pipeline(factory, clock, "all"), notice_record())
    running = asyncio.create_task(caller.run())
    await until(lambda: pager.refused == 1)
    clock.advance(hours=25)
    await until(lambda: pager.refused == 2)
    await asyncio.sleep(0.1)
    assert await factory.webhook_outbox.count_by_state() == {"pending": 1}
    sure = True
    clock.advance(hours=1)
    await until_settled(factory)
    assert await factory.webhook_outbox.count_by_state() == {"dead": 1}
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
