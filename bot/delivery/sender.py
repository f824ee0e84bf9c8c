"""Attempt one delivery: look for it in the history if it may be posted already, render it, post or edit.

Every attempt ends in an outcome. What Slack's refusals mean is decided in `bot.delivery.retry_policy`; what
is left out of a message that Slack takes only in part, in `bot.slack.degradation`.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

import structlog

from bot.delivery import retry_policy
from bot.delivery.degraded_messages import DegradedMessages
from bot.delivery.history_lookup import HistoryLookup
from bot.delivery.loop_throttle import LoopThrottle
from bot.delivery.rate_control import RateControl
from bot.delivery.rendered_message import RenderedMessage
from bot.delivery.shown_messages import ShownMessages
from bot.routing.delivery_times import IMAGE_WAIT
from bot.runtime.callbacks import always
from bot.slack.client import SlackClient
from bot.slack.degradation import refused_mentions
from bot.slack.errors import (
    ROOT_DELETED,
    ROOT_NOT_EDITABLE,
    FileNotReady,
    RateLimited,
    SlackFailure,
    Unlisted,
    WorkspaceUnavailable,
)
from bot.slack.lease_check import LeaseLost, send_only_while
from bot.slack.message_metadata import DeliveryMetadata
from bot.slack.message_parts import DroppedPart
from bot.slack.request_team import get_client
from bot.store.database import StoreUnavailable
from bot.store.outbox.models import (
    DELIVERY_KINDS,
    NOTHING_TO_SAY,
    DeadLettered,
    Delivered,
    Delivery,
    DeliveryKind,
    Outcome,
    Retry,
)
from bot.store.outbox.outbox import Outbox
from formatters.blockkit.message import Message

MAX_STARTS_PER_TURN = 10
"""Requests begun in one turn of the event loop; between two turns, what people ask is acknowledged."""

INCOMPLETE_EDIT_PAUSE = timedelta(seconds=30)
"""Time from an edit that couldn't wait for what is being computed to the edit that brings it."""

log = structlog.get_logger(__name__)


class RenderDelivery(Protocol):
    """Renders a delivery from the newest state of its subject."""

    async def __call__(self, delivery: Delivery) -> RenderedMessage | None:
        """Return the message; None if there is nothing to post any more. Raises StoreUnavailable."""
        ...


