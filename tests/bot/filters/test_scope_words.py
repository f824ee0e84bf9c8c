"""The words that choose kinds of events: mock, test, lowsig and retracted mean also, `only` means alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.filters import FilterSyntaxError, parse_criteria
from bot.filters.scope_words import Scope, parse_scope
from formatters.models.notice import Category

KINDS = ("mock", "test", "lowsig", "retracted")


def _scope(also: set[str], alone: set[str]) -> Scope:
    named = also | alone
    return Scope(
        real=not alone & {"mock", "test"},
        significant="lowsig" not in alone,
        standing="retracted" not in alone,
        **dict.fromkeys(named, True),
    )


scopes = st.builds(_scope, st.sets(st.sampled_from(KINDS)), st.sets(st.sampled_from(KINDS)))


@given(scopes)
def test_a_scope_reads_as_it_is_written(scope: Scope) -> None:
    assert parse_scope(scope.text) == (scope, "")


@given(scopes, st.sampled_from(Category), st.booleans(), st.booleans())
def test_each_word_adds_its_own_kind_and_only_takes_the_usual_one_away(
    scope: Scope, category: Category, significant: bool, retracted: bool
) -> None:
    wanted = (
        getattr(scope, category.value)
        and (scope.significant if significant else scope.lowsig)
        and (scope.retracted if retracted else scope.standing)
    )
    assert scope.accepts_kind(category, significant=significant, retracted=retracted) is wanted


@pytest.mark.parametrize(
    ("typed", "text", "rest"),
    [
        ("", "", ""),
        ("BNS", "", "BNS"),
        ("real BNS", "", "BNS"),
        ("mock", "mock", ""),
        ("Mocks, tests", "mock test", ""),
        ("low-significance", "lowsig", ""),
        ("only mock", "only mock", ""),
        ("mocks only BNS", "only mock", "BNS"),
        ("only mocks and tests", "only mock test", ""),
        ("only mock lowsig", "only mock lowsig", ""),
        ("only lowsig mock", "mock only lowsig", ""),
        ("only retracted", "only retracted", ""),
        ("BNS mocks and tests", "mock test", "BNS"),
        ("BNS, mocks too", "mock", "BNS"),
        ("including retracted BNS", "retracted", "BNS"),
        ("mock only test", "only mock test", ""),
        ("just BNS", "", "BNS"),
        ("no mocks", "", ""),
        ("not retracted BNS", "", "BNS"),
        ("no real mock", "only mock", ""),
        ("search=MDC|test", "", "search = MDC | test"),
        ("visible from Test", "", "visible from Test"),
    ],
)
def test_the_words_are_taken_out_of_a_filter(typed: str, text: str, rest: str) -> None:
    scope, left = parse_scope(typed)
    assert (scope.text, left) == (text, rest)


@pytest.mark.parametrize("words", ["BNS and mock", "mock or BNS", "(retracted)", "not (lowsig)"])
def test_a_word_inside_of_a_filter_is_refused(words: str) -> None:
    with pytest.raises(FilterSyntaxError, match="stands by itself"):
        parse_scope(words)


@pytest.mark.parametrize("words", ["no real", "mock no mock"])
def test_words_that_leave_nothing_are_refused(words: str) -> None:
    with pytest.raises(FilterSyntaxError, match="left"):
        parse_scope(words)


@pytest.mark.parametrize(
    ("words", "canonical"),
    [
        ("only mock", "all only mock"),
        ("BNS mocks only", "all BNS only mock"),
        ("only mock test circulars", "all only mock test circulars"),
        ("only lowsig CBC", "CBC not significant lowsig"),
        ("significant CBC", "CBC significant"),
        ("lowsig significant or BNS>0.5", "all (significant or BNS>0.5) lowsig"),
    ],
)
def test_a_subscription_takes_the_same_words(words: str, canonical: str) -> None:
    criteria = parse_criteria(words)
    assert criteria.canonical == canonical
    assert parse_criteria(canonical) == criteria


def test_a_subscription_has_no_use_for_retracted() -> None:
    with pytest.raises(FilterSyntaxError, match="a retraction goes to whoever has the event"):
        parse_criteria("BNS retracted")


@pytest.mark.parametrize("name", ["only", "just", "no", "without", "also", "plus", "mock", "all"])
@pytest.mark.parametrize("after", ["BNS", "mock", "lowsig", "circulars"])
def test_a_name_that_is_a_word_of_the_scope_stays_a_name(name: str, after: str) -> None:
    criteria = parse_criteria(f"search={name} {after}")
    assert criteria.canonical == f"all search={name} {after}"
