"""Whether a message whose answer was lost stands in its channel: asked of the channel's history."""

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
"""How often a history that doesn't answer is asked before a message is rather sent twice than never."""

log = structlog.get_logger(__name__)


class HistoryLookup:
    """Looks for deliveries, and counts how often a history didn't answer."""

    def __init__(self, clock: Callable[[], datetime], is_clock_trusted: Callable[[], bool]) -> None:
        """`sure` says whether the clock can be trusted."""
        self._clock = clock
        self._is_clock_trusted = is_clock_trusted
        # Counted apart from attempts: a post that was refused often is looked for as patiently.
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
        """The `ts` under which a delivery stands; None if it doesn't, or nobody may look.

        `outside` says that a reply may stand in the channel itself, since Slack refused it its thread.
        Raises SlackFailure where it is worth asking again.
        """
        # Not since the last attempt: any of them may be the one that was heard. By Slack's clock.
        since = earliest_post_time(
            delivery.created_at, delivery.root_ts, self._clock(), is_clock_trusted=self._is_clock_trusted()
        )
        try:
            try:
                found = await client.find_delivery(delivery.channel_id, metadata, since, thread_ts=thread_ts)
            except RootOutOfReach:
                # The thread is gone; what couldn't be said there may have been said in the channel.
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
                # A token that is no good says nothing about the history, and posts nothing either.
                raise
            # Without the history scope there is no way to know: rather twice than never.
            log.info("history_lookup_failed", reason=failure.reason, delivery=delivery.id)
            return None

    def forget(self, delivery_id: int) -> None:
        """The delivery is done with."""
        self._unanswered_lookups.pop(delivery_id, None)
