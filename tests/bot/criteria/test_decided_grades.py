"""Grades that need no sky map are decided when the notice comes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.criteria import decided_grades
from bot.criteria.decided_grades import DecidedGrades
from formatters.models.criteria_set import GradeOutcome
from formatters.models.filter import ConeQuery, DistanceQuery, GradeQuery, MapQuery, Op
from formatters.models.superevent import Superevent
from tests.support.factories import decoded_notice
from tests.support.filter_strategies import SKY

ANY_RUBIN, ANY_TAROT = GradeQuery("rubin-2026", Op.GE, None), GradeQuery("tarot", Op.GE, None)
WITH_MAP = replace(decoded_notice(), localization=SKY)


def test_what_the_numbers_decide_is_answered() -> None:
    found = DecidedGrades(Superevent.from_notices([WITH_MAP]))
    assert ANY_TAROT in found and found[ANY_TAROT] == 1.0
    hopeless = DecidedGrades(Superevent.from_notices([replace(decoded_notice(far=1e-6), localization=SKY)]))
    assert hopeless[ANY_RUBIN] == 0.0
    without_map = DecidedGrades(Superevent.from_notices([decoded_notice()]))
    assert without_map[ANY_RUBIN] is None and without_map[ANY_TAROT] is None, "there is no map to ask"


def test_category_that_the_numbers_exclude_is_decided_while_the_map_decides_others() -> None:
    found = DecidedGrades(Superevent.from_notices([WITH_MAP]))
    assert found[GradeQuery("rubin-2026", Op.EQ, "SSM Gold")] == 0.0
    assert GradeQuery("rubin-2026", Op.EQ, "Gold") not in found


def test_what_the_map_decides_is_left_to_it() -> None:
    found = DecidedGrades(Superevent.from_notices([WITH_MAP]))
    for query in (ANY_RUBIN, DistanceQuery(200), ConeQuery(1, 2, 3), GradeQuery("unknown", Op.GE, None)):
        assert query not in found
        with pytest.raises(KeyError):
            found[query]


def test_answers_of_the_map_are_kept() -> None:
    answers: dict[MapQuery, float | None] = {ANY_RUBIN: None, DistanceQuery(200): 0.25}
    found = DecidedGrades(Superevent.from_notices([WITH_MAP]), answers)
    assert (found[ANY_RUBIN], found[DistanceQuery(200)], found[ANY_TAROT]) == (None, 0.25, 1.0)
    assert set(found) == {*answers, ANY_TAROT} and len(found) == 3


def test_set_is_judged_once_and_a_defect_leaves_it_to_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def broken(*_: object) -> GradeOutcome:
        calls.append(1)
        raise ZeroDivisionError

    monkeypatch.setattr(decided_grades, "grade", broken)
    found = DecidedGrades(Superevent.from_notices([WITH_MAP]))
    assert ANY_TAROT not in found and GradeQuery("tarot", Op.EQ, "Trigger") not in found
    assert len(calls) == 1


def test_a_defect_of_comparing_leaves_it_to_the_service_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> bool:
        raise ZeroDivisionError

    monkeypatch.setattr(decided_grades, "compare_grade", broken)
    assert ANY_TAROT not in DecidedGrades(Superevent.from_notices([WITH_MAP]))
