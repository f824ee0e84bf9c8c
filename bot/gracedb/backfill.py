"""Fill the store from GraceDB: slowly, and so that it can be broken off and taken up again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import TypeVar

import structlog

from bot.gracedb import conversion
from bot.gracedb.client import Busy, NotPublic, Unreadable
from bot.gracedb.conversion import SupereventRecord
from bot.gracedb.importer import SupereventImporter
from bot.sources.base import LIVE_SOURCES
from bot.store.database import StoreUnavailable
from bot.store.events.gracedb_lookups import GraceDbLookups
from bot.store.events.notices import NoticeRepository

REQUEST_INTERVAL_S = 0.3
"""Between two requests: 200 a minute, of the 300 that GraceDB allows."""
PAGE_SIZE = 100
"""Superevents of one page of the list."""
MAX_ATTEMPTS = 6
"""Of one request, before a backfill gives up; what is stored stays."""
RECHECK_AFTER = timedelta(days=1)
"""What was looked up less than this ago isn't looked up again."""
GAP_LOOKBACK = timedelta(days=30)
"""Events as old as this when the source fell silent may have had updates in the gap."""
REPAIR_RETRY_S = 3_600.0
GAP_GRACE_PERIOD = timedelta(hours=2)
"""What came less than this ago may be what the broker still kept, and ends a gap instead of denying it."""

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Progress:
    """How far a backfill has come."""

    total: int = 0
    """Superevents that GraceDB lists."""
    processed: int = 0
    """Of those, what was dealt with, in any way."""
    current: str = ""
    """The superevent that is being looked up."""
    problem: str = ""
    """Why GraceDB is waited for, one sentence; empty when it isn't."""
    imported: int = 0
    already_known: int = 0
    """Looked up before."""
    skipped_low_significance: int = 0
    """Of low significance."""
    unreadable: int = 0
    """That GraceDB lists, and then has no answer for."""
    notices: int = 0
    """New ones."""


class Backfill:
    """Looks up every superevent of a time, one after the other."""

    def __init__(
        self,
        importer: SupereventImporter,
        lookups: GraceDbLookups,
        clock: Callable[[], datetime],
        *,
        sleep: Sleep = asyncio.sleep,
        page_size: int = PAGE_SIZE,
    ) -> None:
        self._importer = importer
        self._lookups = lookups
        self._clock = clock
        self._sleep = sleep
        self._page_size = page_size

    async def run(
        self,
        since: date,
        until: date | None = None,
        *,
        lowsig: bool = False,
        on_progress: Callable[[Progress], None] = lambda _: None,
    ) -> Progress:
        """Store all that GraceDB has of the superevents created from `since` to the end of `until`.

        Real ones only; those of low significance too with `lowsig`. Broken off at any moment, the next run
        goes on there. Raises GraceDbError when GraceDB can't be asked, StoreUnavailable.
        """
        last = "now" if until is None else str(until + timedelta(days=1))
        query = f"category: Production created: {since} .. {last}"
        progress = Progress()
        show = partial(on_progress, progress)
        start = 0
        while True:
            page = partial(self._importer.gracedb.superevents, query, start, self._page_size)
            listed = await self._retry_while_busy(page, progress, show)
            entries, held, progress.total = conversion.parse_superevent_list(listed)
            if not held:
                return progress
            progress.unreadable += held - len(entries)
            progress.processed += held - len(entries)
            known = await self._lookups.get([entry.superevent_id for entry in entries])
            for entry in entries:
                progress.current = entry.superevent_id
                show()
                if entry.significant or lowsig:
                    await self._import_one(entry, known.get(entry.superevent_id), progress, show)
                else:
                    progress.skipped_low_significance += 1
                progress.processed += 1
            show()
            start += held
            if start >= progress.total:
                return progress

    async def _import_one(
        self,
        entry: SupereventRecord,
        looked_up: datetime | None,
        progress: Progress,
        show: Callable[[], None],
    ) -> None:
        if looked_up is not None and self._is_settled(entry, looked_up):
            progress.already_known += 1
            return
        try:
            store = partial(self._importer.import_record, entry)
            progress.notices += await self._retry_while_busy(store, progress, show)
            progress.imported += 1
        except (NotPublic, Unreadable) as error:
            log.warning("gracedb_event_left_out", superevent_id=entry.superevent_id, reason=str(error))
            progress.unreadable += 1

    def _is_settled(self, entry: SupereventRecord, looked_up: datetime) -> bool:
        return (
            looked_up - entry.created > conversion.SETTLED_AFTER or self._clock() - looked_up < RECHECK_AFTER
        )

    async def _retry_while_busy(
        self, ask: Callable[[], Awaitable[T]], progress: Progress, show: Callable[[], None]
    ) -> T:
        """Ask until there is an answer, as long as GraceDB says or twice as long each time. Raises Busy."""
        wait = 2.0
        for left in reversed(range(MAX_ATTEMPTS)):
            try:
                return await ask()
            except Busy as error:
                if not left:
                    raise
                log.info("gracedb_busy", reason=str(error))
                progress.problem = str(error)
                show()
                await self._sleep(wait if error.retry_after is None else error.retry_after)
                progress.problem = ""
                wait *= 2
        raise AssertionError("the last try returns or raises")


async def repair_gap(
    backfill: Backfill,
    notices: NoticeRepository,
    broker_retention: timedelta,
    now: datetime,
    sleep: Sleep = asyncio.sleep,
) -> None:
    """Fill the gap that a silence longer than `broker_keeps` left, as an archive's: nothing of it is posted.

    Where nothing was ever received there is no gap. GraceDB's and the store's troubles are waited out. To be
    called at least each AFTER_THE_GAP, for a source may fall silent, and come back, at any time.
    """
    while True:
        try:
            last = await notices.last_received(LIVE_SOURCES, before=now - GAP_GRACE_PERIOD)
            if last is None or now - last <= broker_retention:
                return
            since = (last - GAP_LOOKBACK).date()
            log.warning(
                "gap_is_filled_from_gracedb",
                last_notice=last.isoformat(),
                events_since=str(since),
                posted=False,
            )
            done = await backfill.run(since)
            log.info("gap_filled", superevents=done.imported, notices=done.notices, left_out=done.unreadable)
            return
        except (Busy, NotPublic, Unreadable, StoreUnavailable) as error:
            log.warning("gap_waits", reason=str(error), again_in_s=REPAIR_RETRY_S)
            await sleep(REPAIR_RETRY_S)
