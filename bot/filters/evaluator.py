"""Evaluates filters against a superevent, in Kleene's three-valued logic (true, false, unknown).

A value that the notice lacks is unknown, and an unknown condition matches neither as it is nor negated. A
condition that needs the sky map is undecided until the map is queried, so the result is a range: the lowest
and the highest truth value that the filter may still get.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import NamedTuple

from bot.filters.event_attributes import EventAttributes, extract_attributes
from bot.filters.redshifts import distance_of_redshift
from formatters.models.chirp_mass import probability_in_range
from formatters.models.filter import (
    And,
    Compare,
    Detector,
    External,
    FarCompare,
    FieldIn,
    Filter,
    GradeCondition,
    GradeQuery,
    MapCondition,
    MapQuery,
    MassProbability,
    Near,
    Not,
    Op,
    Or,
    Significant,
    VisibleFrom,
    Within,
)
from formatters.models.notice import Category
from formatters.models.significance import is_light_expected
from formatters.models.subscription import Criteria
from formatters.models.superevent import Superevent


class TruthRange(NamedTuple):
    """The lowest and the highest truth value that is possible: -1 false, 0 unknown, 1 true."""

    low: int
    high: int

    @property
    def matches(self) -> bool:
        """True if it is a match, whatever the sky map says."""
        return self.low == 1

    @property
    def may_match(self) -> bool:
        """True if it is a match, or may become one when the sky map is queried."""
        return self.high == 1

    @property
    def is_undecided(self) -> bool:
        """True if the sky map decides whether it is a match."""
        return self.low < 1 and self.high == 1


YES = TruthRange(1, 1)
NO = TruthRange(-1, -1)
UNKNOWN = TruthRange(0, 0)
UNDECIDED = TruthRange(-1, 1)

# Looked up instead of created, for thousands of filters are evaluated for each notice. The order of both
# levels makes -1, which counts from the end, an index too.
_RANGES = [[TruthRange(low, high) for high in (0, 1, -1)] for low in (0, 1, -1)]

MapProbabilities = Mapping[MapQuery, float | None]
"""The answers of the sky map: probability (0 to 1) by query, None where the query can't be answered."""
NO_PROBABILITIES: MapProbabilities = {}

# Looking up or hashing a member of an enum runs Python code: too slow for every condition of every channel.
_LT, _LE, _GT, _GE = Op.LT, Op.LE, Op.GT, Op.GE
_HALF = 0.5
"""Between a query's answers 0.0, no, and 1.0, yes."""
_ROUNDING = 1e-9
_REAL, _MOCK = Category.REAL, Category.MOCK


def evaluate_filter(
    filter_: Filter, attributes: EventAttributes, probabilities: MapProbabilities = NO_PROBABILITIES
) -> TruthRange:
    """Evaluate a filter; without `probabilities`, conditions on the sky map are undecided."""
    return _EVALUATORS[type(filter_)](filter_, attributes, probabilities)


def _and(node: And, attributes: EventAttributes, probabilities: MapProbabilities) -> TruthRange:
    low, high = 1, 1
    for part in node.parts:
        part_low, part_high = _EVALUATORS[type(part)](part, attributes, probabilities)
        if part_high == -1:
            return NO
        if part_low < low:
            low = part_low
        if part_high < high:
            high = part_high
    return _RANGES[low][high]


def _or(node: Or, attributes: EventAttributes, probabilities: MapProbabilities) -> TruthRange:
    low, high = -1, -1
    for part in node.parts:
        part_low, part_high = _EVALUATORS[type(part)](part, attributes, probabilities)
        if part_low == 1:
            return YES
        if part_low > low:
            low = part_low
        if part_high > high:
            high = part_high
    return _RANGES[low][high]


def _not(node: Not, attributes: EventAttributes, probabilities: MapProbabilities) -> TruthRange:
    low, high = _EVALUATORS[type(node.part)](node.part, attributes, probabilities)
    return _RANGES[-high][-low]


def _field_in(node: FieldIn, attributes: EventAttributes, _: MapProbabilities) -> TruthRange:
    if node.field == "observatory":
        return _observatory(node, attributes)
    name = attributes.fields.get(node.field)
    if name is None:
        return UNKNOWN
    return YES if any(name == value.casefold() for value in node.values) else NO


