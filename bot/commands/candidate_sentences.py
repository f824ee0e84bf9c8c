"""Sentences that are about an event's counterpart candidates. Pure."""

from __future__ import annotations

import re

_COUNTERPARTS = re.compile(
    r"\b(?:counterparts|counterpart candidates?|(?:optical|transient|host|follow-?up) candidates?)\b"
)
_CANDIDATES = re.compile(r"\bcandidates\b")
_COUNTED = re.compile(r"\b(?:since|until|last|between|how many|weeks?|months?|years?|days?)\b")
_ASKED = re.compile(r"(?:show|list|see|get)(?: me)?(?: the)? candidates")
"""The command's word behind a verb; with a time, a class or a number the sentence asks for LVK's."""
_CHANGE = re.compile(
    r"(?P<verb>keep|reject|add|remove|delete)\b"
    r"(?P<rest>.*\b(?:candidates?|counterparts?|(?:at|sn) ?20\d\d[a-z]+)\b)?"
)


def read_candidate_sentence(plain: str, event_count: int) -> str | None:
    """Return "candidates" if a sentence (lower case) asks for them, the command to name if it changes them.

    "Candidates" alone are LVK's, which are events, unless the sentence names an event. A sentence changes
    nothing: the answer names the command that does.
    """
    change = _CHANGE.match(plain)
    if change is not None and (change["rest"] or change["verb"] in ("keep", "reject")):
        verb = "remove" if change["verb"] == "delete" else change["verb"]
        return f"candidates {verb}"
    if _COUNTERPARTS.search(plain) or _ASKED.fullmatch(plain):
        return "candidates"
    is_about_event = event_count == 1 and _CANDIDATES.search(plain) and not _COUNTED.search(plain)
    return "candidates" if is_about_event else None
