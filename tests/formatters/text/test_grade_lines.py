"""What is said about the grades of criteria sets, and when a change of grade is news."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formatters.models.criteria_set import GradeOutcome, Stage, WhyUndecided
from formatters.text import grade_lines
from formatters.text.grade_lines import (
    card_lines,
    ended_line,
    grade_changes,
    grade_line,
    has_risen,
    push_grade,
    short_grade_line,
)

GRADES = ("Gold", "Silver", "Bronze")


def ntt(*grades: str, undecided: tuple[str, ...] = (), stage: Stage = Stage.CURRENT) -> GradeOutcome:
    """Return an outcome of an ordinary set; what is undecided has no map yet."""
    return GradeOutcome(
        slug="ntt-kilonova",
        grades=grades,
        rank=GRADES.index(grades[0]) if grades else None,
        undecided=undecided,
        why_undecided=WhyUndecided.NO_MAP if undecided else None,
        stage=stage,
    )


def rubin(
    *grades: str,
    undecided: tuple[str, ...] = (),
    stage: Stage = Stage.WOULD_BE,
    newest: tuple[str, ...] | None = None,
) -> GradeOutcome:
    """Return an outcome of rubin-2026; what is undecided waits for the map's measurement."""
    return GradeOutcome(
        slug="rubin-2026",
        grades=grades,
        rank=(*GRADES, "lensed A").index(grades[0]) if grades else None,
        undecided=undecided,
        why_undecided=WhyUndecided.MAP_PENDING if undecided else None,
        stage=stage,
        newest_grades=newest,
    )


STANDING = rubin("Gold", stage=Stage.STANDS, newest=("Gold",))
ENDED = rubin("Gold", stage=Stage.ENDED)
NEVER_STOOD = replace(ENDED, never_stood=True)
NONE = rubin(stage=Stage.STANDS, newest=())


@pytest.mark.parametrize(
    ("outcome", "full", "short"),
    [
        (ntt("Silver"), "ntt-kilonova: Silver", "ntt-kilonova: Silver"),
        (ntt(), "ntt-kilonova: no grade", "ntt-kilonova: no grade"),
        (
            ntt("Silver", undecided=("Gold",)),
            "ntt-kilonova: Silver; Gold undecided (no map yet)",
            "ntt-kilonova: Silver; Gold undecided",
        ),
        (
            ntt(undecided=("Gold", "Silver")),
            "ntt-kilonova: undecided, at best Gold (no map yet)",
            "ntt-kilonova: undecided",
        ),
        (
            replace(ntt("Silver", undecided=("Gold",)), why_undecided=WhyUndecided.NOT_STATED),
            "ntt-kilonova: Silver; Gold undecided (a value isn't known)",
            "ntt-kilonova: Silver; Gold undecided",
        ),
        (
            replace(ntt("Bronze"), undecided=("A", "B", "C", "C-", "D"), why_undecided=WhyUndecided.NO_MAP),
            "ntt-kilonova: Bronze; A, B, C, 2 more undecided (no map yet)",
            "ntt-kilonova: Bronze; A, B, C, 2 more undecided",
        ),
        (
            rubin("Gold"),
            "rubin-2026: would be Gold if the INITIAL keeps these numbers",
            "rubin-2026: would be Gold",
        ),
        (
            rubin(),
            "rubin-2026: would not trigger if the INITIAL keeps these numbers",
            "rubin-2026: would not trigger",
        ),
        (
            rubin(undecided=GRADES),
            "rubin-2026: undecided, at best Gold (map not judged yet)",
            "rubin-2026: undecided",
        ),
        (
            rubin("lensed A", "Bronze"),
            "rubin-2026: would be lensed A and Bronze if the INITIAL keeps these numbers",
            "rubin-2026: would be lensed A and Bronze",
        ),
        (STANDING, "rubin-2026: Gold (INITIAL)", "rubin-2026: Gold"),
        (replace(STANDING, newest_grades=None), "rubin-2026: Gold (INITIAL)", "rubin-2026: Gold"),
        (NONE, "rubin-2026: no trigger (INITIAL)", "rubin-2026: no trigger"),
        (
            replace(STANDING, newest_grades=("Silver",)),
            "rubin-2026: Gold (INITIAL); its numbers now: Silver, not re-triggered",
            "rubin-2026: Gold; numbers now: Silver",
        ),
        (
            replace(STANDING, newest_grades=()),
            "rubin-2026: Gold (INITIAL); its numbers now: no grade, not re-triggered",
            "rubin-2026: Gold; numbers now: no grade",
        ),
        (
            replace(NONE, newest_grades=("Gold",)),
            "rubin-2026: no trigger (INITIAL); its numbers now: Gold, not re-triggered",
            "rubin-2026: no trigger; numbers now: Gold",
        ),
        (ENDED, "rubin-2026: Gold ended by the retraction", "rubin-2026: Gold ended"),
        (rubin(stage=Stage.ENDED), "rubin-2026: retracted without a grade", "rubin-2026: retracted"),
        (NEVER_STOOD, "rubin-2026: would-be Gold ended by the retraction", "rubin-2026: would-be Gold ended"),
    ],
)
def test_each_outcome_in_words(outcome: GradeOutcome, full: str, short: str) -> None:
    assert grade_line(outcome) == full
    assert short_grade_line(outcome) == short


