"""What a filter means: a verdict over a superevent, in Kleene's three-valued logic.

What a notice lacks is unknown, and unknown is neither a match nor, negated, one. A condition that needs
the map is undecided until the map was asked: the verdict is then an interval of what it may become.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property

from bot.filters.event_attributes import EventAttributes, extract_attributes
from formatters.models.filter import (
    And,
    Compare,
    Detector,
    External,
    FarCompare,
    FieldIn,
    Filter,
    MapCondition,
    MapQuery,
    Near,
    Not,
    Op,
    Or,
    VisibleFrom,
)
from formatters.models.notice import Category
from formatters.models.significance import is_light_expected
from formatters.models.subscription import Criteria
from formatters.models.superevent import Superevent

TruthRange = tuple[int, int]
"""The least and the most that it may be: -1 no, 0 unknown, 1 yes."""
YES: TruthRange = (1, 1)
NO: TruthRange = (-1, -1)
UNKNOWN: TruthRange = (0, 0)
UNDECIDED: TruthRange = (-1, 1)

MapProbabilities = Mapping[MapQuery, float | None]
"""What the map answered: shares of its probability, None where it can't be asked."""
NO_PROBABILITIES: MapProbabilities = {}

# An enum's member is looked up, and hashed, in Python: too slow for every condition of every channel.
_LT, _LE, _GT, _GE = Op.LT, Op.LE, Op.GT, Op.GE
_REAL, _MOCK = Category.REAL, Category.MOCK


def evaluate_filter(
    filter_: Filter, attributes: EventAttributes, probabilities: MapProbabilities = NO_PROBABILITIES
) -> TruthRange:
    """Judge a superevent by a filter."""
    return _EVALUATORS[type(filter_)](filter_, attributes, probabilities)


def is_match(found: TruthRange) -> bool:
    """Whether it is a match, for certain."""
    return found[0] == 1


def is_undecided(found: TruthRange) -> bool:
    """Whether the map may still make it a match, or undo it."""
    return found[0] < 1 and found[1] == 1


def _and(node: And, traits: EventAttributes, shares: MapProbabilities) -> TruthRange:
    low, high = 1, 1
    for part in node.parts:
        part_low, part_high = _EVALUATORS[type(part)](part, traits, shares)
        if part_high == -1:
            return NO
        if part_low < low:
            low = part_low
        if part_high < high:
            high = part_high
    return low, high


def _or(node: Or, traits: EventAttributes, shares: MapProbabilities) -> TruthRange:
    low, high = -1, -1
    for part in node.parts:
        part_low, part_high = _EVALUATORS[type(part)](part, traits, shares)
        if part_low == 1:
            return YES
        if part_low > low:
            low = part_low
        if part_high > high:
            high = part_high
    return low, high


def _not(node: Not, traits: EventAttributes, shares: MapProbabilities) -> TruthRange:
    low, high = _EVALUATORS[type(node.part)](node.part, traits, shares)
    return -high, -low


def _field_in(node: FieldIn, traits: EventAttributes, _: MapProbabilities) -> TruthRange:
    name = traits.fields.get(node.field)
    if name is None:
        return UNKNOWN
    return YES if any(name == value.casefold() for value in node.values) else NO


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


def _quantity(node: Compare, traits: EventAttributes, _: MapProbabilities) -> TruthRange:
    return _compare(traits.quantities.get(node.quantity), node.op, node.value)


def _far(node: FarCompare, traits: EventAttributes, _: MapProbabilities) -> TruthRange:
    return _compare(traits.far, node.op, node.hertz)


def _detector(node: Detector, traits: EventAttributes, _: MapProbabilities) -> TruthRange:
    if not traits.detectors:
        return UNKNOWN
    return YES if node.name in traits.detectors else NO


def _external(_node: External, traits: EventAttributes, _: MapProbabilities) -> TruthRange:
    if traits.external is None:
        return UNKNOWN
    return YES if traits.external else NO


