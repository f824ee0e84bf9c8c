"""The words of a subscription: their grammar and their meaning."""

from bot.filters.criteria_parser import MOST_TARGETS, parse, parse_stored
from bot.filters.evaluator import (
    NO_SHARES,
    Judge,
    Shares,
    Verdict,
    admits_category,
    holds,
    matches,
    mentioned,
    open_,
    verdict,
    wish_verdict,
)
from bot.filters.event_attributes import Traits, traits_of
from bot.filters.parser import SiteNames, UnknownWord, parse_filter

__all__ = [
    "MOST_TARGETS",
    "NO_SHARES",
    "Judge",
    "Shares",
    "SiteNames",
    "Traits",
    "UnknownWord",
    "Verdict",
    "admits_category",
    "holds",
    "matches",
    "mentioned",
    "open_",
    "parse",
    "parse_filter",
    "parse_stored",
    "traits_of",
    "verdict",
    "wish_verdict",
]
