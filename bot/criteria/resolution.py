"""Gives conditions on grades the definitions of their criteria sets. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from formatters.models.criteria_set import CriteriaSet
from formatters.models.subscription import Criteria


def resolve_grades(criteria: Criteria, sets: Mapping[str, CriteriaSet]) -> Criteria:
    """Return the criteria with the definition of every condition on a grade."""
    raise NotImplementedError


def check_references(criteria: Criteria, sets: Mapping[str, CriteriaSet]) -> None:
    """Raise FilterSyntaxError for a set or grade that there isn't."""
    raise NotImplementedError
