"""Incidents, from the health check to the ops channel and the webhook."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NoReturn

import aiohttp
import pytest

from bot.app.factory import Factory
from bot.delivery.worker import DeliveryWorker
from bot.filters import parse_criteria
from bot.local_slack.server import LocalSlack
from bot.monitoring.monitor import HealthInputs, HealthMonitor, MonitoredStore
from bot.monitoring.webhook import Webhook, WebhookEventBuilder, WebhookNotifier
from bot.routing.intents import ChannelRef
from bot.runtime.steady_clock import ClockJump
from bot.runtime.wakeups import Wakeups
from bot.slack.client import SlackClient
from bot.slack.socket_mode import SocketState
from bot.sources.base import SourceStatus
from bot.store.database import StoreUnavailable
from formatters.models.incident import IncidentKind
from formatters.webhook.payload import WebhookFormat
from tests.bot.monitoring.conftest import Pager
from tests.support.factories import MOCK, Clock, decoded_notice, record_notices

PATIENCE_S = 60.0


@dataclass
class Tower:
    """A health monitor, what it checks, and the receivers of its incidents."""

    factory: Factory
    clock: Clock
    local_slack: LocalSlack
    ops: str
    pager: Pager
    worker: DeliveryWorker
    caller: WebhookNotifier
    wakeups: Wakeups
    watch: HealthMonitor = field(init=False)
    known: bool = True
    jump: ClockJump | None = None
    source: SourceStatus = field(default_factory=lambda: SourceStatus("hopskotch", True, "reads", 0))
    link: SocketState = field(default_factory=lambda: SocketState(True, ""))

    def restart(self) -> None:
        """Create the health monitor, as a starting process does."""
        self.watch = HealthMonitor(
            MonitoredStore(
                self.factory.notices,
                self.factory.outbox_statistics,
                self.factory.incidents,
                counts=self.factory.monitoring_counts,
            ),
            HealthInputs(
                source_statuses=lambda: [self.source],
                connection_state=lambda: self.link,
                ops_channel=self.place,
                clock_jump=lambda: self.jump,
            ),
            self.clock,
            wakeups=self.wakeups,
            webhook_notifier=self.caller,
        )

    def place(self) -> ChannelRef | None:
        return (self.local_slack.team_id, self.ops) if self.known else None

    async def look(self, times: int = 1, **later: float) -> None:
        """Check several times; the clock advances before each check."""
        for _ in range(times):
            self.clock.advance(**later)
            await self.watch.check()

    def said(self) -> list[str]:
        return [str(message["text"]) for message in self.local_slack.messages(self.ops)]

    async def told(self, count: int) -> list[str]:
        """Wait until the ops channel has `count` messages and no delivery is pending."""

        async def done() -> bool:
            self.worker.wake()
            return len(self.said()) >= count and not (await self.factory.outbox_statistics.counts()).waiting

        await until(done)
        assert len(self.said()) == count
        return self.said()

    async def called(self, count: int) -> list[str]:
        """Wait for `count` webhook calls, and return the action and key of each."""

        async def done() -> bool:
            self.wakeups.webhook.set()
            return len(self.pager.calls) >= count

        await until(done)
        return [f"{call['action']} {call['key']}" for call in self.pager.heard()]


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await true():
            await asyncio.sleep(0.02)


@pytest.fixture
async def monitoring(
    local_slack: LocalSlack, factory: Factory, clock: Clock, pager: Pager
) -> AsyncIterator[Tower]:
    async with aiohttp.ClientSession() as session:
        clients = {local_slack.team_id: SlackClient(local_slack.bot_token, local_slack.api_url, session)}
        worker = factory.create_delivery_worker(clients, clock, channel_pause_s=0)
        webhook = Webhook(pager.url, WebhookFormat.JSON)
        wakeups = Wakeups()
        events = WebhookEventBuilder(factory.incidents, factory.notices, factory.escalation_reports)
        caller = WebhookNotifier(
            webhook, factory.webhook_outbox, events, clock, wakeups=wakeups, on_outcome=lambda _: None
        )
        monitoring = Tower(
            factory, clock, local_slack, local_slack.add_channel("ops"), pager, worker, caller, wakeups
        )
        monitoring.restart()
        tasks = [asyncio.create_task(worker.run()), asyncio.create_task(caller.run())]
        yield monitoring
        await worker.stop(0.5)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_silence_is_reported_once_and_its_end_too(monitoring: Tower) -> None:
    await record_notices(monitoring.factory, decoded_notice(MOCK))
    await monitoring.look(hours=2.4)
    assert await monitoring.factory.incidents.open_incidents() == []
    await monitoring.look(minutes=10)
    (said,) = await monitoring.told(1)
    assert "No notice has arrived since 2026-11-22 12:00:00 UTC" in said
    await monitoring.look(3, minutes=10)
    monitoring.restart()
    await monitoring.look(3, minutes=10)
    assert await monitoring.told(1), "a restart repeats nothing"
    assert [trouble.kind for trouble in await monitoring.factory.incidents.open_incidents()] == [
        IncidentKind.SILENCE
    ]
    monitoring.watch.record_payload()
    await monitoring.look(6, seconds=10)
    assert "no notices (began 2026-11-22 12:00:00" in (await monitoring.told(2))[1]
    assert await monitoring.called(2) == ["trigger trouble:silence", "resolve trouble:silence"]
    # The next one is another trouble.
    await monitoring.look(hours=2.6)
    assert "No notice" in (await monitoring.told(3))[2]


async def test_the_age_of_a_call_that_nobody_hears_is_a_figure(monitoring: Tower) -> None:
    monitoring.pager.status = 503
    await record_notices(monitoring.factory, decoded_notice(MOCK))
    await monitoring.look(hours=2.6)

    async def refused() -> bool:
        monitoring.wakeups.webhook.set()
        return monitoring.pager.refused == 1

    await until(refused)
    monitoring.clock.advance(minutes=4)
    assert b"gwevent_oldest_webhook_call_age_seconds 240.0" in await monitoring.watch.metrics()
    monitoring.pager.status = 200
    monitoring.clock.advance(minutes=1)
    await monitoring.called(1)

    async def settled() -> bool:
        return b"gwevent_oldest_webhook_call_age_seconds 0.0" in await monitoring.watch.metrics()

    await until(settled)


async def test_flapping_is_one_incident(monitoring: Tower) -> None:
    monitoring.watch.record_payload()
    monitoring.source = SourceStatus("hopskotch", False, "kafka.scimma.org:9092 doesn't answer <!channel>")
    await monitoring.look(8, seconds=10)
    await monitoring.told(1)
    for connected in (True, False, True, False):
        monitoring.source = SourceStatus(
            "hopskotch", connected, "kafka.scimma.org:9092 doesn't answer <!channel>"
        )
        await monitoring.look(2, seconds=10)
    (said,) = await monitoring.told(1)
    assert "can't be read" in said and "<!" not in said


async def test_incident_found_before_slack_connects_is_reported_afterwards(monitoring: Tower) -> None:
    monitoring.watch.record_payload()
    monitoring.known, monitoring.link = False, SocketState(False, "not connected yet")
    await monitoring.look(8, seconds=10)
    assert [trouble.kind for trouble in await monitoring.factory.incidents.open_incidents()] == [
        IncidentKind.SLACK
    ]
    monitoring.link = SocketState(True, "")
    await monitoring.look(6, seconds=10)
    assert monitoring.said() == [] and await monitoring.factory.incidents.open_incidents() == []
    monitoring.known = True
    await monitoring.look()
    (said,) = await monitoring.told(1)
    assert "had a problem, now over" in said, "one message says both"


@pytest.mark.slow
async def test_waiting_deliveries_open_an_incident(monitoring: Tower) -> None:
    monitoring.watch.record_payload()
    channel = monitoring.local_slack.add_channel("gw")
    monitoring.local_slack.fail("chat.postMessage", status=503, times=None, channel=channel)
    await monitoring.factory.subscriptions.add_confirmed(
        monitoring.local_slack.team_id, channel, parse_criteria("all mock"), "U1", monitoring.clock()
    )
    await record_notices(monitoring.factory, decoded_notice(MOCK), now=monitoring.clock())
    await monitoring.look(seconds=59)
    assert await monitoring.factory.incidents.open_incidents() == []
    await monitoring.look(2, seconds=10)

    async def heard() -> bool:
        return any("Deliveries wait: 1, the oldest since" in said for said in monitoring.said())

    await until(heard)
    monitoring.local_slack.faults.clear()
    monitoring.clock.advance(minutes=10)
    await monitoring.called(1)

    async def done() -> bool:
        monitoring.worker.wake()
        return not (await monitoring.factory.outbox_statistics.counts()).waiting

    await until(done)
    await monitoring.look(6, seconds=10)
    assert "deliveries waiting (began" in (await monitoring.told(2))[1]


@pytest.mark.slow
async def test_unavailable_store_is_reported_by_the_webhook(
    monitoring: Tower, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing() -> NoReturn:
        raise StoreUnavailable("The database can't do its work now: database or disk is full.")

    monitoring.watch.record_payload()
    await monitoring.look()
    with monkeypatch.context() as broken:
        for way in ("read_transaction", "exclusive_transaction"):
            broken.setattr(monitoring.factory.database, way, nothing)
        await monitoring.look(10, seconds=10)
        assert await monitoring.called(1) == ["trigger trouble:store"]
        assert (await monitoring.watch.readiness()).parts["store"] != "ok"
        assert b"gwevent_store_up 0.0" in await monitoring.watch.metrics()
    await monitoring.look(seconds=10)
    (said,) = await monitoring.told(1)
    assert "The database has been unavailable since 2026-11-22 12:00:10 UTC: The database can't" in said
    await monitoring.look(6, seconds=10)
    assert await monitoring.called(2) == ["trigger trouble:store", "resolve trouble:store"]
    assert "database unavailable (began" in (await monitoring.told(2))[1]
    assert (await monitoring.watch.readiness()).ready
    assert b"gwevent_store_up 1.0" in await monitoring.watch.metrics()


def monitor_of_sources(factory: Factory, clock: Clock, sources: list[SourceStatus]) -> HealthMonitor:
    return HealthMonitor(
        MonitoredStore(factory.notices, factory.outbox_statistics, factory.incidents),
        HealthInputs(source_statuses=lambda: sources),
        clock,
        wakeups=Wakeups(),
    )


async def test_one_connected_consumer_makes_a_source_ready(factory: Factory, clock: Clock) -> None:
    reads, silent = SourceStatus("hopskotch", True, "reads", 3), SourceStatus("hopskotch", False, "silent")
    for sources in ([reads, silent], [silent, reads]):
        watch = monitor_of_sources(factory, clock, sources)
        assert (await watch.readiness()).parts == {"hopskotch": "ok", "store": "ok"}
        figures = (await watch.metrics()).decode()
        assert 'gwevent_source_connected{source="hopskotch"} 1.0' in figures
        assert 'gwevent_source_lag{source="hopskotch"} 3.0' in figures
    alone = monitor_of_sources(factory, clock, [silent])
    assert (await alone.readiness()).parts["hopskotch"] == "silent"


async def test_an_optional_topic_that_is_not_read_is_shown_and_is_no_incident(
    factory: Factory, clock: Clock
) -> None:
    alerts = SourceStatus("hopskotch", True, "reads", 0, topic="igwn.gwalert")
    missing = SourceStatus("hopskotch", False, "isn't there", 9, topic="gcn.circulars", is_optional=True)
    behind = SourceStatus("gcn", True, "reads", 900, topic="gcn.circulars", is_optional=True)
    watch = monitor_of_sources(factory, clock, [alerts, missing, behind])
    for _ in range(100):
        await watch.check()
        clock.advance(seconds=10)
    assert await factory.incidents.open_incidents() == []
    readiness = await watch.readiness()
    assert readiness.ready and readiness.parts == {"hopskotch": "ok", "store": "ok"}
    assert readiness.optional_topics == {
        "hopskotch gcn.circulars": "isn't there",
        "gcn gcn.circulars": "ok",
    }
    figures = (await watch.metrics()).decode()
    assert 'gwevent_source_connected{source="hopskotch"} 1.0' in figures
    assert 'gwevent_source_lag{source="hopskotch"} 0.0' in figures
    assert 'source_connected{source="gcn"}' not in figures
    assert 'gwevent_topic_read{source="hopskotch",topic="igwn.gwalert"} 1.0' in figures
    assert 'gwevent_topic_read{source="hopskotch",topic="gcn.circulars"} 0.0' in figures
    assert 'gwevent_topic_lag{source="gcn",topic="gcn.circulars"} 900.0' in figures


async def test_each_topic_of_alerts_counts(factory: Factory, clock: Clock) -> None:
    sources = [
        SourceStatus("hopskotch", True, "reads", 1, topic="igwn.gwalert"),
        SourceStatus("hopskotch", False, "isn't there", 2, topic="igwn.gwalert-test"),
    ]
    watch = monitor_of_sources(factory, clock, sources)
    assert (await watch.readiness()).parts["hopskotch"] == "isn't there"
    figures = (await watch.metrics()).decode()
    assert 'gwevent_source_connected{source="hopskotch"} 0.0' in figures
    assert 'gwevent_source_lag{source="hopskotch"} 3.0' in figures


async def test_clock_jump_is_reported_once_and_its_end_too(monitoring: Tower) -> None:
    await monitoring.look(times=3, seconds=10)
    monitoring.jump = ClockJump(since=monitoring.clock(), ahead_by=timedelta(hours=25), corrected=False)
    await monitoring.look(times=3, seconds=10)
    (said,) = await monitoring.told(1)
    assert "machine's clock jumped 25 h ahead" in said and "continues with its own clock" in said
    assert await monitoring.called(1) == ["trigger trouble:clock"]
    monitoring.jump = None
    await monitoring.look(times=6, seconds=10)
    _, over = await monitoring.told(2)
    assert "clock jumped" in over and over.startswith("gwevent: Over")
