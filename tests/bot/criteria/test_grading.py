"""Which grade a criteria set gives: the first that holds, what is undecided and why, what is judged."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.criteria.grading import (
    PENDING,
    compare_grade,
    explain,
    grade,
    judged_notices,
    required_notices,
    required_queries,
)
from bot.criteria.measurements import MapMeasurements
from bot.criteria.parsing import parse_grades
from bot.criteria.presets import BUILT_IN
from bot.criteria.resolution import resolve_filter
from bot.filters import evaluate_filter, extract_attributes, parse_filter
from formatters.models.criteria_set import CriteriaSet, Grade, GradeOutcome, Stage, Verdict, WhyUndecided
from formatters.models.filter import Compare, FarCompare, Filter, GradeCondition, GradeQuery, Op, map_queries
from formatters.models.notice import Distance, Localization, Notice
from formatters.models.superevent import Superevent
from formatters.text.condition_lines import condition_line
from tests.support.factories import MOCK, decoded_notice
from tests.support.filter_strategies import SKY, any_filter

CONE = "near 197 -23 5deg>0.5"
KILONOVA = CriteriaSet(
    slug="ntt-kilonova",
    grades=parse_grades("Gold: NS distance<150 area90<50; Silver: NS distance<300 area90<200; Bronze: NS"),
)
TAROT, RUBIN = BUILT_IN["tarot"], BUILT_IN["rubin-2026"]


def sky(area: float = 40.0, distance: float | None = 100.0) -> Localization:
    mean = None if distance is None else Distance(mean=distance, std=20.0)
    return replace(SKY, area_90=area, distance=mean)


def notice(
    alert_type: str = "PRELIMINARY", minutes: float = 0, where: Localization | None = None, **facts: Any
) -> Notice:
    return replace(decoded_notice(alert_type=alert_type, minutes=minutes, **facts), localization=where)


def event(*notices: Notice) -> Superevent:
    return Superevent.from_notices(notices)


def made_set(text: str, **facts: Any) -> CriteriaSet:
    return CriteriaSet(slug="mine", grades=parse_grades(text), **facts)


@pytest.mark.parametrize(
    ("area", "distance", "expected"),
    [(40, 100, "Gold"), (60, 100, "Silver"), (40, 200, "Silver"), (300, 100, "Bronze"), (40, 900, "Bronze")],
)
def test_first_grade_that_holds_is_the_grade(area: float, distance: float, expected: str) -> None:
    outcome = grade(KILONOVA, event(notice(where=sky(area, distance))), {})
    names = [one.name for one in KILONOVA.grades]
    assert outcome == GradeOutcome(slug="ntt-kilonova", grades=(expected,), rank=names.index(expected))


def test_no_grade_where_none_holds() -> None:
    hopeless = notice(where=sky(), classification={"BNS": 0.0, "NSBH": 0.0, "BBH": 1.0, "Terrestrial": 0.0})
    assert grade(KILONOVA, event(hopeless), {}) == GradeOutcome(slug="ntt-kilonova")


class TestUndecided:
    def test_better_grades_that_wait_for_a_map_are_undecided(self) -> None:
        outcome = grade(KILONOVA, event(notice()), {})
        assert outcome.grades == ("Bronze",)
        assert outcome.undecided == ("Gold", "Silver")
        assert outcome.why_undecided is WhyUndecided.NO_MAP

    def test_grade_that_fails_anyway_is_not_undecided(self) -> None:
        set_ = made_set("Gold: BNS>0.99 area90<50; Silver: BNS area90<200; Bronze: BNS")
        assert grade(set_, event(notice()), {}).undecided == ("Silver",)

    def test_worse_grades_than_a_certain_one_are_not_undecided(self) -> None:
        outcome = grade(made_set("Gold: BNS; Silver: area90<200"), event(notice()), {})
        assert (outcome.grades, outcome.undecided, outcome.why_undecided) == (("Gold",), (), None)

    def test_map_that_is_to_be_measured_is_pending(self) -> None:
        set_ = made_set(f"Gold: {CONE}; Silver: BNS")
        given = event(notice(where=sky()))
        outcome = grade(set_, given, {given.latest.key: PENDING})
        assert (outcome.grades, outcome.undecided) == (("Silver",), ("Gold",))
        assert outcome.why_undecided is WhyUndecided.MAP_PENDING

    def test_measured_map_decides(self) -> None:
        set_ = made_set(f"Gold: {CONE}; Silver: BNS")
        (query,) = required_queries(set_)
        given = event(notice(where=sky()))
        for share, expected in ((0.6, "Gold"), (0.4, "Silver")):
            measured = {given.latest.key: MapMeasurements(probabilities={query: share})}
            assert grade(set_, given, measured) == GradeOutcome(
                slug="mine", grades=(expected,), rank=("Gold", "Silver").index(expected)
            )

    def test_map_that_is_gone_leaves_the_value_not_stated(self) -> None:
        given = event(notice(where=sky()))
        for measured in ({}, {given.latest.key: MapMeasurements()}):
            outcome = grade(made_set(f"Gold: {CONE}; Silver: BNS"), given, measured)
            assert (outcome.grades, outcome.undecided) == (("Silver",), ("Gold",))
            assert outcome.why_undecided is WhyUndecided.NOT_STATED

    def test_map_that_cannot_be_read_is_no_map_to_wait_for(self) -> None:
        unreadable = replace(notice(), map_problem="The map is empty.")
        outcome = grade(KILONOVA, event(unreadable), {})
        assert outcome.why_undecided is WhyUndecided.NOT_STATED

    def test_value_that_the_notice_lacks_is_not_stated(self) -> None:
        outcome = grade(made_set("Gold: HasSSM>0.5; Silver: BNS"), event(notice(where=sky())), {})
        assert (outcome.grades, outcome.undecided) == (("Silver",), ("Gold",))
        assert outcome.why_undecided is WhyUndecided.NOT_STATED

    def test_map_may_still_deny_where_a_value_is_missing_too(self) -> None:
        set_ = made_set("Gold: HasSSM>0.5 area90<50")
        assert grade(set_, event(notice()), {}).why_undecided is WhyUndecided.NO_MAP
        assert grade(set_, event(notice(where=sky(60))), {}).undecided == ()
        outcome = grade(set_, event(notice(where=sky(40))), {})
        assert (outcome.undecided, outcome.why_undecided) == (("Gold",), WhyUndecided.NOT_STATED)

    def test_map_is_named_where_some_grades_wait_for_it_and_others_for_a_value(self) -> None:
        outcome = grade(made_set("Gold: HasSSM>0.5; Silver: area90<50"), event(notice()), {})
        assert outcome.undecided == ("Gold", "Silver")
        assert outcome.why_undecided is WhyUndecided.NO_MAP

    @pytest.mark.parametrize("text", ["Gold: BNS", "Gold: not BNS", "Gold: distance<100", "Gold: z>0.1"])
    def test_burst_is_not_undecided_about_what_bursts_never_state(self, text: str) -> None:
        burst = notice(group="Burst", search="AllSky", pipeline="cwb", classification={}, properties={})
        assert grade(made_set(text), event(burst), {}) == GradeOutcome(slug="mine")

    def test_negation_of_what_is_missing_is_undecided_too(self) -> None:
        outcome = grade(made_set("Gold: not area90<50"), event(notice()), {})
        assert (outcome.grades, outcome.undecided) == ((), ("Gold",))


class TestRetraction:
    """A retraction ends what an INITIAL triggered; once the event is a candidate again it isn't triggered."""

    INITIAL = notice("INITIAL", 1, sky(100))
    GONE = notice("RETRACTION", 2)

    def test_later_notice_would_trigger_if_another_initial_came(self) -> None:
        again = event(self.INITIAL, self.GONE, notice("UPDATE", 3, sky(90)))
        outcome = grade(TAROT, again, {})
        assert (outcome.grades, outcome.stage, outcome.newest_grades) == (("Trigger",), Stage.WOULD_BE, None)
        assert explain(TAROT, again, {}).judged == "UPDATE"

    def test_another_initial_triggers(self) -> None:
        again = event(self.INITIAL, self.GONE, notice("INITIAL", 3, sky(300)), notice("UPDATE", 4, sky(90)))
        outcome = grade(TAROT, again, {})
        assert (outcome.grades, outcome.stage, outcome.newest_grades) == ((), Stage.STANDS, ("Trigger",))

    def test_retracted_again_nothing_had_stood_since(self) -> None:
        twice = event(self.INITIAL, self.GONE, notice("UPDATE", 3, sky(90)), notice("RETRACTION", 4))
        assert grade(TAROT, twice, {}).never_stood
        repeated = event(self.INITIAL, self.GONE, notice("RETRACTION", 4))
        outcome = grade(TAROT, repeated, {})
        assert (outcome.grades, outcome.stage, outcome.never_stood) == (("Trigger",), Stage.ENDED, False)


