"""Sentences that ask for an event's counterpart candidates. Pure."""

from __future__ import annotations

import re

_COUNTERPARTS = re.compile(
    r"\b(?:counterparts|counterpart candidates?|(?:optical|transient|host|follow-?up) candidates?)\b"
)
_CANDIDATES = re.compile(r"\bcandidates\b")
_COUNTED = re.compile(r"\b(?:since|until|last|between|how many|weeks?|months?|years?|days?)\b")


def asks_for_candidates(plain: str, event_count: int) -> bool:
    """Return whether a sentence (lower case) asks for counterpart candidates.

    "Candidates" alone are LVK's, which are events, unless the sentence names an event.
    """
    if _COUNTERPARTS.search(plain):
        return True
    return event_count == 1 and bool(_CANDIDATES.search(plain)) and not _COUNTED.search(plain)
