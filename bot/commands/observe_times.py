"""When something was observed, as people type it: "at 03:20", "20 min ago", "2026-11-28T03:20Z". Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from bot.commands.errors import CommandError

_ZONE = r"(?P<zone>\s?(?:utc|ut|gmt)(?!\w)|z(?!\w))?"
"""Z stands directly behind the digits: "at 03:20 z 20.5" names a band."""
_CLOCK = r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}(?:\.\d{1,6})?))?"
_UNTIL = r"(?:\s*(?:-|to|until|till)\s*(?P<until>\d{1,2}:\d{2})(?::\d{2}(?:\.\d{1,6})?)?)?"
_BEFORE = r"(?P<before>(?<!\S)(?:at|on|around|about|since|from|~)\s*)?"
_DATED = re.compile(
    rf"{_BEFORE}(?<![\w.:-])(?P<date>\d{{4}}-\d{{1,2}}-\d{{1,2}})(?P<joint>[T_ ])\s?"
    rf"{_CLOCK}{_UNTIL}{_ZONE}(?![\w:])",
    re.IGNORECASE | re.ASCII,
)
_TIMED = re.compile(rf"{_BEFORE}(?<![\w.:+-]){_CLOCK}{_UNTIL}{_ZONE}(?![\w:])", re.IGNORECASE | re.ASCII)
_AGO = re.compile(
    r"(?<!\S)(?P<number>\d{1,4}(?:\.\d{1,2})?|an?|half an)\s?"
    r"(?P<unit>minutes?|mins?|m|hours?|hrs?|h)\s+ago(?!\w)",
    re.IGNORECASE | re.ASCII,
)
_NOW = re.compile(r"(?<!\S)(?:(?:just|right)\s+now|now)(?!\S)", re.IGNORECASE)
_OTHER_ZONE = re.compile(
    r"\s*(?:[ap]\.?m\b|local\b|[a-z]{1,3}[sd]t\b|ces?t\b|wes?t\b|ees?t\b|bst\b|clt\b)",
    re.IGNORECASE,
)
_OFFSET = re.compile(r"\s?\+\d{2}:?\d{2}\b|-\d{4}\b", re.ASCII)
_ZONE_OR_RANGE = re.compile(r"-(?:0\d|1[0-4]):(?:00|30|45)$", re.ASCII)
"""The end of "2026-11-28 03:20-04:00", which may be the zone of Chile, or when the exposures ended."""
_DATE_ALONE = re.compile(r"(?<![\w.:-])\d{4}-\d{1,2}-\d{1,2}(?![\w:-])", re.ASCII)
CLOCKS_DIFFER = timedelta(minutes=2)
"""By which a time that was observed at may lie ahead: a phone's clock isn't the server's."""
UTC_ONLY = "Times are in UTC here: write at 03:20 UTC."


def take_time(text: str, now: datetime) -> tuple[datetime | None, str, str]:
    """Return the time (UTC) that a text names, the end of a range in words, and the text without them.

    A time of day without a date is the last such time before `now`. Raises CommandError for a time in another
    zone and for a date alone.
    """
    found = _DATED.search(text) or _TIMED.search(text)
    return _take_relative(text, now) if found is None else _taken(found, text, now)


def take_labelled_time(text: str, now: datetime) -> tuple[datetime | None, str, str]:
    """Return the same for a time that is surely one: with a date, with "at" before it or UTC behind it.

    "13:09:48 -23:22:53" is a position.
    """
    found = _DATED.search(text) or next(
        (one for one in _TIMED.finditer(text) if one["before"] or one["zone"]), None
    )
    return (None, "", text) if found is None else _taken(found, text, now)


def parse_time(text: str) -> datetime | None:
    """Return the time (UTC) of a table's cell: ISO, or a Julian date or modified one; None if it is none."""
    plain = text.strip().strip("\"'")
    if re.fullmatch(r"\d{5}(?:\.\d{1,12})?|24\d{5}(?:\.\d{1,12})?", plain, re.ASCII):
        days = float(plain)
        mjd = days - 2_400_000.5 if days > 1_000_000 else days
        return datetime(1858, 11, 17, tzinfo=UTC) + timedelta(days=mjd)
    match = _DATED.fullmatch(plain)
    if match is None:
        return None
    try:
        return _dated(match)
    except ValueError:
        return None


def _taken(found: re.Match[str], text: str, now: datetime) -> tuple[datetime, str, str]:
    """Raises CommandError."""
    rest = text[found.end() :]
    is_dated, until = "date" in found.groupdict(), found["until"]
    if _OTHER_ZONE.match(rest) or (is_dated and _OFFSET.match(rest)):
        raise CommandError(UTC_ONLY)
    if is_dated and not found["zone"] and _ZONE_OR_RANGE.search(found[0]):
        if found["joint"] == "T":
            raise CommandError(UTC_ONLY)
        raise CommandError(f"“{found[0].split()[-1]}”: a range, or another zone? Write to {until} UTC.")
    time = _time(found, now)
    left = f"{text[: found.start()]} {rest}"
    return time, "" if until is None else f"until {until} UTC", left


def _take_relative(text: str, now: datetime) -> tuple[datetime | None, str, str]:
    if ago := _AGO.search(text):
        words = {"a": 1.0, "an": 1.0, "half an": 0.5}
        folded = ago["number"].casefold()
        number = words[folded] if folded in words else float(folded)
        length = (
            timedelta(hours=number) if ago["unit"].casefold().startswith("h") else timedelta(minutes=number)
        )
        return now - length, "", f"{text[: ago.start()]} {text[ago.end() :]}"
    if at := _NOW.search(text):
        return now, "", f"{text[: at.start()]} {text[at.end() :]}"
    if date := _DATE_ALONE.search(text):
        raise CommandError(f"“{date[0]}”: at what time? Write {date[0]} 03:20 UTC.")
    return None, "", text


def _dated(found: re.Match[str]) -> datetime:
    """Raises ValueError for a time that there isn't."""
    year, month, day = map(int, found["date"].split("-"))
    second = float(found["second"] or 0)
    time = datetime(year, month, day, int(found["hour"]), int(found["minute"]), int(second), tzinfo=UTC)
    return time + timedelta(seconds=second % 1)


def _time(found: re.Match[str], now: datetime) -> datetime:
    """Raises CommandError for a time that there isn't."""
    try:
        if "date" in found.groupdict():
            return _dated(found)
        second = float(found["second"] or 0)
        time = now.astimezone(UTC).replace(
            hour=int(found["hour"]), minute=int(found["minute"]), second=int(second), microsecond=0
        ) + timedelta(seconds=second % 1)
    except ValueError:
        raise CommandError(f"“{' '.join(found[0].split())}” is no time; write it like 03:20 UTC.") from None
    # Of a time of day the last one is meant: somebody reports what is over.
    return time if time <= now + CLOCKS_DIFFER else time - timedelta(days=1)
