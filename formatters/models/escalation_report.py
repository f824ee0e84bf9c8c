"""The report of an escalation or a drill: its steps, who has the event, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from formatters.models.escalation import Acknowledgement, EscalationEnd, EscalationStep


class StepState(StrEnum):
    """The progress of a step. The values are stored."""

    WAITING = "waiting"
    TAKEN = "taken"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedStep:
    """A step, and when it was taken."""

    id: int
    """The store's id."""
    step: EscalationStep
    state: StepState
    due_at: datetime
    taken_at: datetime | None = None
    is_posted: bool = False
    """True if Slack has accepted the message about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationReport:
    """The state of an escalation (of an event) or of a drill (of a subscription)."""

    id: int
    """The store's id."""
    team_id: str
    channel_id: str
    started_at: datetime
    """The notice was stored, or the drill begun."""
    mentioned_at: datetime | None = None
    """Slack accepted the first mention; None until then."""
    steps: tuple[ReportedStep, ...] = ()
    """In their order."""
    acknowledgements: tuple[Acknowledgement, ...] = ()
    """The people who have it, in the order in which they said so."""
    end: EscalationEnd | None = None
    """Why there are no further steps; None while there may be some."""
    ended_at: datetime | None = None
    is_closed: bool = False
    """True if nothing changes it any more."""
    thread_id: int | None = None
    superevent_id: str | None = None
    """None for a drill, and for an event whose thread was purged."""
    drill_number: int | None = None
    """The number of the channel's subscription that is drilled; None for an event."""
    started_by: str | None = None
    """Slack's id of who began the drill; None for an event."""
    ended_by: str | None = None
    """Slack's id of who ended the drill, by "I have it" or by stopping it; None if nobody did."""

    @property
    def is_drill(self) -> bool:
        """True if no event is behind it."""
        return self.drill_number is not None
