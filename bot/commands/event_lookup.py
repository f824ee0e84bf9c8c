"""Lookup of the event that a question is about: in the store, or else in GraceDB."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from bot.commands.typed_events import TypedEvent
from bot.gracedb.client import GraceDbError
from bot.gracedb.importer import SupereventImporter
from bot.store.events.notices import NoticeRepository
from formatters.models.notice import ID_MAX, canonical_id, folded_id
from formatters.models.superevent import Superevent

NO_EVENT = "No event was received yet that still stands; one that was retracted has to be named."
"""The answer where nobody names an event and there is none to choose: all that are stored are retracted."""
REFRESH_AFTER = timedelta(hours=1)
"""Age of an import after which an event that is known from GraceDB alone is imported again."""

_ID_CANDIDATE = re.compile(r"^(?=.*\d)[^\W\d_]")
MAX_OF_A_DAY = 20
"""Stored events of one day that are looked at for a day or a catalogue name."""
CATALOGUE_TIME_TOLERANCE = timedelta(seconds=1.5)
"""A catalogue name has the whole second of the event, which the catalogue measured again."""
MAX_WORDS = 200
"""Words of a question that are searched for nonstandard ids."""


class NoSuchEvent(LookupError):
    """No notice of the event is known."""

    def __init__(self, superevent_id: str, gracedb_reason: str | None = None) -> None:
        super().__init__(superevent_id)
        self.superevent_id = superevent_id
        self.gracedb_reason = gracedb_reason
        """A sentence that says why GraceDB has no notice either; None if GraceDB was not asked."""


class UnresolvedEvent(LookupError):
    """Raised for a day or a catalogue name that leads to no single event for certain."""

    def __init__(
        self,
        typed: TypedEvent,
        superevents: Sequence[Superevent],
        count: int,
        gracedb_reason: str | None = None,
    ) -> None:
        super().__init__(typed.text)
        self.gracedb_reason = gracedb_reason
        """A sentence that says why GraceDB doesn't know the name either; None if GraceDB was not asked."""
        self.typed = typed
        self.superevents = superevents
        """The stored events of that day, at most MAX_OF_A_DAY."""
        self.count = count
        """The number of stored events of that day."""


class EventLookup:
    """Finds the event that a question is about."""

    def __init__(
        self, notices: NoticeRepository, importer: SupereventImporter | None, clock: Callable[[], datetime]
    ) -> None:
        """With `importer` None only stored events are found."""
        self._notices = notices
        self._importer = importer
        self._clock = clock

    async def get(self, superevent_id: str) -> Superevent:
        """Return an event; one that was never received is imported from GraceDB, which may take seconds.

        Raises NoSuchEvent, StoreUnavailable.
        """
        known = await self._notices.superevent(superevent_id)
        if self._importer is None or (known is not None and not await self._is_stale(known, self._importer)):
            if known is None:
                raise NoSuchEvent(superevent_id)
            return known
        try:
            found = await self._notices.superevent(await self._importer.import_superevent(superevent_id))
        except GraceDbError as error:
            if known is not None:
                return known
            raise NoSuchEvent(superevent_id, str(error)) from None
        if found is None:
            raise NoSuchEvent(superevent_id, "What GraceDB has of it can't be read.")
        return found

    async def find_nonstandard_ids(self, text: str) -> dict[str, str]:
        """Return the nonstandard event ids among a question's words: folded word -> id.

        Only stored events are found. A word must begin with a letter and contain a digit, since "12h30" and
        "Palomar" mean something else. Raises StoreUnavailable.
        """
        words = [word.strip(",;()") for word in text.split()[:MAX_WORDS]]
        words = [
            word
            for word in words
            if word.isprintable()
            and len(word) <= ID_MAX
            and canonical_id(word) is None
            and _ID_CANDIDATE.search(word)
        ]
        found = await self._notices.find_ids(words) if words else []
        return {folded_id(name): name for name in reversed(found)}

    async def split_leading_nonstandard_id(self, question: str) -> tuple[str, str] | None:
        """Split a question into the nonstandard id that it begins with, and the rest; None if there is none.

        Such an id may hold blanks. The longest stored id is taken. Raises StoreUnavailable.
        """
        words = question.split()[:MAX_WORDS]
        starts = [" ".join(words[:count]) for count in range(1, len(words) + 1)]
        # No id has unprintable characters, and the databases reject some of them.
        starts = [start for start in starts if start.isprintable() and len(start) <= ID_MAX]
        found = await self._notices.find_ids(starts) if starts else []
        if not found:
            return None
        length = max(len(folded_id(name).split()) for name in found)
        name = next(name for name in found if len(folded_id(name).split()) == length)
        return name, " ".join(question.split()[length:])

    async def get_named(self, superevent_id: str | None) -> Superevent | None:
        """Return the event with this id; None without an id, which the router adds if there is any event.

        Raises NoSuchEvent, StoreUnavailable.
        """
        return None if superevent_id is None else await self.get(superevent_id)

    async def resolve(self, typed: TypedEvent) -> str:
        """Return the id of the event that a person named.

        A catalogue name is that of the event which GraceDB calls so, or whose second it gives; where the
        store doesn't tell, GraceDB is asked. Raises UnresolvedEvent for a day or a catalogue name that leads
        to no single event, StoreUnavailable.
        """
        if typed.superevent_id is not None:
            return typed.superevent_id
        assert typed.id_prefix is not None
        ids = await self._notices.ids_with_prefix(typed.id_prefix)
        superevents = [
            found for found in [await self._notices.superevent(name) for name in ids[:MAX_OF_A_DAY]] if found
        ]
        if typed.is_catalogue_name:
            named = [found for found in superevents if _is_called(found, typed)]
            if len(named) == 1:
                return named[0].superevent_id
            if self._importer is not None:
                try:
                    name = await self._importer.import_superevent(typed.text.upper().partition("_")[0])
                except GraceDbError as error:
                    raise UnresolvedEvent(typed, superevents, len(ids), str(error)) from None
                found = await self._notices.superevent(name)
                if typed.event_time is None or (found is not None and _is_called(found, typed)):
                    return name
        raise UnresolvedEvent(typed, superevents, len(ids))

    async def _is_stale(self, known: Superevent, importer: SupereventImporter) -> bool:
        """Return whether an event known from GraceDB alone may have news there."""
        if any(notice.archive is None for notice in known.notices):
            return False
        return await importer.may_be_outdated(
            known.superevent_id, known.notices[0].time_created, REFRESH_AFTER
        )


def _is_called(superevent: Superevent, typed: TypedEvent) -> bool:
    """Return whether the event has this catalogue name by GraceDB's record, or by its second."""
    names = {str(notice.published.get("gw_id") or "").casefold() for notice in superevent.notices}
    if typed.text.casefold() in names:
        return True
    event = superevent.event
    return (
        typed.event_time is not None
        and event is not None
        and abs(event.time - typed.event_time) <= CATALOGUE_TIME_TOLERANCE
    )
