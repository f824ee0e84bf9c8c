"""Sentences that ask for less: "could you mute this", "stop these replies". Pure."""

from __future__ import annotations

import re

_MUTING = re.compile(
    r"(?:(?:can|could|would|will) you (?:please )?)?(?P<word>mute|unmute)(?:\s+(?P<rest>.*))?"
)
_STOPPING = re.compile(r"^(?:stop|undo|cancel|remove|delete|snooze|silence|unmute|shut up)\b|\bstop this\b")
_ABOUT_EVENT = re.compile(
    r"^(?:snooze|silence|unmute|shut up)\b|\b(?:mute|muted|event|thread|updates?|replies)\b"
)


def read_muting(folded: str) -> tuple[str, str] | None:
    """Return the command that a sentence (in lower case) asks for politely, and the words behind it."""
    found = _MUTING.fullmatch(re.sub(r"\bun[- ]mute\b", "unmute", folded))
    return None if found is None else (found["word"], found["rest"] or "")


def nearest_to_stopping(folded: str) -> str | None:
    """Return the command that comes nearest to a wish to stop something; None if it is no such wish.

    What exactly is to stop is never guessed: the person is shown the command.
    """
    if _STOPPING.search(folded) is None:
        return None
    return "unsubscribe" if _ABOUT_EVENT.search(folded) is None else "mute"
