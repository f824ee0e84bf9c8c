"""Cases with escalations: whoever is next is mentioned once, whatever is killed or cut off in between."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from functools import partial

from formatters.posts.event_buttons import ACKNOWLEDGE_ACTION
from tests.chaos.harness import TIMEOUT_S, ChaosHarness
from tests.support.waiting import wait_until

POST = "chat.postMessage"
PEOPLE = ("<@U1>", "<@U2>", "<@U3>", "<@U4>")
WORDS = "all notify <@U1> escalate 1min <@U2> 2min <@U3> 3min <@U4>"
"""With minutes of three seconds (`BotTuning`)."""


async def killed(chaos: ChaosHarness, *, events: int = 12, channels: int = 3) -> None:
    """Kill at any moment of a step, while Slack limits, refuses and cuts posts; some are taken in time."""
    chaos.grant_history()
    names = await chaos.open_channels(channels, words=WORDS)
    taken: set[tuple[str, str]] = set()
    begun: list[str] = []
    for _ in range(events):
        step = chaos.rng.choice(("take", "settle", "post", "claim"))
        bot = chaos.start(f"{step}:{chaos.rng.choice(('before', 'after'))}:{chaos.rng.randint(1, 6)}")
        begun.append(await chaos.publish_alert())
        _break_slack(chaos)
        if chaos.rng.random() < 0.4:
            taken |= await _take(chaos, chaos.rng.choice(names), chaos.rng.choice(begun))
        with suppress(TimeoutError):
            async with asyncio.timeout(chaos.rng.uniform(2.0, 6.0)):
                await bot.wait_for_exit()
        await chaos.kill(bot)
    chaos.local_slack.faults.clear()
    chaos.start()
    await chaos.wait_until_ready()
    await chaos.wait_until_delivered()
    waiting = "select count(*) from escalation_steps where state = 'waiting'"
    await wait_until(
        lambda: chaos.deployment.query_database(waiting)[0][0] == 0, TIMEOUT_S, what="every step has come"
    )
    await chaos.wait_until_delivered()
    for channel in names:
        for event in begun:
            said = _mentions(chaos, channel, event)
            assert max(said.values(), default=0) <= 1, f"{event} in {channel}: {said}"
            if (channel, event) not in taken:
                assert set(said) == set(PEOPLE), f"{event} in {channel}: {said}"


async def _take(chaos: ChaosHarness, channel: str, event: str) -> set[tuple[str, str]]:
    """Press "I have it", if the event stands in the channel; a bot that is being killed may not notice."""
    cards = chaos.deployment.roots(channel, event)
    if not cards:
        return set()
    await chaos.local_slack.press(channel, cards[0]["ts"], ACKNOWLEDGE_ACTION, value=event)
    return {(channel, event)}


def _mentions(chaos: ChaosHarness, channel: str, event: str) -> Counter[str]:
    """Count whom an event's posts mention in a channel."""
    posts = [
        call
        for call in chaos.local_slack.calls
        if call.method == POST
        and call.args.get("channel") == channel
        and event in str(call.args["text"])
        and call.outcome in ("ok", "dropped after")
    ]
    return Counter(person for call in posts for person in PEOPLE if person in str(call.args["text"]))


def _break_slack(chaos: ChaosHarness) -> None:
    """Let some of the next posts fail, by chance."""
    fail = partial(chaos.local_slack.fail, POST)
    match chaos.rng.randrange(5):
        case 0:
            fail(status=429, retry_after=1, times=2)
        case 1:
            fail(drop="after", times=1)
        case 2:
            fail(drop="before", times=2)
        case 3:
            fail(error="fatal_error", times=2)
        case _:
            pass
