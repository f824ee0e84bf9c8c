"""Gives conditions on grades their sets' definitions, and refuses sets and grades that there aren't.

Pure. A condition on a grade ("grade ntt-kilonova>=Silver") is parsed without knowing any set; what it means
depends on the workspace's sets. Of an ordinary set it is a filter that holds where the first of the set's
grades that holds compares so; of a set that judges the INITIAL it is a query, answered by the grading
service. A superevent without a grade is neither better nor worse than any grade.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, reduce
from operator import or_

from bot.criteria.complement import complement
from bot.criteria.presets import RUBIN
from bot.criteria.rubin_2026 import grades_meeting
from bot.filters.limits import CACHE_SIZE
from bot.filters.set_names import read_slug
from bot.filters.tokens import FilterSyntaxError
from formatters.models.criteria_set import CriteriaSet, Grade
from formatters.models.filter import (
    And,
    Filter,
    GradeCondition,
    GradeQuery,
    Not,
    Op,
    Or,
    Significant,
    conditions,
)
from formatters.models.subscription import Criteria

_NEVER = Significant() & ~Significant()
"""False of every notice: LVK's flag is never unknown."""
_LISTED_MAX = 10
"""Sets or grades that an error names."""

_Definitions = tuple[tuple[str, CriteriaSet], ...]


def resolve_grades(criteria: Criteria, sets: Mapping[str, CriteriaSet]) -> Criteria:
    """Return the criteria with the definition of each grade condition in its filter and mention rule.

    `sets` are those of the workspace by slug, the built-in ones included; a condition on a set or grade that
    isn't there stays without definition, which is unknown. Criteria without such conditions are returned as
    the same object, and equal ones with equal sets give the same object, since evaluators cache by identity.
    """
    slugs = sorted({condition.slug for condition in _grade_conditions(criteria)})
    if not slugs:
        return criteria
    return _resolve_criteria(criteria, tuple((slug, sets[slug]) for slug in slugs if slug in sets))


def resolve_filter(filter_: Filter, sets: Mapping[str, CriteriaSet]) -> Filter:
    """Return a filter with the definition of each grade condition; the same object if it has none."""
    if not any(isinstance(one, GradeCondition) for one in conditions(filter_)):
        return filter_
    return _resolve(filter_, sets)


def check_references(criteria: Criteria, sets: Mapping[str, CriteriaSet]) -> None:
    """Raise FilterSyntaxError for a set or grade that there isn't, and for a comparison without sense.

    The error says what was probably meant. `sets` are those of the workspace by slug, the built-in ones
    included.
    """
    for at, slug in enumerate(criteria.criteria_sets):
        if slug not in sets:
            raise _unknown_set_error(criteria.criteria_sets, at, sets)
    for condition in _grade_conditions(criteria):
        _check_condition(condition, sets, criteria.criteria_sets)


def check_filter_references(filter_: Filter, sets: Mapping[str, CriteriaSet]) -> None:
    """Raise FilterSyntaxError as `check_references` does, for a filter alone."""
    check_references(Criteria(filter=filter_), sets)


def _grade_conditions(criteria: Criteria) -> Iterator[GradeCondition]:
    mention = None if criteria.notify is None else criteria.notify.condition
    for one in (criteria.filter, mention):
        if one is not None:
            yield from (found for found in conditions(one) if isinstance(found, GradeCondition))


@lru_cache(maxsize=CACHE_SIZE)
def _resolve_criteria(criteria: Criteria, definitions: _Definitions) -> Criteria:
    sets = dict(definitions)
    notify = criteria.notify
    if notify is not None and notify.condition is not None:
        notify = replace(notify, condition=resolve_filter(notify.condition, sets))
    filter_ = None if criteria.filter is None else resolve_filter(criteria.filter, sets)
    return replace(criteria, filter=filter_, notify=notify)


def _resolve(node: Filter, sets: Mapping[str, CriteriaSet]) -> Filter:
    # Two conditions stay two, so the nodes are rebuilt instead of composed.
    match node:
        case And(parts):
            return And(tuple(_resolve(part, sets) for part in parts))
        case Or(parts):
            return Or(tuple(_resolve(part, sets) for part in parts))
        case Not(part):
            return Not(_resolve(part, sets))
        case GradeCondition():
            return replace(node, definition=_definition(node, sets.get(node.slug)))
        case _:
            return node


def _definition(condition: GradeCondition, set_: CriteriaSet | None) -> Filter | GradeQuery | None:
    if set_ is None:
        return None
    grade = None if condition.grade is None else set_.find_grade(condition.grade)
    if condition.grade is not None and grade is None:
        return None
    if set_.judges_initial:
        return GradeQuery(set_.slug, condition.op, None if grade is None else grade.name)
    filters = [one.filter for one in set_.grades]
    known = [one for one in filters if one is not None]
    if len(known) < len(filters):
        return None
    if grade is None:
        return _any_of(known)
    place = set_.grades.index(grade)
    match condition.op:
        case Op.GE:
            return _any_of(known[: place + 1])
        case Op.GT:
            return _any_of(known[:place])
        case Op.EQ:
            return _first_of(known[:place], known[place : place + 1])
        case Op.LE:
            return _first_of(known[:place], known[place:])
        case Op.LT:
            return _first_of(known[: place + 1], known[place + 1 :])


