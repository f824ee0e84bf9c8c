"""Choosing among what was received: `latest`, `search` and `test`, each with any filter."""

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
    is_match,
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
"""Of how many events the map is asked, the newest: each has to be read."""

_PERIOD = re.compile(r"(?:^|\s)(since|until)(?:\s+(\S+))?(?=\s|$)", re.IGNORECASE)
_DATE = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?")


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What fits a wish."""

    matches: Sequence[EventAttributes]
    """The newest first."""
    candidates: int
    """How many were looked at."""
    undecided: int
    """For how many of them the map alone decides."""
    queried: int
    """Of how many of these it was asked."""


class SearchCommands:
    """Answers from everything that was received."""

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
        """The newest event that fits; the switches restrict."""
        criteria, category = _parse_criteria_and_category(words, self._sites)
        if criteria.filter is None and not criteria.lowsig:
            return await self._newest_of_group(category, None if criteria.group == "all" else criteria.group)
        chosen = await self._find_matches(criteria, [category], limit=1)
        if not chosen.matches:
            said = f"No {category.value} event that fits {_query_text(criteria)} was received yet."
            return helping.error_message(said + _describe_unqueried(chosen))
        traits = chosen.matches[0]
        message = alert_card.alert_card(
            (await self._event_search.superevents([traits.superevent_id]))[0], ChannelView()
        )
        if not (_has_far_condition(criteria) and traits.far_is_joint):
            return message
        said = f"It fits by its joint FAR, {quantities.rate(traits.far)}: a coincidence makes it significant."
        return answer.with_introduction(said, message)

    async def _newest_of_group(self, category: Category, group: str | None) -> Message:
        found = await self._notices.newest(category=category, group=group)
        if found:
            return alert_card.alert_card(found[0], ChannelView())
        mocks = []
        if category is Category.REAL:
            mocks = await self._notices.newest(category=Category.MOCK, group=group)
        what = " ".join(w for w in (category.value, group) if w)
        if mocks:
            said = f"No {what} event was received yet; this is the newest mock."
            return answer.with_introduction(said, alert_card.alert_card(mocks[0], ChannelView()))
        return helping.error_message(f"No {what} event was received yet.")

    async def search(self, words: str) -> Message:
        """All events that fit, in a span of time; the switches restrict."""
        rest, since, until = _extract_period(words)
        criteria, category = _parse_criteria_and_category(rest, self._sites)
        chosen = await self._find_matches(criteria, [category], since=since, until=until)
        found = await self._load_results(_query_text(criteria), criteria, chosen)
        return search_results.search_message(replace(found, since=since, until=until), self._clock())

    async def test(self, words: str) -> Message:
        """Answer `test …`: the past events that a subscription with these criteria would have brought."""
        return await self.backtest(parse_criteria(words, self._sites))

    async def backtest(self, criteria: Criteria) -> Message:
        """Return the past events that a subscription would have brought. Raises StoreUnavailable."""
        return search_results.backtest_message(await self.preview_subscription(criteria), self._clock())

    async def preview_subscription(self, criteria: Criteria) -> search_results.SearchResults:
        """Which events a subscription would have brought; its switches widen, its mentions don't matter."""
        asked = [Category.REAL]
        asked += [c for c in (Category.MOCK, Category.TEST) if getattr(criteria, c.value)]
        return await self._load_results(
            criteria.canonical_without_mentions,
            criteria,
            await self._find_matches(criteria, asked, switches_widen=True),
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
        """What fits; `widens` says that low significance is let in, not asked for."""
        every = await self._event_search.attributes(categories, since=since, until=until)
        # Which category it is was settled by the query.
        meant = replace(criteria, mock=True, test=True, lowsig=criteria.lowsig if switches_widen else True)
        only_low = criteria.lowsig and not switches_widen

        def judge() -> list[tuple[EventAttributes, bool]]:
            found = []
            for traits in every:
                if only_low and traits.significant:
                    continue
                verdict = evaluate_criteria(meant, traits, traits.category)
                if verdict[1] == 1:
                    found.append((traits, is_match(verdict)))
            return found

        fitting: list[EventAttributes] = []
        hung = asked = 0
        questions = map_queries(meant.filter)
        for traits, certain in await asyncio.to_thread(judge):
            if limit is not None and len(fitting) == limit:
                break
            if not certain:
                hung += 1
                if asked == MAX_MAP_QUERIES:
                    continue
                asked += 1
                shares = await self._skymap_queries.probabilities(
                    traits.notice_key, questions, traits.time_created
                )
                if not is_match(evaluate_criteria(meant, traits, traits.category, shares)):
                    continue
            fitting.append(traits)
        return SearchResult(fitting, len(every), hung, asked)

    async def _load_results(
        self, words: str, criteria: Criteria, chosen: SearchResult
    ) -> search_results.SearchResults:
        listed = chosen.matches[: recent.MAX_EVENTS]
        superevents = await self._event_search.superevents([traits.superevent_id for traits in listed])
        joint = {
            traits.superevent_id for traits in listed if _has_far_condition(criteria) and traits.far_is_joint
        }
        return search_results.SearchResults(
            canonical=words,
            newest_hits=[
                search_results.SearchHit(superevent=found, by_joint_far=found.superevent_id in joint)
                for found in superevents
            ],
            count=len(chosen.matches),
            candidates=chosen.candidates,
            undecided=chosen.undecided,
            queried=chosen.queried,
        )


def _parse_criteria_and_category(words: str, sites: SiteNameResolver) -> tuple[Criteria, Category]:
    """What is chosen by: a filter, and mock or test instead of real."""
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
    """Whether it asks for a FAR."""
    return criteria.filter is not None and any(isinstance(c, FarCompare) for c in conditions(criteria.filter))


def _query_text(criteria: Criteria) -> str:
    """The words of a question; "all" says nothing in front of a filter."""
    return (
        criteria.canonical_without_mentions.removeprefix("all ")
        if criteria.canonical_without_mentions != "all"
        else "all"
    )


def _describe_unqueried(chosen: SearchResult) -> str:
    if chosen.queried == chosen.undecided:
        return ""
    return f" (Of {chosen.undecided} events the map decides; only the newest {chosen.queried} were asked.)"


def _extract_period(words: str) -> tuple[str, datetime | None, datetime | None]:
    """Take "since 2023-05" and "until 2023-06-30" out: (the rest, from, to before)."""
    said: dict[str, tuple[datetime, datetime]] = {}
    for match in _PERIOD.finditer(words):
        which, date = match[1].casefold(), match[2]
        if which in said:
            raise FilterSyntaxError(f'"{which}" stands there twice.')
        if date is None:
            raise FilterSyntaxError(f'"{which}" needs a date after it: 2023, 2023-05 or 2023-05-18.')
        said[which] = _date_range(date)
    since = said["since"][0] if "since" in said else None
    until = said["until"][1] if "until" in said else None
    if since is not None and until is not None and since >= until:
        raise FilterSyntaxError('"until" lies before "since".')
    return _PERIOD.sub(" ", words), since, until


def _date_range(date: str) -> tuple[datetime, datetime]:
    """The first moment of a year, month or day (UTC), and the first after it."""
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
