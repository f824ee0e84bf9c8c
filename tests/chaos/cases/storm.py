"""A case with random faults of all kinds, in sequence and at the same time, while notices arrive."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable

from tests.chaos.cases.database import hold_write_lock
from tests.chaos.cases.slack import EDIT, POST
from tests.chaos.harness import ChaosHarness

Fault = Callable[[ChaosHarness], Awaitable[None]]


async def storm(chaos: ChaosHarness, *, rounds: int = 60, notices: int = 200, channels: int = 8) -> None:
    """Run a seeded random sequence of all kinds of faults, including kills."""
    chaos.grant_history()
    # With this scope the bot rejoins public channels, so a kick from one would be no fault.
    chaos.local_slack.ungrant("chat:write.public")
    await chaos.open_channels(channels)
    chaos.start()
    for _ in range(rounds):
        count = chaos.rng.randint(0, 2 * notices // rounds)
        publishing = asyncio.create_task(chaos.publish(count))
        try:
            await chaos.rng.choice(FAULTS)(chaos)
            if chaos.bot.has_exited:
                assert chaos.bot.exit_status() == -signal.SIGKILL, (
                    f"It ended by itself, see {chaos.bot.log_path}"
                )
                chaos.start()
            await asyncio.sleep(chaos.rng.uniform(0.0, 0.5))
        finally:
            await publishing
    chaos.local_slack.faults.clear()
    chaos.set_clock(0)
    await chaos.wait_until_delivered()
    # The bot learns from the next successful post that the channel is reachable again.
    await chaos.publish(10)
    await chaos.wait_until_delivered()
    assert not chaos.channel_problems()


async def kill(chaos: ChaosHarness) -> None:
    """Kill the bot at a random moment."""
    await asyncio.sleep(chaos.rng.uniform(0.0, 1.0))
    await chaos.kill()


async def kill_at_post(chaos: ChaosHarness) -> None:
    """Kill the bot before it receives the answer to a post."""
    chaos.kill_at_post(chaos.bot, chaos.rng.randint(1, 20))
    await asyncio.sleep(1.0)
    await chaos.kill()


async def slack_refuses(chaos: ChaosHarness) -> None:
    """Let Slack reject calls without executing them."""
    status = chaos.rng.choice((429, 500, 502, 503))
    chaos.local_slack.fail(chaos.rng.choice((POST, EDIT)), status=status, times=chaos.rng.randint(1, 10))


async def slack_cuts(chaos: ChaosHarness) -> None:
    """Let Slack cut the connection."""
    method = chaos.rng.choice((POST, EDIT))
    side = chaos.rng.choice(("before", "after"))
    chaos.local_slack.fail(
        method, drop="before" if side == "before" else "after", times=chaos.rng.randint(1, 10)
    )


async def sockets_close(chaos: ChaosHarness) -> None:
    """Close Socket Mode and reopen it later."""
    chaos.local_slack.refuse_sockets(chaos.rng.uniform(0.0, 2.0))
    await chaos.local_slack.close_sockets(abort=chaos.rng.random() < 0.5)


async def channel_goes(chaos: ChaosHarness) -> None:
    """Archive a channel of the first half, or remove the bot from it, and undo that later."""
    channel = chaos.rng.choice(chaos.channels[: len(chaos.channels) // 2])
    chaos.revived.add(channel)
    archived = chaos.rng.random() < 0.5
    if archived:
        chaos.local_slack.archive(channel)
    else:
        chaos.local_slack.kick(channel)
    await asyncio.sleep(chaos.rng.uniform(0.2, 2.0))
    if archived:
        chaos.local_slack.unarchive(channel)
    else:
        chaos.local_slack.invite(channel)


async def token_goes(chaos: ChaosHarness) -> None:
    """Revoke the token for a short time."""
    chaos.local_slack.revoke_token()
    await asyncio.sleep(chaos.rng.uniform(0.1, 1.0))
    chaos.local_slack.restore_token()


async def broker_goes(chaos: ChaosHarness) -> None:
    """Stop the broker for a short time."""
    chaos.broker.send_command("down")
    await asyncio.sleep(chaos.rng.uniform(0.0, 1.0))
    chaos.broker.send_command("up")


async def broker_hangs(chaos: ChaosHarness) -> None:
    """Let the broker hang for a short time."""
    chaos.broker.freeze()
    await asyncio.sleep(chaos.rng.uniform(0.1, 2.0))
    chaos.broker.thaw()


async def database_locked(chaos: ChaosHarness) -> None:
    """Hold the database's write lock from another process."""
    with hold_write_lock(chaos.deployment.database):
        await asyncio.sleep(chaos.rng.uniform(0.1, 2.0))


async def clock_jumps(chaos: ChaosHarness) -> None:
    """Set the clock wrong by up to an hour, either way, until it jumps again."""
    chaos.set_clock(chaos.rng.randint(-3600, 3600))


FAULTS: tuple[Fault, ...] = (
    kill,
    kill_at_post,
    slack_refuses,
    slack_cuts,
    sockets_close,
    channel_goes,
    token_goes,
    broker_goes,
    broker_hangs,
    database_locked,
    clock_jumps,
)