class TestJudgedNotice:
    def test_ordinary_set_judges_the_newest_notice(self) -> None:
        given = event(
            notice("INITIAL", 1, sky(40, 100)), notice("UPDATE", 2, sky(300, 100)), notice(where=sky(60, 100))
        )
        outcome = grade(KILONOVA, given, {})
        assert (outcome.grades, outcome.stage, outcome.newest_grades) == (("Bronze",), Stage.CURRENT, None)

    def test_before_an_initial_its_grade_would_be(self) -> None:
        given = event(notice("EARLYWARNING", where=sky(900)), notice(minutes=1, where=sky(100)))
        outcome = grade(TAROT, given, {})
        assert (outcome.grades, outcome.stage, outcome.newest_grades) == (("Trigger",), Stage.WOULD_BE, None)

    def test_update_without_a_known_initial_would_be_too(self) -> None:
        outcome = grade(TAROT, event(notice("UPDATE", where=sky(100))), {})
        assert (outcome.grades, outcome.stage) == (("Trigger",), Stage.WOULD_BE)

    def test_grade_of_the_initial_stands(self) -> None:
        initial, update = notice("INITIAL", 1, sky(100)), notice("UPDATE", 2, sky(900))
        outcome = grade(TAROT, event(notice(where=sky(900)), initial, update), {})
        assert (outcome.grades, outcome.stage, outcome.newest_grades) == (("Trigger",), Stage.STANDS, ())
        assert grade(TAROT, event(initial), {}).newest_grades is None

    def test_update_cannot_trigger_what_the_initial_did_not(self) -> None:
        given = event(notice("INITIAL", 1, sky(900)), notice("UPDATE", 2, sky(100)))
        outcome = grade(TAROT, given, {})
        assert (outcome.grades, outcome.rank, outcome.newest_grades) == ((), None, ("Trigger",))

    def test_newest_of_several_initials_is_judged(self) -> None:
        given = event(notice("INITIAL", 3, sky(100)), notice("INITIAL", 1, sky(900)))
        outcome = grade(TAROT, given, {})
        assert (outcome.grades, outcome.newest_grades) == (("Trigger",), None)

    def test_numbers_of_an_update_that_are_not_decided_are_not_said(self) -> None:
        given = event(notice("INITIAL", 1, sky(100)), notice("UPDATE", 2))
        assert grade(TAROT, given, {}).newest_grades is None

    @pytest.mark.parametrize("set_", [KILONOVA, TAROT])
    def test_retraction_ends_the_grade(self, set_: CriteriaSet) -> None:
        before = event(notice("INITIAL", 1, sky(40, 100)), notice("UPDATE", 2, sky(100, 100)))
        stood = grade(set_, before, {})
        ended = grade(set_, event(*before.notices, notice("RETRACTION", 3)), {})
        assert ended == replace(stood, stage=Stage.ENDED, newest_grades=None)

    def test_retraction_ends_a_grade_that_would_have_been(self) -> None:
        ended = grade(TAROT, event(notice(where=sky(100)), notice("RETRACTION", 3)), {})
        assert (ended.grades, ended.stage) == (("Trigger",), Stage.ENDED)

    def test_nothing_is_undecided_any_more_once_retracted(self) -> None:
        ended = grade(KILONOVA, event(notice(), notice("RETRACTION", 3)), {})
        assert (ended.grades, ended.undecided, ended.why_undecided) == (("Bronze",), (), None)

    def test_retraction_alone_has_no_grade(self) -> None:
        for set_ in (KILONOVA, *BUILT_IN.values()):
            alone = event(notice("RETRACTION"))
            assert grade(set_, alone, {}) == GradeOutcome(slug=set_.slug, stage=Stage.ENDED)
            assert explain(set_, alone, {}).grades == ()

    def test_mock_of_low_significance_is_judged_like_any_other(self) -> None:
        mock = decoded_notice(MOCK, significant=False)
        assert grade(BUILT_IN["lasair"], event(mock), {}).grades == ("Watch",)


