"""The delivery worker: claim what is due, start an attempt for each, keep this process's leases alive."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import structlog

from bot.delivery.outcome_writer import MAX_STORE_RETRY_S, STORE_RETRY_S, OutcomeWriter
from bot.delivery.rate_control import BusyChannels
from bot.delivery.sender import Sender
from bot.routing.intents import ChannelRef
from bot.runtime.retry import retry_until_done
from bot.runtime.wakeups import Wakeups
from bot.slack.client import SlackClient
from bot.store.database import StoreUnavailable
from bot.store.outbox.leases import HEARTBEAT_INTERVAL_S
from bot.store.outbox.models import Delivery
from bot.store.outbox.outbox import Outbox

POLL_S = 1.0
"""Seconds between claims without a wake-up, which is only a hint."""
CONCURRENCY = 200
"""Deliveries in flight at once."""
SLOTS_PER_URGENT_SLOT = 10
"""One slot more for every ten is reserved for alerts and answers, so that calls that hang can't take it."""
MAX_CONNECTIONS = CONCURRENCY + CONCURRENCY // SLOTS_PER_URGENT_SLOT + 80
"""Connections to Slack: one for each delivery in flight, and some for images and answers."""
MIN_CLAIM_INTERVAL_S = 0.05
"""Time that a claim waits for more free slots while fewer than half are free."""
MIN_WAIT_S = 0.005
RELEASE_TIMEOUT_S = 0.8
"""Time in which a worker that stops may release its leases."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """A worker's limits: its number of deliveries in flight, and how often it polls."""

    concurrency: int = CONCURRENCY
    poll_s: float = POLL_S


