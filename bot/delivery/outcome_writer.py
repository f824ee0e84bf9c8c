"""Write the outcomes of deliveries to the outbox, many in one transaction.

A commit costs as much for one outcome as for a hundred, so those that end within a few hundredths of a second
share one. While the database is away they are kept and tried again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from bot.runtime.callbacks import no_op
from bot.runtime.retry import retry_until_done
from bot.store.database import StoreUnavailable
from bot.store.outbox.models import DeadLettered, Delivered, Delivery, Outcome, Retry
from bot.store.outbox.outbox import Outbox

BATCH_WINDOW_S = 0.04
"""Time for which outcomes are gathered for one transaction."""
STORE_RETRY_S = 0.1
MAX_STORE_RETRY_S = 5.0

OnRecorded = Callable[[Sequence[tuple[Delivery, Outcome]]], None]
"""Called with the outcomes of each transaction once it is committed."""

log = structlog.get_logger(__name__)


class OutcomeWriter:
    """Gathers outcomes and records them."""

    def __init__(
        self, outbox: Outbox, clock: Callable[[], datetime], on_recorded: OnRecorded = no_op
    ) -> None:
        self._outbox = outbox
        self._clock = clock
        self._on_recorded = on_recorded
        self._pending: list[tuple[Delivery, Outcome, asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None

    @property
    def task(self) -> asyncio.Task[None] | None:
        """The task that is writing now, to be waited for or cancelled at the stop."""
        return self._task

    async def record(self, delivery: Delivery, outcome: Outcome) -> None:
        """Record an outcome and return once it is committed.

        Raises CancelledError if it can't be written; the next start then finds the delivery as stalled.
        """
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending.append((delivery, outcome, written))
        if self._task is None:
            self._start()
        await written

    def _start(self) -> None:
        self._task = asyncio.create_task(self._write_outcomes())
        self._task.add_done_callback(self._on_done)

    def _on_done(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            log.error("outcomes_not_recorded", exc_info=error)
        # A failed batch leaves behind what was added while it was written.
        if self._pending and self._task is None:
            self._start()

    async def _write_outcomes(self) -> None:
        batch: list[tuple[Delivery, Outcome, asyncio.Future[None]]] = []
        try:
            while self._pending:
                await asyncio.sleep(BATCH_WINDOW_S)
                batch, self._pending = self._pending, []
                outcomes = [(delivery, outcome) for delivery, outcome, _ in batch]
                await self._write(outcomes)
                _log_outcomes(outcomes)
                self._on_recorded(outcomes)
                for _, _, written in batch:
                    if not written.done():
                        written.set_result(None)
                batch = []
        finally:
            self._task = None
            # Nobody may wait for what can't be written.
            for _, _, written in batch:
                written.cancel()

    async def _write(self, outcomes: Sequence[tuple[Delivery, Outcome]]) -> None:
        await retry_until_done(
            lambda: self._outbox.record_outcomes(outcomes, self._clock()),
            expected=StoreUnavailable,
            on_failure=lambda error, _wait_s: log.warning(
                "store_unavailable", subsystem="delivery", work="record_outcomes", reason=str(error)
            ),
            first_wait_s=STORE_RETRY_S,
            max_wait_s=MAX_STORE_RETRY_S,
        )


def _log_outcomes(outcomes: Sequence[tuple[Delivery, Outcome]]) -> None:
    """Log one line for each commit, not for each delivery: an alert goes to many channels at once."""
    count = {
        kind.__name__.lower(): sum(isinstance(outcome, kind) for _, outcome in outcomes)
        for kind in (Delivered, Retry, DeadLettered)
    }
    events = sorted(
        {delivery.superevent_id for delivery, _ in outcomes if delivery.superevent_id is not None}
    )
    log.info("delivery_outcomes_recorded", **count, superevents=events)
