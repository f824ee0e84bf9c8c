"""Facts that hold for any one notice: the bounds of its numbers, their sums, and which group states what.

`find_conflict` takes conditions that are all to hold and says why no notice can meet them. It errs on one
side only: where it says so no notice does, apart from rounding in the last digit. Sources: LVK's user guide
(emfollow.docs.ligo.org/userguide/content.html) and the schema of its alerts; names that LVK may add are taken
for possible.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, inf

from bot.filters.intervals import NumberInterval, exact
from bot.filters.range_facts import MassInterval, find_range_conflict
from bot.filters.redshifts import distance_of_redshift
from formatters.models.filter import (
    Compare,
    Condition,
    Detector,
    External,
    FarCompare,
    FieldIn,
    GradeCondition,
    MapCondition,
    MassProbability,
    Op,
    Significant,
    Within,
)
from formatters.models.notice import CLASSES, EARLYWARNING, PRELIMINARY, PROPERTIES
from formatters.models.quantity import QUANTITIES

WHOLE_SKY = Fraction("41252.97")
"""Area of the sphere in deg², rounded up."""
_ZERO, _ONE = Fraction(0), Fraction(1)
_PROBABILITY = NumberInterval(_ZERO, _ONE)
_POSITIVE = NumberInterval(_ZERO, inf, is_high_open=True)
_DOMAINS = {
    "probability": _PROBABILITY,
    "deg²": NumberInterval(_ZERO, WHOLE_SKY),
    "Mpc": _POSITIVE,
    "redshift": _POSITIVE,
    "Msun": _POSITIVE,
    "": NumberInterval(_ONE, inf, is_high_open=True),
}
_OPPOSITE = {Op.LT: Op.GE, Op.LE: Op.GT, Op.GT: Op.LE, Op.GE: Op.LT}
_MASSES = ("distance", "mchirp")
NOT_STATED = {
    ("group", "burst"): frozenset({*CLASSES, *PROPERTIES, "NS", "remnant", *_MASSES}),
    ("search", "ssm"): frozenset({*CLASSES, "NS", "remnant", "HasRemnant"}),
}
"""Quantities that notices of a group or search never state."""
_NAMED = {"burst": "a Burst", "ssm": "a notice of the search for sub-solar masses"}
EXCLUDED_PAIRS = (
    (("search", "ssm"), ("group", "burst"), "SSM searches for compact binaries, which are CBC"),
    (
        ("type", EARLYWARNING.casefold()),
        ("group", "burst"),
        "an early warning is of a binary, so never a Burst",
    ),
)
"""Values of two fields that never go together, and why."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A condition, or its negation, that is to hold."""

    condition: Condition
    holds: bool = True

    @property
    def text(self) -> str:
        """The condition as people type it."""
        return self.condition.canonical if self.holds else f"not {self.condition.canonical}"


def find_conflict(literals: Sequence[Literal], *, without_boundaries: bool = False) -> str | None:
    """Return why no notice can meet all of the conditions; None if one may.

    `without_boundaries` leaves out the notices that have exactly the number of a condition ("BNS>=0.5" at
    50 %), apart from probabilities of 0 and 1. No `Compare` or the like with "=" may be negated. The reason
    is the end of a sentence.
    """
    return (
        _numbers_conflict(literals, without_boundaries=without_boundaries)
        or _detectors_conflict(literals)
        or _grades_conflict(literals)
        or _coincidences_conflict(literals)
        or _fields_conflict(literals)
    )


def _interval(op: Op, limit: Fraction, domain: NumberInterval, *, is_open: bool) -> NumberInterval:
    """Return the numbers that a comparison allows; `is_open` leaves out its limit if that lies inside."""
    leave_out = is_open and not (limit in domain and limit in (domain.low, domain.high))
    match op:
        case Op.LT:
            return NumberInterval(-inf, limit, is_high_open=True)
        case Op.LE:
            return NumberInterval(-inf, limit, is_high_open=leave_out)
        case Op.GT:
            return NumberInterval(limit, inf, is_low_open=True)
        case Op.GE:
            return NumberInterval(limit, inf, is_low_open=leave_out)
        case Op.EQ:
            return NumberInterval(limit, limit, is_low_open=leave_out)


