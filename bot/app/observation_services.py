"""Builds what stores and lists observations of a channel's people."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from bot.app.repositories import Repositories
from bot.commands.observation_dialog import ObservationDialog
from bot.commands.observation_reports import ObservationReports
from bot.commands.observation_stores import ObservationStores
from bot.commands.observe import ObserveCommand
from bot.runtime.wakeups import Wakeups
from bot.skymap_service.coverage import CoverageService
from bot.skymap_service.pointings import PointingService


def create_observation_reports(
    repositories: Repositories,
    pointings: PointingService,
    coverage: CoverageService,
    clock: Callable[[], datetime],
    wakeups: Wakeups,
) -> ObservationReports:
    """Create what stores reports, for the command and the dialog; `pointings` are those of `plan`."""
    return ObservationReports(_stores(repositories), pointings, coverage, clock, wakeups)


def create_observe_command(
    repositories: Repositories, reports: ObservationReports, clock: Callable[[], datetime]
) -> ObserveCommand:
    """Create the command `observe`."""
    return ObserveCommand(
        reports, repositories.observations, repositories.observers, repositories.threads, clock
    )


def create_observation_dialog(
    repositories: Repositories, reports: ObservationReports, clock: Callable[[], datetime]
) -> ObservationDialog:
    """Create what fills the dialog of "I'm observing", and takes its reports."""
    return ObservationDialog(reports, _stores(repositories), clock)


def _stores(repositories: Repositories) -> ObservationStores:
    return ObservationStores(
        observations=repositories.observations,
        observers=repositories.observers,
        sites=repositories.sites,
        instruments=repositories.instruments,
    )
