"""The words of a subscription: their grammar and their meaning."""

from bot.filters.criteria_parser import MOST_TARGETS, parse, parse_stored
from bot.filters.evaluator import (
    NO_PROBABILITIES,
    CriteriaEvaluator,
    MapProbabilities,
    TruthRange,
    category_allowed,
    evaluate_criteria,
    evaluate_filter,
    is_match,
    is_undecided,
    matches,
    mention_targets,
)
from bot.filters.event_attributes import EventAttributes, attributes_of
from bot.filters.parser import FilterSyntaxError, SiteNames, parse_filter

__all__ = [
    "MOST_TARGETS",
    "NO_PROBABILITIES",
    "CriteriaEvaluator",
    "EventAttributes",
    "FilterSyntaxError",
    "MapProbabilities",
    "SiteNames",
    "TruthRange",
    "attributes_of",
    "category_allowed",
    "evaluate_criteria",
    "evaluate_filter",
    "is_match",
    "is_undecided",
    "matches",
    "mention_targets",
    "parse",
    "parse_filter",
    "parse_stored",
]
