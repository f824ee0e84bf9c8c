"""Verdicts of filters on a notice: each holds, fails, or may still hold once what is missing is known.

Kleene's logic as in `bot.filters.evaluator`, but for one thing: there a value that the notice lacks can't
match any more; here it can, if a later notice or the sky map may bring it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from bot.criteria.complement import lacked_quantity
from bot.filters.evaluator import UNDECIDED, UNKNOWN, MapProbabilities, TruthRange, evaluate_filter
from bot.filters.event_attributes import EventAttributes
from bot.filters.notice_facts import NOT_STATED
from formatters.models.criteria_set import Verdict, WhyUndecided
from formatters.models.filter import (
    And,
    Compare,
    Filter,
    Near,
    Not,
    Or,
    VisibleFrom,
    Within,
)

_OF_MAP = frozenset({"area50", "area90", "distance", "z"})
"""Quantities that are measured on the sky map."""


@dataclass(frozen=True, slots=True)
class NoticeFacts:
    """The facts about one notice by which filters are judged."""

    attributes: EventAttributes
    probabilities: MapProbabilities
    """The map's answers; a query that is missing is undecided."""
    is_map_awaited: bool
    """True if the notice has no map, not even one that can't be read."""

    def truth(self, filter_: Filter) -> TruthRange:
        """Evaluate a filter as subscriptions do."""
        return evaluate_filter(filter_, self.attributes, self.probabilities)


class FilterVerdict(NamedTuple):
    """The verdict on a filter, and what is missing if it isn't decided."""

    verdict: Verdict
    """HELD and FAILED are final for this notice; UNDECIDED hangs on its map, UNKNOWN on a value."""
    why: WhyUndecided | None = None
    """Given exactly if the verdict is UNDECIDED or UNKNOWN."""


_HELD, _FAILED = FilterVerdict(Verdict.HELD), FilterVerdict(Verdict.FAILED)


def judge_filter(filter_: Filter, facts: NoticeFacts) -> FilterVerdict:
    """Return whether a filter holds for a notice.

    It fails too if it hangs on a value that no notice of this group or search states: a Burst has no BNS.
    """
    found = facts.truth(filter_)
    if found.low == 1:
        return _HELD
    if found.high == -1:
        return _FAILED
    if _possible(filter_, facts, may_be_stated=True).high < 1:
        return _FAILED
    by_map = _possible(filter_, facts, may_be_stated=False)
    if by_map.low < by_map.high:
        # Even where a value is missing too, the map may deny it.
        why = WhyUndecided.NO_MAP if facts.is_map_awaited else WhyUndecided.MAP_PENDING
        return FilterVerdict(Verdict.UNDECIDED, why)
    return FilterVerdict(Verdict.UNKNOWN, WhyUndecided.NOT_STATED)


def fails_for_kind(filter_: Filter, facts: NoticeFacts) -> bool:
    """Return True if a filter fails only because notices of this group or search never state a value."""
    return judge_filter(filter_, facts).verdict is Verdict.FAILED and facts.truth(filter_).high != -1


def _possible(filter_: Filter, facts: NoticeFacts, *, may_be_stated: bool) -> TruthRange:
    """Evaluate with undecided what waits for a map, and with `may_be_stated` what a notice could state."""
    match filter_:
        case And(parts) | Or(parts):
            each = [_possible(p, facts, may_be_stated=may_be_stated) for p in parts]
            join = min if isinstance(filter_, And) else max
            return TruthRange(join(one.low for one in each), join(one.high for one in each))
        case Not(part):
            low, high = _possible(part, facts, may_be_stated=may_be_stated)
            return TruthRange(-high, -low)
    found = facts.truth(filter_)
    if found != UNKNOWN or _is_never_stated(filter_, facts.attributes):
        return found
    waits_for_map = facts.is_map_awaited and _is_of_map(filter_)
    return UNDECIDED if waits_for_map or may_be_stated else UNKNOWN


def _is_of_map(condition: Filter) -> bool:
    if isinstance(condition, Compare):
        return condition.quantity in _OF_MAP
    return isinstance(condition, Near | VisibleFrom | Within)


def _is_never_stated(condition: Filter, attributes: EventAttributes) -> bool:
    """Return whether notices of this group or search never state what the condition compares."""
    quantity = lacked_quantity(condition)
    return any(
        quantity in NOT_STATED.get((field, attributes.fields.get(field, "")), ())
        for field in ("group", "search")
    )
