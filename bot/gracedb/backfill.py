"""Import past superevents from GraceDB, at a slow pace; an interrupted backfill can be resumed.

Retries while GraceDB is busy are written here instead of with stamina: the wait is GraceDB's own Retry-After
where it gives one, the operator's progress bar shows the reason during the wait, and each wait goes through
`sleep`, which tests replace. Stamina's hooks are process-wide, and its sleep cannot be replaced.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import TypeVar

import structlog

from bot.gracedb import conversion
from bot.gracedb.client import GraceDbBusy, SupereventNotPublic, UnreadableAnswer
from bot.gracedb.conversion import SupereventRecord
from bot.gracedb.importer import SupereventImporter
from bot.runtime.callbacks import no_op
from bot.sources.base import LIVE_SOURCES
from bot.store.database import StoreUnavailable
from bot.store.events.gracedb_lookups import GraceDbLookups
from bot.store.events.notices import NoticeRepository

REQUEST_INTERVAL_S = 0.3
"""Between two requests: 200 a minute; GraceDB allows 300."""
PAGE_SIZE = 100
"""Superevents on one page of a search."""
MAX_ATTEMPTS = 6
"""Attempts of one request before a backfill fails; what was imported stays."""
RECHECK_AFTER = timedelta(days=1)
"""A superevent imported less than this ago is not imported again."""
GAP_LOOKBACK = timedelta(days=30)
"""Superevents up to this much older than the gap may have had updates in it."""
REPAIR_RETRY_S = 3_600.0
GAP_GRACE_PERIOD = timedelta(hours=2)
"""Notices received less than this ago may be the broker's backlog from after the gap, so they don't count."""

FIRST_WAIT_S = 2.0
"""Before the second attempt, if GraceDB gives no Retry-After; it doubles with each attempt."""

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Progress:
    """The progress of a backfill: counts of superevents, unless stated otherwise."""

    total: int = 0
    """Listed by GraceDB."""
    processed: int = 0
    """Imported, skipped, or found to be unreadable."""
    current: str = ""
    """The id of the superevent that is being imported."""
    problem: str = ""
    """A sentence that says why the backfill waits for GraceDB; empty while it does not wait."""
    imported: int = 0
    already_known: int = 0
    """Imported by an earlier run."""
    skipped_low_significance: int = 0
    unreadable: int = 0
    """Listed by GraceDB, but without a usable answer."""
    notices: int = 0
    """Notices that were new."""


class Backfill:
    """Imports the superevents of a range of days, one after the other."""

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
        on_progress: Callable[[Progress], None] = no_op,
    ) -> Progress:
        """Import the real superevents created from `since` to the end of `until` (UTC days; None: now).

        Those of low significance are imported only with `lowsig`. After an interruption, the next run skips
        what was imported. Raises GraceDbError if GraceDB stays busy or unreadable, StoreUnavailable.
        """
        end = "now" if until is None else str(until + timedelta(days=1))
        query = f"category: Production created: {since} .. {end}"
        progress = Progress()
        report = partial(on_progress, progress)
        start = 0
        while True:
            page = partial(self._importer.gracedb.superevents, query, start, self._page_size)
            listed = await self._retry_while_busy(page, progress, report)
            entries, held, progress.total = conversion.parse_superevent_list(listed)
            if not held:
                return progress
            progress.unreadable += held - len(entries)
            progress.processed += held - len(entries)
            known = await self._lookups.get([entry.superevent_id for entry in entries])
            for entry in entries:
                progress.current = entry.superevent_id
                report()
                if entry.significant or lowsig:
                    await self._import_one(entry, known.get(entry.superevent_id), progress, report)
                else:
                    progress.skipped_low_significance += 1
                progress.processed += 1
            report()
            start += held
            if start >= progress.total:
                return progress

    async def _import_one(
        self,
        entry: SupereventRecord,
        looked_up: datetime | None,
        progress: Progress,
        report: Callable[[], None],
    ) -> None:
        if looked_up is not None and self._is_settled(entry, looked_up):
            progress.already_known += 1
            return
        try:
            import_record = partial(self._importer.import_record, entry)
            progress.notices += await self._retry_while_busy(import_record, progress, report)
            progress.imported += 1
        except (SupereventNotPublic, UnreadableAnswer) as error:
            log.warning("gracedb_superevent_skipped", superevent_id=entry.superevent_id, reason=str(error))
            progress.unreadable += 1

    def _is_settled(self, entry: SupereventRecord, looked_up: datetime) -> bool:
        return (
            looked_up - entry.created > conversion.SETTLED_AFTER or self._clock() - looked_up < RECHECK_AFTER
        )

    async def _retry_while_busy(
        self, request: Callable[[], Awaitable[T]], progress: Progress, report: Callable[[], None]
    ) -> T:
        """Send a request up to MAX_ATTEMPTS times. Raises GraceDbBusy."""
        wait_s = FIRST_WAIT_S
        for attempts_left in reversed(range(MAX_ATTEMPTS)):
            try:
                return await request()
            except GraceDbBusy as error:
                if not attempts_left:
                    raise
                log.info("gracedb_busy", reason=str(error))
                progress.problem = str(error)
                report()
                await self._sleep(wait_s if error.retry_after is None else error.retry_after)
                progress.problem = ""
                wait_s *= 2
        raise AssertionError("the last attempt returns or raises")


async def repair_gap(
    backfill: Backfill,
    notices: NoticeRepository,
    broker_retention: timedelta,
    now: datetime,
    sleep: Sleep = asyncio.sleep,
) -> None:
    """Import what was missed if no notice was received for longer than the broker keeps messages.

    What is imported is not posted. If no notice was ever received there is no gap. While GraceDB or the store
    is unavailable, the repair is postponed by REPAIR_RETRY_S. Call it at least every GAP_GRACE_PERIOD, since
    sources can fall silent and come back at any time.
    """
    while True:
        try:
            last = await notices.last_received(LIVE_SOURCES, before=now - GAP_GRACE_PERIOD)
            if last is None or now - last <= broker_retention:
                return
            since = (last - GAP_LOOKBACK).date()
            log.warning(
                "gap_repair_started",
                last_notice=last.isoformat(),
                events_since=str(since),
                posted=False,
            )
            progress = await backfill.run(since)
            log.info(
                "gap_repaired",
                superevents=progress.imported,
                notices=progress.notices,
                left_out=progress.unreadable,
            )
            return
        except (GraceDbBusy, SupereventNotPublic, UnreadableAnswer, StoreUnavailable) as error:
            log.warning("gap_repair_postponed", reason=str(error), retry_in_s=REPAIR_RETRY_S)
            await sleep(REPAIR_RETRY_S)
