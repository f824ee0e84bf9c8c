"""Parses what people type for a criteria set: its name, and its grades with their filters.

    grades = grade ((";" | new line) grade)*
    grade  = NAME ":" FILTER

The first colon ends the name; further ones belong to the filter, as in "near 13:09:48 -23:22:53 5deg".
"""

from __future__ import annotations

import re

from bot.criteria.presets import BUILT_IN
from bot.filters import SiteNameResolver, parse_filter
from bot.filters.limits import MAX_LENGTH
from bot.filters.set_names import is_language_word, read_slug
from bot.filters.tokens import FilterSyntaxError
from bot.runtime.typed_text import normalize_typed_text
from formatters.models.criteria_set import (
    GRADE_NAME,
    GRADE_NAME_MAX,
    GRADES_MAX,
    SLUG_MAX,
    TEXT_MAX,
    CriteriaSet,
    Grade,
)
from formatters.models.filter import FIELDS, Filter, GradeCondition, conditions
from formatters.models.notice import canonical_id

_PART = re.compile(r"""(?:(?<=from )"[^"\n]*"|[^;\n])+""", re.IGNORECASE)
"""The text between semicolons and new lines; a site's name in quotes may contain a semicolon."""
_EXAMPLE = "Gold: NS distance<150; Silver: NS distance<300"
_CONDITION = re.compile(rf"(?:{'|'.join(FIELDS)})|(?:near|visible from) .*", re.IGNORECASE)
"""The words before a condition's own first colon, and no grade is named."""
_NEXT_GRADE = re.compile(r"[\s,]([^\W\d_][\w+-]*):\s")
"""The name of a further grade, where nothing parts it from the conditions before it."""
_OF_SUBSCRIPTIONS = frozenset(
    (
        *("notify", "notify-mocks", "notify-tests", "criteria", "circulars", "streams", "all", "only"),
        *("mock", "mocks", "test", "tests", "lowsig", "retracted"),
    )
)
"""Words beside the filter of a subscription or a question."""
_OUTCOMES = frozenset(("undecided", "none", "no grade", "no trigger"))
"""Words of messages about an event without a grade."""
_NO_SLUGS = frozenset(
    (
        *("add", "show", "edit", "remove", "list", "help", "anyway", "latest", "events"),
        *("criteria", "grade", "grades", "set", "sets", "none"),
        *("quiet", "escalate", "escalation", "webhook"),
    )
)
"""Words of commands, which couldn't be told from a set's name."""


def parse_slug(text: str) -> str:
    """Return the name for a new criteria set: "NTT Kilonova" is "ntt-kilonova".

    Raises FilterSyntaxError with a sentence for a word of the language, an event's id and a built-in set.
    """
    typed = " ".join(normalize_typed_text(text).split())
    if not typed:
        raise FilterSyntaxError("A criteria set needs a name, like ntt-kilonova.")
    slug = read_slug(typed)
    if slug is None:
        raise FilterSyntaxError(
            f"{_quoted(typed)} is no name for a criteria set: at most {SLUG_MAX} characters, a letter first,"
            " then letters, digits and single dashes, like ntt-kilonova."
        )
    if slug in BUILT_IN:
        raise FilterSyntaxError(f'"{slug}" is built in: choose another name, like "{slug[:20]}-team".')
    if slug in _NO_SLUGS or is_language_word(slug) or canonical_id(slug) is not None:
        what = "an event's id" if canonical_id(slug) is not None else "a word of commands and filters"
        raise FilterSyntaxError(f'"{slug}" is {what}: choose another name, like "{slug[:20]}-team".')
    return slug


