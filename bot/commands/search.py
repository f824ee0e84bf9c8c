"""`/gwevent latest`, `search` and `test`: stored events that fit criteria."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from bot.filters import (
    EventAttributes,
    FilterSyntaxError,
    SiteNameResolver,
    evaluate_criteria,
    parse_criteria,
)
from bot.skymap_service.filter_queries import SkyMapQueries
from bot.store.events.notices import NoticeRepository
from bot.store.events.search import EventSearch
from formatters.answers import answer, recent, search_results
from formatters.answers import help as helping
from formatters.blockkit.message import Message
from formatters.models.filter import FarCompare, conditions, map_queries
from formatters.models.notice import Category
from formatters.models.subscription import Criteria
from formatters.posts import alert_card
from formatters.posts.alert_card import ChannelView
from formatters.text import quantities

MAX_MAP_QUERIES = 50
"""Events, the newest, whose sky maps are queried; each map has to be read and decoded."""

_PERIOD = re.compile(r"(?:^|\s)(since|until)(?:\s+(\S+))?(?=\s|$)", re.IGNORECASE)
_DATE = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?")


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


class SearchCommands:
    """Answers `latest`, `search` and `test`."""

    def __init__(
        self,
        notices: NoticeRepository,
        event_search: EventSearch,
        skymap_queries: SkyMapQueries,
        clock: Callable[[], datetime],
        sites: SiteNameResolver,
    ) -> None:
        self._notices = notices
        self._event_search = event_search
        self._skymap_queries = skymap_queries
        self._clock = clock
        self._sites = sites

    async def latest(self, words: str) -> Message:
        """Answer `latest …` with the newest event that fits; mock, test and lowsig select such events only.

        Raises FilterSyntaxError, StoreUnavailable.
        """
        criteria, category = _parse_criteria_and_category(words, self._sites)
        if criteria.filter is None and not criteria.lowsig:
            return await self._newest_of_group(category, None if criteria.group == "all" else criteria.group)
        result = await self._find_matches(criteria, [category], limit=1)
        if not result.matches:
            sentence = f"No {category.value} event that matches {_query_text(criteria)} was received yet."
            return helping.error_message(sentence + _describe_unqueried(result))
        attributes = result.matches[0]
        message = alert_card.alert_card(
            (await self._event_search.superevents([attributes.superevent_id]))[0],
            ChannelView(asked_at=self._clock()),
        )
        if not (_has_far_condition(criteria) and attributes.far_is_joint):
            return message
        far = quantities.rate(attributes.far)
        introduction = f"It matches by its joint FAR, {far}: a coincidence makes it significant."
        return answer.with_introduction(introduction, message)

    async def _newest_of_group(self, category: Category, group: str | None) -> Message:
        found = await self._notices.newest(category=category, group=group)
        if found:
            return alert_card.alert_card(found[0], ChannelView(asked_at=self._clock()))
        mocks = []
        if category is Category.REAL:
            mocks = await self._notices.newest(category=Category.MOCK, group=group)
        what = " ".join(w for w in (category.value, group) if w)
        if mocks:
            introduction = f"No {what} event was received yet; this is the newest mock."
            return answer.with_introduction(
                introduction, alert_card.alert_card(mocks[0], ChannelView(asked_at=self._clock()))
            )
        return helping.error_message(f"No {what} event was received yet.")

    async def search(self, words: str) -> Message:
        """Answer `search …` with all events that fit, optionally since and until a date.

        Mock, test and lowsig select such events only. Raises FilterSyntaxError, StoreUnavailable.
        """
        rest, since, until = _extract_period(words)
        criteria, category = _parse_criteria_and_category(rest, self._sites)
        result = await self._find_matches(criteria, [category], since=since, until=until)
        found = await self._load_results(_query_text(criteria), criteria, result)
        return search_results.search_message(replace(found, since=since, until=until), self._clock())

    async def test(self, words: str) -> Message:
        """Answer `test …`: the past events that a subscription with these criteria would have brought."""
        return await self.backtest(parse_criteria(words, self._sites))

    async def backtest(self, criteria: Criteria) -> Message:
        """Return the past events that a subscription would have brought. Raises StoreUnavailable."""
        return search_results.backtest_message(await self.preview_subscription(criteria), self._clock())

    async def preview_subscription(self, criteria: Criteria) -> search_results.SearchResults:
        """Return the past events that a subscription would have brought; mock, test, lowsig add events."""
        categories = [Category.REAL]
        categories += [c for c in (Category.MOCK, Category.TEST) if getattr(criteria, c.value)]
        return await self._load_results(
            criteria.canonical_without_mentions,
            criteria,
            await self._find_matches(criteria, categories, switches_widen=True),
        )

    async def _find_matches(
        self,
        criteria: Criteria,
        categories: Sequence[Category],
        *,
        switches_widen: bool = False,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> SearchResult:
        """Return the events that fit; `lowsig` adds low significance if `switches_widen`, else selects it."""
        candidates = await self._event_search.attributes(categories, since=since, until=until)
        # The category was selected by the query.
        effective = replace(
            criteria, mock=True, test=True, lowsig=criteria.lowsig if switches_widen else True
        )
        only_low = criteria.lowsig and not switches_widen

        def evaluate() -> list[tuple[EventAttributes, bool]]:
            found = []
            for attributes in candidates:
                if only_low and attributes.significant:
                    continue
                verdict = evaluate_criteria(effective, attributes, attributes.category)
                if verdict.may_match:
                    found.append((attributes, verdict.matches))
            return found

        matches: list[EventAttributes] = []
        undecided = queried = 0
        queries = map_queries(effective.filter)
        for attributes, is_certain in await asyncio.to_thread(evaluate):
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
                verdict = evaluate_criteria(effective, attributes, attributes.category, probabilities)
                if not verdict.matches:
                    continue
            matches.append(attributes)
        return SearchResult(matches, len(candidates), undecided, queried)

    async def _load_results(
        self, words: str, criteria: Criteria, result: SearchResult
    ) -> search_results.SearchResults:
        listed = result.matches[: recent.MAX_EVENTS]
        superevents = await self._event_search.superevents(
            [attributes.superevent_id for attributes in listed]
        )
        joint = {
            attributes.superevent_id
            for attributes in listed
            if _has_far_condition(criteria) and attributes.far_is_joint
        }
        return search_results.SearchResults(
            canonical=words,
            newest_hits=[
                search_results.SearchHit(superevent=found, by_joint_far=found.superevent_id in joint)
                for found in superevents
            ],
            count=len(result.matches),
            candidates=result.candidates,
            undecided=result.undecided,
            queried=result.queried,
        )


def _parse_criteria_and_category(words: str, sites: SiteNameResolver) -> tuple[Criteria, Category]:
    """Parse a question's criteria, and the category that they select: real unless mock or test is named."""
    criteria = parse_criteria(words, sites)
    if criteria.notify is not None:
        raise FilterSyntaxError('"notify" belongs to a subscription, and this is a question.')
    if criteria.circulars:
        raise FilterSyntaxError('"circulars" belongs to a subscription, and this is a question.')
    if criteria.mock and criteria.test:
        raise FilterSyntaxError('"mock" and "test" together: no event is both; ask for each.')
    category = Category.MOCK if criteria.mock else Category.TEST if criteria.test else Category.REAL
    return criteria, category


