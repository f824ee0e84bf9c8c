"""Choosing among what was received: `latest`, `search` and `test`, each with any filter."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from bot.filters import SiteNames, Traits, UnknownWord, holds, parse, wish_verdict
from bot.skymap_service.filter_queries import MapAsker
from bot.store.events.notices import Store
from bot.store.events.search import Past
from formatters.answers import answer, recent, search_results
from formatters.answers import help as helping
from formatters.answers.subscription_messages import Wish
from formatters.blockkit.message import Message
from formatters.models.filter import Far, conditions, map_questions
from formatters.models.notice import Category
from formatters.posts import alert_card
from formatters.posts.alert_card import ChannelView
from formatters.text import quantities

MAPS_ASKED = 50
"""Of how many events the map is asked, the newest: each has to be read."""

_PERIOD = re.compile(r"(?:^|\s)(since|until)(?:\s+(\S+))?(?=\s|$)", re.IGNORECASE)
_DATE = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?")


@dataclass(frozen=True, slots=True)
class Chosen:
    """What fits a wish."""

    fitting: Sequence[Traits]
    """The newest first."""
    among: int
    """How many were looked at."""
    hung: int
    """For how many of them the map alone decides."""
    asked: int
    """Of how many of these it was asked."""


class Choosing:
    """Answers from everything that was received."""

    def __init__(
        self,
        store: Store,
        past: Past,
        asker: MapAsker,
        clock: Callable[[], datetime],
        sites: SiteNames,
    ) -> None:
        self._store = store
        self._past = past
        self._asker = asker
        self._clock = clock
        self._sites = sites

    async def latest(self, words: str) -> Message:
        """The newest event that fits; the switches restrict."""
        wish, category = _choice(words, self._sites)
        if wish.filter is None and not wish.lowsig:
            return await self._newest(category, None if wish.group == "all" else wish.group)
        chosen = await self._choose(wish, [category], most=1)
        if not chosen.fitting:
            said = f"No {category.value} event that fits {_typed(wish)} was received yet."
            return helping.complaint(said + _unasked(chosen))
        traits = chosen.fitting[0]
        message = alert_card.root((await self._past.superevents([traits.superevent_id]))[0], ChannelView())
        if not (_rates(wish) and traits.joint):
            return message
        said = f"It fits by its joint FAR, {quantities.rate(traits.far)}: a coincidence makes it significant."
        return answer.introduced(said, message)

    async def _newest(self, category: Category, group: str | None) -> Message:
        found = await self._store.newest(category=category, group=group)
        if found:
            return alert_card.root(found[0], ChannelView())
        mocks = []
        if category is Category.REAL:
            mocks = await self._store.newest(category=Category.MOCK, group=group)
        what = " ".join(w for w in (category.value, group) if w)
        if mocks:
            said = f"No {what} event was received yet; this is the newest mock."
            return answer.introduced(said, alert_card.root(mocks[0], ChannelView()))
        return helping.complaint(f"No {what} event was received yet.")

    async def search(self, words: str) -> Message:
        """All events that fit, in a span of time; the switches restrict."""
        rest, since, until = _period(words)
        wish, category = _choice(rest, self._sites)
        chosen = await self._choose(wish, [category], since=since, until=until)
        found = await self._matching(_typed(wish), wish, chosen)
        return search_results.searched(replace(found, since=since, until=until), self._clock())

    async def test(self, words: str) -> Message:
        """Which events a subscription to these words would have brought."""
        return search_results.tested(await self.brought(parse(words, self._sites)), self._clock())

    async def brought(self, wish: Wish) -> search_results.Matching:
        """Which events a subscription would have brought; its switches widen, its mentions don't matter."""
        asked = [Category.REAL]
        asked += [c for c in (Category.MOCK, Category.TEST) if getattr(wish, c.value)]
        return await self._matching(wish.what, wish, await self._choose(wish, asked, widens=True))

    async def _choose(
        self,
        wish: Wish,
        categories: Sequence[Category],
        *,
        widens: bool = False,
        since: datetime | None = None,
        until: datetime | None = None,
        most: int | None = None,
    ) -> Chosen:
        """What fits; `widens` says that low significance is let in, not asked for."""
        every = await self._past.traits(categories, since=since, until=until)
        # Which category it is was settled by the query.
        meant = replace(wish, mock=True, test=True, lowsig=wish.lowsig if widens else True)
        only_low = wish.lowsig and not widens

        def judge() -> list[tuple[Traits, bool]]:
            found = []
            for traits in every:
                if only_low and traits.significant:
                    continue
                verdict = wish_verdict(meant, traits, traits.category)
                if verdict[1] == 1:
                    found.append((traits, holds(verdict)))
            return found

        fitting: list[Traits] = []
        hung = asked = 0
        questions = map_questions(meant.filter)
        for traits, certain in await asyncio.to_thread(judge):
            if most is not None and len(fitting) == most:
                break
            if not certain:
                hung += 1
                if asked == MAPS_ASKED:
                    continue
                asked += 1
                shares = await self._asker.shares(traits.notice_key, questions, traits.time_created)
                if not holds(wish_verdict(meant, traits, traits.category, shares)):
                    continue
            fitting.append(traits)
        return Chosen(fitting, len(every), hung, asked)

    async def _matching(self, words: str, wish: Wish, chosen: Chosen) -> search_results.Matching:
        listed = chosen.fitting[: recent.MOST]
        superevents = await self._past.superevents([traits.superevent_id for traits in listed])
        joint = {traits.superevent_id for traits in listed if _rates(wish) and traits.joint}
        return search_results.Matching(
            words=words,
            newest=[
                search_results.Found(superevent=found, joint=found.superevent_id in joint)
                for found in superevents
            ],
            count=len(chosen.fitting),
            among=chosen.among,
            hung=chosen.hung,
            asked=chosen.asked,
        )