def _observatory(node: FieldIn, attributes: EventAttributes) -> TruthRange:
    """Return whether one of the coincidences is with one of these observatories."""
    if attributes.external is False:
        return NO
    if not attributes.external or not attributes.observatories:
        return UNKNOWN
    wanted = {value.casefold() for value in node.values}
    return NO if wanted.isdisjoint(attributes.observatories) else YES


def _compare(value: float | None, op: Op, limit: float) -> TruthRange:
    # NaN compares as false both ways, so it would be a match when negated.
    if value is None or value != value:
        return UNKNOWN
    if op is _LT:
        return YES if value < limit else NO
    if op is _GT:
        return YES if value > limit else NO
    if op is _GE:
        return YES if value >= limit else NO
    if op is _LE:
        return YES if value <= limit else NO
    return YES if value == limit else NO


def _quantity(node: Compare, attributes: EventAttributes, _: MapProbabilities) -> TruthRange:
    if node.quantity == "z":
        # The distance grows with the redshift, so the limit is converted instead of each event's distance.
        distance = attributes.quantities.get("distance")
        return UNKNOWN if distance is None else _compare(distance, node.op, distance_of_redshift(node.value))
    return _compare(attributes.quantities.get(node.quantity), node.op, node.value)


def _far(node: FarCompare, attributes: EventAttributes, _: MapProbabilities) -> TruthRange:
    return _compare(attributes.far, node.op, node.hertz)


def _detector(node: Detector, attributes: EventAttributes, _: MapProbabilities) -> TruthRange:
    if not attributes.detectors:
        return UNKNOWN
    return YES if node.name in attributes.detectors else NO


def _external(_node: External, attributes: EventAttributes, _: MapProbabilities) -> TruthRange:
    if attributes.external is None:
        return UNKNOWN
    return YES if attributes.external else NO


def _significant(_node: Significant, attributes: EventAttributes, _: MapProbabilities) -> TruthRange:
    return YES if attributes.significant else NO


def _map_condition(
    node: MapCondition, attributes: EventAttributes, probabilities: MapProbabilities
) -> TruthRange:
    if not attributes.has_map:
        return UNKNOWN
    if node.map_query not in probabilities:
        return UNDECIDED
    return _compare(probabilities[node.map_query], node.op, node.probability)


def _mass_probability(node: MassProbability, attributes: EventAttributes, _: MapProbabilities) -> TruthRange:
    bins = attributes.mass_bins
    if bins is None:
        return UNKNOWN
    share = probability_in_range(bins, node.low, node.high)
    # A sum of rounded parts that differs from the limit in its last digits only is the limit.
    return _compare(
        node.probability if abs(share - node.probability) <= _ROUNDING else share, node.op, node.probability
    )


def _grade(node: GradeCondition, attributes: EventAttributes, probabilities: MapProbabilities) -> TruthRange:
    """Evaluate what `bot.criteria.resolution` says the grade means; unknown where it couldn't be resolved."""
    definition = node.definition
    if definition is None:
        return UNKNOWN
    if not isinstance(definition, GradeQuery):
        return _EVALUATORS[type(definition)](definition, attributes, probabilities)
    if definition not in probabilities:
        return UNDECIDED
    answer = probabilities[definition]
    return UNKNOWN if answer is None else YES if answer > _HALF else NO


_EVALUATORS: Mapping[type[Filter], Callable[..., TruthRange]] = {
    And: _and,
    Or: _or,
    Not: _not,
    FieldIn: _field_in,
    Compare: _quantity,
    FarCompare: _far,
    Detector: _detector,
    External: _external,
    Significant: _significant,
    Near: _map_condition,
    VisibleFrom: _map_condition,
    Within: _map_condition,
    MassProbability: _mass_probability,
    GradeCondition: _grade,
}


def category_allowed(criteria: Criteria, category: Category) -> bool:
    """Return True if events of the category are wanted: real ones as a rule, mocks and tests on request."""
    if category is _REAL:
        return criteria.real
    return criteria.mock if category is _MOCK else criteria.test


