"""A question without what people put around it. Pure."""

from __future__ import annotations

import re

_CALLS = re.compile(r"^(?:/?@?gwevent(?:\s*[:,]\s*|\s+|$))+", re.IGNORECASE)
_POLITE_END = re.compile(r"(?<=[\s,])(?:please|pls|plz|thanks|thank you|thx)$", re.IGNORECASE)
_POLITE_END_MAX = len("thank you")
TRAILING_MARKS = " \t?!.…,;"
"""Marks at the end of a question that mean nothing."""


_REQUEST = re.compile(r"(?:please\s+|pls\s+)?(?:can|could|would|will) you\b", re.IGNORECASE)
_PICTURE = re.compile(
    r"(?:[\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff]|:[+a-z][a-z0-9_+'-]{0,50}:|:-1:)+", re.IGNORECASE
)
"""A word of emoji alone, as characters or by Slack's names."""
_LAST_WORD_MAX = 120
_QUESTION_END = re.compile(r"[?؟][^\w]{0,20}$")
"""A question mark, and behind it nothing but marks and pictures: "done? 🙏"."""


def is_question(text: str) -> bool:
    """Return whether a text ends with a question mark, and is no wish such as "could you mute it?"."""
    cleaned = _without_polite_end(text.rstrip(" \t\n.!,"))
    if _REQUEST.match(_CALLS.sub("", text.strip())):
        return False
    return _QUESTION_END.search(cleaned, max(len(cleaned) - 21, 0)) is not None


def clean_question(text: str) -> str:
    """Return a question without what people put around it: gwevent's name, greetings, marks and emoji.

    Line ends are kept.
    """
    cleaned = _CALLS.sub("", _without_pictures(text.strip()))
    while True:
        without = _without_polite_end(_without_pictures(cleaned.rstrip(TRAILING_MARKS))) or cleaned
        without = without.lstrip("/!").strip() if without.strip("/!") else without
        if without == cleaned:
            return cleaned
        cleaned = without


def _without_pictures(text: str) -> str:
    """Return a text without the words of emoji at its ends, unless it has no others."""
    first, _, rest = text.partition(" ")
    if rest.strip() and len(first) <= _LAST_WORD_MAX and _PICTURE.fullmatch(first):
        return rest.lstrip()
    at = max(text.rfind(" "), text.rfind("\n"))
    # "visible 🔭" asks about the emoji, and its answer says what it isn't.
    if len(text) - at <= _LAST_WORD_MAX and _PICTURE.fullmatch(text, at + 1) and " " in text[:at].strip():
        return text[:at].rstrip(" ")
    return text


def _without_polite_end(text: str) -> str:
    """Return a text without one polite word at its end, looked for only there: the text may be long."""
    match = _POLITE_END.search(text, max(len(text) - _POLITE_END_MAX, 0))
    return text if match is None else text[: match.start()].rstrip(" \t\n,")
