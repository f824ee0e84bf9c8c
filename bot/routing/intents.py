"""The decisions that routing returns: one class for each kind of intent.

An intent names what is to be done and for whom, never the words: messages are rendered when they are sent.
Intents are written to the outbox, or to the webhook's own, in the transaction that stores their cause.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from formatters.models.escalation import EscalationEnd, EscalationStep

ChannelRef = tuple[str, str]
"""A channel: Slack's ids of its workspace (team) and of the channel."""


class MentionReason(StrEnum):
    """The reason of a mention. The values are stored."""

    NEW_EVENT = "root"
    """The event itself; the mention is part of the root message."""
    UPGRADE = "news"
    """A later notice raised the event's importance; the mention is a message of its own."""
    RETRACTION = "standdown"
    """The event was retracted; only people who were mentioned before are mentioned."""


@dataclass(frozen=True, slots=True)
class OpenRoot:
    """Post the superevent's root message in a channel that has none."""

    team_id: str
    channel_id: str
    subscription_id: int
    mention: tuple[str, ...] = ()
    """People, groups and broadcasts that the root message mentions, as Slack writes them."""
    steps: tuple[EscalationStep, ...] = ()
    """The steps that follow if nobody says "I have it"."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Post this notice as a reply in a thread."""

    thread_id: int


@dataclass(frozen=True, slots=True)
class EditRoot:
    """Bring a thread's root message up to the newest state."""

    thread_id: int


@dataclass(frozen=True, slots=True)
class CancelRoot:
    """Drop a root message that was never handed to Slack, because its event was retracted."""

    thread_id: int


@dataclass(frozen=True, slots=True)
class Mention:
    """Mention these people, groups or the whole channel because of this notice."""

    thread_id: int
    targets: tuple[str, ...]
    reason: MentionReason
    steps: tuple[EscalationStep, ...] = ()
    """The steps that follow if nobody says "I have it"."""
    is_held: bool = False
    """True if somebody has the event already: the steps come only once nobody has it any more."""


@dataclass(frozen=True, slots=True)
class EndEscalation:
    """Take no further steps in a thread, because their reason is over."""

    thread_id: int
    reason: EscalationEnd
    kept: frozenset[str] = frozenset()
    """The targets that rules still name (WEBHOOK for the webhook): the steps for them go on."""


@dataclass(frozen=True, slots=True)
class DeferToSkyMap:
    """Plan again once the sky map was queried, because some filters depend on it alone."""


@dataclass(frozen=True, slots=True)
class UpdateFollowUp:
    """Post or edit the Follow-up reply in the superevent's thread in one channel."""

    team_id: str
    channel_id: str
    is_earlier: bool = False
    """True if all of its content came before the thread was opened: then it is the least urgent post."""
    only_existing: bool = False
    """True if nothing new is to be told: a reply that stands or is under way is brought up to date."""
    can_wait: bool = False
    """True if what changes is counterpart candidates alone, which may come by the hundred."""


@dataclass(frozen=True, slots=True)
class AnnounceRetractionCircular:
    """Reply that LVK's circular retracts the event although its notice hasn't come."""

    thread_id: int
    message_id: int
    """The store's id of the circular for this superevent."""


@dataclass(frozen=True, slots=True)
class ReportUnreadableNotice:
    """Tell a channel that a notice could not be read."""

    team_id: str
    channel_id: str
    thread_id: int | None
    """The event's thread, or None to post in the channel itself."""


class OperatorAlert(StrEnum):
    """Kinds of messages to the operators' channel."""

    FIRST_REAL_EVENT = "first real event"
    UNREADABLE_PAYLOAD = "unreadable payload"
    INCIDENT_OPENED = "incident opened"
    INCIDENT_RESOLVED = "incident resolved"


@dataclass(frozen=True, slots=True)
class AlertOperators:
    """Post a message in the operators' channel."""

    team_id: str
    channel_id: str
    alert: OperatorAlert
    incident_id: int | None = None
    """The incident of an incident's alert; None for one about the notice or payload that is being stored."""


@dataclass(frozen=True, slots=True)
class WelcomeInstaller:
    """Send a direct message to the person who installed the app in a workspace."""

    team_id: str
    user_id: str


class CallKind(StrEnum):
    """Reasons to call the operators' webhook. The values are stored."""

    INCIDENT_OPENED = "trouble"
    INCIDENT_RESOLVED = "over"
    EVENT_MATCHED = "alert"
    EVENT_RETRACTED = "stand_down"
    ESCALATED = "escalated"
    """Nobody took an event (or drill) in a channel in time: the last step."""
    ESCALATION_ACKNOWLEDGED = "acknowledged"
    """Somebody has it now."""
    ESCALATION_ENDED = "escalation_end"
    """The event was retracted, the condition's end, or a day later: whatever was opened is closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallWebhook:
    """Call the operators' webhook about an incident, superevent or escalation; exactly one is given."""

    kind: CallKind
    incident_id: int | None = None
    superevent_id: str | None = None
    escalation_id: int | None = None
    already_made: bool = False
    """True if the call was made while the store was unavailable: it is recorded and not repeated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelWebhookCall:
    """Drop a webhook call that was planned and never attempted, because its reason is over."""

    kind: CallKind
    incident_id: int | None = None
    superevent_id: str | None = None
    escalation_id: int | None = None


Intent = (
    OpenRoot
    | Reply
    | EditRoot
    | CancelRoot
    | Mention
    | EndEscalation
    | DeferToSkyMap
    | UpdateFollowUp
    | AnnounceRetractionCircular
    | ReportUnreadableNotice
    | AlertOperators
    | WelcomeInstaller
    | CallWebhook
    | CancelWebhookCall
)