def _any_of(filters: Sequence[Filter]) -> Filter:
    return reduce(or_, filters) if filters else _NEVER


def _first_of(better: Sequence[Filter], wanted: Sequence[Filter]) -> Filter:
    """Return the filter that one of the wanted grades holds and each better one fails."""
    return _any_of(wanted) & complement(_any_of(better)) if better and wanted else _any_of(wanted)


def _check_condition(
    condition: GradeCondition, sets: Mapping[str, CriteriaSet], chosen: Sequence[str]
) -> None:
    set_ = sets.get(condition.slug)
    if set_ is None:
        meant = None if condition.grade is not None else _condition_on_grade(condition.slug, sets, chosen)
        if meant is not None:
            raise _no_set_error(condition.slug, f"write {meant.canonical} for that grade.")
        raise _unknown_set_error((condition.slug,), 0, sets)
    if condition.grade is None:
        return
    grade = set_.find_grade(condition.grade)
    if grade is None:
        raise _unknown_grade_error(condition, set_)
    if condition.op is Op.EQ:
        return
    if _has_no_order(set_, grade):
        equal = replace(condition, op=Op.EQ, grade=grade.name).canonical
        raise FilterSyntaxError(
            f'"{grade.name}" of {set_.slug} is neither better nor worse than its other grades: write {equal}.'
        )
    word = {Op.GT: "better", Op.LT: "worse"}.get(condition.op)
    if word is not None and not _compared_grades(set_, condition.op, grade):
        equal = replace(condition, op=Op.EQ, grade=grade.name).canonical
        raise FilterSyntaxError(
            f'No grade of {set_.slug} is {word} than "{grade.name}"; that grade itself is {equal}.'
        )


def _compared_grades(set_: CriteriaSet, op: Op, grade: Grade) -> Collection[str]:
    """Return the grades that are better (op ">") or worse ("<") than one."""
    if set_.is_built_in and set_.slug == RUBIN:
        return grades_meeting(op, grade.name)
    place = set_.grades.index(grade)
    return [one.name for one in (set_.grades[:place] if op is Op.GT else set_.grades[place + 1 :])]


def _condition_on_grade(
    typed: str, sets: Mapping[str, CriteriaSet], chosen: Sequence[str]
) -> GradeCondition | None:
    """Return the condition that was meant by a grade without its set or its sign; None if none was.

    These are "grade gold" and "grade rubin-2026 gold". Sets that the subscription chooses come first.
    """
    for set_ in [*(sets[slug] for slug in chosen if slug in sets), *sets.values()]:
        for grade in set_.grades:
            if typed in (read_slug(grade.name), read_slug(f"{set_.slug} {grade.name}")):
                op = Op.EQ if _has_no_order(set_, grade) else Op.GE
                return GradeCondition(set_.slug, op, grade.name)
    return None


def _has_no_order(set_: CriteriaSet, grade: Grade) -> bool:
    """Return True if the grade stands beside the others instead of among them, as "BBH" of rubin-2026."""
    if not (set_.is_built_in and set_.slug == RUBIN):
        return False
    return grades_meeting(Op.GE, grade.name) == grades_meeting(Op.LE, grade.name)


def _unknown_set_error(typed: Sequence[str], at: int, sets: Mapping[str, CriteriaSet]) -> FilterSyntaxError:
    slug = typed[at]
    # Typed with blanks, one name looks like several: "criteria ntt kilonova".
    for start in range(at + 1):
        for end in range(len(typed), max(at, start + 1), -1):
            joined = read_slug(" ".join(typed[start:end]))
            if joined in sets:
                return _no_set_error(slug, f'did you mean "{joined}"?')
    plain = {known.replace("-", ""): known for known in sets}
    near = difflib.get_close_matches(slug.replace("-", ""), plain, n=1, cutoff=0.6)
    beginning = [known for known in sets if known.startswith(slug) or slug.startswith(known)]
    if near or beginning:
        return _no_set_error(slug, f'did you mean "{plain[near[0]] if near else beginning[0]}"?')
    listed = ", ".join(list(sets)[:_LISTED_MAX])
    more = f" and {len(sets) - _LISTED_MAX} more" if len(sets) > _LISTED_MAX else ""
    return _no_set_error(slug, f"there are {listed}{more}." if listed else "there is none yet.")


def _no_set_error(slug: str, rest: str) -> FilterSyntaxError:
    return FilterSyntaxError(f'No criteria set is called "{slug}": {rest}')


def _unknown_grade_error(condition: GradeCondition, set_: CriteriaSet) -> FilterSyntaxError:
    names = {grade.name.casefold(): grade.name for grade in set_.grades}
    typed = condition.grade or ""
    # Without quotes a name with a blank ends at that, and nobody knows which one was meant.
    near = [folded for folded in names if folded.startswith(f"{typed.casefold()} ")]
    near = near or difflib.get_close_matches(typed.casefold(), names, n=1, cutoff=0.6)
    suggested = " or ".join(f'"{names[folded]}"' for folded in near[:_LISTED_MAX])
    meant = f"did you mean {suggested}? Its grades are" if near else "its grades are"
    shown = list(names.values())[:_LISTED_MAX]
    more = f" and {len(names) - _LISTED_MAX} more" if len(names) > _LISTED_MAX else ""
    return FilterSyntaxError(f'{condition.slug} has no grade "{typed}": {meant} {", ".join(shown)}{more}.')