class TestRequiredMaps:
    def test_no_map_is_required_where_the_numbers_decide(self) -> None:
        given = event(notice(where=sky()))
        assert required_notices(KILONOVA, given) == ()
        assert required_notices(made_set(f"Gold: BBH {CONE}"), given) == ()
        assert required_notices(made_set(f"Gold: BNS; Silver: {CONE}"), given) == ()

    def test_map_is_required_where_it_may_change_the_grade(self) -> None:
        given = event(notice(where=sky()), notice("UPDATE", 1, sky()))
        assert required_notices(made_set(f"Gold: {CONE}; Silver: BNS"), given) == (given.latest,)

    def test_map_that_may_deny_what_a_missing_value_leaves_open_is_required(self) -> None:
        given = event(notice(where=sky()))
        assert required_notices(made_set(f"Gold: HasSSM>0.5 {CONE}"), given) == (given.latest,)
        assert required_notices(made_set(f"Gold: HasSSM>0.5; Silver: BBH {CONE}"), given) == ()

    def test_notice_without_a_map_is_not_required(self) -> None:
        assert required_notices(made_set(f"Gold: {CONE}"), event(notice())) == ()

    def test_initial_and_newest_notice_are_required_of_a_set_that_judges_the_initial(self) -> None:
        given = event(
            *(notice(kind, n, sky()) for n, kind in enumerate(("PRELIMINARY", "INITIAL", "UPDATE")))
        )
        assert required_notices(RUBIN, given) == (given.notices[1], given.notices[2])
        assert judged_notices(RUBIN, event(given.notices[1])) == (given.notices[1],)


