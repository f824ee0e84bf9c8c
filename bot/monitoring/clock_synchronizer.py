"""Keeps the process's clock steady across restarts, and compares it with the database's and Slack's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from bot.runtime import machine_clock
from bot.runtime.steady_clock import SteadyClock
from bot.store.database import StoreUnavailable
from bot.store.operations.clock_offsets import ClockOffsetRepository

CHECK_INTERVAL_S = 1.0
DATABASE_POLL_S = 10.0
"""Interval of queries for the database's time, on PostgreSQL."""
FIRST_DATABASE_POLL_S = 2.0
MAX_STORED_DRIFT_S = 1.0
"""Drift after which the clock's offset is stored again."""
REWRITE_INTERVAL_S = timedelta(days=1).total_seconds()
CONFIRMATION_TIMEOUT_S = 8.0
MIN_SLACK_POLL_S = 2.0
"""The first interval; it doubles up to the maximum while Slack's responses don't confirm the clock."""
MAX_SLACK_POLL_S = 60.0
STORE_RETRY_S = 30.0
"""Interval after a failure of the store; other users of the store log it more often."""

log = structlog.get_logger(__name__)


class ClockSynchronizer:
    """Checks the clock every second, and stores its offset for the next process of this boot."""

    def __init__(
        self,
        clock: SteadyClock,
        offsets: ClockOffsetRepository,
        *,
        boot_id: str | None = None,
        elapsed: Callable[[], float] | None = None,
    ) -> None:
        self._clock = clock
        self._offsets = offsets
        self._boot_id = machine_clock.boot_id() if boot_id is None else boot_id
        self._elapsed = elapsed or machine_clock.monotonic_time
        self._stored_offset: tuple[float, float] | None = None
        self._store_retry_at = self._database_poll_at = self._slack_poll_at = 0.0
        self._slack_poll_interval_s = MIN_SLACK_POLL_S
        self.request_slack_time: Callable[[], Awaitable[None]] | None = None
        """Calls Slack, whose response carries its time; set once Slack can be called."""

    async def start(self) -> None:
        """Resume the clock of an earlier process of this boot. Raises StoreUnavailable."""
        if self._boot_id is not None:
            offset = await self._offsets.get(self._boot_id)
            if offset is not None:
                self._clock.resume(offset)
        await self._poll_database()

    async def run(self) -> None:
        """Check the clock every second until cancelled."""
        while True:
            await self.check()
            await asyncio.sleep(CHECK_INTERVAL_S)

    async def check(self) -> None:
        """Check the clock once; after a failure of the store its part is skipped for a while."""
        self._clock.compare_with_wall_clock()
        await self._poll_slack()
        if self._elapsed() < self._store_retry_at:
            return
        try:
            if self._elapsed() >= self._database_poll_at:
                await self._poll_database()
            await self._save_offset()
        except StoreUnavailable as error:
            self._store_retry_at = self._elapsed() + STORE_RETRY_S
            log.warning("store_unavailable", subsystem="clock", reason=str(error))

    async def _poll_slack(self) -> None:
        if self.request_slack_time is None or not self._clock.needs_reference:
            self._slack_poll_interval_s = MIN_SLACK_POLL_S
        elif self._elapsed() >= self._slack_poll_at:
            self._slack_poll_at = self._elapsed() + self._slack_poll_interval_s
            self._slack_poll_interval_s = min(2 * self._slack_poll_interval_s, MAX_SLACK_POLL_S)
            await self.request_slack_time()

    async def wait_until_confirmed(self, timeout_s: float = CONFIRMATION_TIMEOUT_S) -> None:
        """Wait until another clock confirms this one, for at most `timeout_s` seconds.

        Before that no notice is known to be old.
        """
        until = self._elapsed() + timeout_s
        while not self._clock.is_confirmed and self._elapsed() < until:  # noqa: ASYNC110  only waited for at startup
            await asyncio.sleep(0.05)

    async def _poll_database(self) -> None:
        started = self._elapsed()
        self._database_poll_at = started + DATABASE_POLL_S
        reported = await self._offsets.get_database_time()
        if reported is not None:
            self._clock.add_reference(reported, started, self._elapsed(), only_if_unconfirmed=True)
        if not self._clock.is_confirmed:
            # A disagreeing clock counts once it is read twice; until then new notices may look old.
            self._database_poll_at = started + FIRST_DATABASE_POLL_S

    async def _save_offset(self) -> None:
        if self._boot_id is None or not self._clock.is_confirmed:
            return
        offset, now = self._clock.offset, self._elapsed()
        if self._stored_offset is not None:
            known, at = self._stored_offset
            if abs(known - offset) <= MAX_STORED_DRIFT_S and now - at < REWRITE_INTERVAL_S:
                return
        await self._offsets.record(self._boot_id, offset, self._clock())
        self._stored_offset = (offset, now)
