"""The ledger's worker: renders what is due, hands it to Slack, writes down what came of it."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

import structlog

from bot.delivery.degraded_messages import DegradedMessages
from bot.delivery.history_lookup import HistoryLookup
from bot.delivery.loop_throttle import LoopThrottle
from bot.delivery.rendered_message import RenderedMessage
from bot.slack.client import SlackClient
from bot.slack.degradation import refused_mentions
from bot.slack.errors import (
    ROOT_DELETED,
    ROOT_NOT_EDITABLE,
    ChannelUnavailable,
    FileNotReady,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    SlackFailure,
    WorkspaceUnavailable,
)
from bot.slack.lease_check import LeaseLost, send_only_while
from bot.slack.message_metadata import DeliveryMetadata
from bot.store.database import StoreUnavailable
from bot.store.outbox.leases import HEARTBEAT_INTERVAL_S
from bot.store.outbox.models import (
    MAX_DELAY,
    DeadLettered,
    Delivered,
    Delivery,
    DeliveryKind,
    Outcome,
    Retry,
)
from bot.store.outbox.outbox import Outbox
from bot.store.outbox.plan_writer import IMAGE_WAIT

POLL_S = 1.0
"""A wake-up is a hint; the ledger is looked at this often anyway."""
CONCURRENCY = 200
SLOTS_PER_URGENT_SLOT = 10
"""For so many places one more is kept for alerts and answers alone: calls that hang can't take it."""
MAX_CONNECTIONS = CONCURRENCY + CONCURRENCY // SLOTS_PER_URGENT_SLOT + 80
"""To Slack at once: for all that is under way, and for pictures and answers beside it."""
MAX_STARTS_PER_TURN = 10
"""In one turn of the event loop: what people ask meanwhile is acknowledged between two turns."""
MAX_EDITS_PER_WORKSPACE = 10
"""Of one workspace: they are scarce, so what is more urgent mustn't find the last one taken."""
MIN_CLAIM_INTERVAL_S = 0.05
"""How long a claim waits for room for many; where there is room, it waits for nothing."""
BATCH_WINDOW_S = 0.04
"""How long outcomes are gathered for one transaction."""
RELEASE_TIMEOUT_S = 0.8
"""How long the end may take to tell the other processes."""
CHANNEL_PAUSE_S = 1.0
"""Slack's own pace: about one message a second a channel."""
MAX_BACKOFF_S = 300.0
GIVE_UP_AFTER = timedelta(hours=24)
"""A delivery that Slack was in no state to take for so long is old news."""
CHANGES_GIVE_UP_AFTER = timedelta(days=7)
"""Who silenced a channel is no old news after a day."""
FILE_READY_TIMEOUT = timedelta(seconds=60)
"""How long an uploaded picture may take to become one that Slack can show."""

_EXPIRING_KINDS = frozenset(
    {
        DeliveryKind.ROOT,
        DeliveryKind.REPLY,
        DeliveryKind.MENTION,
        DeliveryKind.CIRCULAR,
        DeliveryKind.UNREADABLE_NOTICE,
    }
)
_TOP_LEVEL_KINDS = frozenset({DeliveryKind.ROOT, DeliveryKind.MENTION})
"""What stands in the channel itself, though it has a thread."""

log = structlog.get_logger(__name__)


class RenderDelivery(Protocol):
    """Turns an intent into words, from the newest state."""

    async def __call__(self, delivery: Delivery) -> RenderedMessage | None:
        """The words; None if there is nothing to say any more."""
        ...