RUBIN_OUTCOME = GradeOutcome(slug="rubin-2026", grades=("lensed A", "Bronze"), rank=4)


@pytest.mark.parametrize(
    ("op", "name", "expected"),
    [
        (Op.GE, None, True),
        (Op.EQ, "Bronze", True),
        (Op.GE, "Silver", False),
        (Op.LT, "gold", True),
        (Op.EQ, "BBH", False),
        (Op.GE, "Platinum", None),
    ],
)
def test_grades_of_rubin_compare_within_their_category(
    op: Op, name: str | None, expected: bool | None
) -> None:
    assert compare_grade(RUBIN, RUBIN_OUTCOME, GradeQuery("rubin-2026", op, name)) is expected


@pytest.mark.parametrize(
    ("op", "name", "expected"),
    [
        (Op.GE, None, True),
        (Op.GE, "Silver", True),
        (Op.EQ, "Silver", None),
        (Op.GE, "Gold", None),
        (Op.LT, "Gold", None),
        (Op.LE, "Bronze", False),
    ],
)
def test_comparison_is_unknown_where_an_undecided_grade_would_change_it(
    op: Op, name: str | None, expected: bool | None
) -> None:
    outcome = GradeOutcome(
        slug="ntt-kilonova",
        grades=("Silver",),
        rank=1,
        undecided=("Gold",),
        why_undecided=WhyUndecided.NO_MAP,
    )
    assert compare_grade(KILONOVA, outcome, GradeQuery("ntt-kilonova", op, name)) is expected