class _Numbers:
    """The numbers that the conditions leave possible: of quantities, "far", map queries, ranges of masses."""

    def __init__(self, literals: Iterable[Literal], *, without_boundaries: bool) -> None:
        self.allowed: dict[object, NumberInterval] = {}
        self.texts: dict[object, list[str]] = {}
        self.conflict: str | None = None
        self._without_boundaries = without_boundaries
        for literal in literals:
            self._add(literal)

    def _add(self, literal: Literal) -> None:
        found = _comparison(literal.condition)
        if found is None or self.conflict is not None:
            return
        key, op, limit, domain = found
        if not literal.holds:
            op = _OPPOSITE[op]
        # A count of instruments is a number that occurs, not one that is measured.
        is_open = self._without_boundaries and key != "instruments"
        mine = domain & _interval(op, limit, domain, is_open=is_open)
        before = self.allowed.get(key, domain)
        after = before & mine
        if key == "instruments":
            after = _integers(after)
            mine = _integers(mine)
        self.allowed[key] = after
        texts = self.texts.setdefault(key, [])
        if mine.is_empty:
            self.conflict = _domain_reason(key, op, limit, domain)
        elif after.is_empty:
            if (
                self._without_boundaries
                and not (before & domain & _interval(op, limit, domain, is_open=False)).is_empty
            ):
                self.conflict = "no measured number is exactly one of these limits"
            else:
                self.conflict = f"{' and '.join([*texts[-1:], literal.text])} exclude each other"
        texts.append(literal.text)

    def of(self, name: str) -> NumberInterval:
        """Return the values that a quantity may have."""
        return self.allowed.get(name, _DOMAINS[QUANTITIES[name].unit])


def _comparison(condition: Condition) -> tuple[object, Op, Fraction, NumberInterval] | None:
    """Return a condition's comparison (key, operator, limit, domain); None if it compares no number."""
    match condition:
        case Compare("z", op, value):
            return "distance", op, exact(distance_of_redshift(value)), _POSITIVE
        case Compare(quantity, op, value):
            return quantity, op, exact(value), _DOMAINS[QUANTITIES[quantity].unit]
        case FarCompare():
            return "far", condition.op, exact(condition.hertz), _POSITIVE
        case MassProbability(low, high, op, probability):
            return MassInterval(low, inf if high is None else high), op, exact(probability), _PROBABILITY
    if isinstance(condition, MapCondition):
        return condition.map_query, condition.op, exact(condition.probability), _PROBABILITY
    return None


def _integers(interval: NumberInterval) -> NumberInterval:
    low = interval.low
    if low != inf and low != -inf:
        low = Fraction(ceil(low) + (interval.is_low_open and low == ceil(low)))
    high = interval.high
    if high != inf and high != -inf:
        high = Fraction(floor(high) - (interval.is_high_open and high == floor(high)))
    return NumberInterval(low, high, is_high_open=high == inf)


def _domain_reason(key: object, op: Op, limit: Fraction, domain: NumberInterval) -> str:
    """Return why a comparison alone holds for no notice."""
    if key == "instruments":
        return "the number of instruments is whole, and at least 1"
    if op is Op.EQ and limit in domain:
        return "no measured number is exactly that"
    is_too_high = op in (Op.GT, Op.GE) or (op is Op.EQ and limit > domain.high)
    if domain == _PROBABILITY:
        return "a probability is at most 100 %" if is_too_high else "no probability is below 0"
    if is_too_high:
        return "the whole sky is 41,253 deg²"
    return f"no {'false-alarm rate' if key == 'far' else key} is below 0"


def _numbers_conflict(literals: Sequence[Literal], *, without_boundaries: bool) -> str | None:
    numbers = _Numbers(literals, without_boundaries=without_boundaries)
    return (
        numbers.conflict
        or _classes_conflict(numbers)
        or _areas_conflict(numbers)
        or find_range_conflict(numbers.allowed)
    )


def _classes_conflict(numbers: _Numbers) -> str | None:
    """Return a contradiction with the sum of the classes, or with NS and remnant, which follow from them."""
    ns = numbers.of("BNS") + numbers.of("NSBH")
    if "NS" in numbers.allowed:
        ns = ns & numbers.of("NS")
        if ns.is_empty:
            return "NS is the sum of BNS and NSBH"
    if _ONE not in ns + numbers.of("BBH") + numbers.of("Terrestrial"):
        return "BNS, NSBH, BBH and Terrestrial of one notice add up to 100 %"
    terrestrial = numbers.of("Terrestrial") & (ns + numbers.of("BBH")).subtracted_from(_ONE)
    remnant = numbers.of("remnant") & (numbers.of("HasRemnant") * terrestrial.subtracted_from(_ONE))
    return "remnant is HasRemnant × (1 − Terrestrial)" if remnant.is_empty else None


