"""Builds the service that reads and changes the criteria sets of workspaces."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from bot.app.repositories import Repositories
from bot.commands.authorization import ChannelAuthorizer
from bot.commands.criteria_service import CriteriaService
from bot.runtime.wakeups import Wakeups


def create_criteria_service(
    repositories: Repositories,
    clock: Callable[[], datetime],
    wakeups: Wakeups,
    authorizer: ChannelAuthorizer,
) -> CriteriaService:
    """Create the service that reads and changes the criteria sets of workspaces."""
    return CriteriaService(
        repositories.criteria_sets, authorizer, wakeups, clock, repositories.site_resolvers
    )
