"""Cases with Follow-up replies, which one row of the outbox posts and another edits again and again."""

from __future__ import annotations

import asyncio

from bot.local_slack.web_api.odd_answers import random_error_name
from tests.chaos.cases.kills import run_until_killed, split_randomly
from tests.chaos.harness import ChaosHarness

POST, EDIT = "chat.postMessage", "chat.update"


async def killed(
    chaos: ChaosHarness, *, lives: int = 60, notices: int = 60, circulars: int = 400, channels: int = 8
) -> None:
    """Kill while circulars pour in, and posts and edits are refused, cut off and limited."""
    chaos.grant_history()
    await chaos.open_channels(channels, words="all mock circulars")
    await chaos.publish(1)
    plan = zip(
        split_randomly(notices, lives, chaos.rng), split_randomly(circulars, lives, chaos.rng), strict=True
    )
    for number, (more, told) in enumerate(plan, start=1):
        _break_slack(chaos)
        publishing = asyncio.create_task(_publish(chaos, more, told))
        try:
            await run_until_killed(chaos, number)
        finally:
            await publishing
    chaos.local_slack.faults.clear()
    chaos.start()
    await chaos.wait_until_ready()
    await chaos.wait_until_delivered()
    status = await chaos.bot.terminate()
    assert status == 0, f"The last bot ended with {status}, see {chaos.bot.log_path}"


async def _publish(chaos: ChaosHarness, notices: int, circulars: int) -> None:
    await chaos.publish(notices)
    await chaos.publish_circulars(circulars)


def _break_slack(chaos: ChaosHarness) -> None:
    """Let some of the next posts and edits fail, by chance."""
    slack, chance = chaos.local_slack, chaos.rng
    match chance.randrange(6):
        case 0:
            slack.fail(EDIT, status=429, retry_after=1, times=3)
        case 1:
            slack.fail(EDIT, drop="after", times=3)
            slack.fail(POST, drop="after", times=1)
        case 2:
            slack.fail(EDIT, error=random_error_name(chance), times=3)
        case 3:
            slack.fail(POST, oddity="null ts", times=2)
            slack.fail(EDIT, oddity="html", times=2)
        case 4:
            slack.fail(POST, status=429, retry_after=1, times=2)
            slack.fail(EDIT, error="fatal_error", times=2)
        case _:
            pass
