"""Finds grades that no superevent gets: they can't hold, or a better grade holds wherever they do. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import and_

from bot.criteria.failing import failing
from bot.filters.rate_units import find_missing_rate_unit
from bot.filters.satisfiability import find_filter_objection
from formatters.models.criteria_set import CriteriaSet, Grade
from formatters.models.filter import Filter
from formatters.models.subscription import Criteria


def find_grade_objections(set_: CriteriaSet) -> tuple[str, ...]:
    """Return a sentence for each grade that is hardly meant as it is, from the best grade down.

    What is called impossible is impossible; grades with too many alternatives to go through pass.
    """
    found = []
    better: list[tuple[str, Filter]] = []
    for grade in set_.grades:
        if grade.filter is None:
            continue
        objection = _objection(grade.name, grade.filter) or _objection_to_place(grade, grade.filter, better)
        if objection is None:
            better.append((grade.name, grade.filter))
        else:
            found.append(objection)
    return tuple(found)


def _objection(name: str, filter_: Filter) -> str | None:
    """Return why a grade's own conditions are hardly meant: they never hold, or a unit is missing."""
    never = find_filter_objection(filter_)
    sentence = find_missing_rate_unit(Criteria(filter=filter_)) if never is None else never.sentence
    return None if sentence is None else f"{name}: {sentence}"


def _objection_to_place(grade: Grade, filter_: Filter, better: Sequence[tuple[str, Filter]]) -> str | None:
    """Return which better grades hold wherever a grade does, so that it isn't given."""
    for name, stricter in better:
        if _never_holds_below(filter_, [stricter]):
            return (
                f"{grade.name} would hardly ever be given: where it holds, {name} holds too, which stands"
                " before it."
            )
    if len(better) > 1 and _never_holds_below(filter_, [stricter for _, stricter in better]):
        return f"{grade.name} would hardly ever be given: where it holds, a better grade holds too."
    return None


def _never_holds_below(filter_: Filter, better: Sequence[Filter]) -> bool:
    """Return whether a filter holds only where one of the better ones does.

    A better one may also fail for what a notice never states: looked at second, since it takes longer.
    """
    without = (reduce(and_, (~one for one in better), filter_), reduce(and_, map(failing, better), filter_))
    return all(find_filter_objection(one) is not None for one in without)
