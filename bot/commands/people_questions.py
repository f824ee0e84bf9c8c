"""Recognize questions of people about each other: who has an event, and who observes it."""

from __future__ import annotations

import re

from bot.commands.telescope_names import NO_OWN_NAMES, OwnNames, is_telescope
from bot.commands.time_words import without_time_at_end

_OBSERVES = re.compile(
    r"\bwho(?:'s|s| is| are| else| all)?\b.*\b(?:observ\w+|follow\w*|looking|pointing)\b|\bobservers\b"
)
_OBSERVED = re.compile(
    # No word between them where the event's name stood: "was S261120c observed".
    r"^(?:has|have|had|did|is|was|nobody|no one|not|never|any(?:body|one)) (?:\S+ ){0,5}?"
    r"(?:observed?|observing|done)"
    r"(?: (?:it|this|that|event|already|yet|now))*(?: (?:by|with|from|at|in|using) .*)?$"
)
_ASKED_PAST = re.compile(
    # No word between them where the event's name stood here too.
    r"^(?!.*\bevents\b)(?:when|where|how|what|why|which fields)\b(?:.*?) ?\b(?:did|has|have|had|was|were)"
    r"(?: (?P<who>\S+(?: \S+){0,3}?))? (?:observed?|observing)\b"
)
_ASKED_OF = frozenset(("it", "this", "that", "we", "you", "they", "anybody", "anyone", "somebody", "someone"))
_OTHER_SIGNALS = re.compile(r"\b(?:fermi|gbm|swift|bat|guano|icecube|raven|grbs?|neutrinos?|gamma)\b")
_MUTED = re.compile(r"^(?:is|was|are|who|why)\b.*\bmuted?\b")
_HAS_IT = re.compile(
    r"\b(?:who|any(?:body|one)|some(?:body|one))\b.*\b(?:on it|(?:has|have|got|took|takes|taken) it)\b"
    # Where the event's name stood: "who has S261120c?", "who's on S261120c".
    r"|^who(?:'s|s| is| has)?(?: (?:has|have|had|got|took|taken|on))?\W*$"
)

_TAKING = re.compile(
    r"(?:i(?:'ve| have|'ll| will| am|'m)?|im|we(?:'ve| have)?)? ?"
    r"(?:(?:have |got |have got |take |taking |took )(?:it|this|that|this one)|mine|ack(?:nowledged?|ing)?"
    r"|on (?:it|this)|(?:no longer|don't|do not) have (?:it|this)"
    r"|(?:hand|give|giving|handing) (?:it |this )?back|release)"
    r"(?: (?:it|this|now|event|please))*"
)


def wants_to_take(plain: str) -> bool:
    """Return whether a sentence in small letters takes an event or gives it back: "I have it", "ack"."""
    return _TAKING.fullmatch(plain) is not None


def asks_who_observes(plain: str, own: OwnNames = NO_OWN_NAMES) -> bool:
    """Return whether a sentence in small letters asks who observes an event."""
    if _OBSERVED.fullmatch(without_time_at_end(plain)) and not _OTHER_SIGNALS.search(plain):
        return True
    if (past := _ASKED_PAST.match(plain)) is not None and not _OTHER_SIGNALS.search(plain):
        return past["who"] is None or past["who"] in _ASKED_OF or is_telescope(past["who"], own)
    return _OBSERVES.search(plain) is not None


def asks_who_has_it(plain: str) -> bool:
    """Return whether a sentence in small letters asks who has an event, or muted it: "anybody on it?"."""
    return _HAS_IT.search(plain) is not None or _MUTED.search(plain) is not None
