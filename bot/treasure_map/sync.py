"""Keeps what the Treasure Map has of recent superevents up to date; no alert waits for it.

A real, significant superevent that isn't retracted and has a thread somewhere is read every few minutes while
it is young (`interval_at`), later only when somebody asks. One process does it for all. When to read next is
a row, so a restart repeats nothing. A failure is followed by growing pauses; what was read before stays, with
the reason.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from bot.runtime.callbacks import no_op
from bot.store.database import StoreUnavailable
from bot.store.events.notices import NoticeRepository
from bot.store.events.treasure_map import EventToRead, ReportedInstrument, TreasureMapRepository
from bot.store.events.treasure_map_content import ReportedPointings
from bot.treasure_map import conversion
from bot.treasure_map.client import (
    TokenRefused,
    TreasureMap,
    TreasureMapBusy,
    TreasureMapError,
    UnreadableAnswer,
)
from bot.treasure_map.reading import read_pointings

POLL_S = 5.0
"""Interval at which it looks for superevents that are due."""
PACE_S = 1.0
"""The least time between two requests."""
FOLLOWED_FOR = timedelta(days=7)
"""Time after the event during which it is read without being asked for."""
INSTRUMENTS_KEPT_FOR = timedelta(days=7)
"""Age at which an instrument's name and field of view are read again; they hardly ever change."""
MAX_FOOTPRINTS_AT_ONCE = 20
"""Fields of view that are read after one answer; the others follow after the next."""
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
"""After a failure; each further one doubles it."""
MAX_FAILURES_WHEN_ASKED = 5
"""Requests for a superevent that is read only when somebody asks."""
DEFECT = "The Treasure Map's answer meets a defect of gwevent, which the log names."

_INTERVALS = (
    (timedelta(days=1), timedelta(minutes=5)),
    (timedelta(days=3), timedelta(minutes=15)),
    (FOLLOWED_FOR, timedelta(hours=1)),
)

log = structlog.get_logger(__name__)


def interval_at(age: timedelta) -> timedelta | None:
    """Return how often a superevent of this age is read; None if only when somebody asks."""
    return next((interval for limit, interval in _INTERVALS if age < limit), None)


def pause_after(failures: int) -> timedelta:
    """Return the pause after so many failures in a row, at least one."""
    doublings: int = 2 ** min(failures - 1, 10)
    return min(FIRST_PAUSE * doublings, LONGEST_PAUSE)


