"""The event that a question is about if it names none."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import structlog

from bot.commands.context import CommandContext
from bot.filters.event_attributes import EventAttributes
from bot.runtime.callbacks import always
from bot.store.channels.threads import ThreadRepository
from bot.store.events.notices import NoticeRepository
from bot.store.events.rows import UNREADABLE
from bot.store.events.search import PAGES, EventSearch
from formatters.models.notice import Category
from formatters.models.superevent import Superevent
from formatters.posts.alert_card import status_labels

MAX_ROOTS = 50
"""Newest events of a channel among which one is chosen."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DefaultEvent:
    """An event that was chosen, and why."""

    superevent: Superevent
    introduction: str | None
    """A sentence that says which event was chosen; None in its own thread."""
    is_doubtful: bool = False
    """True if the channel's newest significant event may be meant as well: good for an answer, not for what
    is stored."""


class DefaultEventChooser:
    """Chooses the event: that of the thread, else the channel's newest, else the newest significant one.

    Retracted events are never chosen, except in their own threads. Mocks and tests are chosen only where a
    channel has nothing else, or gwevent has no real event.
    """

    def __init__(
        self, notices: NoticeRepository, event_search: EventSearch, threads: ThreadRepository
    ) -> None:
        self._notices = notices
        self._event_search = event_search
        self._threads = threads

    async def choose(self, context: CommandContext | None) -> DefaultEvent | None:
        """Return the event; None if no event is stored that isn't retracted. Raises StoreUnavailable."""
        if context is not None:
            if context.thread_ts is not None:
                found = await self._threads.event_of_thread(*context.channel, context.thread_ts)
                superevent = None if found is None else await self._read(found)
                if superevent is not None:
                    return DefaultEvent(superevent, None)
            chosen = await self._newest_of_channel(context)
            if chosen is not None:
                return chosen
        return await self._newest_of_all()

    async def _newest_of_channel(self, context: CommandContext) -> DefaultEvent | None:
        chosen: Superevent | None = None
        for name in await self._threads.newest_events(*context.channel, MAX_ROOTS):
            superevent = await self._read(name)
            if superevent is None or superevent.is_retracted:
                continue
            if chosen is None:
                chosen = superevent
                if chosen.category is not Category.REAL or _is_significant(chosen):
                    break
            elif superevent.category is Category.REAL and _is_significant(superevent):
                return DefaultEvent(
                    chosen,
                    f"No event was named; {_name(chosen)} is this channel's newest."
                    f" Its newest significant one is {superevent.superevent_id}.",
                    is_doubtful=True,
                )
        if chosen is None:
            return None
        return DefaultEvent(chosen, f"No event was named; {_name(chosen)} is this channel's newest.")

    async def _newest_of_all(self) -> DefaultEvent | None:
        chosen = await self._newest_stored(Category.REAL, is_wanted=lambda found: found.significant)
        if chosen is not None:
            return DefaultEvent(chosen, f"No event was named; {_name(chosen)} is the newest significant one.")
        chosen = await self._newest_stored(Category.REAL)
        if chosen is not None:
            return DefaultEvent(
                chosen, f"No event was named, and none is significant; {_name(chosen)} is the newest."
            )
        for category in (Category.MOCK, Category.TEST):
            chosen = await self._newest_stored(category)
            if chosen is not None:
                kind = "mock" if category is Category.MOCK else "test event"
                return DefaultEvent(chosen, f"There is no real event; {_name(chosen)} is the newest {kind}.")
        return None

    async def _newest_stored(
        self, category: Category, is_wanted: Callable[[EventAttributes], bool] = always
    ) -> Superevent | None:
        """Return the newest event that is wanted and stands; all are read only if the newest aren't."""
        for page in (*PAGES, None):
            found = await self._event_search.attributes([category], limit=page)
            chosen = await self._first_readable(
                one.superevent_id for one in found if not one.retracted and is_wanted(one)
            )
            if chosen is not None or page is None or len(found) < page:
                return chosen
        return None

    async def _first_readable(self, ids: Iterable[str]) -> Superevent | None:
        for superevent_id in ids:
            superevent = await self._read(superevent_id)
            if superevent is not None:
                return superevent
        return None

    async def _read(self, superevent_id: str) -> Superevent | None:
        """Return an event; None for one that can't be read or that a question can't name as one word."""
        if len(superevent_id.split()) != 1:
            return None
        try:
            return await self._notices.superevent(superevent_id)
        except UNREADABLE:
            log.exception("stored_notice_unreadable", superevent_id=superevent_id)
            return None


def _name(superevent: Superevent) -> str:
    """Return the id with its marks: "MOCK MS181101ab", "LOW SIGNIFICANCE S230518h"."""
    return " ".join([*status_labels(superevent), superevent.superevent_id])


def _is_significant(superevent: Superevent) -> bool:
    event = superevent.event
    return event is not None and event.significant
