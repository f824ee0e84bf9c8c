"""Positions in the spellings of observers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.skymaps.coordinates import InvalidPosition, parse_position

RA, DEC = (13 + 9 / 60 + 48 / 3600) * 15, -(23 + 22 / 60 + 53 / 3600)


@pytest.mark.parametrize(
    "text",
    [
        "13h09m48s -23d22m53s",
        "13H09M48S, -23D22M53S",
        "13h 09m 48s -23d 22m 53s",
        "13h09m48.0s-23d22m53.0s",
        "13ʰ09ᵐ48ˢ −23°22′53″",
        "13h09m48s -23°22'53\"",
        "13:09:48 -23:22:53",
        "13:09:48.00,-23:22:53.0",
        "13h09m48s -23:22:53",
        "13:09:48 -23d22m53s",
        "13 09 48 -23 22 53",
        "13 09 48.0, -23 22 53.0",
        "13 09.8 -23 22.883333333",
        "RA 13h09m48s Dec -23d22m53s",
        "ra=197.45 dec=-23.381388889",
        "RA: 197.45, Decl.: -23.381388889",
        "197.45 -23.381388889",
        "197.45d -23.381388889d",
        "197.45deg, -23.381388889deg",
        "197.45° −23.381388889°",
        "197d27m00s -23d22m53s",
        "197.45-23.381388889",
        "J130948.0-232253",
    ],
)
def test_one_position_in_many_spellings(text: str) -> None:
    found = parse_position(text.split())
    assert found.ra == pytest.approx(RA, abs=1e-8)
    assert found.dec == pytest.approx(DEC, abs=1e-8)
    assert found.words_used == len(text.split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("197.45 -23.38 40 Mpc", (197.45, -23.38, 2)),
        ("197 -23 5", (197, -23, 2)),
        ("12 30 5", (12, 30, 2)),
        ("12 30", (12, 30, 2)),
        ("12 30 -5 30 2deg", (187.5, -5.5, 4)),
        ("0h -00d30m", (0, -0.5, 2)),
        ("0h -00d30m 40 Mpc", (0, -0.5, 2)),
        ("0h -00°30' 5 deg", (0, -0.5, 2)),
        ("0h -00d30m 36 z=0.1", (0, -0.51, 3)),
        ("360 90 x", (0, 90, 2)),
        ("24h +90", (0, 90, 2)),
        ("1 2 3 4 5 6 7", ((1 + 2 / 60 + 3 / 3600) * 15, 4 + 5 / 60 + 6 / 3600, 6)),
        ("197.45, -23.38, 40", (197.45, -23.38, 2)),
    ],
)
def test_what_follows_is_left(text: str, expected: tuple[float, float, int]) -> None:
    assert parse_position(text.split()) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("400 10", "RA 400 isn't between 0° and 360°."),
        ("-12.5 10", "RA -12.5 isn't between 0° and 360°."),
        ("25h 10", "RA 25h isn't between 0h and 24h."),
        ("12 91", "Dec 91 isn't between −90° and +90°."),
        ("12 -90d00m01s", "Dec -90 isn't between −90° and +90°."),
        ("13h60m 0", "RA has 60 minutes, and 60 is the next whole."),
        ("13:09:48 -23:22:61", "Dec has 61 seconds, and 60 is the next whole."),
        ("13:09.5:48 -23:22:11", "RA has 09.5 minutes and seconds too: one of them has the fraction."),
        *(
            (text, "That is no position; write it like")
            for text in ("", "12", "a b", "nan nan", "1e5 2", "🔭 🌌")
        ),
        *((text, "That is no position; write it like") for text in ("9" * 10_000, "' OR 1=1; --", "*1 _2")),
    ],
)
def test_what_is_no_position_is_told_why(text: str, reason: str) -> None:
    with pytest.raises(InvalidPosition) as told:
        parse_position(text.split())
    assert str(told.value).startswith(reason)


@given(st.floats(0, 359.99), st.floats(-90, 90))
def test_degrees_are_read_as_written(ra: float, dec: float) -> None:
    found = parse_position([f"{ra:.9f}", f"{dec:.9f}"])
    assert found.ra == pytest.approx(ra, abs=1e-8)
    assert found.dec == pytest.approx(dec, abs=1e-8)


@given(st.lists(st.text(max_size=20), max_size=20))
def test_any_words_are_a_position_or_told_why(words: list[str]) -> None:
    try:
        found = parse_position(words)
    except InvalidPosition:
        return
    assert 0 <= found.ra < 360 and -90 <= found.dec <= 90 and found.words_used > 0
