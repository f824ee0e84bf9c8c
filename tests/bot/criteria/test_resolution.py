"""Conditions on grades get their sets' definitions; sets and grades that there aren't get a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.criteria.parsing import parse_grades, parse_slug
from bot.criteria.presets import BUILT_IN
from bot.criteria.resolution import check_filter_references, check_references, resolve_filter, resolve_grades
from bot.filters import FilterSyntaxError, evaluate_filter, extract_attributes, parse_criteria, parse_filter
from bot.filters.evaluator import TruthRange
from bot.filters.event_attributes import EventAttributes
from bot.filters.event_question import parse_event_question
from bot.filters.limits import MAX_CONDITIONS
from formatters.models.criteria_set import GRADE_NAME, GRADES_MAX, SLUG, CriteriaSet, Grade
from formatters.models.filter import (
    Filter,
    GradeCondition,
    GradeQuery,
    MapQuery,
    Op,
    conditions,
    map_queries,
)
from formatters.models.subscription import Criteria, MentionRule
from formatters.models.superevent import Superevent
from tests.support.factories import NOW, decoded_notice
from tests.support.filter_strategies import any_criteria, any_filter, simple, stated

ours = CriteriaSet(
    slug="ntt-kilonova",
    grades=(
        Grade("Gold", parse_filter("NS distance<150 area90<50")),
        Grade("Silver", parse_filter("NS distance<300 area90<200")),
        Grade("Priority 1", parse_filter("BBH")),
    ),
)
SETS = {**BUILT_IN, "ntt-kilonova": ours}


def compares(place: int | None, op: Op, asked: int | None) -> bool:
    """Return whether the grade at a place, 0 being the best, compares so with the one at another."""
    if place is None:
        return False
    if asked is None:
        return True
    return {
        Op.LT: place > asked, Op.LE: place >= asked, Op.EQ: place == asked, Op.GE: place <= asked,
        Op.GT: place < asked,
    }[op]  # fmt: skip


plain = simple.filter(lambda one: not isinstance(one, GradeCondition))


@settings(deadline=None)
@given(
    st.lists(plain, min_size=1, max_size=4),
    st.sampled_from(Op),
    st.none() | st.integers(0, 3),
    stated,
    st.data(),
)
def test_a_condition_compares_the_first_grade_that_holds(
    filters: Sequence[Filter], op: Op, asked: int | None, attributes: EventAttributes, data: st.DataObject
) -> None:
    if asked is not None and asked >= len(filters):
        return
    set_ = CriteriaSet(slug="x", grades=tuple(Grade(f"G{n}", one) for n, one in enumerate(filters)))
    condition = GradeCondition("x") if asked is None else GradeCondition("x", op, f"g{asked}")
    resolved = resolve_filter(condition, {"x": set_})
    probabilities: dict[MapQuery, float | None] = {
        query: data.draw(st.none() | st.floats(0, 1)) for query in sorted(map_queries(resolved), key=repr)
    }
    truth = evaluate_filter(resolved, attributes, probabilities)
    single = [evaluate_filter(one, attributes, probabilities).low for one in filters]
    # Every way in which what isn't known may be.
    possible = {
        compares(
            next((n for n, holds in enumerate(row) if holds), None), op if asked is not None else Op.GE, asked
        )
        for row in product(*[(True, False) if one == 0 else (one == 1,) for one in single])
    }
    if truth.matches:
        assert possible == {True}
    if truth == TruthRange(-1, -1):
        assert possible == {False}
    if 0 not in single and {"group", "search"} <= attributes.fields.keys():
        assert truth == (TruthRange(1, 1) if possible == {True} else TruthRange(-1, -1))


@pytest.mark.parametrize(
    ("words", "definition"),
    [
        ("grade ntt-kilonova", "(NS distance<150 area90<50) or (NS distance<300 area90<200) or BBH"),
        ("grade ntt-kilonova>=silver", "(NS distance<150 area90<50) or (NS distance<300 area90<200)"),
        ("grade ntt-kilonova>Silver", "NS distance<150 area90<50"),
        ("grade ntt-kilonova=Gold", "NS distance<150 area90<50"),
        (
            "grade ntt-kilonova=Silver",
            "NS distance<300 area90<200 (not NS or Burst or search=SSM or not distance<150 or not area90<50)",
        ),
        ('grade ntt-kilonova<"Priority 1"', "significant not significant"),
        ("grade ntt-kilonova>Gold", "significant not significant"),
        (
            "grade ntt-kilonova<Gold",
            "((NS distance<300 area90<200) or BBH) "
            "(not NS or Burst or search=SSM or not distance<150 or not area90<50)",
        ),
    ],
)
def test_an_ordinary_sets_grade_is_a_filter(words: str, definition: str) -> None:
    found = resolve_filter(parse_filter(words), SETS)
    assert isinstance(found, GradeCondition) and isinstance(found.definition, Filter)
    assert found.definition.canonical == definition
    assert found.canonical == parse_filter(words).canonical, "stored words stay as they are"


def test_a_grade_that_the_initial_decides_is_a_question_to_the_set() -> None:
    found = resolve_filter(parse_filter('grade rubin-2026="lensed a" or grade rubin-2026'), SETS)
    assert [one.definition for one in conditions(found) if isinstance(one, GradeCondition)] == [
        GradeQuery("rubin-2026", Op.EQ, "lensed A"),
        GradeQuery("rubin-2026", Op.GE, None),
    ]
    attributes = extract_attributes(Superevent.from_notices([decoded_notice()]))
    assert attributes is not None
    first = next(iter(conditions(found)))
    assert evaluate_filter(first, attributes).is_undecided
    query = GradeQuery("rubin-2026", Op.EQ, "lensed A")
    for answer, low in ((1.0, 1), (0.0, -1), (None, 0)):
        assert evaluate_filter(first, attributes, {query: answer}) == TruthRange(low, low)


def test_conditions_of_the_mention_are_resolved_too() -> None:
    found = resolve_grades(
        parse_criteria("grade ntt-kilonova notify @here if not grade ntt-kilonova>=Gold"), SETS
    )
    assert found.notify is not None and found.notify.condition is not None
    assert all(
        isinstance(one, GradeCondition) and one.definition is not None
        for part in (found.filter, found.notify.condition)
        if part is not None
        for one in conditions(part)
    )


def test_what_isnt_there_stays_unknown() -> None:
    attributes = extract_attributes(Superevent.from_notices([decoded_notice()]))
    assert attributes is not None
    for words in ("grade nobodys", "grade ntt-kilonova>=Bronze", "not grade nobodys"):
        found = resolve_filter(parse_filter(words), SETS)
        assert evaluate_filter(found, attributes) == TruthRange(0, 0)


@settings(deadline=None)
@given(any_criteria())
def test_resolving_changes_no_words_and_equal_ones_give_one_object(criteria: Criteria) -> None:
    found = resolve_grades(criteria, SETS)
    assert found.canonical == criteria.canonical
    assert resolve_grades(parse_criteria(criteria.canonical), dict(SETS)) is found or found is criteria
    if not any(isinstance(one, GradeCondition) for one in _conditions(criteria)):
        assert found is criteria
    assert resolve_grades(found, SETS) == found, "what is resolved may be resolved again"
    changed = {**SETS, "ntt-kilonova": replace(ours, grades=ours.grades[:1])}
    if "grade ntt-kilonova" not in criteria.canonical:
        assert resolve_grades(criteria, changed) == found


def _conditions(criteria: Criteria) -> list[Filter]:
    parts = [criteria.filter, None if criteria.notify is None else criteria.notify.condition]
    return [one for part in parts if part is not None for one in conditions(part)]


@settings(deadline=None)
@given(any_filter)
def test_a_filter_without_grades_is_returned_as_it_is(wanted: Filter) -> None:
    has_grade = any(isinstance(one, GradeCondition) for one in conditions(wanted))
    assert (resolve_filter(wanted, SETS) is wanted) is not has_grade


def test_a_resolved_filter_may_be_longer_than_a_typed_one() -> None:
    long = CriteriaSet(
        slug="long",
        grades=tuple(
            Grade(f"G{n}", parse_filter(" ".join(f"distance<{n * 50 + m}" for m in range(1, MAX_CONDITIONS))))
            for n in range(GRADES_MAX)
        ),
    )
    found = resolve_filter(parse_filter("grade long>=G19 or grade long<G3"), {"long": long})
    attributes = extract_attributes(Superevent.from_notices([decoded_notice()]))
    assert attributes is not None
    evaluate_filter(found, attributes)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            "grade ntt-kilonove>=Gold",
            'No criteria set is called "ntt-kilonove": did you mean "ntt-kilonova"?',
        ),
        ("grade ntt", 'No criteria set is called "ntt": did you mean "ntt-kilonova"?'),
        (
            "grade Silver",
            'No criteria set is called "silver": write grade rubin-2026>=Silver for that grade.',
        ),
        (
            "criteria ntt-kilonova notify @here if grade Silver",
            'No criteria set is called "silver": write grade ntt-kilonova>=Silver for that grade.',
        ),
        (
            "BNS grade ntt-kilonova Gold",
            'No criteria set is called "ntt-kilonova-gold": write grade ntt-kilonova>=Gold for that grade.',
        ),
        (
            "grade lensed A",
            'No criteria set is called "lensed-a": write grade rubin-2026="lensed A" for that grade.',
        ),
        ("grade rubin2026", 'No criteria set is called "rubin2026": did you mean "rubin-2026"?'),
        ("criteria rubin2026", 'No criteria set is called "rubin2026": did you mean "rubin-2026"?'),
        ("criteria ntt kilonova", 'No criteria set is called "ntt": did you mean "ntt-kilonova"?'),
        ("criteria tarot rubin x", 'No criteria set is called "rubin": did you mean "rubin-2026"?'),
        (
            "criteria zzz",
            'No criteria set is called "zzz": there are rubin-2026, grandma, tarot, lasair, ntt-kilonova.',
        ),
        (
            "grade ntt-kilonova>=Sliver",
            'ntt-kilonova has no grade "Sliver": did you mean "Silver"? Its grades are Gold, Silver,'
            " Priority 1.",
        ),
        (
            "notify @here if grade ntt-kilonova>=Platinum",
            'ntt-kilonova has no grade "Platinum": its grades are Gold, Silver, Priority 1.',
        ),
        (
            "grade rubin-2026>=BBH",
            '"BBH" of rubin-2026 is neither better nor worse than its other grades: write grade'
            " rubin-2026=BBH.",
        ),
        (
            'grade rubin-2026<"lensed a"',
            '"lensed A" of rubin-2026 is neither better nor worse than its other grades: write grade'
            ' rubin-2026="lensed A".',
        ),
        (
            "grade ntt-kilonova>Gold",
            'No grade of ntt-kilonova is better than "Gold"; that grade itself is grade ntt-kilonova=Gold.',
        ),
        (
            "notify @here if grade rubin-2026>gold",
            'No grade of rubin-2026 is better than "Gold"; that grade itself is grade rubin-2026=Gold.',
        ),
        (
            'grade rubin-2026<"SSM Silver"',
            'No grade of rubin-2026 is worse than "SSM Silver"; that grade itself is grade'
            ' rubin-2026="SSM Silver".',
        ),
        (
            "grade rubin-2026=lensed",
            'rubin-2026 has no grade "lensed": did you mean "lensed B" or "lensed A"? Its grades are '
            "SSM Gold, SSM Silver, BBH, lensed B, lensed A, Gold, Silver, Bronze.",
        ),
        (
            "grade ntt-kilonova<priority 1",
            'No grade of ntt-kilonova is worse than "Priority 1"; that grade itself is grade'
            ' ntt-kilonova="Priority 1".',
        ),
    ],
)
def test_a_wrong_name_gets_a_sentence_with_the_right_one(words: str, sentence: str) -> None:
    with pytest.raises(FilterSyntaxError) as refused:
        check_references(parse_criteria(words), SETS)
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    "words",
    ["criteria rubin-2026 ntt-kilonova",
     "grade ntt-kilonova>=gold", "grade rubin-2026>=Silver",
     'grade rubin-2026="lensed A"', "grade rubin-2026=BBH", "grade tarot", "BNS",
     "grade rubin-2026=ssm gold"],
)  # fmt: skip
def test_what_is_there_passes(words: str) -> None:
    criteria = parse_criteria(words)
    check_references(criteria, SETS)
    if criteria.filter is not None:
        check_filter_references(criteria.filter, SETS)


@pytest.mark.parametrize("slug", sorted(SETS.keys() - {"rubin-2026"}))
def test_grades_of_every_set_but_rubins_are_in_an_order(slug: str) -> None:
    grades = [grade.name for grade in SETS[slug].grades]
    for name in grades:
        check_filter_references(GradeCondition(slug, Op.GE, name), SETS)
    for name in grades[1:]:
        check_filter_references(GradeCondition(slug, Op.GT, name), SETS)


@pytest.mark.parametrize("name", ["and", "Or", "NOT", "if", "Notify", "A notify B"])
def test_a_grade_whose_name_couldnt_be_read_in_a_condition_isnt_made(name: str) -> None:
    with pytest.raises(FilterSyntaxError, match="is no name for a grade"):
        parse_grades(f"{name}: NS")


words_of_names = st.sampled_from(
    [
        "all",
        "mock",
        "BNS",
        "grade",
        "criteria",
        "from",
        "A+",
        "mass-gap",
        "above",
        "of",
        "last",
        "Gold",
        "x",
        "5",
    ]
)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(
    st.one_of(st.from_regex(GRADE_NAME, fullmatch=True), st.lists(words_of_names, min_size=1).map(" ".join)),
    st.sampled_from(Op),
)
def test_each_name_that_a_grade_may_have_can_be_compared_everywhere(name: str, op: Op) -> None:
    try:
        (grade,) = parse_grades(f"{name}: NS")
    except FilterSyntaxError:
        return
    wanted = GradeCondition("x", op, grade.name)
    beside = parse_filter("BNS distance<300")
    criteria = Criteria(
        filter=beside & (wanted | ~wanted),
        mock=True,
        notify=MentionRule(targets=("<!here>",), condition=~wanted & beside),
    )
    assert parse_criteria(criteria.canonical) == criteria
    question = parse_event_question(f"5 {wanted.canonical} mock last week", NOW)
    assert question.criteria.filter == wanted
    check_references(
        criteria, {"x": CriteriaSet(slug="x", grades=(Grade("Best", beside), grade, Grade("Last", beside)))}
    )


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.from_regex(SLUG, fullmatch=True))
def test_each_name_that_a_set_may_have_can_be_chosen_and_compared(slug: str) -> None:
    try:
        slug = parse_slug(slug)
    except FilterSyntaxError:
        return
    found = parse_criteria(f"criteria {slug} lowsig grade {slug} BNS")
    assert found.criteria_sets == (slug,)
    assert found.filter == GradeCondition(slug) & parse_filter("BNS")
    assert parse_event_question(f"grade {slug} this week", NOW).criteria.filter == GradeCondition(slug)


def test_without_any_set_it_is_said() -> None:
    with pytest.raises(FilterSyntaxError, match="there is none yet"):
        check_references(parse_criteria("criteria x"), {})
