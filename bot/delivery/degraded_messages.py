"""Remember, between the attempts of a delivery, what Slack refused of its message."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from cachetools import LRUCache

from bot.slack.errors import OutcomeUnknown, RateLimited, SlackFailure
from bot.slack.message_parts import DroppedPart, MessagePart

SUSPECT_PARTS = (MessagePart.PICTURE, MessagePart.BROADCAST, MessagePart.BUTTONS, MessagePart.BLOCKS)
"""Parts that may be at fault if Slack gives no answer; not the metadata, by which the post is found."""
MAX_UNANSWERED_ATTEMPTS = 3
"""Attempts without an answer after which every second one is made with the words alone."""
RESTORE_DELAYS = (timedelta(seconds=2), timedelta(seconds=60))
"""Delays before a root that lost a part by a guess is edited to be whole again."""
MAX_REMEMBERED = 10_000


class DegradedMessages:
    """What each delivery lost so far. It lives in memory: after a restart a message is tried whole again."""

    def __init__(self) -> None:
        self._dropped_so_far: dict[int, tuple[DroppedPart, ...]] = {}
        self._unanswered_attempts: Counter[int] = Counter()
        self._sent_outside_thread: dict[int, bool] = {}
        """Delivery id -> an attempt was made without its thread."""
        self._guess_counts: LRUCache[int, int] = LRUCache(MAX_REMEMBERED)
        """Thread id -> how often its root lost a part by a guess."""

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

    def may_be_outside_thread(self, delivery_id: int, *, default: bool = True) -> bool:
        """Return whether a reply may be posted outside its thread; `default` if this process never tried."""
        return self._sent_outside_thread.get(delivery_id, default)

    def forget(self, delivery_id: int) -> None:
        """Forget a delivery that is done."""
        self._dropped_so_far.pop(delivery_id, None)
        self._unanswered_attempts.pop(delivery_id, None)
        self._sent_outside_thread.pop(delivery_id, None)

    def restore_time(
        self, thread_id: int | None, dropped: tuple[DroppedPart, ...], now: datetime
    ) -> datetime | None:
        """Return when to edit a root that was just sent without some part; None if it needn't be."""
        if thread_id is None:
            return None
        if not any(drop.guessed for drop in dropped):
            self._guess_counts.pop(thread_id, None)
            return None
        count = self._guess_counts.get(thread_id, 0)
        self._guess_counts[thread_id] = count + 1
        return now + RESTORE_DELAYS[count] if count < len(RESTORE_DELAYS) else None
