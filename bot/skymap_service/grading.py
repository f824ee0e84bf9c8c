"""Judges criteria sets for stored superevents: the maps are measured off the event loop, each thing once.

Without the map an outcome is there at once, and says what only the map decides; so no message's words wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

import structlog
from cachetools import LRUCache

from bot.criteria.grading import (
    PENDING,
    asks_map,
    compare_grade,
    explain,
    grade,
    judged_notices,
    needs_map,
    outcome_of_failure,
    required_notices,
    required_queries,
)
from bot.criteria.measurements import MapMeasurements
from bot.criteria.presets import BUILT_IN, RUBIN
from bot.observing.rubin_sky import RubinSky, measure_rubin_sky
from bot.runtime.single_flight import SingleFlight
from bot.runtime.threads import ThreadHangs, run_in_thread
from bot.skymap_service.cache import SkyMapCache
from bot.skymap_service.filter_queries import SkyMapQueries
from bot.store.database import StoreUnavailable
from bot.store.events.notices import NoticeRepository
from formatters.models.criteria_set import CriteriaSet, GradeOutcome, SetExplanation
from formatters.models.filter import GradeQuery, MapQuery
from formatters.models.notice import Notice, NoticeKey
from formatters.models.superevent import Superevent

PAST_MAX = 50
"""Past events that `grades_of_past` judges: a map takes about 0.1 s."""
_OUTCOMES_KEPT = 5_000
_NOTICES_KEPT = 200
"""Notices whose maps' answers are kept; they are a few numbers each."""

_OutcomeKey = tuple[CriteriaSet, tuple[NoticeKey, ...]]

log = structlog.get_logger(__name__)


