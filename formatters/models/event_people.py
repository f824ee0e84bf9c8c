"""The people of a superevent in one channel: who has it, who observes it, who muted it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from formatters.models.escalation import Acknowledgement
from formatters.models.observation import InstrumentShare


@dataclass(frozen=True, slots=True, kw_only=True)
class Mute:
    """Somebody ended an event's replies and edits in a channel."""

    user_id: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPeople:
    """The people of a superevent's thread. Equal people give equal cards."""

    is_awaited: bool = False
    """True if somebody is to press "I have it": an escalation runs or ended without anybody."""
    acknowledgements: tuple[Acknowledgement, ...] = ()
    """The people who have it, in the order in which they said so."""
    instruments: tuple[InstrumentShare, ...] = ()
    """The probability that is planned and done, by instrument."""
    mute: Mute | None = None
    """The mute, with who did it; None if it isn't muted."""

    @property
    def is_waiting(self) -> bool:
        """Return whether somebody is to take the event, and nobody has."""
        return self.is_awaited and not self.acknowledgements


NOBODY = EventPeople()
