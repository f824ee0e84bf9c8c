"""Words that tell when."""

from __future__ import annotations

import calendar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.commands.people_questions import asks_who_observes
from bot.commands.time_words import (
    begins_time,
    names_time,
    split_time_at_start,
    tells_time,
    without_time_at_end,
)

NAMES = [name for names in (calendar.day_name, calendar.day_abbr, calendar.month_name[1:]) for name in names]
TIMES = st.one_of(
    st.sampled_from([*NAMES, *calendar.month_abbr[1:], "tonight", "today", "yesterday", "midnight", "UTC"]),
    st.builds("{} {}".format, st.sampled_from(["last", "this", "next"]), st.sampled_from(["night", *NAMES])),
    st.builds("{}{}{}".format, st.sampled_from(NAMES), st.sampled_from(["", " ", "-"]), st.integers(1, 31)),
    st.builds("{}{}{}".format, st.integers(1, 31), st.sampled_from(["", " ", "th "]), st.sampled_from(NAMES)),
    st.builds("{} {} ago".format, st.integers(1, 99), st.sampled_from(["hours", "days", "min"])),
    st.builds("MJD{}".format, st.integers(50_000, 70_000)),
)
CASES = st.sampled_from([str.title, str.upper, str.casefold, str])


@settings(deadline=None)
@given(TIMES, CASES)
def test_days_months_and_times_of_day_tell_time_however_they_are_written(text: str, case: object) -> None:
    assert callable(case) and tells_time(case(text))


@pytest.mark.parametrize(
    "text", ["", " ", "12", "3,5", "28-11", "MyScope", "T80", "UT3", "S50", "Friday Harbor", "observed"]
)
def test_what_may_be_a_name_tells_no_time(text: str) -> None:
    assert not tells_time(text)


@settings(deadline=None)
@given(st.sampled_from(["was it observed", "is it done", "nobody observed it"]), TIMES)
def test_a_time_at_the_end_of_a_question_changes_nothing_of_it(question: str, time: str) -> None:
    assert without_time_at_end(f"{question} on {time}") == question
    assert asks_who_observes(f"{question} {time}".casefold())


@settings(deadline=None)
@given(TIMES.filter(lambda text: not text.startswith(("MJD", "UTC")) and "ago" not in text), CASES)
def test_days_months_and_times_of_day_name_a_time(text: str, case: object) -> None:
    assert callable(case) and names_time(case(text)) and begins_time(case(f"early {text} it was").split())


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "moon",
                "half",
                "next",
                "early",
                "hours",
                "minute",
                "times",
                "other",
                "before",
                "soon",
                "of",
                "min",
            ]
        ),
        min_size=1,
        max_size=3,
    )
)
def test_words_that_need_a_name_beside_them_name_no_time(words: list[str]) -> None:
    assert tells_time(" ".join(words)) and not names_time(" ".join(words))
    assert not begins_time([*words, "fields", "Monday"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("on Monday we observed it", ("on Monday", "we observed it")),
        ("On Monday, ZTF did", ("On Monday", "ZTF did")),
        ("at 03:20 UTC ZTF did", ("at 03:20 UTC", "ZTF did")),
        ("now ZTF did", ("", "now ZTF did")),
        ("last observed", ("", "last observed")),
        ("ZTF did", ("", "ZTF did")),
        ("", ("", "")),
    ],
)
def test_a_time_at_the_start(text: str, expected: tuple[str, str]) -> None:
    assert split_time_at_start(text) == expected
