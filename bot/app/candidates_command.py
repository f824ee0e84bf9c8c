"""Builds the command `candidates`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from bot.app.repositories import Repositories
from bot.commands.authorization import ChannelAuthorizer
from bot.commands.candidate_changes import CandidateChanges
from bot.commands.candidates import CandidatesCommand
from bot.runtime.wakeups import Wakeups
from bot.skymap_service.counterparts import CounterpartService
from bot.skymap_service.observability import ObservabilityService


def create_candidates_command(
    repositories: Repositories,
    service: CounterpartService,
    observability: ObservabilityService,
    authorizer: ChannelAuthorizer,
    wakeups: Wakeups,
    clock: Callable[[], datetime],
) -> CandidatesCommand:
    """Create the command that lists and changes counterpart candidates."""
    changes = CandidateChanges(service, repositories.counterparts, wakeups, clock)
    return CandidatesCommand(service, changes, observability, repositories.sites, authorizer, clock)
