"""Builds the command that says how gwevent is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from bot.app.repositories import Repositories
from bot.commands.status import StatusCommand
from bot.sources.base import SourceStatus


def create_status_command(
    repositories: Repositories,
    source_statuses: Callable[[], list[SourceStatus]],
    clock: Callable[[], datetime],
) -> StatusCommand:
    """Create the command; `source_statuses` returns the state of each source."""
    return StatusCommand(
        repositories.notices,
        repositories.subscriptions,
        repositories.outbox_statistics,
        repositories.incidents,
        repositories.treasure_map,
        source_statuses,
        clock,
    )
