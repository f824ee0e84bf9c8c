"""The quarantine: what junk on an optional topic may fill."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from bot.app.factory import Factory
from bot.routing.planner import plan_unreadable_payload
from bot.store.events import quarantine
from formatters.models.related_message import Stream
from tests.support.factories import NOW, TEAM

pytestmark = pytest.mark.backends("sqlite", "postgresql")


async def keep(factory: Factory, body: str, stream: str | None, when: datetime = NOW) -> None:
    assert await factory.quarantine.add(
        body.encode(),
        "hopskotch:x[0]@1",
        "Junk.",
        None,
        when,
        plan_unreadable_payload,
        ops_channel=(TEAM, "C9"),
        stream=stream,
    )


async def reports(factory: Factory) -> int:
    return (await factory.outbox_statistics.counts()).waiting


async def kept(factory: Factory) -> list[bytes]:
    found, after = [], 0
    while (payload := await factory.quarantine.next(after)) is not None:
        found.append(payload.body)
        after = payload.id
    return found


async def test_operators_hear_of_one_unreadable_message_of_a_stream_an_hour(factory: Factory) -> None:
    for number in range(20):
        await keep(factory, f"junk {number}", Stream.HERMES)
    assert await reports(factory) == 1
    await keep(factory, "a circular", Stream.CIRCULARS)
    assert await reports(factory) == 2
    await keep(factory, "later", Stream.HERMES, NOW + timedelta(hours=1))
    assert await reports(factory) == 3
    assert len(await kept(factory)) == 22


async def test_operators_hear_of_each_unreadable_notice(factory: Factory) -> None:
    for number in range(3):
        await keep(factory, f"notice {number}", None)
    assert await reports(factory) == 3


async def test_the_newest_of_a_stream_are_kept_and_every_notice(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "MAX_KEPT_OF_STREAM", 3)
    monkeypatch.setattr(quarantine, "TRIM_EVERY", 2)
    await keep(factory, "a notice", None)
    await keep(factory, "a circular", Stream.CIRCULARS)
    for number in range(8):
        await keep(factory, f"junk {number}", Stream.HERMES)
    assert await kept(factory) == [b"a notice", b"a circular", b"junk 5", b"junk 6", b"junk 7"]
