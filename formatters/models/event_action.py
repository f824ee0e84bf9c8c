"""Actions of people about events, for the audit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class EventActionKind(StrEnum):
    """A kind of action. The values are stored."""

    ACKNOWLEDGED = "acknowledged"
    HANDED_BACK = "handed back"
    MUTED = "muted"
    UNMUTED = "unmuted"
    PLANNED = "planned"
    OBSERVED = "observed"
    CANCELLED = "cancelled"
    DRILL_BEGUN = "drill begun"
    DRILL_STOPPED = "drill stopped"


OBSERVATION_KINDS = (EventActionKind.PLANNED, EventActionKind.OBSERVED, EventActionKind.CANCELLED)
"""Actions that change nothing of what the channel receives."""


def action_words(kind: str) -> str:
    """Return a kind of action as people read it; a kind that only another version knows as it is stored."""
    return _IN_WORDS.get(kind, str(kind))


_IN_WORDS: dict[str, str] = {EventActionKind.ACKNOWLEDGED: "taken by “I have it”"}


@dataclass(frozen=True, slots=True, kw_only=True)
class EventAction:
    """One thing that a person did about an event in a channel."""

    team_id: str
    channel_id: str
    superevent_id: str | None
    """None for a drill."""
    user_id: str
    """Slack's user id."""
    kind: EventActionKind | str
    """A text if only another version of gwevent knows the kind."""
    at: datetime
    detail: str = ""
    """Details of the action in plain words; not escaped."""
