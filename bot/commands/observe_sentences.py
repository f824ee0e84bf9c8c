"""Sentences that report an observation without the word `observe`: "ZTF done 12 r 21.5". Pure."""

from __future__ import annotations

import re
from functools import cache

from bot.observing.instruments import built_in
from bot.observing.observatories import find_observatory, normalized_name

_REPORT = re.compile(
    r"^(?P<name>\S+(?: \S+){0,3}?) (?P<verb>done|finished|completed|cancelled|canceled)\b(?P<rest>.*)$",
    re.IGNORECASE,
)


_OBSERVING = re.compile(
    r"^(?P<who>(?:i|we)(?:'m|'re|'ll|'ve| am| are| will| have)? |im |me )?(?:(?:now|also|just|still) )?"
    r"(?P<verb>observe|observing|observed)\b(?P<rest>.*)$",
    re.IGNORECASE,
)
_NOT_OBSERVING = re.compile(
    r"^(?:(?:i|we)(?:'m|'re| am| are|) |im )?"
    r"(?:not|no longer|stop|stops|stopped|don't|didn't|won't|can't|cannot) observ(?:e|ing)\b",
    re.IGNORECASE,
)
_LOOKED = r"(?:observed|imaged|covered|followed up|pointed at|looked at)"
_EVENT = r"(?:it|this|that|this event|that event|the event|this one)"
_BY = r"(?:with|from|by|at|on|using|through)(?: the)?"
_NAME = r"(?P<name>[^\s,;:]{1,40}(?: [^\s,;:]{1,40}){0,3}?)"
_LATELY = r"(?: (?:already|now|too|as well))?"
_WITHOUT_DETAILS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?:(?:i|we)(?:'ve| have| had| did)? )?(?:just |already |also )?(?:done|observe|{_LOOKED})"
        rf"(?: {_EVENT})? {_BY} {_NAME}{_LATELY}",
        rf"{_EVENT} (?:was|is|has been|got|has just been) (?:just |already |also )?{_LOOKED}"
        rf" {_BY} {_NAME}{_LATELY}",
        rf"(?:the )?{_NAME} (?:(?:has|have|had|just|already|also) ){{0,2}}{_LOOKED}(?: {_EVENT}){_LATELY}",
    )
)
"""Sentences that say that a telescope observed, and nothing of which fields, band and depth."""
_PAST = re.compile(rf"\b(?:done|did observe|{_LOOKED})\b", re.IGNORECASE)
_ALONE = frozenset(["", "it", "this", "this event", "now", "it now", "that", "the event"])
MYSELF = "without a telescope"


def read_observe_sentence(sentence: str) -> str | None:
    """Return what stands after `observe` for a sentence that reports something; None for others.

    It begins with a telescope and "done", where only names that gwevent knows by itself count, since such a
    sentence stores something; or somebody says of themselves that they observe.
    """
    if _NOT_OBSERVING.match(sentence):
        return "not observing"
    if (name := report_without_details(sentence)) is not None:
        return f"done it with {name}"
    if (said := _OBSERVING.match(sentence)) is not None:
        rest = said["rest"].strip(" .!,")
        if rest.casefold() in _ALONE and (said["who"] or "").strip().casefold()[:1] == "i":
            return MYSELF
        return f"done {rest}" if said["verb"].casefold() == "observed" else rest
    found = _REPORT.match(sentence)
    if found is None or not _is_telescope(found["name"]):
        return None
    return sentence


def report_without_details(sentence: str) -> str | None:
    """Return the telescope of a sentence that says only that it observed: "we observed it with ZTF".

    Whether all fields of its plan are meant would be a guess. None for other sentences, those with a band, a
    depth or fields among them, and for "observe ZTF done", which means all.
    """
    said = " ".join(sentence.strip(" .!").split())
    if len(said) > 200 or _PAST.search(said) is None:
        return None
    for number, pattern in enumerate(_WITHOUT_DETAILS):
        found = pattern.fullmatch(said)
        if found is None:
            continue
        name = found["name"]
        is_word = number == 0 and re.fullmatch(r"[^\W\d][\w-]*", name) is not None
        if is_word or _is_telescope(name):
            return name
    return None


def _is_telescope(name: str) -> bool:
    key = normalized_name(name)
    return bool(key) and (key in _instruments() or find_observatory(name) is not None)


@cache
def _instruments() -> frozenset[str]:
    return frozenset(normalized_name(name) for one in built_in() for name in (one.name, *one.aliases))
