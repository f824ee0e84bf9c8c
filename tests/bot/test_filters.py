"""The words of a subscription."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.filters import UnknownWord, admits_category, matches, parse
from formatters.notice import Category
from formatters.subscription import Wish
from formatters.superevent import Superevent
from tests.bot.house import MOCK, REAL, TEST, made

wishes = st.builds(
    Wish,
    group=st.sampled_from(["CBC", "Burst", "all"]),
    mock=st.booleans(),
    test=st.booleans(),
    lowsig=st.booleans(),
)


@given(wishes)
def test_a_wish_reads_as_it_is_written(wish: Wish) -> None:
    assert parse(wish.words) == wish


@pytest.mark.parametrize(
    ("words", "canonical"),
    [
        ("", "all"),
        ("   ", "all"),
        ("cbc", "CBC"),
        ("BURST", "Burst"),
        ("mock CBC", "CBC mock"),
        ("Mocks, tests", "all mock test"),
        ("LowSig burst", "Burst lowsig"),
        ("low-significance", "all lowsig"),
        ("cbc CBC mock mock", "CBC mock"),
    ],
)
def test_order_and_case_dont_matter(words: str, canonical: str) -> None:
    assert parse(words).words == canonical


@pytest.mark.parametrize("words", ["bns", "CBC mok", "' OR 1=1 --", "*", "<!channel>", "🛰", "CBC|Burst"])
def test_unknown_words_get_a_sentence_with_the_word(words: str) -> None:
    with pytest.raises(UnknownWord, match="none of CBC, Burst, all, mock, test, lowsig"):
        parse(words)


def test_two_groups_get_a_sentence() -> None:
    with pytest.raises(UnknownWord, match='"CBC" and "Burst" together'):
        parse("cbc burst")


@given(st.text(max_size=300))
def test_whatever_is_typed_is_read_or_refused_in_a_short_sentence(words: str) -> None:
    try:
        assert parse(parse(words).words) == parse(words)
    except UnknownWord as refused:
        assert len(str(refused)) < 150


@pytest.mark.parametrize("words", ["all", "all mock", "all test", "all mock test lowsig"])
def test_mocks_and_tests_only_where_asked_for(words: str) -> None:
    wish = parse(words)
    assert admits_category(wish, Category.REAL)
    assert admits_category(wish, Category.MOCK) is ("mock" in words)
    assert admits_category(wish, Category.TEST) is ("test" in words)


GROUPS = ("CBC", "Burst", "NewGroup")


@pytest.mark.parametrize("superevent_id", [REAL, MOCK, TEST])
@pytest.mark.parametrize("significant", [True, False])
@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("asked", ["CBC", "Burst", "all"])
@pytest.mark.parametrize("switches", ["", "mock", "test", "lowsig", "mock lowsig", "mock test lowsig"])
def test_every_switch_and_group(
    superevent_id: str, significant: bool, group: str, asked: str, switches: str
) -> None:
    superevent = Superevent.of([made(superevent_id, group=group, significant=significant)])
    expected = (
        asked in ("all", group)
        and (superevent_id != MOCK or "mock" in switches)
        and (superevent_id != TEST or "test" in switches)
        and (significant or "lowsig" in switches)
    )
    assert matches(parse(f"{asked} {switches}"), superevent) is expected


def test_the_newest_event_decides_and_a_retraction_keeps_what_it_withdraws() -> None:
    became = [made(significant=False), made(minutes=5, significant=True)]
    assert matches(parse("CBC"), Superevent.of(became))
    assert not matches(parse("CBC"), Superevent.of(became[:1]))
    assert matches(parse("CBC"), Superevent.of([*became, made(alert_type="RETRACTION", minutes=9)]))


def test_of_a_retraction_alone_nothing_is_known() -> None:
    assert not matches(parse("all mock test lowsig"), Superevent.of([made(alert_type="RETRACTION")]))
