"""The filter that holds where another fails: its negation, and what can never state the values it compares.

A burst has no BNS, so "BNS" is unknown of it in the language of filters, and so is "not BNS". A grade that
asks for BNS fails there all the same (`bot.criteria.filter_verdicts`), and the next grade may be given. Pure.
"""

from __future__ import annotations

from functools import reduce
from operator import and_, or_

from bot.filters.notice_facts import NOT_STATED
from formatters.models.filter import FIELDS, And, Compare, FieldIn, Filter, MassProbability, Not, Or, Within

_SPELLED = {"burst": "Burst", "ssm": "SSM"}
_LACKING = tuple(
    (FieldIn(field, (_SPELLED.get(name, name),)), missing)
    for (named, name), missing in NOT_STATED.items()
    for field in FIELDS
    if field == named
)


def complement(filter_: Filter) -> Filter:
    """Return a filter's complement: it holds where the filter fails, and is unknown where that isn't decided.

    It takes a notice of a group or search for one that states none of the values which that never states.
    Where the notice names no group or no search, it may be unknown of a filter that holds.
    """
    match filter_:
        case And(parts):
            return reduce(or_, map(complement, parts))
        case Or(parts):
            return reduce(and_, map(complement, parts))
        case Not(And(parts)):
            return reduce(and_, (complement(~part) for part in parts))
        case Not(Or(parts)):
            return reduce(or_, (complement(~part) for part in parts))
        case Not(part):
            return reduce(or_, _lacking(part), part)
    return reduce(or_, _lacking(filter_), ~filter_)


def lacked_quantity(condition: Filter) -> str | None:
    """Return the quantity that a notice has to state for a condition to be known, None for any other."""
    match condition:
        case Compare(quantity="z") | Within():
            return "distance"
        case Compare(quantity):
            return quantity
        case MassProbability():
            return "mchirp"
    return None


def _lacking(condition: Filter) -> list[Filter]:
    """Return filters for the notices that never state the quantity that a condition compares."""
    quantity = lacked_quantity(condition)
    return [notices for notices, missing in _LACKING if quantity in missing]
