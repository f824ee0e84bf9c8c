"""The words of `sites add` that describe a telescope: field of view, exposure and overhead, in any order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

from bot.commands.errors import CommandError
from bot.observing.footprints import FootprintProblem, UnknownFootprint
from bot.observing.instruments import Instruments
from formatters.models.pointing import Footprint

DEFAULT_EXPOSURE = timedelta(minutes=3)
DEFAULT_OVERHEAD = timedelta(minutes=1)
EXPOSURE_LIMITS = (timedelta(seconds=1), timedelta(hours=4))
OVERHEAD_LIMITS = (timedelta(0), timedelta(hours=1))

_MAX_TEXT = 600
_MAX_VALUE_WORDS = 8
_BEFORE_LABEL = r"(?:(?<![^\s,;])(?:and|with)\s+)?(?:(?<![^\s,;])(?:an?|the|its)\s+)?(?<![^\s,;])"
_AFTER_LABEL = r"(?:\s*[:=]\s*|\s+(?:of|is)\s+|\s+|(?=[\d,;])|$)"
_FIELD = re.compile(
    rf"{_BEFORE_LABEL}(?:fov|f\.o\.v\.|fields?[\s-]of[\s-]view)(?![a-z_.]){_AFTER_LABEL}",
    re.IGNORECASE,
)
_TIME_LABEL = (
    r"(?P<{0}>exp(?:\.|osures?|time)?(?:\s+times?)?|integration(?:\s+times?)?"
    r"|overheads?|read-?out(?:\s+times?)?|slew(?:\s+times?)?|dead\s*time)(?![\w.])"
)
_TIME = r"(?:(?P<{0}_times>\d{{1,3}})\s*[x×*]\s*)?(?P<{0}>\d{{1,5}}(?:\.\d{{1,3}})?|\.\d{{1,3}})\s*"
_UNIT = r"(?P<{0}_unit>s(?:ec(?:ond)?s?)?|min(?:ute)?s?|h(?:(?:ou)?rs?)?)(?![\w.°'])"
_PER_FIELD = r"(?:\s+(?:per|a|each|for each)\s+(?:field|pointing|image))?"


def _time(name: str) -> str:
    return _TIME.format(name) + _UNIT.format(name)


_LABEL_FIRST = (
    rf"{_BEFORE_LABEL}{_TIME_LABEL.format('before')}(?:\s*[:=]\s*|\s+(?:of|is)\s+|\s*)"
    rf"(?:{_time('after')}|(?P<none>0)(?![\w.]))"
)
_TIME_FIRST = (
    rf"{_BEFORE_LABEL}{_time('first')}\s*{_TIME_LABEL.format('last')}"
    # In "Dome 34s exposure 3min" the time that belongs to the label comes after it.
    rf"(?!\s*[:=]?\s*\d[\d.]*\s*(?:s|min|h)\w*(?!\s*(?:exp|integ|over|read|slew|dead)))"
)
_TIMES = re.compile(rf"(?:{_TIME_FIRST}|{_LABEL_FIRST}){_PER_FIELD}", re.IGNORECASE)
_LONE_LABEL = re.compile(rf"{_BEFORE_LABEL}{_TIME_LABEL.format('label')}", re.IGNORECASE)
_ARTICLE_AT_END = re.compile(r"(?:(?<!\S)(?:with|and)\s+)?(?:(?<!\S)(?:an?|the|its)\s+)?$", re.IGNORECASE)
_NO_FIELD = re.compile(r"(?:none|off|no|nothing)\b", re.IGNORECASE)
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_REMOVED_FIELD = re.compile(r"^(?P<site>.*?)[\s,]*\b(?:fov|fields?[\s-]of[\s-]view)\s*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class TelescopeWords:
    """A telescope at a site as a person describes it; None for values that they left open."""

    footprint: Footprint | None = None
    exposure: timedelta | None = None
    overhead: timedelta | None = None
    is_removed: bool = False
    """True for "fov none"."""

    def __bool__(self) -> bool:
        return bool(
            self.footprint or self.is_removed or self.exposure is not None or self.overhead is not None
        )


def extract_telescope(text: str, instruments: Instruments) -> tuple[str, TelescopeWords]:
    """Return the text without the words about a telescope, and these words' meaning.

    Raises CommandError with one sentence for what has none.
    """
    if len(text) > _MAX_TEXT:
        # The parser of sites says so.
        return text, TelescopeWords()
    rest, exposure, overhead = _extract_times(text)
    label = _FIELD.search(rest)
    if label is None:
        return _tidy(rest), TelescopeWords(exposure=exposure, overhead=overhead)
    if _FIELD.search(rest, label.end()) is not None:
        raise CommandError("A site has one field of view, and this gives two.")
    before, after = rest[: label.start()], rest[label.end() :]
    if (none := _NO_FIELD.match(after)) is not None:
        if exposure is not None or overhead is not None:
            raise CommandError('After "fov none" no exposure or overhead can be set.')
        return _tidy(f"{before} {after[none.end() :]}"), TelescopeWords(is_removed=True)
    footprint, before, after = _read_field(before, after, instruments)
    return _tidy(f"{before} {after}"), TelescopeWords(
        footprint=footprint, exposure=exposure, overhead=overhead
    )


def site_without_telescope(text: str) -> str | None:
    """Return the site of "Palomar fov", which loses its telescope; None for other words."""
    match = _REMOVED_FIELD.match(text) if len(text) <= _MAX_TEXT else None
    return match["site"].strip(" ,") if match is not None else None


def _extract_times(text: str) -> tuple[str, timedelta | None, timedelta | None]:
    """Return the text without exposure and overhead, and both. Raises CommandError."""
    found: dict[str, timedelta] = {}

    def take(match: re.Match[str]) -> str:
        kind = _kind(match["last"] or match["before"])
        number, unit, times = (
            (match["first"], match["first_unit"], match["first_times"])
            if match["last"]
            else (match["after"], match["after_unit"], match["after_times"])
        )
        if kind in found:
            raise CommandError(f"A telescope has one {kind}, and this gives two.")
        seconds = 0.0 if number is None else float(number) * _SECONDS[unit[0].casefold()] * int(times or 1)
        found[kind] = _within_limits(kind, timedelta(seconds=seconds))
        return " , "

    rest = _TIMES.sub(take, text)
    if (label := _LONE_LABEL.search(rest)) is not None and _is_meant(rest, label, bool(found)):
        kind = _kind(label["label"])
        raise CommandError(f'"{kind}" takes a time with its unit, for example {kind} 3min or {kind} 45s.')
    return rest, found.get("exposure"), found.get("overhead")


def _is_meant(text: str, label: re.Match[str], others: bool) -> bool:
    """Return True unless the word may be part of a site's name: "Exposure Hill" has no number after it."""
    return (
        others
        or _FIELD.search(text) is not None
        or re.match(r"\s*[:=]?\s*-?[\d.]", text[label.end() :]) is not None
    )


