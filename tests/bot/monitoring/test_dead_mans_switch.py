"""The dead man's switch: pings while the bot is well, and none while it isn't."""

from __future__ import annotations

import aiohttp
import pytest
import structlog

from bot.app.factory import Factory
from bot.monitoring.dead_mans_switch import MAX_CHECK_AGE_S, DeadMansSwitch, create_dead_mans_switch
from bot.monitoring.monitor import HealthInputs, HealthMonitor, MonitoredStore
from bot.runtime import machine_clock
from bot.runtime.wakeups import Wakeups
from bot.settings import Settings
from bot.slack.socket_mode import SocketState
from bot.sources.base import SourceStatus
from bot.store.database import StoreUnavailable
from tests.bot.monitoring.conftest import PingedService
from tests.support.factories import Clock


class Bot:
    """A health check whose parts can be broken, with its dead man's switch."""

    def __init__(self, factory: Factory, clock: Clock, url: str) -> None:
        self.clock = clock
        self.connection = SocketState(True, "")
        self.source = SourceStatus("hopskotch", True, "reads", 0)
        self.paused_s = 0.0
        self.monitor = HealthMonitor(
            MonitoredStore(factory.notices, factory.outbox_statistics, factory.incidents),
            HealthInputs(source_statuses=lambda: [self.source], connection_state=lambda: self.connection),
            clock,
            wakeups=Wakeups(),
        )
        self.switch = DeadMansSwitch(
            url, self.monitor, lambda: machine_clock.monotonic_time() + self.paused_s
        )

    async def ping(self) -> bool:
        async with aiohttp.ClientSession() as session:
            return await self.switch.ping_if_well(session)

    async def check(self, *, times: int = 1, seconds: float = 0.0) -> None:
        for _ in range(times):
            self.clock.advance(seconds=seconds)
            await self.monitor.check()


@pytest.fixture
def bot(factory: Factory, clock: Clock, service: PingedService) -> Bot:
    bot = Bot(factory, clock, service.url)
    bot.monitor.record_payload()
    return bot


async def test_ping_is_sent_only_after_a_health_check(bot: Bot, service: PingedService) -> None:
    assert not await bot.ping() and service.pings == 0
    await bot.check()
    assert await bot.ping() and await bot.ping() and service.pings == 2


async def test_broken_connection_withholds_the_ping_before_it_is_an_incident(
    bot: Bot, service: PingedService
) -> None:
    await bot.check()
    bot.connection = SocketState(False, "pings aren't answered")
    with structlog.testing.capture_logs() as logged:
        assert not await bot.ping() and not await bot.ping()
        bot.connection = SocketState(True, "")
        assert await bot.ping()
    events = [(line["event"], line.get("reason")) for line in logged]
    assert events == [
        ("heartbeat_ping_withheld", "slack: pings aren't answered"),
        ("heartbeat_ping_resumed", None),
    ]
    assert service.pings == 1


async def test_open_incident_withholds_the_ping(bot: Bot, service: PingedService) -> None:
    await bot.check()
    bot.clock.advance(hours=3)
    await bot.check()
    assert not await bot.ping(), "LVK's hourly mock notices are missing"
    bot.monitor.record_payload()
    await bot.check()
    assert await bot.ping() and service.pings == 1


async def test_hanging_health_check_withholds_the_ping(bot: Bot, service: PingedService) -> None:
    await bot.check()
    bot.paused_s = MAX_CHECK_AGE_S + 1
    assert not await bot.ping() and service.pings == 0


async def test_unavailable_store_withholds_the_ping(
    bot: Bot, factory: Factory, service: PingedService, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bot.check()

    def unavailable() -> None:
        raise StoreUnavailable("The database can't do its work now: database or disk is full.")

    with monkeypatch.context() as broken:
        broken.setattr(factory.database, "read_transaction", unavailable)
        assert not await bot.ping()
        await bot.check(times=10, seconds=10)
        assert bot.monitor.last_check is not None
        assert {kind.value for kind in bot.monitor.last_check.open_kinds} == {"store"}
        assert not await bot.ping()
    # The first check after an outage records the incident, the next one resolves it.
    await bot.check(times=2, seconds=10)
    assert await bot.ping() and service.pings == 1


@pytest.mark.parametrize("status", [302, 404, 429, 503])
async def test_refused_ping_is_logged_without_the_secret_address(
    bot: Bot, service: PingedService, status: int
) -> None:
    await bot.check()
    service.status = status
    with structlog.testing.capture_logs() as logged:
        assert not await bot.ping()
    assert [(line["event"], line["reason"]) for line in logged] == [
        ("heartbeat_ping_failed", f"HTTP {status}")
    ]


async def test_unreachable_service_does_not_end_the_bot(factory: Factory, clock: Clock) -> None:
    bot = Bot(factory, clock, "http://127.0.0.1:1/swordfish")
    bot.monitor.record_payload()
    await bot.check()
    with structlog.testing.capture_logs() as logged:
        assert not await bot.ping()
    assert logged[0]["event"] == "heartbeat_ping_failed" and "swordfish" not in str(logged)


def test_dead_mans_switch_needs_an_address(bot: Bot) -> None:
    assert create_dead_mans_switch(Settings(), bot.monitor) is None
    settings = Settings.model_validate({"heartbeat_url": "https://hc-ping.example.org/swordfish"})
    assert create_dead_mans_switch(settings, bot.monitor) is not None and "swordfish" not in repr(settings)
