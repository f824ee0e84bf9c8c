"""Recognize sentences about a drill. None begins or stops one: they only point at the command. Pure."""

from __future__ import annotations

import re

_DRILL = re.compile(r"\bdrills?\b")
_STOP = re.compile(r"\b(?:stop|end|cancel|abort|quit|over)\b")
_NUMBER = re.compile(r"\b(\d{1,9})\b")


def read_drill_sentence(plain: str) -> str | None:
    """Return the command that a sentence in small letters may mean; None if it isn't about a drill."""
    if not _DRILL.search(plain):
        return None
    if _STOP.search(plain):
        return "subscriptions drill stop"
    number = _NUMBER.search(plain)
    return f"subscriptions drill {number[1]}" if number else "help drill"
