"""The demo's Treasure Map answers as the real one does, by formula, and what is over by its clock is done."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.demo.treasure_map import TOKEN, DemoTreasureMap
from bot.samples import create_demo_notices
from bot.treasure_map.client import TokenRefused, TreasureMap
from bot.treasure_map.conversion import group_pointings, parse_footprint, parse_instruments, parse_pointings
from tests.support.clock import NOW, Clock


@pytest.mark.slow
async def test_pointings_of_the_story_are_planned_and_then_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    story = create_demo_notices(NOW)
    clock = Clock(NOW - timedelta(days=1))
    server = DemoTreasureMap(story, clock)
    await server.start()
    client = TreasureMap(server.url, TOKEN)
    stranger = TreasureMap(server.url, "another")
    try:
        ids = {str(sample.record["superevent_id"]) for sample in story}
        counts = []
        for days in (0, 2):
            clock.now = NOW - timedelta(days=1) + timedelta(days=days)
            answers = [group_pointings(parse_pointings(await client.pointings(name))) for name in sorted(ids)]
            counts.append([(one.status_word, len(one.fields)) for a in answers for one in a.observations])
        before, after = ({word for word, _ in found} for found in counts)
        assert before == {"planned"} and after == {"completed"}
        assert sum(n for _, n in counts[0]) == sum(n for _, n in counts[1]) > 0
        assert await client.pointings("MS181101ab") == []
        for instrument in parse_instruments(await client.instruments())[:2]:
            assert parse_footprint(await client.footprints(instrument.id), instrument.id)
        with pytest.raises(TokenRefused):
            await stranger.pointings("MS181101ab")
    finally:
        await client.close()
        await stranger.close()
        await server.stop()
