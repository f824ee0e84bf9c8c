"""Builds the commands about what a channel's sites can observe."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from bot.app.repositories import Repositories
from bot.commands.event_lookup import EventLookup
from bot.commands.galaxies import ProvideMarkedImage
from bot.commands.plan import PlanCommand
from bot.commands.visible import VisibleCommand
from bot.skymap_service.observability import ObservabilityService
from bot.skymap_service.pointings import PointingService
from bot.skymap_service.position_levels import PositionLevels


def create_plan_command(
    repositories: Repositories,
    levels: PositionLevels,
    clock: Callable[[], datetime],
    image_provider: ProvideMarkedImage | None,
) -> PlanCommand:
    """Create the command that plans pointings."""
    return PlanCommand(PointingService(levels), repositories.sites, clock, image_provider)


def create_visible_command(
    repositories: Repositories,
    events: EventLookup,
    observability: ObservabilityService,
    clock: Callable[[], datetime],
) -> VisibleCommand:
    """Create the command that says what sites can observe of an event."""
    return VisibleCommand(events, observability, repositories.sites, clock)