def test_no_grade_compares_as_nothing() -> None:
    for op in Op:
        assert compare_grade(KILONOVA, GradeOutcome(slug="x"), GradeQuery("x", op, "Silver")) is False


def test_rubin_waits_for_the_map_and_says_which_grades_it_may_give() -> None:
    given = event(notice(where=sky(400)))
    outcome = grade(RUBIN, given, {given.latest.key: PENDING})
    assert (outcome.undecided, outcome.why_undecided) == (
        ("Gold", "Silver", "Bronze"),
        WhyUndecided.MAP_PENDING,
    )
    assert grade(RUBIN, event(notice()), {}).why_undecided is WhyUndecided.NO_MAP
    assert grade(RUBIN, event(notice(far=1e-6)), {}) == GradeOutcome(slug="rubin-2026", stage=Stage.WOULD_BE)


def test_grade_decided_by_code_that_this_version_lacks_is_not_judged() -> None:
    unknown = CriteriaSet(slug="rubin-2030", grades=(Grade("Gold", None),), is_built_in=True)
    outcome = grade(unknown, event(notice()), {})
    assert (outcome.undecided, outcome.why_undecided) == (("Gold",), WhyUndecided.NOT_JUDGED)


class TestExplanation:
    def test_each_condition_has_its_verdict_and_numbers(self) -> None:
        explained = explain(KILONOVA, event(notice(where=sky(40.25, 168.5))), {})
        gold = explained.grades[0]
        assert (gold.grade, gold.verdict) == ("Gold", Verdict.FAILED)
        assert [(c.text, c.verdict, c.value, c.limit, c.unit) for c in gold.conditions] == [
            ("NS", Verdict.HELD, pytest.approx(0.96), 0.5, "probability"),
            ("distance<150", Verdict.FAILED, 168.5, 150.0, "Mpc"),
            ("area90<50", Verdict.HELD, 40.25, 50.0, "deg²"),
        ]
        assert explained.outcome.grades == ("Silver",)
        assert explained.judged == "PRELIMINARY"

    def test_judged_notice_is_named_with_its_number(self) -> None:
        given = event(notice(), notice(minutes=1))
        assert explain(KILONOVA, given, {}).judged == "PRELIMINARY 2"
        assert explain(TAROT, event(*given.notices, notice("INITIAL", 2)), {}).judged == "INITIAL"

    def test_condition_on_a_missing_map_is_undecided_and_on_a_missing_value_unknown(self) -> None:
        (gold,) = explain(made_set("Gold: area90<50 HasSSM>0.5"), event(notice()), {}).grades
        assert [c.verdict for c in gold.conditions] == [Verdict.UNDECIDED, Verdict.UNKNOWN]
        assert [c.value for c in gold.conditions] == [None, None]

    def test_what_a_burst_never_states_fails_and_says_so(self) -> None:
        burst = notice(group="Burst", search="AllSky", pipeline="cwb", classification={}, properties={})
        for words in ("BNS", "not BNS"):
            (gold,) = explain(made_set(f"Gold: {words} far<1/yr"), event(burst), {}).grades
            asked, other = gold.conditions
            assert gold.verdict is asked.verdict is Verdict.FAILED and other.verdict is Verdict.HELD
            assert asked.is_never_stated and not other.is_never_stated
            assert condition_line(asked) == f"✗ {words}: never stated for this kind of event"

    def test_alternatives_are_one_condition_with_the_numbers_of_each(self) -> None:
        (gold,) = explain(made_set("Gold: (BNS>0.99 or far<1/yr) V1"), event(notice()), {}).grades
        either = gold.conditions[0]
        assert (either.text, either.verdict) == ("BNS>0.99 or far<1/yr", Verdict.HELD)
        assert [(c.text, c.verdict, c.value) for c in either.alternatives] == [
            ("BNS>0.99", Verdict.FAILED, 0.95),
            ("far<1/yr", Verdict.HELD, 1e-9),
        ]
        assert (gold.conditions[1].text, gold.conditions[1].value) == ("V1", None)

    def test_negated_alternatives_are_conditions_of_their_own(self) -> None:
        (gold,) = explain(made_set("Gold: not (BBH or BNS>0.99)"), event(notice()), {}).grades
        assert [(c.text, c.verdict) for c in gold.conditions] == [
            ("not BBH", Verdict.HELD),
            ("not BNS>0.99", Verdict.HELD),
        ]

    def test_redshift_is_compared_as_the_distance_that_it_is(self) -> None:
        (gold,) = explain(made_set("Gold: z<0.1"), event(notice(where=sky())), {}).grades
        (condition,) = gold.conditions
        assert (condition.value, condition.unit) == (100.0, "Mpc")
        assert condition.limit == pytest.approx(475.8, abs=1)

    def test_answer_of_the_map_is_the_value(self) -> None:
        set_ = made_set(f"Gold: {CONE}")
        given = event(notice(where=sky()))
        (query,) = required_queries(set_)
        measured = {given.latest.key: MapMeasurements(probabilities={query: 0.123456789})}
        ((condition,),) = (g.conditions for g in explain(set_, given, measured).grades)
        assert (condition.verdict, condition.value, condition.limit) == (Verdict.FAILED, 0.123456789, 0.5)

    def test_categories_of_rubin_are_named_with_their_conditions_and_sections(self) -> None:
        explained = explain(RUBIN, event(notice(where=sky())), {})
        assert [one.grade for one in explained.grades] == ["SSM", "BBH", "lensed BNS", "BNS/NSBH"]
        assert all(condition.section for one in explained.grades for condition in one.conditions)


