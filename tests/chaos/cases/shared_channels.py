"""Cases of Slack Connect: users of other workspaces in channels, and channels whose id changes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from bot.app.factory import open_factory
from bot.filters import parse_criteria
from formatters.posts.event_buttons import TOGGLE_OBSERVER_ACTION
from tests.chaos.harness import ChaosHarness

ASKED = "all mock"


async def foreign_teams(chaos: ChaosHarness, *, rounds: int = 8) -> None:
    """Let external users subscribe and press buttons, change channel ids, kill the bot; nothing is lost."""
    chaos.grant_history()
    await chaos.open_channels(1)
    guests = {channel: chaos.local_slack.share(channel, team="T0ELSE0") for channel in chaos.channels}
    stray = await _stored_as_before(chaos)
    guests[stray] = chaos.local_slack.share(stray, team="T0ELSE1", name="stray")
    chaos.start()
    await chaos.wait_until_ready()
    await chaos.wait_until_logged("channel_reassigned")
    for number in range(3):
        channel = chaos.local_slack.add_channel(f"shared-{number}")
        guests[channel] = chaos.local_slack.share(channel, team=f"T0ELSE{number}", name=f"guest{number}")
        await _subscribe(chaos, channel, guests[channel])
    await chaos.publish(4)
    await chaos.wait_until_delivered()
    for _ in range(rounds):
        publishing = asyncio.create_task(chaos.publish(3))
        await asyncio.sleep(chaos.rng.uniform(0.0, 0.3))
        channel = chaos.rng.choice(chaos.channels)
        deed = chaos.rng.choice(("convert", "convert", "press", "press", "kill"))
        if deed == "convert":
            await _convert(chaos, channel, guests)
        elif deed == "press":
            await _press(chaos, channel, guests[channel])
        await publishing
        if deed == "kill":
            await chaos.kill()
            chaos.start()
            await chaos.wait_until_ready()
    await chaos.wait_until_delivered()
    teams = {row[0] for row in chaos.deployment.query_database("select distinct team_id from subscriptions")}
    assert teams == {chaos.local_slack.team_id}, teams
    assert not chaos.channel_problems(), chaos.channel_problems()
    for bot in chaos.deployment.processes:
        assert not bot.logged_events("listener_failed"), f"a listener failed, see {bot.log_path}"


async def _stored_as_before(chaos: ChaosHarness) -> str:
    """Store a channel's subscription under another workspace, as earlier versions did."""
    channel = chaos.local_slack.add_channel("stray")
    async with open_factory(chaos.deployment.settings()) as factory:
        await factory.subscriptions.add_confirmed(
            "T0ELSE1", channel, parse_criteria(ASKED), "U1", datetime.now(UTC)
        )
    chaos.channels.append(channel)
    return channel


async def _subscribe(chaos: ChaosHarness, channel: str, guest: str) -> None:
    if chaos.rng.random() < 0.5:
        await chaos.local_slack.command("/gwevent", f"subscribe {ASKED}", channel=channel, user=guest)
    else:
        await chaos.local_slack.say(f"@gwevent subscribe {ASKED}", channel, user=guest)
    workspace, found = chaos.local_slack.find(channel)
    await chaos.wait_until(lambda: any(m.bot_id for m in found.messages.values()), "the confirmation")
    # The message check accepts only alert messages.
    for message in list(found.messages.values()):
        workspace.delete(message)
    chaos.channels.append(channel)


async def _convert(chaos: ChaosHarness, channel: str, guests: dict[str, str]) -> None:
    told = len(chaos.bot.logged_events("channel_id_changed"))
    new = chaos.local_slack.convert(channel)
    guests[new] = guests.pop(channel)
    chaos.channels[chaos.channels.index(channel)] = new
    await chaos.wait_until_logged("channel_id_changed", told + 1)


async def _press(chaos: ChaosHarness, channel: str, guest: str) -> None:
    _, found = chaos.local_slack.find(channel)
    roots = [m for m in found.messages.values() if not m.is_reply and TOGGLE_OBSERVER_ACTION in str(m.blocks)]
    if roots:
        root = chaos.rng.choice(roots)
        done = await chaos.local_slack.press(channel, root.ts, TOGGLE_OBSERVER_ACTION, user=guest)
        assert done.ok, done.error
