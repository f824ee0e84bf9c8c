"""Builds the commands about what a channel's sites can observe, and what they need of the settings."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from bot.app.repositories import Repositories
from bot.commands.coverage import CoverageCommand
from bot.commands.event_lookup import EventLookup
from bot.commands.galaxies import ProvideMarkedImage
from bot.commands.plan import PlanCommand
from bot.commands.visible import VisibleCommand
from bot.setting_types.catalogues import catalogue_folder
from bot.settings import Settings
from bot.skymap_service.coverage import CoverageService
from bot.skymap_service.galaxy_ranking import CatalogueChoice
from bot.skymap_service.observability import ObservabilityService
from bot.skymap_service.pointings import PointingService


def create_plan_command(
    repositories: Repositories,
    pointings: PointingService,
    clock: Callable[[], datetime],
    image_provider: ProvideMarkedImage | None,
) -> PlanCommand:
    """Create the command that plans pointings."""
    return PlanCommand(pointings, repositories.sites, clock, image_provider)


def create_coverage_command(
    repositories: Repositories,
    coverage: CoverageService,
    clock: Callable[[], datetime],
    image_provider: ProvideMarkedImage | None,
) -> CoverageCommand:
    """Create the command that says what is covered of an event."""
    return CoverageCommand(coverage, repositories.treasure_map, clock, image_provider)


def create_visible_command(
    repositories: Repositories,
    events: EventLookup,
    observability: ObservabilityService,
    clock: Callable[[], datetime],
) -> VisibleCommand:
    """Create the command that says what sites can observe of an event."""
    return VisibleCommand(events, observability, repositories.sites, clock)


def catalogue_choice(settings: Settings) -> CatalogueChoice:
    """Return the catalogue of galaxies that is used, and above how many the Follow-up reply has no line."""
    return CatalogueChoice(
        folder=catalogue_folder(settings),
        slug=settings.catalogue,
        follow_up_max=settings.follow_up_galaxies,
    )
