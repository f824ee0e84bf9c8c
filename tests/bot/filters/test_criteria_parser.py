"""Criteria of subscriptions: what is read, and the sentence where nothing can be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import String

from bot.filters import (
    MAX_TARGETS,
    FilterSyntaxError,
    parse_criteria,
    parse_stored_criteria,
)
from bot.filters.limits import MAX_LENGTH
from bot.store import schema
from formatters.models.subscription import Criteria
from formatters.views.modal_inputs import MAX_TEXT_CHARS
from tests.support.filter_strategies import criteria_list


@given(criteria_list)
def test_criteria_read_as_they_are_written(criteria: Criteria) -> None:
    assert parse_criteria(criteria.canonical) == criteria


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
        ("cbc notify @here", "CBC notify @here"),
        ("cbc and notify @here", "CBC notify @here"),
        ("CBC NOTIFY @Here IF ns", "CBC notify @here if NS"),
        ("notify <!channel> <!here|here> <!here>", "all notify @channel @here"),
        (
            "CBC notify <@U024BE7LH|ada>, <!subteam^S0AB1|@on call>",
            "CBC notify <@U024BE7LH> <!subteam^S0AB1>",
        ),
        ("mock notify @here notify-mock if NS", "all mock notify @here notify-mocks if NS"),
        ("test mock notify notify-tests @here", "all mock test notify @here notify-tests"),
    ],
)
def test_order_and_case_dont_matter(words: str, canonical: str) -> None:
    assert parse_criteria(words).canonical == canonical


@pytest.mark.parametrize("words", ["frob", "' OR 1=1 --", "*", "<!channel>", "🛰", "CBC <@U1>"])
def test_unknown_words_get_a_sentence_with_the_word(words: str) -> None:
    with pytest.raises(FilterSyntaxError, match="none of CBC, Burst, all, mock, test, lowsig"):
        parse_criteria(words)


@pytest.mark.parametrize(
    ("words", "meant"),
    [("CBC mok", "mock"), ("bnss", "BNS"), ("distanse<300", "distance"), ("bsn>0.5", "BNS")],
)
def test_a_misspelled_word_gets_the_one_that_was_meant(words: str, meant: str) -> None:
    with pytest.raises(FilterSyntaxError) as refused:
        parse_criteria(words)
    assert str(refused.value).endswith(f'is no condition; did you mean "{meant}"?')


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("CBC circulars icecube", "streams circulars icecube"),
        ("CBC icecube circulars", "streams circulars icecube"),
        ("CBC circulars, guano", "streams circulars guano"),
        ("CBC streams guano distance<300 icecube", "streams icecube guano"),
    ],
)
def test_a_stream_apart_from_the_streams_is_asked_about(words: str, meant: str) -> None:
    with pytest.raises(FilterSyntaxError, match=f"for the thread: {meant}\\."):
        parse_criteria(words)


@pytest.mark.parametrize(
    "words", ["observatory=IceCube circulars", "not icecube streams circulars", "icecube"]
)
def test_a_condition_on_icecube_stays_one(words: str) -> None:
    assert "observatory=IceCube" in parse_criteria(words).canonical


def test_streams_behind_a_mention_are_told_their_place() -> None:
    with pytest.raises(FilterSyntaxError, match='"streams" is nobody to mention: write it before "notify"'):
        parse_criteria("CBC notify @here streams circulars")


def test_two_groups_get_a_sentence() -> None:
    with pytest.raises(FilterSyntaxError, match='"CBC" and "Burst" together'):
        parse_criteria("cbc burst")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("CBC notify", '"notify" needs somebody to mention: @here, @channel, a person or a group.'),
        ("CBC notify if NS", '"notify" needs somebody to mention: @here, @channel, a person or a group.'),
        ("CBC notify @here if", '"if" needs a condition after it: if NS, or any filter.'),
        (
            "CBC notify @here if NS mock",
            '"mock" stands by itself, outside of "and", "or", "not" and "( )".',
        ),
        ("CBC mock notify @here if NS notify-mocks", '"notify-mocks" belongs before "if".'),
        ("CBC notify here", '"here" can\'t be mentioned: @here, @channel, a person or a group.'),
        (
            "CBC notify <!everyone>",
            '"<!everyone>" can\'t be mentioned: @here, @channel, a person or a group.',
        ),
        (
            "CBC notify @ada",
            'Slack didn\'t say who "@ada" is: pick the name from its list while typing.',
        ),
        ("CBC notify @here mock", '"mock" is nobody to mention: write it before "notify".'),
        ("CBC notify @here notify-mocks", '"notify-mocks" needs "mock" before "notify".'),
        (
            "CBC notify-mocks",
            '"notify-mocks" is none of CBC, Burst, all, mock, test, lowsig, circulars, notify,'
            " nor a condition like BNS.",
        ),
        (
            "notify " + " ".join(f"<@U{n}>" for n in range(MAX_TARGETS + 1)),
            '"notify" mentions at most 10: make it a user group.',
        ),
    ],
)
def test_invalid_mention_target_is_refused_in_one_sentence(words: str, sentence: str) -> None:
    with pytest.raises(FilterSyntaxError) as refused:
        parse_criteria(words)
    assert str(refused.value) == sentence


@given(st.text(max_size=300))
def test_any_text_is_parsed_or_refused_in_a_short_sentence(words: str) -> None:
    try:
        assert parse_criteria(parse_criteria(words).canonical) == parse_criteria(words)
    except FilterSyntaxError as refused:
        assert len(str(refused)) < 150


def test_maximum_criteria_length_fits_column_and_input() -> None:
    column = schema.subscriptions.c.words.type
    assert isinstance(column, String) and column.length == MAX_LENGTH == MAX_TEXT_CHARS


def test_criteria_are_read_in_any_unicode_and_without_slacks_marks() -> None:
    plain = parse_criteria("CBC BNS>0.5 far<1/yr ~V1 near 10 -20 5deg")
    for typed in (
        "`CBC BNS&gt;0.5` far&lt;1/yr ~V1 near 10 −20 5°",
        "*CBC* _BNS>0.5_ far<1/yr\u00a0~V1\u2009near 10 –20 5˚",
        "ＣＢＣ\u3000BNS＞0.5 far<1/yr\u200b ∼V1 near １０ －２０ 5º",
    ):
        assert parse_criteria(typed) == plain


def test_stored_criteria_are_taken_as_they_are_written() -> None:
    """What an earlier version stored is no typed text: a name in it may look like marked words."""
    assert parse_stored_criteria("all pipeline=_x_").canonical == "all pipeline=_x_"