def _areas_conflict(numbers: _Numbers) -> str | None:
    inner, outer = numbers.of("area50"), numbers.of("area90")
    is_possible = inner.low < outer.high or (
        inner.low == outer.high and not inner.is_low_open and not outer.is_high_open
    )
    return None if is_possible else "the 50 % area is a part of the 90 % area"


def _detectors_conflict(literals: Sequence[Literal]) -> str | None:
    used = {one.condition.name for one in literals if isinstance(one.condition, Detector) and one.holds}
    for literal in literals:
        if isinstance(literal.condition, Detector) and not literal.holds and literal.condition.name in used:
            return f"{literal.condition.name} was used or it wasn't"
    most = _Numbers(literals, without_boundaries=False).of("instruments").high
    if len(used) > most:
        return f"{', '.join(sorted(used))} are {len(used)} instruments"
    return None


def _grades_conflict(literals: Sequence[Literal]) -> str | None:
    """Return a contradiction between conditions on grades that stand for no filter."""
    grades = [one for one in literals if isinstance(one.condition, GradeCondition)]
    wanted = {one.condition for one in grades if one.holds}
    if any(one.condition in wanted for one in grades if not one.holds):
        return "a set gives such a grade or it doesn't"
    return None


def _coincidences_conflict(literals: Sequence[Literal]) -> str | None:
    wanted = {one.holds for one in literals if isinstance(one.condition, External)}
    named = [
        one for one in literals if isinstance(one.condition, FieldIn) and one.condition.field == "observatory"
    ]
    if wanted == {True, False}:
        return "there is a coincidence or there is none"
    excluded = {name for one in named if not one.holds for name in _values(one)}
    for one in named:
        if one.holds and wanted == {False}:
            return "a coincidence with an observatory is a coincidence with an external event"
        if one.holds and _values(one) <= excluded:
            return f"{one.text} is left out at once"
    return None


def _values(literal: Literal) -> frozenset[str]:
    assert isinstance(literal.condition, FieldIn)
    return frozenset(value.casefold() for value in literal.condition.values)


def _fields_conflict(literals: Sequence[Literal]) -> str | None:
    """Return a contradiction between the fields of a notice, and between them and what it has to state."""
    choices: dict[str, frozenset[str] | None] = {
        "group": None,
        "search": None,
        "type": None,
        "pipeline": None,
    }
    excluded: dict[str, set[str]] = {field: set() for field in choices}
    for one in literals:
        if not isinstance(one.condition, FieldIn) or one.condition.field == "observatory":
            continue
        named = one.condition.field
        if not one.holds:
            excluded[named] |= _values(one)
            continue
        known = choices[named]
        choices[named] = _values(one) if known is None else known & _values(one)
    for field, some in choices.items():
        if some is not None and not some - excluded[field]:
            return f"a notice has one {field}"
    reasons: list[str] = []
    # None stands for any value that no rule names.
    options = {
        field: [None] if some is None else sorted(some - excluded[field]) for field, some in choices.items()
    }
    flags = {one.holds for one in literals if isinstance(one.condition, Significant)}
    if flags == {True, False}:
        return "an event is significant or it isn't"
    stated = {name for one in literals if (name := _stated_quantity(one.condition)) is not None}
    for group in options["group"]:
        for search in options["search"]:
            for kind in options["type"]:
                values = {("group", group), ("search", search), ("type", kind)}
                reason = _values_conflict(values, stated, is_low=flags == {False})
                if reason is None:
                    return None
                reasons.append(reason)
    return reasons[0]


def _stated_quantity(condition: Condition) -> str | None:
    """Return the quantity that a notice has to state for a condition, or its negation, to hold."""
    match condition:
        case Compare(quantity):
            return "distance" if quantity == "z" else quantity
        case MassProbability():
            return "mchirp"
        case Within():
            return "distance"
    return None


def _values_conflict(values: set[tuple[str, str | None]], stated: set[str], *, is_low: bool) -> str | None:
    for (field, name), missing in NOT_STATED.items():
        lacking = sorted(stated & missing)
        if (field, name) in values and lacking:
            return f"{_NAMED[name]} states no {lacking[0]}"
    for one, other, reason in EXCLUDED_PAIRS:
        if one in values and other in values:
            return reason
    kinds = {name for field, name in values if field == "type"} - {None}
    if is_low and kinds and PRELIMINARY.casefold() not in kinds:
        return "only a preliminary notice is of low significance"
    return None
