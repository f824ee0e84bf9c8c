"""Cases in which Slack fails, or in which channels and tokens are withdrawn and restored."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from dataclasses import replace

from tests.chaos.harness import ChaosHarness

POST, EDIT = "chat.postMessage", "chat.update"
SHORT_S = 1.5
"""The bot's time-out in cases that wait for one, seconds."""


async def rate_limited(chaos: ChaosHarness) -> None:
    """429 with Retry-After: a channel, a workspace, edits."""
    await chaos.start_working(channels=4, notices=4)
    for channel in chaos.channels[:2]:
        chaos.local_slack.fail(POST, status=429, retry_after=2, times=4, channel=channel)
    chaos.local_slack.fail(EDIT, status=429, retry_after=1, times=10)
    await chaos.publish(6)
    await chaos.wait_until_delivered()
    chaos.local_slack.fail(POST, status=429, retry_after=2, times=8)
    await chaos.publish(6)
    await chaos.wait_until_delivered()


async def server_errors(chaos: ChaosHarness) -> None:
    """500, 502 and 503, and Slack's own words for them."""
    await chaos.start_working(channels=4, notices=4)
    for status in (500, 502, 503):
        chaos.local_slack.fail(POST, status=status, times=5)
        chaos.local_slack.fail(EDIT, status=status, times=5)
        await chaos.publish(3)
    await chaos.wait_until_delivered()
    for error in ("internal_error", "fatal_error", "service_unavailable"):
        chaos.local_slack.fail(POST, error=error, times=5)
        chaos.local_slack.fail(EDIT, error=error, times=5)
        await chaos.publish(3)
    await chaos.wait_until_delivered()


async def timeouts(chaos: ChaosHarness) -> None:
    """Let calls time out, both after and without being executed."""
    chaos.tuning = replace(chaos.tuning, slack_timeout=SHORT_S)
    await chaos.start_working(channels=4, notices=4)
    # Not done: what a fault answers, it doesn't do.
    chaos.local_slack.fail(POST, delay=2 * SHORT_S, status=500, times=6)
    chaos.local_slack.fail(EDIT, delay=2 * SHORT_S, status=500, times=3)
    await chaos.publish(4)
    await chaos.wait_until_delivered()
    chaos.local_slack.fail(POST, delay_after=2 * SHORT_S, times=6)
    chaos.local_slack.fail(EDIT, delay_after=2 * SHORT_S, times=3)
    await chaos.publish(4)
    await chaos.wait_until_delivered()


async def cut_before(chaos: ChaosHarness) -> None:
    """The connection is cut before Slack does the work."""
    await chaos.start_working(channels=4, notices=4, history=False)
    chaos.local_slack.fail(POST, drop="before", times=10)
    chaos.local_slack.fail(EDIT, drop="before", times=5)
    await chaos.publish(8)
    await chaos.wait_until_delivered()


async def cut_after(chaos: ChaosHarness) -> None:
    """The connection is cut after Slack did the work; the bot may look, so nothing comes twice."""
    await chaos.start_working(channels=4, notices=4)
    chaos.local_slack.fail(POST, drop="after", times=10)
    chaos.local_slack.fail(EDIT, drop="after", times=5)
    await chaos.publish(8)
    await chaos.wait_until_delivered()


async def cut_after_unseen(chaos: ChaosHarness) -> None:
    """The same without the history scope: rather twice than never."""
    await chaos.start_working(channels=4, notices=4, history=False)
    chaos.local_slack.fail(POST, drop="after", times=10)
    await chaos.publish(8)
    await chaos.wait_until_delivered()


async def sockets_closed(chaos: ChaosHarness) -> None:
    """Socket Mode closed, cut, and asked to reconnect, while notices come."""
    await chaos.start_working(channels=4, notices=4)
    await _loses_its_socket(chaos, chaos.local_slack.close_sockets)
    await _loses_its_socket(chaos, functools.partial(chaos.local_slack.close_sockets, abort=True))
    await _loses_its_socket(chaos, chaos.local_slack.refresh_sockets)
    await chaos.wait_until_delivered()


async def sockets_refused(chaos: ChaosHarness) -> None:
    """Socket Mode can't be opened for a while; what is posted doesn't need it."""
    await chaos.start_working(channels=4, notices=4)
    chaos.local_slack.refuse_sockets(8.0)
    await chaos.local_slack.close_sockets(abort=True)
    await chaos.publish(5)
    await chaos.wait_until_delivered()
    await chaos.wait_for_command()


async def sockets_half_open(chaos: ChaosHarness) -> None:
    """Socket Mode hangs without being closed: the bot notices by itself."""
    await chaos.start_working(channels=4, notices=4)
    opened = chaos.local_slack.sockets.opened
    chaos.local_slack.hang_sockets()
    await chaos.publish(5)
    await chaos.wait_until_delivered()
    await chaos.wait_until(lambda: chaos.local_slack.sockets.opened > opened, "a new socket")
    await chaos.local_slack.close_sockets(abort=True)
    await chaos.wait_for_command()


async def channel_archived(chaos: ChaosHarness) -> None:
    """A channel is archived and brought back."""
    await chaos.start_working(channels=4, notices=4)
    gone = chaos.channels[1]
    chaos.local_slack.archive(gone)
    await _dead_for_a_while(chaos, gone, "is_archived")
    chaos.local_slack.unarchive(gone)
    await _revived(chaos, gone)


async def bot_kicked(chaos: ChaosHarness) -> None:
    """Remove the bot from a private and a public channel, and invite it again."""
    # With this scope the bot need not be a member of a public channel.
    chaos.local_slack.ungrant("chat:write.public")
    (private,) = await chaos.open_channels(1, private=True)
    await chaos.start_working(channels=4, notices=4)
    public = chaos.channels[1]
    for channel, reason in ((private, "channel_not_found"), (public, "not_in_channel")):
        chaos.local_slack.kick(channel)
        await _dead_for_a_while(chaos, channel, reason)
        chaos.local_slack.invite(channel)
        await _revived(chaos, channel)


async def token_revoked(chaos: ChaosHarness) -> None:
    """The bot's token is revoked and given again."""
    await chaos.start_working(channels=4, notices=4)
    chaos.local_slack.revoke_token()
    await chaos.publish(6)
    await chaos.wait_until_stored()
    await chaos.wait_until_logged("delivery_failed")
    chaos.local_slack.restore_token()
    await chaos.wait_until_delivered()


async def _loses_its_socket(chaos: ChaosHarness, lose: Callable[[], Awaitable[None]]) -> None:
    opened = chaos.local_slack.sockets.opened
    await lose()
    await chaos.publish(3)
    await chaos.wait_until(lambda: chaos.local_slack.sockets.opened > opened, "a new socket")
    await chaos.wait_for_command()


async def _dead_for_a_while(chaos: ChaosHarness, channel: str, reason: str) -> None:
    chaos.revived.add(channel)
    await chaos.publish(8)
    await chaos.wait_until_delivered()
    assert chaos.channel_problems() == {channel: reason}, chaos.channel_problems()
    # A restart in between must change nothing.
    await chaos.kill()
    chaos.start()
    await chaos.wait_until_ready()
    await chaos.publish(4)
    await chaos.wait_until_delivered()
    assert chaos.channel_problems() == {channel: reason}, chaos.channel_problems()


async def _revived(chaos: ChaosHarness, channel: str) -> None:
    await chaos.wait_until(lambda: not chaos.channel_problems(), "the channel is within reach again")
    await chaos.publish(4)
    await chaos.wait_until_delivered()
    assert not chaos.channel_problems()
