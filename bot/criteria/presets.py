"""Criteria sets that are built in."""

from __future__ import annotations

from collections.abc import Mapping

from formatters.models.criteria_set import CriteriaSet

BUILT_IN: Mapping[str, CriteriaSet] = {}
"""By name."""
