"""`/gwevent latest`, `events` and `test`: stored events that fit criteria."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot.commands.channel_criteria import ChannelCriteriaSets
from bot.commands.channel_sites import ChannelSiteResolvers
from bot.commands.command_types import CommandAnswer
from bot.commands.context import CommandContext
from bot.commands.errors import CommandError
from bot.filters import EventAttributes, evaluate_group_and_filter, find_contradiction, parse_criteria
from bot.filters.event_question import EventQuestion, parse_event_question
from bot.filters.rate_units import find_missing_rate_unit
from bot.filters.scope_words import Scope
from bot.skymap_service.filter_queries import SkyMapQueries
from bot.store.events.search import PAGES, EventSearch
from formatters.answers import answer, recent, search_results
from formatters.answers import help as helping
from formatters.blockkit.message import Message
from formatters.models.filter import Compare, FarCompare, conditions, map_queries
from formatters.models.subscription import Criteria
from formatters.posts import alert_card
from formatters.text import quantities

MAX_MAP_QUERIES = 50
"""Events, the newest, whose sky maps are queried; each map has to be read and decoded."""

_ALONE = {
    "mock": Scope(real=False, mock=True),
    "test": Scope(real=False, test=True),
    "lowsig": Scope(significant=False, lowsig=True),
    "retracted": Scope(standing=False, retracted=True),
}
"""The scope in which events of one kind stand alone."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The events that fit criteria, and how they were found."""

    matches: Sequence[EventAttributes]
    """The newest first."""
    candidates: int
    """Number of events that were evaluated."""
    undecided: int
    """Number of candidates for which only the sky map decides."""
    queried: int
    """Number of these whose sky map was queried, at most MAX_MAP_QUERIES."""
    left_out: recent.UnaskedEvents
    """How many more fit but are of low significance or retracted, which nobody asked for."""
    newest_retracted: str | None
    """A significant event that fits, is newer than all matches, and was retracted; None if there is none."""
    why_none: str = ""
    """Why nothing fits, one sentence, if that is known; empty otherwise."""
    is_complete: bool = True
    """False if older events may fit too, since only the newest were asked for."""