STORY = [
    notice("EARLYWARNING", -1),
    notice("PRELIMINARY", 0, sky(300, 100)),
    notice("PRELIMINARY", 5, sky(60, 100)),
    notice("INITIAL", 20, sky(40, 100)),
    notice("UPDATE", 90, sky(250, 240)),
    notice("RETRACTION", 200),
]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.sampled_from(STORY), min_size=1).flatmap(
        lambda some: st.tuples(st.just(some), st.permutations(some))
    )
)
def test_grade_does_not_depend_on_the_order_of_arrival(both: tuple[list[Notice], list[Notice]]) -> None:
    some, others = both
    for set_ in (KILONOVA, *BUILT_IN.values()):
        one, other = event(*some), event(*others)
        measured = {n.key: PENDING for n in some}
        assert grade(set_, one, measured) == grade(set_, other, measured)
        assert explain(set_, one, {}) == explain(set_, other, {})


PROBABILITIES = st.floats(0, 1)
PARTS = st.one_of(
    st.tuples(st.sampled_from(["BNS", "NSBH", "HasNS", "HasSSM", "NS"]), st.just(Op.GE), PROBABILITIES),
    st.tuples(st.sampled_from(["area90", "distance"]), st.just(Op.LT), st.floats(0, 1000)),
    st.tuples(st.just("far"), st.just(Op.LT), st.floats(0, 1e-7)),
    st.tuples(st.just("z"), st.just(Op.LT), st.floats(0, 1)),
)


