"""Finds grades that no superevent gets: they can't hold, or a better grade holds wherever they do. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from operator import and_

from bot.criteria.complement import complement
from bot.filters.rate_units import find_missing_rate_unit
from bot.filters.satisfiability import find_filter_objection
from formatters.models.criteria_set import CriteriaSet, Grade
from formatters.models.filter import And, Filter, Not, Or
from formatters.models.subscription import Criteria

MAX_ALTERNATIVES = 5_000
"""Alternatives of "or" that all comparisons of a set's grades may go through, about a second's work."""


def find_grade_objections(set_: CriteriaSet) -> tuple[str, ...]:
    """Return a sentence for each grade that is hardly meant as it is, from the best grade down.

    What is called impossible is impossible; grades with too many alternatives to go through pass.
    """
    found = []
    better: list[tuple[str, Filter]] = []
    search = _Search()
    for grade in set_.grades:
        if grade.filter is None:
            continue
        objection = _objection(grade.name, grade.filter) or search.objection_to_place(
            grade, grade.filter, better
        )
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


class _Search:
    """Compares the grades of one set, MAX_ALTERNATIVES in all its comparisons."""

    def __init__(self) -> None:
        self._left = MAX_ALTERNATIVES

    def objection_to_place(
        self, grade: Grade, filter_: Filter, better: Sequence[tuple[str, Filter]]
    ) -> str | None:
        """Return a sentence if better grades hold wherever a grade does, so it is never given; else None."""
        for name, stricter in better:
            if self._can_not_hold(filter_, [stricter]):
                return (
                    f"{grade.name} would hardly ever be given: where it holds, {name} holds too, which stands"
                    " before it."
                )
        if len(better) > 1 and self._can_not_hold(filter_, [stricter for _, stricter in better]):
            return f"{grade.name} would hardly ever be given: where it holds, a better grade holds too."
        return None

    def _can_not_hold(self, filter_: Filter, without: Sequence[Filter]) -> bool:
        """Return True if a filter never holds where none of the others does; False if it takes too long.

        Another one may also fail for what a notice never states: looked at second, since it takes longer.
        """
        alternatives = _alternatives(filter_, True)
        for one in without:
            alternatives *= _alternatives(one, False)
        if alternatives > self._left:
            return False
        self._left -= alternatives
        denied = reduce(and_, (~one for one in without), filter_)
        if find_filter_objection(denied) is None:
            return False
        return find_filter_objection(reduce(and_, map(complement, without), filter_)) is not None


def _alternatives(node: Filter, holds: bool) -> int:
    """Return the number of ways in which a filter can hold, or fail to: of "A or B" two, or one."""
    match node:
        case Not(part):
            return _alternatives(part, not holds)
        case And(parts) | Or(parts):
            each = [_alternatives(part, holds) for part in parts]
            return math.prod(each) if isinstance(node, And) is holds else sum(each)
        case _:
            return 1
