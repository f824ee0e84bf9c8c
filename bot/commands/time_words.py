"""Words that tell when, and not what or which: "Monday", "last night", "Nov 28", "UTC". Pure."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable

_DAYS = (
    r"(?:mon|tues|wednes|thurs|fri|satur|sun)days?|mon|tues?|weds?|thu(?:rs?)?|fri|sat|sun"
    r"|weekends?|weekdays?"
)
_MONTHS = (
    r"jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?"
)
_TIMES_OF_DAY = (
    r"tonight|tonite|today|yesterday|tomorrow|night(?:s|time|fall)?|evenings?|mornings?|afternoons?|noon|midday"
    r"|midnight|dawn|daybreak|daytime|dusk|twilight|sun(?:rise|set)|moon(?:rise|set)?|am|pm|o'?clock"
)
_SPANS = (
    r"(?:second|sec|minute|min|hour|hr|day|week|month|quarter|year|yr|semester|season|spring|summer|autumn"
    r"|winter|time|moment|date)s?"
)
_WHEN = (
    r"now|then|ago|later|earlier|soon|recently|lately|already|once|early|late|before|after(?:wards)?|past|last"
    r"|next|this|the|first|of|at|on|in|st|nd|rd|th|half|eve|same|other|every|christmas|xmas|easter|thanksgiving"
)
_ZONES = (
    r"utc?|gmt|zulu|cet|cest|bst|wet|west|eet|eest|[aecmp][sd]t|ak[sd]t|ae[sd]t|jst|clt|clst|mjd|[hb]?jd|gps"
)
_TIME_WORD = re.compile(rf"{_DAYS}|{_MONTHS}|{_TIMES_OF_DAY}|{_SPANS}|{_WHEN}", re.IGNORECASE)
_NAMED = re.compile(rf"{_DAYS}|{_MONTHS}|{_TIMES_OF_DAY}|week|weeks|month|months", re.IGNORECASE)
_ZONE_OR_SCALE = re.compile(rf"{_ZONES}|t_?0|(?:mjd|[hb]?jd|gps)[\d.]+", re.IGNORECASE)
_CLOCK = re.compile(r"\b\d{1,2}:\d\d\b")
_PART = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?|\d+")


def tells_time(text: str) -> bool:
    """Return whether a text says when and nothing else: "Monday", "last night", "28-Nov", "UTC", "T0"."""
    words = text.split()
    return re.search(r"[^\W\d_]", text) is not None and all(map(_is_time, words))


def _is_time(word: str) -> bool:
    parts = _PART.findall(word)
    return _ZONE_OR_SCALE.fullmatch(word) is not None or (
        bool(parts) and all(part.isdecimal() or _TIME_WORD.fullmatch(part) for part in parts)
    )


def names_time(text: str) -> bool:
    """Return whether a text names a day, a month, a time of day or a clock's time: "Monday", "3am", "28-Nov".

    "half", "next" and "hours" tell when only beside such a name.
    """
    parts = [part for part in _PART.findall(text) if part.casefold() != "moon"]
    return tells_time(text) and any(_NAMED.fullmatch(part) for part in parts)


def begins_time(words: Iterable[str]) -> bool:
    """Return whether words begin with some that name a time: "early this morning", but not "half of it"."""
    said = (word.strip(",;:()[].!?") for word in words)
    return any(map(names_time, itertools.takewhile(lambda word: word.isdecimal() or tells_time(word), said)))


def split_time_at_start(text: str) -> tuple[str, str]:
    """Return the words at a text's beginning that only say when, and the others.

    "on Monday" and "we observed it" are those of "on Monday we observed it". Without a day's name or a
    clock's time among them they are none.
    """
    words = text.split()
    plain = [word.rstrip(",:;") for word in words]
    count = next((at for at in range(len(words)) if not tells_time(" ".join(plain[: at + 1]))), len(words))
    time = " ".join(plain[:count])
    if not names_time(time) and _CLOCK.search(time) is None:
        return "", text
    return time, " ".join(words[count:])


def without_time_at_end(text: str) -> str:
    """Return a text without the words at its end that only say when: "was it observed on Monday"."""
    words = text.split()
    at = next((at for at in range(len(words)) if tells_time(" ".join(words[at:]))), len(words))
    return " ".join(words[:at])