def _map_condition(node: MapCondition, traits: EventAttributes, shares: MapProbabilities) -> TruthRange:
    if not traits.has_map:
        return UNKNOWN
    if node.map_query not in shares:
        return UNDECIDED
    return _compare(shares[node.map_query], node.op, node.probability)


_EVALUATORS: Mapping[type[Filter], Callable[..., TruthRange]] = {
    And: _and,
    Or: _or,
    Not: _not,
    FieldIn: _field_in,
    Compare: _quantity,
    FarCompare: _far,
    Detector: _detector,
    External: _external,
    Near: _map_condition,
    VisibleFrom: _map_condition,
}


def category_allowed(criteria: Criteria, category: Category) -> bool:
    """Whether events of this category may come at all: real ones always, mocks and tests on request."""
    return category is _REAL or (criteria.mock if category is _MOCK else criteria.test)


class CriteriaEvaluator:
    """Judges one superevent by many wishes, each distinct one once."""

    def __init__(self, superevent: Superevent, probabilities: MapProbabilities = NO_PROBABILITIES) -> None:
        self._superevent = superevent
        self._attributes = extract_attributes(superevent)
        self._category = superevent.category
        self._probabilities = probabilities
        # By identity, for equal words are parsed to the very same wish; the wish is kept so that it stays so.
        self._cache: dict[int, tuple[Criteria, TruthRange]] = {}

    def __call__(self, criteria: Criteria) -> TruthRange:
        """Whether the superevent, as its newest event states it, is what was asked for.

        A superevent of which only a retraction is known matches nothing.
        """
        known = self._cache.get(id(criteria))
        if known is not None:
            return known[1]
        traits = self._attributes
        found = (
            NO if traits is None else evaluate_criteria(criteria, traits, self._category, self._probabilities)
        )
        self._cache[id(criteria)] = (criteria, found)
        return found

    def evaluate_mentions(self, criteria: Criteria) -> TruthRange:
        """Whether the subscription mentions somebody because of the superevent as it stands.

        Nobody for a retracted event. Mocks and tests only by a word of their own: wanting to see them isn't
        wanting to be woken by them.
        """
        notify = criteria.notify
        if notify is None or self._attributes is None or self._superevent.is_retracted:
            return NO
        if self._category is not _REAL and getattr(notify, self._category.value) is not True:
            return NO
        found = self(criteria)
        if found[1] < 1 or notify.condition is None:
            return NO if notify.only_ns and not self._may_have_counterpart else found
        condition = evaluate_filter(notify.condition, self._attributes, self._probabilities)
        return min(found[0], condition[0]), min(found[1], condition[1])

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
    """Whether what these traits are of is what was asked for.

    LVK's own flag decides what is significant: it is also set through a coincidence, where the FAR alone
    would not say so.
    """
    if not (attributes.significant or criteria.lowsig) or not category_allowed(criteria, category):
        return NO
    group = attributes.fields.get("group")
    # Who asked for a group gets what may be of it: nobody may miss an event for a field that can't be read.
    if criteria.group != "all" and group is not None and criteria.group.casefold() != group:
        return NO
    wanted = criteria.filter
    return YES if wanted is None else _EVALUATORS[type(wanted)](wanted, attributes, probabilities)


def matches(
    criteria: Criteria, superevent: Superevent, probabilities: MapProbabilities = NO_PROBABILITIES
) -> bool:
    """Whether the superevent is what was asked for, for certain."""
    return is_match(CriteriaEvaluator(superevent, probabilities)(criteria))


def mention_targets(
    criteria: Criteria, superevent: Superevent, probabilities: MapProbabilities = NO_PROBABILITIES
) -> tuple[str, ...]:
    """Whom a subscription mentions because of the superevent as it stands, or may once the map is asked."""
    asked = criteria.notify
    return (
        asked.targets
        if asked is not None
        and CriteriaEvaluator(superevent, probabilities).evaluate_mentions(criteria)[1] == 1
        else ()
    )
