"""Models of the outbox: deliveries, their kinds and the rules of each kind, and the outcomes of attempts."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

MAX_DELAY = timedelta(minutes=10)
"""The longest time by which work is postponed.

A time further ahead was written before the clock was set back, so such work counts as due.
"""

RATE_LIMIT_ERRORS = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})
"""Slack's error codes for a rate limit, recorded as the reason of a delivery that is postponed by one."""

CHANNEL_ERRORS = frozenset(
    {
        "channel_not_found",
        "not_in_channel",
        "is_archived",
        "restricted_action",
        "restricted_action_read_only_channel",
        "restricted_action_thread_only_channel",
        "ekm_access_denied",
        "messages_tab_disabled",
    }
)
"""Slack's error codes about the channel (https://docs.slack.dev/reference/methods/chat.postMessage).

They are recorded as the reason of a delivery that was given up with its channel, and comes back with it.
"""

NOTHING_TO_SAY = "nothing to say any more"
"""The stored reason of a delivery that ended because there was nothing to post."""


class DeliveryKind(StrEnum):
    """A kind of delivery. The values are stored in the database, and some are older than their names."""

    ROOT = "root"
    REPLY = "reply"
    EDIT = "edit"
    MENTION = "mention"
    """A message outside the thread that mentions people; its subject is the mention."""
    CONFIRMATION = "confirmation"
    """A message that confirms a subscription, which is its subject."""
    CHANGE = "change"
    """A message that lists changes to what the channel receives; each change refers to its delivery."""
    WELCOME = "welcome"
    """A greeting to the person who installed the app, whose user id takes the place of the channel id."""
    CIRCULAR = "circular"
    """A link to a GCN Circular in the thread, written before 0018: now the Follow-up reply lists them."""
    FOLLOW_UP = "follow_up"
    """The reply that lists everything about the event: its first post, or another after it was deleted."""
    FOLLOW_UP_EDIT = "follow_up_edit"
    """An edit of the Follow-up reply; one row for each thread, used again."""
    RETRACTION_CIRCULAR = "retraction_circ"
    """A reply that LVK's circular retracts the event before its notice; its subject is the message."""
    UNREADABLE_NOTICE = "apology"
    """An apology for an unreadable notice of a known event; its subject is the quarantined payload."""
    QUARANTINE_REPORT = "ops"
    """A report to the operators of an unreadable payload; its subject is the quarantined payload."""
    INCIDENT_OPENED = "trouble"
    """A report to the operators that an incident was opened; its subject is the incident."""
    INCIDENT_RESOLVED = "over"
    """A report to the operators that an incident was resolved; its subject is the incident."""
    MENTION_REFUSED = "mention_refused"
    """A message that Slack refuses a mention in this channel; its subject is the refusal."""
    FIRST_REAL_EVENT = "first_real"
    """A report to the operators of the first real event after a quiet period; its subject is the notice."""
    ESCALATION = "escalation"
    """A message that mentions whoever is next, since nobody has the event; its subject is the step."""
    DRILL = "drill"
    """A message of a drill, marked as one; its subject is the step, the first of which begins it."""
    DRILL_END = "drill_end"
    """A message that a drill is over, and how long it took; its subject is the escalation."""
    MUTE = "mute"
    """A reply that says who muted the event in the channel, or ended that; its subject is the action."""


class DeliveryState(StrEnum):
    """A state of a delivery. A postponed delivery is `PENDING` with a `not_before` in the future."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    DEAD = "dead"


OPEN_STATES = (DeliveryState.PENDING.value, DeliveryState.SENDING.value)
"""The states, as stored in the database, of deliveries that have no final outcome yet."""
UNSENT_STATES = (DeliveryState.PENDING, DeliveryState.SENDING, DeliveryState.DEAD)
"""The states whose deliveries are counted; those already sent are left out, as their number only grows."""


class ImageState(StrEnum):
    """A state of the image of a notice's sky map in one workspace."""

    WANTED = "wanted"
    UPLOADED = "uploaded"
    """Uploaded, or stored for serving; one thread, the canary, is the first to try to show it."""
    READY = "ready"
    FAILED = "failed"


class Priority(IntEnum):
    """A rank among the deliveries about real events, and among the others; the smallest value is sent first.

    The complete order is documented in `bot.store.outbox.claiming`.
    """

    ROOT = 0
    """New root messages, and replies that retract an alert."""
    ANSWER = 1
    """Answers to people, mentions, apologies, and reports to the operators."""
    RETRACTED = 2
    """Edits that retract an alert."""
    REPLY = 3
    EDIT = 4
    """All other edits, and circulars that were published before their event."""


