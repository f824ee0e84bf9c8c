"""Sentences that ask for an event's grades: "would we trigger?", "is it gold", "why only silver". Pure."""

from __future__ import annotations

import re

_GRADES = re.compile(
    r"\b(?:grades?|graded|gold|silver|bronze|criteri(?:a|on)|trigger(?:s|ed|ing)?)\b"
    r"|\b(?:is|was|are) (?:(?:it|this|that|the event|this event) )?(?:one of )?ours\b|\brubin-? ?20\d\d\b"
)
_OTHER_TRIGGERS = re.compile(
    r"\btrigger(?:'s)? (?:times?|numbers?|ids?|pages?|links?|urls?|rates?|names?)\b"
    r"|\b(?:grbs?|fermi|gbm|swift|bat|svom|icecube|gamma|frbs?|neutrinos?)\b.*\btrigger"
    r"|\btrigger\w* (?:of |by )?(?:the )?(?:grbs?|fermi|gbm|swift|bat|svom|icecube)\b"
)
"""Triggers of other instruments, and what a trigger has besides: not the decision to observe."""
_COMPARISON = re.compile(r"[<>=]")
_CLASS = re.compile(r"\b(?:bns|nsbh|bbh|bursts?|cbc|ssm|massgap)\b")
_ABOUT_ONE = re.compile(r"^(?:would|will|should|could|can|does|do|did|is|was|why)\b")
_LIST = re.compile(
    r"\b(?:events|superevents|alerts|candidates|how many|any|since|until|weeks?|months?|years?|days?)\b"
)
_DEFINITION = re.compile(r"(?<!\w)[a-z]\w*:(?= |$)")
"""A grade with its conditions, "gold: ns": not asked, and "critera add x Gold: NS" is no question."""
_CHANGE = re.compile(
    r"^(?:add|new|create|edit|change|remove|delete|drop|rename|import)\b.*\bcriteri(?:a|on)\b"
)
_WHICH_THERE_ARE = re.compile(
    r"(?:(?:show|list|see|give|tell|what|which|all|me|us|the|our|my|are|is|there|have|do|does|we|you|any"
    r"|criteria|sets?|built[- ]in|available|known|of|this|channel|workspace|here) ?)+"
)


def asks_for_grades(plain: str, event_count: int) -> bool:
    """Return whether a case-folded sentence asks which grades an event has, or would have.

    Without an event's id, a question about several events or with conditions is a search instead.
    """
    if _GRADES.search(plain) is None or any(
        other.search(plain) is not None for other in (_OTHER_TRIGGERS, _DEFINITION)
    ):
        return False
    if event_count:
        return True
    if _COMPARISON.search(plain) is not None or _LIST.search(plain) is not None:
        return False
    # "would the last BBH trigger" is told to name it; "BNS gold" is a filter.
    return _CLASS.search(plain) is None or _ABOUT_ONE.search(plain) is not None


def asks_for_list(plain: str) -> bool:
    """Return whether a case-folded sentence asks which criteria there are: "what are our criteria"."""
    return "criteria" in plain.split() and _WHICH_THERE_ARE.fullmatch(plain) is not None


def asks_for_change(plain: str) -> bool:
    """Return whether a case-folded sentence wants criteria changed, which only the command does."""
    return _CHANGE.search(plain) is not None
