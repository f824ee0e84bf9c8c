"""Periods as people type them: "last week", "since 7d", "in O4a", "since 2023-05-20 until 2023-05-25".

All are UTC. "this week" and "last week" are calendar weeks, which begin on Monday; "last 7 days", "past week"
and "since 7d" end now. A day, month or year after "until" is included. An answer repeats the period as dates
(`Period.text`), since people mean different things by the same words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bot.filters.observing_runs import OBSERVING_RUNS
from bot.filters.tokens import FilterSyntaxError, Token

_DAY = timedelta(days=1)
_DATE_EXAMPLES = "2023, 2023-05, 2023-05-18, yesterday, 7d or O4a"
_SINCE = {"since": 0, "from": 0, "after": 1, "between": 0}
_UNTIL = {"until": 1, "till": 1, "before": 0, "to": 1, "through": 1}
"""Words before a date, and whether its begin (0) or its end (1) is meant."""
_DEMANDING = {"since", "until", "till", "after", "before", "between"}
"""Words that mean nothing but a period; "from" and "to" may stand before something else."""
_WITHIN = {"in", "on", "during", "within"}
_NUMBERS = dict(
    zip(
        ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"],
        range(1, 11),
        strict=True,
    )
)
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_MONTH = re.compile(
    r"jan(uary)?|feb(ruary)?|mar(ch)?|apr(il)?|may|june?|july?|aug(ust)?|sept?(ember)?|oct(ober)?|nov(ember)?"
    r"|dec(ember)?"
)
_WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_UNITS = {
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), "hour"),
    **dict.fromkeys(("d", "day", "days"), "day"),
    **dict.fromkeys(("w", "wk", "wks", "week", "weeks"), "week"),
    **dict.fromkeys(("mo", "month", "months"), "month"),
    **dict.fromkeys(("y", "yr", "yrs", "year", "years"), "year"),
}
_COUNTED = re.compile(r"(\d{1,4})([a-z]+)")
_RUN = re.compile(r"(?:o[1-9]|er\d{1,2}|ir\d)[a-z]?")
_ISO_DATE = re.compile(r"(\d{4})(?:[-/](\d{1,2})(?:[-/](\d{1,2}))?)?")
_ISO_TIME = re.compile(r"(\d{4}-\d{2}-\d{2})[t_](\d{2}:\d{2}(?::\d{2})?)(?:z|\+00:?00)?")
_OTHER_DATE = re.compile(r"\d{1,2}([./-])\d{1,2}\1(?:\d{4}|\d{2})")
_FIRST_YEAR = 2015


@dataclass(frozen=True, slots=True)
class Period:
    """The half-open interval [`since`, `until`) in UTC; None where it is open."""

    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_open(self) -> bool:
        """True if it has neither begin nor end."""
        return self.since is None and self.until is None

    @property
    def text(self) -> str:
        """The period as dates (UTC), the last day included: "2023-05-20 to 2023-05-25"; empty if open.

        A time of day names UTC: "since 2023-05-20 15:00 UTC".
        """
        since = "" if self.since is None else _moment(self.since)
        until = ""
        if self.until is not None:
            is_midnight = self.until.time() == datetime.min.time()
            until = _moment(self.until - _DAY if is_midnight else self.until)
        if since and until:
            return since if since == until else f"{since} to {until}"
        return f"since {since}" if since else f"until {until}" if until else ""


EVER = Period()


def extract_period(tokens: Sequence[Token], now: datetime) -> tuple[Period, list[Token]]:
    """Return the period that the words name, and the other words. Raises FilterSyntaxError.

    `now` (aware) is the time from which relative periods count.
    """
    words = [token.text.casefold().strip(",?") for token in tokens]
    now = now.astimezone(UTC)
    reader = _Reader(words, now)
    used = [False] * len(tokens)
    since: list[datetime] = []
    until: list[datetime] = []
    at = 0
    while at < len(words):
        if at > 0 and not tokens[at - 1].is_word and tokens[at - 1].text not in "()":
            # A value of a condition: "distance<2023", "search=O4".
            at += 1
            continue
        word = words[at]
        end = at
        if word in _SINCE or word in _UNTIL:
            found = reader.read(at + 1, after_keyword=True)
            if found is None and word in _DEMANDING:
                raise _no_date_error(tokens, at)
            if found is not None and (word != "to" or since):
                begin, finish, end = found
                is_end = _SINCE[word] if word in _SINCE else _UNTIL[word]
                (since if word in _SINCE else until).append((finish or now) if is_end else begin)
                if word == "between":
                    second = (
                        reader.read(end + 1, after_keyword=True) if words[end : end + 1] == ["and"] else None
                    )
                    if second is None:
                        raise FilterSyntaxError(
                            '"between" needs two dates, as in between 2023-05 and 2023-07.'
                        )
                    until.append(second[1] or now)
                    end = second[2]
        else:
            found = reader.read(at + 1, after_keyword=True) if word in _WITHIN else reader.read(at)
            if found is not None and "near" in words and _ISO_DATE.fullmatch(word):
                # A bare number is part of a position, or its radius.
                found = None
            if found is not None:
                begin, finish, end = found
                if begin == finish:
                    # "3 days ago" is that day.
                    begin = begin.replace(hour=0, minute=0, second=0, microsecond=0)
                    finish = begin + _DAY
                since.append(begin)
                until += [] if finish is None else [finish]
        used[at:end] = [True] * (end - at)
        at = max(end, at + 1)
    for name, limits in (("since", since), ("until", until)):
        if len(limits) > 1:
            raise FilterSyntaxError(f'"{name}" stands there twice: one period at a time.')
    period = Period(since[0] if since else None, until[0] if until else None)
    if period.since is not None and period.until is not None and period.since >= period.until:
        raise FilterSyntaxError('"until" lies before "since".')
    return period, [token for token, is_used in zip(tokens, used, strict=True) if not is_used]


def belongs_to_period(word: str) -> bool:
    """Return True for a case-folded word that a period may begin with: "since", "yesterday", "o4a"."""
    return (
        word in _DEMANDING | _WITHIN | {"last", "this", "past", "previous", "today", "yesterday", "ago"}
        or _RUN.fullmatch(word) is not None
        or re.fullmatch(r"20[1-9]\d-\d.*", word) is not None
    )


def _no_date_error(tokens: Sequence[Token], at: int) -> FilterSyntaxError:
    word = tokens[at].text[:40]
    if at + 1 == len(tokens):
        return FilterSyntaxError(f'"{word}" needs a date after it: {_DATE_EXAMPLES}.')
    return FilterSyntaxError(f"{tokens[at + 1].quoted} is no date: {_DATE_EXAMPLES}.")


_Found = tuple[datetime, datetime | None, int]
"""Begin and end of an interval, and the position after its words. A moment has equal ones; None is now."""


class _Reader:
    """Reads one date, moment or interval from case-folded words."""

    def __init__(self, words: Sequence[str], now: datetime) -> None:
        self._words = words
        self._now = now
        self._today = now.replace(hour=0, minute=0, second=0, microsecond=0)

    def read(self, at: int, *, after_keyword: bool = False) -> _Found | None:
        """Return the period at a position; None if there is none. Raises FilterSyntaxError.

        Without a word before it that calls for a date, what may mean something else is none: "7d", "may".
        """
        if self._word(at) == "the":
            at += 1
        return (
            self._read_named(at, after_keyword=after_keyword)
            or self._read_counted(at, after_keyword=after_keyword)
            or self._read_run(at)
            or self._read_date(at, after_keyword=after_keyword)
            or self._read_month(at, after_keyword=after_keyword)
        )

    def _word(self, at: int) -> str:
        return self._words[at] if at < len(self._words) else ""

    def _read_named(self, at: int, *, after_keyword: bool) -> _Found | None:
        word, following = self._word(at), self._word(at + 1)
        if word == "today":
            return self._today, None, at + 1
        if word == "yesterday":
            return self._today - _DAY, self._today, at + 1
        if word == "now" and after_keyword:
            return self._now, self._now, at + 1
        if word == "last" and following in ("night", "24h"):
            return self._now - _DAY, None, at + 2
        if word in _WEEKDAYS and after_keyword:
            return self._weekday(word, at + 1)
        if word in ("last", "this", "past", "previous", "current"):
            if following in _WEEKDAYS and word in ("last", "past", "previous"):
                return self._weekday(following, at + 2)
            unit = _UNITS.get(following) if len(following) > 2 else None
            if unit is None or (unit == "hour" and word != "past" and word != "last"):
                return None
            if word == "past" or unit == "hour":
                return _earlier(self._now, 1, unit), None, at + 2
            begin = self._begin_of(unit)
            if word in ("this", "current"):
                return begin, None, at + 2
            return _earlier(begin, 1, unit), begin, at + 2
        return None

    def _weekday(self, name: str, end: int) -> _Found:
        """Return the newest day of this name before today."""
        back = (self._today.weekday() - _WEEKDAYS.index(name) - 1) % 7 + 1
        begin = self._today - back * _DAY
        return begin, begin + _DAY, end

    def _begin_of(self, unit: str) -> datetime:
        if unit == "week":
            return self._today - self._today.weekday() * _DAY
        if unit == "month":
            return self._today.replace(day=1)
        return self._today.replace(month=1, day=1) if unit == "year" else self._today

    def _read_counted(self, at: int, *, after_keyword: bool) -> _Found | None:
        """Read "last 7 days", "7d", "3 days ago", "a week ago"."""
        has_prefix = self._word(at) in ("last", "past", "previous")
        start = at + has_prefix
        word = self._word(start)
        glued = _COUNTED.fullmatch(word)
        if glued is not None:
            count, unit, end = int(glued[1]), _UNITS.get(glued[2]), start + 1
        else:
            number = 1 if word in ("a", "an") else _NUMBERS.get(word)
            count = number or (int(word) if re.fullmatch(r"\d{1,4}", word) else 0)
            unit, end = _UNITS.get(self._word(start + 1)), start + 2
        if unit is None or not count:
            return None
        is_past = self._word(end) == "ago"
        if not (has_prefix or is_past or after_keyword):
            return None
        begin = _earlier(self._now, count, unit)
        # "until 3 days ago" means that moment, "in the last 3 days" the time since.
        return (begin, begin, end + 1) if is_past else (begin, None, end)

    def _read_run(self, at: int) -> _Found | None:
        word = self._word(at)
        if not _RUN.fullmatch(word):
            return None
        name = word[0].upper() + word[1:] if word[0] == "o" else word.upper()
        known = OBSERVING_RUNS.get(name)
        if known is None:
            raise FilterSyntaxError(
                f'gwevent doesn\'t know the dates of "{name[:10]}": write since 2023-05-24 until 2024-01-16.'
            )
        return (*known, at + 1)

    def _read_date(self, at: int, *, after_keyword: bool) -> _Found | None:
        word = self._word(at)
        moment = _ISO_TIME.fullmatch(word)
        try:
            if moment is not None:
                begin = datetime.fromisoformat(f"{moment[1]}T{moment[2]}").replace(tzinfo=UTC)
                return begin, begin, at + 1
            match = _ISO_DATE.fullmatch(word)
            if match is not None and (after_keyword or match[2] or _is_year(match[1], self._now)):
                clock = self._word(at + 1)
                if match[3] and after_keyword and re.fullmatch(r"\d{2}:\d{2}(:\d{2})?z?", clock):
                    day = f"{match[1]}-{int(match[2]):02}-{int(match[3]):02}"
                    begin = datetime.fromisoformat(f"{day}T{clock.removesuffix('z')}").replace(tzinfo=UTC)
                    return begin, begin, at + 2
                return (*_calendar(int(match[1]), match[2], match[3]), at + 1)
        except ValueError:
            raise FilterSyntaxError(f'"{word[:40]}" is no date: {_DATE_EXAMPLES}.') from None
        if _OTHER_DATE.fullmatch(word):
            raise FilterSyntaxError(
                f'"{word}" can be read in two ways: write the year first, as in 2023-05-18.'
            )
        return None

    def _read_month(self, at: int, *, after_keyword: bool) -> _Found | None:
        """Read "May 2023", "18 May 2023", "May 18 2023"; after a keyword also "May", the newest one."""
        words = [self._word(at + n).rstrip(".") for n in range(3)]
        month_at = next((n for n in (0, 1) if _MONTH.fullmatch(words[n])), None)
        if month_at is None:
            return None
        month = _MONTHS.index(words[month_at][:3]) + 1
        numbers = [words[n] for n in range(3) if n != month_at]
        day_at = 0 if month_at == 1 else None
        day = re.fullmatch(r"(\d{1,2})(?:st|nd|rd|th)?", numbers[0])
        if day is None and day_at == 0:
            return None
        year = numbers[1] if day is not None else numbers[0]
        try:
            if re.fullmatch(r"\d{4}", year):
                end = at + (3 if day is not None else 2)
                return (*_calendar(int(year), str(month), None if day is None else day[1]), end)
            if not after_keyword:
                return None
            newest = self._now.year - (month > self._now.month)
            end = at + (2 if day is not None else 1)
            return (*_calendar(newest, str(month), None if day is None else day[1]), end)
        except ValueError:
            raise FilterSyntaxError(f"{' '.join(words).strip()[:40]} is no date: {_DATE_EXAMPLES}.") from None


def _is_year(word: str, now: datetime) -> bool:
    return len(word) == 4 and _FIRST_YEAR <= int(word) <= now.year


def _calendar(year: int, month: str | None, day: str | None) -> tuple[datetime, datetime]:
    """Return begin and end of a year, month or day. Raises ValueError."""
    begin = datetime(year, int(month or 1), int(day or 1), tzinfo=UTC)
    if day:
        return begin, begin + _DAY
    if month:
        return begin, datetime(year + int(month) // 12, int(month) % 12 + 1, 1, tzinfo=UTC)
    return begin, datetime(year + 1, 1, 1, tzinfo=UTC)


def _earlier(moment: datetime, count: int, unit: str) -> datetime:
    """Return the moment so many units earlier; months and years by the calendar, at the latest day."""
    if unit in ("month", "year"):
        months = moment.year * 12 + moment.month - 1 - count * (12 if unit == "year" else 1)
        year, month = divmod(months, 12)
        if year < 1:
            raise FilterSyntaxError(f"{count} {unit}s are too long: {_DATE_EXAMPLES}.")
        first = moment.replace(year=year, month=month + 1, day=1)
        last = (_calendar(year, str(month + 1), None)[1] - _DAY).day
        return first.replace(day=min(moment.day, last))
    hours = {"hour": 1, "day": 24, "week": 168}[unit]
    return moment - timedelta(hours=hours * count)


def _moment(moment: datetime) -> str:
    """Return a time in UTC as "2023-05-24", or "2023-05-24 15:00 UTC" if it isn't midnight."""
    is_midnight = moment.time() == datetime.min.time()
    return f"{moment:%Y-%m-%d}" if is_midnight else f"{moment:%Y-%m-%d %H:%M} UTC"
