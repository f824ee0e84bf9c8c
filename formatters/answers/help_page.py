"""The parts of a page of `/gwevent help WORD`."""

from __future__ import annotations

from dataclasses import dataclass

Usage = tuple[str, str]
"""The text typed after `/gwevent`, and what it does."""

WHICH_EVENT = (
    "The event's id may stand before or after the word. Without one it is the thread's event, else this"
    " channel's newest, else the newest significant one; the answer says which."
)
"""The note below the pages of words that are about an event."""


@dataclass(frozen=True, slots=True)
class HelpPage:
    """The contents of `help WORD` for one word."""

    title: str
    usages: tuple[Usage, ...]
    notes: tuple[str, ...] = ()
    """mrkdwn, below the usages."""
    words: tuple[str, ...] = ()
    """Other words that lead to this page."""
