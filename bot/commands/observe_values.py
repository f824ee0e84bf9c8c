"""What is said of an observation: which fields of the plan, band, depth. Pure.

A number that nothing labels is never guessed: "12 r" are 12 fields, for no survey stops at magnitude 12,
"r 21" is a depth, and "21 r" is asked about.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bot.commands.errors import CommandError
from bot.commands.time_words import begins_time, names_time
from formatters.models.observation import MAX_FIELDS

BRIGHTEST, FAINTEST = 5.0, 30.0
"""Limiting magnitudes that are taken for one."""
MAG_FROM, MAG_TO = 15, 27
"""Whole numbers that may be a depth as well as a number of fields."""
EXAMPLES = "observe ZTF done 12 r 21.5, observe ZTF done 3,5,7 g mag 21, observe ZTF done all"

_NAMED_BANDS = (
    *("clear", "white", "open", "unfiltered", "luminance", "lum", "nuv", "fuv", "uvw1", "uvw2", "uvm2"),
    *("ks", "kp", "vr", "bp", "rp", "zg", "zr", "zi", "ztfg", "ztfr", "ztfi", "gri", "iz", "qi"),
)
_BAND = (
    r"(?:[ugrizyYUBVRIJHKLGwoc]'?|F\d{3,4}(?:W|M|N|LP)|(?:sdss|sloan|ps1|atlas|gaia|bessell|lsst|decam)"
    rf"[-_ ]?[ugrizyYUBVRIGwoc]'?|(?i:{'|'.join(_NAMED_BANDS)}))"
)
_BAND_ALONE = re.compile(rf"(?P<band>{_BAND})(?:[-_ ]?(?:band|filter))?[:,]?")
_BAND_AND_DEPTH = re.compile(
    rf"(?P<band>{_BAND})[-_ ]?(?:band)?(?P<sign>[=~<>≤≥≈:]{{0,2}})(?P<depth>\d{{1,2}}(?:\.\d{{1,4}})?)"
    r"(?P<unit>mags?|ab|vega)?",
)
_BAND_LABELS = ("band", "filter", "filt", "filters", "bands")
_DEPTH_LABELS = (
    "mag",
    "mags",
    "m",
    "limmag",
    "maglim",
    "depth",
    "lim",
    "limit",
    "limiting",
    "magnitude",
    "to",
)
_DEPTH_UNITS = ("mag", "mags", "magnitude", "magnitudes", "ab", "abmag", "mag_ab", "magab", "vega", "vegamag")
_SIGMA = re.compile(r"[35](?:\.0)?[- ]?(?:sigma|sig|σ)", re.IGNORECASE)
_DEPTH = re.compile(
    r"(?P<label>mag|limmag|maglim|depth|lim|m)?(?P<sign>[=~<>≤≥≈:]{0,2})(?P<depth>\d{1,3}(?:\.\d{1,4})?)"
    r"(?P<unit>mags?|ab|vega)?",
    re.IGNORECASE,
)
_WHOLE = re.compile(r"#?\d{1,6}", re.ASCII)
_RANGE = re.compile(r"#?(\d{1,4})(?:-|\.\.\.?|–)#?(\d{1,4})", re.ASCII)
_DECIMAL_COMMA = re.compile(r"(?:1[5-9]|2[0-7]),\d", re.ASCII)
_TIME_WORDS = frozenset(["at", "from", "by", "@"])
"""Words before a time; a number without a colon behind them is asked about."""
_TIME_LIKE = re.compile(r"(?:[01]?\d|2[0-3])(?:[.h][0-5]\dh?|h|[0-5]\d)?", re.ASCII)
"""A time of day without a colon: "21.30", "0320", "3h20", "21"; "21.5" and "21.75" are depths."""
MAX_DIGITS = 2
"""Of a whole number of fields behind "at": more digits are taken for a time."""
MAX_ESTIMATE = 3
"""A range from 1 to so many fields is asked about, and a longer one is taken for their numbers."""
_COMMA_NUMBER = re.compile(r"\d{1,2},\d{1,2}", re.ASCII)
_MONTH = re.compile(r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*")
_FIELD_WORDS = frozenset(
    (
        *("field", "fields", "pointing", "pointings", "tile", "tiles", "exposure", "exposures"),
        *("visit", "visits", "frame", "frames", "image", "images"),
    )
)
_ALL_WORDS = frozenset(["all", "everything", "every", "whole", "complete", "entire"])
_REST_WORDS = frozenset(["rest", "remaining", "remainder", "others"])
_FILLER_WORDS = """
    the a an of it its it's our my we i in with using and at on for down is was were are has have been this
    that please plan planned plus also each per then from tonight just now so far ok sky event by
