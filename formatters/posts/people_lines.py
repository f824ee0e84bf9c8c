"""The lines about people below a card's picture: who has the event, who observes it, who muted it here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from formatters.blockkit import blocks
from formatters.blockkit.message import Block
from formatters.blockkit.mrkdwn import NBSP, escape, plain_text
from formatters.models.escalation import Acknowledgement
from formatters.models.event_people import EventPeople
from formatters.models.forgotten import FORGOTTEN, FORGOTTEN_WORDS
from formatters.models.observation import InstrumentShare
from formatters.text import coverage_lines, quantities

MAX_ACKNOWLEDGEMENTS = 3
"""The most people of the line "On it"; the rest are counted."""
MAX_OBSERVERS = 12
"""The most people of the line "Observing"; the rest are counted."""
MAX_INSTRUMENTS = 6
"""The most instruments of the line "Observing"; the rest are counted."""
INSTRUMENT_MAX = 40
"""The most characters of an instrument's name."""
_USER = re.compile(r"[UW][A-Z0-9]+")


def person(user_id: str) -> str | None:
    """Return a person in Slack's syntax, which notifies nobody in an edit; None if it is no user id."""
    if user_id == FORGOTTEN:
        return FORGOTTEN_WORDS
    return f"<@{user_id}>" if _USER.fullmatch(user_id) else None


def since(time: datetime, event_time: datetime | None) -> str:
    """Return when somebody acted: "03:14 UTC (T+6 min)", escaped; with the date if the merger isn't known."""
    if event_time is None:
        return f"{time.astimezone(UTC):%Y-%m-%d %H:%M}{NBSP}UTC"
    return f"{time.astimezone(UTC):%H:%M}{NBSP}UTC (T{quantities.delay(time - event_time)})"


def acknowledged_line(acknowledgements: Sequence[Acknowledgement], event_time: datetime | None) -> str | None:
    """Return "On it: @b since 03:14 UTC (T+6 min)", escaped; None if nobody has it.

    A person's mention shows the name that Slack knows.
    """
    said = [
        f"{name} since {since(one.since, event_time)}"
        for one in acknowledgements
        if (name := person(one.user_id)) is not None
    ]
    return f"On it: {_first(said, MAX_ACKNOWLEDGEMENTS, ', ')}" if said else None


def observing_line(instruments: Sequence[InstrumentShare], observers: Sequence[str]) -> str | None:
    """Return "Observing: ZTF planned 63 % · DECam done 41 % · @a", escaped; None if nobody said so.

    A share is the probability of the newest map inside the fields. `observers` said it without a telescope.
    """
    by_instrument: dict[str, list[str]] = {}
    for one in instruments:
        share = "" if one.share is None else f" {quantities.percent(one.share)}"
        by_instrument.setdefault(one.instrument, []).append(
            f"{coverage_lines.STATUS_WORDS[one.status]}{share}"
        )
    parts = [
        f"{escape(plain_text(name, INSTRUMENT_MAX))} {escape(', '.join(states))}"
        for name, states in by_instrument.items()
    ]
    people = [name for user in observers if (name := person(user)) is not None]
    shown = [_first(parts, MAX_INSTRUMENTS, " · ")] if parts else []
    shown += [_first(people, MAX_OBSERVERS, ", ")] if people else []
    return f"Observing: {' · '.join(shown)}" if shown else None


def muted_line(people: EventPeople, event_time: datetime | None, *, is_retracted: bool) -> str | None:
    """Return the line that says who muted the event here, and what that does, escaped; None if nobody."""
    if people.mute is None:
        return None
    by = person(people.mute.user_id)
    words = "Muted here" if by is None else f"Muted here by {by}"
    words = f"{words} at {since(people.mute.since, event_time)}"
    return (
        words if is_retracted else f"{words}: no replies, and no edits for newer notices except a retraction"
    )


def people_block(
    people: EventPeople,
    observers: Sequence[str],
    event_time: datetime | None,
    *,
    is_retracted: bool = False,
) -> list[Block]:
    """Return a context block of at most three lines about people; an empty list if there is nothing to say.

    `event_time` is the merger's; None if no notice says it.
    """
    lines = (
        acknowledged_line(people.acknowledgements, event_time),
        observing_line(people.instruments, observers),
        muted_line(people, event_time, is_retracted=is_retracted),
    )
    said = [line for line in lines if line is not None]
    return [blocks.context("\n".join(said))] if said else []


def observers_block(observers: Sequence[str]) -> list[Block]:
    """Return a context block that lists people who observe; an empty list if nobody does."""
    line = observing_line((), observers)
    return [] if line is None else [blocks.context(line)]


def _first(items: Sequence[str], most: int, separator: str) -> str:
    """Join as many items as are allowed, and count the rest."""
    rest = len(items) - most
    if rest <= 0:
        return separator.join(items)
    return f"{separator.join(items[:most])}{separator}and {rest} more"
