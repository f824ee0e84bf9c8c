"""`/gwevent criteria`: a workspace's rules with grades, what they say about an event, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from bot.commands.channel_criteria import ChannelCriteriaSets
from bot.commands.context import CommandContext
from bot.commands.criteria_names import find_sets, mentioned_sets
from bot.commands.event_lookup import EventLookup
from bot.commands.visible import extract_event_id
from bot.store.events.search import PAGES, EventSearch
from formatters.answers import criteria
from formatters.blockkit.message import Message
from formatters.models.criteria_set import CriteriaSet, GradeOutcome, SetExplanation
from formatters.models.notice import Category
from formatters.models.superevent import Superevent


class SetJudge(Protocol):
    """Judges criteria sets for events, with their sky maps where these decide."""

    async def outcome(self, set_: CriteriaSet, superevent: Superevent) -> GradeOutcome:
        """Return the grade. Raises StoreUnavailable."""
        ...

    async def explain(self, set_: CriteriaSet, superevent: Superevent) -> SetExplanation:
        """Return the grade and the verdict on each condition. Raises StoreUnavailable."""
        ...


class CriteriaCommands:
    """Answers `criteria`: lists sets, judges them, changes them.

    All methods raise FilterSyntaxError with a sentence for the person, StoreUnavailable.
    """

    def __init__(
        self,
        sets: ChannelCriteriaSets,
        judge: SetJudge,
        events: EventLookup,
        event_search: EventSearch,
        clock: Callable[[], datetime],
    ) -> None:
        self._sets = sets
        self._judge = judge
        self._events = events
        self._event_search = event_search
        self._clock = clock

    async def list_sets(self, _arguments: str, context: CommandContext | None) -> Message:
        """Answer `criteria`: the workspace's sets and the built-in ones, and which this channel shows."""
        sets = (await self._sets.by_slug(context)).values()
        return criteria.set_list(
            criteria.ListedSets(
                own=[one for one in sets if not one.is_built_in],
                built_in=[one for one in sets if one.is_built_in],
                shown={one.slug for one in await self._sets.shown_in(context)},
                is_channel=context is not None,
            )
        )

    async def show(self, arguments: str, context: CommandContext | None) -> Message:
        """Answer `criteria show [NAME …] [EVENT]`: one set is explained, several or the channel's are judged.

        The router adds the event that is meant where nobody names one. Raises NoSuchEvent.
        """
        superevent, words = await self._split_event(arguments)
        sets = await self._sets.by_slug(context)
        return await self._answer(find_sets(words, sets), sets, superevent, context)

    async def answer_question(self, arguments: str, context: CommandContext | None) -> Message:
        """Answer a sentence such as "would rubin trigger", of which only the names of sets count.

        Raises NoSuchEvent.
        """
        superevent, words = await self._split_event(arguments)
        sets = await self._sets.by_slug(context)
        return await self._answer(mentioned_sets(words, sets), sets, superevent, context)

    async def _split_event(self, arguments: str) -> tuple[Superevent | None, str]:
        nonstandard_ids = await self._events.find_nonstandard_ids(arguments)
        superevent_id, words = extract_event_id(arguments, nonstandard_ids)
        return await self._events.get_named(superevent_id), words

    async def _answer(
        self,
        named: Sequence[CriteriaSet],
        sets: Mapping[str, CriteriaSet],
        superevent: Superevent | None,
        context: CommandContext | None,
    ) -> Message:
        chosen, note = list(named), ""
        if not chosen:
            chosen = list(await self._sets.shown_in(context))
        if not chosen:
            # The workspace's own come first: people wrote them to be asked.
            chosen = sorted(sets.values(), key=lambda one: one.is_built_in)
            if context is not None:
                note = "This channel's messages show no criteria; these are all that there are."
        if superevent is None:
            said = "No event was received yet that these criteria could judge."
            return criteria.definition(chosen[0], said) if len(chosen) == 1 else await self._no_event(context)
        if len(chosen) == 1:
            return await self._explain(chosen[0], superevent)
        judged = chosen[: criteria.MAX_JUDGED]
        return criteria.judged(
            superevent,
            [await self._judge.explain(one, superevent) for one in judged],
            self._clock(),
            further=[one.slug for one in chosen[criteria.MAX_JUDGED :]],
            note=note,
        )

    async def _no_event(self, context: CommandContext | None) -> Message:
        return await self.list_sets("", context)

    async def _explain(self, set_: CriteriaSet, superevent: Superevent) -> Message:
        explanation = await self._judge.explain(set_, superevent)
        past = [
            criteria.PastGrade(superevent=one, outcome=await self._judge.outcome(set_, one))
            for one in await self._newest_significant(criteria.MAX_PAST_EVENTS)
        ]
        return criteria.explained(set_, superevent, explanation, past, self._clock())

    async def _newest_significant(self, count: int) -> list[Superevent]:
        """Return the newest real, significant events that aren't retracted."""
        for page in (*PAGES[1:], None):
            known = await self._event_search.attributes([Category.REAL], limit=page)
            ids = [one.superevent_id for one in known if one.significant and not one.retracted]
            if len(ids) >= count or page is None or len(known) < page:
                break
        return await self._event_search.superevents(ids[:count])
