"""Parses the criteria for which the operators' webhook is called (`GWEVENT_WEBHOOK_FILTER`)."""

from __future__ import annotations

from bot.criteria.presets import BUILT_IN
from bot.criteria.resolution import check_references, resolve_grades
from bot.filters import FilterSyntaxError, parse_criteria
from formatters.models.subscription import Criteria


def parse_operator_criteria(words: str) -> Criteria:
    """Parse the words of a subscription without mention; grades are those of built-in criteria sets.

    A workspace's own sets aren't known here: the operators are no workspace. Raises FilterSyntaxError.
    """
    criteria = parse_criteria(words)
    if criteria.notify is not None:
        raise FilterSyntaxError('"notify" mentions nobody here: leave it out.')
    if criteria.quiet is not None:
        raise FilterSyntaxError('"quiet" quiets nothing here: leave it out.')
    if criteria.criteria_sets:
        raise FilterSyntaxError('"criteria" shows nothing here: ask by "grade", as in grade rubin-2026.')
    check_references(criteria, BUILT_IN)
    return resolve_grades(criteria, BUILT_IN)