class DeliveryWorker:
    """Sends what the ledger holds, to every workspace whose client it was given."""

    def __init__(
        self,
        outbox: Outbox,
        clients: Mapping[str, SlackClient],
        render: RenderDelivery,
        clock: Callable[[], datetime],
        *,
        on_image_failed: Callable[[int, str], Awaitable[None]],
        concurrency: int = CONCURRENCY,
        channel_pause_s: float = CHANNEL_PAUSE_S,
        poll_s: float = POLL_S,
        on_recorded: Callable[[Sequence[tuple[Delivery, Outcome]]], None] = lambda _: None,
        is_clock_trusted: Callable[[], bool] = lambda: True,
    ) -> None:
        """`picture_failed(id, reason)` is told which picture Slack will not show, `settled` every outcome.

        `may_give_up` says whether the clock is good enough to give up what is old.
        """
        self._is_clock_trusted = is_clock_trusted
        self._outbox = outbox
        self._clients = clients
        self._render = render
        self._clock = clock
        self._on_image_failed = on_image_failed
        self._on_outcomes_recorded = on_recorded
        self._concurrency = concurrency
        self._channel_pause_s = channel_pause_s
        self._poll_s = poll_s
        # `chat.update` has a limit of its own, for a workspace; posts go on meanwhile.
        self._edits_paused_until: dict[str, float] = {}
        self._last_rate_limit: dict[str, tuple[str, float]] = {}
        self._wake_event = asyncio.Event()
        self._in_flight: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._edits_in_flight: Counter[str] = Counter()
        self._history_lookup = HistoryLookup(clock, is_clock_trusted)
        self._degraded_messages = DegradedMessages()
        self._loop_throttle = LoopThrottle(MAX_STARTS_PER_TURN)
        # What Slack asked us to leave alone, until when, by the loop's clock; "*" is a whole workspace.
        self._paused_until: dict[tuple[str, str], float] = {}
        self._pending_outcomes: list[tuple[Delivery, Outcome, asyncio.Future[None]]] = []
        self._recording: asyncio.Task[None] | None = None
        self._claimed_at = 0.0
        self._stopping = False
        self._heartbeat_workspaces: set[str] | None = None
        self._stopped = asyncio.Event()
        self._stopped.set()

    def wake(self) -> None:
        """Say that the ledger may hold something new."""
        self._wake_event.set()

    async def run(self) -> None:
        """Work until `stop`; the store's failures are waited out."""
        self._stopped.clear()
        await _retry_until_stored(self._heartbeat, "share")
        await _retry_until_stored(self._outbox.requeue_stalled, "recover")
        sharing = asyncio.create_task(self._run_heartbeat())
        sharing.add_done_callback(lambda _: self._wake_event.set())
        try:
            while not self._stopping:
                if sharing.done():
                    # Never by itself: without a sign of life this worker would be of no use.
                    sharing.result()
                self._wake_event.clear()
                try:
                    if self._heartbeat_workspaces != set(self._clients):
                        await self._heartbeat()
                    started = await self._start_due()
                except StoreUnavailable as error:
                    log.warning("deliveries_wait_for_store", reason=str(error))
                    started = 0
                if not started and not self._stopping:
                    await self._wait_for_work()
        finally:
            sharing.cancel()
            self._stopped.set()

    async def stop(self, timeout_s: float = 2.5) -> None:
        """Start nothing more; give what is under way a moment, then leave it to the next start."""
        self._stopping = True
        self._wake_event.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                # What is being claimed right now is under way too.
                await self._stopped.wait()
                while self._in_flight:
                    await asyncio.wait(list(self._in_flight.values()))
        late = [*self._in_flight.values(), *([self._recording] if self._recording is not None else [])]
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        try:
            async with asyncio.timeout(RELEASE_TIMEOUT_S):
                await self._outbox.leases.release_all()
        except (StoreUnavailable, TimeoutError) as error:
            # The others notice by themselves.
            log.warning("left_without_notice", reason=str(error))

    async def _heartbeat(self) -> None:
        """Say that this worker lives, and see which workspaces are its own."""
        clients = set(self._clients)
        gained = await self._outbox.leases.heartbeat(clients)
        self._heartbeat_workspaces = clients
        lost = await self._outbox.requeue_stalled_of_dead_workers()
        if lost:
            log.warning("taken_over", deliveries=lost)
        if gained or lost:
            self._wake_event.set()

    async def _run_heartbeat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_INTERVAL_S)
            try:
                await self._heartbeat()
            except StoreUnavailable as error:
                log.warning("share_waits_for_store", reason=str(error))

    async def _wait_for_work(self) -> None:
        now = asyncio.get_running_loop().time()
        pauses = [*self._paused_until.values(), *self._edits_paused_until.values()]
        soonest = min((until - now for until in pauses if until > now), default=self._poll_s)
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.005, min(self._poll_s, soonest))):
                await self._wake_event.wait()

    async def _start_due(self) -> int:
        now = asyncio.get_running_loop().time()
        self._paused_until = {place: until for place, until in self._paused_until.items() if until > now}
        others = self._concurrency - len(self._in_flight)
        free = others + self._concurrency // SLOTS_PER_URGENT_SLOT
        # A claim is one transaction: a few at a time cost as much as many, so room for many is waited for,
        # a moment only, lest calls that hang hold up the rest.
        rest = self._claimed_at + MIN_CLAIM_INTERVAL_S - now
        if free <= 0 or not self._outbox.leases.is_alive:
            return 0
        if rest > 0 and others < self._concurrency // 2:
            asyncio.get_running_loop().call_later(rest, self._wake_event.set)
            return 0
        self._claimed_at = now
        busy = _BusyChannels(self._clients, self._in_flight, self._paused_until)
        claimed = await self._outbox.claim(
            self._clock(), free, busy_channels=busy, edit_quota=self._free_edit_slots, non_urgent_limit=others
        )
        for delivery in claimed:
            place = (delivery.team_id, delivery.channel_id)
            task = asyncio.create_task(self._deliver(delivery))
            self._in_flight[place] = task
            if delivery.kind is DeliveryKind.EDIT:
                self._edits_in_flight[delivery.team_id] += 1
            edit = delivery.kind is DeliveryKind.EDIT
            task.add_done_callback(lambda task, place=place, edit=edit: self._on_done(place, task, edit))  # type: ignore[misc]
        return len(claimed)

    def _free_edit_slots(self, team_id: str) -> int:
        if self._edits_paused_until.get(team_id, 0.0) > asyncio.get_running_loop().time():
            return 0
        return MAX_EDITS_PER_WORKSPACE - self._edits_in_flight[team_id]

    def _on_done(self, channel_ref: tuple[str, str], task: asyncio.Task[None], edit: bool) -> None:
        del self._in_flight[channel_ref]
        if edit:
            self._edits_in_flight[channel_ref[0]] -= 1
        _log_exception(task)
        if edit or len(self._in_flight) <= self._concurrency // 2:
            self._wake_event.set()

    async def _deliver(self, delivery: Delivery) -> None:
        bound = log.bind(
            delivery=delivery.id,
            kind=delivery.kind.value,
            channel=delivery.channel_id,
            superevent_id=delivery.superevent_id,
        )
        try:
            outcome = await self._attempt(delivery)
        except LeaseLost as lost:
            # Nothing was sent. Where another worker has it, this outcome counts for nothing.
            bound.warning("lease_lost_before_sending")
            outcome = Retry(not_before=self._clock(), reason=lost.reason)
        except SlackFailure as failure:
            self._degraded_messages.record_failure(delivery.id, failure)
            outcome = self._outcome_for_failure(delivery, failure)
            bound.warning("delivery_failed", reason=failure.reason, attempts=delivery.attempts)
        except StoreUnavailable as error:
            outcome = Retry(not_before=self._clock() + timedelta(seconds=2), reason=str(error))
        except Exception:  # noqa: BLE001
            # The guard of law 6 for words: a message that can't be rendered must not stop the others.
            bound.exception("delivery_broken")
            outcome = Retry(
                not_before=self._clock() + timedelta(seconds=_backoff_s(delivery.attempts)),
                reason="a fault in gwevent, see its log",
                maybe_sent=True,
            )
            if self._is_expired(delivery):
                outcome = DeadLettered(reason="a fault in gwevent, see its log")
        else:
            bound.debug("delivered", ts=outcome.ts if isinstance(outcome, Delivered) else None)
        if not isinstance(outcome, Retry):
            self._history_lookup.forget(delivery.id)
            self._degraded_messages.forget(delivery.id)
        if isinstance(outcome, Delivered) and delivery.kind is not DeliveryKind.EDIT:
            self._pause((delivery.team_id, delivery.channel_id), self._channel_pause_s)
        await self._record(delivery, outcome)

    async def _attempt(self, delivery: Delivery) -> Outcome:
        client = self._clients[delivery.team_id]
        holds = partial(self._outbox.leases.is_claim_valid, delivery.claimed_by)
        if delivery.maybe_sent and delivery.kind is not DeliveryKind.EDIT:
            thread_ts = None if delivery.kind in _TOP_LEVEL_KINDS else delivery.root_ts
            found = await self._history_lookup.find(
                client,
                delivery,
                self._delivery_metadata(delivery),
                thread_ts=thread_ts,
                maybe_outside_thread=self._degraded_messages.may_be_outside_thread(delivery.id),
            )
            if found is not None:
                # Which revision stands there isn't known; showing none, it will be edited.
                return Delivered(ts=found, revision=0)
        if delivery.kind in _EXPIRING_KINDS and self._is_expired(delivery):
            return DeadLettered(reason="old news before it could be posted")
        words = await self._render(delivery)
        if words is None:
            return DeadLettered(reason="nothing to say any more")
        await self._loop_throttle.acquire()
        if not holds():
            raise LeaseLost
        # Looked at again before each request's first byte: the client waits for connections too.
        with send_only_while(holds):
            if delivery.kind is DeliveryKind.EDIT:
                return await self._edit(client, delivery, words)
            return await self._post(client, delivery, words)

    async def _edit(self, client: SlackClient, delivery: Delivery, rendered: RenderedMessage) -> Outcome:
        ts = delivery.root_ts
        assert ts is not None, "the ledger hands out edits of posted roots only"
        if delivery.root_uneditable:
            return DeadLettered(reason="the root can't be edited any more")
        if delivery.posted_revision == delivery.target_revision:
            return Delivered(ts=ts, revision=delivery.target_revision)
        try:
            start = self._degraded_messages.parts_to_drop(delivery.id)
            dropped = await client.edit(delivery.channel_id, ts, rendered.message, dropped=start)
        except FileNotReady as failure:
            return await self._edit_without_image(client, delivery, rendered, failure)
        except SlackFailure as failure:
            if failure.reason in ROOT_NOT_EDITABLE:
                return DeadLettered(reason=failure.reason, root_uneditable=True)
            if failure.reason in ROOT_DELETED:
                # Somebody deleted it; only news brings it back.
                return DeadLettered(reason=failure.reason, root_deleted=delivery.subject_id != 0)
            raise
        # A picture that this channel refuses may still be shown by others.
        again = self._degraded_messages.restore_time(delivery.thread_id, dropped, self._clock())
        return Delivered(
            ts=ts, revision=delivery.target_revision, image_id=rendered.picture_id, follow_up_edit_at=again
        )

    async def _edit_without_image(
        self, client: SlackClient, delivery: Delivery, rendered: RenderedMessage, failure: FileNotReady
    ) -> Outcome:
        """Slack can't show the picture yet: try again soon, while news waits so long and no longer."""
        now, ts = self._clock(), delivery.root_ts
        assert ts is not None and rendered.without_picture is not None and rendered.picture_id is not None
        age = now - (rendered.picture_since or now)
        again: datetime | None = None
        if age < FILE_READY_TIMEOUT:
            # Twice as long as it has taken already: soon at first, seldom later.
            again = now + max(age, timedelta(seconds=0.3))
            words_at = delivery.created_at + IMAGE_WAIT
            if not delivery.subject_id or now < words_at:
                soon = min(again, words_at) if delivery.subject_id else again
                return Retry(not_before=soon, reason=failure.reason)
        else:
            await self._on_image_failed(rendered.picture_id, failure.reason)
        await client.edit(delivery.channel_id, ts, rendered.without_picture)
        return Delivered(ts=ts, revision=delivery.target_revision, follow_up_edit_at=again)

    async def _post(self, client: SlackClient, delivery: Delivery, rendered: RenderedMessage) -> Outcome:
        thread_ts = None if delivery.kind in _TOP_LEVEL_KINDS else delivery.root_ts
        picture_id = rendered.picture_id
        mark = self._delivery_metadata(delivery)
        try:
            posted = await client.post(
                delivery.channel_id,
                rendered.message,
                mark,
                thread_ts=thread_ts,
                broadcast=rendered.broadcast,
                dropped=self._degraded_messages.parts_to_drop(delivery.id),
            )
        except FileNotReady:
            # Words first: the picture comes with an edit.
            assert rendered.without_picture is not None
            picture_id = None
            posted = await client.post(delivery.channel_id, rendered.without_picture, mark)
        except SlackFailure as failure:
            if thread_ts is None or failure.reason not in ROOT_DELETED:
                raise
            if delivery.kind is not DeliveryKind.UNREADABLE_NOTICE:
                # Only news brings the root back; and no root would say what an apology says.
                return DeadLettered(reason=failure.reason, root_deleted=delivery.kind is DeliveryKind.REPLY)
            posted = await client.post(delivery.channel_id, rendered.message, mark)
        revision = again = None
        if delivery.kind is DeliveryKind.ROOT:
            revision = (
                0
                if rendered.picture_id != picture_id or rendered.needs_follow_up_edit
                else delivery.target_revision
            )
            again = self._degraded_messages.restore_time(delivery.thread_id, posted.dropped, self._clock())
        return Delivered(
            ts=posted.ts,
            revision=revision,
            image_id=picture_id,
            follow_up_edit_at=again,
            mentions=rendered.message.mentions,
            refused_mentions=refused_mentions(rendered.message, posted.dropped),
        )

    def _delivery_metadata(self, delivery: Delivery) -> DeliveryMetadata:
        return DeliveryMetadata(
            delivery_id=delivery.id, key=delivery.message_key, database=self._outbox.database_id
        )

    def _outcome_for_failure(self, delivery: Delivery, failure: SlackFailure) -> Outcome:
        """What to do about a failure: wait, or give up."""
        now = self._clock()
        if isinstance(failure, RateLimited):
            self._on_rate_limited(delivery, failure.retry_after)
            again = now + min(timedelta(seconds=failure.retry_after), MAX_DELAY)
            return Retry(not_before=again, reason=failure.reason)
        edit = delivery.kind is DeliveryKind.EDIT
        if isinstance(failure, ChannelUnavailable) and not (
            # That nobody may edit there says nothing about posts.
            edit and failure.reason.startswith("restricted_action")
        ):
            return DeadLettered(reason=failure.reason, channel_problem=failure.reason)
        if isinstance(failure, Rejected) and not edit:
            return DeadLettered(reason=failure.reason)
        if self._is_expired(delivery):
            return DeadLettered(reason=failure.reason)
        wait = _backoff_s(delivery.attempts)
        if isinstance(failure, WorkspaceUnavailable):
            # Only a person can mend it; the others of this workspace needn't find out one by one.
            wait = max(wait, 10.0)
            self._pause((delivery.team_id, "*"), wait)
        doubtful = isinstance(failure, OutcomeUnknown)
        return Retry(not_before=now + timedelta(seconds=wait), reason=failure.reason, maybe_sent=doubtful)

    def _is_expired(self, delivery: Delivery) -> bool:
        after = CHANGES_GIVE_UP_AFTER if delivery.kind is DeliveryKind.CHANGE else GIVE_UP_AFTER
        return self._clock() - delivery.created_at > after and self._is_clock_trusted()

    def _on_rate_limited(self, delivery: Delivery, seconds: float) -> None:
        now = asyncio.get_running_loop().time()
        if delivery.kind is DeliveryKind.EDIT:
            self._edits_paused_until[delivery.team_id] = now + seconds
            return
        channel, at = self._last_rate_limit.get(delivery.team_id, (delivery.channel_id, 0.0))
        self._last_rate_limit[delivery.team_id] = (delivery.channel_id, now)
        # Two channels refused within a second: it's the workspace that is limited, not the channel.
        whole = channel != delivery.channel_id and now - at < 1.0
        self._pause((delivery.team_id, "*" if whole else delivery.channel_id), seconds)

    def _pause(self, channel_ref: tuple[str, str], seconds: float) -> None:
        until = asyncio.get_running_loop().time() + seconds
        self._paused_until[channel_ref] = max(until, self._paused_until.get(channel_ref, 0.0))

    async def _record(self, delivery: Delivery, outcome: Outcome) -> None:
        """Write the outcome down, together with those of others that come at the same time."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending_outcomes.append((delivery, outcome, written))
        if self._recording is None:
            self._start_recording()
        await written

    def _start_recording(self) -> None:
        self._recording = asyncio.create_task(self._record_all())
        self._recording.add_done_callback(self._on_recorded)

    def _on_recorded(self, task: asyncio.Task[None]) -> None:
        _log_exception(task)
        # One that failed leaves behind what came meanwhile.
        if not task.cancelled() and self._pending_outcomes and self._recording is None:
            self._start_recording()

    async def _record_all(self) -> None:
        batch: list[tuple[Delivery, Outcome, asyncio.Future[None]]] = []
        try:
            while self._pending_outcomes:
                # A commit costs as much for one as for many, so those that end together share it.
                await asyncio.sleep(BATCH_WINDOW_S)
                batch, self._pending_outcomes = self._pending_outcomes, []
                pairs = [(delivery, outcome) for delivery, outcome, _ in batch]
                record = partial(self._outbox.record_outcomes, pairs)
                await _retry_until_stored(lambda record=record: record(self._clock()), "settle")  # type: ignore[misc]
                _log_outcomes(pairs)
                self._on_outcomes_recorded(pairs)
                for _, _, written in batch:
                    if not written.done():
                        written.set_result(None)
                batch = []
        finally:
            self._recording = None
            # Nobody may wait for ever for what can't be written: the next start takes it up again.
            for _, _, written in batch:
                written.cancel()


class _BusyChannels:
    """The channels that nothing may be claimed for now; those of a workspace without a client wait too."""

    def __init__(
        self,
        clients: Mapping[str, object],
        in_flight: Mapping[tuple[str, str], object],
        paused_until: Mapping[tuple[str, str], float],
    ) -> None:
        self._clients, self._in_flight, self._paused_until = clients, in_flight, paused_until

    def __contains__(self, place: object) -> bool:
        assert isinstance(place, tuple)
        known = place[0] in self._clients
        return (
            not known
            or place in self._in_flight
            or place in self._paused_until
            or (place[0], "*") in self._paused_until
        )


def _log_outcomes(outcomes: Sequence[tuple[Delivery, Outcome]]) -> None:
    """One line a commit, not a delivery: an alert goes to many channels at once."""
    count = {
        kind.__name__.lower(): sum(isinstance(o, kind) for _, o in outcomes)
        for kind in (Delivered, Retry, DeadLettered)
    }
    events = sorted({d.superevent_id for d, _ in outcomes if d.superevent_id is not None})
    log.info("deliveries_settled", **count, superevents=events)


def _log_exception(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.error("delivery_task_failed", exc_info=task.exception())


async def _retry_until_stored(work: Callable[[], Awaitable[object]], name: str) -> None:
    """Do the store's work, however long the store takes to come back."""
    wait = 0.1
    while True:
        try:
            await work()
        except StoreUnavailable as error:
            log.warning("ledger_waits_for_store", work=name, reason=str(error))
            await asyncio.sleep(wait)
            wait = min(wait * 2, 5.0)
        else:
            return


def _backoff_s(attempts: int) -> float:
    """1, 2, 4 … 300 s, each give or take a quarter, so that channels don't come back in step."""
    return min(MAX_BACKOFF_S, 2.0 ** min(attempts - 1, 10)) * random.uniform(0.75, 1.25)  # noqa: S311
