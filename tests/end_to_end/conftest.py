"""The world that end-to-end tests share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.bot_process import LocalDeployment, open_deployment


@pytest.fixture
async def deployment(tmp_path: Path) -> AsyncIterator[LocalDeployment]:
    """An embedded broker, a local Slack, and a folder for the bot; no bot yet."""
    async with open_deployment(tmp_path) as made:
        yield made
