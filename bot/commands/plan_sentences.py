"""Sentences that ask what a telescope should point at. Pure."""

from __future__ import annotations

import re

_ASKING = (
    r"(?:make|create|compute|calculate|give|get|show|draw|need|want|have|do|us|me|please|can you|could you)"
)
_PLANS = re.compile(
    rf"\b{_ASKING}\b.*\b(?:plan|pointings)\b"
    r"|\b(?:observing|observation|pointing|tiling) (?:plan|schedule)\b"
    r"|\b(?:which|what) (?:\d{1,4} )?(?:fields?|pointings?|tiles)\b"
    r"|\bwhere (?:should|do|can|could|shall|must) (?:i|we|you|the)\b.*\bpoint\b",
    re.IGNORECASE,
)
_OTHERS = re.compile(
    r"\b(?:who|whose|someone|anyone|anybody|somebody|you plan|plan to|plans? to|runs?)\b", re.IGNORECASE
)
_SITE = re.compile(r"\b(?:from|for|at|with)\s+(?P<site>\S.*)$", re.IGNORECASE)
_AMOUNT = re.compile(
    r"\b\d{1,4}(?:\.\d{1,3})?\s*(?:fields?|pointings?|tiles|min(?:ute)?s?|h(?:ours?|rs?)?)\b", re.IGNORECASE
)
_POINT_WITH = re.compile(
    r"\b(?:i|we|the) point (?P<site>\S.*)$"
    r"|\bshould (?!i\b|we\b|you\b|the\b)(?P<other>\S.*) (?:observe|point|look)\b",
    re.IGNORECASE,
)
_END = re.compile(
    r"\s+(?:of|in|on|to|point|observe|now|tonight|today|this night|next|first|please|for it|at it)\b.*$",
    re.IGNORECASE,
)


def read_plan_sentence(sentence: str) -> str | None:
    """Return the arguments of `plan` that a sentence asks for; None if it asks for no plan.

    "which 10 fields should we observe from Paranal tonight" is "10 fields Paranal". Without a site the
    channel's only telescope is meant.
    """
    if not _PLANS.search(sentence) or _OTHERS.search(sentence):
        return None
    amounts = [match[0] for match in _AMOUNT.finditer(sentence)]
    where = _SITE.search(_AMOUNT.sub(" ", sentence)) or _POINT_WITH.search(sentence)
    named = "" if where is None else next(one for one in where.groups() if one)
    site = _END.sub("", named).strip(" ?.!,")
    if site.casefold() in ("it", "this", "that", "this event", "the event", "us", "me", "our telescope"):
        site = ""
    return " ".join([*amounts, site]).strip()
