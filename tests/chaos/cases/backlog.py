"""Cases in which many notices wait: in slow channels, behind a locked database, and at the start."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial

from tests.chaos.cases.database import WAITS, hold_write_lock
from tests.chaos.cases.slack import POST
from tests.chaos.harness import ChaosHarness


async def slow_channels(chaos: ChaosHarness) -> None:
    """Notices wait in channels that are slow, limited, in trouble; a real alert comes and goes first."""
    chaos.tuning = replace(chaos.tuning, channel_pause=0.3)
    await chaos.start_working(channels=3)
    chaos.local_slack.fail(POST, status=503, times=None)
    await chaos.publish(45)
    await chaos.wait_until_stored()
    chaos.local_slack.faults.clear()
    chaos.local_slack.fail(POST, status=429, retry_after=2, times=2, channel=chaos.channels[0])
    for channel in chaos.channels:
        posted = partial(_is_posted_to, chaos, channel, 5)
        await chaos.wait_until(posted, "some went")
    alert = await chaos.publish_alert()
    await chaos.wait_until_stored()
    already = {channel: len(said) for channel, said in chaos.messages_by_channel().items()}
    assert chaos.deployment.pending_count() > 20, "a backlog stood before it"
    await chaos.wait_until_delivered()
    for channel, said in chaos.messages_by_channel().items():
        in_order = [one.superevent_id for one in said]
        # One may be under way.
        assert in_order.index(alert) <= already[channel] + 1, (channel, in_order)


async def full_queue(chaos: ChaosHarness) -> None:
    """More waits on the broker than the bot takes ahead, for longer than the watchdog's patience."""
    await chaos.start_working(channels=3)
    with hold_write_lock(chaos.deployment.database):
        await chaos.publish(200)
        await chaos.wait_until_logged(WAITS)
        await asyncio.sleep(2 * chaos.tuning.stuck_after)
    await chaos.wait_until_delivered()
    assert not chaos.bot.logged_events("source_reader_stalled"), (
        "a reader that waits for the store isn't stuck"
    )


async def thousand_at_once(chaos: ChaosHarness, *, notices: int = 1_000) -> None:
    """1,000 notices are there when the bot starts."""
    chaos.grant_history()
    await chaos.open_channels(3)
    await chaos.publish(notices)
    chaos.start()
    await chaos.wait_until_delivered()


def _is_posted_to(chaos: ChaosHarness, channel: str, more_than: int) -> bool:
    return len(chaos.messages_by_channel()[channel]) > more_than
