"""`doctor` and `doctor --live` say whether the Treasure Map can be read, and what to do."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.doctor.live_report import LiveReport, to_json_lines
from bot.doctor.treasure_map import OBSERVED_EVENT, check_treasure_map, try_treasure_map
from bot.settings import Settings
from formatters.terminal.findings import Finding, Level
from tests.support.clock import NOW
from tests.support.treasure_map import HTML, TOKEN, FakeTreasureMap, Fault, grid


@pytest.fixture
async def fake(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeTreasureMap]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    local = FakeTreasureMap()
    await local.start()
    # As the server finds them by name.
    local.instruments = [one for one in local.instruments if one["nickname"] == "ZTF"]
    local.pointings[OBSERVED_EVENT] = grid(90, NOW)
    yield local
    await local.stop()


def settings(fake: FakeTreasureMap, token: str | None = TOKEN) -> Settings:
    return Settings.model_validate({"treasuremap_token": token, "treasuremap_url": fake.url})


async def test_without_a_token_nothing_is_asked(fake: FakeTreasureMap) -> None:
    assert await check_treasure_map(settings(fake, None)) == []
    assert await check_treasure_map(Settings(treasuremap_token="x", treasuremap_url="off")) == []  # type: ignore[arg-type]
    assert not fake.asked


async def test_a_token_that_is_taken_is_said(fake: FakeTreasureMap) -> None:
    expected = Finding("Treasure Map", Level.OK, f"answers at {fake.url}, and takes the token.")
    assert await check_treasure_map(settings(fake)) == [expected]
    assert fake.queries == [{"name": "ZTF"}]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (401, "GWEVENT_TREASUREMAP_TOKEN"),
        (503, "GWEVENT_TREASUREMAP_URL"),
        (HTML, "GWEVENT_TREASUREMAP_URL"),
        ((429, "9"), "GWEVENT_TREASUREMAP_URL"),
    ],
)
async def test_a_fault_is_a_warning_with_what_to_do(fake: FakeTreasureMap, fault: Fault, words: str) -> None:
    fake.faults["instruments"] = [fault]
    [found] = await check_treasure_map(settings(fake))
    assert found.level is Level.WARN and words in found.advice
    assert TOKEN not in found.result + found.advice


async def test_live_reads_a_past_event_and_records_answers_without_persons(fake: FakeTreasureMap) -> None:
    report = LiveReport()
    await try_treasure_map(settings(fake), report)
    [found] = report.findings
    assert found.level is Level.OK and found.result.startswith(f"90 pointings of {OBSERVED_EVENT} read")
    recorded = to_json_lines(report)
    assert "POINT(" in recorded and "POLYGON" in recorded
    assert "an.observer" not in recorded and "submitterid" not in recorded and TOKEN not in recorded


async def test_live_tells_what_cannot_be_read(fake: FakeTreasureMap) -> None:
    fake.pointings[OBSERVED_EVENT][0]["position"] = "nowhere"
    fake.footprints = {}
    report = LiveReport()
    await try_treasure_map(settings(fake), report)
    assert [found.level for found in report.findings] == [Level.WARN, Level.WARN]
    fake.faults["instruments"] = [401]
    report = LiveReport()
    await try_treasure_map(settings(fake), report)
    assert [found.level for found in report.findings] == [Level.WARN]
