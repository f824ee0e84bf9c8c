"""The conditions of a filter one by one, with the numbers that decide."""

from __future__ import annotations

from dataclasses import dataclass

from bot.criteria.filter_verdicts import judge_condition
from bot.filters.evaluator import MapProbabilities
from bot.filters.event_attributes import EventAttributes
from bot.filters.redshifts import distance_of_redshift
from formatters.models.criteria_set import ConditionOutcome
from formatters.models.filter import (
    And,
    Compare,
    FarCompare,
    Filter,
    Near,
    Not,
    Or,
    VisibleFrom,
    Within,
)
from formatters.models.quantity import QUANTITIES


@dataclass(frozen=True, slots=True)
class _Numbers:
    """What a condition compares; all None for a condition without numbers."""

    value: float | None = None
    limit: float | None = None
    unit: str = ""


def explain_filter(
    filter_: Filter, attributes: EventAttributes, probabilities: MapProbabilities
) -> tuple[ConditionOutcome, ...]:
    """Return the outcome of each condition that has to hold; alternatives joined by "or" are one."""
    parts = filter_.parts if isinstance(filter_, And) else (filter_,)
    return tuple(_explain(part, attributes, probabilities) for part in parts)


def _explain(
    condition: Filter, attributes: EventAttributes, probabilities: MapProbabilities
) -> ConditionOutcome:
    numbers = _numbers(condition.part if isinstance(condition, Not) else condition, attributes, probabilities)
    alternatives = condition.parts if isinstance(condition, Or) else ()
    return ConditionOutcome(
        text=condition.canonical,
        verdict=judge_condition(condition, attributes, probabilities),
        value=numbers.value,
        limit=numbers.limit,
        unit=numbers.unit,
        alternatives=tuple(_explain(part, attributes, probabilities) for part in alternatives),
    )


def _numbers(condition: Filter, attributes: EventAttributes, probabilities: MapProbabilities) -> _Numbers:
    match condition:
        case Compare(quantity="z"):
            # The limit is converted, as where the condition is evaluated.
            distance = attributes.quantities.get("distance")
            return _Numbers(distance, distance_of_redshift(condition.value), "Mpc")
        case Compare(quantity):
            return _Numbers(attributes.quantities.get(quantity), condition.value, QUANTITIES[quantity].unit)
        case FarCompare():
            return _Numbers(attributes.far, condition.hertz, "Hz")
        case Near() | VisibleFrom() | Within():
            return _Numbers(probabilities.get(condition.map_query), condition.probability, "probability")
    return _Numbers()
