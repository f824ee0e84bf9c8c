"""Parse the words after `plan`: the telescope's site, how many fields or how long, an export format. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from bot.commands.errors import CommandError
from bot.commands.night_words import OTHER_NIGHT
from bot.observing.observatories import find_observatory, find_own_site
from bot.observing.pointing_planner import MAX_FIELDS
from bot.runtime.typed_text import normalize_typed_text
from formatters.models.observing import Site

PLAN_WORDS = ("plan", "plans", "pointing", "pointings", "planning")
"""The words of the command, in lower case."""
EXPORT_FORMATS = ("csv", "json")
LONGEST = timedelta(hours=24)
EXAMPLES = "plan Palomar, plan Palomar 12, plan Palomar 90 minutes, plan Palomar until dawn"

_MAX_NAME_WORDS = 8
_SIMILAR = 0.75
"""difflib's ratio from which a word is one of these with a typing error."""
_MARKS = " ,.;:!?()"
_DECIMAL_COMMA = re.compile(r"\d{1,12},\d{1,12}", re.ASCII)
_VERY_SIMILAR = 0.8
"""The same where no number stands before it: it could be a site's name, which must not be passed over."""
_NUMBER = re.compile(r"[+-]?\d[\d.]*", re.ASCII)
_NUMBER_AND_UNIT = re.compile(
    r"([+-]?\d[\d.]{0,12})-?([^\W\d]{1,12}|['\"%°])(\d{1,2}(?:min|m)?)?", re.ASCII | re.IGNORECASE
)
_UNITS = {
    **dict.fromkeys(("min", "mins", "minute", "minutes", "minuts", "mn", "m", "mts"), timedelta(minutes=1)),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), timedelta(hours=1)),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), timedelta(seconds=1)),
}
_FIELD_UNITS = (
    *("field", "fields", "pointing", "pointings", "tile", "tiles", "exposure", "exposures"),
    *("visit", "visits", "frame", "frames", "image", "images", "point", "points", "target", "targets"),
)
_NUMBER_WORDS = dict(
    zip(
        (
            *("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"),
            *("twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
            "twenty",
        ),
        range(1, 21),
        strict=True,
    )
)
_UNTIL = ("until", "till", "til", "to", "untill")
_DAWN = ("dawn", "sunrise", "morning", "daylight", "twilight")
_WHOLE_NIGHT = re.compile(
    r"\b(?:(?:un)?till?\s+|to\s+)?(?:the\s+)?"
    r"(?:all|whole|entire|full|rest|remainder|end)(?: of)?(?: the| this)? night\b",
    re.IGNORECASE,
)
_FILLERS = frozenset(
    (
        *(
            "the",
            "a",
            "an",
            "for",
            "in",
            "on",
            "at",
            "of",
            "with",
            "from",
            "by",
            "and",
            "to",
            "as",
            "me",
            "us",
        ),
        *("my", "our", "we", "it", "is", "please", "pls", "plz", "next", "now", "tonight", "today", "this"),
        *(
            "night",
            "first",
            "best",
            "top",
            "most",
            "within",
            "during",
            "event",
            "make",
            "give",
            "show",
            "get",
        ),
        *("do", "create", "want", "need", "what", "which", "where", "should", "can", "could", "i", "you"),
        *("telescope", "site", "observe", "observing", "observations", "max", "up", "time", "file", "table"),
        *("format", "download", "save"),
    )
)
_LIMITS = frozenset(("altitude", "elevation", "airmass", "darkness"))
_EXPORT_WORDS = ("export", *EXPORT_FORMATS)


@dataclass(frozen=True, slots=True)
class PlanWords:
    """The parsed words after `plan`."""

    site: Site | None = None
    """The channel's site; None if none is named."""
    count: int | None = None
    duration: timedelta | None = None
    export: str | None = None
    """A format of EXPORT_FORMATS; None for the answer with its table and picture."""
    unknown: str = ""
    """The words that are none of these, which may name a site that isn't the channel's."""


def parse_plan_words(text: str, own: Sequence[Site]) -> PlanWords:
    """Read the words after `plan`, in any order; `own` are the channel's sites.

    A site's name is looked for first, since "Dome 2" ends in a number. Raises CommandError.
    """
    text = normalize_typed_text(text)
    comma = _DECIMAL_COMMA.search(text)
    if comma is not None:
        raise CommandError(f'"{comma[0]}": numbers have a decimal point, no comma: plan Palomar 1.5 h.')
    if other := OTHER_NIGHT.search(text):
        raise CommandError(
            f'"{other[0][:20]}": a plan is for the night that it is, by day for the coming one: {EXAMPLES}.'
        )
    site, words = _take_site([word.strip(_MARKS) for word in text.split()], own)
    left = _WHOLE_NIGHT.sub(" ", " ".join(word for word in words if word))
    return _read_rest(left.split(), PlanWords(site=site))


def exports_plan(word: str, arguments: str) -> str | None:
    """Return the arguments of `plan` in "export plan csv Palomar"; None for other exports."""
    words = arguments.split()
    if word not in _EXPORT_WORDS or not any(one.casefold() in PLAN_WORDS[:2] for one in words):
        return None
    rest = [one for one in words if one.casefold() not in PLAN_WORDS[:2]]
    return " ".join([word, *rest])


def _take_site(words: list[str], own: Sequence[Site]) -> tuple[Site | None, list[str]]:
    """Return the channel's site with the longest name among the words, and the words without it.

    An observatory's other names do as well: ZTF for the channel's Palomar. Raises CommandError for two sites.
    """
    found: list[Site] = []
    for length in range(min(_MAX_NAME_WORDS, len(words)), 0, -1):
        start = 0
        while start + length <= len(words):
            site = _own_site(" ".join(words[start : start + length]), own)
            if site is None:
                start += 1
                continue
            if site not in found:
                found.append(site)
            del words[start : start + length]
    if len(found) > 1:
        named = " and ".join(site.name for site in found)
        raise CommandError(f"One telescope at a time, not {named}: {EXAMPLES}.")
    return (found[0] if found else None), words


def _own_site(name: str, own: Sequence[Site]) -> Site | None:
    if _NUMBER.fullmatch(name) or "," in name or name.casefold() in _FILLERS:
        return None
    site = find_own_site(name, own)
    if site is None and (known := find_observatory(name)) is not None:
        site = find_own_site(known.name, own)
    return site


def _read_rest(words: Sequence[str], found: PlanWords) -> PlanWords:
    """Read what is left without the site's name. Raises CommandError."""
    reader = _Reader(words)
    while reader.has_more:
        reader.read_one()
    duration = sum(reader.lengths, timedelta()) if reader.lengths else None
    if duration is not None and duration > LONGEST:
        raise CommandError(_too_long())
    if duration is not None and reader.is_until_dawn:
        raise CommandError("Until dawn, or for a time? One of the two: plan Palomar 90 minutes.")
    return replace(
        found,
        count=reader.count,
        duration=duration,
        export=EXPORT_FORMATS[0] if reader.export == "export" else reader.export,
        unknown=" ".join(reader.unknown),
    )


class _Reader:
    """Reads words one after the other; methods raise CommandError."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = list(words)
        self._is_behind_hours = False
        self.is_until_dawn = False
        self.count: int | None = None
        self.lengths: list[timedelta] = []
        self.export: str | None = None
        self.unknown: list[str] = []

    @property
    def has_more(self) -> bool:
        """True until all words are read."""
        return bool(self._words)

    def read_one(self) -> None:
        """Read the next word, with those behind it that belong to it."""
        typed = self._words.pop(0)
        word, following = typed.casefold(), self._words[0] if self._words else ""
        behind_hours, self._is_behind_hours = self._is_behind_hours, False
        if joined := _NUMBER_AND_UNIT.fullmatch(word):
            self._take_measured(joined[1], joined[2], typed)
            if joined[3]:
                if joined[3].isdecimal() and not self._is_behind_hours:
                    # "1h30" has minutes; those of "2m30" could be seconds.
                    raise CommandError(f'"{typed[:40]}" needs a unit for its second number: {EXAMPLES}.')
                self.lengths.append(timedelta(minutes=int(joined[3].rstrip("min"))))
        elif _NUMBER.fullmatch(word) or word in _NUMBER_WORDS:
            number = str(_NUMBER_WORDS.get(word, word))
            if _unit(following) is not None:
                self._words.pop(0)
                self._take_measured(number, following, f"{typed} {following}")
            elif behind_hours:
                raise CommandError(f'"{typed[:20]}": {typed[:20]} fields or {typed[:20]} minutes?')
            else:
                self._take_count(number, typed)
        elif word == "half" and (hours := self._take_hour()):
            self.lengths.append(hours / 2)
        elif word == "hour":
            self.lengths.append(timedelta(hours=1))
        elif _is_like(word, _UNTIL) and _is_like(following.casefold(), _DAWN):
            self._words.pop(0)
            self.is_until_dawn = True
        elif word in _LIMITS:
            raise CommandError(
                f'"{typed[:20]}": plans keep the limits of this channel: /gwevent sites altitude 20.'
            )
        elif word in _UNTIL and word != "to":
            raise CommandError(
                f'"{typed} {following[:20]}": a plan goes until dawn or for a time: plan Palomar 90 minutes.'
            )
        else:
            self._take_word(typed)

    def _take_measured(self, number: str, unit: str, typed: str) -> None:
        """Consume a time, or a number of fields, with its unit."""
        known = _unit(unit)
        if known is None:
            raise CommandError(f'"{typed[:40]}" is neither a number of fields nor a time: {EXAMPLES}.')
        if known in _FIELD_UNITS:
            self._take_count(number, typed)
            return
        if not re.fullmatch(r"\+?\d{1,6}(\.\d{1,6})?", number, re.ASCII) or not float(number):
            raise CommandError(
                f'"{typed[:40]}" is no time to plan for: a number above 0, as in 90 minutes or 1.5 h.'
            )
        if float(number) * _UNITS[known] > LONGEST:
            raise CommandError(_too_long())
        self.lengths.append(_UNITS[known] * float(number))
        self._is_behind_hours = _UNITS[known] == timedelta(hours=1)

    def _take_count(self, number: str, typed: str) -> None:
        whole = re.fullmatch(r"\+?(\d{1,6})", number, re.ASCII)
        if whole is None or not 1 <= int(whole[1]) <= MAX_FIELDS:
            raise CommandError(
                f'"{typed[:40]}": a plan has 1 to {MAX_FIELDS} fields; a time has a unit, as in 90 minutes.'
            )
        count = int(whole[1])
        if self.count is not None and self.count != count:
            raise CommandError(
                f"How many fields, {self.count} or {count}? A time has a unit, as in 90 minutes."
            )
        self.count = count

    def _take_hour(self) -> timedelta | None:
        """Consume "an hour" or "hour" behind "half"; return None if it doesn't stand there."""
        behind = [word.casefold() for word in self._words[:2]]
        for length, words in ((2, ("an", "hour")), (2, ("a", "hour")), (1, ("hour",)), (1, ("h",))):
            if tuple(behind[:length]) == words:
                del self._words[:length]
                return timedelta(hours=1)
        return None

    def _take_word(self, typed: str) -> None:
        """Consume a word that is no number: a format, a filler, or one that isn't known."""
        word = _corrected(typed.casefold())
        if word in _EXPORT_WORDS:
            if self.export in EXPORT_FORMATS and word in EXPORT_FORMATS and word != self.export:
                raise CommandError("One format at a time: plan Palomar export csv, or export json.")
            self.export = word if word in EXPORT_FORMATS else self.export or word
        elif word not in _FILLERS and word not in _FIELD_UNITS and word not in (*PLAN_WORDS, *_DAWN):
            self.unknown.append(typed)


def _too_long() -> str:
    return f"A plan is for one night: at most {LONGEST // timedelta(hours=1)} hours, or “until dawn”."


def _unit(word: str) -> str | None:
    """Return the unit or the word for fields that a word is, with a typing error or without."""
    folded = word.casefold()
    if folded in _UNITS or folded in _FIELD_UNITS:
        return folded
    if len(folded) < 4:
        return None
    known = [one for one in (*_UNITS, *_FIELD_UNITS) if len(one) > 3]
    return next(iter(difflib.get_close_matches(folded, known, n=1, cutoff=_SIMILAR)), None)


def _is_like(word: str, known: Sequence[str]) -> bool:
    return word in known or (
        len(word) > 3 and bool(difflib.get_close_matches(word, known, n=1, cutoff=_SIMILAR))
    )


def _corrected(word: str) -> str:
    """Return the word of `plan` that this one is with a typing error, else the word itself."""
    known = ("export", "csv", "json", "fields", "pointings", "exposures", "tonight", "please")
    near = difflib.get_close_matches(word, known, n=1, cutoff=_VERY_SIMILAR) if len(word) > 3 else []
    return near[0] if near else word
