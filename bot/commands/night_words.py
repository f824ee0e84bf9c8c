"""The words of `visible` that say which night is asked about, and how high a position has to be."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from bot.commands.errors import CommandError
from bot.commands.sites import ALTITUDE_LIMITS
from formatters.models.observing import ObservingConstraints

FIRST_YEAR, LAST_YEAR = 2000, 2099
"""The years for which nights are computed; the Earth's series of erfa holds from 1900 to 2100."""

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_DAY = r"\d{1,2}(?:st|nd|rd|th|\.)?"
_BEGIN, _END = r"(?<![^\s,])", r"(?=[\s,]|$)"
_DATE = re.compile(
    _BEGIN + r"(?:(?:at|on|for)\s+)?(?:the\s+)?(?:night\s+of\s+)?(?P<date>\d{4}-\d{1,2}-\d{1,2})"
    r"(?:(?:t|\s+)(?P<time>\d{1,2}:\d{2})(?::\d{2}(?:\.\d*)?)?\s*(?:z|utc?)?)?" + _END,
    re.IGNORECASE | re.ASCII,
)
_OTHER_DATE = re.compile(
    _BEGIN + r"(?:\d{1,4}[/.]\d{1,2}[/.]\d{1,4}|\d{4}-\d{1,2}-\d\S*|\d{8}|\d{1,2}:\d{2}\S*"
    r"|(?:next|last)\s+(?:week|month)|(?:mon|tues|wednes|thurs|fri|satur|sun)day"
    rf"|tomorrow|yesterday|(?:next|last)\s+night|{_MONTH}\s+{_DAY}|{_DAY}\s+{_MONTH})" + _END,
    re.IGNORECASE | re.ASCII,
)
OTHER_NIGHT = re.compile(
    r"(?<!\S)(?:tomorrow|yesterday|(?:next|last) night|\d{4}-\d{1,2}-\d{1,2}\S*)(?!\S)",
    re.IGNORECASE | re.ASCII,
)
"""What stands for a night that isn't this one, where only this one is answered for."""
_ALTITUDE = re.compile(
    _BEGIN + r"(?:above\s+)?(?:min(?:imum)?\s+)?(?:altitude|elevation|alt|above)\b"
    r"\s*(?:>=|≥|=|>|:|above\b|of\b)?\s*(?P<degrees>[^\s,]*(?:,\d+)?)(?:\s+deg(?:rees?)?(?=[\s,]|$))?",
    re.IGNORECASE,
)
_AIRMASS = re.compile(
    _BEGIN + r"(?:below\s+|under\s+)?airmass\s*(?:<=|≤|=|<|:|below\b|of\b)?\s*\d[\d.]*" + _END, re.IGNORECASE
)
_DEGREES = re.compile(r"\+?(\d{1,2}(?:\.\d{0,6})?)(?:°|˚|º|deg|degrees)?", re.ASCII | re.IGNORECASE)
_TONIGHT = re.compile(_BEGIN + r"(?:tonight|today|now|this\s+night)" + _END, re.IGNORECASE)
_FILLER = re.compile(_BEGIN + r"(?:at|from|on|for)" + _END, re.IGNORECASE)
_EMPTY_PART = re.compile(r"(?: ,|,(?= ?,))+(?: |$)")
"""What is left of the commas around a word that was taken out."""


@dataclass(frozen=True, slots=True)
class NightWords:
    """The parsed words about a night; without any it is the night from now on, with the channel's
    constraints.
    """

    at: datetime | None = None
    """A time (UTC) instead of now."""
    night_of: date | None = None
    """A date whose night is asked about, counted from noon at each site."""
    altitude: float | None = None
    """Minimum altitude in degrees."""

    @property
    def is_now(self) -> bool:
        """True if no other night than this one is asked about."""
        return self.at is None and self.night_of is None

    def constraints(self, usual: ObservingConstraints) -> ObservingConstraints:
        """Return the constraints to use, which are the channel's but for the altitude."""
        return usual if self.altitude is None else replace(usual, altitude=self.altitude)


def parse_night_words(text: str) -> tuple[NightWords, str]:
    """Parse the words about a night; return them, and the other words, which name sites. Raises CommandError.

    Known are `tonight`, `at 2026-12-01` (with a time: `at 2026-12-01 03:00`) and `altitude 20`.
    """
    altitude, text = _take_altitude(text)
    airmass = _AIRMASS.search(text)
    if airmass is not None:
        raise CommandError(
            f'"{airmass.group().strip()}": write the lowest altitude, for example visible Palomar altitude 30'
            " (airmass 2)."
        )
    when = list(_DATE.finditer(text))
    text = _DATE.sub(" ", text)
    other = _OTHER_DATE.search(text)
    if other is not None:
        raise CommandError(
            f'"{other.group().strip()}": write the night\'s date as year-month-day, for example'
            " visible Palomar at 2026-12-01, with a time in UTC if you like: at 2026-12-01 03:00."
        )
    if len(when) > 1:
        raise CommandError("One night at a time.")
    words = NightWords(altitude=altitude)
    if when:
        day, clock = when[0].group("date"), when[0].group("time")
        if clock is None:
            words = replace(words, night_of=_parse_date(day))
        else:
            words = replace(words, at=_parse_time(_parse_date(day), clock))
    text = _FILLER.sub(" ", _TONIGHT.sub(" ", text))
    return words, _EMPTY_PART.sub(", ", " ".join(text.split())).strip(" ,")


def _take_altitude(text: str) -> tuple[float | None, str]:
    found = list(_ALTITUDE.finditer(text))
    if not found:
        return None, text
    low, high = ALTITUDE_LIMITS
    degrees = _DEGREES.fullmatch(found[0].group("degrees"))
    if len(found) > 1 or degrees is None or not low <= float(degrees[1]) <= high:
        raise CommandError(
            f'"altitude" takes one number of degrees from {low:g} to {high:g}, with a decimal point:'
            " visible Palomar altitude 20."
        )
    return float(degrees[1]), _ALTITUDE.sub(" ", text)


def _parse_date(text: str) -> date:
    try:
        parsed = date(*map(int, text.split("-")))
    except ValueError:
        raise CommandError(f'"{text}" is no date; one reads like 2026-12-01.') from None
    if not FIRST_YEAR <= parsed.year <= LAST_YEAR:
        raise CommandError(f"Nights are computed for the years {FIRST_YEAR} to {LAST_YEAR}.")
    return parsed


def _parse_time(day: date, clock: str) -> datetime:
    hour, minute = map(int, clock.split(":"))
    if hour > 23 or minute > 59:
        raise CommandError(f'"{clock}" is no time of day; one reads like 03:00 (UTC).')
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)
