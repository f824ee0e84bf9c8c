"""What people ask about each other: who has an event, and who observes it."""

from __future__ import annotations

import re

_OBSERVES = re.compile(
    r"\bwho(?:'s|s| is| are| else| all)?\b.*\b(?:observ\w+|follow\w*|looking|pointing)\b|\bobservers\b"
)
_HAS_IT = re.compile(
    r"\b(?:who|any(?:body|one)|some(?:body|one))\b.*\b(?:on it|(?:has|have|got|took|takes|taken) it)\b"
    # Where the event's name stood: "who has S261120c?", "who's on S261120c".
    r"|^who(?:'s|s| is| has)?(?: (?:has|have|had|got|took|taken|on))?\W*$"
)


def asks_who_observes(plain: str) -> bool:
    """Return whether a sentence in small letters asks who observes an event."""
    return _OBSERVES.search(plain) is not None


def asks_who_has_it(plain: str) -> bool:
    """Return whether a sentence in small letters asks who has an event: "who has it", "anybody on it?"."""
    return _HAS_IT.search(plain) is not None