@dataclass(frozen=True, slots=True)
class EventRank:
    """A rank that the deliveries about one event have in the queue."""

    mock: bool
    """True if the event is a mock or a test."""
    order: int
    """A number that is smaller for newer events."""


DRILL_RANK = EventRank(mock=True, order=0)
"""The rank of a drill's messages: posts about real events go before them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KindRule:
    """A set of rules for every delivery of one kind."""

    priority: Priority = Priority.ANSWER
    """The priority in the queue, unless the row is written with another one."""
    top_level: bool = False
    """True if it is posted in the channel itself although it belongs to a thread."""
    ordered: bool = True
    """True if it waits for every older delivery of its thread, False if only for the root message."""
    edits: bool = False
    """True if it edits a message that stands: Slack counts edits for each workspace, apart from posts.

    The partial indexes of the queue name these kinds too (`bot.store.schema.outbox`).
    """
    expires: bool = False
    """True if it is dead-lettered when undelivered for a day, because it is no longer news."""
    needs_subscription: bool = False
    """True if it is posted only while the channel has a subscription."""
    for_operators: bool = False
    """True if it goes to the operators' channel, with or without a subscription there."""
    measured: bool = False
    """True if the time from the notice's receipt to the post is exported as a metric."""
    purgeable: bool = True
    """True if nothing reads its row after it was sent or dead-lettered, so that the purge may delete it."""


DELIVERY_KINDS: Mapping[DeliveryKind, KindRule] = {
    DeliveryKind.ROOT: KindRule(
        priority=Priority.ROOT,
        top_level=True,
        expires=True,
        needs_subscription=True,
        measured=True,
        purgeable=False,
    ),
    DeliveryKind.REPLY: KindRule(
        priority=Priority.REPLY, expires=True, needs_subscription=True, measured=True
    ),
    DeliveryKind.EDIT: KindRule(priority=Priority.EDIT, ordered=False, edits=True, purgeable=False),
    DeliveryKind.MENTION: KindRule(
        top_level=True,
        ordered=False,
        expires=True,
        needs_subscription=True,
        measured=True,
        purgeable=False,
    ),
    DeliveryKind.CONFIRMATION: KindRule(),
    DeliveryKind.CHANGE: KindRule(),
    DeliveryKind.WELCOME: KindRule(),
    DeliveryKind.CIRCULAR: KindRule(
        priority=Priority.REPLY, ordered=False, expires=True, needs_subscription=True
    ),
    DeliveryKind.FOLLOW_UP: KindRule(
        priority=Priority.REPLY, ordered=False, expires=True, needs_subscription=True
    ),
    DeliveryKind.FOLLOW_UP_EDIT: KindRule(priority=Priority.EDIT, ordered=False, edits=True, purgeable=False),
    DeliveryKind.RETRACTION_CIRCULAR: KindRule(
        priority=Priority.ROOT, ordered=False, expires=True, needs_subscription=True
    ),
    DeliveryKind.UNREADABLE_NOTICE: KindRule(expires=True, needs_subscription=True),
    DeliveryKind.QUARANTINE_REPORT: KindRule(for_operators=True),
    # The row is read for as long as the incident lasts.
    DeliveryKind.INCIDENT_OPENED: KindRule(for_operators=True, purgeable=False),
    DeliveryKind.INCIDENT_RESOLVED: KindRule(for_operators=True),
    DeliveryKind.MENTION_REFUSED: KindRule(),
    DeliveryKind.FIRST_REAL_EVENT: KindRule(for_operators=True),
    DeliveryKind.ESCALATION: KindRule(top_level=True, ordered=False, expires=True, needs_subscription=True),
    DeliveryKind.DRILL: KindRule(top_level=True, ordered=False, expires=True, needs_subscription=True),
    DeliveryKind.DRILL_END: KindRule(top_level=True, ordered=False, expires=True),
    DeliveryKind.MUTE: KindRule(ordered=False),
}
"""The rules of every kind; a test ensures that no kind is missing."""


def kinds_where(predicate: Callable[[KindRule], bool]) -> tuple[DeliveryKind, ...]:
    """Return the kinds whose rules fulfil the predicate, in the order of the enumeration."""
    return tuple(kind for kind in DeliveryKind if predicate(DELIVERY_KINDS[kind]))


