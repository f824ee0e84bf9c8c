"""The event that a question is about: from the store, else from GraceDB."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta

from bot.gracedb.client import GraceDbError
from bot.gracedb.importer import SupereventImporter
from bot.store.events.notices import NoticeRepository
from formatters.models.notice import ID_MAX, Category, canonical_id, folded_id
from formatters.models.superevent import Superevent

REFRESH_AFTER = timedelta(hours=1)
"""What is known from GraceDB alone may have changed there after this."""

_ID_CANDIDATE = re.compile(r"^(?=.*\d)[^\W\d_]")
MAX_WORDS = 200
"""Of a question that are looked at for unusual ids."""


class NoSuchEvent(LookupError):
    """Nothing is known of the event that was asked about."""

    def __init__(self, superevent_id: str, gracedb_reason: str | None = None) -> None:
        super().__init__(superevent_id)
        self.superevent_id = superevent_id
        self.gracedb_reason = gracedb_reason
        """Why GraceDB has nothing either, in one sentence; None if it wasn't asked."""


class EventLookup:
    """Finds the event that a question is about."""

    def __init__(
        self, notices: NoticeRepository, importer: SupereventImporter | None, clock: Callable[[], datetime]
    ) -> None:
        """`archive` None: only what was received is known."""
        self._notices = notices
        self._importer = importer
        self._clock = clock

    async def get(self, superevent_id: str) -> Superevent:
        """All that is known of an event; what was never received is looked up, which may take seconds.

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
        """The events of unusual ids that a question's words name: each word, folded, with the id.

        Only what is stored is known by such a name, and only words of a letter and digits may be one here:
        "12h30" and "Palomar" mean something else. Raises StoreUnavailable.
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
        """The unusual id that a question begins with, which may hold blanks, and the rest of the question.

        The longest counts, for "S 1" may be one too. Raises StoreUnavailable.
        """
        words = question.split()[:MAX_WORDS]
        starts = [" ".join(words[:count]) for count in range(1, len(words) + 1)]
        # Neither database takes what can't be printed, and no id has it.
        starts = [start for start in starts if start.isprintable() and len(start) <= ID_MAX]
        found = await self._notices.find_ids(starts) if starts else []
        if not found:
            return None
        length = max(len(folded_id(name).split()) for name in found)
        name = next(name for name in found if len(folded_id(name).split()) == length)
        return name, " ".join(question.split()[length:])

    async def get_or_newest(self, superevent_id: str | None) -> tuple[Superevent | None, str | None]:
        """The event of this id, else the newest real one, else the newest mock with a sentence that says so.

        None where nothing was received at all. Raises NoSuchEvent, StoreUnavailable.
        """
        if superevent_id is not None:
            return await self.get(superevent_id), None
        real = await self._notices.newest(category=Category.REAL)
        if real:
            return real[0], f"No event was named; {real[0].superevent_id} is the newest."
        mock = await self._notices.newest(category=Category.MOCK)
        if mock:
            return mock[0], f"No real event was received yet; {mock[0].superevent_id} is the newest mock."
        return None, None

    async def _is_stale(self, known: Superevent, archive: SupereventImporter) -> bool:
        """Whether GraceDB may by now know more of an event that is known from it alone."""
        if any(notice.archive is None for notice in known.notices):
            return False
        return await archive.may_be_outdated(
            known.superevent_id, known.notices[0].time_created, REFRESH_AFTER
        )
