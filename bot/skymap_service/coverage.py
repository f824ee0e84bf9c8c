"""The coverage of an event's newest sky map by its observations, computed off the event loop and kept.

`bot.commands.observe` reads what people report, `bot.store.channels.observations` stores it, and this service
measures it, with what `bot.treasure_map` has read, on the newest map that can be read. No alert waits for
that: a card shows it by an edit.

What fields cover doesn't depend on the map: it is kept for each group of fields, so that for a new map only
its probability there is added up again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Protocol, TypeVar

from cachetools import LRUCache

from bot.observing.coverage import (
    Coverage,
    find_shared_fields,
    measure_coverage,
    measure_shares,
    observation_group,
    reported_group,
    unmeasured_shares,
    without_own,
)
from bot.observing.field_regions import FieldGroup, SkyRegion, region_of
from bot.observing.uncovered_sky import MapToCover
from bot.runtime.single_flight import SingleFlight
from bot.runtime.threads import ThreadHangs, run_in_thread
from bot.skymap_service.position_levels import EventMap, PositionLevels
from formatters.models.coverage import CoverageSummary, EventCoverage, SharedFields
from formatters.models.notice import NoticeKey
from formatters.models.observation import InstrumentShare, Observation
from formatters.models.superevent import Superevent
from formatters.models.treasure_map import ReportedObservation, TreasureMapReading

RANGES_KEPT = 2_000_000
"""Ranges of pixels that are kept for all groups of fields together, 16 bytes each; 500 fields have about
100,000."""
MAPS_KEPT = 4
"""Maps that are kept prepared: the newest of the events that are observed now."""
RESULTS_KEPT = 256
"""Shares of channels that are kept, and an eighth as many coverages, which hold all their fields."""

T = TypeVar("T")
_MapKey = tuple[NoticeKey, bool]
_Version = tuple[Hashable, ...]
"""A fingerprint of one event's observations, which themselves may hold many thousand fields."""


class CoverageTakesTooLong(RuntimeError):
    """The coverage couldn't be computed in the time that a computation has."""


class ChannelObservations(Protocol):
    """The part of `bot.store.channels.observations.ObservationRepository` that this service needs."""

    async def for_event(self, team_id: str, channel_id: str, superevent_id: str) -> tuple[Observation, ...]:
        """Return a channel's observations of an event in the order in which they were reported first."""
        ...


class TreasureMapReadings(Protocol):
    """The part of `bot.store.events.treasure_map.TreasureMapRepository` that this service needs."""

    @property
    def is_read(self) -> bool:
        """True if this deployment reads the Treasure Map."""
        ...

    async def pointings(self, superevent_id: str) -> TreasureMapReading:
        """Return the last reading of an event."""
        ...