EDIT_KINDS = tuple(kind.value for kind in kinds_where(lambda rule: rule.edits))
"""Kinds, as stored, that edit a message that stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A claimed row of the outbox. It refers to its subject; the text is rendered when it is sent."""

    id: int
    team_id: str
    channel_id: str
    kind: DeliveryKind
    subject_id: int
    attempts: int
    """The number of attempts, including the current one."""
    maybe_sent: bool
    """True if an earlier attempt got no answer, so that the message may have been posted already."""
    created_at: datetime
    attempted_at: datetime | None
    """The time of the attempt before the current one; None for the first attempt."""
    thread_id: int | None
    superevent_id: str | None
    target_revision: int | None
    """The revision, counted for each thread, that the root message should show as of the claim."""
    superevent_revision: int | None
    """The superevent's revision as of the claim."""
    root_ts: str | None
    posted_revision: int | None
    """The revision that the root message shows; None if it has not been posted."""
    root_uneditable: bool
    """True if Slack no longer allows edits of the root message."""
    follow_up_ts: str | None = None
    """Slack's ts of the thread's Follow-up reply; None if there is none."""
    follow_up_target: int | None = None
    """The revision that the Follow-up reply should show as of the claim; None if nothing asked for one."""
    follow_up_posted: int | None = None
    """The revision that the Follow-up reply shows; None if it stands nowhere."""
    was_posted: bool = False
    """True if the message was posted before and has been deleted since."""
    claimed_by: str = ""
    """The id of the worker that claimed it; see `bot.store.outbox.leases`."""
    priority: int = Priority.EDIT
    """The priority that the row had when it was claimed (`Priority`, or a number of a newer version)."""
    message_key: str | None = None
    """A random key in the metadata of its message; None for a row that is older than these keys."""

    @property
    def is_edit(self) -> bool:
        """True if it edits a message that stands."""
        return self.kind in EDIT_KINDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """An outcome: the message was posted, or the edit was made."""

    ts: str
    revision: int | None = None
    """The revision that the root message, or the Follow-up reply, shows now; None for other messages."""
    image_id: int | None = None
    """The image that the message shows, or that this channel refused."""
    follow_up_edit_at: datetime | None = None
    """The time for an edit that adds missing parts, for example an image that Slack could not show yet."""
    mentions: Collection[str] = ()
    """The targets that the message was to mention, in Slack's notation."""
    is_unchanged: bool = False
    """True if no edit was sent, because the message shows the same already."""
    refused_mentions: Mapping[str, str] = field(default_factory=dict)
    """The targets that Slack refused to mention, each with Slack's error code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """An outcome: the attempt failed and is to be repeated at `not_before`."""

    not_before: datetime
    reason: str
    maybe_sent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLettered:
    """An outcome: the delivery is given up, for the given reason."""

    reason: str
    channel_problem: str | None = None
    """Slack's error code if the whole channel cannot be reached, else None."""
    root_deleted: bool = False
    """True if the root message was deleted and is to be posted again with its newest content."""
    root_uneditable: bool = False
    """True if the root message still exists but can no longer be edited."""
    is_follow_up_lost: bool = False
    """True if the Follow-up reply was deleted or can no longer be edited: the next news posts another."""


Outcome = Delivered | Retry | DeadLettered


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxCounts:
    """A count of the rows in the outbox and in quarantine."""

    waiting: int
    dead: int
    quarantined: int
    oldest_waiting: datetime | None


def new_message_key() -> str:
    """Return a random key for a message's metadata, by which it can be found in the channel's history.

    A message that is posted again needs a new key, because the old key would find the earlier message.
    """
    return secrets.token_hex(16)


def delivery_row(
    team_id: str,
    channel_id: str,
    kind: DeliveryKind,
    subject_id: int,
    now: datetime,
    *,
    thread_id: int | None = None,
    dedup_key: str | None = None,
    priority: Priority | None = None,
    not_before: datetime | None = None,
    event: EventRank | None = None,
) -> dict[str, object]:
    """Return a new row of the outbox, due at `now` or at `not_before`.

    `event` is the rank of the event that the delivery is about, if any. At most one row of a channel has the
    same `dedup_key`, by default the kind and the subject's id.
    """
    rank = event or EventRank(mock=False, order=0)
    return {
        "team_id": team_id,
        "channel_id": channel_id,
        "kind": kind.value,
        "slot": dedup_key or f"{kind.value}:{subject_id}",
        "thread_id": thread_id,
        "subject_id": subject_id,
        "priority": int(DELIVERY_KINDS[kind].priority if priority is None else priority),
        "mock": rank.mock,
        "event_order": rank.order,
        "state": DeliveryState.PENDING.value,
        "not_before": now if not_before is None else not_before,
        "held_until": not_before,
        "attempts": 0,
        "doubtful": False,
        "reason": None,
        "created_at": now,
        "key": new_message_key(),
    }
