"""A channel that chose by the sky map: it gets the event once, whenever the bot died, and holds up nobody."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bot.samples import MS181101AB_PEAK, ms181101ab, to_avro
from tests.support.bot_process import LocalDeployment
from tests.support.waiting import wait_until


@pytest.mark.parametrize("step", ["decide:before:1", "decided:after:1", "decide:after:1"])
async def test_map_filter_posts_once_despite_crash(deployment: LocalDeployment, step: str) -> None:
    for scope in ("channels:history", "groups:history"):
        # What was being posted at the kill is then looked up, not posted again.
        deployment.local_slack.grant(scope)
    everybody, near, far = (deployment.local_slack.add_channel(name) for name in ("all", "near", "far"))
    ra, dec = MS181101AB_PEAK
    await deployment.subscribe(everybody, "all mock")
    await deployment.subscribe(near, f"CBC near {ra:.3f} {dec:.3f} 5deg mock")
    await deployment.subscribe(far, f"CBC not near {ra:.3f} {dec:.3f} 5deg mock")
    dying = deployment.start_forked(step, GWEVENT_MOCK_PICTURES="false")
    await deployment.publish(to_avro(ms181101ab(datetime.now(UTC))[1]))
    assert await dying.wait_for_exit() == -9, dying.stderr
    bot = deployment.start_forked(GWEVENT_MOCK_PICTURES="false")
    await wait_until(
        lambda: deployment.roots(near) and deployment.roots(everybody), what="the map has decided"
    )
    await deployment.wait_until_delivered(1)
    assert deployment.query_database("select * from undecided") == []
    assert [len(deployment.local_slack.messages(channel)) for channel in (everybody, near, far)] == [1, 1, 0]
    assert await bot.terminate() == 0, bot.stderr
    assert [line for line in bot.log_records if line["level"] in ("error", "critical")] == []
