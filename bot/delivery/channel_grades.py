"""The grades that a channel's criteria sets give a superevent, for the messages that show it.

Words come first: a set that can't be judged, now or ever, keeps no message back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

import structlog
from cachetools import LRUCache

from bot.delivery.batch_loader import BatchLoader
from bot.delivery.event_states import CACHE_SIZE
from bot.routing.intents import ChannelRef
from bot.runtime.single_flight import SingleFlight
from bot.store.database import StoreUnavailable
from formatters.models.criteria_set import CriteriaSet, GradeOutcome
from formatters.models.notice import NoticeKey
from formatters.models.superevent import Superevent

log = structlog.get_logger(__name__)

TIME_LIMIT_S = 30.0
"""Seconds for a set's judgement. It takes well below one; longer where many maps wait, or where one hangs."""


class CriteriaSetsProvider(Protocol):
    """The criteria sets that channels chose (`bot.store.channels.criteria_sets`)."""

    async def for_channels(
        self, channel_refs: Collection[ChannelRef]
    ) -> Mapping[ChannelRef, tuple[CriteriaSet, ...]]:
        """Return the sets of each of these channels that has any. Raises StoreUnavailable."""
        ...


class Grading(Protocol):
    """The judging of a superevent by a criteria set (`bot.skymap_service.grading`).

    A defect gives an outcome that says so; nothing but StoreUnavailable is raised.
    """

    def outcome_without_map(self, set_: CriteriaSet, superevent: Superevent) -> GradeOutcome:
        """Return the outcome as far as it is certain without measuring a sky map."""
        ...

    def cached_outcome(self, set_: CriteriaSet, superevent: Superevent) -> GradeOutcome | None:
        """Return the outcome, at once; None if a sky map has to be measured for it."""
        ...

    async def outcome(self, set_: CriteriaSet, superevent: Superevent) -> GradeOutcome:
        """Return the outcome, for which sky maps may be measured. Raises StoreUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class GradesAtOnce:
    """A channel's grades as far as they are known without waiting."""

    outcomes: tuple[GradeOutcome, ...] = ()
    is_preliminary: bool = False
    """True if a sky map is still to be measured, so that an edit has to bring the rest."""


class ChannelGrades:
    """Judges superevents by the sets that channels chose. Channels with equal sets share each judgement."""

    def __init__(self, criteria_sets: CriteriaSetsProvider, grading: Grading) -> None:
        self._load_sets = BatchLoader(criteria_sets.for_channels)
        self._grading = grading
        # `grading` keeps the measurements; these spare thousands of channels half a millisecond each.
        self._judged: SingleFlight[tuple[CriteriaSet, tuple[NoticeKey, ...]], GradeOutcome] = SingleFlight(
            CACHE_SIZE
        )
        self._at_once: LRUCache[tuple[tuple[CriteriaSet, ...], tuple[NoticeKey, ...]], GradesAtOnce] = (
            LRUCache(CACHE_SIZE)
        )

    async def sets(self, channel_ref: ChannelRef) -> tuple[CriteriaSet, ...]:
        """Return the sets that a channel chose, in its order; none if they can't be read.

        Raises StoreUnavailable.
        """
        try:
            return await self._load_sets(channel_ref) or ()
        except StoreUnavailable:
            raise
        except Exception:
            # Words come first.
            log.exception("unexpected_error", subsystem="grading", channel=channel_ref[1])
            return ()

    def at_once(self, sets: tuple[CriteriaSet, ...], superevent: Superevent) -> GradesAtOnce:
        """Return the grades that are certain now, without measuring a sky map."""
        key = (sets, _notice_keys(superevent))
        kept = self._at_once.get(key)
        if kept is not None:
            return kept
        try:
            known = [self._grading.cached_outcome(set_, superevent) for set_ in sets]
            outcomes = tuple(
                self._grading.outcome_without_map(set_, superevent) if one is None else one
                for set_, one in zip(sets, known, strict=True)
            )
        except Exception:
            # Words come first, also where not even "not judged" can be said.
            log.exception("unexpected_error", subsystem="grading", superevent_id=superevent.superevent_id)
            return GradesAtOnce()
        self._at_once[key] = found = GradesAtOnce(outcomes, is_preliminary=None in known)
        return found

    async def judge(self, sets: tuple[CriteriaSet, ...], superevent: Superevent) -> tuple[GradeOutcome, ...]:
        """Return the outcome of each set, after measuring what it needs. Raises StoreUnavailable.

        What takes too long stays undecided until the next message. None says anything after a defect that
        the grading couldn't survive.
        """
        try:
            outcomes = tuple(await asyncio.gather(*(self._judge(set_, superevent) for set_ in sets)))
        except StoreUnavailable:
            raise
        except Exception:
            log.exception("unexpected_error", subsystem="grading", superevent_id=superevent.superevent_id)
            return ()
        key = (sets, _notice_keys(superevent))
        kept = self._at_once.get(key)
        if kept is not None and kept.is_preliminary:
            # A root that is posted from now on needs no edit.
            del self._at_once[key]
        return outcomes

    async def _judge(self, set_: CriteriaSet, superevent: Superevent) -> GradeOutcome:
        key = (set_, _notice_keys(superevent))
        try:
            return await self._judged.get(key, lambda: self._judge_in_time(set_, superevent))
        except _TakesTooLong:
            return self._grading.outcome_without_map(set_, superevent)

    async def _judge_in_time(self, set_: CriteriaSet, superevent: Superevent) -> GradeOutcome:
        try:
            async with asyncio.timeout(TIME_LIMIT_S):
                return await self._grading.outcome(set_, superevent)
        except TimeoutError as error:
            log.exception(
                "unexpected_error",
                subsystem="grading",
                superevent_id=superevent.superevent_id,
                criteria_set=set_.slug,
            )
            raise _TakesTooLong from error


def _notice_keys(superevent: Superevent) -> tuple[NoticeKey, ...]:
    # Not their number: a notice may take the place of an archive's copy of it.
    return tuple(notice.key for notice in superevent.notices)


class _TakesTooLong(Exception):
    """A judgement exceeded its time limit."""