class TreasureMapSync:
    """The task that reads the Treasure Map."""

    def __init__(
        self,
        client: TreasureMap,
        repository: TreasureMapRepository,
        notices: NoticeRepository,
        clock: Callable[[], datetime],
        *,
        may_read: Callable[[], bool],
        on_request: Callable[[str], None] = no_op,
    ) -> None:
        """`may_read` says whether this process is the one that reads.

        `on_request` is called with the outcome of each request for pointings: ok, busy, refused, unreadable.
        """
        self._client = client
        self._repository = repository
        self._notices = notices
        self._clock = clock
        self._may_read = may_read
        self._on_request = on_request
        self._unwanted: dict[str, int] = {}
        """Superevents that needn't be read, with the number of their notices."""
        self._server_failures = 0
        self._not_before = 0.0
        """The monotonic time before which no superevent is read, since the server failed for one."""
        self._is_refusal_logged = False

    async def run(self) -> None:
        """Read what is due, until cancelled."""
        try:
            while True:
                if self._may_read():
                    try:
                        await self.read_due()
                    except StoreUnavailable as error:
                        log.warning("store_unavailable", subsystem="treasure_map", reason=str(error))
                await asyncio.sleep(POLL_S)
        finally:
            await self._client.close()

    async def read_due(self) -> int:
        """Read each superevent that is due; return their number. Raises StoreUnavailable."""
        if time.monotonic() < self._not_before:
            return 0
        await self._begin_with_young()
        read = 0
        for event in await self._repository.list_due(self._clock()):
            if not self._may_read() or time.monotonic() < self._not_before:
                break
            if read:
                await asyncio.sleep(PACE_S)
            await self._read(event)
            read += 1
        return read

    async def _begin_with_young(self) -> None:
        """Schedule regular readings of superevents that have come, or that are significant now."""
        now = self._clock()
        young = await self._repository.list_young(now - FOLLOWED_FOR)
        for event in young:
            if self._unwanted.get(event.superevent_id) == event.revision:
                continue
            if await self._is_wanted(event):
                await self._repository.begin(event.superevent_id, now)
        known = {event.superevent_id for event in young}
        self._unwanted = {name: revision for name, revision in self._unwanted.items() if name in known}

    async def _is_wanted(self, event: EventToRead) -> bool:
        """Return whether an event is significant and not retracted."""
        known = await self._notices.superevent_with_revision(event.superevent_id)
        if known is None:
            return False
        superevent, revision = known
        facts = superevent.event
        if facts is not None and facts.significant and not superevent.is_retracted:
            return True
        self._unwanted[event.superevent_id] = revision
        return False

    async def _read(self, event: EventToRead) -> None:
        superevent_id = event.superevent_id
        try:
            raw = await read_pointings(self._client, superevent_id, event.event_time)
            pointings = await asyncio.to_thread(conversion.group_pointings, raw)
        except TreasureMapError as error:
            await self._record_failure(event, error)
            return
        except Exception:
            # A defect, or an answer that nobody thought of: this process brings alerts, and goes on.
            log.exception("unexpected_error", subsystem="treasure_map", superevent_id=superevent_id)
            await self._record_failure(event, UnreadableAnswer(DEFECT))
            return
        self._on_request("ok")
        self._server_failures, self._is_refusal_logged = 0, False
        now = self._clock()
        is_new = await self._repository.record(superevent_id, pointings, now, await self._next_at(event, now))
        if is_new:
            log.info(
                "treasure_map_pointings_changed",
                superevent_id=superevent_id,
                pointings=sum(len(one.fields) for one in pointings.observations),
                left_out=pointings.left_out,
            )
        await self._read_instruments(pointings)

    async def _next_at(self, event: EventToRead, now: datetime) -> datetime | None:
        """Return when an event is read again; None if only when somebody asks."""
        interval = interval_at(now - event.event_time)
        if interval is None or not await self._is_wanted(event):
            return None
        return now + interval

    async def _record_failure(self, event: EventToRead, error: TreasureMapError) -> None:
        now, failures = self._clock(), event.failures + 1
        outcome, pause = "unreadable", pause_after(failures)
        if isinstance(error, TokenRefused):
            outcome, pause = "refused", LONGEST_PAUSE
            self._pause_all(pause)
            if not self._is_refusal_logged:
                self._is_refusal_logged = True
                log.error("treasure_map_token_refused", reason=str(error))
        elif isinstance(error, TreasureMapBusy):
            # Of the server, not of this event: the others wait too.
            outcome = "busy"
            self._server_failures += 1
            pause = pause_after(self._server_failures)
            if error.retry_after is not None:
                pause = max(pause, timedelta(seconds=error.retry_after))
            self._pause_all(pause)
        self._on_request(outcome)
        log.info(
            "treasure_map_request_failed",
            superevent_id=event.superevent_id,
            reason=str(error),
            retry_in_s=pause.total_seconds(),
        )
        interval = interval_at(now - event.event_time)
        is_over = interval is None and failures >= MAX_FAILURES_WHEN_ASKED
        next_at = None if is_over else now + pause
        await self._repository.record_failure(event.superevent_id, str(error), now, next_at)

    def _pause_all(self, pause: timedelta) -> None:
        self._not_before = time.monotonic() + pause.total_seconds()

    async def _read_instruments(self, pointings: ReportedPointings) -> None:
        """Read names and fields of view of the instruments of an answer that aren't known, or were long ago.

        A failure changes nothing of what is known: they are read after the next answer.
        """
        used = {one.instrument_id: one.instrument for one in pointings.observations if one.instrument_id >= 0}
        try:
            await self._read_list(used)
            known, now = await self._repository.instruments(), self._clock()
            old = [
                number
                for number in sorted(used)
                if number in known and _is_old(known[number].footprint_read_at, now)
            ]
            for number in old[:MAX_FOOTPRINTS_AT_ONCE]:
                await self._read_footprint(number)
        except TreasureMapError as error:
            log.info("treasure_map_instruments_unread", reason=str(error))
        except StoreUnavailable:
            raise
        except Exception:
            log.exception("unexpected_error", subsystem="treasure_map")

    async def _read_list(self, used: dict[int, str]) -> None:
        now, known = self._clock(), await self._repository.instruments()
        if not any(number not in known or _is_old(known[number].listed_at, now) for number in used):
            return
        await asyncio.sleep(PACE_S)
        answer = await self._client.instruments()
        listed = await asyncio.to_thread(conversion.parse_instruments, answer)
        # One that isn't listed is known by what its pointings say, so that the list isn't read each time.
        named = {one.id for one in listed}
        listed += [
            ReportedInstrument(number, name, None) for number, name in used.items() if number not in named
        ]
        await self._repository.record_instruments(listed, now)

    async def _read_footprint(self, number: int) -> None:
        await asyncio.sleep(PACE_S)
        answer = await self._client.footprints(number)
        polygons = await asyncio.to_thread(conversion.parse_footprint, answer, number)
        if not polygons:
            log.info("treasure_map_footprint_missing", instrument_id=number)
        await self._repository.record_footprint(number, polygons, self._clock())


def _is_old(read_at: datetime | None, now: datetime) -> bool:
    return read_at is None or not timedelta(0) <= now - read_at < INSTRUMENTS_KEPT_FOR
