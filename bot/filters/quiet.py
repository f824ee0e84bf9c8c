"""Decides which events are quiet in a channel: posted, but without push words beyond the header."""

from __future__ import annotations

from collections.abc import Sequence

from bot.filters.evaluator import NO_PROBABILITIES, CriteriaEvaluator, MapProbabilities, evaluate_filter
from bot.filters.event_attributes import extract_attributes
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
