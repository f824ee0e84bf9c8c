"""Wake-ups: an alert's post comes first, and nobody is forgotten."""

from __future__ import annotations

import asyncio

import pytest

from bot.runtime import wakeups as module
from bot.runtime.wakeups import Wakeups


async def test_deliveries_are_woken_at_once_and_the_others_soon_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "HEAD_START_S", 0.01)
    wakeups = Wakeups()
    wakeups.intents_planned()
    assert wakeups.deliveries.is_set()
    others = (wakeups.images, wakeups.webhook, wakeups.escalations)
    assert not any(event.is_set() for event in others)
    await asyncio.gather(*(event.wait() for event in others))
    assert not wakeups.deferred_routing.is_set()


async def test_routing_that_waits_for_a_sky_map_waits_for_no_head_start() -> None:
    wakeups = Wakeups()
    wakeups.notice_stored(is_deferred=False)
    assert not wakeups.deferred_routing.is_set()
    # Another process doesn't say what it stored.
    wakeups.notice_stored()
    assert wakeups.deferred_routing.is_set()
