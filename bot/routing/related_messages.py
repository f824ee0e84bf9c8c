"""Decides whose Follow-up replies change, and where a retraction by circular is announced.

A message is told where the channel subscribes to its stream, in the event's thread. Messages of the streams
that nobody subscribes to (BOOM, HERMES), and what a notice changes in a reply, cause no new reply.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from bot.routing.intents import AnnounceRetractionCircular, ChannelRef, Intent, UpdateFollowUp
from bot.routing.state import RootState, Thread
from formatters.models.related_message import CANDIDATE_STREAMS, RelatedMessage, Stream
from formatters.models.subscription import Subscription


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageState:
    """A message about one superevent, and all stored facts that its plan depends on."""

    message: RelatedMessage
    message_id: int
    """The store's id of the message for this superevent."""
    threads: Sequence[Thread]
    """The superevent's threads in all channels."""
    subscriptions: Sequence[Subscription]
    """The active subscriptions of all channels."""
    is_event_retracted: bool
    """True if LVK's newest notice retracts the event."""
    had_retracted: bool = False
    """True if another circular retracted the event before."""
    is_named: bool = True
    """False if an older version named the event, and this one no longer does."""
    is_edit: bool = False
    """True if its sender edited what was told before, or what is old news."""


def plan_message(state: MessageState) -> list[Intent]:
    """Plan what a new or changed message causes, provided that it is news.

    An edit changes the replies that stand, and makes none. Beside a root that was given up a reply would wait
    forever. A muted thread is told of a retraction alone.
    """
    alive = [thread for thread in state.threads if thread.root is not RootState.DEAD]
    heard = [thread for thread in alive if not thread.is_muted]
    if state.message.stream in CANDIDATE_STREAMS:
        return [UpdateFollowUp(*thread.channel, only_existing=True, can_wait=True) for thread in heard]
    wanting = channels_wanting(state.subscriptions, state.message.stream)
    subscribed = [thread for thread in alive if thread.channel in wanting]
    shown = [thread for thread in heard if thread.channel in wanting]
    if not state.is_named:
        return [UpdateFollowUp(*thread.channel, only_existing=True) for thread in shown]
    intents: list[Intent] = [UpdateFollowUp(*t.channel, only_existing=state.is_edit) for t in shown]
    if state.message.retracts_event and not (state.had_retracted or state.is_event_retracted):
        intents += [AnnounceRetractionCircular(thread.id, state.message_id) for thread in subscribed]
    return intents


def plan_replies_in_new_threads(
    opened: Collection[ChannelRef],
    earlier_streams: Collection[Stream],
    subscriptions: Sequence[Subscription],
    *,
    is_urgent: bool,
) -> list[UpdateFollowUp]:
    """Plan the replies in threads that are being opened in `opened` for what came before them.

    A message may come before the notice that it is about, after an outage or through another broker.
    `earlier_streams` are those that brought news about the event. With `is_urgent`, a circular has retracted
    the event already: who is woken by the root must read that at once.
    """
    wanting = {channel for stream in earlier_streams for channel in channels_wanting(subscriptions, stream)}
    return [UpdateFollowUp(*channel, is_earlier=not is_urgent) for channel in opened if channel in wanting]


def plan_replies_after_notice(
    alive: Sequence[Thread],
    with_reply: Collection[int],
    earlier_streams: Collection[Stream],
    subscriptions: Sequence[Subscription],
    *,
    changes_replies: bool,
    is_news: bool,
) -> list[UpdateFollowUp]:
    """Plan the replies in the threads that exist when a notice comes; `with_reply` are those that have one.

    A reply that stands is edited if `changes_replies`, because of a new sky map or a retraction. A thread
    whose channel chose a stream only after its messages had come gets its reply with the next news.
    """
    wanting = {channel for stream in earlier_streams for channel in channels_wanting(subscriptions, stream)}
    intents = []
    for thread in alive:
        if thread.id in with_reply:
            if changes_replies:
                intents.append(UpdateFollowUp(*thread.channel, only_existing=True))
        elif is_news and thread.channel in wanting:
            intents.append(UpdateFollowUp(*thread.channel, is_earlier=True))
    return intents


def channels_wanting(subscriptions: Sequence[Subscription], stream: Stream) -> set[ChannelRef]:
    """Return the channels with an active subscription to a stream."""
    return {(s.team_id, s.channel_id) for s in subscriptions if stream in s.criteria.streams}
