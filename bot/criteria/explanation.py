"""The conditions of a filter one by one, with the numbers that decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.criteria.filter_verdicts import NoticeFacts, fails_for_kind, judge_filter
from bot.filters.redshifts import distance_of_redshift
from formatters.models.chirp_mass import probability_in_range
from formatters.models.criteria_set import ConditionOutcome
from formatters.models.filter import (
    And,
    Compare,
    FarCompare,
    Filter,
    MassProbability,
    Near,
    Not,
    Or,
    VisibleFrom,
    Within,
)
from formatters.models.quantity import QUANTITIES


@dataclass(frozen=True, slots=True)
class _Numbers:
    """The values that a condition compares; all None for a condition without numbers."""

    value: float | None = None
    limit: float | None = None
    unit: str = ""


def explain_filter(filter_: Filter, facts: NoticeFacts) -> tuple[ConditionOutcome, ...]:
    """Return the outcome of each condition that has to hold; alternatives joined by "or" are one."""
    return tuple(_explain(part, facts) for part in _joined(filter_))


def _explain(condition: Filter, facts: NoticeFacts) -> ConditionOutcome:
    numbers = _numbers(condition.part if isinstance(condition, Not) else condition, facts)
    alternatives = _alternatives(condition)
    return ConditionOutcome(
        text=condition.canonical,
        verdict=judge_filter(condition, facts).verdict,
        value=numbers.value,
        limit=numbers.limit,
        unit=numbers.unit,
        alternatives=tuple(_explain(part, facts) for part in alternatives),
        is_never_stated=not alternatives and fails_for_kind(condition, facts),
    )


def _joined(filter_: Filter) -> Sequence[Filter]:
    """Return the conditions that have to hold together; "not (BNS or NSBH)" is "not BNS" and "not NSBH"."""
    match filter_:
        case And(parts):
            return [one for part in parts for one in _joined(part)]
        case Not(Or(parts)):
            return [one for part in parts for one in _joined(~part)]
    return (filter_,)


def _alternatives(condition: Filter) -> Sequence[Filter]:
    """Return of what one has to hold; empty for a single condition."""
    match condition:
        case Or(parts):
            return parts
        case Not(And(parts)):
            return [~part for part in parts]
    return ()


def _numbers(condition: Filter, facts: NoticeFacts) -> _Numbers:
    match condition:
        case Compare(quantity="z"):
            # The limit is converted, as where the condition is evaluated.
            distance = facts.attributes.quantities.get("distance")
            return _Numbers(distance, distance_of_redshift(condition.value), "Mpc")
        case Compare(quantity):
            return _Numbers(
                facts.attributes.quantities.get(quantity), condition.value, QUANTITIES[quantity].unit
            )
        case FarCompare():
            return _Numbers(facts.attributes.far, condition.hertz, "Hz")
        case MassProbability(low, high):
            bins = facts.attributes.mass_bins
            held = None if bins is None else probability_in_range(bins, low, high)
            return _Numbers(held, condition.probability, "probability")
        case Near() | VisibleFrom() | Within():
            return _Numbers(
                facts.probabilities.get(condition.map_query), condition.probability, "probability"
            )
    return _Numbers()
