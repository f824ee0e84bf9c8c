"""Cases with clock jumps, a full queue, and a thousand notices at once."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from functools import partial

from tests.chaos.cases.database import WAITS, hold_write_lock
from tests.chaos.cases.slack import POST
from tests.chaos.harness import TIMEOUT_S, ChaosHarness
from tests.support.bot_process import wait_until

HOUR = 3600
JUMPS = (3 * HOUR, 25 * HOUR, 30 * 24 * HOUR)


async def start_bot(chaos: ChaosHarness) -> None:
    """Start a bot and wait until it is ready."""
    chaos.grant_history()
    await chaos.open_channels(3)
    chaos.start()
    await chaos.wait_until_ready()
    await chaos.publish(3)
    await chaos.wait_until_delivered()


async def clock_forward(chaos: ChaosHarness) -> None:
    """Set the clock an hour ahead and kill the bot at a post: it must still find its post."""
    await _jump(chaos, HOUR)


async def clock_back(chaos: ChaosHarness) -> None:
    """Set the clock an hour back and kill the bot at a post."""
    await _jump(chaos, -HOUR)


async def clock_mended(chaos: ChaosHarness) -> None:
    """Correct a clock that is an hour ahead while deliveries wait: they must not wait for an hour."""
    await start_bot(chaos)
    chaos.set_clock(HOUR)
    chaos.local_slack.fail(POST, status=503, times=None)
    await chaos.publish(6)
    await chaos.wait_until_stored()
    await chaos.wait_until_logged("delivery_failed", times=3)
    chaos.set_clock(0)
    chaos.local_slack.faults.clear()
    await chaos.publish(3)
    await chaos.wait_until_delivered()


async def clock_jumps(chaos: ChaosHarness, *, crashes: bool = False) -> None:
    """Set the clock 3 h, 25 h or a month ahead or back while deliveries wait, and correct it."""
    await start_bot(chaos)
    sizes = [size * chaos.rng.choice((1, -1)) for size in JUMPS]
    sizes[chaos.rng.randrange(len(sizes))] = 25 * HOUR
    for seconds in sizes:
        chaos.local_slack.fail(POST, status=503, times=None)
        failed = len(chaos.bot.logged_events("delivery_failed"))
        await chaos.publish(3)
        await chaos.wait_until_logged("delivery_failed", times=failed + 2)
        chaos.set_clock(seconds)
        await chaos.wait_until_logged("clock_jumped")
        if crashes:
            await chaos.kill()
            chaos.start()
            await chaos.wait_until_ready()
            await chaos.wait_until_logged("clock_jumped")
        await chaos.publish(3)
        await chaos.wait_until_stored()
        chaos.local_slack.faults.clear()
        if crashes:
            chaos.kill_at_post(chaos.bot, chaos.rng.randint(1, 6))
            await wait_until(lambda: chaos.bot.has_exited, TIMEOUT_S, what="it dies at a post")
            await chaos.kill()
            if chaos.rng.random() < 0.5:
                chaos.set_clock(0)
            chaos.start()
        await chaos.wait_until_delivered()
        chaos.set_clock(0)
        await chaos.publish(2)
        await chaos.wait_until_delivered()


async def clock_jumps_and_crashes(chaos: ChaosHarness) -> None:
    """Kill the bot while the clock is wrong, and at a post: it must find its post."""
    await clock_jumps(chaos, crashes=True)


async def clock_wrong_at_start(chaos: ChaosHarness) -> None:
    """Start with a clock that is a month ahead or a year behind, and correct it later."""
    chaos.grant_history()
    await chaos.open_channels(3)
    for seconds in (30 * 24 * HOUR, -365 * 24 * HOUR):
        chaos.set_clock(seconds)
        forget_boot(chaos)
        await chaos.publish(4)
        chaos.start()
        await chaos.wait_until_delivered()
        await chaos.wait_until_logged("clock_jumped")
        chaos.set_clock(0)
        await chaos.publish(2)
        await chaos.wait_until_delivered()
        await chaos.kill()


async def backlog(chaos: ChaosHarness) -> None:
    """Queue notices in slow, limited and failing channels; a real alert must overtake them."""
    chaos.tuning = replace(chaos.tuning, channel_pause=0.3)
    await start_bot(chaos)
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
        # One delivery may be in progress.
        assert in_order.index(alert) <= already[channel] + 1, (channel, in_order)


async def full_queue(chaos: ChaosHarness) -> None:
    """Keep more notices on the broker than the bot prefetches, for longer than the watchdog waits."""
    await start_bot(chaos)
    with hold_write_lock(chaos.deployment.database):
        await chaos.publish(200)
        await chaos.wait_until_logged(WAITS)
        await asyncio.sleep(2 * chaos.tuning.stuck_after)
    await chaos.wait_until_delivered()
    assert not chaos.bot.logged_events("reader_stuck"), "a reader that waits for the store isn't stuck"


async def thousand_at_once(chaos: ChaosHarness, *, notices: int = 1_000) -> None:
    """Start the bot with 1,000 notices on the broker."""
    chaos.grant_history()
    await chaos.open_channels(3)
    await chaos.publish(notices)
    chaos.start()
    await chaos.wait_until_delivered()


def forget_boot(chaos: ChaosHarness) -> None:
    """Simulate a reboot: discard the stored finding about the machine's clock."""
    with closing(sqlite3.connect(chaos.deployment.database)) as connection, connection:
        connection.execute("DELETE FROM clocks")


async def _jump(chaos: ChaosHarness, seconds: int) -> None:
    await start_bot(chaos)
    chaos.set_clock(seconds)
    await chaos.publish(3)
    await chaos.wait_until_delivered()
    for post in (1, 2, 4):
        chaos.kill_at_post(chaos.bot, post)
        await chaos.publish(3)
        await wait_until(lambda: chaos.bot.has_exited, TIMEOUT_S, what="it dies at a post")
        await chaos.kill()
        chaos.start()
        await chaos.wait_until_delivered()
    chaos.set_clock(0)
    await chaos.publish(3)
    await chaos.wait_until_delivered()


def _is_posted_to(chaos: ChaosHarness, channel: str, more_than: int) -> bool:
    return len(chaos.messages_by_channel()[channel]) > more_than
