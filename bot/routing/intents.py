"""What routing decides: the intents, and what it needs to know of a thread."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RootState(StrEnum):
    """How far a thread's root message got."""

    WAITING = "waiting"
    """Planned, and never handed to Slack."""
    ATTEMPTED = "attempted"
    """Handed to Slack at least once; whether it arrived isn't known yet."""
    POSTED = "posted"
    DEAD = "dead"
    """Given up; the channel never saw it."""


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
    """Who was mentioned, or will be by what waits; as Slack writes them."""
    notified: frozenset[str] = frozenset()
    """Those of them whose mention may stand in the channel already."""


class MentionReason(StrEnum):
    """What a mention is for."""

    NEW_EVENT = "root"
    """The event itself, in the post of its root."""
    UPGRADE = "news"
    """What a later notice brings, in a message of its own."""
    RETRACTION = "standdown"
    """A retraction, to those who were mentioned before."""


@dataclass(frozen=True, slots=True)
class OpenRoot:
    """Post the superevent's root message in a channel that has none."""

    team_id: str
    channel_id: str
    subscription_id: int
    mention: tuple[str, ...] = ()
    """Whom it mentions."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Say in the thread what this notice says."""

    thread_id: int


@dataclass(frozen=True, slots=True)
class EditRoot:
    """Bring the root to the newest state."""

    thread_id: int


@dataclass(frozen=True, slots=True)
class CancelRoot:
    """Don't post a root that hasn't been attempted: its event is gone."""

    thread_id: int


@dataclass(frozen=True, slots=True)
class Mention:
    """Mention these people, groups or the channel because of this notice."""

    thread_id: int
    targets: tuple[str, ...]
    reason: MentionReason


@dataclass(frozen=True, slots=True)
class DeferToSkyMap:
    """Plan again once the map has answered: for some channels it alone decides."""


Intent = OpenRoot | Reply | EditRoot | CancelRoot | Mention | DeferToSkyMap


ChannelRef = tuple[str, str]
"""Team and channel."""
