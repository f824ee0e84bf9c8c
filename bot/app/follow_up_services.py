"""Builds the services that the Follow-up reply asks."""

from __future__ import annotations

from bot.app.repositories import Repositories
from bot.delivery.follow_up_services import FollowUpServices
from bot.skymap_service.cache import SkyMapCache
from bot.skymap_service.counterparts import CounterpartService
from bot.skymap_service.coverage import CoverageService
from bot.skymap_service.galaxy_ranking import GalaxyRankingService
from bot.skymap_service.nearby_coincidences import NearbyCoincidences
from bot.skymap_service.position_levels import PositionLevels


def create_follow_up_services(
    repositories: Repositories,
    maps: SkyMapCache,
    levels: PositionLevels,
    candidates: CounterpartService,
    galaxies: GalaxyRankingService,
    coverage: CoverageService,
) -> FollowUpServices:
    """Create what a Follow-up reply says of positions, candidates, nearby alerts, galaxies and coverage."""
    nearby = NearbyCoincidences(repositories.nearby_alerts, maps)
    return FollowUpServices(
        levels=levels, candidates=candidates, nearby=nearby, galaxies=galaxies, coverage=coverage
    )
