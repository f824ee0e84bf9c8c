"""The services behind the parts of a Follow-up reply that stand beside its messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.delivery.thread_people import InstrumentShares
from bot.skymap_service.position_levels import PositionLevels
from formatters.models.counterpart import Counterpart, RegionChange
from formatters.models.coverage import CoverageSummary
from formatters.models.galaxy import VolumeGalaxies
from formatters.models.nearby_alert import NearbyCoincidence
from formatters.models.superevent import Superevent


class CandidatesProvider(Protocol):
    """The counterpart candidates of events (`bot.skymap_service.counterparts`)."""

    async def candidates(
        self, superevent: Superevent, team_id: str, channel_id: str
    ) -> tuple[Counterpart, ...]:
        """Return all candidates, with those that the channel added and what it decided."""
        ...

    async def common_candidates(self, superevent: Superevent) -> tuple[Counterpart, ...]:
        """Return the candidates that every channel sees."""
        ...

    async def region_change(
        self, superevent: Superevent, candidates: Sequence[Counterpart]
    ) -> RegionChange | None:
        """Return those that the newest map moved into or out of its 90 % region; None if it moved none."""
        ...


class NearbyProvider(Protocol):
    """The alerts near an event (`bot.skymap_service.nearby_coincidences`)."""

    async def for_event(self, superevent: Superevent) -> tuple[NearbyCoincidence, ...]:
        """Return the alerts within the window of an event that overlap its 99 % region."""
        ...


class GalaxiesProvider(Protocol):
    """The galaxies in the volumes of events (`bot.skymap_service.galaxy_ranking`)."""

    async def volume_galaxies(self, superevent: Superevent) -> VolumeGalaxies | None:
        """Return the galaxies of the newest map for the reply; None if there is nothing to say."""
        ...


class CoverageProvider(InstrumentShares, Protocol):
    """Measures what observations cover of events' maps (`bot.skymap_service.coverage`)."""

    async def summary(self, superevent: Superevent, team_id: str, channel_id: str) -> CoverageSummary | None:
        """Return the coverage planned and done, by a channel and the Treasure Map; None if there is none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUpServices:
    """The services whose results a Follow-up reply shows beside the messages."""

    levels: PositionLevels
    candidates: CandidatesProvider
    nearby: NearbyProvider
    galaxies: GalaxiesProvider
    coverage: CoverageProvider
