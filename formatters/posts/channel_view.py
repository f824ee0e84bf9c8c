"""The parts of a superevent's card that depend on the channel that shows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from formatters.models.criteria_set import GradeOutcome
from formatters.models.event_people import NOBODY, EventPeople
from formatters.models.observing import Observability


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRef:
    """A reference to a sky-map image: a file uploaded to Slack (`file_id`) or a web address (`url`)."""

    alt_text: str
    file_id: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelView:
    """The parts of a card that depend on the channel. Equal superevents and views give equal cards."""

    image: ImageRef | None = None
    """Image of the newest sky map; None if there is none."""
    observers: tuple[str, ...] = ()
    """Slack user ids of the people who said in this channel that they observe, without a telescope's name."""
    people: EventPeople = NOBODY
    """The people who have the event, observe it with an instrument, or muted it here."""
    is_quiet: bool = False
    """True if the push text is the header alone (`Criteria.quiet`)."""
    mentions: tuple[str, ...] = ()
    """Mentions that must notify, in Slack's syntax; empty except in the first post of a root message."""
    observability: Observability | None = None
    """The probability that the channel's sites can observe of the newest map; None without sites or a map."""
    grades: tuple[GradeOutcome, ...] = ()
    """The grades that the channel's criteria sets give the superevent, in the channel's order."""
    is_root: bool = False
    """True for a channel's root message, which has the button "I'm observing"; False in command answers."""
    asked_at: datetime | None = None
    """Time at which a command asked for the card, which then says the event's age; None in a post."""