def _choice(words: str, sites: SiteNames) -> tuple[Wish, Category]:
    """What is chosen by: a filter, and mock or test instead of real."""
    wish = parse(words, sites)
    if wish.notify is not None:
        raise UnknownWord('"notify" belongs to a subscription, and this is a question.')
    if wish.circulars:
        raise UnknownWord('"circulars" belongs to a subscription, and this is a question.')
    if wish.mock and wish.test:
        raise UnknownWord('"mock" and "test" together: no event is both; ask for each.')
    category = Category.MOCK if wish.mock else Category.TEST if wish.test else Category.REAL
    return wish, category


def _rates(wish: Wish) -> bool:
    """Whether it asks for a FAR."""
    return wish.filter is not None and any(isinstance(c, Far) for c in conditions(wish.filter))


def _typed(wish: Wish) -> str:
    """The words of a question; "all" says nothing in front of a filter."""
    return wish.what.removeprefix("all ") if wish.what != "all" else "all"


def _unasked(chosen: Chosen) -> str:
    if chosen.asked == chosen.hung:
        return ""
    return f" (Of {chosen.hung} events the map decides; only the newest {chosen.asked} were asked.)"


def _period(words: str) -> tuple[str, datetime | None, datetime | None]:
    """Take "since 2023-05" and "until 2023-06-30" out: (the rest, from, to before)."""
    said: dict[str, tuple[datetime, datetime]] = {}
    for match in _PERIOD.finditer(words):
        which, date = match[1].casefold(), match[2]
        if which in said:
            raise UnknownWord(f'"{which}" stands there twice.')
        if date is None:
            raise UnknownWord(f'"{which}" needs a date after it: 2023, 2023-05 or 2023-05-18.')
        said[which] = _dates(date)
    since = said["since"][0] if "since" in said else None
    until = said["until"][1] if "until" in said else None
    if since is not None and until is not None and since >= until:
        raise UnknownWord('"until" lies before "since".')
    return _PERIOD.sub(" ", words), since, until


def _dates(date: str) -> tuple[datetime, datetime]:
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
        raise UnknownWord(f'"{date[:40]}" is no date: 2023, 2023-05 or 2023-05-18.') from None
    return begin, end
