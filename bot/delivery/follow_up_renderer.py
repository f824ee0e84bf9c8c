"""Render a thread's Follow-up reply from what is stored about its event and from the newest sky map.

The list of messages comes first: what fails beside it (levels, candidates, nearby alerts, galaxies, coverage)
is logged and left out. Replies that are equal for many channels are rendered once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

import structlog

from bot.delivery.batch_loader import BatchLoader
from bot.delivery.event_states import CACHE_SIZE, EventStates
from bot.delivery.follow_up_services import FollowUpServices
from bot.delivery.render_repositories import RenderRepositories
from bot.delivery.rendered_message import RenderedMessage
from bot.runtime.single_flight import SingleFlight
from bot.skymap_service.position_levels import EventMap
from bot.store.database import StoreUnavailable
from bot.store.events.related_messages import MessageVersions
from bot.store.outbox.models import Delivery
from formatters.models.counterpart import Counterpart
from formatters.models.coverage import CoverageSummary
from formatters.models.follow_up import (
    CheckedPosition,
    FollowUp,
    FollowUpEntry,
    LevelsMap,
    named_candidates,
)
from formatters.models.galaxy import VolumeGalaxies
from formatters.models.nearby_alert import NearbyCoincidence
from formatters.models.notice import NoticeKey
from formatters.models.related_message import (
    THREAD_STREAMS,
    GammaRayFollowUp,
    NeutrinoSearch,
    RelatedMessage,
    ReportedPosition,
    StoredMessage,
    Stream,
)
from formatters.models.superevent import Superevent
from formatters.posts import follow_up

TIME_LIMIT_S = 30.0
"""Seconds for each part beside the list of messages; it takes well below one."""
EVENTS_KEPT = 16
"""Events whose messages are kept; those of one with a thousand positions take about a megabyte."""
MAX_IN_VOLUME = 300
"""Positions whose level in the volume is computed, those of the newest messages: one takes milliseconds."""

T = TypeVar("T")
_GalaxiesKey = tuple[NoticeKey, str, datetime, int] | None
_CoverageKey = tuple[NoticeKey, float, float, tuple[int, int, int], datetime | None] | None
_Key = tuple[
    tuple[NoticeKey, ...],
    tuple[Stream, ...],
    MessageVersions,
    tuple[NearbyCoincidence, ...] | None,
    _GalaxiesKey,
    _CoverageKey,
]


@dataclass(frozen=True, slots=True)
class _Beside:
    """The parts of a Follow-up reply beside its messages and candidates."""

    nearby: tuple[NearbyCoincidence, ...] | None
    """None after a failure: there may be some."""
    galaxies: VolumeGalaxies | None
    coverage: CoverageSummary | None


log = structlog.get_logger(__name__)


class FollowUpRenderer:
    """Renders Follow-up replies, and the reply about a retraction that stands in a circular only."""

    def __init__(
        self, repositories: RenderRepositories, event_states: EventStates, services: FollowUpServices
    ) -> None:
        self._messages = repositories.related_messages
        self._counterparts = repositories.counterparts
        self._load_streams = BatchLoader(repositories.stream_choices.for_channels)
        self._event_states = event_states
        self._services = services
        # Nothing is kept of versions and alerts: the questions of a fan-out at the same time are merged.
        self._versions: SingleFlight[str, MessageVersions] = SingleFlight(0)
        self._loads: SingleFlight[tuple[str, MessageVersions], tuple[StoredMessage, ...]] = SingleFlight(
            EVENTS_KEPT
        )
        self._nearby: SingleFlight[tuple[NoticeKey, ...], tuple[NearbyCoincidence, ...] | None] = (
            SingleFlight(0)
        )
        self._galaxies: SingleFlight[tuple[NoticeKey, ...], VolumeGalaxies | None] = SingleFlight(0)
        self._replies: SingleFlight[_Key, RenderedMessage | None] = SingleFlight(CACHE_SIZE)

    async def render(self, delivery: Delivery) -> RenderedMessage | None:
        """Return the reply; None if there is nothing to say and none stands. Raises StoreUnavailable."""
        found = await self._event_states.latest(delivery)
        if found is None:
            return None
        superevent, _ = found
        try:
            rendered = await self._render_for_channel(delivery, superevent)
        except _Incomplete:
            return None
        if rendered is None and delivery.follow_up_ts is not None:
            # A burst nearby that was the only line, and was withdrawn, mustn't go on standing there.
            return RenderedMessage(message=follow_up.emptied(superevent))
        return rendered

    async def _render_for_channel(self, delivery: Delivery, superevent: Superevent) -> RenderedMessage | None:
        channel = (delivery.team_id, delivery.channel_id)
        streams = await self._load_streams(channel) or ()
        if not streams and delivery.follow_up_ts is not None:
            # Nobody subscribes here any more: what the reply showed doesn't vanish from it.
            streams = THREAD_STREAMS
        name = superevent.superevent_id
        versions = await self._versions.get(name, lambda: self._messages.versions(name))
        every = await self._loads.get((name, versions), lambda: self._load(superevent))
        messages = tuple(one for one in every if one.message.stream in streams)
        nearby: tuple[NearbyCoincidence, ...] | None = ()
        if Stream.NEARBY in streams:
            nearby = await self._nearby.get(_notice_keys(superevent), lambda: self._find_nearby(superevent))
        galaxies = await self._galaxies.get(_notice_keys(superevent), lambda: self._find_galaxies(superevent))
        beside = _Beside(nearby, galaxies, await self._find_coverage(superevent, channel))
        if await self._has_own_candidates(channel, superevent):
            asked = self._services.candidates.candidates(superevent, *channel)
            return await self._render(superevent, messages, beside, asked)
        # All versions, for messages of the streams that nobody subscribes to are among the candidates.
        key = (
            _notice_keys(superevent),
            streams,
            versions,
            nearby,
            _galaxies_key(galaxies),
            _coverage_key(beside.coverage),
        )
        return await self._replies.get(
            key,
            lambda: self._render(
                superevent,
                messages,
                beside,
                self._services.candidates.common_candidates(superevent),
            ),
        )

    async def render_retraction_circular(self, delivery: Delivery) -> RenderedMessage | None:
        """Return the reply that a circular retracts the event; None once LVK's notice does.

        Raises StoreUnavailable.
        """
        found = await self._event_states.latest(delivery)
        stored = await self._messages.get(delivery.subject_id)
        if found is None or stored is None:
            return None
        message = follow_up.retraction_circular(found[0], stored)
        return None if message is None else RenderedMessage(message=message)

    async def _load(self, superevent: Superevent) -> tuple[StoredMessage, ...]:
        return tuple(await self._messages.for_event(superevent.superevent_id))

    async def _find_nearby(self, superevent: Superevent) -> tuple[NearbyCoincidence, ...] | None:
        asked = self._services.nearby.for_event(superevent)
        return await _or_none(asked, "nearby alerts", superevent)

    async def _find_galaxies(self, superevent: Superevent) -> VolumeGalaxies | None:
        return await _or_none(self._services.galaxies.volume_galaxies(superevent), "galaxies", superevent)

    async def _find_coverage(
        self, superevent: Superevent, channel: tuple[str, str]
    ) -> CoverageSummary | None:
        if superevent.is_retracted:
            return None
        return await _or_none(self._services.coverage.summary(superevent, *channel), "coverage", superevent)

    async def _has_own_candidates(self, channel: tuple[str, str], superevent: Superevent) -> bool:
        asked = self._counterparts.for_event(channel, superevent.superevent_id)
        own = await _or_none(asked, "candidates", superevent)
        return own is not None and bool(own.added or own.decisions)

    async def _render(
        self,
        superevent: Superevent,
        messages: tuple[StoredMessage, ...],
        beside: _Beside,
        candidates: Awaitable[tuple[Counterpart, ...]],
    ) -> RenderedMessage | None:
        known = await _or_none(candidates, "candidates", superevent)
        moved = None
        if named := named_candidates(known or ()):
            change = self._services.candidates.region_change(superevent, named)
            moved = await _or_none(change, "region change", superevent)
        plain = FollowUp(
            superevent=superevent,
            entries=tuple(FollowUpEntry(stored=one, positions=_unchecked(one.message)) for one in messages),
            levels_failed=True,
        )
        checked = await _or_none(self._check(plain), "levels", superevent) or plain
        reply = replace(
            checked,
            candidates=known or (),
            region_change=moved,
            nearby=beside.nearby or (),
            galaxies=beside.galaxies,
            coverage=beside.coverage,
        )
        rendered = _word(reply, plain)
        if rendered is None and (known is None or beside.nearby is None):
            raise _Incomplete
        return rendered

    async def _check(self, reply: FollowUp) -> FollowUp:
        """Return the reply with the places of all positions that it may show."""
        levels = self._services.levels
        newest = await levels.newest_map(reply.superevent)
        if newest is None:
            return replace(reply, levels_failed=False)
        shown = reply.entries[: follow_up.MAX_ENTRIES]
        positions = [one.position for entry in shown for one in entry.positions]
        places = await levels.check_on(newest, _without_distant_ones(positions))
        map_ = LevelsMap(notice=newest.notice, is_combined=newest.is_combined, unread=newest.unread)
        if places is None:
            return replace(reply, levels_map=map_)
        found = iter(places)
        entries = [
            replace(
                entry,
                positions=tuple(replace(one, on_map=next(found)) for one in entry.positions),
                overlap=await self._overlap(newest, entry.stored.message),
            )
            for entry in shown
        ]
        rest = reply.entries[len(shown) :]
        return replace(reply, entries=(*entries, *rest), levels_map=map_, levels_failed=False)

    async def _overlap(self, map_: EventMap, message: RelatedMessage) -> float | None:
        details = message.details
        if not isinstance(details, GammaRayFollowUp) or details.region_fits is None or message.is_retracted:
            return None
        return await self._services.levels.overlap(map_, details.region_fits)


def _word(reply: FollowUp, plain: FollowUp) -> RenderedMessage | None:
    """Return the reply in words; after a defect the list alone, and after another a sentence.

    Raises _Incomplete if a defect leaves an empty list: what was to be said isn't withdrawn.
    """
    superevent = reply.superevent
    for content in (reply, plain):
        try:
            message = follow_up.message(content)
        except Exception:
            log.exception("unexpected_error", subsystem="follow_up", superevent_id=superevent.superevent_id)
        else:
            if message is None and content is not reply:
                raise _Incomplete
            return None if message is None else RenderedMessage(message=message)
    return RenderedMessage(message=follow_up.unlisted(superevent))


class _Incomplete(Exception):
    """There is nothing to say, but a part failed that may have had something."""


async def _or_none(asked: Awaitable[T], part: str, superevent: Superevent) -> T | None:
    """Return the answer; None after a defect, or if it takes too long: it keeps the list from nobody.

    Raises StoreUnavailable.
    """
    try:
        async with asyncio.timeout(TIME_LIMIT_S):
            return await asked
    except StoreUnavailable:
        raise
    except Exception:
        log.exception(
            "unexpected_error", subsystem="follow_up", part=part, superevent_id=superevent.superevent_id
        )
        return None


def _unchecked(message: RelatedMessage) -> tuple[CheckedPosition, ...]:
    """Return a message's positions, those of its neutrinos included, each once."""
    details = message.details
    neutrinos = details.neutrinos if isinstance(details, NeutrinoSearch) else ()
    every = dict.fromkeys([*message.positions, *(one.position for one in neutrinos)])
    return tuple(CheckedPosition(position=one, on_map=None) for one in every)


def _without_distant_ones(positions: Sequence[ReportedPosition]) -> list[ReportedPosition]:
    """Return the positions; from the MAX_IN_VOLUME'th with a distance on, without redshift and distance."""
    left, found = MAX_IN_VOLUME, []
    for one in positions:
        is_distant = one.redshift is not None or one.distance is not None
        found.append(one if left > 0 or not is_distant else replace(one, redshift=None, distance=None))
        left -= is_distant
    return found


def _notice_keys(superevent: Superevent) -> tuple[NoticeKey, ...]:
    return tuple(notice.key for notice in superevent.notices)


def _galaxies_key(galaxies: VolumeGalaxies | None) -> _GalaxiesKey:
    """Return the key of an event's galaxies: the map and the catalogue."""
    if galaxies is None:
        return None
    catalogue = galaxies.ranking.catalogue
    return galaxies.map_notice.key, catalogue.slug, catalogue.imported_at, galaxies.ranking.total


def _coverage_key(coverage: CoverageSummary | None) -> _CoverageKey:
    """Return the key of an event's coverage."""
    if coverage is None:
        return None
    one = coverage
    counts = (one.instruments, one.reported_only, one.unmeasured)
    return one.notice.key, one.done, one.planned, counts, one.as_of
