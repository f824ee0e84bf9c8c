"""Look in a channel's history for a message whose answer was lost, so that it isn't posted twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime

import structlog

from bot.delivery.history_window import earliest_post_time
from bot.slack.client import SlackClient
from bot.slack.errors import (
    PERMISSION_ERRORS,
    OutcomeUnknown,
    RateLimited,
    RootOutOfReach,
    SlackFailure,
    Unavailable,
    Unlisted,
    WorkspaceUnavailable,
)
from bot.slack.message_metadata import DeliveryMetadata
from bot.store.outbox.models import Delivery

MAX_HISTORY_LOOKUPS = 5
"""Lookups without an answer after which a message is posted all the same: rather twice than never."""

log = structlog.get_logger(__name__)


class HistoryLookup:
    """Looks for deliveries in histories, and counts the lookups without an answer."""

    def __init__(self, clock: Callable[[], datetime], is_clock_trusted: Callable[[], bool]) -> None:
        self._clock = clock
        self._is_clock_trusted = is_clock_trusted
        # Counted apart from the delivery's attempts, so that one that was refused often is looked for as
        # long.
        self._unanswered_lookups: Counter[int] = Counter()

    async def find(
        self,
        client: SlackClient,
        delivery: Delivery,
        metadata: DeliveryMetadata,
        *,
        thread_ts: str | None,
        maybe_outside_thread: bool,
    ) -> str | None:
        """Return the `ts` of a posted delivery; None if it wasn't posted, or if the history can't be read.

        `maybe_outside_thread` states that a reply may have been posted in the channel itself, because Slack
        refused the thread. Raises SlackFailure if the lookup is worth repeating.
        """
        # Since the delivery was created, not since its last attempt: any attempt may have been posted.
        since = earliest_post_time(
            delivery.created_at, delivery.root_ts, self._clock(), is_clock_trusted=self._is_clock_trusted()
        )
        try:
            try:
                found = await client.find_delivery(delivery.channel_id, metadata, since, thread_ts=thread_ts)
            except RootOutOfReach:
                # The thread is gone, so the message may have been posted in the channel.
                found, maybe_outside_thread = None, True
            if found is None and thread_ts is not None and maybe_outside_thread:
                found = await client.find_delivery(delivery.channel_id, metadata, since)
            return found
        except RateLimited:
            raise
        except SlackFailure as failure:
            if isinstance(failure, OutcomeUnknown | Unavailable | Unlisted):
                self._unanswered_lookups[delivery.id] += 1
                if self._unanswered_lookups[delivery.id] <= MAX_HISTORY_LOOKUPS:
                    raise
            if isinstance(failure, WorkspaceUnavailable) and failure.reason not in PERMISSION_ERRORS:
                # A refused token says nothing about the history, and can't post either.
                raise
            # Without the history scope there is no way to find out: rather twice than never.
            log.info("history_lookup_failed", reason=failure.reason, delivery=delivery.id)
            return None

    def forget(self, delivery_id: int) -> None:
        """Forget a delivery that is done."""
        self._unanswered_lookups.pop(delivery_id, None)
