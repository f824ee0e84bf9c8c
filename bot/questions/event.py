"""One event: from the store, else from GraceDB."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from bot.gracedb.archive import Archive
from bot.gracedb.client import GraceDbError
from bot.store.store import Store
from formatters.superevent import Superevent

LOOKED_UP_AGAIN = timedelta(hours=1)
"""What is known from GraceDB alone may have changed there after this."""

log = structlog.get_logger(__name__)


class NeverReceived(LookupError):
    """Nothing is known of the event that was asked for."""

    def __init__(self, looked_up: str | None) -> None:
        super().__init__(looked_up)
        self.looked_up = looked_up
        """Why GraceDB has nothing either, in one sentence; None if it wasn't asked."""


class Events:
    """Finds the event that a question is about."""

    def __init__(self, store: Store, archive: Archive | None, clock: Callable[[], datetime]) -> None:
        """`archive` None: only what was received is known."""
        self._store = store
        self._archive = archive
        self._clock = clock

    async def of(self, superevent_id: str) -> Superevent:
        """All that is known of an event; what was never received is looked up, which may take seconds.

        Raises NeverReceived, StoreUnavailable.
        """
        known = await self._store.superevent(superevent_id)
        if self._archive is None or (known is not None and not await self._is_stale(known, self._archive)):
            if known is None:
                raise NeverReceived(None)
            return known
        try:
            found = await self._store.superevent(await self._archive.look_up(superevent_id))
        except GraceDbError as error:
            if known is not None:
                return known
            raise NeverReceived(str(error)) from None
        if found is None:
            raise NeverReceived("What GraceDB has of it can't be read.")
        return found

    async def _is_stale(self, known: Superevent, archive: Archive) -> bool:
        """Whether GraceDB may by now know more of an event that is known from it alone."""
        if any(notice.archive is None for notice in known.notices):
            return False
        return await archive.may_know_more(
            known.superevent_id, known.notices[0].time_created, LOOKED_UP_AGAIN
        )
