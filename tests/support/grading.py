"""A stand-in for criteria sets and their grading, of which a test decides what is judged and when."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

from bot.routing.intents import ChannelRef
from bot.store.channels.card_details import CardDetail
from formatters.models.criteria_set import CriteriaSet, Grade, GradeOutcome, Stage, WhyUndecided
from formatters.models.notice import NoticeKey
from formatters.models.superevent import Superevent

GRADES = ("Gold", "Silver", "Bronze")
NTT = CriteriaSet(slug="ntt-kilonova", grades=tuple(Grade(name, None) for name in GRADES))
RUBIN = CriteriaSet(
    slug="rubin-2026", grades=tuple(Grade(name, None) for name in GRADES), judges_initial=True
)


def graded(set_: CriteriaSet, name: str | None, stage: Stage = Stage.CURRENT) -> GradeOutcome:
    """Return the outcome that a set gives this grade, or none."""
    return GradeOutcome(
        slug=set_.slug,
        grades=() if name is None else (name,),
        rank=None if name is None else GRADES.index(name),
        stage=stage,
    )


@dataclass
class ChosenSets:
    """The sets that channels chose."""

    by_channel: dict[str, tuple[CriteriaSet, ...]] = field(default_factory=dict)
    queries: int = 0

    async def for_channels(
        self, channel_refs: Collection[ChannelRef]
    ) -> Mapping[ChannelRef, tuple[CriteriaSet, ...]]:
        self.queries += 1
        return {ref: self.by_channel[ref[1]] for ref in channel_refs if ref[1] in self.by_channel}


class EveryDetail:
    """Lets each card look for everything, also for what isn't in the database, such as `ChosenSets`."""

    async def for_threads(self, thread_ids: Collection[int]) -> Mapping[int, frozenset[CardDetail]]:
        return dict.fromkeys(thread_ids, frozenset(CardDetail))


@dataclass
class SteeredGrading:
    """Gives the grade that `grade_of` returns, for sets of `needs_map` only after `measured` is set."""

    grade_of: Callable[[CriteriaSet, Superevent], str | None]
    needs_map: set[str] = field(default_factory=set)
    measured: asyncio.Event = field(default_factory=asyncio.Event)
    error: Exception | None = None
    """Raised by every measurement."""
    judged: list[tuple[str, int]] = field(default_factory=list)
    """Slug and number of notices of each measurement, in order."""
    _kept: dict[tuple[str, NoticeKey, int], GradeOutcome] = field(default_factory=dict)

    def outcome_without_map(self, set_: CriteriaSet, superevent: Superevent) -> GradeOutcome:
        stage = self._outcome(set_, superevent).stage
        nothing = replace(graded(set_, None, stage), undecided=GRADES)
        return replace(nothing, why_undecided=WhyUndecided.MAP_PENDING)

    def cached_outcome(self, set_: CriteriaSet, superevent: Superevent) -> GradeOutcome | None:
        if set_.slug not in self.needs_map:
            return self._outcome(set_, superevent)
        return self._kept.get((set_.slug, superevent.latest.key, len(superevent.notices)))

    async def outcome(self, set_: CriteriaSet, superevent: Superevent) -> GradeOutcome:
        if self.error is not None:
            raise self.error
        if set_.slug in self.needs_map:
            await self.measured.wait()
        self.judged.append((set_.slug, len(superevent.notices)))
        found = self._outcome(set_, superevent)
        self._kept[set_.slug, superevent.latest.key, len(superevent.notices)] = found
        return found

    def _outcome(self, set_: CriteriaSet, superevent: Superevent) -> GradeOutcome:
        stage = Stage.CURRENT
        if superevent.is_retracted:
            stage = Stage.ENDED
        elif set_.judges_initial:
            has_initial = any(notice.alert_type == "INITIAL" for notice in superevent.notices)
            stage = Stage.STANDS if has_initial else Stage.WOULD_BE
        return graded(set_, self.grade_of(set_, superevent), stage)