class Sender:
    """Sends deliveries through the clients of their workspaces."""

    def __init__(
        self,
        outbox: Outbox,
        clients: Mapping[str, SlackClient],
        render: RenderDelivery,
        clock: Callable[[], datetime],
        rate_control: RateControl,
        *,
        on_image_failed: Callable[[int, str], Awaitable[None]],
        is_clock_trusted: Callable[[], bool] = always,
    ) -> None:
        """`on_image_failed(image id, reason)` is called for an image that Slack doesn't show in time.

        Nothing is given up for its age while `is_clock_trusted` returns False.
        """
        self._outbox = outbox
        self._clients = clients
        self.render = render
        self._clock = clock
        self.rate_control = rate_control
        """The pauses that Slack's answers asked for; the claim loop keeps to them."""
        self._on_image_failed = on_image_failed
        self._is_clock_trusted = is_clock_trusted
        self._history_lookup = HistoryLookup(clock, is_clock_trusted)
        self._degraded_messages = DegradedMessages()
        self._shown_messages = ShownMessages()
        self._loop_throttle = LoopThrottle(MAX_STARTS_PER_TURN)

    async def send(self, delivery: Delivery) -> Outcome:
        """Attempt a delivery and return its outcome, also if the attempt failed for whatever reason."""
        try:
            outcome = await self._attempt(delivery)
        except LeaseLost as failure:
            # Nothing was sent. If another worker claimed it, this outcome is discarded.
            _log_for(delivery).warning("delivery_not_sent", reason="lease_lost")
            outcome = Retry(not_before=self._clock(), reason=failure.reason)
        except SlackFailure as failure:
            outcome = self._outcome_for_failure(delivery, failure)
        except StoreUnavailable as error:
            outcome = Retry(not_before=self._clock() + retry_policy.STORE_BACKOFF, reason=str(error))
        except Exception:  # noqa: BLE001 - it is logged
            # A message that can't be rendered must not stop the others.
            _log_for(delivery).exception("unexpected_error", subsystem="delivery")
            outcome = retry_policy.outcome_for_defect(
                delivery, self._clock(), may_give_up=self._may_give_up(delivery), jitter=_jitter()
            )
        if not isinstance(outcome, Retry):
            self._history_lookup.forget(delivery.id)
            self._degraded_messages.forget(delivery.id)
        if isinstance(outcome, Delivered):
            if delivery.is_edit and not outcome.is_unchanged:
                self.rate_control.record_edit(delivery.team_id)
            elif not delivery.is_edit:
                self.rate_control.record_post((delivery.team_id, delivery.channel_id))
        return outcome

    def forget_shown_messages(self) -> None:
        """Forget what messages show: another worker may have edited them since."""
        self._shown_messages.forget_all()

    async def _attempt(self, delivery: Delivery) -> Outcome:
        """Send a delivery. Raises SlackFailure, LeaseLost among them, and StoreUnavailable."""
        if delivery.kind is DeliveryKind.FOLLOW_UP and delivery.follow_up_ts is not None:
            # Two posts of one reply met, for example where two ids of a channel became one.
            return Delivered(ts=delivery.follow_up_ts, revision=delivery.follow_up_posted)
        client = get_client(self._clients, delivery.team_id)
        if delivery.maybe_sent and not delivery.is_edit:
            found = await self._history_lookup.find(
                client,
                delivery,
                self._delivery_metadata(delivery),
                thread_ts=_thread_ts(delivery),
                maybe_outside_thread=self._degraded_messages.may_be_outside_thread(delivery.id),
            )
            if found is not None:
                # It isn't known which revision was posted. As revision 0 it is edited to the newest.
                return Delivered(ts=found, revision=0)
        if delivery.kind in retry_policy.EXPIRING_KINDS and self._may_give_up(delivery):
            return DeadLettered(reason="old news before it could be posted")
        rendered = await self.render(delivery)
        if rendered is None:
            return DeadLettered(reason=NOTHING_TO_SAY)
        await self._loop_throttle.acquire()
        is_claim_valid = partial(self._outbox.leases.is_claim_valid, delivery.claimed_by)
        if not is_claim_valid():
            raise LeaseLost
        # Checked again before the first byte of each request: the client waits for connections too.
        with send_only_while(is_claim_valid):
            if delivery.kind is DeliveryKind.EDIT:
                return await self._edit(client, delivery, rendered)
            if delivery.kind is DeliveryKind.FOLLOW_UP_EDIT:
                return await self._edit_follow_up(client, delivery, rendered)
            return await self._post(client, delivery, rendered)

    async def _edit(self, client: SlackClient, delivery: Delivery, rendered: RenderedMessage) -> Outcome:
        ts = delivery.root_ts
        assert ts is not None, "the outbox hands out edits of posted roots only"
        if delivery.root_uneditable:
            return DeadLettered(reason="the root can't be edited any more")
        if delivery.posted_revision == delivery.target_revision:
            return Delivered(ts=ts, revision=delivery.target_revision, is_unchanged=True)
        is_unchanged = self._shown_messages.is_shown(delivery, ts, rendered.message)
        try:
            dropped = await self._call_edit(client, delivery, ts, rendered.message, is_unchanged)
        except FileNotReady as failure:
            return await self._edit_without_image(client, delivery, rendered, failure)
        except SlackFailure as failure:
            if failure.reason in ROOT_NOT_EDITABLE:
                return DeadLettered(reason=failure.reason, root_uneditable=True)
            if failure.reason in ROOT_DELETED:
                # Somebody deleted the root; only news brings it back.
                return DeadLettered(reason=failure.reason, root_deleted=delivery.subject_id != 0)
            raise
        now = self._clock()
        again = self._degraded_messages.restore_time(delivery, dropped, now)
        if again is None and rendered.needs_follow_up_edit:
            again = now + INCOMPLETE_EDIT_PAUSE
        return Delivered(
            ts=ts,
            revision=delivery.target_revision,
            # Also if this channel refused the image: other channels may show it.
            image_id=rendered.picture_id,
            follow_up_edit_at=again,
            is_unchanged=is_unchanged,
        )

    async def _call_edit(
        self, client: SlackClient, delivery: Delivery, ts: str, message: Message, is_unchanged: bool
    ) -> tuple[DroppedPart, ...]:
        """Edit the root or Follow-up reply, unless it shows the message already; return the parts that Slack
        refused. Raises SlackFailure.
        """
        dropped: tuple[DroppedPart, ...] = ()
        if not is_unchanged:
            self._shown_messages.forget(delivery)
            parts = self._degraded_messages.parts_to_drop(delivery.id)
            dropped = await client.edit(delivery.channel_id, ts, message, dropped=parts)
        if not dropped:
            is_root = delivery.kind is DeliveryKind.EDIT
            revision = delivery.target_revision if is_root else delivery.follow_up_target
            self._shown_messages.record(delivery, ts, message, revision)
        return dropped

    async def _edit_follow_up(
        self, client: SlackClient, delivery: Delivery, rendered: RenderedMessage
    ) -> Outcome:
        ts = delivery.follow_up_ts
        if ts is None:
            return DeadLettered(reason="the Follow-up reply is gone")
        if delivery.follow_up_posted == delivery.follow_up_target:
            return Delivered(ts=ts, revision=delivery.follow_up_target, is_unchanged=True)
        is_unchanged = self._shown_messages.is_shown(delivery, ts, rendered.message)
        try:
            dropped = await self._call_edit(client, delivery, ts, rendered.message, is_unchanged)
        except SlackFailure as failure:
            # Slack's answer is final, or unknown and the same for minutes: then another reply says it.
            is_lost = failure.reason in ROOT_NOT_EDITABLE | ROOT_DELETED or (
                isinstance(failure, Unlisted) and self._degraded_messages.was_refused_often(delivery.id)
            )
            if not is_lost:
                raise
            return DeadLettered(reason=failure.reason, is_follow_up_lost=True)
        return Delivered(
            ts=ts,
            revision=delivery.follow_up_target,
            follow_up_edit_at=self._degraded_messages.restore_time(delivery, dropped, self._clock()),
            is_unchanged=is_unchanged,
        )

    async def _edit_without_image(
        self, client: SlackClient, delivery: Delivery, rendered: RenderedMessage, failure: FileNotReady
    ) -> Outcome:
        """Wait for the image while nothing else is due; else edit without it and come back for it."""
        now, ts = self._clock(), delivery.root_ts
        assert ts is not None and rendered.without_picture is not None and rendered.picture_id is not None
        next_check = retry_policy.next_file_check(rendered.picture_since or now, now)
        # An edit without subject brings only the image; one that brings news waits no longer than IMAGE_WAIT.
        news_at = delivery.created_at + IMAGE_WAIT if delivery.subject_id else None
        if next_check is None:
            await self._on_image_failed(rendered.picture_id, failure.reason)
        elif news_at is None:
            return Retry(not_before=next_check, reason=failure.reason)
        elif now < news_at:
            return Retry(not_before=min(next_check, news_at), reason=failure.reason)
        await client.edit(delivery.channel_id, ts, rendered.without_picture)
        return Delivered(ts=ts, revision=delivery.target_revision, follow_up_edit_at=next_check)

    async def _post(self, client: SlackClient, delivery: Delivery, rendered: RenderedMessage) -> Outcome:
        thread_ts = _thread_ts(delivery)
        image_id = rendered.picture_id
        shown = rendered.message
        metadata = self._delivery_metadata(delivery)
        try:
            posted = await client.post(
                delivery.channel_id,
                rendered.message,
                metadata,
                thread_ts=thread_ts,
                broadcast=rendered.broadcast,
                dropped=self._degraded_messages.parts_to_drop(delivery.id),
            )
        except FileNotReady:
            # The words don't wait for the image, which comes with an edit.
            assert rendered.without_picture is not None
            image_id = None
            shown = rendered.without_picture
            posted = await client.post(delivery.channel_id, shown, metadata)
        except SlackFailure as failure:
            if thread_ts is None or failure.reason not in ROOT_DELETED:
                raise
            if delivery.kind is not DeliveryKind.UNREADABLE_NOTICE:
                # Only news brings the root back.
                return DeadLettered(reason=failure.reason, root_deleted=delivery.kind is DeliveryKind.REPLY)
            # No root would say that a notice couldn't be read, so it is posted in the channel.
            posted = await client.post(delivery.channel_id, rendered.message, metadata)
        revision = None
        if delivery.kind is DeliveryKind.ROOT:
            is_complete = rendered.picture_id == image_id and not rendered.needs_follow_up_edit
            # Revision 0 has the outbox edit the root at once.
            revision = delivery.target_revision if is_complete else 0
        elif delivery.kind is DeliveryKind.FOLLOW_UP:
            revision = delivery.follow_up_target
        if revision is not None and not posted.dropped:
            self._shown_messages.record(delivery, posted.ts, shown, revision)
        follow_up_edit_at = self._degraded_messages.restore_time(delivery, posted.dropped, self._clock())
        return Delivered(
            ts=posted.ts,
            revision=revision,
            image_id=image_id,
            follow_up_edit_at=follow_up_edit_at,
            mentions=rendered.message.mentions,
            refused_mentions=refused_mentions(rendered.message, posted.dropped),
        )

    def _outcome_for_failure(self, delivery: Delivery, failure: SlackFailure) -> Outcome:
        self._degraded_messages.record_failure(delivery.id, failure)
        now = self._clock()
        outcome = retry_policy.outcome_for_failure(
            delivery, failure, now, may_give_up=self._may_give_up(delivery), jitter=_jitter()
        )
        if isinstance(failure, RateLimited):
            self.rate_control.record_rate_limit(delivery, failure.retry_after)
        elif isinstance(failure, WorkspaceUnavailable) and isinstance(outcome, Retry):
            # The other channels of this workspace needn't find out one by one.
            self.rate_control.pause_workspace(delivery.team_id, (outcome.not_before - now).total_seconds())
        _log_for(delivery).warning("delivery_failed", reason=failure.reason, attempts=delivery.attempts)
        return outcome

    def _may_give_up(self, delivery: Delivery) -> bool:
        return retry_policy.is_too_old(delivery, self._clock()) and self._is_clock_trusted()

    def _delivery_metadata(self, delivery: Delivery) -> DeliveryMetadata:
        return DeliveryMetadata(
            delivery_id=delivery.id, key=delivery.message_key, database=self._outbox.database_id
        )


def _thread_ts(delivery: Delivery) -> str | None:
    """Return the `ts` of the root to post under; None to post in the channel itself."""
    return None if DELIVERY_KINDS[delivery.kind].top_level else delivery.root_ts


def _jitter() -> float:
    return random.uniform(-1.0, 1.0)  # noqa: S311


def _log_for(delivery: Delivery) -> structlog.stdlib.BoundLogger:
    bound: structlog.stdlib.BoundLogger = log.bind(
        delivery=delivery.id,
        kind=delivery.kind.value,
        channel=delivery.channel_id,
        superevent_id=delivery.superevent_id,
    )
    return bound
