"""Counterpart candidates of an event, as one channel sees them, compared with its newest sky map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from bot.counterparts.comparison import Places, order_candidates, region_change, with_places
from bot.counterparts.merging import merge_reports
from bot.counterparts.reports import added_reports, message_reports
from bot.runtime.threads import ThreadHangs, run_in_thread
from bot.skymap_service.position_levels import EventMap, PositionLevels
from bot.store.events.counterparts import ChannelCandidates, CounterpartRepository
from formatters.models.counterpart import Counterpart, RegionChange
from formatters.models.related_message import ReportedPosition, StoredMessage
from formatters.models.superevent import Superevent

MAX_IN_VOLUME = 100
"""Candidates whose level in the volume is computed, the best on the sky: one takes milliseconds."""


class MessagesOfEvent(Protocol):
    """The part of `bot.store.events.related_messages.RelatedMessageRepository` that this service needs."""

    async def for_event(self, superevent_id: str) -> list[StoredMessage]:
        """Return the messages that name an event, newest first."""
        ...


class CounterpartService:
    """Lists counterpart candidates.

    Methods raise StoreUnavailable, and ThreadHangs if merging the reports takes too long.
    """

    def __init__(
        self, messages: MessagesOfEvent, counterparts: CounterpartRepository, levels: PositionLevels
    ) -> None:
        self._messages = messages
        self._counterparts = counterparts
        self._levels = levels

    async def candidates(
        self, superevent: Superevent, team_id: str, channel_id: str
    ) -> tuple[Counterpart, ...]:
        """Return all candidates of an event in the order in which they are shown, with this channel's own.

        Without a readable map they have no place on it.
        """
        name = superevent.superevent_id
        own = await self._counterparts.for_event((team_id, channel_id), name)
        return await self._compare(superevent, await self._messages.for_event(name), own)

    async def common_candidates(self, superevent: Superevent) -> tuple[Counterpart, ...]:
        """Return the candidates that every channel sees: those of the messages."""
        messages = await self._messages.for_event(superevent.superevent_id)
        return await self._compare(superevent, messages, ChannelCandidates())

    async def newest_map(self, superevent: Superevent) -> EventMap | None:
        """Return the map that the candidates are compared with; None if none can be read."""
        return await self._levels.newest_map(superevent)

    async def region_change(
        self, superevent: Superevent, candidates: Sequence[Counterpart]
    ) -> RegionChange | None:
        """Return the candidates that the newest map moved into or out of its 90 % region.

        It is compared with the newest map before it that differs. What was reported only after the newest map
        was never moved by it. None without two maps, or if none moved.
        """
        newest = await self._levels.newest_map(superevent)
        if newest is not None:
            sent = newest.notice.time_created
            candidates = [one for one in candidates if any(by.reported <= sent for by in one.sources)]
        before = None if newest is None else await self._levels.map_before(superevent, newest)
        if before is None:
            return None
        places = await self._levels.check_on(before, [_on_sky(one.position) for one in candidates])
        return None if places is None else region_change(candidates, places)

    async def _compare(
        self, superevent: Superevent, messages: Sequence[StoredMessage], own: ChannelCandidates
    ) -> tuple[Counterpart, ...]:
        merged = await run_in_thread(_merge, superevent, messages, own)
        newest = await self._levels.newest_map(superevent)
        places = None if newest is None else await self._places(newest, merged)
        if places is None:
            return order_candidates(merged)
        try:
            # In a thread: a redshift imports a module that takes a second to load.
            return await run_in_thread(with_places, merged, places)
        except ThreadHangs:
            return order_candidates(merged)

    async def _places(self, map_: EventMap, candidates: Sequence[Counterpart]) -> Places | None:
        """Return the candidates' places in a map; None if that takes too long."""
        positions = [_host_position(one) for one in candidates]
        distant = [number for number, one in enumerate(positions) if one != _on_sky(one)]
        if len(distant) <= MAX_IN_VOLUME:
            return await self._levels.check_on(map_, positions)
        places = await self._levels.check_on(map_, list(map(_on_sky, positions)))
        if places is None:
            return None
        found = list(places)

        def level(number: int) -> float:
            place = found[number]
            return 2.0 if place is None else place.credible_level

        best = sorted(distant, key=lambda number: (level(number), number))[:MAX_IN_VOLUME]
        in_volume = await self._levels.check_on(map_, [positions[number] for number in best])
        for number, place in zip(best, in_volume or (), strict=False):
            found[number] = place
        return found


def _merge(
    superevent: Superevent, messages: Sequence[StoredMessage], own: ChannelCandidates
) -> tuple[Counterpart, ...]:
    event = superevent.event
    reports = [*message_reports(messages), *added_reports(own.added)]
    return merge_reports(reports, own.decisions, None if event is None else event.time)


def _host_position(candidate: Counterpart) -> ReportedPosition:
    """Return the position to compare: a neutrino or gamma-ray position has no host, and so no distance."""
    position = candidate.position
    return _on_sky(position) if candidate.is_neutrino or candidate.is_burst else position


def _on_sky(position: ReportedPosition) -> ReportedPosition:
    return replace(position, redshift=None, distance=None)
