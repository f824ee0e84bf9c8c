"""What people ask, and the answer from what was received."""

from __future__ import annotations

import difflib
import re
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from bot import __version__
from bot.filters import Sites, UnknownWord, no_site, parse
from bot.questions.asker import Asker as Asker
from bot.questions.choosing import Choosing
from bot.questions.subscribing import Subscribing
from bot.questions.visibility import Visibility
from bot.sources import SourceStatus
from bot.store.database import StoreUnavailable
from bot.store.deliveries import Ledger
from bot.store.store import Store
from bot.store.subscriptions import Subscriptions
from formatters import answer, card, dialog, recent, status
from formatters import help as helping
from formatters.card import ChannelView
from formatters.message import Message
from formatters.notice import Category, canonical_id
from formatters.subscription import Wish

RECENT_DEFAULT = 5
RECENT_MOST = 20
RECENT_NUMBERS = frozenset(str(number) for number in range(1, RECENT_MOST + 1))
LONGEST_QUESTION = 1_000


class Answers:
    """Answers `/gwevent …`, `@gwevent …` and `gwevent ask "…"` alike."""

    def __init__(
        self,
        store: Store,
        subscriptions: Subscriptions,
        ledger: Ledger,
        clock: Callable[[], datetime],
        *,
        visibility: Visibility,
        choosing: Choosing,
        sources: Callable[[], list[SourceStatus]] = list,
        wake: Callable[[], None] = lambda: None,
        sites: Sites = no_site,
    ) -> None:
        self._store = store
        self._subscriptions = subscriptions
        self._ledger = ledger
        self._clock = clock
        self._visibility = visibility
        self._sources = sources
        self._began = time.monotonic()
        self._choosing = choosing
        self._subscribing = Subscribing(subscriptions, clock, wake, sites)

    def wish(self, words: str) -> Wish:
        """What words after "subscribe" mean. Raises UnknownWord."""
        return self._subscribing.wish(words)

    async def answer(
        self, text: str, asker: Asker | None, *, shared: bool = False, longest: int = LONGEST_QUESTION
    ) -> Message:
        """Answer a question; `shared` leaves out the button that posts the answer to the channel.

        Whatever is asked gets words: nonsense gets help, a store in trouble gets a sentence.
        """
        question = " ".join(text.split())
        if len(question) > longest:
            return helping.complaint(
                f"A question has at most {longest:,} characters, and this one has {len(question):,}."
            )
        word, _, rest = question.partition(" ")
        try:
            message = await self._answer(word.casefold(), rest, question, asker)
        except UnknownWord as error:
            complaint = helping.complaint(str(error))
            wanted = asker is not None and word.casefold() in ("subscribe", "sub")
            return dialog.offered(complaint) if wanted else complaint
        except StoreUnavailable:
            return helping.complaint(
                "The store doesn't answer right now; alerts wait for it and aren't lost. Try again."
            )
        if shared and asker is not None:
            return answer.as_of(message, asker.user_id, self._clock())
        if asker is None or not (word.casefold() in _TO_SHARE or canonical_id(question)):
            return message
        return answer.shareable(message, question)

    async def _answer(self, word: str, rest: str, question: str, asker: Asker | None) -> Message:
        match word:
            case "" | "help" | "?":
                return helping.overview()
            case "latest" | "last" | "newest":
                return await self._choosing.latest(rest)
            case "recent":
                return await self._recent(rest)
            case "status":
                return await self._status()
            case "visible":
                return await self._visibility.visible(rest, asker)
            case "sites":
                return await self._visibility.sites(rest, asker)
            case "search" | "find":
                return await self._choosing.search(rest)
            case "test":
                return await self._choosing.test(rest)
            case "subscribe" | "sub":
                return await self._subscribing.subscribe(rest, asker)
            case "unsubscribe" | "unsub":
                return await self._subscribing.unsubscribe(rest, asker)
            case "edit":
                return await self._subscribing.edit(rest, asker)
            case "pause":
                return await self._subscribing.pause(rest, asker)
            case "resume":
                return await self._subscribing.pause(rest, asker, resume=True)
            case "dialog":
                return await self._subscribing.invitation(asker)
            case "subscriptions" | "subs":
                return await self._subscribing.listed(asker)
        superevent_id = canonical_id(question)
        if superevent_id is not None:
            return await self._event(superevent_id)
        if re.fullmatch(r"[mt]?(s|gw)\d.*|\d{6}\w+", word) and not rest:
            return await self._near(question)
        return helping.unknown(question)

    async def _event(self, superevent_id: str) -> Message:
        superevent = await self._store.superevent(superevent_id)
        if superevent is None:
            return await self._near(superevent_id)
        return card.root(superevent, ChannelView())

    async def _near(self, asked: str) -> Message:
        ids = await self._store.ids()
        folded = {known.casefold(): known for known in ids}
        near = difflib.get_close_matches(asked.casefold(), folded, n=3, cutoff=0.75)
        return helping.no_such_event(asked, [folded[name] for name in near])

    async def _recent(self, rest: str) -> Message:
        words = rest.split()
        numbers = [word for word in words if re.fullmatch(r"[+-]?[\d.]+", word)]
        category, group = _kind(" ".join(word for word in words if word not in numbers))
        if len(numbers) > 1 or (numbers and numbers[0] not in RECENT_NUMBERS):
            raise UnknownWord(f'"recent" takes one number from 1 to {RECENT_MOST}.')
        limit = int(numbers[0]) if numbers else RECENT_DEFAULT
        found = await self._store.newest(category=category, group=group, limit=limit)
        return recent.message(recent.Recent(found), self._clock())

    async def _status(self) -> Message:
        counts = await self._ledger.counts()
        last = await self._store.last_notice()
        return status.message(
            status.Status(
                version=__version__,
                # Not a time noted at the start: the clock may have been put right since.
                started_at=self._clock() - timedelta(seconds=time.monotonic() - self._began),
                sources=tuple(
                    status.SourceState(name=s.name, connected=s.connected, detail=s.detail, lag=s.lag)
                    for s in self._sources()
                ),
                last_notice=None
                if last is None or last.received is None
                else status.LastNotice(
                    superevent_id=last.superevent_id, alert_type=last.alert_type, received=last.received
                ),
                posting_time=await self._ledger.posting_time(),
                waiting=counts.waiting,
                dead=counts.dead,
                quarantined=counts.quarantined,
                subscriptions=await self._subscriptions.count(),
            ),
            self._clock(),
        )


_TO_SHARE = {"latest", "last", "newest", "recent", "search", "find", "test", "status", "visible"}
"""Besides ids. What is help, or concerns subscriptions, is for who asked."""


def _kind(words: str) -> tuple[Category, str | None]:
    """What `recent` chooses by: mock or test instead of real, and a group (None: any)."""
    said = f'"{words[:80]}" is no choice here; choose one of CBC, Burst, all, and one of mock, test.'
    try:
        wish = parse(words)
    except UnknownWord as error:
        raise UnknownWord(said) from error
    if wish.lowsig or wish.filter is not None or wish.notify is not None or (wish.mock and wish.test):
        raise UnknownWord(said)
    category = Category.MOCK if wish.mock else Category.TEST if wish.test else Category.REAL
    return category, None if wish.group == "all" else wish.group
