"""Facts that processes share through the store: the operators' channel, the status of sources."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import text

from bot.app.factory import Factory
from bot.sources.base import SourceStatus
from bot.store.operations.ops_channel import OpsChannelRepository

pytestmark = pytest.mark.backends("sqlite", "postgresql")


async def test_where_the_operators_are(factory: Factory) -> None:
    assert await factory.ops_channel.get() is None
    for team, channel in (("T1", "C1"), ("T1", "C2"), ("T2", "C3")):
        await factory.ops_channel.set(team, channel)
        assert await factory.ops_channel.get() == (team, channel)
    await factory.ops_channel.set("T2", None)
    assert await factory.ops_channel.get() is None


async def test_a_process_learns_of_the_ops_channel_by_refreshing(factory: Factory) -> None:
    other = OpsChannelRepository(factory.database)
    await factory.ops_channel.set("T1", "C1")
    assert factory.ops_channel.cached == ("T1", "C1")
    assert await other.get() == ("T1", "C1") and other.cached is None, "a read changes nothing"
    assert await other.refresh() == ("T1", "C1") and other.cached == ("T1", "C1")


async def test_how_the_sources_of_all_processes_are_doing(factory: Factory) -> None:
    assert await factory.source_heartbeats.statuses() == []
    here, there = SourceStatus("hopskotch", True, "reads", 3), SourceStatus("gcn", False, "no answer")
    await factory.source_heartbeats.record("a", [SourceStatus("hopskotch", False, "begins")])
    await factory.source_heartbeats.record("a", [here])
    await factory.source_heartbeats.record("b", [there])
    assert await factory.source_heartbeats.statuses() == [here, there]
    async with factory.database.exclusive_transaction() as connection:
        await connection.execute(
            text("UPDATE consumers SET seen_at = '2026-01-02 03:04:05+00:00' WHERE id = 'a'")
        )
    silent, _ = await factory.source_heartbeats.statuses()
    assert not silent.connected and silent.detail == "its consumer a fell silent at 2026-01-02 03:04 UTC"
    await factory.source_heartbeats.record("b", [there])
    assert await factory.source_heartbeats.statuses() == [there], "after a day it is forgotten"


async def test_optional_topics_are_told_and_an_older_version_takes_none_for_the_alerts(
    factory: Factory,
) -> None:
    alerts = SourceStatus("hopskotch", True, "reads", 3, topic="igwn.gwalert")
    extra = SourceStatus("hopskotch", False, "isn't there", topic="gcn.circulars", is_optional=True)
    alone = SourceStatus("gcn", True, "reads", 0, topic="gcn.circulars", is_optional=True)
    await factory.source_heartbeats.record("hopskotch:a", [alerts, extra])
    await factory.source_heartbeats.record("gcn:a", [alone])
    assert await factory.source_heartbeats.statuses() == [alone, alerts, extra]
    async with factory.database.read_transaction() as connection:
        rows = (await connection.execute(text("SELECT sources FROM consumers ORDER BY id"))).scalars().all()
    # What a version before optional topics reads of each entry.
    for row in rows:
        assert all(entry["connected"] and entry["name"] and entry["detail"] for entry in json.loads(row))
