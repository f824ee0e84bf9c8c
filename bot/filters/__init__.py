"""The language of subscriptions: parses filters and criteria, and evaluates them against superevents."""

from bot.filters.criteria_parser import parse_criteria, parse_stored_criteria
from bot.filters.evaluator import (
    NO_PROBABILITIES,
    CriteriaEvaluator,
    MapProbabilities,
    TruthRange,
    category_allowed,
    evaluate_criteria,
    evaluate_filter,
    evaluate_group_and_filter,
    matches,
    mention_targets,
)
from bot.filters.event_attributes import EventAttributes, extract_attributes
from bot.filters.limits import MAX_TARGETS
from bot.filters.map_conditions import SiteNameResolver
from bot.filters.parser import parse_filter
from bot.filters.satisfiability import find_contradiction
from bot.filters.tokens import FilterSyntaxError

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
    "evaluate_group_and_filter",
    "extract_attributes",
    "find_contradiction",
    "matches",
    "mention_targets",
    "parse_criteria",
    "parse_filter",
    "parse_stored_criteria",
]
