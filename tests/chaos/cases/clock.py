"""Cases in which the machine's clock is wrong or jumps."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from tests.chaos.cases.slack import POST
from tests.chaos.harness import TIMEOUT_S, ChaosHarness
from tests.support.waiting import wait_until

HOUR = 3600
JUMPS = (3 * HOUR, 25 * HOUR, 30 * 24 * HOUR)


async def forward(chaos: ChaosHarness) -> None:
    """The clock jumps an hour ahead, and the bot dies at a post: it still finds what it posted."""
    await _jump(chaos, HOUR)


async def back(chaos: ChaosHarness) -> None:
    """The clock jumps an hour back, and the bot dies at a post."""
    await _jump(chaos, -HOUR)


async def set_right(chaos: ChaosHarness) -> None:
    """A clock an hour ahead is set right while deliveries wait: they don't wait for an hour."""
    await chaos.start_working(channels=3)
    chaos.set_clock(HOUR)
    chaos.local_slack.fail(POST, status=503, times=None)
    await chaos.publish(6)
    await chaos.wait_until_stored()
    await chaos.wait_until_logged("delivery_failed", times=3)
    chaos.set_clock(0)
    chaos.local_slack.faults.clear()
    await chaos.publish(3)
    await chaos.wait_until_delivered()


async def jumps(chaos: ChaosHarness, *, crashes: bool = False) -> None:
    """The clock jumps 3 h, 25 h, a month, ahead or back, while deliveries wait, and is set right again."""
    await chaos.start_working(channels=3)
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


async def jumps_and_crashes(chaos: ChaosHarness) -> None:
    """The clock jumps, and the bot dies while it is wrong, and at a post: it finds what it posted."""
    await jumps(chaos, crashes=True)


async def wrong_at_start(chaos: ChaosHarness) -> None:
    """The machine begins with a clock that is a month ahead or a year behind, and is set right later."""
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


def forget_boot(chaos: ChaosHarness) -> None:
    """Delete what the bot found out about the clock, as if the machine had been started again."""
    with closing(sqlite3.connect(chaos.deployment.database)) as connection, connection:
        connection.execute("DELETE FROM clocks")


async def _jump(chaos: ChaosHarness, seconds: int) -> None:
    await chaos.start_working(channels=3)
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
