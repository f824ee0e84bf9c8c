"""The outbox's models: what is to be posted, what is known of each kind of delivery, and how a delivery
ended.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

MAX_DELAY = timedelta(minutes=10)
"""Nothing is put off for longer; what seems to be was put off by a clock that was set back since."""

RATE_LIMIT_ERRORS = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})
"""Slack's words for a limit, which are the reason of what waits for it."""


class DeliveryKind(StrEnum):
    """What a delivery brings."""

    ROOT = "root"
    REPLY = "reply"
    EDIT = "edit"
    MENTION = "mention"
    """A message beside the thread that mentions somebody; its subject is the mention."""
    CONFIRMATION = "confirmation"
    """That a subscription is in force; its subject is the subscription."""
    CHANGE = "change"
    """What somebody changed in what the channel receives; the changes name the delivery that says them."""
    WELCOME = "welcome"
    """To the person who installed the app, whose id stands in place of a channel's."""
    CIRCULAR = "circular"
    """A GCN Circular, linked in the thread; its subject is the circular."""
    UNREADABLE_NOTICE = "apology"
    """That a notice of a known event couldn't be read; its subject is the quarantined payload."""
    QUARANTINE_REPORT = "ops"
    """The same for who runs the bot."""
    INCIDENT_OPENED = "trouble"
    """That the bot is in trouble, for who runs it; its subject is the trouble."""
    INCIDENT_RESOLVED = "over"
    """That the trouble is over."""
    MENTION_REFUSED = "mention_refused"
    """That Slack refuses a mention in this channel; its subject is the refusal."""
    FIRST_REAL_EVENT = "first_real"
    """That real notices come again, for who runs the bot; its subject is the notice."""


class DeliveryState(StrEnum):
    """Where a delivery stands. Waiting is `PENDING` with a `not_before` ahead."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    DEAD = "dead"


OPEN_STATES = (DeliveryState.PENDING.value, DeliveryState.SENDING.value)
"""A delivery in one of these has no outcome yet; as the database writes them."""
UNSENT_STATES = (DeliveryState.PENDING, DeliveryState.SENDING, DeliveryState.DEAD)
"""What is counted: those that were sent are ever more."""


class ImageState(StrEnum):
    """Where the picture of a notice's map stands, in one workspace."""

    WANTED = "wanted"
    UPLOADED = "uploaded"
    """Slack has the file; one thread tries whether it can be shown yet."""
    READY = "ready"
    FAILED = "failed"


class Priority(IntEnum):
    """Which goes first among what is real, and among what isn't; `bot.store.claiming` has the whole order."""

    ROOT = 0
    """Roots, and replies that take an alert back."""
    ANSWER = 1
    """What a person waits for, mentions, apologies, troubles."""
    RETRACTED = 2
    """Edits that say so."""
    REPLY = 3
    EDIT = 4
    """Other edits, and circulars that came before their event."""


@dataclass(frozen=True, slots=True)
class EventRank:
    """Where what is said of an event stands in the queue."""

    mock: bool
    """Of a mock or a test."""
    order: int
    """Of two events the newer has the smaller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KindRule:
    """What holds for every delivery of one kind."""

    priority: Priority = Priority.ANSWER
    """Where it stands in the queue, unless its writer says otherwise."""
    top_level: bool = False
    """It stands in the channel itself although it belongs to a thread."""
    ordered: bool = True
    """In its thread it waits for everything that was planned before it, not only for the root."""
    expires: bool = False
    """It is news: undelivered for a day, it is given up as old news."""
    needs_subscription: bool = False
    """It is posted only while the channel is subscribed to something."""
    for_operators: bool = False
    """It goes to the ops channel, whether or not anything is subscribed there."""
    measured: bool = False
    """The time from the notice's receipt to the post is a metric."""
    purgeable: bool = True
    """Once it was sent or given up, nothing reads its row again, so the purge removes it."""


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
    DeliveryKind.EDIT: KindRule(priority=Priority.EDIT, ordered=False, purgeable=False),
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
    DeliveryKind.UNREADABLE_NOTICE: KindRule(expires=True, needs_subscription=True),
    DeliveryKind.QUARANTINE_REPORT: KindRule(for_operators=True),
    # An incident's row is read as long as the incident lasts.
    DeliveryKind.INCIDENT_OPENED: KindRule(for_operators=True, purgeable=False),
    DeliveryKind.INCIDENT_RESOLVED: KindRule(for_operators=True),
    DeliveryKind.MENTION_REFUSED: KindRule(),
    DeliveryKind.FIRST_REAL_EVENT: KindRule(for_operators=True),
}
"""Everything that differs from kind to kind, in one place; total, by a test."""


def kinds_where(predicate: Callable[[KindRule], bool]) -> tuple[DeliveryKind, ...]:
    """Return the kinds whose rule fulfils the predicate, in the enum's order."""
    return tuple(kind for kind in DeliveryKind if predicate(DELIVERY_KINDS[kind]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A claimed row of the outbox: an intent, not words."""

    id: int
    team_id: str
    channel_id: str
    kind: DeliveryKind
    subject_id: int
    attempts: int
    """Including this one."""
    maybe_sent: bool
    """It was sent before and no answer came: it may stand in the channel already."""
    created_at: datetime
    attempted_at: datetime | None
    """When it was tried last before this time."""
    thread_id: int | None
    superevent_id: str | None
    target_revision: int | None
    """What the root should show when the row was claimed, by the thread's own count."""
    superevent_revision: int | None
    """The superevent's revision when the row was claimed."""
    root_ts: str | None
    posted_revision: int | None
    root_uneditable: bool
    """Slack lets the root be edited no more."""
    was_posted: bool = False
    """It was posted before, and deleted since."""
    claimed_by: str = ""
    """The worker that claimed it."""
    message_key: str | None = None
    """Random, its own, and in the metadata of its message; None of a row from before there were keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """It stands in the channel."""

    ts: str
    revision: int | None = None
    """What a root or an edit shows, by the thread's own count."""
    image_id: int | None = None
    """The picture that stands in it, or was refused in this channel."""
    follow_up_edit_at: datetime | None = None
    """Its words stand there; when what it lacks is tried again (a picture that Slack couldn't show yet)."""
    mentions: Collection[str] = ()
    """Whom it was to mention, as Slack writes them."""
    refused_mentions: Mapping[str, str] = field(default_factory=dict)
    """Whom of them Slack let it not mention, with Slack's word for why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Not now: try again at `not_before`."""

    not_before: datetime
    reason: str
    maybe_sent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLettered:
    """Given up, and why."""

    reason: str
    channel_problem: str | None = None
    """Slack's word, if the whole channel is out of reach."""
    root_deleted: bool = False
    """The root was deleted: what the channel lacks is posted as a new one."""
    root_uneditable: bool = False
    """The root can't be edited any more, though it stands."""


Outcome = Delivered | Retry | DeadLettered


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxCounts:
    """The number of rows in the outbox and in quarantine."""

    waiting: int
    dead: int
    quarantined: int
    oldest_waiting: datetime | None


def new_message_key() -> str:
    """Return a random key, which is put into a message's metadata so that the message can be found in the
    history.

    What is posted once more gets a new one: by the old key the message that stands already would be found.
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
    """Return a new row of the outbox, due at once or at `not_before`; `event` ranks it if it is about one."""
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
