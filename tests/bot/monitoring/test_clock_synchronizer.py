"""The clock across restarts, and corrected by the database."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest

from bot.app.application import Application
from bot.app.factory import Factory, open_factory
from bot.local_slack.server import LocalSlack
from bot.monitoring.clock_synchronizer import ClockSynchronizer
from bot.runtime import machine_clock
from bot.runtime.steady_clock import SteadyClock
from bot.settings import Settings
from bot.slack.client import SlackClient
from bot.slack.server_time import parse_http_date, trace_server_time
from bot.store.operations.clock_offsets import KEPT_FOR, ClockOffsetRepository
from bot.store.retention import NOTHING_PURGED, PurgeResult, RetentionPolicy

pytestmark = pytest.mark.backends("sqlite", "postgresql")

MONTH = 30 * 86_400.0


class Wrong:
    """A wall clock with an error."""

    by = 0.0

    def __call__(self) -> float:
        return datetime.now(UTC).timestamp() + self.by


def keeper(factory: Factory, wall: Wrong, boot: str = "this boot") -> tuple[SteadyClock, ClockSynchronizer]:
    clock = SteadyClock(wall)
    return clock, ClockSynchronizer(clock, ClockOffsetRepository(factory.database), boot_id=boot)


def wrong_by(clock: SteadyClock) -> float:
    return (clock() - datetime.now(UTC)).total_seconds()


async def test_a_restart_goes_on_with_the_clock_of_this_boot(factory: Factory) -> None:
    wall = Wrong()
    clock, kept = keeper(factory, wall)
    await kept.start()
    now = wall()
    clock.add_reference(now, machine_clock.monotonic_time(), machine_clock.monotonic_time())
    await kept.check()
    wall.by = MONTH
    again, kept = keeper(factory, wall)
    assert wrong_by(again) > MONTH - 10
    await kept.start()
    assert abs(wrong_by(again)) < 5 and not again.is_trusted and again.jump is not None
    await kept.check()
    assert abs(wrong_by(again)) < 5


async def test_unconfirmed_offset_is_not_stored(factory: Factory) -> None:
    wall = Wrong()
    wall.by = MONTH
    clock, kept = keeper(factory, wall)
    await kept.check()
    if factory.database.is_sqlite:
        assert not clock.is_confirmed
        assert await ClockOffsetRepository(factory.database).get("this boot") is None
    wall.by = 0.0
    _, another = keeper(factory, wall, "another boot")
    await another.start()
    assert await ClockOffsetRepository(factory.database).get("another boot") is None


@pytest.mark.backends("postgresql")
async def test_a_shared_database_agrees(factory: Factory) -> None:
    clock, kept = keeper(factory, Wrong())
    before = clock.is_confirmed
    await kept.start()
    assert (before, clock.is_confirmed, clock.is_trusted) == (False, True, True)


@pytest.mark.backends("postgresql")
async def test_a_wrong_clock_at_the_start_is_set_right_before_anything_is_read(factory: Factory) -> None:
    wall = Wrong()
    wall.by = MONTH
    clock, kept = keeper(factory, wall, "a new boot")
    await kept.start()
    assert not clock.is_confirmed and wrong_by(clock) > MONTH - 10
    keeping = asyncio.create_task(kept.run())
    try:
        await kept.wait_until_confirmed()
        assert abs(wrong_by(clock)) < 5
    finally:
        keeping.cancel()


async def test_stored_offsets_are_replaced_and_expire(factory: Factory) -> None:
    lines, now = ClockOffsetRepository(factory.database), datetime.now(UTC)
    await lines.record("old", 1.5, now - KEPT_FOR - timedelta(days=1))
    await lines.record("new", 2.25, now)
    await lines.record("new", 1_764_000_000.123456, now)
    assert await lines.get("old") is None
    assert await lines.get("new") == pytest.approx(1_764_000_000.123456, abs=1e-5)


async def test_slacks_answers_tell_the_time(local_slack: LocalSlack) -> None:
    heard: list[tuple[float, float, float]] = []
    config = trace_server_time(lambda *said: heard.append(said))
    async with aiohttp.ClientSession(trace_configs=[config]) as session:
        await SlackClient(local_slack.bot_token, local_slack.api_url, session).identify()
    ((said, asked, answered),) = heard
    assert abs(said - datetime.now(UTC).timestamp()) < 10 and asked <= answered


@pytest.mark.parametrize("date", [None, "", "yesterday", "Thu, 99 Jan 1970 00:00:00 GMT", "9" * 400])
def test_a_date_that_cant_be_read_says_nothing(date: str | None) -> None:
    assert parse_http_date(date) is None


async def test_a_bot_goes_by_the_clock_that_doesnt_jump(
    local_slack: LocalSlack, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wall = Wrong()
    monkeypatch.setattr(machine_clock, "wall_time", wall)
    settings = Settings.model_validate(
        {
            "slack_bot_token": local_slack.bot_token,
            "slack_app_token": local_slack.app_token,
            "slack_api_url": local_slack.api_url,
            "database_url": database_url,
        }
    )
    async with open_factory(settings) as factory:
        bot = Application(settings, factory, [])
        wall.by = MONTH
        await factory.clock_synchronizer.check()
        assert abs((bot.pipeline._clock() - datetime.now(UTC)).total_seconds()) < 10
        assert not bot._is_clock_trusted()
        (trouble,) = [t for t in [factory.clock.jump] if t is not None]
        assert round(trouble.ahead_by.total_seconds()) == pytest.approx(MONTH, abs=5)


@pytest.mark.slow
@pytest.mark.backends("sqlite")
@pytest.mark.parametrize("jumps", [False, True])
async def test_nothing_is_purged_within_an_hour_of_a_jump(
    local_slack: LocalSlack, database_url: str, monkeypatch: pytest.MonkeyPatch, jumps: bool
) -> None:
    wall = Wrong()
    monkeypatch.setattr(machine_clock, "wall_time", wall)
    settings = Settings.model_validate(
        {
            "slack_bot_token": local_slack.bot_token,
            "slack_app_token": local_slack.app_token,
            "slack_api_url": local_slack.api_url,
            "database_url": database_url,
        }
    )
    purged: list[datetime] = []
    async with open_factory(settings) as factory:

        async def purge(_keep: RetentionPolicy, now: datetime) -> PurgeResult:
            purged.append(now)
            return NOTHING_PURGED

        monkeypatch.setattr(factory.retention, "purge", purge)
        bot, stop = Application(settings, factory, []), asyncio.Event()
        wall.by = MONTH if jumps else 0.0
        running = asyncio.create_task(bot.run(stop))
        async with asyncio.timeout(60):
            await bot.ready.wait()
            if not jumps:
                while not purged:
                    await asyncio.sleep(0.05)
        await asyncio.sleep(1.5 if jumps else 0.0)
        stop.set()
        await running
    assert bool(purged) is not jumps
    assert all(abs((now - datetime.now(UTC)).total_seconds()) < 60 for now in purged)


@pytest.mark.backends("sqlite")
async def test_slack_is_asked_soon_then_seldom_and_not_where_all_is_known(factory: Factory) -> None:
    count = 0.0
    wall = Wrong()
    clock = SteadyClock(wall, lambda: count)
    kept = ClockSynchronizer(
        clock, ClockOffsetRepository(factory.database), boot_id="b", elapsed=lambda: count
    )
    asked: list[float] = []

    async def ask() -> None:
        asked.append(count)

    kept.request_slack_time = ask
    for second in range(301):
        count = float(second)
        await kept.check()
    assert asked[:4] == [0.0, 2.0, 6.0, 14.0] and 6 <= len(asked) <= 10
    clock.add_reference(clock().timestamp(), count, count)
    before = len(asked)
    for second in range(301, 400):
        count = float(second)
        await kept.check()
    assert len(asked) == before
