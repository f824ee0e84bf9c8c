"""Reads stored criteria sets, and gives subscriptions the definitions of the grades that they ask for."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.criteria.presets import BUILT_IN
from bot.criteria.resolution import check_references, resolve_grades
from bot.filters import FilterSyntaxError, parse_filter, parse_stored_criteria
from bot.filters.limits import CACHE_SIZE
from bot.store import schema
from formatters.models.criteria_set import CriteriaSet, Grade
from formatters.models.subscription import Criteria

_c = schema.criteria_sets

log = structlog.get_logger(__name__)


def encode_grades(set_: CriteriaSet) -> str:
    """Return the grades of a workspace's set as they are stored: JSON pairs of name and canonical filter."""
    pairs = [[grade.name, grade.filter.canonical] for grade in set_.grades if grade.filter is not None]
    return json.dumps(pairs, ensure_ascii=False)


@lru_cache(maxsize=CACHE_SIZE)
def decode_set(slug: str, grades: str) -> CriteriaSet:
    """Return a stored set; equal rows give the same object. Raises FilterSyntaxError if it can't be read."""
    try:
        pairs = [(str(name), str(text)) for name, text in json.loads(grades)]
    except (TypeError, ValueError, RecursionError) as error:
        raise FilterSyntaxError(f"The grades of {slug} are stored in another form.") from error
    if not pairs:
        raise FilterSyntaxError(f"{slug} has no grades.")
    return CriteriaSet(slug=slug, grades=tuple(Grade(name, parse_filter(text)) for name, text in pairs))


async def load_grades(connection: AsyncConnection, team_id: str | None = None) -> dict[str, dict[str, str]]:
    """Return the stored grades of the sets of all workspaces, or of one, by workspace and name."""
    query = select(_c.c.team_id, _c.c.slug, _c.c.grades)
    if team_id is not None:
        query = query.where(_c.c.team_id == team_id)
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for row in (await connection.execute(query)).all():
        found[row.team_id][row.slug] = row.grades
    return found


def readable_sets(stored: Mapping[str, str]) -> dict[str, CriteriaSet]:
    """Return the sets of stored grades by name, without those that can't be read."""
    found = {}
    for slug, grades in stored.items():
        try:
            found[slug] = decode_set(slug, grades)
        except FilterSyntaxError as error:
            # It may be of a newer version of gwevent; the subscriptions that name it say that it's missing.
            log.error("criteria_set_unreadable", slug=slug, reason=str(error))
        except Exception:
            # A defect that one set meets must not keep a notice from the channels of all workspaces.
            log.exception("unexpected_error", subsystem="criteria_sets", criteria_set=slug)
    return found


def all_sets(stored: Mapping[str, str]) -> dict[str, CriteriaSet]:
    """Return the built-in sets and those of a workspace, by name.

    A workspace's own set stays in force if a later version of gwevent has one of the same name.
    """
    return {**BUILT_IN, **readable_sets(stored)}


async def refuse_missing_sets(connection: AsyncConnection, team_id: str, criteria: Criteria) -> None:
    """Raise FilterSyntaxError for criteria that name a set or a grade that isn't there.

    Whoever typed them saw it there, and somebody removed it since.
    """
    if criteria.used_sets:
        check_references(criteria, all_sets((await load_grades(connection, team_id)).get(team_id, {})))


def may_name_sets(words: str) -> bool:
    """Return False if canonical words name no criteria set for certain."""
    return "criteria " in words or "grade " in words


def resolve_stored_criteria(words: str, stored: Mapping[str, str]) -> tuple[Criteria, tuple[str, ...]]:
    """Parse stored words, with the definitions of grades; return what they name and isn't there, too.

    `stored` are the workspace's sets. Equal words and definitions give the same object, as the evaluator's
    cache needs it; two workspaces with different sets of one name get two. Where a defect prevents it, grades
    have no definition: they are unknown, and the rest of the words holds. Raises FilterSyntaxError.
    """
    if not may_name_sets(words):
        return parse_stored_criteria(words), ()
    used = _used_sets(words)
    try:
        return _resolve(words, tuple([(slug, stored[slug]) for slug in used if slug in stored]))
    except Exception:
        # Every notice loads every subscription: this one must not keep it from all other channels.
        log.exception("unexpected_error", subsystem="criteria_sets", words=words)
        return parse_stored_criteria(words), ()


@lru_cache(maxsize=CACHE_SIZE)
def _used_sets(words: str) -> tuple[str, ...]:
    return parse_stored_criteria(words).used_sets


@lru_cache(maxsize=CACHE_SIZE)
def _resolve(words: str, stored: Sequence[tuple[str, str]]) -> tuple[Criteria, tuple[str, ...]]:
    criteria = parse_stored_criteria(words)
    sets = all_sets(dict(stored))
    return resolve_grades(criteria, sets), find_missing(criteria, sets)


def find_missing(criteria: Criteria, sets: Mapping[str, CriteriaSet]) -> tuple[str, ...]:
    """Return names in criteria that don't exist: sets ("ntt-kilonova"), grades ("ntt-kilonova Silver")."""
    missing = [slug for slug in criteria.used_sets if slug not in sets]
    for condition in criteria.grade_conditions:
        set_ = sets.get(condition.slug)
        if set_ is not None and condition.grade is not None and set_.find_grade(condition.grade) is None:
            missing.append(f"{condition.slug} {condition.grade}")
    return tuple(dict.fromkeys(missing))