"""
_FILLERS = frozenset(_FILLER_WORDS.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which fields of a plan; one of the attributes is set."""

    first: int | None = None
    """The first so many."""
    numbers: tuple[int, ...] = ()
    """The fields with these numbers, from 1, in this order, each once."""
    is_rest: bool = False
    """Those that aren't done yet."""
    is_all: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """What the words say."""

    selection: Selection | None = None
    band: str | None = None
    depth: float | None = None
    remark: str = ""
    """What belongs to the depth: "3σ"."""


def parse_values(words: Sequence[str]) -> Values:
    """Read the words after `done`. Raises CommandError with a question where they aren't clear."""
    reader = _Reader(_joined_lists(words))
    while reader.has_more:
        reader.read_one()
    return reader.result()


def take_band(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """Return the band among words of another grammar, those of `plan`, and the words without it.

    Raises CommandError for two bands.
    """
    bands: list[str] = []
    left: list[str] = []
    queue = list(words)
    while queue:
        word = queue.pop(0)
        if word.casefold() in _BAND_LABELS and queue:
            bands.append(_named_band(queue.pop(0)))
        elif found := _BAND_ALONE.fullmatch(word):
            bands.append(found["band"])
            if left and left[-1].casefold() == "in":
                left.pop()
            if queue and queue[0].casefold() in _BAND_LABELS:
                queue.pop(0)
        else:
            left.append(word)
    return _one_band(bands), left


def is_band(word: str) -> bool:
    """Return whether a word is a band's name by itself."""
    return _BAND_ALONE.fullmatch(word) is not None


def is_band_with_depth(word: str) -> bool:
    """Return whether a word is a band's name, or one with a limiting magnitude: "r21.5"."""
    found = _BAND_AND_DEPTH.fullmatch(word)
    return is_band(word) or (found is not None and BRIGHTEST <= float(found["depth"]) <= FAINTEST)


def check_depth(text: str, system: str = "") -> float:
    """Return a limiting magnitude. Raises CommandError for one that no telescope has."""
    depth = float(text)
    if not BRIGHTEST <= depth <= FAINTEST:
        raise CommandError(
            f"“{text[:12]}{system}” can't be a limiting magnitude: write one from {BRIGHTEST:.0f} to"
            f" {FAINTEST:.0f}, as in r 21.5."
        )
    return depth


class _Reader:
    """Reads words one after the other; methods raise CommandError."""

    def __init__(self, words: list[str]) -> None:
        self._words = words
        self._is_behind_band = False
        self._bands: list[str] = []
        self._depths: list[float] = []
        self._bare: list[int] = []
        self._count: int | None = None
        self._numbers: list[int] = []
        self._is_all = self._is_rest = False
        self._is_vega = False
        self._remark = ""

    @property
    def has_more(self) -> bool:
        """True until all words are read."""
        return bool(self._words)

    def read_one(self) -> None:
        """Read the next word, with those behind it that belong to it."""
        typed = self._words.pop(0).strip(",;:()[]").rstrip(".!?")
        folded = typed.casefold()
        behind_band, self._is_behind_band = self._is_behind_band, False
        following = self._words[0].strip(",;:()[]").casefold() if self._words else ""
        if folded in _TIME_WORDS and self._has_time_like(following):
            raise CommandError(_time_or_value(typed, following))
        if folded in ("utc", "ut", "gmt"):
            raise CommandError("A time has a colon: write it like at 03:20 UTC.")
        if not typed or (folded in _FILLERS and not (folded == "i" and self._is_band_i(following))):
            # "done 12 i 21.5": the band, not the person.
            self._is_behind_band = behind_band
        elif _SIGMA.fullmatch(typed):
            self._remark = typed
        elif re.fullmatch(r"[35]", typed) and re.fullmatch(r"sigma|sig|σ", following):
            self._remark = f"{typed}σ"
            self._words.pop(0)
        elif folded in ("ab", "vega", "abmag", "vegamag"):
            self._is_vega = self._is_vega or folded.startswith("vega")
        elif folded in _BAND_LABELS:
            if not self._words:
                raise CommandError(f"Which {folded}? For example: {EXAMPLES}.")
            self._bands.append(_named_band(self._words.pop(0)))
            self._is_behind_band = True
        elif folded in _ALL_WORDS:
            self._is_all = True
        elif folded in _REST_WORDS:
            self._is_rest = True
        elif folded == "last" and names_time(following):
            raise CommandError(_vague_time(f"{typed} {following}"))
        elif folded in ("first", "last"):
            self._take_end(folded, following)
        elif folded in ("field", "number", "no", "nr", "#") and _WHOLE.fullmatch(following):
            self._numbers.append(int(self._words.pop(0).strip(",;:()[]").lstrip("#")))
        elif folded in _FIELD_WORDS:
            if _WHOLE.fullmatch(following):
                raise CommandError(
                    f"“{typed} {following}”: the first {following} fields, or field {following}? Write"
                    f" {following} fields, or field {following}."
                )
        elif folded in _DEPTH_LABELS and (number := _DEPTH.fullmatch(following)):
            self._words.pop(0)
            unit = self._words.pop(0).casefold() if self._has_unit() else number["unit"]
            self._take_depth(number["depth"], unit)
        elif folded in _DEPTH_LABELS and (following in _DEPTH_LABELS or following in _DEPTH_UNITS):
            # "limiting mag 21.5", "depth to 21.5"
            pass
        elif folded in _DEPTH_LABELS and _COMMA_NUMBER.fullmatch(following):
            # Behind "mag" a comma parts no fields.
            self._words.pop(0)
            unit = self._words.pop(0).casefold() if self._has_unit() else None
            self._take_depth(following.replace(",", "."), unit)
        elif _COMMA_NUMBER.fullmatch(typed) and following in _DEPTH_UNITS:
            self._words.pop(0)
            self._take_depth(typed.replace(",", "."), following)
        elif _DECIMAL_COMMA.fullmatch(typed):
            one, other = typed.split(",")
            raise CommandError(
                f"“{typed}”: fields {one} and {other}, or a limiting magnitude of {one}.{other}? Write"
                f" field {one} and field {other}, or mag {one}.{other}."
            )
        elif numbers := _list(typed):
            if following in _FIELD_WORDS:
                self._refuse_estimate(typed, numbers, following)
            self._numbers += numbers
        elif typed.startswith("#") and _WHOLE.fullmatch(typed):
            self._numbers.append(int(typed[1:]))
        elif found := _BAND_ALONE.fullmatch(typed):
            self._bands.append(found["band"])
            self._is_behind_band = True
            if following in _BAND_LABELS:
                self._words.pop(0)
        elif found := _BAND_AND_DEPTH.fullmatch(typed):
            if not found["sign"] and "." not in found["depth"] and int(found["depth"]) < MAG_FROM:
                raise CommandError(_fields_or_mag(found["depth"]))
            self._bands.append(found["band"])
            self._take_depth(found["depth"], found["unit"])
        elif folded in _DEPTH_LABELS and len(typed) > 1 and following:
            raise CommandError(f"“{typed} {following[:20]}” is no limiting magnitude: write mag 21.5.")
        elif found := _DEPTH.fullmatch(typed):
            self._take_number(found, typed, following, behind_band=behind_band)
        elif _WHOLE.fullmatch(typed):
            self._take_count(int(typed.lstrip("#")))
        else:
            raise CommandError(_vague_time(typed) if begins_time([typed, *self._words]) else _unknown(typed))

    def result(self) -> Values:
        """Return what was read."""
        band, depth = _one_band(self._bands), self._one_depth()
        selection = self._selection(has_depth=depth is not None)
        if self._is_vega:
            # Depths are compared within a band: one in another system stands apart.
            band = "Vega" if band is None else f"{band} (Vega)"
        return Values(selection=selection, band=band, depth=depth, remark=self._remark)

    @staticmethod
    def _refuse_estimate(typed: str, numbers: Sequence[int], word: str) -> None:
        """Raise CommandError for "2-3 fields", which may be two or three of them; "1-12 fields" are those."""
        first, last = numbers[0], numbers[-1]
        if _RANGE.fullmatch(typed) and (first > 1 or last <= MAX_ESTIMATE):
            raise CommandError(
                f"“{typed} {word}”: fields {first} to {last}, or about so many of them? Write fields"
                f" {first}-{last}, or {last} fields."
            )

    def _has_time_like(self, following: str) -> bool:
        """Return whether a number follows that may be a time of day, as in "at 21.30", and nothing else."""
        if _TIME_LIKE.fullmatch(following) is None:
            return False
        behind = self._words[1].strip(",;:()[].").casefold() if len(self._words) > 1 else ""
        if _MONTH.fullmatch(behind):
            return False
        return behind not in _DEPTH_UNITS and (behind not in _FIELD_WORDS or len(following) > MAX_DIGITS)

    def _has_unit(self) -> bool:
        return bool(self._words) and self._words[0].strip(",;:()[]").casefold() in _DEPTH_UNITS

    def _is_band_i(self, following: str) -> bool:
        return not following or following[:1].isdigit() or following in (*_BAND_LABELS, "mag", "to", "ab")

    def _take_end(self, word: str, following: str) -> None:
        if word == "first" and _WHOLE.fullmatch(following):
            self._words.pop(0)
            self._count = int(following.lstrip("#"))
            return
        raise CommandError(f"“{word} {following[:12]}”: write which fields, as in 1-12 or 3,5,7.")

    def _take_number(self, found: re.Match[str], typed: str, following: str, *, behind_band: bool) -> None:
        number, is_whole = found["depth"], "." not in found["depth"]
        if found["label"] or found["sign"] or found["unit"]:
            self._take_depth(number, found["unit"])
        elif following in _FIELD_WORDS and is_whole:
            self._words.pop(0)
            self._take_count(int(number))
        elif following in _DEPTH_UNITS:
            self._words.pop(0)
            self._take_depth(number, following)
        elif not is_whole or (behind_band and int(number) >= MAG_FROM):
            self._take_depth(number, None)
        elif behind_band and not (self._numbers or self._count or self._bare or self._is_all):
            raise CommandError(_fields_or_mag(typed))
        else:
            self._bare.append(int(number))

    def _take_depth(self, number: str, unit: str | None) -> None:
        self._is_vega = self._is_vega or (unit or "").casefold().startswith("vega")
        self._depths.append(check_depth(number))

    def _take_count(self, count: int) -> None:
        if self._count is not None and self._count != count:
            raise CommandError(f"How many fields, {self._count} or {count}?")
        self._count = count

    def _one_depth(self) -> float | None:
        if len(set(self._depths)) > 1:
            raise CommandError(
                f"One depth at a time, not {self._depths[0]:g} and {self._depths[1]:g}: report the fields of"
                " each by themselves, as in done 1-6 r 21.5, then done 7-12 r 21."
            )
        return self._depths[0] if self._depths else None

    def _selection(self, *, has_depth: bool) -> Selection | None:
        for number in self._bare:
            has_other = bool(self._numbers) or self._count is not None or len(self._bare) > 1
            if has_other or (not has_depth and MAG_FROM <= number <= MAG_TO):
                raise CommandError(_fields_or_mag(str(number)))
            self._count = number
        said = [bool(self._numbers), self._count is not None, self._is_all, self._is_rest]
        if sum(said) > 1:
            raise CommandError(f"Which fields? One of these: 12, 1-12, 3,5,7, all. For example: {EXAMPLES}.")
        if self._count is not None:
            if not 1 <= self._count <= MAX_FIELDS:
                raise CommandError(f"“{self._count}”: an observation has 1 to {MAX_FIELDS} fields.")
            return Selection(first=self._count)
        if self._numbers:
            numbers = tuple(dict.fromkeys(self._numbers))
            if len(numbers) > MAX_FIELDS:
                raise CommandError(f"{len(numbers)} fields: an observation has 1 to {MAX_FIELDS} fields.")
            if min(numbers) < 1:
                raise CommandError("Fields are numbered from 1, as /gwevent plan lists them.")
            return Selection(numbers=numbers)
        if self._is_all or self._is_rest:
            return Selection(is_all=self._is_all, is_rest=self._is_rest)
        return None


def _joined_lists(words: Sequence[str]) -> list[str]:
    """Return words in which "3, 5 and 7" and "1 - 12", "1 to 12" are one word each."""
    text = re.sub(r"\s*([=~<>≤≥≈:]{1,2})\s*(?=\d)", r"\1", " ".join(words))
    text = re.sub(r"(?<![\w.])(\d{1,4})\s*,\s*(?=\d{1,4}(?![\w.]))", r"\1,", text)
    text = re.sub(r"(?<=\d),(\d{1,4})\s+and\s+(\d{1,4})(?![\w.])", r",\1,\2", text)
    text = re.sub(r"(?<![\w.])(\d{1,4})\s*-\s*(?=\d{1,4}(?![\w.]))", r"\1-", text)
    text = re.sub(r"(?<![\w.,])(\d{1,4})\s+(?:to|through|thru)\s+(?=\d{1,4}(?![\w.]))", r"\1-", text)
    return text.split()


def _list(typed: str) -> list[int]:
    """Return the numbers of "3,5,7-9" or "1-12"; none for anything else. Raises CommandError."""
    if "," not in typed and _RANGE.fullmatch(typed) is None:
        return []
    numbers: list[int] = []
    for part in typed.split(","):
        if found := _RANGE.fullmatch(part):
            first, last = int(found[1]), int(found[2])
            if not first < last or last - first >= MAX_FIELDS:
                raise CommandError(f"“{part}”: a range goes from the smaller number, as in 1-12.")
            numbers += range(first, last + 1)
        elif _WHOLE.fullmatch(part):
            numbers.append(int(part.lstrip("#")))
        else:
            return []
    return numbers


def _named_band(typed: str) -> str:
    """Return the band behind the word "band". Raises CommandError for several in one word: "g,r"."""
    band = typed.strip(",;:.")
    parts = re.split(r"[,/+&-]", band)
    if len(parts) > 1 and all(is_band(part) for part in parts):
        raise _several_bands(parts)
    return band


def _several_bands(bands: Sequence[str]) -> CommandError:
    return CommandError(
        f"One band at a time, not {' and '.join(bands[:2])}: depths are never added over bands."
        " Report each by itself."
    )


def _one_band(bands: Sequence[str]) -> str | None:
    different = list(dict.fromkeys(bands))
    if len(different) > 1:
        raise _several_bands(different)
    return different[0] if different else None


def _fields_or_mag(number: str) -> str:
    return (
        f"“{number}”: {number} fields, or a limiting magnitude of {number}? Write {number} fields, or mag"
        f" {number}."
    )


def _time_or_value(word: str, number: str) -> str:
    digits = re.findall(r"\d+", number)
    hour, minute = (digits[0], digits[1]) if len(digits) > 1 else (number.rstrip("h"), "00")
    if len(hour) > MAX_DIGITS:
        hour, minute = hour[:-2], hour[-2:]
    time = f"{word} {hour.zfill(2)}:{minute} UTC"
    if "h" in number or number.startswith("0") or not BRIGHTEST <= float(number) <= FAINTEST:
        return f"“{word} {number}”: a time has a colon: write {time}."
    return f"“{word} {number}”: a time, or a limiting magnitude? Write {time}, or mag {number}."


def _vague_time(typed: str) -> str:
    return (
        f"“{typed[:40]}”: at what time? Write it like at 03:20 UTC, or at 2026-11-28 03:20 UTC, or leave the"
        " time out; a remark goes behind “note”."
    )


def _unknown(typed: str) -> str:
    return (
        f"“{typed[:40]}” is nothing I know here. Fields, band and depth read like this: {EXAMPLES};"
        " anything else goes behind “note”."
    )