def _has_far_condition(criteria: Criteria) -> bool:
    """Return whether the filter has a condition on the false-alarm rate."""
    return criteria.filter is not None and any(isinstance(c, FarCompare) for c in conditions(criteria.filter))


def _query_text(criteria: Criteria) -> str:
    """Return the criteria as text, without "all" in front of a filter."""
    return (
        criteria.canonical_without_mentions.removeprefix("all ")
        if criteria.canonical_without_mentions != "all"
        else "all"
    )


def _describe_unqueried(result: SearchResult) -> str:
    if result.queried == result.undecided:
        return ""
    return (
        f" (The sky map decides about {result.undecided} events; gwevent checked only the maps of the newest"
        f" {result.queried}.)"
    )


def _extract_period(words: str) -> tuple[str, datetime | None, datetime | None]:
    """Extract "since 2023-05" and "until 2023-06-30": (the other words, start, end).

    The end is not included. Raises FilterSyntaxError.
    """
    ranges: dict[str, tuple[datetime, datetime]] = {}
    for match in _PERIOD.finditer(words):
        which, date = match[1].casefold(), match[2]
        if which in ranges:
            raise FilterSyntaxError(f'"{which}" stands there twice.')
        if date is None:
            raise FilterSyntaxError(f'"{which}" needs a date after it: 2023, 2023-05 or 2023-05-18.')
        ranges[which] = _date_range(date)
    since = ranges["since"][0] if "since" in ranges else None
    until = ranges["until"][1] if "until" in ranges else None
    if since is not None and until is not None and since >= until:
        raise FilterSyntaxError('"until" lies before "since".')
    return _PERIOD.sub(" ", words), since, until


def _date_range(date: str) -> tuple[datetime, datetime]:
    """Return the start of a year, month or day (UTC), and the start of the next. Raises FilterSyntaxError."""
    match = _DATE.fullmatch(date)
    try:
        if match is None:
            raise ValueError
        year, month, day = int(match[1]), int(match[2] or 1), int(match[3] or 1)
        begin = datetime(year, month, day, tzinfo=UTC)
        if match[3]:
            end = datetime.fromordinal(begin.toordinal() + 1).replace(tzinfo=UTC)
        elif match[2]:
            end = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
        else:
            end = datetime(year + 1, 1, 1, tzinfo=UTC)
    except ValueError:
        raise FilterSyntaxError(f'"{date[:40]}" is no date: 2023, 2023-05 or 2023-05-18.') from None
    return begin, end
