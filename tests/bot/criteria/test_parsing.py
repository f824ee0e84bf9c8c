"""What people type for a criteria set: names, grades, and one sentence for whatever is wrong."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.criteria.parsing import parse_grades, parse_slug
from bot.criteria.presets import BUILT_IN
from bot.filters import FilterSyntaxError, parse_filter
from bot.observing.site_references import resolve_site
from formatters.models.criteria_set import GRADE_NAME_MAX, GRADES_MAX, SLUG_MAX, TEXT_MAX, CriteriaSet, Grade
from formatters.models.filter import Filter, GradeCondition, conditions
from tests.support.filter_strategies import any_filter

NTT = "Gold: NS distance<150 area90<50; Silver: NS distance<300 area90<200"


def names(text: str) -> list[str]:
    return [grade.name for grade in parse_grades(text)]


def refusal(text: str) -> str:
    with pytest.raises(FilterSyntaxError) as caught:
        parse_grades(text)
    return str(caught.value)


def test_grades_are_read_from_the_best_down() -> None:
    assert parse_grades(NTT) == (
        Grade("Gold", parse_filter("NS distance<150 area90<50")),
        Grade("Silver", parse_filter("NS distance<300 area90<200")),
    )


@pytest.mark.parametrize(
    "text",
    [
        "Gold: NS\nSilver: BBH",
        "Gold: NS;\n Silver: BBH;",
        "\n;; Gold :NS ; ; Silver:BBH\r\n",
        '"Gold": NS; Silver： BBH',
        "*Gold*: NS\n• Silver: BBH",
    ],
)
def test_semicolons_and_new_lines_part_grades_however_they_are_typed(text: str) -> None:
    assert parse_grades(text) == (Grade("Gold", parse_filter("NS")), Grade("Silver", parse_filter("BBH")))


@pytest.mark.parametrize("name", ["Gold", "A+", "Priority 1", "Go-now", "Type 1", "BBH", "Grade A", "Größe"])
def test_names_of_grades(name: str) -> None:
    assert names(f"{name}: NS") == [name]


def test_colons_of_a_filter_do_not_end_a_name() -> None:
    (grade,) = parse_grades("Gold: near 13:09:48 -23:22:53 5deg")
    assert grade == Grade("Gold", parse_filter("near 13:09:48 -23:22:53 5deg"))


def test_semicolon_in_a_quoted_site_belongs_to_its_name() -> None:
    (grade, other) = parse_grades('Gold: visible from "My dome; roof 34.2N 116.9W 1700m">0.1; Silver: NS')
    assert grade.filter == parse_filter('visible from "My dome; roof 34.2N 116.9W 1700m">0.1')
    assert other.name == "Silver"


def test_sites_are_resolved_when_they_are_typed() -> None:
    (grade,) = parse_grades("Gold: visible from ctio>0.2", resolve_site)
    assert grade.filter is not None and grade.filter.canonical == "visible from CTIO>0.2"
    with pytest.raises(FilterSyntaxError, match="Gold: "):
        parse_grades("Gold: visible from Nowhere", resolve_site)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "needs a grade"),
        (" ;\n; ", "needs a grade"),
        ("Gold:", '"Gold" has no conditions after the colon'),
        ("Gold: NS; Silver:  ; Bronze: BBH", '"Silver" has no conditions'),
        ("Gold: NS; gold: BBH", '"gold" is there twice'),
        ("Gold NS distance<150", "has no grade before it"),
        ("Gold: NS\ndistance<150", '"distance<150" has no grade before it'),
        ("near 13:09:48 -23:22:53 5deg", "has no grade before it"),
        ("type:INITIAL NS", "has no grade before it"),
        (": NS", "has no name before the colon"),
        ("Not: NS", '"Not" is no name for a grade: conditions'),
        ("Notify me: NS", '"Notify me" is no name for a grade: conditions'),
        ("1st: NS", '"1st" is no name for a grade'),
        ("Gold!: NS", '"Gold!" is no name for a grade'),
        (":first_place_medal:: NS", "has no name before the colon"),
        (f"{'G' * (GRADE_NAME_MAX + 1)}: NS", "at most 20 characters"),
        ("Gold: distanc<150", "Gold: "),
        ("Gold: type:INITIAL", "Gold: "),
        ("Gold: mock NS", 'Gold: "mock" belongs to a subscription'),
        ("Gold: NS notify @here", 'Gold: "notify" belongs to a subscription'),
        ("Gold: NS criteria rubin-2026", 'Gold: "criteria" belongs to a subscription'),
        ("Gold: NS, Silver: BBH", 'Gold: does another grade begin at "Silver:"?'),
        ("Gold: NS Silver: BBH", "Put a semicolon or a new line before it."),
        ("Gold: NS; undecided: BBH", "messages say that of an event without one"),
        ("No grade: NS", "messages say that of an event without one"),
        ("; ".join(f"G{n}: NS>0.{n + 10}" for n in range(GRADES_MAX + 1)), "at most 20 grades"),
        (f"Gold: NS or {'BBH ' * TEXT_MAX}", "at most 3,000 characters"),
    ],
)
def test_what_is_wrong_gets_one_sentence(text: str, said: str) -> None:
    sentence = refusal(text)
    assert said in sentence
    assert "\n" not in sentence and sentence[-1] in ".?" and len(sentence) < 300


def test_twenty_grades_are_allowed() -> None:
    assert len(parse_grades("; ".join(f"G{n}: NS>0.{n + 10}" for n in range(GRADES_MAX)))) == GRADES_MAX


def test_grades_that_are_too_long_written_out_are_refused() -> None:
    some = " or ".join("near 1 2 3deg" for _ in range(30))
    text = "; ".join(f"G{n}: {some.replace('1 2', f'{n} {m}')}" for n, m in enumerate(range(6)))
    grown = "; ".join(f"G{n}: " + " or ".join(f"z<{m}" for m in range(38)) for n in range(12))
    for one in (text, grown):
        if len(one) <= TEXT_MAX:
            parsed = parse_grades(one)
            assert len(CriteriaSet(slug="x", grades=parsed).canonical) <= TEXT_MAX


def test_grades_of_other_sets_are_refused() -> None:
    sentence = refusal("Mine: NS not grade rubin-2026 = Gold")
    assert "can't use grades of others" in sentence and '"rubin-2026"' in sentence


@pytest.mark.slow
@settings(deadline=None, max_examples=100)
@given(
    st.lists(
        st.tuples(st.sampled_from(["Gold", "A+", "Priority 1", "b"]), any_filter), min_size=1, max_size=4
    )
)
def test_canonical_text_of_a_set_gives_the_same_grades(typed: list[tuple[str, Filter]]) -> None:
    text = "; ".join(f"{name}: {found.canonical}" for name, found in dict(typed).items())
    filters = list(dict(typed).values())
    if len(text) > TEXT_MAX or any(isinstance(c, GradeCondition) for f in filters for c in conditions(f)):
        return
    parsed = parse_grades(text)
    assert CriteriaSet(slug="x", grades=parsed).canonical == text
    assert [grade.filter for grade in parsed] == filters


@settings(deadline=None)
@given(st.text(max_size=200) | st.text(alphabet="Gold:;\n NS<>=0.5()\"'", max_size=80))
def test_any_text_is_read_or_refused_with_a_sentence(text: str) -> None:
    try:
        assert parse_grades(text)
    except FilterSyntaxError as error:
        assert "\n" not in str(error)
        assert str(error)


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("ntt-kilonova", "ntt-kilonova"),
        (" NTT-Kilonova ", "ntt-kilonova"),
        ("a", "a"),
        ("my–set", "my-set"),
        ("NTT_kilonova team", "ntt-kilonova-team"),
    ],
)
def test_names_of_sets(text: str, slug: str) -> None:
    assert parse_slug(text) == slug


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "needs a name"),
        ("2026-rubin", "is no name for a criteria set"),
        ("ntt/kilonova", "is no name for a criteria set"),
        ("a" * (SLUG_MAX + 1), "at most 30 characters"),
        ("lowsig", "a word of commands and filters"),
        ("bns", "a word of commands and filters"),
        ("fermi", "a word of commands and filters"),
        ("notify", "a word of commands and filters"),
        ("show", "a word of commands and filters"),
        ("s241125n", "an event's id"),
        *((slug, "is built in") for slug in BUILT_IN),
        ("Rubin-2026", "is built in"),
    ],
)
def test_what_is_no_name_of_a_set_gets_one_sentence(text: str, said: str) -> None:
    with pytest.raises(FilterSyntaxError, match=r"^[^\n]*\.$") as caught:
        parse_slug(text)
    assert said in str(caught.value)


def test_name_that_is_proposed_is_one() -> None:
    for text in ("lowsig", "rubin-2026", "s241125n"):
        with pytest.raises(FilterSyntaxError) as caught:
            parse_slug(text)
        assert parse_slug(str(caught.value).split('"')[-2])


def test_built_in_sets_are_their_own_canonical_text() -> None:
    for slug, set_ in BUILT_IN.items():
        assert set_.slug == slug and set_.is_built_in and set_.source.endswith(".")
        if set_.canonical:
            assert parse_grades(set_.canonical) == set_.grades
