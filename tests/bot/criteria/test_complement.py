"""A better grade that a notice can never meet doesn't keep it from the next one, in filters and in advice."""

from __future__ import annotations

import pytest

from bot.criteria.complement import complement
from bot.criteria.grade_satisfiability import find_grade_objections
from bot.criteria.parsing import parse_grades
from bot.criteria.resolution import resolve_filter
from bot.filters.evaluator import evaluate_filter
from bot.filters.event_attributes import extract_attributes
from bot.filters.parser import parse_filter
from formatters.models.criteria_set import CriteriaSet
from formatters.models.superevent import Superevent
from tests.support.factories import decoded_notice

BURST = decoded_notice(group="Burst", search="AllSky", pipeline="cwb", classification={}, properties={})


@pytest.mark.parametrize(
    "text",
    [
        "Gold: BNS; Loud: burst far<1/yr",
        "Gold: NS distance<150; Loud: far<1/yr",
        "Gold: not BNS or distance<150; Loud: far<1/yr",
        "Gold: not (BNS or BBH); Loud: far<1/yr",
        "Gold: mchirp<2.3>0.9 or within 100Mpc>0.5 or ssm; Loud: far<1/yr",
    ],
)
def test_burst_gets_the_grade_after_one_that_asks_for_what_bursts_never_state(text: str) -> None:
    set_ = CriteriaSet(slug="own", grades=parse_grades(text))
    attributes = extract_attributes(Superevent.from_notices([BURST]))
    assert attributes is not None
    for words in ("grade own=Loud", "grade own<=Loud", "grade own<Gold", "grade own>=Loud"):
        resolved = resolve_filter(parse_filter(words), {"own": set_})
        assert evaluate_filter(resolved, attributes).matches, words


@pytest.mark.parametrize(
    "text",
    [
        "Gold: BNS distance<150; Loud: burst far<1/day",
        "Gold: NS; Sub: ssm; Other: far<1/yr",
        "A: NS; B: burst",
    ],
)
def test_grade_for_bursts_below_one_for_binaries_is_given(text: str) -> None:
    assert find_grade_objections(CriteriaSet(slug="own", grades=parse_grades(text))) == ()


@pytest.mark.parametrize("text", ["A: NS; B: NS distance<100", "A: NS; B: BBH; C: CBC (NS>0.6 or BBH>0.7)"])
def test_grade_that_a_better_one_covers_is_still_found(text: str) -> None:
    assert len(find_grade_objections(CriteriaSet(slug="own", grades=parse_grades(text)))) == 1


def test_what_every_notice_states_is_negated_alone() -> None:
    assert complement(parse_filter("far<1/yr H1")).canonical == "not far<1/yr or not H1"
    assert complement(parse_filter("not far<1/yr")).canonical == "far<1/yr"