def _condition(part: tuple[str, Op, float], strictness: float = 0.0) -> Filter:
    """A condition whose threshold is `strictness` (0 to 1) of the way to what nothing meets."""
    name, op, value = part
    stricter = value + strictness * (1 - value) if op is Op.GE else value * (1 - strictness)
    return FarCompare(op, stricter) if name == "far" else Compare(name, op, stricter)


@st.composite
def sets_and_stricter_ones(draw: st.DrawFn) -> tuple[CriteriaSet, CriteriaSet]:
    """A set without "not", and the same with one threshold stricter."""
    shape = draw(st.lists(st.lists(PARTS, min_size=1, max_size=3), min_size=1, max_size=3))
    joins = [draw(st.booleans()) for _ in shape]
    which = draw(st.sampled_from([(g, p) for g, parts in enumerate(shape) for p in range(len(parts))]))
    by = draw(st.floats(0, 1))
    found = []
    for strictness in (0.0, by):
        grades = []
        for g, parts in enumerate(shape):
            each = [_condition(part, strictness if (g, p) == which else 0.0) for p, part in enumerate(parts)]
            joined = each[0]
            for one in each[1:]:
                joined = joined & one if joins[g] else joined | one
            grades.append(Grade(f"G{g}", joined))
        found.append(CriteriaSet(slug="mine", grades=tuple(grades)))
    return found[0], found[1]


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(
    sets_and_stricter_ones(),
    st.one_of(st.none(), st.builds(sky, st.floats(1, 1000), st.one_of(st.none(), st.floats(1, 1000)))),
    st.floats(0, 1),
    st.floats(1e-12, 1e-7),
)
def test_stricter_threshold_never_raises_a_grade(
    both: tuple[CriteriaSet, CriteriaSet], where: Localization | None, bns: float, far: float
) -> None:
    classes = {"BNS": bns, "NSBH": (1 - bns) / 2, "BBH": (1 - bns) / 2, "Terrestrial": 0.0}
    given_event = event(notice(where=where, classification=classes, far=far))
    before, after = (grade(set_, given_event, {}) for set_ in both)
    worst = len(both[0].grades)
    rank_before, rank_after = (worst if one.rank is None else one.rank for one in (before, after))
    assert rank_after >= rank_before
    names = [one.name for one in both[0].grades]

    def best_possible(one: GradeOutcome) -> int:
        return min([names.index(name) for name in (*one.grades, *one.undecided)], default=worst)

    assert best_possible(after) >= best_possible(before)


@pytest.mark.slow
@settings(deadline=None, max_examples=300)
@given(
    sets_and_stricter_ones(),
    st.sampled_from(Op),
    st.integers(0, 3),
    st.one_of(st.none(), st.builds(sky, st.floats(1, 1000), st.one_of(st.none(), st.floats(1, 1000)))),
    st.booleans(),
    st.sampled_from([("CBC", "AllSky"), ("Burst", "AllSky"), ("CBC", "SSM")]),
    st.booleans(),
)
def test_condition_on_a_grade_holds_exactly_where_the_grade_compares_so(
    both: tuple[CriteriaSet, CriteriaSet],
    op: Op,
    place: int,
    where: Localization | None,
    is_stated: bool,
    source: tuple[str, str],
    is_denied: bool,
) -> None:
    """Filters and messages never contradict each other, though the two are evaluated differently."""
    set_ = both[1]
    if is_denied:
        set_ = replace(set_, grades=(Grade("G", ~parse_filter("BNS (HasNS or area90<100)")), *set_.grades))
    name = set_.grades[place].name if place < len(set_.grades) else None
    condition = GradeCondition("mine", Op.GE if name is None else op, name)
    resolved = resolve_filter(condition, {"mine": set_})
    group, search = source
    facts: dict[str, Any] = {"group": group, "search": search}
    facts |= {} if is_stated and group != "Burst" and search != "SSM" else {"properties": {}}
    facts |= {"classification": {}} if group == "Burst" or search == "SSM" else {}
    if group == "Burst" and where is not None:
        where = replace(where, distance=None)
    judged = event(notice(where=where, **facts))
    attributes = extract_attributes(judged)
    assert attributes is not None
    found = evaluate_filter(resolved, attributes)
    query = GradeQuery("mine", condition.op, name)
    compares = compare_grade(set_, grade(set_, judged, {}), query)
    if source == ("CBC", "AllSky"):
        assert compares == {1: True, -1: False}.get(found.low if found.low == found.high else 0)
    else:
        # Without a grade a filter may be unknown of what such a notice never states.
        assert (compares is True) is found.matches