@pytest.mark.parametrize("why", WhyUndecided)
def test_every_reason_has_words(why: WhyUndecided) -> None:
    assert grade_line(replace(ntt(undecided=("Gold",)), why_undecided=why)).endswith(")")


def test_the_card_has_room_for_the_best_two_sets() -> None:
    third = replace(ntt(), slug="late-night")
    assert card_lines([third, rubin("Gold"), ntt("Silver")]) == (
        "rubin-2026: would be Gold if the INITIAL keeps these numbers · ntt-kilonova: Silver · +1 more",
        "rubin-2026: would be Gold · ntt-kilonova: Silver · +1 more",
        "rubin-2026: would be Gold · +2 more",
    )
    assert card_lines([ntt("Silver")]) == ("ntt-kilonova: Silver",)
    assert card_lines([]) == ()


def test_a_grade_comes_before_what_is_undecided_and_that_before_none() -> None:
    undecided = replace(ntt(undecided=("Gold",)), slug="open")
    assert grade_lines.best_first([ntt(), undecided, rubin("Bronze")]) == [
        rubin("Bronze"),
        undecided,
        ntt(),
    ]


@pytest.mark.parametrize(
    ("outcomes", "words"),
    [
        ([], None),
        ([ntt()], None),
        ([ntt(undecided=("Gold",))], None),
        ([ENDED], None),
        ([ntt(), rubin("Gold")], "rubin-2026: would be Gold"),
        ([ntt("Silver", undecided=("Gold",))], "ntt-kilonova: Silver or better"),
        ([replace(STANDING, newest_grades=("Silver",))], "rubin-2026: Gold"),
    ],
)
def test_the_push_text_has_only_a_grade_that_is_known(outcomes: list[GradeOutcome], words: str) -> None:
    assert push_grade(outcomes) == words


def test_a_retraction_ends_grades_in_one_line() -> None:
    others = [replace(ENDED, slug=slug) for slug in ("a", "b")]
    assert ended_line([ENDED]) == "rubin-2026: Gold ended by the retraction"
    assert ended_line([ENDED, *others]) == "rubin-2026: Gold, a: Gold, 1 more ended by the retraction"
    assert ended_line([NEVER_STOOD]) == "rubin-2026: would-be Gold ended by the retraction"
    assert ended_line([rubin(stage=Stage.ENDED), rubin("Gold")]) is None


