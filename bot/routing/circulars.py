"""Decides in which channels a GCN Circular is linked."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from bot.routing.intents import ChannelRef, LinkCircular
from bot.routing.state import RootState, StoredCircular, Thread
from formatters.models.subscription import Subscription


def plan_circular(
    circular: StoredCircular, threads: Sequence[Thread], subscriptions: Sequence[Subscription]
) -> list[LinkCircular]:
    """Plan the links of a new circular: in each thread of its event whose channel wants circulars."""
    wanting = channels_wanting_circulars(subscriptions)
    # Beside a root that was given up a link would wait forever.
    return [
        LinkCircular(*thread.channel, circular.id, circular.number)
        for thread in threads
        if thread.root is not RootState.DEAD and thread.channel in wanting
    ]


def plan_earlier_circulars(
    opened: Collection[ChannelRef],
    circulars: Sequence[StoredCircular],
    subscriptions: Sequence[Subscription],
) -> list[LinkCircular]:
    """Plan the links of circulars that came before the threads that are being opened in `opened`.

    A circular may come before the notice that it is about, after an outage or through another broker.
    """
    if not circulars:
        return []
    wanting = channels_wanting_circulars(subscriptions)
    return [
        LinkCircular(*channel, circular.id, circular.number, is_earlier=True)
        for circular in circulars
        for channel in opened
        if channel in wanting
    ]


def channels_wanting_circulars(subscriptions: Sequence[Subscription]) -> set[ChannelRef]:
    """Return the channels with an active subscription to circulars."""
    return {(s.team_id, s.channel_id) for s in subscriptions if s.criteria.circulars}