class GradingService:
    """Answers which grade criteria sets give a superevent. Async methods raise StoreUnavailable.

    A map that can't be read leaves what it decides unknown. A defect is logged and gives the outcome "not
    judged": it never keeps a message back.
    """

    def __init__(self, notices: NoticeRepository, maps: SkyMapCache, queries: SkyMapQueries) -> None:
        self._notices = notices
        self._maps = maps
        self._queries = queries
        self._outcomes: SingleFlight[_OutcomeKey, GradeOutcome] = SingleFlight(_OUTCOMES_KEPT)
        self._answers: LRUCache[NoticeKey, dict[MapQuery, float | None]] = LRUCache(_NOTICES_KEPT)
        self._rubin: LRUCache[NoticeKey, RubinSky | None] = LRUCache(_NOTICES_KEPT)
        # One map at a time: several would take processor and memory from the posts.
        self._lock = asyncio.Lock()

    def needs_map(self, set_: CriteriaSet) -> bool:
        """Return whether the set asks sky maps for more than the numbers that a notice states."""
        return needs_map(set_)

    def outcome_without_map(self, set_: CriteriaSet, superevent: Superevent) -> GradeOutcome:
        """Return at once what is known without measuring a map; what that decides is pending."""
        try:
            return grade(set_, superevent, {n.key: PENDING for n in judged_notices(set_, superevent)})
        except Exception:  # noqa: BLE001  `_failed` logs it
            return _failed(set_, superevent)

    def cached_outcome(self, set_: CriteriaSet, superevent: Superevent) -> GradeOutcome | None:
        """Return the outcome if no map is left to measure for it; None if `outcome` has to."""
        try:
            if needs_map(set_) and required_notices(set_, superevent):
                return self._outcomes.cached(_outcome_key(set_, superevent))
            return grade(set_, superevent, {})
        except Exception:  # noqa: BLE001  `_failed` logs it
            return _failed(set_, superevent)

    async def outcome(self, set_: CriteriaSet, superevent: Superevent) -> GradeOutcome:
        """Return the grade that a set gives a superevent."""
        known = self.cached_outcome(set_, superevent)
        if known is not None:
            return known
        judge = partial(self._judge, set_, superevent)
        return await self._outcomes.get(_outcome_key(set_, superevent), judge)

    async def explain(self, set_: CriteriaSet, superevent: Superevent) -> SetExplanation:
        """Return the grade with every condition's verdict and numbers."""
        try:
            notices = [n for n in judged_notices(set_, superevent) if asks_map(set_, n)]
            return explain(set_, superevent, await self._measure(set_, notices))
        except StoreUnavailable:
            raise
        except Exception:  # noqa: BLE001  `_failed` logs it
            return SetExplanation(outcome=_failed(set_, superevent), grades=())

    async def answer(self, query: GradeQuery, superevent: Superevent) -> float | None:
        """Return 1 if the event's grade compares as asked, 0 if not, None if that isn't decided or known."""
        set_ = BUILT_IN.get(query.slug)
        if set_ is None:
            # Of a newer version: filters ask built-in sets only, a workspace's own are resolved to filters.
            return None
        try:
            compares = compare_grade(set_, await self.outcome(set_, superevent), query)
        except StoreUnavailable:
            raise
        except Exception:
            # The routing of this event, and of those that wait behind it, goes on without the answer.
            log.exception("unexpected_error", subsystem="grading", criteria_set=query.slug)
            return None
        return None if compares is None else float(compares)

    async def answer_about(self, query: GradeQuery, superevent_id: str) -> float | None:
        """Return `answer` for a stored superevent, None if there is none."""
        superevent = await self._notices.superevent(superevent_id)
        return None if superevent is None else await self.answer(query, superevent)

    async def grades_of_past(
        self, set_: CriteriaSet, superevents: Sequence[Superevent]
    ) -> list[GradeOutcome]:
        """Return the outcomes of the first PAST_MAX superevents, in their order."""
        return [await self.outcome(set_, superevent) for superevent in superevents[:PAST_MAX]]

    async def _judge(self, set_: CriteriaSet, superevent: Superevent) -> GradeOutcome:
        try:
            return grade(set_, superevent, await self._measure(set_, required_notices(set_, superevent)))
        except StoreUnavailable:
            raise
        except Exception:  # noqa: BLE001  `_failed` logs it
            return _failed(set_, superevent)

    async def _measure(
        self, set_: CriteriaSet, notices: Sequence[Notice]
    ) -> dict[NoticeKey, MapMeasurements]:
        queries = required_queries(set_)
        is_rubin = set_.is_built_in and set_.slug == RUBIN
        async with self._lock:
            return {
                notice.key: MapMeasurements(
                    probabilities=await self._probabilities(notice, queries),
                    rubin=await self._rubin_sky(notice) if is_rubin else None,
                )
                for notice in notices
            }

    async def _probabilities(
        self, notice: Notice, queries: frozenset[MapQuery]
    ) -> dict[MapQuery, float | None]:
        known = self._answers.get(notice.key, {})
        missing = queries - known.keys()
        if missing:
            # For the night of the notice, so that a grade doesn't change with the time at which it is asked.
            known = known | await self._queries.probabilities(notice.key, missing, notice.time_created)
            self._answers[notice.key] = known
        return known

    async def _rubin_sky(self, notice: Notice) -> RubinSky | None:
        if notice.key in self._rubin or notice.event is None:
            return self._rubin.get(notice.key)
        maps = await self._maps.get(notice.key)
        sky = None
        if maps is not None and maps.gw is not None:
            try:
                sky = await run_in_thread(measure_rubin_sky, maps.gw, notice.event.time)
            except ThreadHangs:
                sky = None
        self._rubin[notice.key] = sky
        return sky


def _failed(set_: CriteriaSet, superevent: Superevent) -> GradeOutcome:
    """Log the exception that is being handled; return the outcome of a set that couldn't be judged."""
    log.exception(
        "unexpected_error",
        subsystem="grading",
        criteria_set=set_.slug,
        superevent_id=superevent.superevent_id,
    )
    return outcome_of_failure(set_, superevent)


def _outcome_key(set_: CriteriaSet, superevent: Superevent) -> _OutcomeKey:
    # Not their number: a notice may take the place of an archive's copy of it.
    return set_, tuple(notice.key for notice in superevent.notices)
