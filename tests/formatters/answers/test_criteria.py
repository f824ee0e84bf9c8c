"""Answers about criteria sets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from formatters.answers import criteria, criteria_changes, search_results
from formatters.blockkit.message import Message
from formatters.models.criteria_set import (
    GRADES_MAX,
    SETS_MAX,
    ConditionOutcome,
    CriteriaSet,
    Grade,
    GradeExplanation,
    GradeOutcome,
    SetExplanation,
    Stage,
    Verdict,
    WhyUndecided,
)
from formatters.models.filter import Compare, Filter, Op, SiteQuery, VisibleFrom
from formatters.models.notice import Notice
from formatters.models.superevent import Superevent
from formatters.terminal import message_text
from formatters.text import vocabulary

NOW = datetime(2024, 11, 26, 4, 40, tzinfo=UTC)
NS = Compare("NS", Op.GE, 0.5)
NTT = CriteriaSet(
    slug="ntt-kilonova",
    grades=(
        Grade("Gold", NS & Compare("distance", Op.LT, 150.0) & Compare("area90", Op.LT, 50.0)),
        Grade("Silver", NS & Compare("distance", Op.LT, 300.0)),
    ),
)
RUBIN = CriteriaSet(
    slug="rubin-2026",
    grades=tuple(Grade(name, None) for name in ("Gold", "Silver", "Bronze")),
    is_built_in=True,
    judges_initial=True,
    source="Rubin's strategy at 22dbfa2; gwevent's reading, not Rubin's word.",
)
HELD_NS = ConditionOutcome(text="NS", verdict=Verdict.HELD, value=0.96, limit=0.5, unit="probability")
TOO_FAR = ConditionOutcome(text="distance<150", verdict=Verdict.FAILED, value=168.3, limit=150, unit="Mpc")
NO_AREA = ConditionOutcome(text="area90<50", verdict=Verdict.UNDECIDED, limit=50, unit="deg²")
SILVER = SetExplanation(
    outcome=GradeOutcome(slug="ntt-kilonova", grades=("Silver",), rank=1),
    grades=(
        GradeExplanation(grade="Gold", verdict=Verdict.FAILED, conditions=(HELD_NS, TOO_FAR, NO_AREA)),
        GradeExplanation(
            grade="Silver",
            verdict=Verdict.HELD,
            conditions=(
                HELD_NS,
                ConditionOutcome(
                    text="distance<300", verdict=Verdict.HELD, value=168.3, limit=300, unit="Mpc"
                ),
            ),
        ),
    ),
    judged="PRELIMINARY 2",
)
RUBIN_NONE = SetExplanation(
    outcome=GradeOutcome(slug="rubin-2026", stage=Stage.WOULD_BE),
    grades=tuple(
        GradeExplanation(
            grade=category,
            verdict=Verdict.FAILED,
            conditions=(
                *([] if category == "SSM" else [HELD_NS]),
                ConditionOutcome(
                    text="FAR < 1 per year",
                    verdict=Verdict.FAILED,
                    value=4e-8,
                    limit=3.17e-8,
                    unit="Hz",
                    section="§2.1",
                ),
            ),
        )
        for category in ("SSM", "BBH", "lensed BNS", "BNS/NSBH")
    ),
    judged="PRELIMINARY 2",
)


def shown(message: Message) -> str:
    return message_text.render(message).replace("\u00a0", " ")


@pytest.fixture
def bns(stories: dict[str, list[Notice]]) -> Superevent:
    story = Superevent.from_notices(stories["bns"])
    return story.up_to(story.notices[1])


def past(superevent: Superevent, count: int) -> list[criteria.PastGrade]:
    one = criteria.PastGrade(superevent=superevent, outcome=SILVER.outcome)
    return [one] * count


def test_a_set_is_explained(
    bns: Superevent, check: Callable[[Message], Message], golden: Callable[[str, Message], None]
) -> None:
    message = check(criteria.explained(NTT, bns, SILVER, past(bns, 3), NOW))
    golden("answer-criteria-show", message)
    said = shown(message)
    assert "ntt-kilonova: Silver" in message.text and bns.superevent_id in message.text
    assert "Judged: PRELIMINARY 2. Event of 2024-11-26 02:10 UTC (2.4 h ago)." in said
    assert "Gold: doesn't hold\n✓ NS: 96 %\n✗ distance<150: 168 Mpc, 18 Mpc too far\n? area90<50" in said
    assert "Silver: holds" in said
    assert "The newest 3 other significant events" in said and "2024-11-26 · Silver" in said
    assert "Gold: NS distance<150 area90<50" in said


def test_the_night_is_said_where_visibility_is_judged(bns: Superevent) -> None:
    seen = CriteriaSet(slug="x", grades=(Grade("A", VisibleFrom(SiteQuery("Palomar"))),))
    assert "for the night of that notice" in shown(criteria.explained(seen, bns, SILVER, [], NOW))
    assert "for the night of that notice" not in shown(criteria.explained(NTT, bns, SILVER, [], NOW))


def test_of_two_maps_the_judged_one_is_named(stories: dict[str, list[Notice]]) -> None:
    raven = Superevent.from_notices(stories["raven"])
    combined = next(n for n in reversed(raven.notices) if n.best_localization is not n.localization)
    then = raven.up_to(combined)
    name = vocabulary.notice_name(then, combined)
    judged = replace(SILVER, judged=vocabulary.numbered_alert_type(then, combined))
    assert f"Judged: {name}, by its combined map." in shown(criteria.explained(NTT, then, judged, [], NOW))
    assert f"Judged: {name}, by its GW map, not the combined one." in shown(
        criteria.explained(RUBIN, then, replace(RUBIN_NONE, judged=judged.judged), [], NOW)
    )


def test_a_built_in_set_names_its_source_and_sections(bns: Superevent) -> None:
    said = shown(criteria.explained(RUBIN, bns, RUBIN_NONE, [], NOW))
    assert "22dbfa2" in said and "gwevent's reading, not Rubin's word" in said
    assert "✗ FAR < 1 per year: 1 per 9.5 months, 26 % too often (§2.1)" in said
    assert "would not trigger" in said


@pytest.mark.parametrize("kind", ["mock", "low_significance"])
def test_marks_stand_before_the_event(kind: str, stories: dict[str, list[Notice]]) -> None:
    superevent = Superevent.from_notices(stories[kind])
    mark = {"mock": "MOCK RETRACTED", "low_significance": "LOW SIGNIFICANCE"}[kind]
    for message in (
        criteria.explained(NTT, superevent, SILVER, [], NOW),
        criteria.judged(superevent, [(NTT, SILVER), (RUBIN, RUBIN_NONE)], NOW),
    ):
        assert f"{mark} {superevent.superevent_id}" in shown(message)
        assert f"{mark} {superevent.superevent_id}" in message.text


def test_several_sets_say_what_keeps_the_event_from_better_grades(
    bns: Superevent, check: Callable[[Message], Message], golden: Callable[[str, Message], None]
) -> None:
    message = check(
        criteria.judged(
            bns, [(NTT, SILVER), (RUBIN, RUBIN_NONE)], NOW, further=["tarot"], note="All there are."
        )
    )
    golden("answer-criteria-judged", message)
    said = shown(message)
    assert "Gold: ✗ distance<150: 168 Mpc, 18 Mpc too far · ? area90<50: the sky map decides" in said
    assert "lensed BNS" in said and "SSM" not in said, "the nearest two, none that the search rules out"
    assert "Not judged here: tarot" in said and "All there are." in said


RUBIN_SILVER = SetExplanation(
    outcome=GradeOutcome(slug="rubin-2026", grades=("Silver",), rank=1, stage=Stage.STANDS),
    grades=(
        replace(RUBIN_NONE.grades[0]),
        GradeExplanation(
            grade="BNS/NSBH: Silver",
            verdict=Verdict.HELD,
            conditions=(
                ConditionOutcome(
                    text="Ω_obs isn't empty (Gold below 100 deg²)",
                    verdict=Verdict.HELD,
                    value=169,
                    limit=0,
                    unit="deg²",
                ),
                HELD_NS,
            ),
        ),
    ),
    judged="INITIAL",
)


def test_conditions_that_all_wait_for_the_map_are_counted(bns: Superevent) -> None:
    waiting = SetExplanation(
        outcome=GradeOutcome(slug="x", undecided=("Gold",), why_undecided=WhyUndecided.NO_MAP),
        grades=(
            GradeExplanation(
                grade="Gold", verdict=Verdict.UNDECIDED, conditions=(TOO_FAR, NO_AREA, NO_AREA, NO_AREA)
            ),
        ),
    )
    said = shown(criteria.judged(bns, [(NTT, waiting)], NOW))
    assert "Gold: ✗ distance<150: 168 Mpc, 18 Mpc too far · ? 3 conditions: no map yet" in said


def test_of_categories_what_decides_the_grade_is_said(bns: Superevent) -> None:
    said = shown(criteria.judged(bns, [(NTT, SILVER), (RUBIN, RUBIN_SILVER)], NOW))
    assert "BNS/NSBH: Silver: ✓ Ω_obs isn't empty (Gold below 100 deg²): 169 deg²" in said
    assert "SSM" not in said
    ended = replace(SILVER, outcome=replace(SILVER.outcome, stage=Stage.ENDED))
    assert "✗" not in shown(criteria.judged(bns, [(NTT, ended)], NOW)), "nobody acts on it any more"
    assert "Judged: PRELIMINARY 2 (ntt-kilonova); INITIAL (rubin-2026)." in said
    whole = shown(criteria.explained(RUBIN, bns, RUBIN_SILVER, [], NOW))
    assert whole.index("BNS/NSBH: Silver: holds") < whole.index("SSM: doesn't hold"), "what holds comes first"
    assert "Ω_obs: what Rubin can observe of the 90 % region in the 24 h from the event." in whole


def test_what_an_undecided_condition_waits_for_is_said(bns: Superevent) -> None:
    waiting = replace(
        SILVER,
        outcome=replace(SILVER.outcome, undecided=("Gold",), why_undecided=WhyUndecided.NO_MAP),
    )
    said = shown(criteria.explained(NTT, bns, waiting, [], NOW))
    assert "ntt-kilonova: Silver; Gold undecided (no map yet)" in said
    assert "? area90<50: no map yet" in said


def test_without_numbers_or_by_a_fault_of_its_own_gwevent_says_why_nothing_was_judged(
    bns: Superevent, check: Callable[[Message], Message]
) -> None:
    nothing = SetExplanation(outcome=GradeOutcome(slug="ntt-kilonova", stage=Stage.ENDED), grades=())
    failed = GradeOutcome(slug="ntt-kilonova", undecided=("Gold",), why_undecided=WhyUndecided.NOT_JUDGED)
    for explanation, said in (
        (nothing, "No notice states numbers to judge."),
        (SetExplanation(outcome=failed, grades=()), "gwevent couldn't judge it, by a fault of its own"),
    ):
        assert said in shown(check(criteria.explained(NTT, bns, explanation, [], NOW)))
        check(criteria.judged(bns, [(NTT, explanation)], NOW))


def test_the_list_fits_a_phone(
    check: Callable[[Message], Message], golden: Callable[[str, Message], None]
) -> None:
    listed = criteria.ListedSets(own=[NTT], built_in=[RUBIN], shown={"rubin-2026"})
    message = check(criteria.set_list(listed))
    golden("answer-criteria-list", message)
    assert "rubin-2026  Gold · Silver · Bronze · shown here" in shown(message)
    assert "show none" not in shown(message)
    nothing = check(criteria.set_list(criteria.ListedSets(own=[], built_in=[RUBIN], shown=())))
    assert "none yet" in shown(nothing) and "messages show none" in shown(nothing)
    many = [replace(NTT, slug=f"set-{n}", grades=many_grades()) for n in range(SETS_MAX)]
    long = check(criteria.set_list(criteria.ListedSets(own=many, built_in=[RUBIN], shown=())))
    assert len(shown(long).splitlines()) <= 28
    assert f"and {SETS_MAX - 12} more: set-12, set-13" in shown(long) and "14 more" in shown(long)


def many_grades() -> tuple[Grade, ...]:
    return tuple(Grade(f"Priority number {n:04}", NS) for n in range(GRADES_MAX))


def explanation_of(grades: Sequence[Grade], count: int, text: str) -> SetExplanation:
    conditions = tuple(
        ConditionOutcome(
            text=text, verdict=list(Verdict)[n % 4], value=168.0, limit=150, unit="Mpc", section="§2.1"
        )
        for n in range(count)
    )
    return SetExplanation(
        outcome=GradeOutcome(slug="big"),
        grades=tuple(
            GradeExplanation(grade=one.name, verdict=Verdict.FAILED, conditions=conditions) for one in grades
        ),
        judged="UPDATE",
    )


@pytest.mark.slow
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    count=st.integers(0, 40),
    text=st.sampled_from(["V1", "distance<150", "<&>" * 20, "x" * 3_000]),
    typed=st.sampled_from([10.0, 1 / 3]),
)
def test_the_largest_set_keeps_slacks_limits_and_counts_what_is_left_out(
    bns: Superevent, check: Callable[[Message], Message], count: int, text: str, typed: float
) -> None:
    each = NS & Compare("distance", Op.LT, typed) & Compare("area90", Op.LT, typed)
    big = CriteriaSet(slug="big", grades=tuple(Grade(g.name, each) for g in many_grades()))
    explanation = explanation_of(big.grades, count, text)
    message = check(criteria.explained(big, bns, explanation, past(bns, 10), NOW))
    said = shown(message)
    assert all(f"{grade.name}: doesn't hold" in said for grade in big.grades)
    if count == 40:
        assert "conditions more than there is room for" in said
    check(criteria.judged(bns, [(big, explanation)] * criteria.MAX_JUDGED, NOW, further=["x" * 30] * 38))
    check(criteria.definition(big, "Added."))


def test_the_definition_of_one_huge_grade_is_counted(check: Callable[[Message], Message]) -> None:
    every: Filter = NS
    for value in range(200):
        every = every | Compare("distance", Op.LT, float(value))
    huge = CriteriaSet(slug="huge", grades=(Grade("A", every), Grade("B", NS)))
    said = shown(check(criteria.definition(huge)))
    assert "B: NS" in said and "1 grade more, too long for this message" in said


def test_answers_to_changes_count_what_they_have_no_room_to_name() -> None:
    places = ["D0AB1", *(f"C{number}" for number in range(11))]
    used = shown(criteria_changes.in_use("ours", [(place, 1) for place in places], ()))
    assert "subscription 1 of a direct message" in used and "and 2 more. Edit or end these first." in used
    lost = shown(criteria_changes.in_use("ours", [("C1", 2)], ["Gold"]))
    assert "Gold of ours would disappear" in lost and "subscription 2 of" in lost
    told = shown(criteria_changes.edited(NTT, places))
    assert "used in a direct message" in told and "and 2 more channels, and posted there." in told
    doubts = shown(criteria_changes.doubtful([f"Doubt {number}." for number in range(12)]))
    assert "Doubt 9." in doubts and "Doubt 10." not in doubts and "2 more grades are like that." in doubts


def test_names_from_people_are_escaped(bns: Superevent) -> None:
    forged = explanation_of((Grade("<!channel>", NS),), 1, "<!here> *x*")
    message = criteria.explained(NTT, bns, forged, [], NOW)
    assert "<!channel>" not in str(message.blocks) and "<!here>" not in str(message.blocks)


def test_an_event_of_long_ago_says_so(bns: Superevent) -> None:
    said = shown(criteria.explained(NTT, bns, SILVER, [], NOW + timedelta(days=800)))
    assert "(2 yr ago)" in said


@pytest.mark.parametrize("words", ["CBC", "CBC " + "BNS<0.5 " * 370])
@pytest.mark.parametrize("sets", [1, 5])
def test_lists_of_events_keep_slacks_limits_with_grades(
    bns: Superevent, check: Callable[[Message], Message], words: str, sets: int
) -> None:
    long = GradeOutcome(
        slug="a" * 30,
        grades=("G" * 20,),
        rank=0,
        undecided=("H" * 20,) * 3,
        why_undecided=WhyUndecided.NO_MAP,
    )
    hits = [search_results.SearchHit(superevent=bns, grades=(SILVER.outcome, *[long] * (sets - 1)))] * 20
    found = search_results.SearchResults(
        canonical=words.strip(), newest_hits=hits, count=20, candidates=40, note="x" * 300
    )
    said = shown(check(search_results.backtest_message(found, NOW)))
    assert said.count(bns.superevent_id) >= 20, "no event is left out for the grades"
    assert "· ntt-kilonova: Silver" in said
    if sets > 1:
        assert "· 3 more" in said
        assert ("for want of room" in said) == (len(words) > 1_000)
