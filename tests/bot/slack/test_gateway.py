"""Bolt doesn't see the environment variables that it would read by itself."""

from __future__ import annotations

import asyncio
import logging
import os

import pytest

from bot.app.application import Application
from bot.app.factory import Factory
from bot.local_slack.server import LocalSlack
from bot.settings import Settings
from bot.slack.gateway import BOLT_ENV_VARIABLES
from tests.support.delivery_harness import IdleSource
from tests.support.factories import Clock

PATIENCE_S = 20


@pytest.mark.slow
async def test_start_warns_of_no_environment_token(
    local_slack: LocalSlack,
    factory: Factory,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Bolt would warn at each start that it ignores the token in the environment."""
    settings = Settings.model_validate(
        {
            "slack_bot_token": local_slack.bot_token,
            "slack_app_token": local_slack.app_token,
            "slack_api_url": local_slack.api_url,
        }
    )
    for name in BOLT_ENV_VARIABLES:
        monkeypatch.setenv(name, f"of the environment: {name}")
    bot, stop = Application(settings, factory, [IdleSource()], clock), asyncio.Event()
    with caplog.at_level(logging.INFO):
        running = asyncio.create_task(bot.run(stop))
        async with asyncio.timeout(PATIENCE_S):
            await bot.ready.wait()
        channel = local_slack.add_channel("gw")
        done = await local_slack.command("/gwevent", "status", channel=channel)
        await done.wait_for_answer(PATIENCE_S)
        stop.set()
        await running
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert {os.environ[name] for name in BOLT_ENV_VARIABLES} == {
        f"of the environment: {name}" for name in BOLT_ENV_VARIABLES
    }, "put back for whoever else reads them"
