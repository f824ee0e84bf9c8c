"""Fixtures: a Treasure Map on loopback, its client and the task that reads it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.app.factory import Factory
from bot.treasure_map import reading, sync
from bot.treasure_map.client import TreasureMap
from bot.treasure_map.sync import TreasureMapSync
from tests.support.factories import Clock
from tests.support.treasure_map import TOKEN, FakeTreasureMap


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep requests to loopback away from the proxy of the test machine, and the tests from waiting."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(reading, "PACE_S", 0)
    monkeypatch.setattr(sync, "PACE_S", 0)


@pytest.fixture
async def fake() -> AsyncIterator[FakeTreasureMap]:
    local = FakeTreasureMap()
    await local.start()
    yield local
    await local.stop()


@pytest.fixture
async def client(fake: FakeTreasureMap) -> AsyncIterator[TreasureMap]:
    treasure_map = TreasureMap(fake.url, TOKEN)
    yield treasure_map
    await treasure_map.close()


@pytest.fixture
def outcomes() -> list[str]:
    """The outcomes of the requests for pointings."""
    return []


@pytest.fixture
def reader(client: TreasureMap, factory: Factory, clock: Clock, outcomes: list[str]) -> TreasureMapSync:
    return TreasureMapSync(
        client,
        factory.treasure_map,
        factory.notices,
        clock,
        may_read=lambda: True,
        on_request=outcomes.append,
    )
