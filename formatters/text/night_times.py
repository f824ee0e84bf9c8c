"""Dates, times and times since the merger, as lines and tables about observing say them."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta

from formatters.text.quantities import MINUS, NBSP, duration_text, number

OLD_EVENT_AGE = timedelta(days=2)
"""The age from which an answer says that it is about now, and how long ago the event was."""
MAX_TIME_SINCE_MERGER = timedelta(days=10)
"""The longest time since the merger that is written as "T+21 h"."""
WINDOWS_FAILED = "The best windows took too long to compute: ask again for them."
"""The line below a table whose windows are missing."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_YEARS_FROM_DAYS = 730
_DAYS_PER_YEAR = 365.25


def day(time: date) -> str:
    """Return a day of the year: "8 Feb"."""
    # Not strftime's %b, because its month names depend on the locale.
    return f"{time.day} {_MONTHS[time.month - 1]}"


def day_and_year(time: date) -> str:
    """Return a date: "8 Feb 2025"."""
    return f"{day(time)} {time.year}"


def stop_clock(time: datetime) -> str:
    """Return when something ends, truncated to the minute: "12:10"."""
    return f"{time:%H:%M}"


def rounded_up(time: datetime) -> datetime:
    """Return the first full minute that isn't before a time."""
    # In UTC: a minute on the clock of a zone may be an hour and a minute.
    utc = time.astimezone(UTC)
    whole = utc.replace(second=0, microsecond=0)
    return (whole if whole == utc else whole + timedelta(minutes=1)).astimezone(time.tzinfo)


def window_range(start: datetime, stop: datetime) -> str:
    """Return a window in whole minutes inside it: "26 Nov 02:08–07:36 UTC"; a shorter one by its minute.

    A limit is never said to be reached before it is: darkness from 02:07:45 on isn't there at 02:07.
    """
    begun, until = rounded_up(start.astimezone(UTC)), stop.astimezone(UTC)
    if begun > until:
        begun = until.replace(second=0, microsecond=0)
    return f"{day(begun)} {begun:%H:%M}–{stop_clock(until)} UTC"


def since_merger(time: datetime, merger: datetime | None) -> str | None:
    """Return "T+2.4 h" (below 10 h with a tenth, below 0.1 h in minutes or seconds).

    None without a merger or long after it.
    """
    if merger is None or abs(time - merger) > MAX_TIME_SINCE_MERGER:
        return None
    seconds = (time - merger).total_seconds()
    sign, length = MINUS if seconds < 0 else "+", abs(seconds)
    if length < 60:
        return f"T{sign}{number(length)}{NBSP}s"
    if length < 360:
        return f"T{sign}{number(math.floor(length / 60))}{NBSP}min"
    hours = length / 3_600
    return f"T{sign}{number(hours, 1 if hours < 9.95 else 0)}{NBSP}h"


def age(then: datetime, now: datetime) -> str:
    """Return a length of time in the unit that people use for it: "12 days", "3.5 years"."""
    days = abs(now - then) / timedelta(days=1)
    if days >= _YEARS_FROM_DAYS:
        return f"{number(days / _DAYS_PER_YEAR, 1)}{NBSP}years"
    return duration_text(now - then)


def utc_day_and_clock(time: datetime) -> str:
    """Return "7 Feb 11:57 UTC"."""
    utc = time.astimezone(UTC)
    return f"{day(utc)} {utc:%H:%M}{NBSP}UTC"