class SearchCommands:
    """Answers `latest`, `events` and `test`."""

    def __init__(
        self,
        event_search: EventSearch,
        skymap_queries: SkyMapQueries,
        clock: Callable[[], datetime],
        sites: ChannelSiteResolvers,
        criteria_sets: ChannelCriteriaSets,
    ) -> None:
        self._event_search = event_search
        self._skymap_queries = skymap_queries
        self._clock = clock
        self._sites = sites
        self._criteria_sets = criteria_sets

    async def latest(self, words: str, context: CommandContext | None = None) -> CommandAnswer:
        """Answer `latest …` with the newest event that fits; with a number it is `events`.

        Raises FilterSyntaxError, StoreUnavailable.
        """
        question = await self._parse(words, context)
        if question.count is not None and question.count != 1:
            return CommandAnswer(await self._list(question, context))
        result = await self._find_matches(question, limit=1)
        if not result.matches:
            return await self._no_latest(question, result)
        attributes = result.matches[0]
        (superevent,) = await self._event_search.superevents([attributes.superevent_id])
        message = alert_card.alert_card(superevent, alert_card.ChannelView(asked_at=self._clock()))
        introduction = ""
        if _has_far_condition(question.criteria) and attributes.far_is_joint:
            far = quantities.rate(attributes.far)
            introduction = f"It matches by its joint FAR, {far}: a coincidence makes it significant."
        elif question.criteria == Criteria() and result.newest_retracted is not None:
            introduction = f"{result.newest_retracted}, which is newer, was retracted."
        introduction = introduction or await self._newest_of_other_kinds(question, [attributes])
        if introduction:
            message = answer.with_introduction(introduction, message)
        return CommandAnswer(message, superevent.superevent_id)

    async def _newest_of_other_kinds(self, question: EventQuestion, shown: Sequence[EventAttributes]) -> str:
        """Return the newest mock, test … if these are asked for *also* and all that is shown is newer."""
        found = []
        for kind, alone in _ALONE.items():
            if not getattr(question.scope, kind) or question.scope == alone or any(map(alone.accepts, shown)):
                continue
            result = await self._find_matches(replace(question, scope=alone), limit=1)
            if result.matches and question.scope.accepts(result.matches[0]):
                found.append(f"{result.matches[0].superevent_id} (only {kind})")
        return f"Older, and also asked for: {', '.join(found)}." if found else ""

    async def _no_latest(self, question: EventQuestion, result: SearchResult) -> CommandAnswer:
        what = question.text.replace("all", "", 1).strip() if question.text == "all" else question.text
        wanted = f"No event that matches {what}" if what else "No significant event"
        sentence = f"{wanted} was received yet.{_describe_unqueried(result)}"
        if result.why_none:
            sentence += f" {result.why_none}"
        left_out = recent.left_out_sentence(result.left_out)
        if left_out:
            sentence += f" {left_out}"
        if question.scope == Scope(every_group=question.scope.every_group) and question.period.is_open:
            # Before the first real event people look at mocks to see that something arrives.
            only_mocks = replace(question, scope=Scope(real=False, mock=True))
            mocks = await self._find_matches(only_mocks, limit=1)
            if mocks.matches and not result.left_out:
                (mock,) = await self._event_search.superevents([mocks.matches[0].superevent_id])
                card = alert_card.alert_card(mock, alert_card.ChannelView(asked_at=self._clock()))
                introduction = f"{wanted} was received yet; this is the newest mock."
                return CommandAnswer(answer.with_introduction(introduction, card), mock.superevent_id)
        return CommandAnswer(helping.error_message(sentence))

    async def events(self, words: str, context: CommandContext | None = None) -> Message:
        """Answer `events [N] [filter] [period]`. Raises FilterSyntaxError, StoreUnavailable."""
        return await self._list(await self._parse(words, context), context)

    async def _parse(self, words: str, context: CommandContext | None) -> EventQuestion:
        asked = parse_event_question(words, self._clock(), await self._sites.for_text(context, words))
        return replace(asked, criteria=await self._criteria_sets.resolve(asked.criteria, context))

    async def _list(self, question: EventQuestion, context: CommandContext | None) -> Message:
        if question.count is not None and not 1 <= question.count <= recent.MAX_EVENTS:
            raise CommandError(f'"events" lists from 1 to {recent.MAX_EVENTS} at a time.')
        is_plain = question.criteria.filter is None and question.period.is_open
        default = recent.DEFAULT_COUNT if question.text == "all" else recent.DEFAULT_COUNT_OF_KIND
        # The newest few are found without reading all that was ever received.
        result = await self._find_matches(question, limit=(question.count or default) if is_plain else None)
        found = await self._load_results(question.title, question.criteria, result, context, question.count)
        if is_plain:
            shown = found.newest_hits[: question.count or default]
            listed = {hit.superevent.superevent_id for hit in shown}
            return recent.message(
                recent.RecentEvents(
                    [hit.superevent for hit in shown],
                    kind=question.title,
                    left_out=found.left_out,
                    note=await self._newest_of_other_kinds(
                        question, [match for match in result.matches if match.superevent_id in listed]
                    ),
                    total=found.count if result.is_complete else None,
                ),
                self._clock(),
            )
        return search_results.search_message(replace(found, period=question.period.text), self._clock())

    async def test(self, words: str, context: CommandContext | None = None) -> Message:
        """Answer `test …`: the past events that a subscription with these criteria would have brought."""
        criteria = parse_criteria(words, await self._sites.for_text(context, words))
        criteria = await self._criteria_sets.resolve(criteria, context)
        contradiction = await asyncio.to_thread(find_contradiction, criteria)
        found = await self.backtest(criteria, context)
        return found if contradiction is None else answer.with_introduction(contradiction, found)

    async def backtest(self, criteria: Criteria, context: CommandContext | None = None) -> Message:
        """Return the past events that a subscription would have brought, with their grades.

        Raises StoreUnavailable.
        """
        criteria = await self._criteria_sets.define(criteria, context)
        results = await self.preview_subscription(criteria, context)
        missing = await self._criteria_sets.missing_from(criteria, context)
        if missing:
            note = f"No such criteria set or grade: {', '.join(missing)}. Conditions on that never hold."
            results = replace(results, note=" ".join(filter(None, (results.note, note))))
        return search_results.backtest_message(results, self._clock())

    async def preview_subscription(
        self, criteria: Criteria, context: CommandContext | None = None
    ) -> search_results.SearchResults:
        """Return the past events that a subscription would have brought; mock, test, lowsig add events.

        Retracted ones are among them: the subscription brought them before they were retracted. Each listed
        event has its grades by the sets that the subscription names.
        """
        scope = Scope(
            real=criteria.real, mock=criteria.mock, test=criteria.test, lowsig=criteria.lowsig, retracted=True
        )
        question = EventQuestion(criteria=Criteria(group=criteria.group, filter=criteria.filter), scope=scope)
        result = replace(await self._find_matches(question), left_out=recent.NOTHING_LEFT_OUT, why_none="")
        return await self._load_results(criteria.canonical_without_mentions, criteria, result, context)

    async def _find_matches(self, question: EventQuestion, *, limit: int | None = None) -> SearchResult:
        """Return the events that are asked for, and how many more there are of other kinds.

        With `limit`, only the newest so many; then the counts are those of the events that were read for it.
        """
        period = question.period
        for page in (*(() if limit is None else PAGES), None):
            known = await self._event_search.attributes(
                question.scope.categories, since=period.since, until=period.until, limit=page
            )
            result = await self._match(question, known, limit)
            is_complete = page is None or len(known) < page
            if is_complete or len(result.matches) == limit:
                break
        return replace(result, is_complete=is_complete and len(result.matches) != limit)

    async def _match(
        self, question: EventQuestion, known: Sequence[EventAttributes], limit: int | None
    ) -> SearchResult:
        with_lowsig = replace(question, scope=replace(question.scope, lowsig=True))
        with_retracted = replace(question, scope=replace(question.scope, retracted=True))

        def evaluate() -> tuple[int, list[tuple[EventAttributes, bool]], recent.UnaskedEvents, str | None]:
            candidates, lowsig, retracted, certain = 0, 0, 0, 0
            newest_retracted: str | None = None
            found: list[tuple[EventAttributes, bool]] = []
            for attributes in known:
                if limit is not None and certain == limit:
                    break
                if question.scope.accepts(attributes):
                    candidates += 1
                    verdict = evaluate_group_and_filter(question.criteria, attributes)
                    if verdict.may_match:
                        found.append((attributes, verdict.matches))
                        certain += verdict.matches
                elif with_lowsig.evaluate(attributes).matches:
                    lowsig += 1
                elif with_retracted.evaluate(attributes).matches:
                    retracted += 1
                    if not found and newest_retracted is None:
                        newest_retracted = attributes.superevent_id
            return candidates, found, recent.UnaskedEvents(lowsig, retracted), newest_retracted

        # The way to a thread and back takes longer than a few events.
        evaluated = evaluate() if len(known) <= PAGES[0] else await asyncio.to_thread(evaluate)
        candidates, possible, left_out, newest_retracted = evaluated
        matches: list[EventAttributes] = []
        undecided = queried = 0
        queries = map_queries(question.criteria.filter)
        for attributes, is_certain in possible:
            if limit is not None and len(matches) == limit:
                break
            if not is_certain:
                undecided += 1
                if queried == MAX_MAP_QUERIES:
                    continue
                queried += 1
                probabilities = await self._skymap_queries.probabilities(
                    attributes.notice_key, queries, attributes.time_created
                )
                if not question.evaluate(attributes, probabilities).matches:
                    continue
            matches.append(attributes)
        why_none = "" if matches else await asyncio.to_thread(_why_none, question, known)
        return SearchResult(matches, candidates, undecided, queried, left_out, newest_retracted, why_none)

    async def _load_results(
        self,
        words: str,
        criteria: Criteria,
        result: SearchResult,
        context: CommandContext | None,
        limit: int | None = None,
    ) -> search_results.SearchResults:
        listed = result.matches[: limit or recent.MAX_EVENTS]
        superevents = await self._event_search.superevents(
            [attributes.superevent_id for attributes in listed]
        )
        joint = {
            attributes.superevent_id
            for attributes in listed
            if _has_far_condition(criteria) and attributes.far_is_joint
        }
        grades = await self._criteria_sets.grades_of_past(criteria.used_sets, superevents, context)
        return search_results.SearchResults(
            canonical=words,
            newest_hits=[
                search_results.SearchHit(
                    superevent=found, by_joint_far=found.superevent_id in joint, grades=said
                )
                for found, said in zip(superevents, grades, strict=True)
            ],
            count=len(result.matches),
            candidates=result.candidates,
            undecided=result.undecided,
            queried=result.queried,
            left_out=result.left_out,
            note=" ".join(filter(None, (result.why_none, *_definitions(criteria)))),
        )


