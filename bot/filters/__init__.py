"""The words of a subscription: their grammar and their meaning."""

from bot.filters.criteria_parser import MAX_TARGETS, parse_criteria, parse_stored_criteria
from bot.filters.evaluator import (
    NO_PROBABILITIES,
    CriteriaEvaluator,
    MapProbabilities,
    TruthRange,
    category_allowed,
    evaluate_criteria,
    evaluate_filter,
    matches,
    mention_targets,
)
from bot.filters.event_attributes import EventAttributes, extract_attributes
from bot.filters.parser import FilterSyntaxError, SiteNameResolver, parse_filter

__all__ = [
    "MAX_TARGETS",
    "NO_PROBABILITIES",
    "CriteriaEvaluator",
    "EventAttributes",
    "FilterSyntaxError",
    "MapProbabilities",
    "SiteNameResolver",
    "TruthRange",
    "category_allowed",
    "evaluate_criteria",
    "evaluate_filter",
    "extract_attributes",
    "matches",
    "mention_targets",
    "parse_criteria",
    "parse_filter",
    "parse_stored_criteria",
]
