"""`/gwevent subscriptions drill` and the button of a drill, on the local Slack with the real bot."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from bot.app.application import Application
from bot.app.factory import Factory
from bot.local_slack.server import LocalSlack
from bot.store import schema
from bot.store.outbox.models import DeliveryState
from formatters.posts.drill import ACKNOWLEDGE_DRILL_ACTION
from tests.support.factories import Clock, subscribe
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

WORDS = "CBC notify <!subteam^S1> if NS escalate 5min <@U2>"


async def typed(local_slack: LocalSlack, channel: str, text: str) -> str:
    """Type `/gwevent …` and return the answer, which the person alone sees."""
    done = await local_slack.command("/gwevent", text, channel=channel)
    answer = await done.wait_for_answer(15)
    assert answer["ephemeral"]
    return str(answer["text"]).replace("\u00a0", " ")


async def posts(local_slack: LocalSlack, channel: str, count: int) -> list[dict[str, Any]]:
    await local_slack.wait_for(lambda: len(local_slack.messages(channel)) >= count)
    return local_slack.messages(channel)


async def wait_until_recorded(factory: Factory) -> None:
    """Wait until all that Slack took is written down as sent: the steps count from that time."""

    async def is_recorded() -> bool:
        async with factory.database.read_transaction() as connection:
            states = (await connection.execute(select(schema.deliveries.c.state))).scalars().all()
        return set(states) == {DeliveryState.SENT.value}

    await wait_until(is_recorded)


async def press(local_slack: LocalSlack, channel: str, message: dict[str, Any]) -> str:
    done = await local_slack.press(channel, message["ts"], ACKNOWLEDGE_DRILL_ACTION)
    answer = await done.wait_for_answer(15)
    assert answer["ephemeral"]
    return str(answer["text"]).replace("\u00a0", " ")


async def test_a_drill_is_begun_taken_and_told(
    bot: Application, local_slack: LocalSlack, factory: Factory, clock: Clock
) -> None:
    channel = local_slack.add_channel("gw")
    await subscribe(factory, WORDS, channel, team=local_slack.team_id)
    begun = await typed(local_slack, channel, "subscriptions drill 1")
    assert begun.startswith("The drill of subscription 1 has begun: 1 group will be mentioned here now")
    [first] = await posts(local_slack, channel, 1)
    assert "DRILL" in first["text"] and "<!subteam^S1>" in first["text"]
    assert "has been running here since 12:00:00 UTC" in await typed(local_slack, channel, "drill #1")
    await wait_until_recorded(factory)
    clock.advance(minutes=5)
    bot.wakeups.escalations.set()
    second = (await posts(local_slack, channel, 2))[-1]
    assert second["text"].startswith("<@U2> DRILL")
    clock.advance(seconds=7)
    taken = await press(local_slack, channel, second)
    assert taken.startswith("You had it after 5 min 7 s. That was a drill of subscription 1")
    last = (await posts(local_slack, channel, 3))[-1]
    assert "over: <@" in last["text"] and "had it after 5 min 7 s." in last["text"].replace("\u00a0", " ")
    assert "This drill of subscription 1 has been over since 12:05:07 UTC" in await press(
        local_slack, channel, first
    ), "a second press, on a message that isn't up to date"
    assert await typed(local_slack, channel, "subs drill stop") == "No drill is running in this channel."


async def test_what_cant_be_drilled_is_said_in_one_sentence(
    bot: Application, local_slack: LocalSlack, factory: Factory
) -> None:
    channel = local_slack.add_channel("gw")
    await subscribe(factory, "CBC", channel, team=local_slack.team_id)
    await subscribe(factory, WORDS, channel, team=local_slack.team_id)
    assert "Subscription 1 mentions nobody" in await typed(local_slack, channel, "subscriptions drill 1")
    assert "no subscription" in (await typed(local_slack, channel, "subscriptions drill 9")).casefold()
    for text in ("drill", "subscriptions drill", "drill everything", "drill 1 2", "drill -1"):
        assert "needs the number" in await typed(local_slack, channel, text)
    await typed(local_slack, channel, "subscriptions pause 2")
    assert "Subscription 2 is paused" in await typed(local_slack, channel, "subscriptions drill 2")
    assert "There is no event" not in str([m["blocks"] for m in local_slack.messages(channel)])
