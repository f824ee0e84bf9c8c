"""Periods as people type them: which dates are meant, and what is no period."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from astropy.time import Time
from hypothesis import given
from hypothesis import strategies as st

from bot.filters import FilterSyntaxError
from bot.filters.observing_runs import OBSERVING_RUNS
from bot.filters.periods import Period, extract_period
from bot.filters.tokens import tokenize

NOW = datetime(2026, 11, 28, 9, 40, 30, tzinfo=UTC)  # a Saturday
times = st.datetimes(datetime(2016, 1, 1), datetime(2035, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


def read(text: str, now: datetime = NOW) -> tuple[str, str]:
    period, rest = extract_period(tokenize(text), now)
    return period.text, " ".join(token.text for token in rest)


@pytest.mark.parametrize(
    ("words", "dates"),
    [
        ("today", "since 2026-11-28"),
        ("yesterday", "2026-11-27"),
        ("since yesterday", "since 2026-11-27"),
        ("this week", "since 2026-11-23"),
        ("last week", "2026-11-16 to 2026-11-22"),
        ("since last week", "since 2026-11-16"),
        ("past week", "since 2026-11-21 09:40 UTC"),
        ("last month", "2026-10-01 to 2026-10-31"),
        ("last year", "2025-01-01 to 2025-12-31"),
        ("last 3 days", "since 2026-11-25 09:40 UTC"),
        ("in the last two weeks", "since 2026-11-14 09:40 UTC"),
        ("since 7d", "since 2026-11-21 09:40 UTC"),
        ("since 24h", "since 2026-11-27 09:40 UTC"),
        ("since 2 months", "since 2026-09-28 09:40 UTC"),
        ("a week ago", "2026-11-21"),
        ("until 3 days ago", "until 2026-11-25 09:40 UTC"),
        ("last Monday", "2026-11-23"),
        ("since Saturday", "since 2026-11-21"),
        ("since 2023", "since 2023-01-01"),
        ("2023", "2023-01-01 to 2023-12-31"),
        ("in 2023-05", "2023-05-01 to 2023-05-31"),
        ("May 2023", "2023-05-01 to 2023-05-31"),
        ("since 18 May 2023", "since 2023-05-18"),
        ("in December", "2025-12-01 to 2025-12-31"),
        ("since 2023-05-20 until 2023-05-25", "2023-05-20 to 2023-05-25"),
        ("from 2023-05-20 to 2023-05-25", "2023-05-20 to 2023-05-25"),
        ("between 2023-05 and 2023-07", "2023-05-01 to 2023-07-31"),
        ("before 2023-05-20", "until 2023-05-19"),
        ("after 2023-05-20", "since 2023-05-21"),
        ("since 2023-05-20T12:00Z", "since 2023-05-20 12:00 UTC"),
        ("since 2023-05-20 12:00", "since 2023-05-20 12:00 UTC"),
        ("in O4a", "2023-05-24 15:00 UTC to 2024-01-16 16:00 UTC"),
        ("o4", "2023-05-24 15:00 UTC to 2025-11-18 16:00 UTC"),
        ("after O3", "since 2020-03-27 17:00 UTC"),
    ],
)
def test_a_period_is_repeated_as_dates(words: str, dates: str) -> None:
    assert read(words) == (dates, "")
    assert read(f"BNS {words} far<1/yr") == (dates, "BNS far < 1/yr")


@given(st.none() | times, st.none() | times)
def test_each_time_of_day_of_a_period_names_its_zone(since: datetime | None, until: datetime | None) -> None:
    text = Period(since, until).text
    assert re.search(r"\d:\d\d(?! UTC)", text) is None, text


@pytest.mark.parametrize(
    "words",
    [
        "from Virgo",
        "visible from Palomar",
        "near 12h 5d 5deg",
        "near 10 2023 5deg",
        "last 5",
        "distance < 2023",
        "search = O4",
        "to",
        "may",
    ],
)
def test_what_is_no_period_is_left_to_the_filter(words: str) -> None:
    assert read(words) == ("", words)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("since", '"since" needs a date after it'),
        ("since frob", '"frob" is no date'),
        ("since 2023-13", '"2023-13" is no date'),
        ("since 2023-02-30", '"2023-02-30" is no date'),
        ("in O5", 'doesn\'t know the dates of "O5"'),
        ("05/06/2023", "can be read in two ways"),
        ("since 2023-06 until 2023-05", '"until" lies before "since"'),
        ("since 2023 since 2024", "stands there twice"),
        ("since 9999 years", "too long"),
        ("between 2023", '"between" needs two dates'),
    ],
)
def test_what_cant_be_dated_gets_a_sentence(words: str, sentence: str) -> None:
    with pytest.raises(FilterSyntaxError) as refused:
        read(words)
    assert sentence in str(refused.value)


@given(times, st.integers(1, 400), st.sampled_from(["h", "d", "w", "hours", "days", "weeks"]))
def test_the_last_units_end_now(now: datetime, count: int, unit: str) -> None:
    period, _ = extract_period(tokenize(f"last {count} {unit}"), now)
    hours = {"h": 1, "d": 24, "w": 168}[unit[0]]
    assert period == Period(now - timedelta(hours=hours * count), None)


@given(times, st.sampled_from(["day", "week", "month", "year"]))
def test_the_last_calendar_unit_ends_where_this_one_begins(now: datetime, unit: str) -> None:
    last, _ = extract_period(tokenize(f"last {unit}"), now)
    this, _ = extract_period(tokenize(f"this {unit}"), now)
    assert last.until == this.since
    assert this.since is not None and last.since is not None
    assert last.since < this.since <= now < this.since + (this.since - last.since) * 1.2


@given(st.dates(min_value=date(2015, 1, 1), max_value=date(2035, 1, 1)), times)
def test_a_day_lasts_from_midnight_to_midnight_utc(day: date, now: datetime) -> None:
    period, _ = extract_period(tokenize(f"since {day.isoformat()} until {day.isoformat()}"), now)
    assert period.since is not None and period.until == period.since + timedelta(days=1)
    assert period.text == day.isoformat()


@given(times, st.text(max_size=40))
def test_whatever_is_typed_is_read_or_refused(now: datetime, words: str) -> None:
    try:
        period, rest = extract_period(tokenize(words), now)
    except FilterSyntaxError as refused:
        assert len(str(refused)) < 150
        return
    assert (len(rest) == len(tokenize(words))) is period.is_open


def test_runs_follow_each_other() -> None:
    parts = [OBSERVING_RUNS[name] for name in ("O1", "O2", "O3a", "O3b", "O4a", "O4b", "O4c")]
    assert all(begin < end for begin, end in parts)
    assert all(earlier[1] <= later[0] for earlier, later in pairwise(parts))
    assert OBSERVING_RUNS["O4"] == (OBSERVING_RUNS["O4a"][0], OBSERVING_RUNS["O4c"][1])


def test_runs_begin_and_end_as_gwosc_says_in_gps_seconds() -> None:
    # GWOSC's `datasets.run_segment`; for the end of O4c there was none yet.
    segments = {
        "O1": (1126051217, 1137254417),
        "O2": (1164556817, 1187733618),
        "O3a": (1238166018, 1253977218),
        "O3b": (1256655618, 1269363618),
        "O4a": (1368975618, 1389456018),
        "O4b": (1396796418, 1422118818),
    }
    for name, gps in segments.items():
        assert OBSERVING_RUNS[name] == tuple(Time(s, format="gps").utc.to_datetime(UTC) for s in gps), name
    assert OBSERVING_RUNS["O3"] == (OBSERVING_RUNS["O3a"][0], OBSERVING_RUNS["O3b"][1])
    # LVK, "O4 has ended": 18 November 2025, 16:00 UTC.
    assert OBSERVING_RUNS["O4c"] == (OBSERVING_RUNS["O4b"][1], datetime(2025, 11, 18, 16, tzinfo=UTC))
