"""Decides which events are quiet in a channel: posted, but without push words beyond the header."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.filters.evaluator import NO_PROBABILITIES, CriteriaEvaluator, MapProbabilities, evaluate_filter
from bot.filters.event_attributes import extract_attributes
from bot.filters.satisfiability import find_contradiction
from formatters.models.filter import Compare, Op
from formatters.models.subscription import Criteria
from formatters.models.superevent import Superevent


def is_quiet(
    criteria_list: Sequence[Criteria],
    superevent: Superevent,
    probabilities: MapProbabilities = NO_PROBABILITIES,
) -> bool:
    """Return True if all of a channel's subscriptions that bring the event say that it is quiet.

    A subscription that may bring it once the sky map is asked counts; if none brings the event any more, all
    of them do. An event that coincides with another signal is never quiet, nor is one of which a value that
    the condition needs isn't stated: who isn't woken must be certain.
    """
    if all(criteria.quiet is None for criteria in criteria_list):
        return False
    attributes = extract_attributes(superevent)
    if attributes is None or attributes.external:
        return False
    evaluator = CriteriaEvaluator(superevent, probabilities)
    bringing = [one for one in criteria_list if evaluator.evaluate(one).may_match] or criteria_list
    return all(
        one.quiet is not None and evaluate_filter(one.quiet, attributes, NO_PROBABILITIES).matches
        for one in bringing
    )


def without_idle_quiet(criteria: Criteria) -> Criteria:
    """Return the criteria without a quiet condition that no event they bring can meet: "BNS quiet BBH"."""
    quiet = criteria.quiet
    if quiet is None:
        return criteria
    if isinstance(quiet, Compare) and quiet.op is Op.GE:
        # Two classes of exactly 50 % each are no reason for a sentence in the channel.
        quiet = replace(quiet, op=Op.GT)
    both = quiet if criteria.filter is None else criteria.filter & quiet
    idle = find_contradiction(replace(criteria, filter=both, quiet=None, notify=None)) is not None
    return replace(criteria, quiet=None) if idle else criteria
