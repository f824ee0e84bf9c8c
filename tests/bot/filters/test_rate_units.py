"""A false-alarm rate without its unit is asked about where it would choose nothing."""

from __future__ import annotations

import pytest

from bot.filters import FilterSyntaxError, parse_criteria
from bot.filters.criteria_parser import parse_stored_criteria
from bot.filters.rate_units import find_missing_rate_unit
from bot.filters.scope_words import parse_scope
from bot.filters.vocabulary import MEANT


@pytest.mark.parametrize(
    "words", ["far<10", "BNS or far<0.01", "not far>1", "CBC far<=1e-3", "far<1 notify @here"]
)
def test_a_rate_without_a_unit_that_every_alert_meets_is_asked_about(words: str) -> None:
    sentence = find_missing_rate_unit(parse_criteria(words))
    assert sentence is not None and "/yr" in sentence
    assert parse_stored_criteria(parse_criteria(words).canonical) == parse_criteria(words)


@pytest.mark.parametrize("words", ["far<1e-8", "far<1/yr", "far<10/day", "BNS", "far<2e-5"])
def test_a_rate_that_chooses_is_taken(words: str) -> None:
    assert find_missing_rate_unit(parse_criteria(words)) is None


@pytest.mark.parametrize("words", ['"BNS"', "“BNS”", '"BNS>0.5" far<1/yr', '"BNS>0.5 far<1/yr"'])
def test_quotation_marks_around_a_filter_are_nothing(words: str) -> None:
    assert parse_criteria(words) == parse_criteria(words.replace('"', "").replace("“", "").replace("”", ""))


@pytest.mark.parametrize("word", sorted(MEANT))
def test_a_word_of_another_language_is_answered_with_the_right_one(word: str) -> None:
    with pytest.raises(FilterSyntaxError, match="perhaps you mean"):
        parse_criteria(f"{word}>0.5")


@pytest.mark.parametrize("words", ["100<distance<300", "0.5<BNS<0.9", "0.5<BNS"])
def test_a_range_is_answered_with_its_spelling(words: str) -> None:
    with pytest.raises(FilterSyntaxError, match="distance>100 distance<300"):
        parse_criteria(words)


@pytest.mark.parametrize(
    ("words", "title"),
    [
        ("mock", "also mock"),
        ("mock retracted", "also mock, retracted"),
        ("only mock", "only mock"),
        ("only mock lowsig", "only mock also lowsig"),
        ("", ""),
    ],
)
def test_a_title_says_what_comes_besides(words: str, title: str) -> None:
    scope, _ = parse_scope(words)
    assert scope.title == title
    assert parse_scope(scope.title) == (scope, "")
