"""The demo's clock: an hour passes in about a minute, and the story ends at now."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from bot.demo import story_player
from bot.demo.night import SampleAct
from bot.demo.story_player import MAX_STORY_AGE, THRESHOLDS, SimulatedClock


async def test_story_begins_an_hour_ago_and_ends_at_now(monkeypatch: pytest.MonkeyPatch) -> None:
    real = datetime(2026, 11, 22, 12, tzinfo=UTC)
    waited = 0.0
    shown: list[datetime] = []

    async def sleep(seconds: float) -> None:
        nonlocal waited
        waited += seconds

    async def publish(environment: Any, _: object, sample: story_player.Sample) -> None:
        environment.clock.advance_to(story_player._time_of(sample))
        shown.append(environment.clock())

    monkeypatch.setattr(story_player, "utc_now", lambda: real + timedelta(seconds=waited))
    monkeypatch.setattr("bot.demo.story_player.asyncio.sleep", sleep)

    async def act(environment: Any, sample: SampleAct) -> None:
        await publish(environment, None, sample)

    monkeypatch.setattr(story_player, "_publish", publish)
    monkeypatch.setattr(story_player, "_act", act)
    clock = SimulatedClock()
    clock.set_time(real - MAX_STORY_AGE)
    begun = clock()
    environment: Any = SimpleNamespace(clock=clock, story=story_player._create_story(real))
    read_at: list[datetime] = []
    publisher: Any = SimpleNamespace(wait_until_read=lambda *_: read_at.append(clock()))
    await story_player._play_slowly(environment, {story_player.TOPIC: publisher})
    assert read_at == shown[-1:], "the last message is read before the clock goes on to now"
    assert shown == sorted(shown) and begun < shown[0]
    assert clock() == real + timedelta(seconds=waited)
    assert clock() - begun == pytest.approx(timedelta(hours=1), abs=timedelta(minutes=2))
    assert 45 <= waited <= 90


def test_no_pause_of_the_story_can_look_like_an_incident() -> None:
    beyond = {"startup_grace", "overdue_persistence"}  # they keep incidents from being opened
    lasting = {
        field.name: getattr(THRESHOLDS, field.name)
        for field in fields(THRESHOLDS)
        if field.name not in beyond
    }
    spans = [value for value in lasting.values() if isinstance(value, timedelta)]
    assert len(spans) > 5 and min(spans) > MAX_STORY_AGE
