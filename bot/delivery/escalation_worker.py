"""Worker that takes the steps of escalations when they are due, for the workspaces of this process.

An escalation calls people until somebody has the event. A mention writes the steps that follow it as rows, in
the transaction of the notice (`bot.store.outbox.mention_writer`). This worker, woken by `DuePoller` each
second in which some are due, takes them: `bot.routing.escalation` decides what becomes of each, and
`bot.store.events.escalations` writes its message or webhook call in the transaction that takes the step. "I
have it" (`bot.store.channels.acknowledgements`) and a step exclude each other there. `bot.monitoring.webhook`
makes the calls that `bot.routing.escalation_calls` decides. A drill is an escalation without a thread
(`bot.store.channels.drills`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from bot.delivery.due_poller import FALLBACK_POLL_S
from bot.routing.escalation import StepAction
from bot.runtime.callbacks import always, never, no_op
from bot.runtime.polling_worker import run_polling_worker
from bot.runtime.wakeups import Wakeups
from bot.store.channels.drills import DrillRepository
from bot.store.database import StoreUnavailable
from bot.store.events.escalations import EscalationRepository

log = structlog.get_logger(__name__)


class EscalationWorker:
    """Takes due steps and closes escalations a day after they began; both are rows and survive a restart."""

    def __init__(
        self,
        escalations: EscalationRepository,
        drills: DrillRepository,
        clock: Callable[[], datetime],
        wakeups: Wakeups,
        *,
        can_call: Callable[[str], bool] = never,
        on_decided: Callable[[Sequence[StepAction]], None] = no_op,
        is_clock_trusted: Callable[[], bool] = always,
    ) -> None:
        """`can_call` tells whether the operators' webhook is there, and may be called for a workspace.

        `on_decided` hears what was decided about steps, once it is stored.
        Nothing is closed for its age unless `is_clock_trusted`: a step that a clock far ahead took would
        never be said.
        """
        self._escalations = escalations
        self._drills = drills
        self._clock = clock
        self._wakeups = wakeups
        self._can_call = can_call
        self._on_decided = on_decided
        self._is_clock_trusted = is_clock_trusted

    async def run(self) -> None:
        """Take steps until cancelled; while the store is unavailable it waits."""
        await run_polling_worker(
            self.take_due,
            self._wakeups.escalations,
            FALLBACK_POLL_S,
            expected=StoreUnavailable,
            on_expected=lambda error: log.warning(
                "store_unavailable", subsystem="escalations", reason=str(error)
            ),
        )

    async def take_due(self) -> bool:
        """Take what is due now; return True if there may be more at once. Raises StoreUnavailable."""
        now = self._clock()
        decided = await self._escalations.take_due(now, self._can_call)
        self._on_decided(decided)
        # A drill that stood still for a day tells how it went before it is closed.
        ended = await self._drills.end_finished(now)
        closed = await self._escalations.close_old(now) if self._is_clock_trusted() else 0
        if decided or ended or closed:
            self._wakeups.intents_planned()
        return bool(closed)
