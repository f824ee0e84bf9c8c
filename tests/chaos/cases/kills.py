"""Cases with `kill -9` at random moments, between any two steps, and between a post and its answer."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

from tests.chaos.harness import TIMEOUT_S, ChaosHarness
from tests.end_to_end.crash_points import STEPS
from tests.support.bot_process import BotProcess
from tests.support.waiting import wait_until

MAX_UPTIME_S = 4.0
"""Seconds after which a bot is killed that has not reached its step."""
REAL_DOOR = 20
"""One of this many runs is started with `python -m bot run`, as a service manager does."""


async def kills(chaos: ChaosHarness, *, lives: int = 200, notices: int = 500, channels: int = 20) -> None:
    """Kill without the history scope: a message posted at the moment of a kill may be doubled."""
    await chaos.open_channels(channels)
    for number, count in enumerate(split_randomly(notices, lives, chaos.rng), start=1):
        publishing = asyncio.create_task(chaos.publish(count))
        try:
            await run_until_killed(chaos, number)
        finally:
            await publishing
    chaos.start()
    await chaos.wait_until_ready()
    await chaos.wait_until_delivered()
    status = await chaos.bot.terminate()
    assert status == 0, f"The last bot ended with {status}, see {chaos.bot.log_path}"


async def kills_with_history(
    chaos: ChaosHarness, *, lives: int = 200, notices: int = 500, channels: int = 20
) -> None:
    """Kill with the history scope: no message is doubled."""
    chaos.grant_history()
    await kills(chaos, lives=lives, notices=notices, channels=channels)


def split_randomly(total: int, parts: int, chance: random.Random) -> Sequence[int]:
    """Return the number of notices for each run: `total` together, with some runs without any."""
    counts = [0] * parts
    for _ in range(total):
        counts[chance.randrange(parts)] += 1
    return counts


async def run_until_killed(chaos: ChaosHarness, number: int) -> None:
    """Start a bot and run it until it is killed."""
    chance = chaos.rng
    if number % REAL_DOOR == 0:
        bot = chaos.deployment.start()
        await chaos.wait_until_logged("source_started")
        await asyncio.sleep(chance.uniform(0.0, 1.5))
        await chaos.kill(bot)
        return
    way = chance.choices(("start", "moment", "post", "step"), (1, 4, 4, 2))[0]
    if way == "step":
        step = f"{chance.choice(list(STEPS))}:{chance.choice(('before', 'after'))}:{chance.randint(1, 12)}"
        bot = chaos.start(step)
        await _ended(bot, MAX_UPTIME_S)
    else:
        bot = chaos.start()
        if way == "post":
            chaos.kill_at_post(bot, chance.randint(1, 40))
            await _ended(bot, MAX_UPTIME_S)
        elif way == "start":
            await asyncio.sleep(chance.uniform(0.0, 0.4))
        else:
            await wait_until(
                lambda: bot.logged_events("source_started") or bot.has_exited, TIMEOUT_S, what="it starts"
            )
            await asyncio.sleep(chance.uniform(0.0, 1.5))
    await chaos.kill(bot)


async def _ended(bot: BotProcess, within: float) -> None:
    """Wait until the process has ended by itself, at most `within` seconds."""
    deadline = asyncio.get_running_loop().time() + within
    while not bot.has_exited and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.01)