def _kind(label: str) -> str:
    return "exposure" if label.casefold().startswith(("exp", "integ")) else "overhead"


def _within_limits(kind: str, length: timedelta) -> timedelta:
    low, high = EXPOSURE_LIMITS if kind == "exposure" else OVERHEAD_LIMITS
    if not low <= length <= high:
        least = f"{low.total_seconds():g} s" if low else "0"
        raise CommandError(f"The {kind} is between {least} and {high.total_seconds() / 3600:g} h.")
    return length


def _read_field(before: str, after: str, instruments: Instruments) -> tuple[Footprint, str, str]:
    """Read the field of view after its label, else the one before it; return it and what is left.

    Raises CommandError.
    """
    problem: FootprintProblem | None = None
    following = list(re.finditer(r"[^\s,;]+", after))[:_MAX_VALUE_WORDS]
    for end in range(len(following), 0, -1):
        stop = following[end - 1].end()
        try:
            return instruments.parse(after[:stop].strip(" ,;")), before, after[stop:]
        except UnknownFootprint as error:
            problem = problem or error
        except FootprintProblem as error:
            raise CommandError(str(error)) from error
    preceding = list(re.finditer(r"[^\s,;]+", before))[-_MAX_VALUE_WORDS:]
    # A name of a site may be that of an instrument too: what stands before the label has a number.
    for start in range(len(preceding)):
        value = before[preceding[start].start() :].strip(" ,;")
        if not value[:1].isdigit():
            continue
        try:
            footprint = instruments.parse(value)
            return footprint, _ARTICLE_AT_END.sub("", before[: preceding[start].start()]), after
        except UnknownFootprint:
            continue
        except FootprintProblem as error:
            raise CommandError(str(error)) from error
    if problem is None:
        raise CommandError("Which field of view? Write fov 2.2x2.2deg, fov 1.1deg circle or fov ZTF.")
    raise CommandError(str(problem))


def _tidy(text: str) -> str:
    """Return the words that are left, with no separators where others were taken out."""
    plain = re.sub(r"(?:\s*,)+\s*(?=,|$)", " ", text)
    return " ".join(re.sub(r"^[\s,;]+|[\s,;]+$", "", plain).split())
