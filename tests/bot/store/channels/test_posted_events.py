"""Which events were posted in which channels."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import update

from bot.app.factory import Factory
from bot.store import schema
from bot.store.channels.posted_events import PostedEvent
from tests.support.factories import NOW, TEAM, decoded_notice, record_notices, subscribe


async def post(factory: Factory, *ids: str) -> None:
    """Store notices, and mark the messages about them as posted."""
    await record_notices(factory, [decoded_notice(name) for name in ids])
    async with factory.database.exclusive_transaction() as connection:
        t, s = schema.threads, schema.superevents
        await connection.execute(update(t).where(t.c.root_ts.is_(None)).values(root_ts=t.c.superevent_id))
        for age, name in enumerate(ids):
            when = NOW - timedelta(hours=age)
            await connection.execute(update(s).where(s.c.superevent_id == name).values(event_time=when))


async def test_newest_posted_events_of_channels_real_ones_before_mocks(factory: Factory) -> None:
    assert await factory.posted_events.newest(TEAM, ["C1"], 5) == []
    await subscribe(factory, "CBC mock", "C1")
    await subscribe(factory, "CBC", "C2")
    await subscribe(factory, "CBC", "C3")
    await post(factory, "MS261122a", "S261122b", "S261122c")
    found = await factory.posted_events.newest(TEAM, ["C1", "C2"], 5)
    assert [(one.superevent_id, one.channel_id) for one in found] == [
        ("S261122b", "C1"),
        ("S261122b", "C2"),
        ("S261122c", "C1"),
        ("S261122c", "C2"),
        ("MS261122a", "C1"),
    ]
    assert found[0] == PostedEvent("S261122b", "C1", "S261122b")
    assert {one.superevent_id for one in await factory.posted_events.newest(TEAM, ["C1"], 1)} == {"S261122b"}
    assert await factory.posted_events.newest("T0OTHER", ["C1"], 5) == []
    assert await factory.posted_events.newest(TEAM, [], 5) == []


async def test_a_message_that_is_not_posted_yet_is_no_posted_event(factory: Factory) -> None:
    await subscribe(factory, "CBC", "C1")
    await record_notices(factory, decoded_notice())
    assert await factory.posted_events.newest(TEAM, ["C1"], 5) == []