@pytest.mark.parametrize(
    ("before", "after", "line", "risen"),
    [
        (ntt("Silver"), ntt("Gold"), "Silver → Gold", True),
        (ntt("Gold"), ntt("Silver"), "Gold → Silver", False),
        (ntt(), ntt("Bronze"), "no grade → Bronze", True),
        (ntt("Bronze"), ntt(), "Bronze → no grade", False),
        (ntt("Gold"), ntt("Gold"), None, False),
        (ntt(), ntt(), None, False),
        # what was undecided is decided
        (ntt(undecided=GRADES), ntt("Gold"), "undecided → Gold", True),
        (ntt(undecided=GRADES), ntt(), "undecided → no grade", False),
        (ntt("Silver", undecided=("Gold",)), ntt("Silver"), "Silver; Gold undecided → Silver", False),
        # certainty that falls is no change of grade; a grade that isn't known any more is
        (ntt("Silver"), ntt("Silver", undecided=("Gold",)), None, False),
        (ntt(undecided=GRADES), ntt(undecided=GRADES[:1]), None, False),
        (ntt("Gold"), ntt(undecided=GRADES), "Gold → undecided, at best Gold (no map yet)", False),
        (
            ntt("Gold"),
            ntt("Silver", undecided=("Gold",)),
            "Gold → Silver; Gold undecided (no map yet)",
            False,
        ),
        # before the INITIAL, and with it
        (rubin("Silver"), rubin("Gold"), "would be Silver → would be Gold", True),
        (rubin("Gold"), STANDING, "would be Gold → Gold (INITIAL)", True),
        (
            rubin("Gold"),
            rubin("Silver", stage=Stage.STANDS),
            "would be Gold → Silver (INITIAL)",
            True,
        ),
        (rubin("Gold"), NONE, "would be Gold → no trigger (INITIAL)", False),
        (rubin(), STANDING, "would not trigger → Gold (INITIAL)", True),
        (rubin(), NONE, None, False),
        # after it
        (
            STANDING,
            replace(STANDING, newest_grades=("Silver",)),
            "Gold stands; its numbers now: Silver, not re-triggered",
            False,
        ),
        (
            replace(STANDING, newest_grades=None),
            replace(STANDING, newest_grades=()),
            "Gold stands; its numbers now: no grade, not re-triggered",
            False,
        ),
        (
            replace(STANDING, newest_grades=("Silver",)),
            STANDING,
            "Gold stands; its numbers say so again",
            False,
        ),
        (
            NONE,
            replace(NONE, newest_grades=("Gold",)),
            "still no trigger; its numbers now: Gold, not re-triggered",
            False,
        ),
        (replace(STANDING, newest_grades=("Silver",)), replace(STANDING, newest_grades=None), None, False),
        (STANDING, STANDING, None, False),
        # retracted, and a candidate again
        (STANDING, ENDED, "Gold ended by the retraction", False),
        (rubin("Gold"), NEVER_STOOD, "would-be Gold ended by the retraction", False),
        (rubin(), rubin(stage=Stage.ENDED), None, False),
        (ENDED, ENDED, None, False),
        (ENDED, STANDING, "Gold (INITIAL)", True),
        (ENDED, NONE, None, False),
    ],
)
def test_a_change_of_grade(before: GradeOutcome, after: GradeOutcome, line: str | None, risen: bool) -> None:
    assert grade_changes([before], [after]) == ([] if line is None else [f"{after.slug}: {line}"])
    assert has_risen([before], [after]) is risen


def test_a_set_that_said_nothing_before_counts_as_without_a_grade() -> None:
    assert grade_changes([ntt("Gold")], [STANDING]) == ["rubin-2026: no grade → Gold (INITIAL)"]
    assert has_risen([], [ntt("Bronze")]) and not has_risen([], [ntt()])


def test_rises_come_first_and_many_changes_are_counted() -> None:
    names = [f"s{number}" for number in range(8)]
    before = [replace(ntt("Silver"), slug=name) for name in names]
    after = [replace(ntt("Gold" if name == "s7" else "Bronze"), slug=name) for name in names]
    lines = grade_changes(before, after)
    assert lines[:2] == ["s7: Silver → Gold", "s0: Silver → Bronze"]
    assert lines[-1] == "Grades of 3 more sets changed" and len(lines) == grade_lines.MAX_CHANGES + 1


@st.composite
def outcomes(draw: st.DrawFn) -> GradeOutcome:
    rank = draw(st.none() | st.integers(0, 2))
    better = GRADES if rank is None else GRADES[:rank]
    undecided = tuple(one for one in better if draw(st.booleans()))
    stage = draw(st.sampled_from(Stage))
    return GradeOutcome(
        slug=draw(st.sampled_from(["a", "b-2", "rubin-2026"])),
        grades=() if rank is None else (GRADES[rank],),
        rank=rank,
        undecided=undecided,
        why_undecided=draw(st.sampled_from(WhyUndecided)) if undecided else None,
        stage=stage,
        newest_grades=draw(st.none() | st.just(()) | st.just(("Gold",))) if stage is Stage.STANDS else None,
    )


@settings(deadline=None)
@given(before=st.lists(outcomes(), max_size=4), after=st.lists(outcomes(), max_size=4))
def test_a_rise_is_always_said(before: list[GradeOutcome], after: list[GradeOutcome]) -> None:
    if has_risen(before, after):
        assert grade_changes(before, after)


@settings(deadline=None)
@given(one=outcomes())
def test_nothing_changes_between_equal_outcomes(one: GradeOutcome) -> None:
    if one.stage is not Stage.ENDED:
        assert grade_changes([one], [one]) == [] and not has_risen([one], [one])


@pytest.mark.slow
@settings(deadline=None)
@given(shown=st.lists(outcomes(), max_size=6))
def test_each_shorter_form_of_the_cards_line_is_shorter(shown: list[GradeOutcome]) -> None:
    lengths = [len(line) for line in card_lines(shown)]
    assert lengths == sorted(lengths, reverse=True) and bool(lengths) is bool(shown)
