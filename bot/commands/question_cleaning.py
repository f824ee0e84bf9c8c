"""A question without what people put around it. Pure."""

from __future__ import annotations

import re

_CALLS = re.compile(r"^(?:/?@?gwevent(?:\s*[:,]\s*|\s+|$))+", re.IGNORECASE)
_POLITE_END = re.compile(r"(?<=[\s,])(?:please|pls|plz|thanks|thank you|thx)$", re.IGNORECASE)
_POLITE_END_MAX = len("thank you")
TRAILING_MARKS = " \t?!.…,;"
"""Marks at the end of a question that mean nothing."""


def clean_question(text: str) -> str:
    """Return a question without what people put around it: gwevent's name, greetings, marks at the end.

    Line ends are kept.
    """
    cleaned = _CALLS.sub("", text.strip())
    while True:
        without = _without_polite_end(cleaned.rstrip(TRAILING_MARKS)) or cleaned
        without = without.lstrip("/!").strip() if without.strip("/!") else without
        if without == cleaned:
            return cleaned
        cleaned = without


def _without_polite_end(text: str) -> str:
    """Return a text without one polite word at its end, looked for only there: the text may be long."""
    match = _POLITE_END.search(text, max(len(text) - _POLITE_END_MAX, 0))
    return text if match is None else text[: match.start()].rstrip(" \t\n,")
