"""Decides in which threads the Follow-up reply is brought up to date for an alert that names no event."""

from __future__ import annotations

from collections.abc import Sequence

from bot.routing.intents import UpdateFollowUp
from bot.routing.related_messages import channels_wanting
from bot.routing.state import RootState, Thread
from formatters.models.related_message import Stream
from formatters.models.subscription import Subscription


def plan_nearby_alert(
    threads: Sequence[Thread], subscriptions: Sequence[Subscription]
) -> list[UpdateFollowUp]:
    """Plan the Follow-up replies for an alert near an event in time, in the event's `threads`.

    It is shown where the channel has an active subscription to nearby alerts. Whether it overlaps the event's
    sky map is judged when the reply is rendered: a reply that has nothing to say isn't posted.
    """
    wanting = channels_wanting(subscriptions, Stream.NEARBY)
    return [
        UpdateFollowUp(*thread.channel)
        for thread in threads
        if thread.root is not RootState.DEAD and thread.channel in wanting
    ]
