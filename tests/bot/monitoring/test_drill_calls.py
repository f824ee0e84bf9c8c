"""A drill with the real bot, the local Slack and a webhook's server: the whole chain, to its resolution."""

from __future__ import annotations

import asyncio

import pytest

from bot.app.application import Application
from bot.app.factory import Factory
from bot.local_slack.server import LocalSlack
from bot.monitoring import webhook as webhook_module
from bot.settings import Settings
from formatters.posts.drill import ACKNOWLEDGE_DRILL_ACTION
from tests.bot.monitoring.conftest import PATIENCE_S, Pager
from tests.support.delivery_harness import IdleSource
from tests.support.factories import Clock, subscribe

WORDS = "CBC notify <!subteam^S1> if NS escalate 1min <@U2> 2min webhook"


@pytest.mark.slow
async def test_a_drill_calls_the_operators_and_tells_them_that_it_is_over(
    local_slack: LocalSlack, factory: Factory, clock: Clock, pager: Pager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_module, "POLL_S", 0.02)
    settings = Settings.model_validate(
        {
            "slack_bot_token": local_slack.bot_token,
            "slack_app_token": local_slack.app_token,
            "slack_api_url": local_slack.api_url,
            "webhook_url": f"{pager.url}/v2/enqueue",
            "webhook_format": "pagerduty",
            "webhook_key": "routing",
        }
    )
    channel = local_slack.add_channel("gw")
    await subscribe(factory, WORDS, channel, team=local_slack.team_id)
    bot = Application(settings, factory, [IdleSource()], clock)
    stop = asyncio.Event()
    running = asyncio.create_task(bot.run(stop))

    def said() -> list[str]:
        return [str(message["text"]).replace("\u00a0", " ") for message in local_slack.messages(channel)]

    async def posted(count: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while len(said()) < count:
                bot.wakeups.escalations.set()
                await asyncio.sleep(0.02)

    async def counted() -> None:
        """Wait until the steps count from the first mention: the clock mustn't run before."""
        async with asyncio.timeout(PATIENCE_S):
            while (report := await factory.escalation_reports.get(1)) is None or not report.mentioned_at:
                await asyncio.sleep(0.02)

    async def called(count: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            # What is recorded of the call is what the drill's last message says.
            while (await factory.webhook_outbox.count_by_state()).get("sent", 0) < count:
                bot.wakeups.escalations.set()
                await asyncio.sleep(0.02)

    async with asyncio.timeout(PATIENCE_S):
        await bot.ready.wait()
    await local_slack.command("/gwevent", "subscriptions drill 1", channel=channel)
    await posted(1)
    await counted()
    clock.advance(minutes=1)
    await posted(2)
    clock.advance(minutes=1)
    await called(1)
    clock.advance(seconds=30)
    await local_slack.press(channel, local_slack.messages(channel)[0]["ts"], ACKNOWLEDGE_DRILL_ACTION)
    await called(2)
    await posted(3)
    stop.set()
    await running
    trigger, over = pager.heard()
    assert (trigger["event_action"], over["event_action"]) == ("trigger", "resolve")
    assert trigger["dedup_key"] == over["dedup_key"] == "gwevent:drill:1"
    assert trigger["payload"]["summary"] == "DRILL: Nobody has it: subscription 1"
    assert trigger["payload"]["severity"] == "critical", "a drill rings as an event would"
    assert over["payload"]["summary"].startswith("DRILL: Over")
    assert "had it after 2 min 30 s." in said()[-1]
    told = str(local_slack.messages(channel)[-1]["blocks"]).replace("\\xa0", " ").replace("\u00a0", " ")
    assert "the operators' webhook: accepted the call at 12:02:00 UTC, 2 min 0 s into the drill" in told