def parse_grades(text: str, sites: SiteNameResolver | None = None) -> tuple[Grade, ...]:
    """Parse grades from the best down: "Gold: NS distance<150; Silver: NS", or each on a line.

    `sites` resolves the names of `visible from`; without it every name is accepted, as for stored sets.
    Raises FilterSyntaxError with a sentence for the person who typed it.
    """
    if len(text) > TEXT_MAX:
        raise FilterSyntaxError(
            f"A criteria set has at most {TEXT_MAX:,} characters, and these are {len(text):,}."
        )
    typed = [part.strip() for part in _PART.findall(normalize_typed_text(text))]
    parts = [part for part in typed if part]
    if not parts:
        raise FilterSyntaxError(f"A criteria set needs a grade with its conditions, like {_EXAMPLE}.")
    if len(parts) > GRADES_MAX:
        raise FilterSyntaxError(
            f"A criteria set has at most {GRADES_MAX} grades, and these are {len(parts)}."
        )
    grades: dict[str, Grade] = {}
    for part in parts:
        one = _parse_grade(part, sites)
        if one.name.casefold() in grades:
            raise FilterSyntaxError(
                f'"{one.name}" is there twice: join the two by "or", or give the second another name.'
            )
        grades[one.name.casefold()] = one
    found = tuple(grades.values())
    if len(CriteriaSet(slug="", grades=found).canonical) > TEXT_MAX:
        raise FilterSyntaxError(
            f"That is too long: written out these grades have more than {TEXT_MAX:,} characters."
        )
    return found


def _parse_grade(part: str, sites: SiteNameResolver | None) -> Grade:
    before, colon, after = part.partition(":")
    name = " ".join(before.strip().strip("\"'").split())
    if not colon or _CONDITION.fullmatch(name):
        raise FilterSyntaxError(
            f"{_quoted(part)} has no grade before it: a name, a colon, then conditions, like {_EXAMPLE}."
        )
    if not name:
        raise FilterSyntaxError(f"{_quoted(part)} has no name before the colon, like {_EXAMPLE}.")
    if _is_reserved(name):
        raise FilterSyntaxError(
            f"{_quoted(name)} is no name for a grade: conditions would read it as a word of the language."
        )
    if name.casefold() in _OUTCOMES:
        raise FilterSyntaxError(
            f"{_quoted(name)} is no name for a grade: messages say that of an event without one."
        )
    if GRADE_NAME.fullmatch(name) is None:
        raise FilterSyntaxError(
            f"{_quoted(name)} is no name for a grade: a letter first, then letters, digits, + and -, as in"
            " Gold, A+ or Priority 1."
        )
    if len(name) > GRADE_NAME_MAX:
        raise FilterSyntaxError(
            f"A grade's name has at most {GRADE_NAME_MAX} characters, and {_quoted(name)} has {len(name)}."
        )
    if not after.strip():
        raise FilterSyntaxError(f'"{name}" has no conditions after the colon, like {_EXAMPLE}.')
    return Grade(name, _parse_conditions(name, after.strip(), sites))


def _is_reserved(name: str) -> bool:
    """Return True for a grade's name that couldn't be read where a condition compares it."""
    folded = name.casefold()
    return folded in ("and", "or", "not") or not {"notify", "if"}.isdisjoint(folded.split())


def _parse_conditions(name: str, text: str, sites: SiteNameResolver | None) -> Filter:
    assert len(text) <= MAX_LENGTH, "a set is no longer than a filter"
    try:
        found = parse_filter(text, sites)
    except FilterSyntaxError as error:
        raise FilterSyntaxError(f"{name}: {_likelier_mistake(text) or error}") from error
    used = next((one for one in conditions(found) if isinstance(one, GradeCondition)), None)
    if used is not None:
        raise FilterSyntaxError(
            f'{name}: a set can\'t use grades of others, so write out what "{used.slug}" asks for.'
        )
    return found


def _likelier_mistake(text: str) -> str | None:
    """Return a sentence on conditions that can't be read, where more than conditions was meant."""
    further = _NEXT_GRADE.search(f"{text} ")
    if further is not None and further[1] not in FIELDS:
        return f'does another grade begin at "{further[1]}:"? Put a semicolon or a new line before it.'
    beside = next((word for word in text.split() if word.casefold() in _OF_SUBSCRIPTIONS), None)
    if beside is None:
        return None
    return f'"{beside}" belongs to a subscription; a grade has conditions alone, like NS distance<150.'


def _quoted(text: str) -> str:
    return f'"{text}"' if len(text) <= 40 else f'"{text[:40]}…"'
