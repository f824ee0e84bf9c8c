"""Questions about stored events, as words of a command and as sentences."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.filters import FilterSyntaxError, extract_attributes
from bot.filters.event_question import parse_event_question
from formatters.models.superevent import Superevent
from tests.support.factories import decoded_notice

NOW = datetime(2026, 11, 28, 9, 40, tzinfo=UTC)


@pytest.mark.parametrize(
    ("words", "text", "dates", "count"),
    [
        ("", "all", "", None),
        ("BNS", "BNS", "", None),
        ("real BNS", "BNS", "", None),
        ("mock", "mock", "", None),
        ("only retracted", "only retracted", "", None),
        ("5", "all", "", 5),
        ("last 5", "all", "", 5),
        ("5 BNS mock", "BNS mock", "", 5),
        ("BNS 5", "BNS", "", 5),
        ("any BNS this week?", "BNS", "since 2026-11-23", None),
        ("show me all NSBH in O4", "NSBH", "2023-05-24 15:00 UTC to 2025-11-18 16:00 UTC", None),
        ("how many BNS so far", "BNS", "", None),
        ("BNS last week", "BNS", "2026-11-16 to 2026-11-22", None),
        ("lowsig BNS>0.2", "BNS>0.2 lowsig", "", None),
        ("CBC only mock since 2023", "CBC only mock", "since 2023-01-01", None),
        ("near 194.3 -17.9 5deg > 0.5", "near 194.3 -17.9 5deg>0.5", "", None),
        ("far so", "", "", None),
    ],
)
def test_a_question_chooses_events(words: str, text: str, dates: str, count: int | None) -> None:
    if not text:
        with pytest.raises(FilterSyntaxError):
            parse_event_question(words, NOW)
        return
    question = parse_event_question(words, NOW)
    assert (question.text, question.period.text, question.count) == (text, dates, count)


@pytest.mark.parametrize("words", ["distance<1 000", "BNS>0 5", "distance<300 5 BNS", "near 10 20 5"])
def test_a_number_that_may_belong_to_a_condition_is_no_count(words: str) -> None:
    with pytest.raises(FilterSyntaxError):
        parse_event_question(words, NOW)


@pytest.mark.parametrize("word", ["circulars", "notify @here"])
def test_what_belongs_to_a_subscription_is_said(word: str) -> None:
    with pytest.raises(FilterSyntaxError, match="belongs to a subscription, and this is a question"):
        parse_event_question(f"BNS {word}", NOW)


@given(st.text(max_size=200))
def test_whatever_is_asked_is_read_or_refused_in_a_short_sentence(words: str) -> None:
    try:
        question = parse_event_question(words, NOW)
    except FilterSyntaxError as refused:
        assert len(str(refused)) < 150
        return
    assert parse_event_question(question.text, NOW).text == question.text


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("BNS>0.9 BNS<0.1", "exclude each other"),
        ("Burst distance<100", "a Burst states no distance"),
        ("not significant", 'without "lowsig" only significant alerts come'),
    ],
)
def test_a_question_that_no_event_answers_says_why(words: str, sentence: str) -> None:
    assert sentence in (parse_event_question(words, NOW).contradiction or "")
    assert parse_event_question("BNS only lowsig", NOW).contradiction is None


def test_what_no_event_states_is_named() -> None:
    attributes = extract_attributes(Superevent.from_notices([decoded_notice()]))
    assert attributes is not None
    question = parse_event_question("mchirp<2 z<0.1 BNS", NOW)
    assert question.unstated([attributes]) == ["mchirp", "distance"]
    assert question.unstated([]) == []


KINDS = st.sampled_from(["", "mock", "only mock", "lowsig", "retracted", "only retracted", "mocks too"])
PERIODS = st.sampled_from(["", "last week", "since 7d", "in O4a", "since 2023-05 until 2023-06", "yesterday"])
CONDITIONS = st.sampled_from(
    ["BNS>0.5", "V1", "far<1/yr", "distance<300 Mpc", "Fermi", "type=INITIAL", "CBC"]
)


@given(KINDS, PERIODS, st.lists(CONDITIONS, unique=True, max_size=3), st.data())
def test_scope_period_and_conditions_stand_in_any_order(
    kind: str, period: str, conditions: list[str], data: st.DataObject
) -> None:
    plain = parse_event_question(" ".join([*conditions, kind, period]), NOW)
    typed = " ".join(data.draw(st.permutations([kind, period, *conditions])))
    shuffled = parse_event_question(f"Any {typed}?", NOW)
    assert (shuffled.scope, shuffled.period) == (plain.scope, plain.period)
    assert sorted(shuffled.text.split()) == sorted(plain.text.split())


def test_a_sites_name_keeps_its_words() -> None:
    def sites(words: Sequence[str]) -> tuple[str, int]:
        assert list(words)[:4] == ["the", "Observatory", "of", "Turku"]
        return "Turku", 4

    question = parse_event_question("the BNS visible from the Observatory of Turku > 0.3 in O4", NOW, sites)
    assert question.text == "BNS visible from Turku>0.3"
    assert parse_event_question("BNS or any NSBH", NOW).text == "(BNS or NSBH)"
