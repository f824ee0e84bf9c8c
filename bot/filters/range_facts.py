"""Facts about the probabilities of several ranges of one quantity: of distances, and of chirp masses.

Like `bot.filters.notice_facts`, whose conditions these are, it errs on one side only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import permutations
from math import inf

from bot.filters.intervals import NumberInterval, exact
from formatters.models.chirp_mass import SUM_TOLERANCE
from formatters.models.filter import DistanceQuery

_ALL = Fraction(1) + exact(SUM_TOLERANCE)
"""Sum of all bins of a histogram, at most."""
_MOST = _ALL / 2
"""A range with more than this holds more than half of any histogram's sum, and so its median."""


@dataclass(frozen=True, slots=True)
class MassInterval:
    """A range of chirp masses in solar masses."""

    low: float
    high: float
    """Infinity for no upper bound."""

    def contains(self, other: MassInterval) -> bool:
        """Return True if the other range lies inside this one."""
        return self.low <= other.low and other.high <= self.high


def find_range_conflict(allowed: Mapping[object, NumberInterval]) -> str | None:
    """Return why no notice has probabilities as allowed, by DistanceQuery and MassInterval; None if one may.

    "mchirp" is the median. The reason is the end of a sentence.
    """
    distances = [query for query in allowed if isinstance(query, DistanceQuery)]
    for nearer, farther in permutations(distances, 2):
        if nearer.limit < farther.limit and _exceeds(allowed[nearer], allowed[farther]):
            return f"what lies within {nearer.limit:g} Mpc lies within {farther.limit:g} Mpc too"
    masses = [key for key in allowed if isinstance(key, MassInterval)]
    return _sums_conflict(masses, allowed) or _median_conflict(masses, allowed)


def _exceeds(inner: NumberInterval, outer: NumberInterval) -> bool:
    """Return True if every number of the one is larger than every number of the other."""
    return inner.low > outer.high or (inner.low == outer.high and (inner.is_low_open or outer.is_high_open))


def _sums_conflict(masses: Sequence[MassInterval], allowed: Mapping[object, NumberInterval]) -> str | None:
    """Return a contradiction between ranges that don't overlap, and a range that contains them."""
    for outer in masses:
        inside = [one for one in masses if one != outer and outer.contains(one)]
        if _exceeds(_least_sum(inside, allowed), allowed[outer]):
            return "a range of masses is at least as probable as the ranges inside it together"
    if _exceeds(_least_sum(masses, allowed), NumberInterval(-inf, _ALL)):
        return "ranges of masses that don't overlap have at most 100 % together"
    return None


def _least_sum(masses: Sequence[MassInterval], allowed: Mapping[object, NumberInterval]) -> NumberInterval:
    """Return the highest of the least sums that ranges without overlap have, as an interval's lower end."""
    best: list[tuple[float, Fraction | float, bool]] = [(-inf, Fraction(0), False)]
    for one in sorted(masses, key=lambda one: one.high):
        low = allowed[one]
        before = max((total, is_open) for high, total, is_open in best if high <= one.low)
        best.append((one.high, before[0] + low.low, before[1] or low.is_low_open))
    total, is_open = max((total, is_open) for _, total, is_open in best)
    return NumberInterval(total, inf, is_low_open=is_open)


def _median_conflict(masses: Sequence[MassInterval], allowed: Mapping[object, NumberInterval]) -> str | None:
    median = allowed.get("mchirp")
    if median is None:
        return None
    for one in masses:
        if allowed[one].low > _MOST or (allowed[one].low == _MOST and allowed[one].is_low_open):
            high = one.high if one.high == inf else exact(one.high)
            median &= NumberInterval(exact(one.low), high)
            if median.is_empty:
                return "the median lies where most of the probability lies"
    return None
