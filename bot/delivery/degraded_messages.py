"""What the deliveries' worker remembers of messages that Slack took in part, or not at all."""

from __future__ import annotations

from collections import Counter, OrderedDict
from datetime import datetime, timedelta

from bot.slack.degradation import DroppedPart, MessagePart
from bot.slack.errors import OutcomeUnknown, RateLimited, SlackFailure

SUSPECT_PARTS = (MessagePart.PICTURE, MessagePart.BROADCAST, MessagePart.BUTTONS, MessagePart.BLOCKS)
"""What may be at fault where Slack gives no reason. Metadata stay, since the message may stand already."""
MAX_UNANSWERED_ATTEMPTS = 3
"""How often a message is sent as it is without an answer, before it is tried as words alone in between."""
RESTORE_DELAYS = (timedelta(seconds=2), timedelta(seconds=60))
"""When a root that lost a part by a guess is brought back whole: it may have been Slack's mood."""
MAX_REMEMBERED = 10_000


class DegradedMessages:
    """Remembered while the process lives: after a restart a message is tried whole again."""

    def __init__(self) -> None:
        self._dropped_so_far: dict[int, tuple[DroppedPart, ...]] = {}
        self._unanswered_attempts: Counter[int] = Counter()
        # Whether any attempt was made without its thread.
        self._sent_outside_thread: dict[int, bool] = {}
        self._guess_counts: OrderedDict[int, int] = OrderedDict()

    def parts_to_drop(self, delivery_id: int) -> tuple[DroppedPart, ...]:
        """What of a delivery is left out from the start of its next attempt."""
        if delivery_id in self._dropped_so_far:
            return self._dropped_so_far[delivery_id]
        tries = self._unanswered_attempts[delivery_id]
        if tries < MAX_UNANSWERED_ATTEMPTS or tries % 2 == 0:
            return ()
        return tuple(DroppedPart(part, "no answer", guessed=True) for part in SUSPECT_PARTS)

    def record_failure(self, delivery_id: int, failure: SlackFailure) -> None:
        """Remember how an attempt ended: one that was told to wait goes on where it stopped."""
        self._dropped_so_far.pop(delivery_id, None)
        left = any(drop.part is MessagePart.THREAD for drop in failure.dropped)
        self._sent_outside_thread[delivery_id] = (
            self.may_be_outside_thread(delivery_id, default=False) or left
        )
        if isinstance(failure, RateLimited) and failure.dropped:
            self._dropped_so_far[delivery_id] = failure.dropped
        if isinstance(failure, OutcomeUnknown):
            self._unanswered_attempts[delivery_id] += 1

    def may_be_outside_thread(self, delivery_id: int, *, default: bool = True) -> bool:
        """Whether a reply may stand beside its thread; `unknown` of what another process tried."""
        return self._sent_outside_thread.get(delivery_id, default)

    def forget(self, delivery_id: int) -> None:
        """The delivery is done with."""
        self._dropped_so_far.pop(delivery_id, None)
        self._unanswered_attempts.pop(delivery_id, None)
        self._sent_outside_thread.pop(delivery_id, None)

    def restore_time(
        self, thread_id: int | None, dropped: tuple[DroppedPart, ...], now: datetime
    ) -> datetime | None:
        """When a root that was just shown without some part should be tried whole; None if it needn't."""
        if thread_id is None:
            return None
        if not any(drop.guessed for drop in dropped):
            self._guess_counts.pop(thread_id, None)
            return None
        times = self._guess_counts.get(thread_id, 0)
        self._guess_counts[thread_id] = times + 1
        self._guess_counts.move_to_end(thread_id)
        while len(self._guess_counts) > MAX_REMEMBERED:
            self._guess_counts.popitem(last=False)
        return now + RESTORE_DELAYS[times] if times < len(RESTORE_DELAYS) else None
