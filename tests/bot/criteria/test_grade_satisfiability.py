"""Grades that can't be given get a sentence before they are stored."""

from __future__ import annotations

import pytest

from bot.criteria.grade_satisfiability import find_grade_objections
from bot.criteria.parsing import parse_grades
from formatters.models.criteria_set import CriteriaSet


def objections(text: str) -> tuple[str, ...]:
    return find_grade_objections(CriteriaSet(slug="ours", grades=parse_grades(text)))


@pytest.mark.parametrize(
    "text",
    [
        "Gold: NS distance<150 area90<50; Silver: NS distance<300 area90<200",
        "Gold: BNS; Silver: BNS or NSBH; Bronze: HasNS",
        # Silver holds where a notice states no area.
        "Gold: NS area90<50; Silver: NS",
        "A: distance<100; B: distance<200; C: distance<300",
    ],
)
def test_ordinary_grades_get_no_objection(text: str) -> None:
    assert objections(text) == ()


def test_a_grade_that_can_never_hold_is_named_with_its_reason() -> None:
    [said] = objections("Gold: distance<100 distance>200; Silver: distance<300")
    assert said.startswith('Gold: "distance<100 distance>200" can never hold')


def test_a_grade_that_a_better_one_covers_is_named_with_that_one() -> None:
    said = objections("Gold: NS distance<300; Silver: NS distance<150; Bronze: NS")
    assert said == (
        "Silver would hardly ever be given: where it holds, Gold holds too, which stands before it.",
    )


def test_the_same_conditions_twice_are_seen() -> None:
    [said] = objections("Gold: BNS near 10 10 5deg; Silver: near 10 10 5deg BNS")
    assert said.startswith("Silver would hardly ever be given")


def test_a_grade_that_better_ones_cover_together_is_named() -> None:
    [said] = objections("Gold: NS distance<150; Silver: NS distance>=150; Bronze: NS distance<400")
    assert said == "Bronze would hardly ever be given: where it holds, a better grade holds too."


def test_a_grade_that_never_holds_covers_no_other() -> None:
    assert len(objections("Gold: distance<100 distance>200; Silver: distance<100 distance>200 NS")) == 2
    assert len(objections("Gold: distance<100 distance>200; Silver: distance<300")) == 1


def test_a_missing_unit_of_the_rate_is_named_with_its_grade() -> None:
    [said] = objections("Gold: far<1")
    assert said.startswith("Gold: ")


@pytest.mark.slow
def test_twenty_ordinary_grades_are_all_compared() -> None:
    grades = [f"Grade {chr(65 + n)}: NS distance<{100 + 10 * n} area90<{20 + n}" for n in range(20)]
    assert objections("; ".join(grades)) == ()
    # The last is stricter than all of the others.
    [said] = objections("; ".join([*grades[1:], "Last: NS distance<100 area90<20 V1"]))
    assert said.startswith("Last would hardly ever be given")


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_grades_with_many_alternatives_pass_in_time() -> None:
    some = [f"(BNS>0.{n} z<0.{n}) or (NSBH>0.{n} area90<{n}00)" for n in range(1, 10)]
    grades = [f"G{n}: {some[n % 9]} or {some[(n + 4) % 9]} or {some[(n + 7) % 9]}" for n in range(20)]
    objections("; ".join(grades))
