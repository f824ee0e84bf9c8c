"""The facts that routing decides by; the store reads them, in the transaction that writes the decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from bot.routing.intents import CallKind, ChannelRef
from formatters.models.notice import Notice
from formatters.models.related_message import Stream
from formatters.models.subscription import Criteria, Subscription
from formatters.models.superevent import Superevent


class RootState(StrEnum):
    """The progress of a thread's root message."""

    WAITING = "waiting"
    """Planned, and never handed to Slack."""
    ATTEMPTED = "attempted"
    """Handed to Slack at least once; it is not known yet whether it was posted."""
    POSTED = "posted"
    DEAD = "dead"
    """Given up, or absent: the channel never saw it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """One superevent in one channel."""

    id: int
    team_id: str
    channel_id: str
    subscription_id: int
    """The subscription that opened it."""
    root: RootState
    mentioned: frozenset[str] = frozenset()
    """Targets that were mentioned, or will be by a pending post; as Slack writes them."""
    notified: frozenset[str] = frozenset()
    """The subset of `mentioned` that may have seen the mention already."""
    is_acknowledged: bool = False
    """True if somebody has the event ("I have it")."""
    escalating: frozenset[str] | None = None
    """The targets of waiting steps, WEBHOOK for the webhook; None if no escalation is open."""
    held: frozenset[str] = frozenset()
    """The targets of the steps that come if whoever has the event hands it back; WEBHOOK for the webhook."""
    is_muted: bool = False
    """True if the channel gets no replies and edits about the event but for a retraction."""

    @property
    def channel(self) -> ChannelRef:
        """The channel that the thread is in."""
        return (self.team_id, self.channel_id)


class CallState(StrEnum):
    """The progress of a webhook call that was planned."""

    UNTRIED = "untried"
    """Pending, and never attempted: it can still be cancelled."""
    CANCELLED = "cancelled"
    """Dropped before its first attempt: nobody heard of it."""
    MAY_BE_HEARD = "may be heard"
    """Attempted, made or given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierMessages:
    """The related messages about a superevent, and the replies that list them."""

    streams: frozenset[Stream] = frozenset()
    """The streams that brought news about it, `NEARBY` if an alert lies near it in time."""
    with_reply: frozenset[int] = frozenset()
    """The threads whose Follow-up reply was asked for before."""
    retract_event: bool = False
    """True if a circular retracts the event, whether or not a notice does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingState:
    """A notice and all stored facts that its plan depends on."""

    superevent: Superevent
    """The superevent, with `notice` included."""
    notice: Notice
    threads: Sequence[Thread] = ()
    """The superevent's threads in all channels."""
    subscriptions: Sequence[Subscription] = ()
    """The active subscriptions of all channels."""
    earlier_messages: EarlierMessages = EarlierMessages()
    """The messages about the superevent that came before, beside notices."""
    webhook_calls: Mapping[CallKind, CallState] = field(default_factory=dict)
    """The webhook calls about the superevent that were planned before."""
    previous_real_event_at: datetime | None = None
    """The time of the newest other real event; None if there is none, or if it was not needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorRules:
    """The operators' settings that routing depends on."""

    ops_channel: ChannelRef | None
    """The operators' channel; None while it is unknown."""
    quiet_period: timedelta
    """A real event after a pause longer than this is announced to the operators."""
    webhook_criteria: Criteria | None = None
    """The criteria of events for which the webhook is called; None if it is called for no event."""