class DeliveryWorker:
    """Sends what the outbox holds for the workspaces that it has a client for."""

    def __init__(
        self,
        outbox: Outbox,
        clients: Mapping[str, SlackClient],
        sender: Sender,
        outcome_writer: OutcomeWriter,
        clock: Callable[[], datetime],
        wakeups: Wakeups,
        limits: WorkerLimits | None = None,
    ) -> None:
        """`clients`, by team id, may grow and shrink while the worker runs."""
        self._outbox = outbox
        self._clients = clients
        self.sender = sender
        self._outcome_writer = outcome_writer
        self._rate_control = sender.rate_control
        self._clock = clock
        self._wakeup = wakeups.deliveries
        limits = limits or WorkerLimits()
        self._concurrency = limits.concurrency
        self._poll_s = limits.poll_s
        self._in_flight: dict[ChannelRef, asyncio.Task[None]] = {}
        self._busy_channels = BusyChannels(clients, self._in_flight, self._rate_control)
        self._claimed_at = 0.0
        self._claim_timer: asyncio.TimerHandle | None = None
        self._stopping = False
        self._heartbeat_workspaces: set[str] | None = None
        """The workspaces named by the last heartbeat; None before the first."""
        self._stopped = asyncio.Event()
        self._stopped.set()

    def wake(self) -> None:
        """Wake the worker, so that it looks for due deliveries now."""
        self._wakeup.set()

    async def run(self) -> None:
        """Work until `stop`; failures of the store are waited out."""
        self._stopped.clear()
        await _retry_until_stored(self._heartbeat, "heartbeat")
        await _retry_until_stored(self._outbox.requeue_stalled, "requeue_stalled")
        heartbeat = asyncio.create_task(self._run_heartbeat())
        heartbeat.add_done_callback(lambda _: self._wakeup.set())
        is_continuing = False
        try:
            while not self._stopping:
                if heartbeat.done():
                    # It ends by an error only. Without heartbeats this worker may claim nothing.
                    heartbeat.result()
                may_be_urgent = self._wakeup.is_set() or not is_continuing
                self._wakeup.clear()
                try:
                    if self._heartbeat_workspaces != set(self._clients):
                        await self._heartbeat()
                    is_continuing = await self._start_due(may_be_urgent=may_be_urgent)
                except StoreUnavailable as error:
                    _log_store_unavailable(error, "claim")
                    is_continuing = False
                if not is_continuing and not self._stopping:
                    await self._wait_for_work()
        finally:
            heartbeat.cancel()
            self._stopped.set()

    async def stop(self, timeout_s: float = 2.5) -> None:
        """Start nothing more, and wait up to `timeout_s` seconds for what is in flight."""
        self._stopping = True
        self._wakeup.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                # What is being claimed right now is in flight too.
                await self._stopped.wait()
                while self._in_flight:
                    await asyncio.wait(list(self._in_flight.values()))
        writing = self._outcome_writer.task
        late = [*self._in_flight.values(), *([] if writing is None else [writing])]
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        try:
            async with asyncio.timeout(RELEASE_TIMEOUT_S):
                await self._outbox.leases.release_all()
        except (StoreUnavailable, TimeoutError) as error:
            # The other processes take the leases over once they have expired.
            log.warning("leases_release_failed", reason=str(error) or type(error).__name__)

    async def _heartbeat(self) -> None:
        """Renew this worker's leases and requeue what dead workers had claimed."""
        clients = set(self._clients)
        gained = await self._outbox.leases.heartbeat(clients)
        self._heartbeat_workspaces = clients
        if gained:
            # Whoever had the lease may have edited a message to a revision that this worker edited it to too.
            self.sender.forget_shown_messages()
        requeued = await self._outbox.requeue_stalled_of_dead_workers()
        if requeued:
            log.warning("deliveries_requeued", deliveries=requeued, reason="worker_died")
        if gained or requeued:
            self._wakeup.set()

    async def _run_heartbeat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_INTERVAL_S)
            try:
                await self._heartbeat()
            except StoreUnavailable as error:
                _log_store_unavailable(error, "heartbeat")

    async def _wait_for_work(self) -> None:
        pause_s = self._rate_control.seconds_to_next_end()
        wait_s = self._poll_s if pause_s is None else min(self._poll_s, pause_s)
        # Not wait_for: Python 3.11's loses a cancellation that comes together with what it waits for.
        with suppress(TimeoutError):
            async with asyncio.timeout(max(MIN_WAIT_S, wait_s)):
                await self._wakeup.wait()

    async def _start_due(self, *, may_be_urgent: bool) -> bool:
        """Claim and start what is due for the free slots; return whether more may be due at once.

        Where fewer were due than were asked for, none is until a delivery ends or is planned. Raises
        StoreUnavailable.

        Unless something urgent may have come since the last claim, the slots reserved for it alone are no
        reason to claim: on SQLite a claim keeps outcomes from being recorded.
        """
        loop = asyncio.get_running_loop()
        self._rate_control.drop_ended_pauses()
        free = self._concurrency - len(self._in_flight)
        free_with_urgent = free + self._concurrency // SLOTS_PER_URGENT_SLOT
        if (free_with_urgent if may_be_urgent else free) <= 0 or not self._outbox.leases.is_alive:
            return False
        # A claim is one transaction and costs as much for a few deliveries as for many. So more free slots
        # are waited for, but only for a moment, since calls that hang must not hold up the rest.
        claim_in_s = self._claimed_at + MIN_CLAIM_INTERVAL_S - loop.time()
        if claim_in_s > 0 and free < self._concurrency // 2:
            self._wake_for_claim()
            return False
        if self._claim_timer is not None:
            self._claim_timer.cancel()
            self._claim_timer = None
        self._claimed_at = loop.time()
        claimed = await self._outbox.claim(
            self._clock(),
            free_with_urgent,
            busy_channels=self._busy_channels,
            edit_quota=self._rate_control.free_edit_slots,
            non_urgent_limit=free,
        )
        for delivery in claimed:
            task = asyncio.create_task(self._deliver(delivery))
            self._in_flight[delivery.team_id, delivery.channel_id] = task
            if delivery.is_edit:
                self._rate_control.begin_edit(delivery.team_id)
            task.add_done_callback(partial(self._on_done, delivery))
        return len(claimed) == free_with_urgent

    async def _deliver(self, delivery: Delivery) -> None:
        outcome = await self.sender.send(delivery)
        await self._outcome_writer.record(delivery, outcome)

    def _on_done(self, delivery: Delivery, task: asyncio.Task[None]) -> None:
        del self._in_flight[delivery.team_id, delivery.channel_id]
        is_edit = delivery.is_edit
        if is_edit:
            self._rate_control.end_edit(delivery.team_id)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("delivery_task_failed", delivery=delivery.id, exc_info=error)
        if is_edit or len(self._in_flight) <= self._concurrency // 2:
            self._wakeup.set()
        else:
            self._wake_for_claim()

    def _wake_for_claim(self) -> None:
        """Wake this worker as soon as few free slots are reason enough to claim."""
        if self._claim_timer is None:
            claim_at = self._claimed_at + MIN_CLAIM_INTERVAL_S
            self._claim_timer = asyncio.get_running_loop().call_at(claim_at, self._on_claim_timer)

    def _on_claim_timer(self) -> None:
        self._claim_timer = None
        self._wakeup.set()


async def _retry_until_stored(work: Callable[[], Awaitable[object]], name: str) -> None:
    await retry_until_done(
        work,
        expected=StoreUnavailable,
        on_failure=lambda error, _wait_s: _log_store_unavailable(error, name),
        first_wait_s=STORE_RETRY_S,
        max_wait_s=MAX_STORE_RETRY_S,
    )


def _log_store_unavailable(error: Exception, work: str) -> None:
    log.warning("store_unavailable", subsystem="delivery", work=work, reason=str(error))
