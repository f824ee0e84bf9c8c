"""What reports of observations are kept in and compared with."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

import structlog

from bot.observing.instruments import Instruments
from bot.skymap_service.coverage import CoverageTakesTooLong
from bot.store.channels.observations import ObservationRepository
from bot.store.channels.observers import ObserverRepository
from bot.store.channels.sites import SiteRepository
from formatters.models.coverage import SharedFields
from formatters.models.observation import NewObservation, Observation

SHARED_TIMEOUT_S = 5.0
"""For whether somebody else has the same fields; the report is stored before, and its answer doesn't wait."""

log = structlog.get_logger(__name__)


class FieldsOfOthers(Protocol):
    """What is needed of `bot.skymap_service.coverage.CoverageService`."""

    async def shared_with_others(
        self, team_id: str, channel_id: str, observation: Observation
    ) -> tuple[SharedFields, ...]:
        """Return which fields of an observation another instrument has planned or done."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservationStores:
    """Where observations, observers and sites are kept, and the instruments that people may name."""

    observations: ObservationRepository
    observers: ObserverRepository
    sites: SiteRepository
    instruments: Instruments


async def shared_fields(
    others: FieldsOfOthers, stored: Observation, new: NewObservation
) -> tuple[tuple[SharedFields, ...], tuple[str, ...]]:
    """Return whose fields those of a stored report are too, and a note if that couldn't be said in time."""
    if not stored.fields or stored.footprint is None:
        return (), ()
    try:
        async with asyncio.timeout(SHARED_TIMEOUT_S):
            return await others.shared_with_others(new.team_id, new.channel_id, stored), ()
    except (TimeoutError, CoverageTakesTooLong):
        log.warning("shared_fields_not_compared", superevent_id=stored.superevent_id)
        return (), ("Whether others have the same fields took too long to compare: see coverage.",)
