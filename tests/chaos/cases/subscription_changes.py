"""Cases in which subscriptions change and the bot is killed before the change is reported in the channel."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

from bot.app.factory import open_factory
from bot.filters import parse_criteria
from formatters.models.channel_change import SubscriptionState
from tests.chaos.harness import TIMEOUT_S, ChaosHarness
from tests.support.waiting import wait_until

POST = "chat.postMessage"
COMMANDS = ("pause 1", "resume 1", "edit 1 CBC mock", "pause 1", "edit 1 all mock", "resume 1")


async def changes(chaos: ChaosHarness) -> None:
    """Kill the bot between a change and its report, and between Slack's post of the report and its answer."""
    chaos.grant_history()
    await chaos.open_channels(2)
    channel = chaos.local_slack.add_channel("gw-changed")
    team = chaos.local_slack.team_id
    async with open_factory(chaos.deployment.settings()) as factory:
        who, now = chaos.local_slack.user, datetime.now(UTC)
        await factory.subscriptions.add_confirmed(team, channel, parse_criteria("all mock"), who, now)
    chaos.start()
    await chaos.wait_until_ready()
    for number, command in enumerate(COMMANDS, start=1):
        await chaos.publish(1)
        await chaos.wait_until_delivered()
        at_post = chaos.rng.random() < 0.5
        if at_post:
            chaos.kill_at_post(chaos.bot, 1)
        else:
            chaos.local_slack.fail(POST, delay=20.0, channel=channel)
        await chaos.local_slack.command("/gwevent", command, channel=channel)
        await wait_until(
            partial(has_more_changes, chaos, channel, number), TIMEOUT_S, what=f"{command} is kept"
        )
        if at_post:
            await wait_until(lambda: chaos.bot.has_exited, TIMEOUT_S, what="the bot is dead")
        await chaos.kill()
        chaos.local_slack.faults.clear()
        chaos.start()
        await chaos.wait_until_ready()
    await chaos.wait_until_delivered()
    said = [message["text"] for message in chaos.local_slack.messages(channel)]
    said = [text for text in said if "subscription 1" in text]
    assert len(said) == len(COMMANDS), f"each is said once: {said}"
    assert "resumed subscription 1" in said[-1], said[-1]
    async with open_factory(chaos.deployment.settings()) as factory:
        (here,) = await factory.subscriptions.for_channel(team, channel)
        (newest, *_), total = await factory.subscriptions.history(team, channel, 1)
    assert total == 1 + len(COMMANDS)
    assert isinstance(newest.after, SubscriptionState)
    assert (
        (newest.after.canonical, newest.after.is_paused)
        == (here.criteria.canonical, False)
        == ("all mock", False)
    )


def has_more_changes(chaos: ChaosHarness, channel: str, more_than: int) -> bool:
    """Return True if a channel's history has more than this number of changes."""
    count = f"select count(*) from channel_changes where channel_id = '{channel}'"
    return int(chaos.deployment.query_database(count)[0][0]) > more_than