_MEANINGS = {
    "z": "z is the redshift of the mean distance (Planck18).",
    "mchirp": "mchirp is the median of the source-frame chirp mass.",
}


def _definitions(criteria: Criteria) -> list[str]:
    """Return sentences on what the filter's quantities mean, where that isn't in the notice itself."""
    asked = () if criteria.filter is None else conditions(criteria.filter)
    names = dict.fromkeys(one.quantity for one in asked if isinstance(one, Compare))
    meanings = [_MEANINGS[name] for name in names if name in _MEANINGS]
    missing_unit = find_missing_rate_unit(criteria)
    return meanings if missing_unit is None else [*meanings, missing_unit]


def _why_none(question: EventQuestion, known: Sequence[EventAttributes]) -> str:
    """Return why no event is what was asked for, one sentence; empty if nothing explains it."""
    accepted = [attributes for attributes in known if question.scope.accepts(attributes)]
    unstated = question.unstated(accepted)
    if question.contradiction is not None:
        return question.contradiction
    return f"None of these events states {' or '.join(unstated)}." if unstated else ""


def _has_far_condition(criteria: Criteria) -> bool:
    """Return whether the filter has a condition on the false-alarm rate."""
    return criteria.filter is not None and any(isinstance(c, FarCompare) for c in conditions(criteria.filter))


def _describe_unqueried(result: SearchResult) -> str:
    if result.queried == result.undecided:
        return ""
    return (
        f" (The sky map decides about {result.undecided} events; gwevent checked only the maps of the newest"
        f" {result.queried}.)"
    )
