"""Fixtures of the local Slack's own tests."""

from collections.abc import AsyncIterator

import pytest

from bot.local_slack.control_api import ControlApi
from bot.local_slack.server import LocalSlack


@pytest.fixture
async def local_slack() -> AsyncIterator[LocalSlack]:
    """A local Slack as everywhere in the tests, with the control API of the process of its own."""
    local = LocalSlack(limits=False, file_delay=0.0)
    await local.start(extra=[ControlApi(local).add_routes])
    yield local
    await local.stop()
