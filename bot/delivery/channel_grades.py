"""What the criteria sets of a channel say of a superevent, for the messages that show it.

Words come first: a set that can't be judged, now or ever, keeps no message back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

import structlog

from bot.delivery.batch_loader import BatchLoader
from bot.delivery.event_states import CACHE_SIZE
from bot.routing.intents import ChannelRef
from bot.runtime.single_flight import SingleFlight
from bot.store.database import StoreUnavailable
from formatters.models.criteria_set import CriteriaSet, GradeOutcome, Stage, WhyUndecided
from formatters.models.notice import INITIAL, NoticeKey
from formatters.models.superevent import Superevent

log = structlog.get_logger(__name__)

TIME_LIMIT_S = 30.0
"""Seconds for one set's judgement of one state: it takes well below one, longer only while others wait."""


class ChannelCriteriaSets(Protocol):
    """The criteria sets that channels chose (`bot.store.channels.criteria_sets`)."""

    async def for_channels(
        self, channel_refs: Collection[ChannelRef]
    ) -> Mapping[ChannelRef, tuple[CriteriaSet, ...]]:
        """Return the sets of each of these channels that has any. Raises StoreUnavailable."""
        ...


class Grading(Protocol):
    """The judging of a superevent by a criteria set (`bot.skymap_service.grading`)."""

    def outcome_without_map(self, set_: CriteriaSet, superevent: Superevent) -> GradeOutcome:
        """Return what is certain without a sky map, at once."""
        ...

    def cached_outcome(self, set_: CriteriaSet, superevent: Superevent) -> GradeOutcome | None:
        """Return the outcome if it was judged before; else None."""
        ...

    async def outcome(self, set_: CriteriaSet, superevent: Superevent) -> GradeOutcome:
        """Return the outcome, for which sky maps may be measured. Raises StoreUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class GradesAtOnce:
    """What is known of a channel's grades without waiting."""

    outcomes: tuple[GradeOutcome, ...] = ()
    is_preliminary: bool = False
    """True if a sky map is still to be measured, so that an edit has to bring the rest."""


class ChannelGrades:
    """Judges superevents by the sets that channels chose. Channels with equal sets share each judgement."""

    def __init__(self, criteria_sets: ChannelCriteriaSets, grading: Grading) -> None:
        self._load_sets = BatchLoader(criteria_sets.for_channels)
        self._grading = grading
        self._judged: SingleFlight[tuple[NoticeKey, int, CriteriaSet], GradeOutcome] = SingleFlight(
            CACHE_SIZE
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
            log.exception("unexpected_error", subsystem="grading", channel=channel_ref[1])
            return ()

    def at_once(self, sets: tuple[CriteriaSet, ...], superevent: Superevent) -> GradesAtOnce:
        """Return what each set says for certain now, without measuring a sky map."""
        outcomes = [self._outcome_at_once(set_, superevent) for set_ in sets]
        return GradesAtOnce(tuple(outcomes), any(_is_preliminary(one, superevent) for one in outcomes))

    async def judge(self, sets: tuple[CriteriaSet, ...], superevent: Superevent) -> tuple[GradeOutcome, ...]:
        """Return what each set says, after measuring what it needs. Raises StoreUnavailable.

        What takes too long stays undecided until the next message.
        """
        return tuple(await asyncio.gather(*(self._judge(set_, superevent) for set_ in sets)))

    def _outcome_at_once(self, set_: CriteriaSet, superevent: Superevent) -> GradeOutcome:
        try:
            found = self._grading.cached_outcome(set_, superevent)
            return self._grading.outcome_without_map(set_, superevent) if found is None else found
        except Exception:  # noqa: BLE001 - it is logged
            # A grade must not keep the news from the channel, and its absence must not be silent.
            _log_failure(set_, superevent)
            return _not_judged(set_, superevent)

    async def _judge(self, set_: CriteriaSet, superevent: Superevent) -> GradeOutcome:
        # By the newest notice and their number: one that arrives late makes another state of both.
        key = (superevent.latest.key, len(superevent.notices), set_)
        try:
            return await self._judged.get(key, lambda: self._judge_in_time(set_, superevent))
        except _TakesTooLong:
            pass
        return self._outcome_at_once(set_, superevent)

    async def _judge_in_time(self, set_: CriteriaSet, superevent: Superevent) -> GradeOutcome:
        try:
            async with asyncio.timeout(TIME_LIMIT_S):
                return await self._grading.outcome(set_, superevent)
        except StoreUnavailable:
            raise
        except TimeoutError as error:
            _log_failure(set_, superevent)
            # Raised, so that nothing is kept: the measurement goes on, and the next edit shows it.
            raise _TakesTooLong from error
        except Exception:  # noqa: BLE001 - it is logged
            _log_failure(set_, superevent)
            return _not_judged(set_, superevent)


class _TakesTooLong(Exception):
    """A judgement exceeded its time limit."""


def _is_preliminary(outcome: GradeOutcome, superevent: Superevent) -> bool:
    """Return True if measuring a sky map may still change an outcome."""
    if outcome.why_undecided is WhyUndecided.MAP_PENDING:
        return True
    # Its grade is certain, but what newer numbers would give was not judged.
    is_newer = superevent.latest.alert_type != INITIAL
    return outcome.stage is Stage.STANDS and outcome.newest_grades is None and is_newer


def _log_failure(set_: CriteriaSet, superevent: Superevent) -> None:
    """Log the error that is being handled."""
    log.exception(
        "unexpected_error",
        subsystem="grading",
        superevent_id=superevent.superevent_id,
        criteria_set=set_.slug,
    )


def _not_judged(set_: CriteriaSet, superevent: Superevent) -> GradeOutcome:
    """Return the outcome that says that a set couldn't be judged."""
    return GradeOutcome(
        slug=set_.slug,
        undecided=tuple(grade.name for grade in set_.grades),
        why_undecided=WhyUndecided.NOT_JUDGED,
        stage=Stage.ENDED if superevent.is_retracted else Stage.CURRENT,
    )