class CriteriaEvaluator:
    """Evaluates the criteria of many subscriptions against one superevent.

    Results are cached by the identity of the criteria object, since thousands of channels may have the same
    words and hashing a filter costs more than evaluating it. `parse_stored_criteria` returns the same object
    for the same words, which makes the cache effective; correctness does not depend on that. The cache keeps
    each object alive, so that its identity is not reused.
    """

    def __init__(self, superevent: Superevent, probabilities: MapProbabilities = NO_PROBABILITIES) -> None:
        self._superevent = superevent
        self._attributes = extract_attributes(superevent)
        self._category = superevent.category
        self._probabilities = probabilities
        self._cache: dict[int, tuple[Criteria, TruthRange]] = {}

    def evaluate(self, criteria: Criteria) -> TruthRange:
        """Return whether the superevent meets the criteria, as the newest notice with an event states it.

        A superevent of which only a retraction is known meets none.
        """
        known = self._cache.get(id(criteria))
        if known is not None:
            return known[1]
        attributes = self._attributes
        found = (
            NO
            if attributes is None
            else evaluate_criteria(criteria, attributes, self._category, self._probabilities)
        )
        self._cache[id(criteria)] = (criteria, found)
        return found

    def evaluate_mentions(self, criteria: Criteria) -> TruthRange:
        """Return whether the criteria mention somebody because of the superevent as it is.

        A retracted event mentions nobody. Mocks and tests mention somebody only by a switch of their own:
        people who want to see them don't want to be woken by them.
        """
        notify = criteria.notify
        if notify is None or self._attributes is None or self._superevent.is_retracted:
            return NO
        if self._category is not _REAL and getattr(notify, self._category.value) is not True:
            return NO
        found = self.evaluate(criteria)
        if not found.may_match or notify.condition is None:
            return NO if notify.only_ns and not self._may_have_counterpart else found
        condition = evaluate_filter(notify.condition, self._attributes, self._probabilities)
        return _RANGES[min(found.low, condition.low)][min(found.high, condition.high)]

    @cached_property
    def _may_have_counterpart(self) -> bool:
        newest = self._superevent.latest_with_event
        return newest is not None and is_light_expected(newest)


def evaluate_criteria(
    criteria: Criteria,
    attributes: EventAttributes,
    category: Category,
    probabilities: MapProbabilities = NO_PROBABILITIES,
) -> TruthRange:
    """Return whether a superevent with these attributes meets the criteria.

    LVK's own flag decides whether it is significant: the flag is also set because of a coincidence, where
    the false-alarm rate alone would not make the event significant.
    """
    if not (attributes.significant or criteria.lowsig) or not category_allowed(criteria, category):
        return NO
    return evaluate_group_and_filter(criteria, attributes, probabilities)


def evaluate_group_and_filter(
    criteria: Criteria, attributes: EventAttributes, probabilities: MapProbabilities = NO_PROBABILITIES
) -> TruthRange:
    """Return whether a superevent has the group and fits the filter of the criteria, whatever its kind."""
    group = attributes.fields.get("group")
    # An event without a readable group may be of the wanted one, and nobody may miss it for that.
    if criteria.group != "all" and group is not None and criteria.group.casefold() != group:
        return NO
    wanted = criteria.filter
    return YES if wanted is None else _EVALUATORS[type(wanted)](wanted, attributes, probabilities)


def matches(
    criteria: Criteria, superevent: Superevent, probabilities: MapProbabilities = NO_PROBABILITIES
) -> bool:
    """Return True if the superevent meets the criteria, whatever the sky map says."""
    return CriteriaEvaluator(superevent, probabilities).evaluate(criteria).matches


def mention_targets(
    criteria: Criteria, superevent: Superevent, probabilities: MapProbabilities = NO_PROBABILITIES
) -> tuple[str, ...]:
    """Return the targets that the criteria mention, or may mention once the sky map is queried."""
    rule = criteria.notify
    if rule is None:
        return ()
    found = CriteriaEvaluator(superevent, probabilities).evaluate_mentions(criteria)
    return rule.targets if found.may_match else ()
