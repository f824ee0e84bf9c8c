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


def read_observe_sentence(sentence: str) -> str | None:
    """Return what stands after `observe` for a sentence that begins with a telescope and "done"; else None.

    Only names that gwevent knows by itself count: such a sentence stores something.
    """
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
