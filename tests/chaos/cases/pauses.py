"""Cases in which processes are paused and resumed, as on an overloaded machine or in a frozen container."""

from __future__ import annotations

import asyncio
import math
import os
import signal
from dataclasses import replace
from functools import partial

from tests.chaos.cases.process_roles import ROLES, on_postgres, start_role
from tests.chaos.harness import TIMEOUT_S, ChaosHarness
from tests.support.bot_process import BotProcess
from tests.support.waiting import wait_until

LONGEST_S = 60.0
LEASE_AND_SOME_S = 10.0


async def paused_run(chaos: ChaosHarness, *, pauses: int = 2, channels: int = 12) -> None:
    """Pause `gwevent run` on SQLite for 1 to 60 s while it posts, without the history scope."""
    # Shorter than most pauses: answers received during a pause are in the sockets' buffers.
    chaos.tuning = replace(chaos.tuning, slack_timeout=1.5)
    await chaos.open_channels(channels)
    chaos.start()
    await chaos.wait_until_ready()
    for _ in range(pauses):
        await _pause_while_posting(chaos, chaos.bot, _length(chaos), 2 * channels)
    await chaos.wait_until_delivered()


async def paused_worker(chaos: ChaosHarness, *, channels: int = 150) -> None:
    """Pause the posting one of two `gwevent serve` beyond its lease; the other takes over."""
    chaos.grant_history()
    on_postgres(chaos)
    await chaos.open_channels(channels)
    start_role(chaos, 0)
    serving = [start_role(chaos, place) for place in (2, 3)]
    for bot in serving:
        await wait_until(partial(bot.logged_events, "socket_mode_connected"), TIMEOUT_S, what="both serve")
    await chaos.publish(1)
    await chaos.wait_until_delivered()
    await _pause_while_posting(chaos, _posting(chaos, serving), LEASE_AND_SOME_S, channels // 2)
    await chaos.wait_until_delivered()


async def paused_roles(chaos: ChaosHarness, *, pauses: int = 4, channels: int = 6) -> None:
    """Pause each of two consumers and two servers on one PostgreSQL once, for 1 to 60 s, some together."""
    chaos.grant_history()
    on_postgres(chaos)
    await chaos.open_channels(channels)
    living = [start_role(chaos, place) for place in range(len(ROLES))]
    for bot in living[2:]:
        await wait_until(partial(bot.logged_events, "socket_mode_connected"), TIMEOUT_S, what="both serve")
    order = chaos.rng.sample(living, pauses)
    waiting: list[asyncio.Task[None]] = []
    for bot in order:
        await chaos.publish(6)
        await asyncio.sleep(chaos.rng.uniform(0.0, 1.0))
        waiting.append(asyncio.create_task(_pause(bot, _length(chaos))))
        await asyncio.sleep(chaos.rng.uniform(0.0, 8.0))
    await chaos.publish(6)
    await asyncio.gather(*waiting)
    await chaos.wait_until_delivered()


async def _pause_while_posting(chaos: ChaosHarness, bot: BotProcess, length: float, posts: int) -> None:
    stopped = chaos.signal_at_post(bot, chaos.rng.randint(1, posts), signal.SIGSTOP)
    while not stopped.is_set():
        await chaos.publish(1)
        for _ in range(20):
            if stopped.is_set():
                break
            await asyncio.sleep(0.1)
    await _pause(bot, length)


async def _pause(bot: BotProcess, length: float) -> None:
    os.kill(bot.pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(length)
    finally:
        os.kill(bot.pid, signal.SIGCONT)


def _length(chaos: ChaosHarness) -> float:
    """Return a random length from 1 to 60 s, logarithmically distributed."""
    return math.exp(chaos.rng.uniform(0.0, math.log(LONGEST_S)))


def _posting(chaos: ChaosHarness, serving: list[BotProcess]) -> BotProcess:
    """Return the bot that has the workspace's lease."""
    query = f"select worker_id from leases where name = '{chaos.local_slack.team_id}'"
    ((worker_id,),) = chaos.deployment.query_database(query)
    (found,) = [bot for bot in serving if f"-{bot.pid}-" in worker_id]
    return found
