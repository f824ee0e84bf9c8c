"""What the tests of the bot may use."""

from collections.abc import AsyncIterator

import pytest

from bot.sandbox.server import Sandbox


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """A local Slack that listens, with uploads ready at once and the rate limits off."""
    local = Sandbox(limits=False, file_delay=0.0)
    await local.start()
    yield local
    await local.stop()
