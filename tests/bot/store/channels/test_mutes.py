"""A mute and the pictures of the others: no channel waits for a thread that isn't edited."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import insert, select

from bot.app.factory import Factory
from bot.store import schema
from bot.store.outbox.images import StoredImageJob
from tests.support.factories import NOW, REAL, TEAM, decoded_notice, planner, record_notices, subscribe
from tests.support.filter_strategies import SKY

pytestmark = pytest.mark.backends("sqlite", "postgresql")


async def wanted_image(factory: Factory, *channels: str) -> StoredImageJob:
    """Return the image of an event that these channels have."""
    await subscribe(factory, "CBC", *channels)
    await record_notices(factory, decoded_notice())
    notice = await factory.notices.notice_id(decoded_notice().key)
    row = {
        **{"team_id": TEAM, "superevent_id": REAL, "notice_id": notice, "state": "wanted", "attempts": 0},
        **{"not_before": NOW, "created_at": NOW},
    }
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(insert(schema.images).values(row))
    await factory.leases.heartbeat({TEAM})
    job = await factory.images.next_wanted(NOW)
    assert job is not None
    return job


async def first_to_show(factory: Factory) -> tuple[str, str | None]:
    """Return the image's state, and the channel that tries it first."""
    images, threads = schema.images, schema.threads
    query = select(images.c.state, threads.c.channel_id).join(
        threads, threads.c.id == images.c.trial_thread_id, isouter=True
    )
    async with factory.database.read_transaction() as connection:
        row = (await connection.execute(query)).one()
    return row.state, row.channel_id


async def test_another_channel_tries_the_picture_once_the_first_is_muted(factory: Factory) -> None:
    job = await wanted_image(factory, "C1", "C2")
    await factory.images.record_upload(job, "F1", "a map", NOW)
    assert await first_to_show(factory) == ("uploaded", "C1")
    await factory.mutes.mute(TEAM, "C1", REAL, "U1", NOW)
    assert await first_to_show(factory) == ("uploaded", "C2")
    await factory.mutes.mute(TEAM, "C2", REAL, "U1", NOW)
    assert await first_to_show(factory) == ("ready", None), "each finds out by itself"


async def test_a_muted_channel_is_not_the_first_to_show_a_picture(factory: Factory) -> None:
    job = await wanted_image(factory, "C1", "C2")
    await factory.mutes.mute(TEAM, "C1", REAL, "U1", NOW)
    await factory.images.record_upload(job, "F1", "a map", NOW)
    assert await first_to_show(factory) == ("uploaded", "C2")


async def test_a_map_that_comes_while_the_only_channel_is_muted_is_drawn_for_later(
    factory: Factory,
) -> None:
    await wanted_image(factory, "C1")
    await factory.mutes.mute(TEAM, "C1", REAL, "U1", NOW)
    newer = replace(decoded_notice(alert_type="UPDATE", minutes=5), localization=SKY)
    await factory.notices.record(newer, b"newer", "hopskotch:1", NOW, planner(), draw_image=True)
    table = schema.images
    async with factory.database.read_transaction() as connection:
        states = (await connection.execute(select(table.c.state).order_by(table.c.id))).scalars().all()
    assert states == ["wanted", "wanted"]
