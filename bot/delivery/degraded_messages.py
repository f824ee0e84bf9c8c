"""Remember, between the attempts of a delivery, what Slack refused of its message."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from cachetools import LRUCache

from bot.slack.errors import OutcomeUnknown, RateLimited, SlackFailure, Unlisted
from bot.slack.message_parts import DroppedPart, MessagePart
from bot.store.outbox.models import Delivery, DeliveryKind

SUSPECT_PARTS = (MessagePart.PICTURE, MessagePart.BROADCAST, MessagePart.BUTTONS, MessagePart.BLOCKS)
"""Parts that may be at fault if Slack gives no answer; not the metadata, by which the post is found."""
MAX_UNANSWERED_ATTEMPTS = 3
"""Attempts without an answer after which every second one is made with the words alone."""
RESTORE_DELAYS = (timedelta(seconds=2), timedelta(seconds=60))
"""Delays before a message that lost a part by a guess is edited to be whole again."""
MAX_REMEMBERED = 10_000
MAX_REFUSALS = 8
"""Attempts refused with unlisted errors, about four minutes, after which a message counts as not editable."""

_FOLLOW_UP_KINDS = (DeliveryKind.FOLLOW_UP, DeliveryKind.FOLLOW_UP_EDIT)
_RESTORED_KINDS = (DeliveryKind.ROOT, DeliveryKind.EDIT, *_FOLLOW_UP_KINDS)


class DegradedMessages:
    """The parts that each delivery lost so far. It lives in memory: after a restart a message is tried whole
    again.
    """

    def __init__(self) -> None:
        self._dropped_so_far: dict[int, tuple[DroppedPart, ...]] = {}
        self._unanswered_attempts: Counter[int] = Counter()
        self._sent_outside_thread: dict[int, bool] = {}
        """Delivery id -> an attempt was made without its thread."""
        self._refusals: Counter[int] = Counter()
        """Delivery id -> how often Slack refused it with an error code that stands in no list."""
        self._guess_counts: LRUCache[tuple[bool, int], int] = LRUCache(MAX_REMEMBERED)
        """(Follow-up reply or root, thread id) -> how often that message lost a part by a guess."""

    def parts_to_drop(self, delivery_id: int) -> tuple[DroppedPart, ...]:
        """Return the parts that the next attempt leaves out from the start."""
        if delivery_id in self._dropped_so_far:
            return self._dropped_so_far[delivery_id]
        tries = self._unanswered_attempts[delivery_id]
        if tries < MAX_UNANSWERED_ATTEMPTS or tries % 2 == 0:
            return ()
        return tuple(DroppedPart(part, "no answer", guessed=True) for part in SUSPECT_PARTS)

    def record_failure(self, delivery_id: int, failure: SlackFailure) -> None:
        """Remember a failed attempt; after a rate limit the next starts without what was dropped so far."""
        self._dropped_so_far.pop(delivery_id, None)
        left_thread = any(drop.part is MessagePart.THREAD for drop in failure.dropped)
        self._sent_outside_thread[delivery_id] = (
            self.may_be_outside_thread(delivery_id, default=False) or left_thread
        )
        if isinstance(failure, RateLimited) and failure.dropped:
            self._dropped_so_far[delivery_id] = failure.dropped
        if isinstance(failure, OutcomeUnknown):
            self._unanswered_attempts[delivery_id] += 1
        if isinstance(failure, Unlisted):
            self._refusals[delivery_id] += 1

    def was_refused_often(self, delivery_id: int) -> bool:
        """Return whether Slack refused so many attempts with unlisted errors that more will hardly help."""
        return self._refusals[delivery_id] >= MAX_REFUSALS

    def may_be_outside_thread(self, delivery_id: int, *, default: bool = True) -> bool:
        """Return whether a reply may be posted outside its thread; `default` if this process never tried."""
        return self._sent_outside_thread.get(delivery_id, default)

    def forget(self, delivery_id: int) -> None:
        """Forget a delivery that is done."""
        self._dropped_so_far.pop(delivery_id, None)
        self._unanswered_attempts.pop(delivery_id, None)
        self._sent_outside_thread.pop(delivery_id, None)
        self._refusals.pop(delivery_id, None)

    def restore_time(
        self, delivery: Delivery, dropped: tuple[DroppedPart, ...], now: datetime
    ) -> datetime | None:
        """Return when to edit a root or Follow-up reply that was just sent without some part.

        None if it needn't be edited, or if the delivery is of another kind.
        """
        if delivery.thread_id is None or delivery.kind not in _RESTORED_KINDS:
            return None
        message = (delivery.kind in _FOLLOW_UP_KINDS, delivery.thread_id)
        if not any(drop.guessed for drop in dropped):
            self._guess_counts.pop(message, None)
            return None
        count = self._guess_counts.get(message, 0)
        self._guess_counts[message] = count + 1
        return now + RESTORE_DELAYS[count] if count < len(RESTORE_DELAYS) else None
