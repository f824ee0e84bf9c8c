"""Cases about the bot's own resources: the image process hangs or dies, file descriptors run out."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from dataclasses import replace
from pathlib import Path

from tests.chaos.harness import ChaosHarness

SHORT_S = 6.0


async def drawing(chaos: ChaosHarness) -> None:
    """Stop and kill the image process at random moments; each event must still get its image."""
    chaos.grant_history()
    chaos.local_slack.grant("files:write")
    chaos.tuning = replace(chaos.tuning, drawing_timeout=6.0)
    chaos.notice_generator.map_fraction = 0.8
    await chaos.open_channels(2)
    chaos.start(GWEVENT_MOCK_PICTURES="true")
    await chaos.wait_until_ready()
    for _ in range(6):
        await chaos.publish(3)
        await asyncio.sleep(chaos.rng.uniform(0.0, 2.0))
        for pid in _children(chaos.bot.pid):
            os.kill(pid, chaos.rng.choice((signal.SIGSTOP, signal.SIGKILL)))
    await chaos.wait_until_delivered()
    await chaos.wait_until(lambda: not _wanted_images(chaos), "no picture is wanted any more")
    await chaos.wait_until_delivered()
    failed = chaos.deployment.query_database("select reason from pictures where state = 'failed'")
    # A newer map replaces an older one; an image is abandoned after two processes died drawing it.
    assert sum("failed twice" in reason for (reason,) in failed) <= 1, failed
    made = chaos.deployment.query_database(
        "select count(*) from pictures where state in ('uploaded', 'ready')"
    )[0][0]
    assert made, failed
    assert chaos.bot.logged_events("image_process_replaced") or chaos.bot.logged_events("image_postponed"), (
        "none was hit"
    )
    # The one that is left draws.
    await chaos.publish(3)
    await chaos.wait_until_delivered()
    await chaos.wait_until(lambda: not _wanted_images(chaos), "no picture is wanted any more")


async def descriptors(chaos: ChaosHarness) -> None:
    """Exhaust the file descriptors, at the start and during reconnection, then allow more."""
    chaos.grant_history()
    # The bot's clock is a file, which needs a descriptor too.
    chaos.tuning = replace(chaos.tuning, clock="", descriptors=chaos.rng.randint(24, 40))
    await chaos.open_channels(3)
    chaos.start()
    for limit in (0, 64, chaos.rng.randint(16, 40)):
        if limit:
            _limit(chaos, limit)
        await chaos.publish(6)
        chaos.broker.send_command("down")
        await chaos.local_slack.close_sockets(abort=True)
        await asyncio.sleep(SHORT_S / 2)
        chaos.broker.send_command("up")
        await asyncio.sleep(SHORT_S / 2)
        assert not chaos.bot.has_exited, f"It ended, see {chaos.bot.log_path}"
        await chaos.check_acknowledged()
        _limit(chaos, 4_096)
        await chaos.wait_until_delivered()
        await chaos.wait_for_command()
    assert chaos.bot.logged_events("descriptors_short")
    await chaos.wait_until_logged("descriptors_recovered")


def _limit(chaos: ChaosHarness, soft: int) -> None:
    _, hard = resource.prlimit(chaos.bot.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(chaos.bot.pid, resource.RLIMIT_NOFILE, (soft, hard))


def _children(pid: int) -> list[int]:
    """Return the ids of a process's direct children."""
    tasks = Path(f"/proc/{pid}/task")
    return [int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()]


def _wanted_images(chaos: ChaosHarness) -> int:
    return int(chaos.deployment.query_database("select count(*) from pictures where state = 'wanted'")[0][0])