class CoverageService:
    """Measures coverage on the newest map that can be read, combined with an external event if it is.

    Methods raise StoreUnavailable, and CoverageTakesTooLong.
    """

    def __init__(
        self,
        levels: PositionLevels,
        observations: ChannelObservations,
        treasure_map: TreasureMapReadings | None = None,
    ) -> None:
        """Without `treasure_map` there is what the channel itself reported."""
        self._levels = levels
        self._observations = observations
        self._treasure_map = treasure_map
        self._regions: LRUCache[FieldGroup, SkyRegion] = LRUCache(
            RANGES_KEPT, getsizeof=lambda region: min(region.start.size + 1, RANGES_KEPT)
        )
        self._maps: LRUCache[_MapKey, MapToCover] = LRUCache(MAPS_KEPT)
        self._shares: SingleFlight[tuple[_MapKey, _Version], tuple[InstrumentShare, ...]] = SingleFlight(
            RESULTS_KEPT
        )
        self._coverages: SingleFlight[tuple[_MapKey, _Version], Coverage] = SingleFlight(RESULTS_KEPT // 8)
        # One at a time: each takes a core for up to some seconds, and the posts need the other.
        self._lock = asyncio.Lock()

    async def coverage(self, superevent: Superevent, team_id: str, channel_id: str) -> EventCoverage | None:
        """Return an event's coverage by a channel and the Treasure Map; None if no map of it can be read."""
        name = superevent.superevent_id
        observations = await self._observations.for_event(team_id, channel_id, name)
        return await self._cover(superevent, observations, await self._reading(name))

    async def shares(
        self, superevent: Superevent, observations: Sequence[Observation]
    ) -> tuple[InstrumentShare, ...]:
        """Return the share of each instrument of a channel, planned and done, in the order of their reports.

        Without a map that can be read the shares are None.
        """
        asked = tuple(observations)
        if not asked:
            return ()
        map_ = await self._levels.newest_map(superevent)
        if map_ is None:
            return unmeasured_shares(asked)
        return await self._shares.get(
            (_map_key(map_), _version(asked)), lambda: self._measure_shares(map_, asked)
        )

    def shares_at_once(
        self, superevent: Superevent, observations: Sequence[Observation]
    ) -> tuple[InstrumentShare, ...] | None:
        """Return the shares if they are known without waiting for a map or a computation; None otherwise."""
        asked = tuple(observations)
        if not asked:
            return ()
        version = _version(asked)
        for notice in reversed(superevent.notices):
            if notice.best_localization is None:
                continue
            for is_combined in (True, False):
                known = self._shares.cached(((notice.key, is_combined), version))
                if known is not None:
                    return known
            return None
        return unmeasured_shares(asked)

    async def shared_with_others(
        self, team_id: str, channel_id: str, observation: Observation
    ) -> tuple[SharedFields, ...]:
        """Return the fields of an observation that another instrument has planned or done, most first.

        Others are the channel's other instruments and those of the Treasure Map. The observation needn't be
        stored yet.
        """
        name = observation.superevent_id
        observations = await self._observations.for_event(team_id, channel_id, name)
        reading = await self._reading(name)
        reported = () if reading is None else reading.observations
        regions = await self._regions_of((observation, *observations), reported)
        return await self._run(partial(find_shared_fields, observation, observations, reported, regions))

    async def summary(self, superevent: Superevent, team_id: str, channel_id: str) -> CoverageSummary | None:
        """Return the Follow-up reply's summary; None if nothing is planned or done with a known field."""
        found = await self.coverage(superevent, team_id, channel_id)
        return None if found is None else found.summary

    async def _cover(
        self,
        superevent: Superevent,
        observations: tuple[Observation, ...],
        reading: TreasureMapReading | None,
    ) -> EventCoverage | None:
        map_ = await self._levels.newest_map(superevent)
        if map_ is None:
            return None
        key = (_map_key(map_), (*_version(observations), *_reading_version(reading)))
        found = await self._coverages.get(key, lambda: self._measure(map_, observations, reading))
        return EventCoverage(
            notice=map_.notice,
            is_combined=map_.is_combined,
            unread=map_.unread,
            observations=found.observations,
            reading=reading,
            reported=found.reported,
            bands=found.bands,
            done=found.done,
            planned=found.planned,
            uncovered=found.uncovered.probability,
            uncovered_90=found.uncovered.in_credible,
            uncovered_90_area=found.uncovered.area,
            pieces=found.uncovered.pieces,
        )

    async def _reading(self, superevent_id: str) -> TreasureMapReading | None:
        if self._treasure_map is None or not self._treasure_map.is_read:
            return None
        return await self._treasure_map.pointings(superevent_id)

    async def _measure(
        self, map_: EventMap, observations: tuple[Observation, ...], reading: TreasureMapReading | None
    ) -> Coverage:
        reported = () if reading is None else reading.observations
        regions = await self._regions_of(observations, reported)
        return await self._run(lambda: measure_coverage(self._prepare(map_), observations, reported, regions))

    async def _measure_shares(
        self, map_: EventMap, observations: tuple[Observation, ...]
    ) -> tuple[InstrumentShare, ...]:
        regions = await self._regions_of(observations)
        return await self._run(lambda: measure_shares(self._prepare(map_), observations, regions))

    async def _regions_of(
        self, observations: Sequence[Observation], reported: Sequence[ReportedObservation] = ()
    ) -> Callable[[FieldGroup], SkyRegion]:
        """Return the regions of groups of fields, computing those that aren't kept, one after the other.

        Each group is a computation of its own, so that none of them takes long and other questions get their
        turn between two.
        """
        found: dict[FieldGroup, SkyRegion] = {}

        def look_up() -> list[FieldGroup]:
            groups = [observation_group(one) for one in observations]
            groups += [reported_group(without_own(one, observations)[0]) for one in reported]
            missing: dict[FieldGroup, None] = {}
            for group in groups:
                if group is None or group in found:
                    continue
                kept = self._regions.get(group)
                if kept is None:
                    missing[group] = None
                else:
                    found[group] = kept
            return list(missing)

        def measure(group: FieldGroup) -> None:
            found[group] = self._regions[group] = region_of(group)

        for group in await self._run(look_up):
            await self._run(partial(measure, group))
        return found.__getitem__

    def _prepare(self, map_: EventMap) -> MapToCover:
        """Return the map prepared. Called in the one thread that computes."""
        key = _map_key(map_)
        known = self._maps.get(key)
        if known is None:
            known = self._maps[key] = MapToCover.of(map_.skymap)
        return known

    async def _run(self, work: Callable[[], T]) -> T:
        async with self._lock:
            try:
                return await run_in_thread(work)
            except ThreadHangs as error:
                raise CoverageTakesTooLong(str(error)) from error


def _version(observations: Sequence[Observation]) -> _Version:
    # A plan loses the fields that are done without being changed itself.
    return tuple((one.id, one.changed_at, one.status, len(one.fields)) for one in observations)


def _reading_version(reading: TreasureMapReading | None) -> _Version:
    if reading is None:
        return (None,)
    # Instruments are read at other times than pointings.
    groups = ((one.instrument, one.footprint is None, len(one.fields)) for one in reading.observations)
    return (reading.read_at, *groups)


def _map_key(map_: EventMap) -> _MapKey:
    return map_.notice.key, map_.is_combined
