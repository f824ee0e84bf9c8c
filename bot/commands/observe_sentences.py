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
_ALONE = frozenset(["", "it", "this", "this event", "now", "it now", "that", "the event"])
MYSELF = "without a telescope"


def read_observe_sentence(sentence: str) -> str | None:
    """Return what stands after `observe` for a sentence that reports something; None for others.

    It begins with a telescope and "done", where only names that gwevent knows by itself count, since such a
    sentence stores something; or somebody says of themselves that they observe.
    """
    if _NOT_OBSERVING.match(sentence):
        return "not observing"
    if (said := _OBSERVING.match(sentence)) is not None:
        rest = said["rest"].strip(" .!,")
        if rest.casefold() in _ALONE and (said["who"] or "").strip().casefold()[:1] == "i":
            return MYSELF
        return f"done {rest}" if said["verb"].casefold() == "observed" else rest
    found = _REPORT.match(sentence)
    if found is None or not _is_telescope(found["name"]):
        return None
    return sentence


def _is_telescope(name: str) -> bool:
    key = normalized_name(name)
    return bool(key) and (key in _instruments() or find_observatory(name) is not None)


@cache
def _instruments() -> frozenset[str]:
    return frozenset(normalized_name(name) for one in built_in() for name in (one.name, *one.aliases))
