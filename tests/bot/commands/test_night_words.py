"""The words of `visible` for a night and an altitude; what is left names sites."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.commands.errors import CommandError
from bot.commands.night_words import NightWords, parse_night_words
from formatters.models.observing import ObservingConstraints

DECEMBER = date(2026, 12, 1)


@pytest.mark.parametrize(
    ("text", "expected", "sites"),
    [
        ("Palomar", NightWords(), "Palomar"),
        ("", NightWords(), ""),
        ("tonight", NightWords(), ""),
        ("Palomar tonight, Keck", NightWords(), "Palomar, Keck"),
        ("from Palomar now", NightWords(), "Palomar"),
        ("Palomar at 2026-12-01", NightWords(night_of=DECEMBER), "Palomar"),
        ("Palomar, 2026-12-01, Keck", NightWords(night_of=DECEMBER), "Palomar, Keck"),
        ("for the night of 2026-12-01 Palomar", NightWords(night_of=DECEMBER), "Palomar"),
        ("at 2026-12-01 03:00 UTC", NightWords(at=datetime(2026, 12, 1, 3, tzinfo=UTC)), ""),
        ("at 2026-12-01T03:00:00Z Keck", NightWords(at=datetime(2026, 12, 1, 3, tzinfo=UTC)), "Keck"),
        ("Kitt Peak altitude 20", NightWords(altitude=20), "Kitt Peak"),
        ("altitude=20° Kitt Peak", NightWords(altitude=20), "Kitt Peak"),
        ("Kitt Peak, above 22.5 deg, Keck", NightWords(altitude=22.5), "Kitt Peak, Keck"),
        ("Keck altitude > 20 at 2026-12-01", NightWords(night_of=DECEMBER, altitude=20), "Keck"),
        ("34.2, -116.9, 1700", NightWords(), "34.2, -116.9, 1700"),
        ("34,2 -116,9", NightWords(), "34,2 -116,9"),
    ],
)
def test_the_words_of_a_night(text: str, expected: NightWords, sites: str) -> None:
    assert parse_night_words(text) == (expected, sites)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Palomar at 1 Dec", "at 2026-12-01"),
        ("Palomar December 1st", "at 2026-12-01"),
        ("Palomar 12/01/2026", "at 2026-12-01"),
        ("Palomar 01.12.2026", "at 2026-12-01"),
        ("Palomar at 20261201", "at 2026-12-01"),
        ("Palomar at 03:00", "at 2026-12-01"),
        ("Palomar tomorrow", "at 2026-12-01"),
        ("Palomar 2026-13-01", "is no date"),
        ("Palomar 2026-12-01 25:00", "no time of day"),
        ("Palomar 1826-12-01", "2000 to 2099"),
        ("2026-12-01 2026-12-02", "One night at a time"),
        ("Palomar altitude", "from 0 to 85"),
        ("Palomar altitude 20,5", "decimal point"),
        ("Palomar altitude −5", "from 0 to 85"),
        ("Palomar altitude 86", "from 0 to 85"),
        ("altitude 20 Palomar altitude 30", "one number"),
    ],
)
def test_what_isnt_certain_is_asked_about(text: str, said: str) -> None:
    with pytest.raises(CommandError) as raised:
        parse_night_words(text)
    assert said in str(raised.value)


def test_an_altitude_replaces_the_channels_own() -> None:
    usual = ObservingConstraints(altitude=25, darkness=-12)
    assert NightWords().constraints(usual) == usual
    assert NightWords(altitude=0).constraints(usual) == ObservingConstraints(altitude=0, darkness=-12)


@given(st.dates(date(2000, 1, 1), date(2099, 12, 31)), st.integers(0, 85), st.permutations(range(3)))
def test_the_words_may_stand_in_any_order(day: date, altitude: int, order: list[int]) -> None:
    words = [f"at {day.isoformat()}", f"altitude {altitude}", "Las Campanas"]
    asked, sites = parse_night_words(" ".join(words[i] for i in order))
    assert (asked.night_of, asked.altitude, sites) == (day, altitude, "Las Campanas")


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused_with_a_sentence(text: str) -> None:
    try:
        _, sites = parse_night_words(text)
    except CommandError as error:
        assert str(error).endswith(".")
    else:
        assert len(sites) <= 2 * len(text)
