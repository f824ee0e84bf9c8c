"""The running bot reads the Treasure Map, one process of several does, and `status` tells."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from bot.app.application import Application
from bot.app.factory import Factory
from bot.app.treasure_map import create_treasure_map_sync
from bot.local_slack.server import LocalSlack
from bot.samples.treasure_map import pointing
from bot.settings import Settings, SettingsError
from bot.store.database import Database
from bot.treasure_map import reading, sync
from tests.support.delivery_harness import IdleSource
from tests.support.factories import NOW, REAL, TEAM, Clock, decoded_notice, record_notices, subscribe
from tests.support.treasure_map import TOKEN, FakeTreasureMap
from tests.support.waiting import wait_until

PATIENCE_S = 20


@pytest.fixture
async def fake(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeTreasureMap]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setattr(sync, "PACE_S", 0)
    monkeypatch.setattr(reading, "PACE_S", 0)
    monkeypatch.setattr(sync, "POLL_S", 0.05)
    local = FakeTreasureMap()
    await local.start()
    local.pointings[REAL] = [pointing(1, 10, 10, NOW)]
    yield local
    await local.stop()


async def is_read(factory: Factory) -> bool:
    return (await factory.treasure_map.pointings(REAL)).read_at is not None


@pytest.mark.slow
async def test_a_running_bot_reads_others_pointings_and_says_so(
    local_slack: LocalSlack, factory: Factory, clock: Clock, fake: FakeTreasureMap
) -> None:
    await subscribe(factory, "CBC", "C1")
    await record_notices(factory, decoded_notice())
    settings = Settings.model_validate(
        {
            "slack_bot_token": local_slack.bot_token,
            "slack_app_token": local_slack.app_token,
            "slack_api_url": local_slack.api_url,
            "treasuremap_token": TOKEN,
            "treasuremap_url": fake.url,
        }
    )
    factory.treasure_map.is_read = settings.reads_treasure_map
    bot, stop = Application(settings, factory, [IdleSource()], clock), asyncio.Event()
    running = asyncio.create_task(bot.run(stop))
    async with asyncio.timeout(PATIENCE_S):
        await bot.ready.wait()
    await wait_until(lambda: is_read(factory), what="the Treasure Map is read")
    channel = local_slack.add_channel("gw")
    done = await local_slack.command("/gwevent", "status", channel=channel)
    answer = await done.wait_for_answer(PATIENCE_S)
    assert "Treasure Map: last read 2026-11-22 12:00:00 UTC" in str(answer)
    assert 'gwevent_treasuremap_requests_total{outcome="ok"} 1.0' in bot.metrics.exposition().decode()
    stop.set()
    await running


def test_without_a_token_nothing_is_started(factory: Factory, clock: Clock) -> None:
    for given in ({}, {"treasuremap_token": ""}, {"treasuremap_token": "x", "treasuremap_url": "off"}):
        settings = Settings.model_validate(given)
        assert not settings.reads_treasure_map
        assert create_treasure_map_sync(settings, factory, clock, lambda _: None) is None
    assert Settings.model_validate({"treasuremap_token": "x"}).reads_treasure_map


@pytest.mark.parametrize("token", ["tökén", "two words", "a\nb"])
def test_a_token_that_fits_in_no_header_is_refused_without_being_shown(
    monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("GWEVENT_TREASUREMAP_TOKEN", token)
    with pytest.raises(
        SettingsError, match=r"GWEVENT_TREASUREMAP_TOKEN can't be used: .*without blanks"
    ) as refused:
        Settings.load(None)
    assert token not in str(refused.value)
    monkeypatch.setenv("GWEVENT_TREASUREMAP_TOKEN", " abc\n")
    padded = Settings.load(None).treasuremap_token
    assert padded is not None and padded.get_secret_value() == "abc"


@pytest.mark.backends("postgresql")
async def test_of_two_servers_one_reads_and_the_other_takes_over(
    factory: Factory, database_url: str, clock: Clock, fake: FakeTreasureMap
) -> None:
    await subscribe(factory, "CBC", "C1")
    await record_notices(factory, decoded_notice())
    other = Factory(Database(database_url))
    settings = Settings.model_validate({"treasuremap_token": TOKEN, "treasuremap_url": fake.url})
    outcomes: list[list[str]] = [[], []]
    tasks = []
    for one, outcome in zip((factory, other), outcomes, strict=True):
        await one.leases.heartbeat([TEAM])
        reader = create_treasure_map_sync(settings, one, clock, outcome.append)
        assert reader is not None
        tasks.append(asyncio.create_task(reader.run()))
    await wait_until(lambda: is_read(factory), what="one of them has read")
    await asyncio.sleep(0.2)
    assert outcomes == [["ok"], []] and fake.requests() == 1

    await factory.leases.release_all()
    await other.leases.heartbeat([TEAM])
    clock.advance(minutes=5)
    await wait_until(lambda: len(outcomes[1]) == 1, what="the other has read")
    assert outcomes == [["ok"], ["ok"]] and fake.requests() == 2
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await other.database.close()