def test_every_subset_of_a_story_has_an_outcome_for_every_set() -> None:
    for count in range(1, len(STORY) + 1):
        for some in itertools.combinations(STORY, count):
            for set_ in (KILONOVA, *BUILT_IN.values()):
                outcome = grade(set_, event(*some), {})
                assert (outcome.why_undecided is None) is (not outcome.undecided)
                assert (outcome.rank is None) is (not outcome.grades)
                assert (outcome.stage is Stage.ENDED) is some[-1].is_retraction


@pytest.mark.slow
@settings(deadline=None, max_examples=150)
@given(
    st.lists(any_filter, min_size=1, max_size=4),
    st.lists(st.sampled_from(STORY), min_size=1),
    st.booleans(),
    st.sampled_from(["nothing", "pending", "measured"]),
    st.one_of(st.none(), st.floats(0, 1)),
)
def test_any_filters_give_an_outcome_that_its_explanation_agrees_with(
    filters: list[Filter], some: list[Notice], judges_initial: bool, known: str, share: float | None
) -> None:
    grades = tuple(Grade(f"G{place}", one) for place, one in enumerate(filters))
    set_ = CriteriaSet(slug="mine", grades=grades, judges_initial=judges_initial)
    answered = MapMeasurements(probabilities=dict.fromkeys(required_queries(set_), share))
    given_event = event(*some)
    measurements = {"nothing": MapMeasurements(), "pending": PENDING, "measured": answered}[known]
    explained = explain(set_, given_event, {n.key: measurements for n in given_event.notices})
    outcome = explained.outcome
    assert (outcome.why_undecided is None) is (not outcome.undecided)
    verdicts = [one.verdict for one in explained.grades]
    best = verdicts.index(Verdict.HELD) if Verdict.HELD in verdicts else None
    assert outcome.rank == best and outcome.grades == (() if best is None else (f"G{best}",))
    open_ = [f"G{n}" for n, one in enumerate(verdicts[:best]) if one in (Verdict.UNKNOWN, Verdict.UNDECIDED)]
    if outcome.stage is not Stage.ENDED:
        assert list(outcome.undecided) == open_
    if known != "pending":
        assert outcome.why_undecided is not WhyUndecided.MAP_PENDING
    for one in explained.grades:
        assert one.conditions
        if one.verdict is Verdict.HELD:
            assert all(condition.verdict is Verdict.HELD for condition in one.conditions)
        if one.verdict is Verdict.FAILED:
            assert any(condition.verdict is Verdict.FAILED for condition in one.conditions)


def test_map_queries_of_a_set_are_those_of_its_filters() -> None:
    set_ = made_set(f"Gold: {CONE} visible from Palomar; Silver: BNS {CONE}")
    assert required_queries(set_) == map_queries(parse_filter(f"{CONE} visible from Palomar"))


def test_time_of_the_story_matters_not() -> None:
    """The same notices a year later have the same grades."""
    later = [replace(n, time_created=n.time_created + timedelta(days=365)) for n in STORY]
    for set_ in (KILONOVA, TAROT):
        assert grade(set_, event(*later), {}) == grade(set_, event(*STORY), {})
